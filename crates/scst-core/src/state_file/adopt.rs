//! State files under another name than the instance's: the one that an instance without a file takes over (`find` asks
//! for it), and those of other resources, whose ports and groups an action leaves alone.

use std::path::PathBuf;

use super::{NOBODY, Remembered, StateFiles};
use crate::scst::names::GroupName;

impl StateFiles {
    /// The state file under another name that this instance, which has none, takes for its own. That is one that a run
    /// by hand made without naming a resource. For a run by hand it is also the one of the same group under another
    /// instance, because at a terminal the instance may be the clone's id; or, of an agent whose state file names no
    /// group, the only one there is.
    pub(super) fn inherited(&self, group: Option<&GroupName>) -> Option<(PathBuf, Remembered)> {
        let by_hand = if group.is_some() { !self.of_resource } else { self.instance == NOBODY };
        let mut files = self.files();
        files.retain(|(instance, _, found)| {
            let concerns = match found {
                Remembered::Known(file) => file.group.as_ref() == group,
                // An empty file names no group: it can be meant only where a node has one state file.
                Remembered::Unknown => group.is_none(),
                Remembered::Nothing => false,
            };
            concerns && (by_hand || instance == NOBODY)
        });
        files.sort_unstable_by_key(|(_, path, found)| (found.known().is_none(), path.clone()));
        if group.is_none() && files.len() > 1 {
            return None;
        }
        files.into_iter().next().map(|(_, path, found)| (path, found))
    }

    /// Every state file but the one in the file of this instance, with the instance and the path.
    pub(super) fn files(&self) -> Vec<(String, PathBuf, Remembered)> {
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

    /// The state files of other resources, by the ids of these, where this one's state file is that of `group`.
    pub fn others(&self, group: Option<&GroupName>) -> Vec<(String, Remembered)> {
        let (own, _) = self.find(group);
        let mut others: Vec<_> = self
            .files()
            .into_iter()
            .filter(|(instance, path, found)| {
                let further = found.known().and_then(|file| file.group.as_ref());
                let further = further.is_some_and(|group| *path == self.file(&format!("{}-{group}", self.instance)));
                *path != own && instance != NOBODY && !further
            })
            .map(|(instance, _, found)| (instance, found))
            .collect();
        others.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        others
    }

    /// The state files of the resources of another agent.
    pub fn of_agent(&self, agent: &'static str) -> Vec<(String, Remembered)> {
        let theirs = Self { agent, ..self.clone() };
        theirs.files().into_iter().map(|(instance, _, found)| (instance, found)).collect()
    }

    /// The other resource whose state file names `group`, while this one's does not.
    pub fn holder(&self, group: &GroupName) -> Option<String> {
        if !self.of_resource || self.read(Some(group)) != Remembered::Nothing {
            return None;
        }
        let names = |found: &Remembered| found.known().is_some_and(|file| file.group.as_ref() == Some(group));
        self.others(Some(group)).into_iter().find(|(_, found)| names(found)).map(|(instance, _)| instance)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::StateFile;
    use super::super::find::tests::{files, known};
    use super::super::format::tests::sample;
    use super::*;

    #[test]
    fn what_somebody_started_by_hand_belongs_to_the_resource_that_comes_first() {
        let dir = tempfile::tempdir().unwrap();
        let ports = |instance| {
            StateFiles::new(crate::system::Machine::system(), dir.path().to_owned(), "scst_qla2xtgt", instance)
        };
        let file = || StateFile { group: None, ..sample() };
        ports("default").write(&file()).unwrap();
        assert_eq!(ports("rsc").of_resource().read(None), known(file()));
        ports("rsc").of_resource().write(&file()).unwrap();
        assert_eq!(ports("other").of_resource().read(None), Remembered::Nothing);
        // By hand, without a resource's id, the only state file there is.
        assert_eq!(ports("default").read(None), known(file()));
        assert_eq!(ports("default").others(None), []);
        assert_eq!(ports("other").of_resource().others(None), [("rsc".to_owned(), known(file()))]);
        ports("other").of_resource().write_unknown(None).unwrap();
        assert_eq!(ports("default").read(None), Remembered::Nothing);
        assert_eq!(ports("rsc").of_resource().others(None), [("other".to_owned(), Remembered::Unknown)]);
        ports("other").of_resource().remove(None).unwrap();
        assert_eq!(ports("rsc").own(), known(file()));
        ports("default").remove(None).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn the_state_file_of_another_resource_is_not_taken_for_ones_own() {
        let dir = tempfile::tempdir().unwrap();
        let group = GroupName::parse("dummy").unwrap();
        files(dir.path(), "first").of_resource().write(&sample()).unwrap();
        let second = files(dir.path(), "second").of_resource();
        assert_eq!((second.read(Some(&group)), second.holder(&group)), (Remembered::Nothing, Some("first".to_owned())));
        assert_eq!(files(dir.path(), "first").of_resource().holder(&group), None);
        // By hand it may be the clone's id.
        assert_eq!(files(dir.path(), "clone").read(Some(&group)), known(sample()));
        assert_eq!(files(dir.path(), "clone").holder(&group), None);
        second.remove(Some(&group)).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        // A further state file of the second one's own is no other resource's.
        let other = GroupName::parse("other").unwrap();
        second.write(&StateFile { group: Some(other.clone()), ..sample() }).unwrap();
        let third = GroupName::parse("third").unwrap();
        second.write(&StateFile { group: Some(third.clone()), ..sample() }).unwrap();
        assert_eq!((second.holder(&other), second.holder(&third)), (None, None));
        assert_eq!(second.others(Some(&third)).len(), 1);
    }
}
