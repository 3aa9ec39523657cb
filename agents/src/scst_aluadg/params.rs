//! The parameters of a device group: its name, the driver, and the devices.
//!
//! A device that is configured badly is named and left out, so that a mistake in one disk does not take away the others; without
//! `device0`, or when two devices would answer at one LUN, nothing can be started. The grammar of one device is in `device`.

use std::collections::BTreeMap;

use scst_core::ocf::env::Env;
use scst_core::ocf::param::{Finding, Severity};
use scst_core::scst::names::{DeviceName, Driver, GroupName, HandlerName};

use super::device::{self, Parsed};
pub use super::device::{DeviceParams, Export, ExportGroup};
use super::table::TABLE;

/// How many of the parameters `device0`, `device1`, … exist.
pub const DEVICES: u16 = 256;

/// How many characters of the T10 identification end up in the identifier by which many hosts tell disks apart.
const T10_SIGNIFICANT: usize = 8;

/// The checked configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Params {
    /// The device group.
    pub group: GroupName,
    /// The driver whose targets export the devices.
    pub driver: Driver,
    /// Initialise the Fibre Channel loops when LUNs have changed.
    pub lip: bool,
    /// The devices, by their number.
    pub devices: Vec<DeviceParams>,
}

/// What stop can use of a configuration that nobody has checked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StopParams {
    /// The device group, if its name is one.
    pub group: Option<GroupName>,
    /// The driver, if it is known.
    pub driver: Option<Driver>,
    /// The devices whose names can be made out.
    pub devices: Vec<DeviceName>,
}

impl Params {
    /// Reads the configuration, and says what is wrong with it. There is none exactly if one of the findings is an error.
    pub fn parse(env: &Env) -> (Option<Self>, Vec<Finding>) {
        let mut findings = TABLE.check(env);
        let group = env.param("groupname").and_then(|text| {
            let refused = |error| Finding::error("groupname", format_args!("no name of a device group: {error}"));
            GroupName::parse(text).map_err(|error| findings.push(refused(error).value(text))).ok()
        });
        let driver = env.param("tgtdriver").and_then(|text| {
            let refused = |error| Finding::error("tgtdriver", format_args!("unknown driver: {error}"));
            Driver::parse(text).map_err(|error| findings.push(refused(error).value(text))).ok()
        });
        let lip = lip(env, &mut findings);
        // A bad group name must not hide what is wrong with the devices.
        let naming = group.clone().or_else(|| GroupName::parse("group").ok());
        let mut devices = naming.map(|group| devices(env, &group, &mut findings)).unwrap_or_default();
        distinct(&mut devices, &mut findings);
        one_device_per_lun(&devices, &mut findings);
        same_identity(&devices, &mut findings);
        let params = group.zip(driver).map(|(group, driver)| Self { group, driver, lip, devices });
        let usable = findings.iter().all(|finding| finding.severity < Severity::Error);
        (params.filter(|_| usable), findings)
    }

    /// What stop may believe of the configuration: everything that is well-formed by itself.
    pub fn for_stop(env: &Env) -> StopParams {
        let group = env.param("groupname").and_then(|text| GroupName::parse(text).ok());
        let driver = env.param("tgtdriver").and_then(|text| Driver::parse(text).ok());
        let name = |group: &GroupName| {
            let mut names: Vec<DeviceName> = configured(env)
                .filter_map(|(_, _, text)| DeviceName::parse(group, &device::virtname(text)?).ok())
                .collect();
            names.sort();
            names.dedup();
            names
        };
        let devices = group.as_ref().map(name).unwrap_or_default();
        StopParams { group, driver, devices }
    }
}

/// The devices that are set, with number and parameter name.
fn configured(env: &Env) -> impl Iterator<Item = (u8, String, &str)> {
    (0..=u8::MAX).filter_map(|index| {
        let name = format!("device{index}");
        let text = env.param(&name)?;
        Some((index, name, text))
    })
}

fn lip(env: &Env, findings: &mut Vec<Finding>) -> bool {
    match env.param("lip").map(str::trim) {
        None => true,
        Some(text) => match text.to_ascii_lowercase().as_str() {
            "1" | "yes" | "true" | "on" => true,
            "0" | "no" | "false" | "off" => false,
            _ => {
                findings.push(Finding::warning("lip", "neither yes nor no, taken for yes").value(text));
                true
            }
        },
    }
}

/// Reads every device; those that cannot be used are left out, and without the first nothing works.
fn devices(env: &Env, group: &GroupName, findings: &mut Vec<Finding>) -> Vec<DeviceParams> {
    let mut devices = Vec::new();
    for (index, name, text) in configured(env) {
        let Parsed { device, remarks, faults } = device::parse(group, index, text);
        findings.extend(remarks.into_iter().map(|remark| remark.warning(&name)));
        for fault in faults {
            findings.push(if index == 0 { fault.error(&name) } else { fault.left_out(&name) });
        }
        devices.extend(device);
    }
    devices
}

/// Leaves out a device that takes the name, or the identity, of an earlier one.
fn distinct(devices: &mut Vec<DeviceParams>, findings: &mut Vec<Finding>) {
    let mut owners: BTreeMap<(&'static str, String), String> = BTreeMap::new();
    devices.retain(|device| {
        let mut keys = vec![("virtname", device.name.to_string())];
        keys.extend(device.usn.iter().map(|usn| ("usn", usn.to_string())));
        keys.extend(device.naa_id.iter().map(|naa| ("naa_id", naa.to_string())));
        for key in &keys {
            if let Some(owner) = owners.get(key) {
                let reason = format!("{owner} has it as well, device left out");
                findings.push(Finding::warning(&device.parameter(), reason).at(key.0).value(&key.1));
                return false;
            }
        }
        owners.extend(keys.into_iter().map(|key| (key, device.parameter())));
        true
    });
}

/// Two devices at one LUN of one group: whichever came first would hide the other, so neither is tried.
fn one_device_per_lun(devices: &[DeviceParams], findings: &mut Vec<Finding>) {
    let exports: Vec<(&DeviceParams, &Export)> =
        devices.iter().flat_map(|device| device.exports.iter().map(move |export| (device, export))).collect();
    for (place, (device, export)) in exports.iter().enumerate() {
        let rival =
            exports[..place].iter().find(|(other, earlier)| other.index != device.index && earlier.overlaps(export));
        if let Some((other, earlier)) = rival {
            let reason = format!("{} has this LUN already (export{} {earlier})", other.parameter(), earlier.index);
            findings.push(
                Finding::error(&device.parameter(), reason)
                    .at(format_args!("export{}", export.index))
                    .value(&export.to_string()),
            );
        }
    }
}

/// Names disks that hosts may take for one: without an NAA identifier of its own a disk gets one that is made of the beginning of
/// its T10 identification. Two names for one store are named too.
fn same_identity(devices: &[DeviceParams], findings: &mut Vec<Finding>) {
    let mut identities: BTreeMap<&str, String> = BTreeMap::new();
    let mut stores: BTreeMap<&str, String> = BTreeMap::new();
    for device in devices {
        let parameter = device.parameter();
        if let (Some(t10), None) = (&device.t10devid, &device.naa_id) {
            let beginning = &t10.as_str()[..t10.as_str().len().min(T10_SIGNIFICANT)];
            if let Some(other) = identities.get(beginning) {
                let reason = format!(
                    "begins like that of {other}: hosts may take both disks for one; set naa_id, or let the first \
                     {T10_SIGNIFICANT} characters differ"
                );
                findings.push(Finding::advice(&parameter, reason).at("t10devid").value(t10.as_str()));
            }
            identities.entry(beginning).or_insert_with(|| parameter.clone());
        }
        if let Some(path) = &device.filename {
            if let Some(other) = stores.get(path.as_str()) {
                let reason = format!("{other} stands on it as well");
                findings.push(Finding::advice(&parameter, reason).at("filename").value(path.as_str()));
            }
            stores.entry(path.as_str()).or_insert_with(|| parameter.clone());
        }
    }
}

impl DeviceParams {
    /// The parameter it comes from.
    pub fn parameter(&self) -> String {
        format!("device{}", self.index)
    }

    /// The value of `write_through` that the device is added with; `None`: it is not passed. A writable file gets it unless it was
    /// switched off; the kernel refuses it for a file that is read-only.
    pub fn effective_write_through(&self) -> Option<bool> {
        match (self.handler, self.read_only) {
            (HandlerName::VdiskFileio, true) => None,
            (HandlerName::VdiskFileio, false) => Some(self.write_through.unwrap_or(true)),
            _ => self.write_through,
        }
    }
}
