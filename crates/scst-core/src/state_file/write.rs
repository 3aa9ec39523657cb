//! Replacing and removing a state file. A state file is replaced as a whole, by a rename.

use std::io;

use super::{NOBODY, Remembered, StateFile, StateFiles};
use crate::scst::names::GroupName;

impl StateFiles {
    /// Writes the state file of the group that `file` names, with the present boot: a new file, renamed into place, so
    /// that a reader or a crash never sees half of one.
    ///
    /// # Errors
    ///
    /// What the file system answers; then the state file that was there is unchanged, or there are two with the same
    /// text: the file system refused to remove the one that was taken over.
    pub fn write(&self, file: &StateFile) -> io::Result<()> {
        let file = StateFile { boot: self.system.boot(), ..file.clone() };
        self.replace(file.group.as_ref(), &file.text())
    }

    /// Replaces the state file of `group` by an empty one, which says nothing ([`Remembered::Unknown`]).
    ///
    /// # Errors
    ///
    /// As for [`StateFiles::write`].
    pub fn write_unknown(&self, group: Option<&GroupName>) -> io::Result<()> {
        self.replace(group, "")
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

    /// Removes the state file of `group`, under whatever instance.
    ///
    /// # Errors
    ///
    /// What the file system answers; then there is a state file still.
    pub fn remove(&self, group: Option<&GroupName>) -> io::Result<()> {
        loop {
            let (path, found) = self.find(group);
            if found == Remembered::Nothing {
                return Ok(());
            }
            self.system.remove_file(&path)?;
            // By hand the next one would be another resource's.
            if group.is_none() {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::sync::Arc;
    use std::time::Duration;

    use nix::errno::Errno;

    use super::super::find::tests::{files, known};
    use super::super::format::tests::sample;
    use super::*;
    use crate::deadline::Deadline;

    #[test]
    fn nothing_is_written_or_removed_through_a_link_to_a_directory() {
        let dir = tempfile::tempdir().unwrap();
        let (theirs, linked) = (dir.path().join("theirs"), dir.path().join("linked"));
        files(&theirs, "rsc").write(&sample()).unwrap();
        symlink(&theirs, &linked).unwrap();
        // A link of root's would be one that the machine's owner made; anybody else cannot give one away and need not.
        let _ = std::os::unix::fs::lchown(&linked, Some(65534), None);
        let errno = |error: io::Error| error.raw_os_error().map(Errno::from_raw);
        let files = files(&linked, "rsc");
        assert_eq!(files.write(&StateFile::default()).map_err(errno), Err(Some(Errno::ELOOP)));
        assert_eq!(files.remove(None).map_err(errno), Err(Some(Errno::ELOOP)));
        let lock = files.lock(
            "dummy",
            &Deadline::within(crate::system::Machine::system(), Duration::from_millis(60), Arc::default()),
        );
        assert_eq!(lock.unwrap_err().errno(), Some(Errno::ELOOP));
        assert_eq!(fs::read_dir(&theirs).unwrap().count(), 1);
    }

    #[test]
    fn a_directory_in_the_place_of_a_state_file_is_moved_out_of_the_way() {
        let dir = tempfile::tempdir().unwrap();
        let files = files(dir.path(), "rsc");
        fs::create_dir_all(files.path().join("full")).unwrap();
        assert_eq!(files.read(None), Remembered::Unknown);
        files.write(&sample()).unwrap();
        assert_eq!(files.read(None), known(sample()));
        files.remove(None).unwrap();
        let kept = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()).next().unwrap();
        assert!(kept.join("full").is_dir(), "{}", kept.display());
    }
}
