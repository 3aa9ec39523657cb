//! What the cluster says that each node does with a group: beside what this node's kernel tells hosts of it.

use std::time::Duration;

use scst_core::cluster::parse_roles;
use scst_core::ocf::notify::PeerRole;

use super::shown::Status;
use crate::scst_ha::node::Node;

/// Adds the roles. One question is enough for all groups; a cluster that does not answer it is told.
pub(super) fn add(node: &Node, status: &mut Status) {
    if status.groups.iter().all(|group| group.resources.is_empty() || group.target_groups.is_empty()) {
        return;
    }
    let limit = Duration::from_secs(10).min(node.deadline.remaining() / 2);
    let xml = match node.tools.run("crm_mon", &["-1", "--output-as=xml"], limit) {
        Ok(xml) => xml,
        Err(error) => {
            status.remarks.push(format!("the cluster does not say who has which role: {error}"));
            return;
        }
    };
    for group in &mut status.groups {
        let Some(roles) = group.resources.first().and_then(|resource| parse_roles(&xml, resource).ok()) else {
            continue;
        };
        for target_group in &mut group.target_groups {
            target_group.cluster = Some(match roles.by_node.get(&target_group.node) {
                Some(PeerRole::Promoted) => "promoted",
                Some(PeerRole::Running) => "unpromoted",
                Some(PeerRole::Changing) => "changing",
                Some(PeerRole::Stopped) | None => "stopped",
            });
        }
    }
}
