//! What the kernel counts: commands and kilobytes of ports and of sessions. Its numbers begin with 0 when the object is made.

use std::collections::BTreeMap;

use scst_core::error::Error;
use scst_core::observe::Observer;
use scst_core::scst::names::{Driver, EntryName, TargetName};
use scst_core::scst::target;

/// Which way data goes; `none` has no data, `unknown` is a command that SCST does not know.
pub(super) const DIRECTIONS: [&str; 5] = ["read", "write", "bidi", "none", "unknown"];

/// Numbers by direction.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Counted {
    pub(super) commands: BTreeMap<&'static str, u64>,
    /// In bytes.
    pub(super) bytes: BTreeMap<&'static str, u64>,
}

impl Counted {
    /// Adds the numbers of another session of the same initiator.
    pub(super) fn add(&mut self, other: &Self) {
        for (direction, number) in &other.commands {
            *self.commands.entry(direction).or_default() += number;
        }
        for (direction, number) in &other.bytes {
            *self.bytes.entry(direction).or_default() += number;
        }
    }
}

/// The numbers of a port.
///
/// # Errors
///
/// What could not be read.
pub(super) fn of_port(observer: Observer<'_>, driver: Driver, port: &TargetName) -> Result<Counted, Error> {
    read(observer, &target::port(driver, port))
}

/// The numbers of a session.
///
/// # Errors
///
/// What could not be read.
pub(super) fn of_session(
    observer: Observer<'_>,
    driver: Driver,
    port: &TargetName,
    session: &EntryName,
) -> Result<Counted, Error> {
    read(observer, &format!("{}/{session}", target::sessions(driver, port)))
}

/// An object that goes meanwhile, or counts nothing, has no numbers.
fn read(observer: Observer<'_>, dir: &str) -> Result<Counted, Error> {
    let mut counted = Counted::default();
    for direction in DIRECTIONS {
        let number = |what: &str| -> Result<Option<u64>, Error> {
            let text = observer.sysfs.optional_value(&format!("{dir}/{direction}_{what}"), observer.deadline)?;
            Ok(text.and_then(|text| text.trim().parse().ok()))
        };
        if let Some(commands) = number("cmd_count")? {
            counted.commands.insert(direction, commands);
        }
        if let Some(kilobytes) = number("io_count_kb")? {
            counted.bytes.insert(direction, kilobytes.saturating_mul(1024));
        }
    }
    Ok(counted)
}
