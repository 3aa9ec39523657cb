//! Looks at what targets have beside initiator groups and numbers (attributes, portals, users), and at the state of the
//! iSCSI daemon.
//!
//! For most of these files the kernel asks the daemon before it answers, so the helper process reads them
//! ([`crate::sysfs::Sysfs::apart`]). A monitor below level 10 and a stop read none of them.

use nix::errno::Errno;

use super::Observer;
use crate::error::Error;
use crate::scst::iscsi::{self, Credential, Portal, Secret, UserKind, UserName, is_file_of};
use crate::scst::names::{Driver, EntryName, TargetName};
use crate::scst::{attribute, target};
use crate::state::Settings;

impl Observer<'_> {
    /// Whether the driver's daemon runs: `open`, `closing` or `closed`; `None` for a driver without a daemon, or one
    /// that is not loaded.
    ///
    /// # Errors
    ///
    /// `open_state` cannot be read.
    pub fn open_state(&self, driver: Driver) -> Result<Option<String>, Error> {
        if driver.has_daemon() { self.optional(&iscsi::open_state(driver)) } else { Ok(None) }
    }

    /// Whether the driver as a whole is enabled, without which no target of it answers; `None` where it has no such
    /// switch.
    ///
    /// # Errors
    ///
    /// The driver's directory cannot be listed, or its `enabled` cannot be read; [`Error::Hung`] where the daemon does
    /// not answer.
    pub fn driver_enabled(&self, driver: Driver) -> Result<Option<bool>, Error> {
        let path = format!("{}/enabled", target::driver(driver));
        if !driver.has_daemon() || self.sysfs.is_absent(&path, self.deadline)? {
            return Ok(None);
        }
        self.sysfs.apart().value(&path, self.deadline).map(|text| Some(text.starts_with('1')))
    }

    /// The names of the attributes of a target.
    ///
    /// # Errors
    ///
    /// The target's directory is there and cannot be listed.
    pub fn attribute_names(&self, driver: Driver, port: &TargetName) -> Result<Vec<String>, Error> {
        let entries = self.sysfs.optional_list(&target::port(driver, port), self.deadline)?.unwrap_or_default();
        Ok(entries.into_iter().map(|entry| entry.name).collect())
    }

    /// Those of `attributes` that the target has, and all its users and portals. An attribute is the name of a file in
    /// the target's directory.
    ///
    /// # Errors
    ///
    /// The target's directory cannot be listed, or a file of one of these cannot be read; [`Error::Hung`] where the
    /// daemon does not answer. That the file of an outgoing user is broken (EINVAL) is no error.
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
            for kind in UserKind::ALL {
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

/// The content of a file of a target, if a command can carry it; otherwise no command could delete it, and it is left
/// out with a warning.
fn known<T, E>(port: &TargetName, file: &str, read: Result<T, E>) -> Option<T> {
    if read.is_err() {
        tracing::warn!("{file} of target {port} holds what no command can carry, it stays");
    }
    read.ok()
}
