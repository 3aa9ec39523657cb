//! Compares the devices of a configuration with each other: one with the name or an identifier of an earlier one is
//! left out, two at one LUN are an error, two on one store get advice.

use std::collections::BTreeMap;

use scst_core::ocf::param::{Effect, Finding};

use crate::scst_aluadg::device::{DeviceParams, Export};

/// Leaves out a device that has the name or an identifier of an earlier one.
pub(super) fn distinct(devices: &mut Vec<DeviceParams>, findings: &mut Vec<Finding>) {
    let mut owners: BTreeMap<(&'static str, String), String> = BTreeMap::new();
    devices.retain(|device| {
        let mut keys = vec![("virtname", device.name.to_string())];
        keys.extend(device.usn.iter().map(|usn| ("usn", usn.to_string())));
        keys.extend(device.naa_id.iter().map(|naa| ("naa_id", naa.to_string())));
        keys.extend(device.eui64_id.iter().map(|eui| ("eui64_id", eui.to_string())));
        for key in &keys {
            if let Some(owner) = owners.get(key) {
                let reason = format!("{owner} has it as well, device left out");
                let finding = Finding::warning(&device.parameter(), reason).effect(Effect::LeftOut);
                findings.push(finding.at(key.0).value(&key.1));
                return false;
            }
        }
        owners.extend(keys.into_iter().map(|key| (key, device.parameter())));
        true
    });
}

/// Two devices at one LUN of one group: whichever came first would hide the other, so neither is tried.
pub(super) fn one_device_per_lun(devices: &[DeviceParams], findings: &mut Vec<Finding>) {
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

/// Advises against two devices on one store.
pub(super) fn same_store(devices: &[DeviceParams], findings: &mut Vec<Finding>) {
    let mut stores: BTreeMap<&str, String> = BTreeMap::new();
    for device in devices {
        let parameter = device.parameter();
        if let Some(path) = &device.filename {
            if let Some(other) = stores.get(path.as_str()) {
                let reason = format!("{other} stands on it as well");
                findings.push(Finding::advice(&parameter, reason).at("filename").value(path.as_str()));
            }
            stores.entry(path.as_str()).or_insert_with(|| parameter.clone());
        }
    }
}
