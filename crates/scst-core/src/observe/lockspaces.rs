//! Looks at the lock manager (DLM): which devices share their persistent reservations with other nodes. Monitor,
//! promote and `scst-ha` ask.

use std::collections::BTreeSet;

use super::Observer;
use crate::error::Error;
use crate::scst::names::DeviceName;
use crate::scst::{device, dlm};

impl Observer<'_> {
    /// The names of the lockspaces of this node; `None` where the kernel has no lock manager.
    ///
    /// # Errors
    ///
    /// The directory `kernel/dlm` cannot be listed.
    pub fn lockspaces(&self) -> Result<Option<BTreeSet<String>>, Error> {
        let entries = self.sysfs.optional_list(dlm::LOCKSPACES, self.deadline)?;
        Ok(entries.map(|entries| entries.into_iter().map(|entry| entry.name).collect()))
    }

    /// The lockspace in which a device is meant to share its reservations; `None` for one that keeps them to itself.
    ///
    /// # Errors
    ///
    /// `cluster_mode` or `t10_dev_id` of the device cannot be read.
    pub fn lockspace_of(&self, name: &DeviceName) -> Result<Option<String>, Error> {
        let dir = device::device(name);
        if self.optional(&format!("{dir}/cluster_mode"))?.is_none_or(|mode| mode == "0") {
            return Ok(None);
        }
        Ok(self.optional(&format!("{dir}/t10_dev_id"))?.map(|id| dlm::lockspace(&id)))
    }

    /// Whether the lockspace of a device is there; `None` for one that keeps its reservations to itself.
    ///
    /// # Errors
    ///
    /// As for [`Observer::lockspace_of`] and [`Observer::lockspaces`].
    pub fn is_joined(&self, name: &DeviceName) -> Result<Option<bool>, Error> {
        let Some(lockspace) = self.lockspace_of(name)? else { return Ok(None) };
        Ok(Some(self.lockspaces()?.unwrap_or_default().contains(&lockspace)))
    }

    /// Whether hosts have registered for persistent reservations of a device, as far as the kernel shows it (not before 3.11).
    ///
    /// # Errors
    ///
    /// `pr_state` cannot be read.
    pub fn has_registrants(&self, name: &DeviceName) -> Result<bool, Error> {
        let text = self.sysfs.optional_read(&format!("{}/pr_state", device::device(name)), self.deadline)?;
        Ok(text.is_some_and(|text| text.lines().any(|line| line.starts_with("registrant "))))
    }

    /// The ids of the nodes in a lockspace, as corosync numbers them; none where `dlm_controld` does not list them.
    ///
    /// # Errors
    ///
    /// The lockspace's directory of nodes is there and cannot be listed.
    pub fn lockspace_members(&self, lockspace: &str) -> Result<BTreeSet<u16>, Error> {
        Ok(self.directories(&dlm::members(lockspace))?.iter().filter_map(|id| id.parse().ok()).collect())
    }
}
