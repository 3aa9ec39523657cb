//! Ports and their initiator groups, as the target agent sees them.

use std::collections::BTreeSet;

use nix::errno::Errno;

use super::Observer;
use crate::error::Error;
use crate::scst::names::{Driver, EntryName, FcHostName, InitiatorGroup, InitiatorName, TargetName};
use crate::scst::{qla2x00t, target};
use crate::state::{IniGroup, Port, Ports};

impl Observer<'_> {
    /// The driver is loaded, whether it has ports or not.
    pub fn driver_loaded(&self, driver: Driver) -> Result<bool, Error> {
        Ok(self.sysfs.optional_list(&target::driver(driver), self.deadline)?.is_some())
    }

    /// The driver's ports, in sysfs's own spelling; none when the driver is not there.
    pub fn port_names(&self, driver: Driver) -> Result<Vec<TargetName>, Error> {
        let names = self.directories(&target::driver(driver))?;
        Ok(names.iter().filter_map(|name| TargetName::seen(name).ok()).collect())
    }

    /// The given ports as far as they exist, with the groups `concerns` accepts.
    pub fn ports(
        &self,
        driver: Driver,
        names: &[TargetName],
        concerns: impl Fn(&InitiatorGroup) -> bool,
    ) -> Result<Ports, Error> {
        self.ports_with(driver, names, concerns, Self::initiators)
    }

    /// The same for those who only remove or show: one initiator with a slash in its name makes the kernel refuse the listing of its
    /// group, which must not keep the group from going. Nobody is seen in it then.
    pub fn ports_to_remove(
        &self,
        driver: Driver,
        names: &[TargetName],
        concerns: impl Fn(&InitiatorGroup) -> bool,
    ) -> Result<Ports, Error> {
        self.ports_with(driver, names, concerns, |observer, dir| match observer.initiators(dir) {
            Err(error) if error.errno() == Some(Errno::EIO) => {
                tracing::warn!("{error}");
                Ok(BTreeSet::new())
            }
            initiators => initiators,
        })
    }

    fn ports_with(
        &self,
        driver: Driver,
        names: &[TargetName],
        concerns: impl Fn(&InitiatorGroup) -> bool,
        initiators: fn(&Self, &str) -> Result<BTreeSet<InitiatorName>, Error>,
    ) -> Result<Ports, Error> {
        let mut ports = Ports::new();
        for name in names {
            if let Some(mut port) = self.port(driver, name)? {
                for group in self.ini_groups(driver, name)?.into_iter().filter(&concerns) {
                    let dir = target::ini_group(driver, name, &group);
                    let io_grouping = self.optional(&format!("{dir}/io_grouping_type"))?.unwrap_or_default();
                    let initiators = initiators(self, &dir)?;
                    let has_luns = !self.directories(&format!("{dir}/luns"))?.is_empty();
                    port.groups.insert(group, IniGroup { io_grouping, initiators, has_luns });
                }
                ports.insert(name.clone(), port);
            }
        }
        Ok(ports)
    }

    /// What is there after a plan whose every step was acknowledged: the ports as they are now, and of their groups everything
    /// that has the name of what stands in `wanted` or stood in `before`. What the kernel acknowledged is told by listings.
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
    pub fn ini_groups(&self, driver: Driver, port: &TargetName) -> Result<Vec<InitiatorGroup>, Error> {
        let names = self.directories(&format!("{}/ini_groups", target::port(driver, port)))?;
        Ok(names.iter().filter_map(|name| InitiatorGroup::seen(name).ok()).collect())
    }

    /// The initiators of the group at `dir`.
    fn initiators(&self, dir: &str) -> Result<BTreeSet<InitiatorName>, Error> {
        let entries = self.sysfs.optional_list(&format!("{dir}/initiators"), self.deadline)?.unwrap_or_default();
        Ok(entries.iter().filter_map(|entry| InitiatorName::seen(&entry.name).ok()).collect())
    }

    /// The initiators that have a session on a port, by the name of the session.
    pub fn sessions(&self, driver: Driver, port: &TargetName) -> Result<Vec<EntryName>, Error> {
        let names = self.directories(&target::sessions(driver, port))?;
        Ok(names.iter().filter_map(|name| EntryName::seen(name).ok()).collect())
    }

    /// The sessions of a port that are in an initiator group.
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

    /// The FC host behind a port, if this machine shows one.
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
