//! Finds devices, members and LUNs that are configured and not there. A level-10 monitor fails for them; a promotion
//! adds them before the group becomes active. Otherwise, after a reload with a mistake, or one that this node never
//! saw, hosts would lack a disk and nothing would show it.

use std::collections::{BTreeMap, BTreeSet};

use scst_core::apply::AfterFailure;
use scst_core::error::Error;
use scst_core::ocf::exit::Failure;
use scst_core::ocf::param::Finding;
use scst_core::plan::Step;
use scst_core::plan::storage::converge;
use scst_core::scst::alua::AluaState;
use scst_core::scst::names::{DeviceName, NodeName};
use scst_core::state::{DeviceGroup, Storage};

use super::convergence::Convergence;
use super::instance::Instance;
use super::params::Params;
use super::same_disk;
use super::stores;
use super::wanted;
use crate::host::Host;

/// Every device and export that hosts do not get because of a mistake, or of an initiator group that is not there.
pub(super) fn left_out(convergence: &Convergence<'_>, findings: &[Finding]) -> Vec<String> {
    let mistakes = findings.iter().filter(|finding| finding.leaves_out()).map(ToString::to_string);
    mistakes.chain(convergence.unmatched.iter().cloned()).collect()
}

/// Adds what is missing before the group becomes active, and logs what cannot be added. It never makes a promotion
/// fail: not to serve what is there would be worse.
pub(super) fn add(
    host: &Host<'_>,
    instance: &mut Instance,
    local: &NodeName,
    group: DeviceGroup,
    configuration: &(Option<Params>, Vec<Finding>),
) -> DeviceGroup {
    let added = try_to_add(host, instance, local, &group, configuration).and_then(|added| {
        Ok(if added { host.observer().device_group(&instance.group)?.unwrap_or_default() } else { group.clone() })
    });
    added.unwrap_or_else(|failure| {
        tracing::error!("what is missing was not added: {failure}");
        group
    })
}

/// The same; answers whether anything was added.
fn try_to_add(
    host: &Host<'_>,
    instance: &mut Instance,
    local: &NodeName,
    group: &DeviceGroup,
    (params, findings): &(Option<Params>, Vec<Finding>),
) -> Result<bool, Failure> {
    let Some(params) = params.as_ref().filter(|params| params.group == instance.group) else {
        tracing::error!("the configuration cannot be used, so nothing that is missing is added");
        return Ok(false);
    };
    let stores = stores::by_path(host, params)?;
    let own = group.target_groups.get(local);
    let convergence = Convergence::of_group(host, params, stores, instance, (local, own))?;
    let params = &convergence.params;
    for what in left_out(&convergence, findings) {
        tracing::error!("not served: {what}");
    }
    let mut wanted = wanted::without_cluster(params, &convergence.local, group);
    if !lacks(host, params, group, &wanted)? {
        return Ok(false);
    }
    let found = instance.storage(host, host.observer())?;
    // The devices are planned for a group that serves: one that cannot be opened is left out, instead of making the promotion fail.
    if let Some(own) = wanted.group.as_mut().and_then(|group| group.target_groups.get_mut(local)) {
        own.state = AluaState::Active;
    }
    convergence.measure(&found, &mut wanted);
    for (device, path, store) in stores::needed(params, &convergence.facts.stores, true) {
        if let Some(why) = stores::unusable(device, path, store)
            && !group.devices.contains(&device.name)
        {
            tracing::error!("not served: {why}");
            forget(&mut wanted, &device.name);
        }
    }
    let added = wanted.devices.keys().filter(|name| !found.devices.contains_key(*name)).collect();
    for (name, why) in same_disk::on_node(host, &params.devices, &added, &BTreeSet::new())? {
        tracing::error!("not served: {why}");
        forget(&mut wanted, &name);
    }
    for (name, _) in found.devices.iter().filter(|(_, device)| device.handler.is_none()) {
        tracing::error!("not served: device {name} exists with a handler that is not ours");
        forget(&mut wanted, name);
    }
    let joining: BTreeSet<&DeviceName> = wanted.devices.keys().filter(|name| !group.devices.contains(*name)).collect();
    let seen: BTreeSet<&DeviceName> = found.luns.values().map(|lun| &lun.device).collect();
    // Not there yet, or left by a run that did not finish: what no host sees can be made right, or added again.
    let loose = |device: &DeviceName| joining.contains(device) && !seen.contains(device);
    let adds = |step: &Step| match step {
        Step::AddDevice { .. } | Step::AwaitLockspace { .. } | Step::Join { .. } => true,
        // What joins closed would be served closed, or from a store that opens later and that nobody has looked at.
        Step::Open { device } => joining.contains(device),
        Step::SetAttribute { device, .. }
        | Step::AwaitDrained { device }
        | Step::Unblock { device, .. }
        | Step::DelDevice { device, .. } => loose(device),
        Step::AddLun { at, .. } => !found.luns.contains_key(at),
        _ => false,
    };
    let plan = converge(&convergence.scope, &found, &wanted);
    for (device, why) in &plan.left_out {
        tracing::error!("not served: device {device}: {why}");
    }
    let steps: Vec<Step> = plan.steps.into_iter().filter(adds).collect();
    // Before the first step, so that a stop knows of them.
    instance.update(host, |file| file.devices.extend(joining.iter().copied().cloned()));
    let applied = host.apply_until(&steps, AfterFailure::GoOn, &host.deadline().share(1, 3));
    for step in &applied.done {
        tracing::warn!("was missing: {step}");
    }
    for failed in &applied.failed {
        tracing::error!("not served: {failed}");
    }
    Ok(!applied.done.is_empty())
}

/// Whether a device or a LUN is not there. It looks at directories only, because a promotion must be quick.
fn lacks(host: &Host<'_>, params: &Params, group: &DeviceGroup, wanted: &Storage) -> Result<bool, Error> {
    if params.devices.iter().any(|device| !group.devices.contains(&device.name)) {
        return Ok(true);
    }
    let mut tables: BTreeMap<_, BTreeSet<u32>> = BTreeMap::new();
    for at in wanted.luns.keys() {
        tables.entry(&at.table).or_default().insert(at.lun);
    }
    for (table, luns) in tables {
        let Some(group) = &table.group else { continue };
        if !luns.is_subset(&host.observer().luns_in_use(params.driver, &table.port, group)?) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Takes a device out of what is wanted.
fn forget(wanted: &mut Storage, device: &DeviceName) {
    wanted.devices.remove(device);
    wanted.luns.retain(|_, lun| lun.device != *device);
    if let Some(group) = &mut wanted.group {
        group.devices.remove(device);
    }
}
