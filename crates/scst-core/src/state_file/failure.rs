//! When the last promotion of a group failed: a file of its own, because the cluster answers a failed promotion with a
//! stop, which removes the state file. The next promotion reads it, and waits for a while.

use std::io;
use std::path::PathBuf;

use super::StateFiles;
use crate::scst::names::GroupName;

impl StateFiles {
    /// Remembers that a promotion of `group` failed, `at` seconds since this machine booted, beyond the stop that
    /// removes the state file. `None` forgets it.
    ///
    /// # Errors
    ///
    /// What the file system answers; then the file is as it was.
    pub fn keep_failure(&self, group: &GroupName, at: Option<u64>) -> io::Result<()> {
        match at {
            Some(at) => self.system.replace_file(&self.failure(group), &format!("{} {at}\n", self.system.boot())),
            None => match self.system.remove_file(&self.failure(group)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            },
        }
    }

    /// When the promotion of `group` before the last stop failed, in seconds since this machine booted. `None` where it
    /// did not, or in an earlier boot.
    pub fn failure_kept(&self, group: &GroupName) -> Option<u64> {
        let text = self.system.read_file(&self.failure(group)).ok()?;
        let (boot, at) = text.trim_end().split_once(' ')?;
        at.parse().ok().filter(|_| boot == self.system.boot())
    }

    fn failure(&self, group: &GroupName) -> PathBuf {
        self.dir.join(format!("{}-{group}.failed", self.agent))
    }
}
