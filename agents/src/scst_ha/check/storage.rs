//! What the devices stand on: DRBD's settings, LVM's filter, others that hold a store.

use std::collections::BTreeSet;

use super::View;
use crate::scst_ha::cib::{Finding, Level};

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
        found.push(Finding::new(Level::Unknown, "stores", "no device with a store is here", ""));
    }
    found.extend(drbd(view, &stores));
    if stores.iter().any(|store| store.starts_with("/dev/")) {
        found.extend(lvm(view));
        found.extend(multipath(view));
    }
    let text = "identity and size of each device on the other nodes are not looked at";
    found.push(Finding::new(Level::Unknown, "devices", text, "compare scst-ha status of the nodes"));
    found
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
        return vec![Finding::new(Level::Unknown, about, "nothing is configured below /etc/drbd.d", "")];
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
        if says(words) {
            Finding::new(Level::Fine, about, format!("has {words}"), "")
        } else {
            Finding::new(level, about, text, cure)
        }
    })
    .collect()
}

/// A node that looks into the disks of hosts finds their volume groups.
fn lvm(view: &View<'_>) -> Vec<Finding> {
    let Some(text) = view.places.text("etc/lvm/lvm.conf") else {
        return vec![Finding::new(Level::Unknown, "LVM", "there is no /etc/lvm/lvm.conf", "")];
    };
    let filter =
        text.lines().map(str::trim).any(|line| line.starts_with("global_filter") || line.starts_with("filter"));
    vec![if filter {
        Finding::new(Level::Fine, "LVM", "has a filter", "")
    } else {
        let cure = "global_filter = [ \"r|^/dev/drbd.*|\" ] in lvm.conf";
        Finding::new(
            Level::Attention,
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
        return vec![Finding::new(Level::Fine, "multipathd", "is not installed", "")];
    }
    vec![if text.contains("blacklist") {
        Finding::new(Level::Fine, "multipathd", "has a blacklist", "")
    } else {
        Finding::new(
            Level::Attention,
            "multipathd",
            "has no blacklist: it may hold stores of devices open",
            "blacklist { devnode \"^drbd\" } and what else is a store, in multipath.conf",
        )
    }]
}
