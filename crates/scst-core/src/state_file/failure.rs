//! When the last promotion of a group failed. The stop by which the cluster answers removes the state file, so it stands in a file of its own.

use std::io;
use std::path::PathBuf;

use super::StateFiles;
use crate::scst::names::GroupName;

impl StateFiles {
    /// Remembers beyond the state file's end when a promotion of `group` failed: the stop that follows removes the state file. `None`
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
}
