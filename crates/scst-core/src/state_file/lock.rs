//! The lock of a device group, or of the ports: one action at a time.

use std::io;
use std::path::PathBuf;

use nix::errno::Errno;

use super::StateFiles;
use crate::deadline::Deadline;
use crate::error::{ErrnoName, Error, Verb};
use crate::sysfs::wait_until;
use crate::system::{Lock, Locked};

impl StateFiles {
    /// The same with the locks of `agent`, which may act on the same objects.
    #[must_use]
    pub fn with_locks_of(self, agent: &'static str) -> Self {
        Self { locks_of: agent, ..self }
    }

    /// Takes the lock of `name` (a device group, or `ports`), waiting until the deadline. It is given back when the
    /// value is dropped or the process ends.
    ///
    /// # Errors
    ///
    /// [`Error::NotSeen`] where another action holds the lock to the end, [`Error::Cancelled`] after SIGTERM,
    /// [`Error::Kernel`] where the file cannot be made, opened or locked.
    pub fn lock(&self, name: &str, deadline: &Deadline) -> Result<Box<dyn Lock>, Error> {
        let path = self.lock_path(name);
        let failed = |error: io::Error| Error::Kernel {
            verb: Verb::Write,
            path: path.clone(),
            value: None,
            errno: ErrnoName(error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)),
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

    /// Whether an action of this agent holds another lock than that of `name` at this moment; true also where that
    /// cannot be looked at.
    pub fn others_locked(&self, name: &str) -> bool {
        let (before, behind) = (format!("{}-", self.locks_of), ".lock");
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
        self.dir.join(format!("{}-{name}.lock", self.locks_of))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;
    use std::time::Duration;

    use super::super::find::tests::files;
    use super::*;

    #[test]
    fn a_lock_is_waited_for_to_the_deadline_and_looking_creates_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let files = files(dir.path(), "rsc");
        assert!(!files.locked("dummy"));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        let soon = || Deadline::within(crate::system::Machine::system(), Duration::from_millis(60), Arc::default());
        let lock = files.lock("dummy", &soon()).unwrap();
        assert!(files.locked("dummy") && !files.locked("other"));
        assert!(files.lock("dummy", &soon()).unwrap_err().to_string().contains("another action on dummy"));
        drop(lock);
        assert!(!files.locked("dummy"));
        assert!(files.lock("dummy", &soon()).is_ok());
    }
}
