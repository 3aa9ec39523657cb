//! Two devices that hosts would take for one disk: by the identifiers that they show, or would show.
//!
//! Multipath then sends to one store what belongs on the other, so neither is added: in one resource it is a mistake of the configuration,
//! across resources it is found on the node that has both.

use std::collections::{BTreeMap, BTreeSet};

use scst_core::apply::AfterFailure;
use scst_core::error::Error;
use scst_core::ocf::exit::Failure;
use scst_core::ocf::param::Finding;
use scst_core::scst::host_id::{HostId, T10_SIGNIFICANT};
use scst_core::scst::names::DeviceName;
use scst_core::state::Storage;

use super::device::DeviceParams;
use crate::host::Host;

/// The devices that hosts use as disks, with the identifiers by which hosts will recognise them. A device whose
/// identifier is made of the cluster's name has none before the cluster was asked, and is left out.
fn identified(devices: &[DeviceParams]) -> impl Iterator<Item = (&DeviceParams, HostId)> {
    devices.iter().filter(|device| !device.dummy).filter_map(|device| Some((device, device.host_id()?)))
}

/// Devices of one resource.
pub(super) fn in_configuration(devices: &[DeviceParams], findings: &mut Vec<Finding>) {
    let mut owners: BTreeMap<HostId, String> = BTreeMap::new();
    for (device, id) in identified(devices) {
        let parameter = device.parameter();
        if let Some(other) = owners.get(&id) {
            let reason = format!(
                "is one disk to hosts with {other} ({id}); set naa_id, or let the first {T10_SIGNIFICANT} characters of t10devid differ"
            );
            let finding = Finding::error(&parameter, reason);
            findings.push(match &device.t10devid {
                Some(t10) if device.naa_id.is_none() && device.eui64_id.is_none() => {
                    finding.at("t10devid").value(t10.as_str())
                }
                _ => finding,
            });
        }
        owners.entry(id).or_insert(parameter);
    }
}

/// The devices among `joining` that hosts would take for a device of this node that is not ours, with the reason. Those that are `leaving`
/// are ours. Nothing is looked at where nothing joins.
///
/// # Errors
///
/// What of the kernel's tree could not be read.
pub(super) fn on_node(
    host: &Host<'_>,
    devices: &[DeviceParams],
    joining: &BTreeSet<&DeviceName>,
    leaving: &BTreeSet<&DeviceName>,
) -> Result<Vec<(DeviceName, Failure)>, Error> {
    let mut taken = Vec::new();
    if joining.is_empty() {
        return Ok(taken);
    }
    let observer = host.observer();
    let ours: BTreeSet<&DeviceName> =
        devices.iter().map(|device| &device.name).chain(leaving.iter().copied()).collect();
    let mut others: BTreeMap<HostId, DeviceName> = BTreeMap::new();
    for other in observer.device_names()?.into_iter().filter(|name| !ours.contains(name)) {
        if let Some(id) = observer.host_id(&other)? {
            others.insert(id, other);
        }
    }
    for (device, id) in identified(devices).filter(|(device, _)| joining.contains(&device.name)) {
        if let Some(other) = others.get(&id) {
            let failure = Failure::installed(format!(
                "device {}: hosts take it for device {other} of this node: {id}",
                device.name
            ));
            taken.push((
                device.name.clone(),
                failure.with_hint("give one of the two another naa_id, eui64_id or t10devid"),
            ));
        }
    }
    Ok(taken)
}

/// What a reload does after a step that failed: it goes on, unless a device that is added is to hosts what one was that goes, such as a
/// device with a new name. Both together must never be there.
///
/// # Errors
///
/// What of the kernel's tree could not be read.
pub(super) fn after_failure(
    host: &Host<'_>,
    devices: &[DeviceParams],
    found: &Storage,
    wanted: &Storage,
) -> Result<AfterFailure, Error> {
    let (joining, leaving) = exchanged(found, wanted);
    for left in leaving.iter().filter(|_| !joining.is_empty()) {
        let id = host.observer().host_id(left)?;
        if identified(devices).any(|(device, new)| joining.contains(&device.name) && Some(new) == id) {
            return Ok(AfterFailure::End);
        }
    }
    Ok(AfterFailure::GoOn)
}

/// The devices that a plan from `found` to `wanted` adds, and those of ours that it deletes.
pub(super) fn exchanged<'s>(
    found: &'s Storage,
    wanted: &'s Storage,
) -> (BTreeSet<&'s DeviceName>, BTreeSet<&'s DeviceName>) {
    let joining = wanted.devices.keys().filter(|name| !found.devices.contains_key(*name)).collect();
    let left =
        found.devices.iter().filter(|(name, device)| device.handler.is_some() && !wanted.devices.contains_key(*name));
    (joining, left.map(|(name, _)| name).collect())
}
