//! The order in which the initiator groups of a resource were made. Of groups that match one initiator the kernel takes
//! the one that was made first, and nothing in its tree shows which that is: the state file keeps the order.

use scst_core::scst::names::InitiatorGroup;
use scst_core::state::Ports;

use super::groups::{self, Groups};
use super::wanted::group_names;

/// The order after an action that makes those of `wanted` which `found` does not have. `noted` is the order as it was
/// noted before; groups that nobody has noted were made before those, by their numbers.
pub(super) fn after(noted: &[InitiatorGroup], found: &Ports, wanted: &Ports) -> Vec<InitiatorGroup> {
    let there = group_names(found);
    let mut order = by_number(found);
    order.retain(|group| !noted.contains(group));
    order.extend(noted.iter().filter(|group| there.contains(*group)).cloned());
    order.extend(by_number(wanted).into_iter().filter(|group| !there.contains(group)));
    order
}

/// The groups of these ports in the order of their I/O groups, in which they are made.
fn by_number(ports: &Ports) -> Vec<InitiatorGroup> {
    let groups = ports.values().flat_map(|port| &port.groups);
    let mut numbered: Vec<_> =
        groups.map(|(name, group)| (group.io_grouping.parse::<u32>().unwrap_or(0), name.clone())).collect();
    numbered.sort_unstable();
    let mut order = Vec::new();
    for (_, name) in numbered {
        if !order.contains(&name) {
            order.push(name);
        }
    }
    order
}

/// A sentence for each two groups that match one initiator and were made in another order than they are configured.
pub(super) fn differences(order: &[InitiatorGroup], configured: &Groups) -> Vec<String> {
    let place = |name: &InitiatorGroup| order.iter().position(|group| group == name);
    let mut sentences = Vec::new();
    for (second, _) in configured {
        for first in groups::before(configured, second) {
            if place(second) < place(first) && place(second).is_some() {
                sentences.push(format!(
                    "initiator group {first} comes after {second}, which counts for initiators of both until the resource is restarted"
                ));
            }
        }
    }
    sentences
}
