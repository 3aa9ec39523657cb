//! Compares the devices of the instances of a group. A host must not be able to tell by a device which node it talks
//! to, so an instance whose devices would look different does not start.
//!
//! Each instance publishes its devices (`digest`) as a transient attribute of its node: start when the text has
//! changed, reload and promote when a device has changed, a level-10 monitor of a serving instance as well; stop
//! deletes it. Start and reload read the others' attributes with the one query that they make anyway, a level-10
//! monitor with one of its own; a promotion reads none. A node without the attribute (an older agent, or none that
//! runs) is no conflict.

use std::collections::{BTreeMap, BTreeSet};

use scst_core::cluster;
use scst_core::error::Error;
use scst_core::ocf::exit::Failure;
use scst_core::ocf::notify::Lists;
use scst_core::scst::names::{DeviceName, GroupName, NodeName};
use scst_core::state::Storage;
use serde::Serialize;

use super::digest::{Digest, Shown};
use super::instance::Instance;
use super::params::Params;
use super::published::Published;
use super::table::TABLE;
use crate::host::Host;

/// The name of the attribute.
pub fn attribute(group: &GroupName) -> String {
    format!("scst-devices-{group}")
}

/// What this node is about to show hosts: of a device that is there and stays what it is, of the others what is
/// configured.
pub(super) fn planned(params: &Params, found: &Storage, wanted: &Storage, serving: bool) -> Digest {
    let mut digest = Digest::default();
    for device in &params.devices {
        let there = found.devices.get(&device.name).filter(|there| there.handler.is_some());
        let stays = there.filter(|_| found.luns.values().any(|lun| lun.device == device.name));
        let mut shown = match (stays, device.host_id()) {
            (Some(there), _) => Shown::found(there),
            (None, Some(id)) => Shown::configured(device, &id),
            (None, None) => continue,
        };
        let told = there.and_then(|there| there.size);
        let has = wanted.devices.get(&device.name).and_then(|wanted| Some(wanted.whole_blocks(wanted.size?)));
        // What a standby announces of a store that it does not have is no size of a store.
        shown.size = has.or(told).filter(|_| serving || !device.absent_in_standby);
        shown.mapped_as(device.exports.iter().map(ToString::to_string));
        digest.devices.insert(device.name.to_string(), shown);
    }
    digest
}

/// What this node shows hosts now.
pub(super) fn found(params: &Params, found: &Storage) -> Digest {
    let mut digest = Digest::default();
    for device in &params.devices {
        let Some(there) = found.devices.get(&device.name).filter(|there| there.handler.is_some()) else { continue };
        let mut shown = Shown::found(there);
        shown.size = shown.size.filter(|_| !device.absent_in_standby);
        shown.mapped_as(device.exports.iter().map(ToString::to_string));
        digest.devices.insert(device.name.to_string(), shown);
    }
    digest
}

/// Compares `own` with what other running instances have published (`told`, by node): the first difference is the
/// answer, the rest is logged. With the `lists` of a transition those count as running that go on running; without, all
/// that have published anything.
///
/// # Errors
///
/// Exit 5 naming device, both values and both nodes.
pub(super) fn compare(
    local: &NodeName,
    own: &Digest,
    told: &BTreeMap<String, String>,
    lists: Option<&Lists>,
) -> Result<(), Failure> {
    let runs = |node: &str| {
        node != local.as_str() && lists.is_none_or(|lists| lists.active.contains(node) && !lists.stop.contains(node))
    };
    let mut conflicts = Vec::new();
    for (node, text) in told.iter().filter(|(node, _)| runs(node)) {
        if let Some(other) = Digest::parse(text) {
            conflicts.extend(own.conflicts(local.as_str(), &other, node));
        }
    }
    conflicts.iter().skip(1).for_each(|conflict| tracing::error!("{conflict}"));
    match conflicts.into_iter().next() {
        None => Ok(()),
        Some(first) => Err(Failure::installed(first).with_hint(
            "hosts would see another disk on this node: make the store as large as on the other node, or give both nodes the same \
             configuration, with the resource stopped on all of them where it changes what hosts know a disk by",
        )),
    }
}

/// A device as one node has published it, compared with what hosts see of it on this node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Told {
    /// The device.
    pub device: String,
    /// The node that has published it.
    pub node: String,
    /// Its size in bytes, where it is known.
    pub size: Option<u64>,
    /// Its block size in bytes.
    pub block_size: u64,
    /// The identifier by which hosts recognise it.
    pub known_as: String,
    /// Hosts see the same on this node.
    pub same: bool,
    /// The version of the agent that has told it, where it says that.
    pub agent: Option<String>,
    /// Why this node would not start with it, a sentence each.
    #[serde(skip)]
    pub conflicts: Vec<String>,
}

/// Everything that the nodes have published, a row per device and node; for `scst-ha status`.
pub fn compared(params: &Params, storage: &Storage, local: &NodeName, told: &BTreeMap<String, String>) -> Vec<Told> {
    let own = found(params, storage);
    let digests = told.iter().filter_map(|(node, text)| Some((node, Digest::parse(text)?)));
    let rows = digests.flat_map(|(node, digest)| {
        let agent = digest.agent;
        let row = |(device, shown)| (node.clone(), agent.clone(), device, shown);
        digest.devices.into_iter().map(row).collect::<Vec<_>>()
    });
    let mut rows: Vec<Told> = rows
        .map(|(node, agent, device, shown)| {
            let here = own.devices.get(&device);
            let one = |shown: &Shown| Digest { devices: [(device.clone(), shown.clone())].into(), ..Digest::default() };
            let peer = (node != local.as_str()).then_some(here).flatten();
            let conflicts =
                peer.map(|here| one(here).conflicts(local.as_str(), &one(&shown), &node)).unwrap_or_default();
            let plain = |shown: &Shown| Shown { size: None, ..shown.clone() };
            let size = |here: &Shown| here.size.zip(shown.size).is_none_or(|(here, there)| here == there);
            let same = here.is_some_and(|here| size(here) && plain(here) == plain(&shown));
            Told { device, node, size: shown.size, block_size: shown.block, known_as: shown.id, same, agent, conflicts }
        })
        .collect();
    rows.sort_by(|a, b| (&a.device, &a.node).cmp(&(&b.device, &b.node)));
    rows
}

/// Publishes `digest`, if something else was published before. That it cannot be published is no reason to fail.
pub(super) fn publish(host: &Host<'_>, group: &GroupName, local: &NodeName, digest: &Digest) {
    if host.dry_run() {
        return;
    }
    let before = Published::read(host, group);
    let text = Digest { agent: Some(TABLE.version.to_owned()), ..digest.clone() }.to_string();
    if before.devices.as_ref() == Some(&text) {
        return;
    }
    let deadline = host.deadline().last();
    let told = cluster::set_transient(&host.tools, &deadline, local.as_str(), &attribute(group), Some(&text));
    if let Err(error) = &told {
        tracing::warn!("the other nodes are not told what the devices are: {error}");
    }
    Published { devices: told.is_ok().then_some(text), ..before }.write(host, group);
}

/// After a reload: publishes only where a device differs from what was published of it, not where a device has come or
/// gone. A changed attribute makes Pacemaker compute a new transition, in which it takes an instance that has just been
/// reloaded for one that is not promoted, and promotes it again. The next start, promotion or level-10 monitor
/// publishes a device that has come.
pub(super) fn correct(host: &Host<'_>, group: &GroupName, local: &NodeName, digest: &Digest) {
    let Some(before) = Published::read(host, group).devices.as_deref().and_then(Digest::parse) else { return };
    let differs = |one: &Digest, other: &Digest| !one.conflicts(local.as_str(), other, local.as_str()).is_empty();
    if differs(&before, digest) || differs(digest, &before) {
        publish(host, group, local, digest);
    }
}

/// Deletes what was published, if anything was.
pub(super) fn withdraw(host: &Host<'_>, group: &GroupName, local: &NodeName) {
    if host.dry_run() {
        return;
    }
    if Published::read(host, group).devices.is_some() {
        let deadline = host.deadline().last();
        let told = cluster::set_transient(&host.tools, &deadline, local.as_str(), &attribute(group), None);
        if let Err(error) = told {
            tracing::warn!("the other nodes are still told of the devices: {error}");
        }
    }
    Published::remove(host, group);
}

/// After a promotion: publishes the sizes in bytes that hosts are told now.
pub(super) fn resized(host: &Host<'_>, group: &GroupName, local: &NodeName, sizes: &[(DeviceName, u64)]) {
    let Some(mut digest) = Published::read(host, group).devices.as_deref().and_then(Digest::parse) else { return };
    for (device, bytes) in sizes {
        if let Some(shown) = digest.devices.get_mut(device.as_str()) {
            shown.size = Some(*bytes);
        }
    }
    publish(host, group, local, &digest);
}

/// Remembers which of the others had registrations of hosts when they told of their devices.
pub(super) fn remember_registered(
    host: &Host<'_>,
    group: &GroupName,
    local: &NodeName,
    told: &BTreeMap<String, String>,
) {
    let has = |text: &str| Digest::parse(text).is_some_and(|digest| digest.registered);
    let others = told.iter().filter(|(node, text)| *node != local.as_str() && has(text));
    let registered: BTreeSet<String> = others.map(|(node, _)| node.clone()).collect();
    let before = Published::read(host, group);
    if before.registered != registered {
        Published { registered, ..before }.write(host, group);
    }
}

/// Where every node keeps reservations to itself: warns of those that this node does not have, as far as it knows of them.
pub(super) fn warn_of_registrations(host: &Host<'_>, group: &GroupName) {
    let registered: Vec<String> = Published::read(host, group).registered.into_iter().collect();
    if !registered.is_empty() {
        tracing::warn!(
            "hosts had registered persistent reservations on node {}; this node does not have them (reservations=local): cluster software on \
             the hosts has to register again",
            registered.join(", ")
        );
    }
}

/// The part of a level-10 monitor: reads the others' attributes, compares, and as the serving instance publishes its
/// own where it has changed.
///
/// # Errors
///
/// Exit 5 as [`compare`]; the caller decides what that means for an instance that runs.
pub(super) fn thorough(
    host: &Host<'_>,
    instance: &Instance,
    local: &NodeName,
    params: &Params,
    storage: &Storage,
    promoted: bool,
) -> Result<(), Failure> {
    let survey = match host.survey(&attribute(&instance.group)) {
        Ok(survey) => survey,
        Err(failure) => {
            tracing::warn!("not compared with the other nodes: {failure}");
            return Ok(());
        }
    };
    let mut own = found(params, storage);
    if promoted {
        own.registered = registered(host, params)?;
        if host.context.env.interval_ms() > 0 {
            // Sizes of stores that only this node has stay as the promotion has told them.
            let before = Published::read(host, &instance.group).devices.as_deref().and_then(Digest::parse);
            for (name, shown) in &mut own.devices {
                shown.size = shown.size.or_else(|| before.as_ref()?.devices.get(name)?.size);
            }
            publish(host, &instance.group, local, &own);
        }
    } else {
        remember_registered(host, &instance.group, local, &survey.told);
    }
    compare(local, &own, &survey.told, None)
}

/// Whether hosts have registered on a device of ours that keeps its reservations to itself.
fn registered(host: &Host<'_>, params: &Params) -> Result<bool, Error> {
    for device in params.devices.iter().filter(|device| !device.shared) {
        if host.observer().has_registrants(&device.name)? {
            return Ok(true);
        }
    }
    Ok(false)
}
