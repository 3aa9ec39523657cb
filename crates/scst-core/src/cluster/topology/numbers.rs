//! How the numbers of a node and its ports follow from the node's id and the place of a port in its list.

use crate::cluster::ClusterNode;
use crate::scst::names::{NodeName, TargetName};

/// The largest node id whose numbers fit.
pub(super) const MAX_ID: u16 = 654;

/// The most initiator groups that a node has numbers for.
pub const MAX_GROUPS: usize = MAX_COUNT;

/// The most ports, and the most initiator groups, of one node.
pub(super) const MAX_COUNT: usize = 99;

/// One port of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// The target, as configured; sysfs may spell it in another case.
    pub name: TargetName,
    /// The relative target port identifier that it must have: node id × 100 + its place in the list, 101 to 65499.
    pub rel_tgt_id: u16,
}

/// One node with ports of the wanted driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The node, and the name of its target group.
    pub name: NodeName,
    /// The node's id, and the `group_id` of its target group: 1 to 654.
    pub id: u16,
    /// Its ports, in the order of the attribute. Never empty.
    pub ports: Vec<Port>,
}

impl Member {
    /// The ports with their numbers, as they are listed: sysfs may spell them in another case.
    pub fn listed(&self) -> Vec<(TargetName, u16)> {
        self.ports.iter().map(|port| (port.name.clone(), port.rel_tgt_id)).collect()
    }

    /// Whether a port is listed, in whatever case.
    pub fn lists(&self, name: &TargetName) -> bool {
        self.ports.iter().any(|port| name.matches(port.name.as_str()))
    }
}

/// The I/O group of the `k`-th initiator group (from 1) on the node `id`: `id` × 100 + `k`. `None` if `id` is not 1 to
/// 654 or `k` not 1 to 99.
pub fn io_group(id: u16, k: usize) -> Option<u16> {
    numbered(id, k)
}

/// `id` × 100 + `n`, if it is a number that SCST can hold.
pub(super) fn numbered(id: u16, n: usize) -> Option<u16> {
    if !(1..=MAX_ID).contains(&id) || !(1..=MAX_COUNT).contains(&n) {
        return None;
    }
    Some(id * 100 + u16::try_from(n).ok()?)
}

/// The entries of a node's list. Commas and blanks separate; an empty entry is none.
pub fn entries(node: &ClusterNode) -> impl Iterator<Item = &str> {
    let list = node.targetports.as_deref().unwrap_or_default();
    list.split(|c: char| c == ',' || c.is_whitespace()).filter(|entry| !entry.is_empty())
}
