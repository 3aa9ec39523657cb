//! What targets have beside groups and numbers, and the daemon that holds those of iSCSI.
//!
//! The kernel asks the daemon before it answers for most of it, so these files are read in a process of their own
//! ([`crate::sysfs::Sysfs::apart`]): monitors of the usual depth, and stop, do without.

use nix::errno::Errno;

use super::Observer;
use crate::error::Error;
use crate::scst::iscsi::{self, Credential, Portal, Secret, UserKind, UserName, is_file_of};
use crate::scst::names::{Driver, EntryName, TargetName};
use crate::scst::{attribute, target};
use crate::state::Settings;

impl Observer<'_> {
    /// `open`, `closing` or `closed`; `None` for a driver without a daemon, or that is not loaded.
    pub fn open_state(&self, driver: Driver) -> Result<Option<String>, Error> {
        if driver.has_daemon() { self.optional(&iscsi::open_state(driver)) } else { Ok(None) }
    }

    /// Whether the daemon of the driver lets initiators in at all; `None` where there is no such switch.
    pub fn driver_enabled(&self, driver: Driver) -> Result<Option<bool>, Error> {
        let path = format!("{}/enabled", target::driver(driver));
        if !driver.has_daemon() || self.sysfs.is_absent(&path, self.deadline)? {
            return Ok(None);
        }
        self.sysfs.apart().value(&path, self.deadline).map(|text| Some(text.starts_with('1')))
    }

    /// The names of the attributes of a target.
    pub fn attribute_names(&self, driver: Driver, port: &TargetName) -> Result<Vec<String>, Error> {
        let entries = self.sysfs.optional_list(&target::port(driver, port), self.deadline)?.unwrap_or_default();
        Ok(entries.into_iter().map(|entry| entry.name).collect())
    }

    /// These attributes of a target, as far as the kernel has them, and all its users and portals.
    pub fn settings<'n>(
        &self,
        driver: Driver,
        port: &TargetName,
        attributes: impl IntoIterator<Item = &'n &'static str>,
    ) -> Result<Settings, Error> {
        let mut found = Settings::default();
        let mut attributes = attributes.into_iter().peekable();
        if !driver.has_daemon() && attributes.peek().is_none() {
            return Ok(found);
        }
        let names = self.attribute_names(driver, port)?;
        let apart = self.sysfs.apart();
        let value = |name: &str, asks: bool| {
            let path = format!("{}/{name}", target::port(driver, port));
            if asks { apart.value(&path, self.deadline) } else { self.sysfs.value(&path, self.deadline) }
        };
        for name in attributes {
            let Some(attribute) = attribute::find(name).filter(|_| names.iter().any(|known| known == name)) else {
                continue;
            };
            let shown = attribute.shown(&value(name, attribute.iscsi)?);
            found.attributes.extend(shown.map(|shown| (*name, shown)));
        }
        if !driver.has_daemon() {
            return Ok(found);
        }
        for name in &names {
            if is_file_of(name, iscsi::PORTAL) {
                found.portals.extend(known(port, name, Portal::seen(&value(name, true)?)));
            }
            for kind in [UserKind::Incoming, UserKind::Outgoing] {
                if !is_file_of(name, kind.word()) {
                    continue;
                }
                let text = match value(name, true) {
                    // A second outgoing user breaks the file of the first: only the end of the target, or of the daemon, repairs it.
                    Err(error) if error.errno() == Some(Errno::EINVAL) && kind == UserKind::Outgoing => "?".to_owned(),
                    text => text?,
                };
                let (user, secret) = text.split_once(' ').unwrap_or((&text, ""));
                let Some(user) = known(port, name, UserName::parse(user)) else { continue };
                let credential = Credential { secret: Secret::seen(secret), file: EntryName::seen(name).ok() };
                match kind {
                    UserKind::Incoming => _ = found.incoming.insert(user, credential),
                    UserKind::Outgoing => found.outgoing = Some((user, credential)),
                }
            }
        }
        Ok(found)
    }
}

/// What stands in a file of a target, if a command can carry it; nobody could delete it otherwise.
fn known<T, E>(port: &TargetName, file: &str, read: Result<T, E>) -> Option<T> {
    if read.is_err() {
        tracing::warn!("{file} of target {port} holds what no command can carry, it stays");
    }
    read.ok()
}
