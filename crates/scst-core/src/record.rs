//! What an instance remembers between two actions, in a file below `/run`.
//!
//! A record is a memory aid: it says what was ours and what a dead run may have left blocked, never whether something
//! runs. An **empty** file was made by the shell agents this project replaces: its contents are unknown, not wrong. A file that
//! cannot be understood counts as empty as well, because acting on half of it could touch what is not ours.
//!
//! The format is a line per fact, `word value…`, after a first line with the version.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::errno::Errno;

use crate::deadline::Deadline;
use crate::scst::alua::AluaState;
use crate::scst::device::Owed;
use crate::scst::names::{DeviceName, GroupName, InitiatorGroup, NodeName, TargetName};
use crate::sysfs::wait_until;
use crate::system::{Lock, Locked, System};

/// The first line of a record.
const VERSION: &str = "scst-ocf record 1";

/// The first words of its lines.
const WORDS: [&str; 15] = [
    "node",
    "id",
    "group",
    "port",
    "missing",
    "ini_group",
    "device",
    "block",
    "starting",
    "unfinished",
    "moving",
    "failed",
    "score",
    "boot",
    "peer",
];

/// The instance of a run by hand that names none. No resource is called so: what it has started belongs to the one that comes first.
const NOBODY: &str = "default";

/// The longest part of a file's name that an instance gives: with the agent, a group and a suffix it stays below the 255
/// bytes of a name.
const LONGEST_INSTANCE: usize = 160;

/// What is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record {
    /// This node's name in the cluster.
    pub node: Option<NodeName>,
    /// This node's id in the cluster.
    pub node_id: Option<u16>,
    /// The device group.
    pub group: Option<GroupName>,
    /// Our ports, in the order of their numbers, each with its relative target id.
    pub ports: Vec<(TargetName, u16)>,
    /// Ports of this node's list that did not exist when the others were set up, with the numbers they would have.
    pub missing: Vec<(TargetName, u16)>,
    /// The initiator groups we created.
    pub ini_groups: BTreeSet<InitiatorGroup>,
    /// The devices we created.
    pub devices: BTreeSet<DeviceName>,
    /// Devices we are about to block, or have blocked, until the kernel shows that the block is gone.
    pub blocks: BTreeMap<DeviceName, Owed>,
    /// A start has begun and not ended: what is there is no instance yet, whatever state the kernel gave its target group.
    pub starting: bool,
    /// A reload has not made everything effective: the next one, or a recurring monitor, goes on.
    pub unfinished: bool,
    /// Since when hosts are told to wait for another node, for which this one was demoted, in seconds since this machine booted.
    pub moving: Option<u64>,
    /// When the last promotion failed, in seconds since this machine booted.
    pub failed: Option<u64>,
    /// The promotion score that was set last; `None`: none that is known to be set.
    pub score: Option<i32>,
    /// The boot of the machine in which it was written.
    pub boot: String,
    /// The last state written for a peer, and when (seconds since this machine booted).
    pub peers: BTreeMap<NodeName, (AluaState, u64)>,
}

/// What a record file says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "a run has one or two of these, and nearly always the large one")]
pub enum Found {
    /// There is none.
    Nothing,
    /// There is one that says nothing: made by the shell agents, or damaged.
    Unknown,
    /// One of ours.
    Known(Record),
}

impl Found {
    /// The record, if its contents are known.
    pub fn known(&self) -> Option<&Record> {
        match self {
            Self::Known(record) => Some(record),
            _ => None,
        }
    }
}

/// The records and locks of one agent.
#[derive(Debug, Clone)]
pub struct Store {
    system: Arc<dyn System>,
    dir: PathBuf,
    agent: &'static str,
    instance: String,
    of_resource: bool,
}

impl Store {
    /// The records below `dir` of the agent's instance, which may be the clone's id, as somebody at a terminal gives it.
    pub fn new(system: Arc<dyn System>, dir: PathBuf, agent: &'static str, instance: &str) -> Self {
        Self { system, dir, agent, instance: file_name(instance), of_resource: false }
    }

    /// The same where the instance is certainly the resource's id: records of other instances are those of other resources.
    #[must_use]
    pub fn of_resource(self) -> Self {
        Self { of_resource: true, ..self }
    }

    /// The same where the record of a group is this instance's own under whatever id it stands.
    #[must_use]
    pub fn of_group(self) -> Self {
        Self { of_resource: false, ..self }
    }

    /// The file of this instance.
    pub fn path(&self) -> PathBuf {
        self.file(&self.instance)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{}-{name}.state", self.agent))
    }

    /// Reads the record of `group`; without a group, of the agent that has one per node.
    pub fn read(&self, group: Option<&GroupName>) -> Found {
        self.find(group).1
    }

    /// The record of this instance, whatever group it names.
    pub fn own(&self) -> Found {
        self.read_at(&self.path())
    }

    /// Where the record is, or would be made. The file of this instance may belong to another group, and is then left alone.
    fn find(&self, group: Option<&GroupName>) -> (PathBuf, Found) {
        let own = self.read_at(&self.path());
        let concerns = |record: &Record| group.is_none() || record.group.is_none() || record.group.as_ref() == group;
        let is_own = match &own {
            Found::Known(record) => concerns(record),
            // An empty file of a device group says less than a record under the clone's id.
            Found::Unknown => group.is_none(),
            Found::Nothing => false,
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

    /// Where a record of this instance is made: the instance's file, or a further one while that belongs to another group.
    fn home(&self, group: Option<&GroupName>) -> PathBuf {
        match (self.read_at(&self.path()), group) {
            (Found::Known(record), Some(group)) if record.group.as_ref().is_some_and(|other| other != group) => {
                self.file(&format!("{}-{group}", self.instance))
            }
            _ => self.path(),
        }
    }

    /// The record under another name that is taken for this instance's own, which has none: one that was made by hand and names no
    /// resource; by hand also the one of the same group under another instance, because the instance may be the clone's id, and,
    /// of an agent whose record names no group, the only one there is.
    fn inherited(&self, group: Option<&GroupName>) -> Option<(PathBuf, Found)> {
        let by_hand = if group.is_some() { !self.of_resource } else { self.instance == NOBODY };
        let mut records = self.files();
        records.retain(|(instance, _, found)| {
            let concerns = match found {
                Found::Known(record) => record.group.as_ref() == group,
                // An empty file names no group: it can be meant only where a node has one record.
                Found::Unknown => group.is_none(),
                Found::Nothing => false,
            };
            concerns && (by_hand || instance == NOBODY)
        });
        records.sort_unstable_by_key(|(_, path, found)| (found.known().is_none(), path.clone()));
        if group.is_none() && records.len() > 1 {
            return None;
        }
        records.into_iter().next().map(|(_, path, found)| (path, found))
    }

    /// Every record but the one in the file of this instance, with the instance and the path.
    fn files(&self) -> Vec<(String, PathBuf, Found)> {
        let prefix = format!("{}-", self.agent);
        let named =
            self.system.list_files(&self.dir).into_iter().flatten().filter(|path| *path != self.path()).filter_map(
                |path| {
                    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                    let instance = name.strip_prefix(&prefix)?.strip_suffix(".state")?.to_owned();
                    let found = self.read_at(&path);
                    Some((instance, path, found))
                },
            );
        named.collect()
    }

    /// The records of other resources, by the ids of these, where this one's record is that of `group`.
    pub fn others(&self, group: Option<&GroupName>) -> Vec<(String, Found)> {
        let (own, _) = self.find(group);
        let mut others: Vec<_> = self
            .files()
            .into_iter()
            .filter(|(instance, path, found)| {
                let further = found.known().and_then(|record| record.group.as_ref());
                let further = further.is_some_and(|group| *path == self.file(&format!("{}-{group}", self.instance)));
                *path != own && instance != NOBODY && !further
            })
            .map(|(instance, _, found)| (instance, found))
            .collect();
        others.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        others
    }

    /// The other resource whose record names `group`, while this one's does not.
    pub fn holder(&self, group: &GroupName) -> Option<String> {
        if !self.of_resource || self.read(Some(group)) != Found::Nothing {
            return None;
        }
        let names = |found: &Found| found.known().is_some_and(|record| record.group.as_ref() == Some(group));
        self.others(Some(group)).into_iter().find(|(_, found)| names(found)).map(|(instance, _)| instance)
    }

    /// Writes the record: a new file, renamed into place, so that a reader or a crash never sees half of one.
    pub fn write(&self, record: &Record) -> io::Result<()> {
        let record = Record { boot: self.system.boot(), ..record.clone() };
        self.replace(record.group.as_ref(), &record.text())
    }

    /// Puts an empty record into the place of this one: what it said is not known any more.
    pub fn write_unknown(&self, group: Option<&GroupName>) -> io::Result<()> {
        self.replace(group, "")
    }

    /// Remembers beyond the record's end when a promotion of `group` failed: the stop that follows removes the record. `None`
    /// forgets it.
    pub fn keep_failure(&self, group: &GroupName, at: Option<u64>) -> io::Result<()> {
        match at {
            Some(at) => self.system.replace_file(&self.failure(group), &format!("{} {at}\n", self.system.boot())),
            None => match self.system.remove_file(&self.failure(group)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            },
        }
    }

    /// When the promotion of `group` before the last stop failed, in seconds since this machine booted, if it did.
    pub fn failure_kept(&self, group: &GroupName) -> Option<u64> {
        let text = self.system.read_file(&self.failure(group)).ok()?;
        let (boot, at) = text.trim_end().split_once(' ')?;
        at.parse().ok().filter(|_| boot == self.system.boot())
    }

    fn failure(&self, group: &GroupName) -> PathBuf {
        self.dir.join(format!("{}-{group}.failed", self.agent))
    }

    fn replace(&self, group: Option<&GroupName>, text: &str) -> io::Result<()> {
        let (path, _) = self.find(group);
        let nobodys = self.file(NOBODY);
        if !self.of_resource || path != nobodys || self.instance == NOBODY {
            return self.system.replace_file(&path, text);
        }
        // From now on it is this resource's, and no other takes it over.
        self.system.replace_file(&self.home(group), text)?;
        self.system.remove_file(&nobodys)
    }

    /// Removes the record of `group`, under whatever instance.
    pub fn remove(&self, group: Option<&GroupName>) -> io::Result<()> {
        loop {
            let (path, found) = self.find(group);
            if found == Found::Nothing {
                return Ok(());
            }
            self.system.remove_file(&path)?;
            // By hand the next one would be another resource's.
            if group.is_none() {
                return Ok(());
            }
        }
    }

    /// Takes the lock of `name` (a device group, or the ports), waiting until the deadline. It is given back when the
    /// value is dropped or the process ends.
    pub fn lock(&self, name: &str, deadline: &Deadline) -> Result<Box<dyn Lock>, crate::error::Error> {
        let path = self.lock_path(name);
        let failed = |error: io::Error| crate::error::Error::Kernel {
            verb: crate::error::Verb::Write,
            path: path.clone(),
            value: None,
            errno: crate::error::ErrnoName(error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)),
        };
        wait_until(&format!("the end of another action on {name}"), deadline, || {
            match self.system.lock_file(&path, true).map_err(failed)? {
                Locked::Taken(lock) => Ok(Some(lock)),
                Locked::ByAnother => Ok(None),
            }
        })
    }

    /// Whether an action holds the lock of `name` at this moment. Creates nothing.
    pub fn locked(&self, name: &str) -> bool {
        matches!(self.system.lock_file(&self.lock_path(name), false), Ok(Locked::ByAnother))
    }

    /// Whether an action of this agent holds the lock of anything but `name` at this moment. What cannot be looked at is said to be.
    pub fn others_locked(&self, name: &str) -> bool {
        let (before, behind) = (format!("{}-", self.agent), ".lock");
        let other = |path: &PathBuf| {
            let file = path.file_name().and_then(|name| name.to_str());
            let locked = file.and_then(|file| file.strip_prefix(&before)?.strip_suffix(behind));
            locked.is_some_and(|locked| locked != name && self.locked(locked))
        };
        match self.system.list_files(&self.dir) {
            Ok(files) => files.iter().any(other),
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        }
    }

    fn lock_path(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{}-{name}.lock", self.agent))
    }

    fn read_at(&self, path: &Path) -> Found {
        match self.system.read_file(path) {
            Ok(text) => Record::parse(&text)
                .map_or(Found::Unknown, |record| Found::Known(record.of_this_boot(&self.system.boot()))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Found::Nothing,
            Err(_) => Found::Unknown,
        }
    }
}

/// An instance as a part of a file's name. One that is too long for it, which XML allows, is cut, and told from others with the
/// same beginning by a hash of the whole.
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

/// Whether a line that begins so may have been written by a later version.
fn is_of_a_later_version(word: &str) -> bool {
    !word.is_empty() && !WORDS.contains(&word) && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
}

impl Record {
    /// Reads the text of a record. A file that was cut off, or that holds a line nobody wrote, is no record. A line with a word that
    /// is not known here was written by a later version, and is passed over: what the others say holds all the same.
    pub fn parse(text: &str) -> Option<Self> {
        let body = text.strip_suffix("end\n")?;
        let mut lines = body.lines();
        if lines.next()? != VERSION {
            return None;
        }
        let mut record = Self::default();
        for line in lines {
            let words: Vec<&str> = line.split(' ').collect();
            match words.as_slice() {
                ["node", name] => record.node = Some(NodeName::parse(name).ok()?),
                ["id", id] => record.node_id = Some(id.parse().ok()?),
                ["group", name] => record.group = Some(GroupName::parse(name).ok()?),
                ["port", name, id] => record.ports.push((TargetName::seen(name).ok()?, id.parse().ok()?)),
                ["missing", name, id] => record.missing.push((TargetName::seen(name).ok()?, id.parse().ok()?)),
                ["ini_group", name] => _ = record.ini_groups.insert(InitiatorGroup::seen(name).ok()?),
                ["device", name] => _ = record.devices.insert(DeviceName::seen(name).ok()?),
                ["block", name, before, rest @ ..] if matches!(rest, [] | ["returning"]) => {
                    let owed = Owed { before: before.parse().ok()?, returning: !rest.is_empty() };
                    record.blocks.insert(DeviceName::seen(name).ok()?, owed);
                }
                ["starting"] => record.starting = true,
                ["unfinished"] => record.unfinished = true,
                ["moving", at] => record.moving = Some(at.parse().ok()?),
                ["failed", at] => record.failed = Some(at.parse().ok()?),
                ["score", score] => record.score = Some(score.parse().ok()?),
                ["boot", boot] => (*boot).clone_into(&mut record.boot),
                ["peer", name, state, at] => {
                    let state = AluaState::parse(state)?;
                    record.peers.insert(NodeName::parse(name).ok()?, (state, at.parse().ok()?));
                }
                [word, ..] if is_of_a_later_version(word) => {}
                _ => return None,
            }
        }
        Some(record)
    }

    /// The record as the boot `boot` reads it: what an earlier one blocked is not blocked any more, its times mean nothing.
    fn of_this_boot(mut self, boot: &str) -> Self {
        if self.boot != boot {
            self.blocks.clear();
            self.peers.clear();
            self.starting = false;
            self.unfinished = false;
            self.failed = None;
            self.moving = None;
            // The cluster keeps it until the node reboots.
            self.score = None;
            boot.clone_into(&mut self.boot);
        }
        self
    }

    /// The text of the record. Its last line tells that it is whole.
    pub fn text(&self) -> String {
        use std::fmt::Write as _;
        let mut text = format!("{VERSION}\n");
        // Writing into a String cannot fail.
        let mut line = |arguments: std::fmt::Arguments<'_>| _ = writeln!(text, "{arguments}");
        if let Some(node) = &self.node {
            line(format_args!("node {node}"));
        }
        if let Some(id) = self.node_id {
            line(format_args!("id {id}"));
        }
        if let Some(group) = &self.group {
            line(format_args!("group {group}"));
        }
        for (port, id) in &self.ports {
            line(format_args!("port {port} {id}"));
        }
        for (port, id) in &self.missing {
            line(format_args!("missing {port} {id}"));
        }
        for group in &self.ini_groups {
            line(format_args!("ini_group {group}"));
        }
        for device in &self.devices {
            line(format_args!("device {device}"));
        }
        for (device, Owed { before, returning }) in &self.blocks {
            line(format_args!("block {device} {before}{}", if *returning { " returning" } else { "" }));
        }
        if self.starting {
            line(format_args!("starting"));
        }
        if self.unfinished {
            line(format_args!("unfinished"));
        }
        if let Some(at) = self.moving {
            line(format_args!("moving {at}"));
        }
        if let Some(at) = self.failed {
            line(format_args!("failed {at}"));
        }
        if let Some(score) = self.score {
            line(format_args!("score {score}"));
        }
        if !self.boot.is_empty() {
            line(format_args!("boot {}", self.boot));
        }
        for (peer, (state, at)) in &self.peers {
            line(format_args!("peer {peer} {state} {at}"));
        }
        text.push_str("end\n");
        text
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::sync::Arc;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn sample() -> Record {
        Record {
            node: NodeName::parse("alpha").ok(),
            node_id: Some(1),
            group: GroupName::parse("dummy").ok(),
            ports: vec![(TargetName::seen("21:00:00:24:ff:60:d0:10").unwrap(), 101)],
            missing: vec![(TargetName::seen("21:00:00:24:ff:60:d0:11").unwrap(), 102)],
            ini_groups: [InitiatorGroup::seen("ESX1").unwrap()].into(),
            devices: [DeviceName::seen("dummy_lu0").unwrap()].into(),
            blocks: [(DeviceName::seen("dummy_lu0").unwrap(), Owed { before: 2, returning: true })].into(),
            starting: true,
            unfinished: true,
            moving: Some(12330),
            failed: Some(12340),
            score: Some(10),
            boot: crate::system::Machine::system().boot(),
            peers: [(NodeName::parse("beta").unwrap(), (AluaState::Transitioning, 12345))].into(),
        }
    }

    fn known(record: Record) -> Found {
        Found::Known(Record { boot: crate::system::Machine::system().boot(), ..record })
    }

    fn store(dir: &Path, instance: &str) -> Store {
        Store::new(crate::system::Machine::system(), dir.to_owned(), "scst_aluadg", instance)
    }

    #[test]
    fn what_is_written_is_read_again_by_instance_and_by_group() {
        let dir = tempfile::tempdir().unwrap();
        let group = GroupName::parse("dummy").unwrap();
        assert_eq!(store(dir.path(), "rsc").read(Some(&group)), Found::Nothing);
        store(dir.path(), "rsc").write(&sample()).unwrap();
        assert_eq!(store(dir.path(), "rsc").read(None), known(sample()));
        assert_eq!(store(dir.path(), "clone").read(Some(&group)), known(sample()));
        assert_eq!(store(dir.path(), "clone").read(GroupName::parse("other").as_ref().ok()), Found::Nothing);
        assert_eq!(store(dir.path(), "clone").own(), Found::Nothing);
        // What is written under the clone's id goes where the record is.
        let node_id = Some(9);
        store(dir.path(), "clone").write(&Record { node_id, ..sample() }).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        assert_eq!(store(dir.path(), "rsc").own(), known(Record { node_id, ..sample() }));
        let mode = fs::metadata(store(dir.path(), "rsc").path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        store(dir.path(), "clone").remove(Some(&group)).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn the_file_of_an_instance_that_belongs_to_another_group_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path(), "default");
        let other = GroupName::parse("other").unwrap();
        store.write(&sample()).unwrap();
        assert_eq!(store.read(Some(&other)), Found::Nothing);
        let record = Record { group: Some(other.clone()), ..sample() };
        store.write(&record).unwrap();
        assert_eq!(store.read(Some(&other)), known(record));
        store.remove(Some(&other)).unwrap();
        assert_eq!(store.read(sample().group.as_ref()), known(sample()));
    }

    #[test]
    fn an_instance_of_any_length_has_a_record_of_its_own_under_a_name_that_stays() {
        let dir = tempfile::tempdir().unwrap();
        let group = |name| GroupName::parse(name).ok();
        for (count, unit) in [(161, "x"), (240, "x"), (256, "x"), (64 << 10, "x"), (100, "é"), (5000, "/")] {
            let (long, other) = (unit.repeat(count), format!("{}y", unit.repeat(count)));
            let store = |instance: &str| store(dir.path(), instance);
            assert!(store(&long).path().file_name().is_some_and(|name| name.len() <= 200), "{count} {unit}");
            assert_ne!(store(&long).path(), store(&other).path());
            store(&long).write(&sample()).unwrap();
            store(&other).write(&Record { group: group("other"), ..sample() }).unwrap();
            assert_eq!(store(&long).own(), known(sample()));
            // By hand, for a second group under the same id.
            let third = Record { group: group("longname"), ..sample() };
            store(&long).write(&third).unwrap();
            assert_eq!(store(&long).read(group("longname").as_ref()), known(third));
            for name in ["dummy", "other", "longname"] {
                store(&long).remove(group(name).as_ref()).unwrap();
            }
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        }
        // A binary that is replaced while an instance runs must find what the one before it wrote.
        let name = |count| file_name(&"p".repeat(count));
        assert_eq!(name(160), "p".repeat(160));
        assert_eq!(name(161), format!("{}-7a36d513dbb2b6ef", "p".repeat(143)));
    }

    #[test]
    fn what_somebody_started_by_hand_belongs_to_the_resource_that_comes_first() {
        let dir = tempfile::tempdir().unwrap();
        let ports =
            |instance| Store::new(crate::system::Machine::system(), dir.path().to_owned(), "scst_qla2xtgt", instance);
        let record = || Record { group: None, ..sample() };
        ports("default").write(&record()).unwrap();
        assert_eq!(ports("rsc").of_resource().read(None), known(record()));
        ports("rsc").of_resource().write(&record()).unwrap();
        assert_eq!(ports("other").of_resource().read(None), Found::Nothing);
        // By hand, without a resource's id, the only record there is.
        assert_eq!(ports("default").read(None), known(record()));
        assert_eq!(ports("default").others(None), []);
        assert_eq!(ports("other").of_resource().others(None), [("rsc".to_owned(), known(record()))]);
        ports("other").of_resource().write_unknown(None).unwrap();
        assert_eq!(ports("default").read(None), Found::Nothing);
        assert_eq!(ports("rsc").of_resource().others(None), [("other".to_owned(), Found::Unknown)]);
        ports("other").of_resource().remove(None).unwrap();
        assert_eq!(ports("rsc").own(), known(record()));
        ports("default").remove(None).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn the_record_of_another_resource_is_not_taken_for_ones_own() {
        let dir = tempfile::tempdir().unwrap();
        let group = GroupName::parse("dummy").unwrap();
        store(dir.path(), "first").of_resource().write(&sample()).unwrap();
        let second = store(dir.path(), "second").of_resource();
        assert_eq!((second.read(Some(&group)), second.holder(&group)), (Found::Nothing, Some("first".to_owned())));
        assert_eq!(store(dir.path(), "first").of_resource().holder(&group), None);
        // By hand it may be the clone's id.
        assert_eq!(store(dir.path(), "clone").read(Some(&group)), known(sample()));
        assert_eq!(store(dir.path(), "clone").holder(&group), None);
        second.remove(Some(&group)).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        // A further record of the second one's own is no other resource's.
        let other = GroupName::parse("other").unwrap();
        second.write(&Record { group: Some(other.clone()), ..sample() }).unwrap();
        let third = GroupName::parse("third").unwrap();
        second.write(&Record { group: Some(third.clone()), ..sample() }).unwrap();
        assert_eq!((second.holder(&other), second.holder(&third)), (None, None));
        assert_eq!(second.others(Some(&third)).len(), 1);
    }

    #[test]
    fn blocks_and_times_of_an_earlier_boot_mean_nothing() {
        let old = Record { boot: "old".into(), ..sample() };
        let now = old.of_this_boot("now");
        assert!(now.blocks.is_empty() && now.peers.is_empty());
        assert_eq!((now.moving, now.failed, now.score), (None, None, None));
        assert_eq!(now.devices, sample().devices);
    }

    #[test]
    fn an_empty_cut_or_foreign_file_is_unknown_and_a_link_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path(), "rsc");
        let text = sample().text();
        for cut in 0..text.len() {
            fs::write(store.path(), &text[..cut]).unwrap();
            assert_eq!(store.read(None), Found::Unknown, "cut at {cut}");
        }
        fs::write(store.path(), [0xff, 0xfe]).unwrap();
        assert_eq!(store.read(None), Found::Unknown);
        let elsewhere = dir.path().join("elsewhere");
        fs::write(&elsewhere, text).unwrap();
        fs::remove_file(store.path()).unwrap();
        symlink(&elsewhere, store.path()).unwrap();
        assert_eq!(store.read(None), Found::Unknown);
        store.write(&Record::default()).unwrap();
        assert!(fs::read_to_string(&elsewhere).unwrap().contains("alpha"), "the link's target is untouched");
        assert_eq!(store.read(None), known(Record::default()));
    }

    #[test]
    fn a_line_of_a_later_version_is_passed_over_and_a_broken_line_of_ours_is_not() {
        let with = |line: &str| sample().text().replace("starting\n", &format!("starting\n{line}\n"));
        for line in ["serial dummy_lu0 7", "later"] {
            assert_eq!(Record::parse(&with(line)), Some(sample()), "{line}");
        }
        for line in ["score", "score x", "starting now", "device", "block dummy_lu0 2 never", "", " later", "\0\0"] {
            assert_eq!(Record::parse(&with(line)), None, "{line:?}");
        }
        // Each word that is written is known: without what belongs to it, it is damage.
        let text = sample().text();
        let words =
            text.lines().filter_map(|line| line.split(' ').next()).filter(|word| !["scst-ocf", "end"].contains(word));
        for word in words {
            assert!(WORDS.contains(&word), "{word}");
        }
    }

    #[test]
    fn nothing_is_written_or_removed_through_a_link_to_a_directory() {
        let dir = tempfile::tempdir().unwrap();
        let (theirs, linked) = (dir.path().join("theirs"), dir.path().join("linked"));
        store(&theirs, "rsc").write(&sample()).unwrap();
        symlink(&theirs, &linked).unwrap();
        // A link of root's would be one that the machine's owner made; anybody else cannot give one away and need not.
        let _ = std::os::unix::fs::lchown(&linked, Some(65534), None);
        let errno = |error: io::Error| error.raw_os_error().map(Errno::from_raw);
        let store = store(&linked, "rsc");
        assert_eq!(store.write(&Record::default()).map_err(errno), Err(Some(Errno::ELOOP)));
        assert_eq!(store.remove(None).map_err(errno), Err(Some(Errno::ELOOP)));
        let lock = store.lock(
            "dummy",
            &Deadline::within(crate::system::Machine::system(), Duration::from_millis(60), Arc::default()),
        );
        assert_eq!(lock.unwrap_err().errno(), Some(Errno::ELOOP));
        assert_eq!(fs::read_dir(&theirs).unwrap().count(), 1);
    }

    #[test]
    fn a_directory_in_the_place_of_a_record_is_moved_out_of_the_way() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path(), "rsc");
        fs::create_dir_all(store.path().join("full")).unwrap();
        assert_eq!(store.read(None), Found::Unknown);
        store.write(&sample()).unwrap();
        assert_eq!(store.read(None), known(sample()));
        store.remove(None).unwrap();
        let kept = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()).next().unwrap();
        assert!(kept.join("full").is_dir(), "{}", kept.display());
    }

    #[test]
    fn a_lock_is_waited_for_to_the_deadline_and_looking_creates_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path(), "rsc");
        assert!(!store.locked("dummy"));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        let soon = || Deadline::within(crate::system::Machine::system(), Duration::from_millis(60), Arc::default());
        let lock = store.lock("dummy", &soon()).unwrap();
        assert!(store.locked("dummy") && !store.locked("other"));
        assert!(store.lock("dummy", &soon()).unwrap_err().to_string().contains("another action on dummy"));
        drop(lock);
        assert!(!store.locked("dummy"));
        assert!(store.lock("dummy", &soon()).is_ok());
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_record_that_says_something_else_when_written_again(text in "(scst-ocf record 1\n)?([a-z_]{2,9} [ -~]{0,20}\n){0,4}(end\n)?") {
            if let Some(record) = Record::parse(&text) {
                prop_assert_eq!(Record::parse(&record.text()), Some(record));
            }
        }
    }
}
