//! Closes the stores that are open although the group is out of service: for demote and for stepping down. A monitor
//! only reports them.

use std::collections::BTreeSet;

use scst_core::apply::AfterFailure;
use scst_core::deadline::Deadline;
use scst_core::error::Error;
use scst_core::ocf::exit::Failure;
use scst_core::plan::Step;
use scst_core::scst::alua::AluaState;
use scst_core::scst::names::{DeviceName, NodeName};

use super::instance::Instance;
use crate::host::Host;

/// Those of these devices that are ours and say that their store is open (`open`), or that it is closed. A device
/// without a store says neither.
pub(super) fn with_store(
    host: &Host<'_>,
    instance: &Instance,
    members: &BTreeSet<DeviceName>,
    open: bool,
) -> Result<Vec<DeviceName>, Error> {
    let mut found = Vec::new();
    for device in members.iter().filter(|device| instance.owns(device)) {
        if host.observer().says_open(device)? == Some(open) {
            found.push(device.clone());
        }
    }
    Ok(found)
}

/// Out of service no store of ours may be open: another node serves it, or DRBD is about to be demoted. The state closes those that
/// follow it; the others are closed here.
///
/// # Errors
///
/// Exit 1 naming the devices whose store is still open.
pub(super) fn close_all(
    host: &Host<'_>,
    instance: &Instance,
    local: &NodeName,
    until: &Deadline,
) -> Result<(), Failure> {
    if host.dry_run() {
        return Ok(());
    }
    let observer = host.observer_until(until);
    let members = observer.group_devices(&instance.group)?;
    // One that has not joined yet, or has left already, may be open as well: a device is opened first where the group serves already, and a
    // reload whose deletion of it failed leaves it open.
    let left = with_store(host, instance, &(&members | &instance.named(host)), true)?;
    if left.is_empty() {
        return Ok(());
    }
    // Looked at once more: a file that is closed under a group in service crashes the kernel.
    if observer.alua_state(&instance.group, local)?.is_some_and(AluaState::is_open) {
        return Err(Failure::generic(format!("target group {local}: state is active after writing standby")));
    }
    let mut steps = Vec::new();
    for device in &left {
        // The state of the group says nothing of one that is no member: hosts that see it send commands, and one that meets a closed file
        // crashes the kernel.
        if members.contains(device) || observer.mapped(device)?.is_empty() {
            steps.push(Step::Close { device: device.clone() });
        }
    }
    let applied = host.apply_until(&steps, AfterFailure::GoOn, until);
    applied.failed.iter().for_each(|failed| tracing::error!("{failed}"));
    let left: Vec<_> =
        with_store(host, instance, &left.into_iter().collect(), true)?.iter().map(ToString::to_string).collect();
    if left.is_empty() {
        return Ok(());
    }
    Err(Failure::generic(format!("out of service, but the backing store is still open: device {}", left.join(", ")))
        .with_hint("what lies below cannot be demoted or given to another node while it is open"))
}
