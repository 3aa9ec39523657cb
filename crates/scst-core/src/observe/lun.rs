//! Looks at LUNs: where a device is mapped, and what is in a LUN table.

use std::collections::{BTreeMap, BTreeSet};

use super::Observer;
use super::detail::Detail;
use crate::error::Error;
use crate::scst::names::{DeviceName, Driver, EntryName, InitiatorGroup, TargetName};
use crate::scst::target::LunTable;
use crate::scst::{device, target};
use crate::state::{Lun, LunAddress};

/// LUNs by the table they stand in and their number there.
type Luns = Vec<(LunTable, u32)>;

impl Observer<'_> {
    /// Whether a LUN is this device.
    pub(super) fn is_behind(&self, at: &LunAddress, device: &DeviceName) -> Result<bool, Error> {
        let link = self.sysfs.optional_link(&format!("{}/{}/device", at.table.dir(), at.lun), self.deadline)?;
        Ok(link.is_some_and(|link| link.ends_with(&format!("/{device}"))))
    }

    /// Where a device is mapped, without the copy manager's LUN.
    pub(super) fn exports(
        &self,
        name: &DeviceName,
        detail: Detail,
        luns: &mut BTreeMap<LunAddress, Lun>,
    ) -> Result<(), Error> {
        for (table, lun) in self.exported(name)?.0 {
            let mut read_only = false;
            if detail == Detail::Settings {
                let path = format!("{}/{lun}/read_only", table.dir());
                // Gone between the two looks: somebody else is unmapping it.
                let Some(value) = self.optional(&path)? else { continue };
                read_only = value != "0";
            }
            luns.insert(LunAddress { table, lun }, Lun { device: name.clone(), read_only });
        }
        Ok(())
    }

    /// Where a device is mapped: table and LUN. The copy manager's LUNs are left out.
    ///
    /// # Errors
    ///
    /// Also when it is exported somewhere that no command of ours could name.
    pub fn mapped(&self, name: &DeviceName) -> Result<Vec<(LunTable, u32)>, Error> {
        match self.exported(name)? {
            (luns, None) => Ok(luns),
            (_, Some(path)) => Err(Error::Name { path: self.sysfs.full(&path) }),
        }
    }

    /// The LUNs of a device that can be named, and one that cannot.
    fn exported(&self, name: &DeviceName) -> Result<(Luns, Option<String>), Error> {
        let dir = format!("{}/exported", device::device(name));
        let mut luns = Vec::new();
        let mut unnamed = None;
        for export in self.links(&dir)? {
            let path = format!("{dir}/{export}");
            if EntryName::seen(&export).is_err() {
                unnamed = Some(path);
                continue;
            }
            let Some(link) = self.sysfs.optional_link(&path, self.deadline)? else { continue };
            match LunTable::from_export(&link) {
                Some((table, _)) if table.is_copy_manager() => {}
                Some(place) => luns.push(place),
                None => unnamed = Some(path),
            }
        }
        Ok((luns, unnamed))
    }

    /// The LUNs in use in an initiator group; none where there is no such group.
    ///
    /// # Errors
    ///
    /// The group's `luns` is there and cannot be listed.
    pub fn luns_in_use(
        &self,
        driver: Driver,
        port: &TargetName,
        group: &InitiatorGroup,
    ) -> Result<BTreeSet<u32>, Error> {
        self.numbers(&format!("{}/luns", target::ini_group(driver, port, group)))
    }

    /// The LUNs in use in a table; none where there is no such table.
    ///
    /// # Errors
    ///
    /// The table's directory is there and cannot be listed.
    pub fn luns_in_table(&self, table: &LunTable) -> Result<BTreeSet<u32>, Error> {
        self.numbers(&table.dir())
    }

    fn numbers(&self, table: &str) -> Result<BTreeSet<u32>, Error> {
        Ok(self.directories(table)?.iter().filter_map(|name| name.parse().ok()).collect())
    }

    /// The name of the device behind a LUN of an initiator group; `None` where nothing is mapped there.
    ///
    /// # Errors
    ///
    /// The link `device` of the LUN cannot be read.
    pub fn lun_device(
        &self,
        driver: Driver,
        port: &TargetName,
        group: &InitiatorGroup,
        lun: u32,
    ) -> Result<Option<String>, Error> {
        let path = format!("{}/luns/{lun}/device", target::ini_group(driver, port, group));
        let link = self.sysfs.optional_link(&path, self.deadline)?;
        Ok(link.and_then(|link| link.rsplit('/').next().map(str::to_owned)))
    }
}
