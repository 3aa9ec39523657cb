//! Looks at the sessions of a port and their commands in flight. `scst-ha` shows them; no plan depends on them.

use std::net::IpAddr;

use super::Observer;
use crate::error::Error;
use crate::scst::names::{Driver, EntryName, InitiatorGroup, TargetName};
use crate::scst::target;

/// One session of a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its directory: the initiator's name, with a number for its further sessions.
    pub name: EntryName,
    /// The initiator's name; where the kernel does not show it, the name of the session.
    pub initiator: String,
    /// The initiator group whose LUNs it sees; `None` for the default group.
    pub group: Option<InitiatorGroup>,
    /// How many of its commands have not ended yet.
    pub active_commands: u32,
    /// The IP addresses of its connections; empty for other drivers than iSCSI.
    pub addresses: Vec<String>,
}

impl Observer<'_> {
    /// The sessions of a port. A session that ends while they are read is left out.
    ///
    /// # Errors
    ///
    /// The port's `sessions` cannot be listed, or the link or an attribute of one cannot be read.
    pub fn logged_in(&self, driver: Driver, port: &TargetName) -> Result<Vec<Session>, Error> {
        let mut found = Vec::new();
        for name in self.sessions(driver, port)? {
            let dir = format!("{}/{name}", target::sessions(driver, port));
            let Some(luns) = self.sysfs.optional_link(&format!("{dir}/luns"), self.deadline)? else { continue };
            let group = luns.strip_suffix("/luns").and_then(|table| table.rsplit_once("ini_groups/"));
            let group = group.and_then(|(_, group)| InitiatorGroup::seen(group).ok());
            let initiator = self.optional(&format!("{dir}/initiator_name"))?.unwrap_or_else(|| name.to_string());
            let active_commands = self.number(&format!("{dir}/active_commands"))?.unwrap_or(0);
            let mut addresses = if driver == Driver::Iscsi { self.directories(&dir)? } else { Vec::new() };
            addresses.retain(|entry| entry.trim_matches(['[', ']']).parse::<IpAddr>().is_ok());
            found.push(Session { name, initiator, group, active_commands, addresses });
        }
        Ok(found)
    }

    /// How many commands of a session to one LUN have not ended yet; 0 where the kernel does not show it.
    ///
    /// # Errors
    ///
    /// `active_commands` of the session's LUN cannot be read, or holds no number ([`Error::Content`]).
    pub fn in_flight(&self, driver: Driver, port: &TargetName, session: &Session, lun: u32) -> Result<u32, Error> {
        let dir = format!("{}/{}/lun{lun}", target::sessions(driver, port), session.name);
        Ok(self.number(&format!("{dir}/active_commands"))?.unwrap_or(0))
    }
}
