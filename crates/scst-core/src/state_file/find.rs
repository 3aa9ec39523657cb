//! Which state file belongs to an instance: the one of its own name, or one under another name that it takes over
//! (`adopt`). Reading it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Remembered, StateFile, StateFiles};
use crate::scst::names::GroupName;
use crate::system::System;

/// The longest part of a file's name that an instance gives: with the agent, a group and a suffix it stays below the 255
/// bytes of a name.
const LONGEST_INSTANCE: usize = 160;

impl StateFiles {
    /// The state files below `dir` as the instance `instance` of `agent` sees them. At a terminal the instance may be
    /// the clone's id.
    pub fn new(system: Arc<dyn System>, dir: PathBuf, agent: &'static str, instance: &str) -> Self {
        Self { system, dir, agent, locks_of: agent, instance: file_name(instance), of_resource: false }
    }

    /// The same where the instance is certainly the resource's id: state files of other instances are those of other resources.
    #[must_use]
    pub fn of_resource(self) -> Self {
        Self { of_resource: true, ..self }
    }

    /// The same where the state file of a group is this instance's own under whatever id it stands.
    #[must_use]
    pub fn of_group(self) -> Self {
        Self { of_resource: false, ..self }
    }

    /// The path of the state file that has this instance's name, whether it is there or not.
    pub fn path(&self) -> PathBuf {
        self.file(&self.instance)
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{}-{name}.state", self.agent))
    }

    /// Reads the state file of `group`; without a group, that of an agent that has one per node. A file that cannot be
    /// read is [`Remembered::Unknown`].
    pub fn read(&self, group: Option<&GroupName>) -> Remembered {
        self.find(group).1
    }

    /// The state file of this instance, whatever group it names.
    pub fn own(&self) -> Remembered {
        self.read_at(&self.path())
    }

    /// Where the state file is, or would be made. The file of this instance may belong to another group, and is then left alone.
    pub(super) fn find(&self, group: Option<&GroupName>) -> (PathBuf, Remembered) {
        let own = self.read_at(&self.path());
        let concerns = |file: &StateFile| group.is_none() || file.group.is_none() || file.group.as_ref() == group;
        let is_own = match &own {
            Remembered::Known(file) => concerns(file),
            // An empty file of a device group says less than a state file under the clone's id.
            Remembered::Unknown => group.is_none(),
            Remembered::Nothing => false,
        };
        if is_own {
            return (self.path(), own);
        }
        if let Some(inherited) = self.inherited(group) {
            return inherited;
        }
        let path = self.home(group);
        let found = self.read_at(&path);
        (path, found)
    }

    /// Where a state file of this instance is made: the instance's file, or a further one while that belongs to another group.
    pub(super) fn home(&self, group: Option<&GroupName>) -> PathBuf {
        match (self.read_at(&self.path()), group) {
            (Remembered::Known(file), Some(group)) if file.group.as_ref().is_some_and(|other| other != group) => {
                self.file(&format!("{}-{group}", self.instance))
            }
            _ => self.path(),
        }
    }

    pub(super) fn read_at(&self, path: &Path) -> Remembered {
        match self.system.read_file(path) {
            Ok(text) => StateFile::parse(&text)
                .map_or(Remembered::Unknown, |file| Remembered::Known(file.of_this_boot(&self.system.boot()))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Remembered::Nothing,
            Err(_) => Remembered::Unknown,
        }
    }
}

/// An instance as a part of a file's name. One of over 160 bytes, which XML allows, is cut, and gets a hash of the
/// whole behind it, so that it differs from others with the same beginning.
pub fn file_name(instance: &str) -> String {
    // An instance is an XML id and cannot hold these; by hand anything can be said.
    let name: String = instance.chars().map(|c| if c == '/' || c.is_control() { '_' } else { c }).collect();
    if name.len() <= LONGEST_INSTANCE {
        return name;
    }
    // FNV-1a, written here because another version of this program must come to the same name.
    let hash = instance
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let hash = format!("-{hash:016x}");
    let end = name.floor_char_boundary(LONGEST_INSTANCE - hash.len());
    format!("{}{hash}", &name[..end])
}

#[cfg(test)]
pub(super) mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::super::format::tests::sample;
    use super::*;

    pub(in crate::state_file) fn known(file: StateFile) -> Remembered {
        Remembered::Known(StateFile { boot: crate::system::Machine::system().boot(), ..file })
    }

    pub(in crate::state_file) fn files(dir: &Path, instance: &str) -> StateFiles {
        StateFiles::new(crate::system::Machine::system(), dir.to_owned(), "scst_aluadg", instance)
    }

    #[test]
    fn what_is_written_is_read_again_by_instance_and_by_group() {
        let dir = tempfile::tempdir().unwrap();
        let group = GroupName::parse("dummy").unwrap();
        assert_eq!(files(dir.path(), "rsc").read(Some(&group)), Remembered::Nothing);
        files(dir.path(), "rsc").write(&sample()).unwrap();
        assert_eq!(files(dir.path(), "rsc").read(None), known(sample()));
        assert_eq!(files(dir.path(), "clone").read(Some(&group)), known(sample()));
        assert_eq!(files(dir.path(), "clone").read(GroupName::parse("other").as_ref().ok()), Remembered::Nothing);
        assert_eq!(files(dir.path(), "clone").own(), Remembered::Nothing);
        // What is written under the clone's id goes where the state file is.
        let node_id = Some(9);
        files(dir.path(), "clone").write(&StateFile { node_id, ..sample() }).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        assert_eq!(files(dir.path(), "rsc").own(), known(StateFile { node_id, ..sample() }));
        let mode = fs::metadata(files(dir.path(), "rsc").path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        files(dir.path(), "clone").remove(Some(&group)).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn the_file_of_an_instance_that_belongs_to_another_group_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let files = files(dir.path(), "default");
        let other = GroupName::parse("other").unwrap();
        files.write(&sample()).unwrap();
        assert_eq!(files.read(Some(&other)), Remembered::Nothing);
        let file = StateFile { group: Some(other.clone()), ..sample() };
        files.write(&file).unwrap();
        assert_eq!(files.read(Some(&other)), known(file));
        files.remove(Some(&other)).unwrap();
        assert_eq!(files.read(sample().group.as_ref()), known(sample()));
    }

    #[test]
    fn an_instance_of_any_length_has_a_state_file_of_its_own_under_a_name_that_stays() {
        let dir = tempfile::tempdir().unwrap();
        let group = |name| GroupName::parse(name).ok();
        for (count, unit) in [(161, "x"), (240, "x"), (256, "x"), (64 << 10, "x"), (100, "é"), (5000, "/")] {
            let (long, other) = (unit.repeat(count), format!("{}y", unit.repeat(count)));
            let files = |instance: &str| files(dir.path(), instance);
            assert!(files(&long).path().file_name().is_some_and(|name| name.len() <= 200), "{count} {unit}");
            assert_ne!(files(&long).path(), files(&other).path());
            files(&long).write(&sample()).unwrap();
            files(&other).write(&StateFile { group: group("other"), ..sample() }).unwrap();
            assert_eq!(files(&long).own(), known(sample()));
            // By hand, for a second group under the same id.
            let third = StateFile { group: group("longname"), ..sample() };
            files(&long).write(&third).unwrap();
            assert_eq!(files(&long).read(group("longname").as_ref()), known(third));
            for name in ["dummy", "other", "longname"] {
                files(&long).remove(group(name).as_ref()).unwrap();
            }
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        }
        // A binary that is replaced while an instance runs must find what the one before it wrote.
        let name = |count| file_name(&"p".repeat(count));
        assert_eq!(name(160), "p".repeat(160));
        assert_eq!(name(161), format!("{}-7a36d513dbb2b6ef", "p".repeat(143)));
    }

    #[test]
    fn an_empty_cut_or_foreign_file_is_unknown_and_a_link_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let files = files(dir.path(), "rsc");
        let text = sample().text();
        for cut in 0..text.len() {
            fs::write(files.path(), &text[..cut]).unwrap();
            assert_eq!(files.read(None), Remembered::Unknown, "cut at {cut}");
        }
        fs::write(files.path(), [0xff, 0xfe]).unwrap();
        assert_eq!(files.read(None), Remembered::Unknown);
        let elsewhere = dir.path().join("elsewhere");
        fs::write(&elsewhere, text).unwrap();
        fs::remove_file(files.path()).unwrap();
        symlink(&elsewhere, files.path()).unwrap();
        assert_eq!(files.read(None), Remembered::Unknown);
        files.write(&StateFile::default()).unwrap();
        assert!(fs::read_to_string(&elsewhere).unwrap().contains("alpha"), "the link's target is untouched");
        assert_eq!(files.read(None), known(StateFile::default()));
    }
}
