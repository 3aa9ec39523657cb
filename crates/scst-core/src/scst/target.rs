//! The paths of targets (ports), of their initiator groups, sessions and LUN tables: `targets/<driver>/<target>`
//! (`scst_sysfs.c`); and the type [`LunTable`].

use std::fmt;

use super::ROOT;
use super::names::{Driver, InitiatorGroup, TargetName};

/// The directory of a target driver.
pub fn driver(driver: Driver) -> String {
    format!("{ROOT}/targets/{driver}")
}

/// The directory of a port.
pub fn port(driver: Driver, port: &TargetName) -> String {
    format!("{ROOT}/targets/{driver}/{port}")
}

/// The directory of a port's sessions.
pub fn sessions(driver: Driver, target: &TargetName) -> String {
    format!("{}/sessions", port(driver, target))
}

/// The directory of an initiator group.
pub fn ini_group(driver: Driver, target: &TargetName, group: &InitiatorGroup) -> String {
    format!("{}/ini_groups/{group}", port(driver, target))
}

/// A LUN table: the default one of a port, or that of one of its initiator groups.
///
/// The driver is a plain name here, because a device can be exported through a driver that no agent configures.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LunTable {
    /// The driver's directory below `targets`.
    pub driver: TargetName,
    /// The port.
    pub port: TargetName,
    /// The initiator group; `None` for the table of hosts in no group.
    pub group: Option<InitiatorGroup>,
}

impl LunTable {
    /// The table of an initiator group. It is always `Some`: every driver's name is a word.
    pub fn of_group(driver: Driver, port: &TargetName, group: &InitiatorGroup) -> Option<Self> {
        let driver = TargetName::seen(driver.dir()).ok()?;
        Some(Self { driver, port: port.clone(), group: Some(group.clone()) })
    }

    /// The `luns` directory.
    pub fn dir(&self) -> String {
        let Self { driver, port, group } = self;
        match group {
            Some(group) => format!("{ROOT}/targets/{driver}/{port}/ini_groups/{group}/luns"),
            None => format!("{ROOT}/targets/{driver}/{port}/luns"),
        }
    }

    /// Reads the target of an `exported/export<k>` link, and gives table and LUN:
    /// `../../../targets/<driver>/<target>/[ini_groups/<group>/]luns/<N>`.
    pub fn from_export(link: &str) -> Option<(Self, u32)> {
        let (_, below) = link.split_once("targets/")?;
        let words: Vec<&str> = below.split('/').collect();
        let (driver, port, group, lun) = match words.as_slice() {
            [driver, port, "luns", lun] => (driver, port, None, lun),
            [driver, port, "ini_groups", group, "luns", lun] => (driver, port, Some(group), lun),
            _ => return None,
        };
        let group = match group {
            Some(group) => Some(InitiatorGroup::seen(group).ok()?),
            None => None,
        };
        let table = Self { driver: TargetName::seen(driver).ok()?, port: TargetName::seen(port).ok()?, group };
        Some((table, lun.parse().ok()?))
    }

    /// Whether it is the copy manager's. The copy manager maps every virtual device as long as the device is there, so
    /// its LUNs count for nobody.
    pub fn is_copy_manager(&self) -> bool {
        self.driver.as_str() == "copy_manager"
    }
}

impl fmt::Display for LunTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.group {
            Some(group) => write!(f, "initiator group {group} of port {}", self.port),
            None => write!(f, "the default group of port {}", self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_export_link_tells_the_lun_table() {
        let (table, lun) = LunTable::from_export("../../../targets/qla2x00t/p/ini_groups/esx1/luns/11").unwrap();
        assert_eq!(table.to_string(), "initiator group esx1 of port p");
        assert_eq!(table.dir(), "kernel/scst_tgt/targets/qla2x00t/p/ini_groups/esx1/luns");
        assert_eq!(lun, 11);
        let (table, lun) = LunTable::from_export("../../../targets/copy_manager/copy_manager_tgt/luns/0").unwrap();
        assert!(table.is_copy_manager());
        assert_eq!((table.group, lun), (None, 0));
        assert_eq!(LunTable::from_export("../../../targets/iscsi/t/sessions/s/luns/0"), None);
    }
}
