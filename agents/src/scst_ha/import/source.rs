//! A configuration of SCST as plain data, wherever it comes from: a file of scstadmin, or the kernel.

use std::collections::BTreeMap;

use scst_core::scst::names::Driver;

/// Attributes by name.
pub(super) type Attributes = BTreeMap<String, String>;

/// Everything that is configured.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Source {
    /// SCST's own attributes.
    pub(super) attributes: Attributes,
    /// The devices, in their order.
    pub(super) devices: Vec<Device>,
    /// The targets, in their order.
    pub(super) targets: Vec<Target>,
    /// The users of targets and drivers, with their secrets.
    pub(super) users: Vec<User>,
    /// The device groups.
    pub(super) groups: Vec<DeviceGroup>,
    /// What could not be taken into account, a sentence each.
    pub(super) left_out: Vec<String>,
}

/// A device.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Device {
    pub(super) name: String,
    pub(super) handler: String,
    pub(super) attributes: Attributes,
}

/// A target.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Target {
    pub(super) driver: String,
    pub(super) name: String,
    pub(super) attributes: Attributes,
    /// The addresses by which it may be reached, of iSCSI; none: all.
    pub(super) portals: Vec<String>,
    /// What hosts in no initiator group see.
    pub(super) luns: Vec<Lun>,
    pub(super) groups: Vec<IniGroup>,
}

impl Target {
    /// Its driver, if the agents know that.
    pub(super) fn known_driver(&self) -> Option<Driver> {
        Driver::parse(&self.driver).ok()
    }
}

/// An initiator group of a target.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct IniGroup {
    pub(super) name: String,
    pub(super) attributes: Attributes,
    pub(super) luns: Vec<Lun>,
    pub(super) initiators: Vec<String>,
}

/// A LUN.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Lun {
    pub(super) number: String,
    pub(super) device: String,
    pub(super) read_only: bool,
}

/// Who may log in, or as whom a target answers.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct User {
    pub(super) driver: String,
    /// Nothing for the driver's own, which are for discovery.
    pub(super) target: Option<String>,
    /// `IncomingUser` or `OutgoingUser`.
    pub(super) kind: String,
    pub(super) name: String,
    /// Never printed.
    pub(super) secret: String,
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?} {} {}", self.driver, self.target, self.kind, self.name)
    }
}

/// A device group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct DeviceGroup {
    pub(super) name: String,
    pub(super) devices: Vec<String>,
    pub(super) target_groups: Vec<TargetGroup>,
}

/// A target group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct TargetGroup {
    pub(super) name: String,
    pub(super) attributes: Attributes,
    /// The targets with their relative ids, where they are said.
    pub(super) targets: Vec<(String, Option<String>)>,
}

impl Source {
    /// Adds what a driver or a target says of users: name and secret in one value.
    pub(super) fn user(&mut self, driver: &str, target: Option<&str>, kind: &str, value: &str) {
        let mut words = value.split_whitespace();
        let (Some(name), secret) = (words.next(), words.next().unwrap_or_default()) else { return };
        self.users.push(User {
            driver: driver.to_owned(),
            target: target.map(str::to_owned),
            kind: kind.to_owned(),
            name: name.to_owned(),
            secret: secret.to_owned(),
        });
    }

    /// Whether a target is one of this machine.
    pub(super) fn has_target(&self, name: &str) -> bool {
        self.targets.iter().any(|target| target.name.eq_ignore_ascii_case(name))
    }
}

/// The attributes that hold users.
pub(super) const USERS: [&str; 2] = ["IncomingUser", "OutgoingUser"];
