//! Device groups: role, ALUA states, devices, LUNs, differences.

use std::collections::{BTreeMap, BTreeSet};

use scst_core::scst::alua::AluaState;

use super::exposition::{Exposition, count, flag, number};
use crate::scst_ha::status::Status;
use crate::scst_ha::status::group::{Group, Role};

/// What is counted as a difference.
pub(super) const DIFFERENCES: &str =
    "What differs from the configuration of the cluster, or is left out of it; scst-ha status names it.";

/// Adds everything of device groups.
pub(super) fn add(all: &mut Exposition, status: &Status) {
    for group in &status.groups {
        // Every role, so that a series does not come and go.
        for role in Role::ALL {
            let labels = [("group", group.name.as_str()), ("role", role.label())];
            all.gauge(
                "scst_group_role",
                "Which role this node has for a device group.",
                &labels,
                flag(group.role == role),
            );
        }
        let labels = [("group", group.name.as_str())];
        all.gauge(
            "scst_group_faults",
            "Faults of the group, independent of its configuration.",
            &labels,
            count(group.faults.len()),
        );
        let differences = group.differences.len() + usize::from(group.left_out);
        for resource in &group.resources {
            all.gauge("scst_resource_differences", DIFFERENCES, &[("resource", resource)], count(differences));
        }
        states(all, group);
        devices(all, group);
    }
}

fn states(all: &mut Exposition, group: &Group) {
    for target_group in &group.target_groups {
        let local = if target_group.local { "yes" } else { "no" };
        for state in AluaState::ALL {
            let labels = [
                ("group", group.name.as_str()),
                ("node", &target_group.node),
                ("local", local),
                ("state", state.as_str()),
            ];
            let help = "The ALUA state of a node's ports, as this node tells its hosts.";
            all.gauge("scst_alua_state", help, &labels, flag(target_group.state == state.as_str()));
        }
    }
}

fn devices(all: &mut Exposition, group: &Group) {
    let mut in_flight: BTreeMap<&str, u64> = BTreeMap::new();
    for commands in &group.in_flight {
        *in_flight.entry(&commands.device).or_default() += u64::from(commands.commands);
    }
    let mut seen: BTreeMap<&str, BTreeSet<(&str, &str, u32)>> = BTreeMap::new();
    for lun in &group.luns {
        let at = (lun.port.as_str(), lun.group.as_deref().unwrap_or_default(), lun.number);
        seen.entry(&lun.device).or_default().insert(at);
    }
    for device in &group.devices {
        let labels =
            [("group", group.name.as_str()), ("device", &device.name), ("handler", device.handler.unwrap_or("other"))];
        if let Some(open) = device.open {
            all.gauge("scst_device_open", "Whether the backing store is open.", &labels, flag(open));
        }
        all.gauge(
            "scst_device_blocked",
            "How often commands of the device are held back.",
            &labels,
            f64::from(device.blocked),
        );
        if let Some(size) = device.size {
            all.gauge("scst_device_size_bytes", "The capacity that hosts are told.", &labels, number(size));
        }
        let commands = in_flight.get(device.name.as_str()).copied().unwrap_or(0);
        all.gauge("scst_device_commands_in_flight", "Commands that have not ended.", &labels, number(commands));
        let luns = seen.get(device.name.as_str()).map_or(0, BTreeSet::len);
        all.gauge("scst_device_luns", "LUNs of the device, over all ports and initiator groups.", &labels, count(luns));
    }
}
