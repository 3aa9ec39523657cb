//! Checks whether persistent reservations are shared among the nodes where they should be: start, reload, promote,
//! validate-all and monitor ask.
//!
//! With `shared` a device is added with `cluster_mode=1`, and SCST keeps its registrations and reservation in a lockspace of DLM. It answers
//! "ok" also where DLM does not run, and then keeps them to itself. So success is looked for: a start waits for the lockspace before a
//! host sees the device, a promotion does not open a group whose lockspaces are gone, and monitors look as well.

use std::collections::BTreeSet;

use scst_core::cluster::Topology;
use scst_core::error::Error;
use scst_core::ocf::exit::Failure;
use scst_core::ocf::notify::Lists;
use scst_core::scst::dlm;
use scst_core::scst::names::DeviceName;

use super::device::DeviceParams;
use super::instance::Instance;
use super::sharing::Reservations;
use crate::host::Host;

/// A lock manager must run before anything is shared.
///
/// # Errors
///
/// Exit 5: it does not run on this node.
pub(super) fn runs(host: &Host<'_>) -> Result<(), Failure> {
    if host.observer().lockspaces()?.is_some() {
        return Ok(());
    }
    Err(absent("DLM does not run on this node, and reservations=shared needs it".to_owned()))
}

fn absent(reason: String) -> Failure {
    Failure::installed(reason).with_hint(
        "dlm_controld must run on this node before the group starts (ocf:pacemaker:controld as a clone, ordered before it and colocated with \
         it), the cluster must have quorum, and a node that was lost must have been fenced",
    )
}

/// What a start says of a lockspace that did not appear.
pub(super) fn unseen(device: &DeviceName, error: &Error) -> Failure {
    absent(format!("device {device}: reservations are not shared, DLM shows no lockspace: {error}"))
}

/// Everybody who runs must be in the lockspaces, this node first of all. A peer that is not, keeps its reservations to itself: that is its
/// configuration, or an older agent.
///
/// # Errors
///
/// Exit 5 naming the lockspace in which this node is not.
pub(super) fn members(
    host: &Host<'_>,
    topology: &Topology,
    lists: Option<&Lists>,
    devices: &[DeviceParams],
) -> Result<(), Failure> {
    let running = lists.map(|lists| lists.active.difference(&lists.stop).cloned().collect::<BTreeSet<_>>());
    for device in devices.iter().filter(|device| device.shared && device.handler.has_backing()) {
        let Some(lockspace) = host.observer().lockspace_of(&device.name)? else { continue };
        let members = host.observer().lockspace_members(&lockspace)?;
        // Without configfs nobody says who is in.
        if members.is_empty() {
            continue;
        }
        if !members.contains(&topology.local.id) {
            return Err(absent(format!("device {}: this node is not in the lockspace {lockspace}", device.name)));
        }
        let runs = |name: &str| running.as_ref().is_some_and(|running| running.contains(name));
        for peer in topology.peers.iter().filter(|peer| runs(peer.name.as_str()) && !members.contains(&peer.id)) {
            tracing::error!(
                "device {}: node {} runs and is not in the lockspace {lockspace}: it keeps reservations to itself",
                device.name,
                peer.name
            );
        }
    }
    Ok(())
}

/// Our devices that are meant to share their reservations and whose lockspace is not there, with its name.
///
/// # Errors
///
/// What of the kernel's tree could not be read.
pub(super) fn lost<'d>(
    host: &Host<'_>,
    instance: &Instance,
    members: impl Iterator<Item = &'d DeviceName>,
) -> Result<Option<String>, Error> {
    if !Reservations::are_shared(&host.context.env) {
        return Ok(None);
    }
    let observer = host.observer();
    let there = observer.lockspaces()?.unwrap_or_default();
    let mut lost = Vec::new();
    for device in members.filter(|device| instance.owns(device)) {
        // The kernel makes that of a device without a store when a host looks at it.
        if observer.with_store(device)?.is_none() {
            continue;
        }
        if let Some(lockspace) = observer.lockspace_of(device)?.filter(|lockspace| !there.contains(lockspace)) {
            lost.push(format!("{device} ({lockspace})"));
        }
    }
    Ok((!lost.is_empty())
        .then(|| format!("reservations are not shared any more, the lockspace is gone: device {}", lost.join(", "))))
}

/// What a recurring monitor sees in one directory: that something is shared at all.
pub(super) fn glance(host: &Host<'_>) -> Result<(), Error> {
    if !Reservations::are_shared(&host.context.env) {
        return Ok(());
    }
    let there = host.observer().lockspaces()?.unwrap_or_default();
    if !there.iter().any(|name| name.starts_with(&dlm::lockspace(""))) {
        tracing::warn!(
            "reservations=shared, and there is no lockspace of SCST on this node: other nodes do not see reservations"
        );
    }
    Ok(())
}
