//! Looks at ports (targets), their initiator groups and the names of their sessions.

use std::collections::BTreeSet;

use nix::errno::Errno;

use super::Observer;
use crate::error::Error;
use crate::scst::names::{Driver, EntryName, FcHostName, InitiatorGroup, InitiatorName, TargetName};
use crate::scst::{qla2x00t, target};
use crate::state::{IniGroup, Port, Ports};

/// What a group is whose initiators the kernel refuses to list (EIO), because the name of one has a slash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unlistable {
    /// An error.
    Refused,
    /// A group without initiators, with a warning in the log: it can be removed or shown all the same.
    Empty,
}

impl Observer<'_> {
    /// Whether the driver is loaded; it may have no ports.
    ///
    /// # Errors
    ///
    /// The driver's directory is there and cannot be listed.
    pub fn driver_loaded(&self, driver: Driver) -> Result<bool, Error> {
        Ok(self.sysfs.optional_list(&target::driver(driver), self.deadline)?.is_some())
    }

    /// The driver's ports, in sysfs's own spelling; none where the driver is not loaded.
    ///
    /// # Errors
    ///
    /// The driver's directory is there and cannot be listed.
    pub fn port_names(&self, driver: Driver) -> Result<Vec<TargetName>, Error> {
        let names = self.directories(&target::driver(driver))?;
        Ok(names.iter().filter_map(|name| TargetName::seen(name).ok()).collect())
    }

    /// Those of the ports `names` that exist, with the initiator groups that `concerns` accepts, and without their
    /// settings ([`Observer::settings`]).
    ///
    /// # Errors
    ///
    /// A directory of one of these ports cannot be listed (for one of them see [`Unlistable`]), or an attribute of it or of
    /// one of the groups cannot be read.
    pub fn ports(
        &self,
        driver: Driver,
        names: &[TargetName],
        concerns: impl Fn(&InitiatorGroup) -> bool,
        unlistable: Unlistable,
    ) -> Result<Ports, Error> {
        let mut ports = Ports::new();
        for name in names {
            let Some(mut port) = self.port(driver, name)? else { continue };
            for group in self.ini_groups(driver, name)?.into_iter().filter(&concerns) {
                let dir = target::ini_group(driver, name, &group);
                let io_grouping = self.optional(&format!("{dir}/io_grouping_type"))?.unwrap_or_default();
                let initiators = match self.initiators(&dir) {
                    Err(error) if unlistable == Unlistable::Empty && error.errno() == Some(Errno::EIO) => {
                        tracing::warn!("{error}");
                        BTreeSet::new()
                    }
                    initiators => initiators?,
                };
                let has_luns = !self.directories(&format!("{dir}/luns"))?.is_empty();
                port.groups.insert(group, IniGroup { io_grouping, initiators, has_luns });
            }
            ports.insert(name.clone(), port);
        }
        Ok(ports)
    }

    /// What is there after a plan whose steps all succeeded, in few reads: ports and initiators are read, while the
    /// other values of a group that is in `wanted` or was in `before` are taken from there, because the kernel has
    /// acknowledged them.
    ///
    /// # Errors
    ///
    /// As for [`Observer::ports`].
    pub fn ports_listed(&self, driver: Driver, before: &Ports, wanted: &Ports) -> Result<Ports, Error> {
        let mut ports = Ports::new();
        for name in before.keys().chain(wanted.keys()).collect::<BTreeSet<_>>() {
            let Some(mut port) = self.port(driver, name)? else { continue };
            for group in self.ini_groups(driver, name)? {
                let mut known = [wanted, before].into_iter().filter_map(|ports| ports.get(name)?.groups.get(&group));
                let Some(known) = known.next() else { continue };
                let initiators = self.initiators(&target::ini_group(driver, name, &group))?;
                port.groups.insert(group, IniGroup { initiators, ..known.clone() });
            }
            ports.insert(name.clone(), port);
        }
        Ok(ports)
    }

    /// A port without its groups; `None` when it does not exist.
    ///
    /// # Errors
    ///
    /// `rel_tgt_id` or `enabled` cannot be read, or the first holds no number ([`Error::Content`]).
    pub fn port(&self, driver: Driver, name: &TargetName) -> Result<Option<Port>, Error> {
        let dir = target::port(driver, name);
        let Some(rel_tgt_id) = self.number(&format!("{dir}/rel_tgt_id"))? else { return Ok(None) };
        let enabled = match self.optional(&format!("{dir}/enabled"))? {
            Some(text) => text.starts_with('1'),
            None => driver.always_enabled(),
        };
        Ok(Some(Port { enabled, rel_tgt_id, ..Port::default() }))
    }

    /// The names of a port's initiator groups.
    ///
    /// # Errors
    ///
    /// The port's `ini_groups` is there and cannot be listed.
    pub fn ini_groups(&self, driver: Driver, port: &TargetName) -> Result<Vec<InitiatorGroup>, Error> {
        let names = self.directories(&format!("{}/ini_groups", target::port(driver, port)))?;
        Ok(names.iter().filter_map(|name| InitiatorGroup::seen(name).ok()).collect())
    }

    /// The initiators of the group at `dir`.
    fn initiators(&self, dir: &str) -> Result<BTreeSet<InitiatorName>, Error> {
        let entries = self.sysfs.optional_list(&format!("{dir}/initiators"), self.deadline)?.unwrap_or_default();
        Ok(entries.iter().filter_map(|entry| InitiatorName::seen(&entry.name).ok()).collect())
    }

    /// The names of a port's sessions: the initiator's name, for a second session of it with a number behind.
    ///
    /// # Errors
    ///
    /// The port's `sessions` is there and cannot be listed.
    pub fn sessions(&self, driver: Driver, port: &TargetName) -> Result<Vec<EntryName>, Error> {
        let names = self.directories(&target::sessions(driver, port))?;
        Ok(names.iter().filter_map(|name| EntryName::seen(name).ok()).collect())
    }

    /// The names of the sessions of a port that see the LUNs of an initiator group.
    ///
    /// # Errors
    ///
    /// The port's `sessions` cannot be listed, or the link `luns` of one cannot be read.
    pub fn sessions_in(
        &self,
        driver: Driver,
        port: &TargetName,
        group: &InitiatorGroup,
    ) -> Result<Vec<EntryName>, Error> {
        let mut found = Vec::new();
        for session in self.sessions(driver, port)? {
            let link = format!("{}/{session}/luns", target::sessions(driver, port));
            let luns = self.sysfs.optional_link(&link, self.deadline)?;
            if luns.is_some_and(|luns| luns.ends_with(&format!("/ini_groups/{group}/luns"))) {
                found.push(session);
            }
        }
        Ok(found)
    }

    /// The FC host of this machine whose `port_name` is that of the port; `None` where there is none.
    ///
    /// # Errors
    ///
    /// The directory `class/fc_host` cannot be listed, or the `port_name` of a host cannot be read.
    pub fn fc_host(&self, port: &TargetName) -> Result<Option<FcHostName>, Error> {
        let hosts = self.sysfs.optional_list(qla2x00t::HOSTS, self.deadline)?.unwrap_or_default();
        for host in hosts.iter().filter_map(|host| FcHostName::seen(&host.name).ok()) {
            let name = self.optional(&qla2x00t::port_name(&host))?;
            if name.is_some_and(|name| qla2x00t::is_port(&name, port)) {
                return Ok(Some(host));
            }
        }
        Ok(None)
    }
}
