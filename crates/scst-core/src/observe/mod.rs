//! Reads the kernel's tree into the types of [`crate::state`]: the "observe" of every action, before its plan and after
//! it.
//!
//! An object that is not there is left out; what cannot be read is an error, because a plan made of the rest would be
//! wrong. The methods of [`Observer`] are in one file per kind of object.

mod detail;
mod device;
mod device_group;
pub mod fc_hosts;
pub mod lockspaces;
mod lun;
mod machine;
mod ports;
pub mod sessions;
pub mod storage;
pub mod targets;

pub use self::detail::Detail;
pub use self::ports::Unlistable;
use crate::deadline::Deadline;
use crate::error::Error;
use crate::scst::ROOT;
use crate::sysfs::Sysfs;

/// Looks at the kernel's tree: which tree, and until when.
///
/// A look fails where a file that is there cannot be read: with [`Error::Kernel`], [`Error::Hung`] or
/// [`Error::Cancelled`] as every operation of [`Sysfs`], or with [`Error::Content`] where the file holds no value of
/// its kind. Each method says which files it reads.
#[derive(Debug, Clone, Copy)]
pub struct Observer<'a> {
    /// The tree.
    pub sysfs: &'a Sysfs,
    /// When the look must have ended.
    pub deadline: &'a Deadline,
}

impl Observer<'_> {
    /// Whether SCST is loaded.
    ///
    /// # Errors
    ///
    /// SCST's directory is there and cannot be listed.
    pub fn scst_loaded(&self) -> Result<bool, Error> {
        Ok(self.sysfs.optional_list(ROOT, self.deadline)?.is_some())
    }

    /// SCST's release, such as `3.11.0-pre`; `None` where SCST is not loaded.
    ///
    /// # Errors
    ///
    /// `version` cannot be read.
    pub fn scst_version(&self) -> Result<Option<String>, Error> {
        let version = self.optional(&format!("{ROOT}/version"))?;
        Ok(version.map(|text| text.trim_start_matches("SCST version: ").to_owned()))
    }

    /// The first line of an attribute, `None` when it is not there.
    fn optional(&self, path: &str) -> Result<Option<String>, Error> {
        self.sysfs.optional_value(path, self.deadline)
    }

    /// A number in an attribute.
    fn number(&self, path: &str) -> Result<Option<u32>, Error> {
        let Some(text) = self.optional(path)? else { return Ok(None) };
        let content = || Error::Content { path: self.sysfs.full(path), text: text.clone(), expected: "a number" };
        text.trim().parse().map(Some).map_err(|_| content())
    }

    /// The names of a directory's sub-directories, or none when it is not there.
    fn directories(&self, path: &str) -> Result<Vec<String>, Error> {
        let entries = self.sysfs.optional_list(path, self.deadline)?.unwrap_or_default();
        Ok(entries.into_iter().filter(|e| e.kind == crate::sysfs::EntryKind::Dir).map(|e| e.name).collect())
    }

    /// The names of a directory's links, or none when it is not there.
    fn links(&self, path: &str) -> Result<Vec<String>, Error> {
        let entries = self.sysfs.optional_list(path, self.deadline)?.unwrap_or_default();
        Ok(entries.into_iter().filter(|e| e.kind == crate::sysfs::EntryKind::Link).map(|e| e.name).collect())
    }
}
