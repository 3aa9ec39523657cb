//! Writes, restores and removes the state file for the actions. A failure is logged and no more, because a state file
//! is only a memory aid. Also makes the directory in which SCST keeps persistent reservations.

use std::path::Path;

use scst_core::ocf::exit::Failure;
use scst_core::scst::names::GroupName;
use scst_core::state_file::{Remembered, StateFile};

use super::Host;

impl Host<'_> {
    /// Writes the state file, and says whether that succeeded. Without one the next action knows less: a device must
    /// not be blocked then, and everything else goes on.
    pub fn remember(&self, remembered: &StateFile) -> bool {
        if self.dry_run() {
            return true;
        }
        let written = self.state_files.write(remembered);
        if let Err(error) = &written {
            tracing::warn!("state file {} could not be written: {error}", self.state_files.path().display());
        }
        written.is_ok()
    }

    /// Puts the state file back as it was before a start that was undone.
    pub fn restore(&self, group: Option<&GroupName>, remembered: &Remembered) {
        let restored = match remembered {
            Remembered::Known(remembered) => self.state_files.write(remembered),
            // Made by the shell agent, and still true: everything there is its own.
            Remembered::Unknown => self.state_files.write_unknown(group),
            Remembered::Nothing => self.state_files.remove(group),
        };
        if let Err(error) = restored {
            tracing::warn!("state file {} could not be put back: {error}", self.state_files.path().display());
        }
    }

    /// Removes the state file after a stop. What is left of it names nothing that is still there.
    pub fn forget(&self, group: Option<&GroupName>) {
        if let Err(error) = self.state_files.remove(group) {
            tracing::warn!("state file {} could not be removed: {error}", self.state_files.path().display());
        }
    }

    /// Creates a directory and its parents, unless this is a dry run.
    ///
    /// # Errors
    ///
    /// The directory cannot be made: SCST keeps persistent reservations there, and refuses every device without it.
    pub fn make_dir(&self, dir: &Path) -> Result<(), Failure> {
        if self.context.system.is_directory(dir) {
            return Ok(());
        }
        if self.dry_run() {
            println!("create directory {}", dir.display());
            return Ok(());
        }
        self.context.system.make_directory(dir).map_err(|error| {
            Failure::generic(format!("directory {} could not be created: {error}", dir.display()))
                .with_hint("SCST keeps persistent reservations there and refuses every device without it")
        })
    }
}
