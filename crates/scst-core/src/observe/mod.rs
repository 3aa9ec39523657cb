//! Reads the kernel's tree into `state`. What is not there is left out; what cannot be read is an error, because a plan
//! made from half a view would be wrong.

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

use crate::deadline::Deadline;
use crate::error::Error;
use crate::scst::ROOT;
use crate::sysfs::Sysfs;

/// One look at the tree: where, and until when.
#[derive(Debug, Clone, Copy)]
pub struct Observer<'a> {
    /// The tree.
    pub sysfs: &'a Sysfs,
    /// The end of the run.
    pub deadline: &'a Deadline,
}

impl Observer<'_> {
    /// SCST is loaded.
    pub fn scst_loaded(&self) -> Result<bool, Error> {
        Ok(self.sysfs.optional_list(ROOT, self.deadline)?.is_some())
    }

    /// SCST's release.
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
