//! Finds, for monitor, devices that a killed action has left blocked, and forgets blocks that are gone.

use std::collections::BTreeSet;

use scst_core::ocf::exit::Failure;
use scst_core::scst::device::Owed;
use scst_core::scst::names::DeviceName;

use super::instance::Instance;
use crate::host::Host;

/// A device that is blocked by us, whose hosts wait, and the devices whose block is seen gone.
pub(super) fn left_blocked(
    host: &Host<'_>,
    instance: &Instance,
) -> Result<(Option<String>, BTreeSet<DeviceName>), Failure> {
    let mut left = None;
    let mut given_back = BTreeSet::new();
    for (device, owed) in instance.blocked() {
        let now = host.observer().block(device)?;
        if now.is_none_or(|now| now.count <= owed.before) {
            // Without anybody who gives it back it was not taken yet, as far as anybody knows: a write may hang in the kernel.
            given_back.extend(owed.returning.then(|| device.clone()));
        } else if !host.state_files.locked(instance.group.as_str()) {
            left.get_or_insert(if now.is_some_and(|now| now.pending) && owed.returning {
                format!("device {device}: still blocked by a demotion that gave up: commands in flight do not end")
            } else {
                format!("device {device}: left blocked by an action that died")
            });
        }
    }
    Ok((left, given_back))
}

/// Forgets blocks that are gone: what blocks the device from now on is somebody else's.
pub(super) fn forget_blocks(host: &Host<'_>, instance: &mut Instance, given_back: &BTreeSet<DeviceName>) {
    if given_back.is_empty() || host.state_files.locked(instance.group.as_str()) {
        return;
    }
    match instance.lock(host) {
        Ok(_lock) => {
            let seen = instance.blocked().clone();
            instance.refresh(host);
            // Not one that was taken while we waited for the lock.
            let same = |device: &DeviceName, owed: &Owed| given_back.contains(device) && seen.get(device) == Some(owed);
            instance.update(host, |file| file.blocks.retain(|device, owed| !same(device, owed)));
        }
        Err(failure) => tracing::warn!("blocks that are gone are still remembered: {failure}"),
    }
}
