//! What the devices stand on: DRBD's settings, LVM's filter, others that hold a store.

use std::collections::BTreeSet;

use super::view::View;
use crate::scst_aluadg::agreement::Told;
use crate::scst_ha::cib::{Finding, Level};
use crate::scst_ha::status::group::Group;

/// Everything about stores.
pub(super) fn findings(view: &View<'_>) -> Vec<Finding> {
    let stores: BTreeSet<String> = view
        .status
        .groups
        .iter()
        .flat_map(|group| &group.devices)
        .filter_map(|device| device.filename.clone())
        .collect();
    let mut found = Vec::new();
    if stores.is_empty() {
        found.push(Finding::unknown("stores", "no device with a store is here"));
    }
    found.extend(drbd(view, &stores));
    if stores.iter().any(|store| store.starts_with("/dev/")) {
        found.extend(lvm(view));
        found.extend(multipath(view));
    }
    found.extend(view.status.groups.iter().flat_map(agreed));
    found.extend(view.status.groups.iter().flat_map(reservations));
    found
}

/// What the other nodes have told of the devices of a group that is here. What contradicts this node is among the group's faults.
fn agreed(group: &Group) -> Vec<Finding> {
    if group.devices.is_empty() || group.resources.is_empty() {
        return Vec::new();
    }
    let about = format!("device group {}", group.name);
    let peers = group.target_groups.iter().filter(|target_group| !target_group.local).map(|peer| peer.node.as_str());
    let mut found = Vec::new();
    for peer in peers {
        let told: Vec<&Told> = group.agreement.iter().filter(|told| told.node == peer).collect();
        let other: Vec<&str> = told.iter().filter(|told| !told.same).map(|told| told.device.as_str()).collect();
        found.push(if told.is_empty() {
            let text = format!(
                "node {peer} has told nothing of its devices: it does not run it, cannot be asked, or has an older agent. Identity and size of \
                 the devices there are not looked at"
            );
            Finding::new(Level::Unknown, &about, text, format!("scst-ha status on {peer}"))
        } else if other.is_empty() {
            Finding::fine(&about, format!("node {peer} has the same {} devices", told.len()))
        } else {
            let text = format!("hosts see on node {peer}, in identity, size, product or LUNs, something else of {}", other.join(", "));
            Finding::attention(&about, text, "scst-ha status shows both; a reload on both nodes where a size changed")
        });
    }
    found
}

/// Reservations that a failover forgets.
fn reservations(group: &Group) -> Vec<Finding> {
    let local: Vec<&str> = group
        .devices
        .iter()
        .filter(|device| device.registered && !device.shared)
        .map(|device| device.name.as_str())
        .collect();
    if local.is_empty() {
        return Vec::new();
    }
    let text = format!(
        "hosts have registered persistent reservations of {}, of which only this node knows: a failover forgets them",
        local.join(", ")
    );
    let cure = "reservations=shared, with DLM: operations.md, \"Reservations\"";
    vec![Finding::attention(format!("device group {}", group.name), text, cure)]
}

/// What DRBD is advised to be told.
fn drbd(view: &View<'_>, stores: &BTreeSet<String>) -> Vec<Finding> {
    if !stores.iter().any(|store| store.starts_with("/dev/drbd")) {
        return Vec::new();
    }
    let mut lines = view.places.lines("etc/drbd.d", ".res");
    lines.extend(view.places.lines("etc/drbd.d", ".conf"));
    let about = "DRBD";
    if lines.is_empty() {
        return vec![Finding::unknown(about, "nothing is configured below /etc/drbd.d")];
    }
    let text = lines.join(" ");
    let says = |words: &str| {
        text.split([';', '{', '}'])
            .any(|statement| statement.split_whitespace().collect::<Vec<_>>().join(" ").ends_with(words))
    };
    [
        (
            "auto-promote no",
            "auto-promote is not switched off: whatever opens the device on a standby promotes it",
            "options { auto-promote no; }",
            Level::Attention,
        ),
        (
            "fencing resource-and-stonith",
            "does not fence: a node with old data may be promoted",
            "net { fencing resource-and-stonith; } with its handlers",
            Level::Attention,
        ),
        (
            "protocol C",
            "protocol C is not said: what hosts were told to be written may be lost",
            "net { protocol C; }",
            Level::Attention,
        ),
    ]
    .into_iter()
    .map(|(words, text, cure, level)| {
        if says(words) { Finding::fine(about, format!("has {words}")) } else { Finding::new(level, about, text, cure) }
    })
    .collect()
}

/// A node that looks into the disks of hosts finds their volume groups.
fn lvm(view: &View<'_>) -> Vec<Finding> {
    let Some(text) = view.places.text("etc/lvm/lvm.conf") else {
        return vec![Finding::unknown("LVM", "there is no /etc/lvm/lvm.conf")];
    };
    let filter =
        text.lines().map(str::trim).any(|line| line.starts_with("global_filter") || line.starts_with("filter"));
    vec![if filter {
        Finding::fine("LVM", "has a filter")
    } else {
        let cure = "global_filter = [ \"r|^/dev/drbd.*|\" ] in lvm.conf";
        Finding::attention(
            "LVM",
            "has no filter: it may activate the volume groups of hosts' disks and hold the devices open",
            cure,
        )
    }]
}

/// multipathd takes every disk that it knows, ours as well.
fn multipath(view: &View<'_>) -> Vec<Finding> {
    let mut text = view.places.text("etc/multipath.conf").unwrap_or_default();
    text += &view.places.lines("etc/multipath/conf.d", ".conf").join("\n");
    let installed = view.places.exists("sbin/multipathd") || view.places.exists("usr/sbin/multipathd");
    if !installed {
        return vec![Finding::fine("multipathd", "is not installed")];
    }
    vec![if text.contains("blacklist") {
        Finding::fine("multipathd", "has a blacklist")
    } else {
        Finding::attention(
            "multipathd",
            "has no blacklist: it may hold stores of devices open",
            "blacklist { devnode \"^drbd\" } and what else is a store, in multipath.conf",
        )
    }]
}
