//! How long the last promotion of each group took on this node, as the cluster has noted it. It keeps the last operation that is no monitor: a
//! reload, say, takes the place of the promotion before it.

use scst_core::cluster::{Promotion, query_promotions};

use super::exposition::{Exposition, flag};
use crate::scst_ha::node::Node;
use crate::scst_ha::status::Status;

/// Adds what the cluster has noted. Where it notes nothing, or does not answer, there is nothing to be added.
pub(super) fn add(all: &mut Exposition, node: &Node, status: &Status) {
    let (Some(local), None) = (&status.node, &status.cluster) else { return };
    let Ok(promotions) = query_promotions(&node.tools, &node.deadline) else { return };
    for group in &status.groups {
        let of_group =
            |promotion: &&Promotion| promotion.node == *local && group.resources.contains(&promotion.resource);
        let Some(last) = promotions.iter().filter(of_group).max_by_key(|promotion| promotion.ended) else { continue };
        let labels = [("group", group.name.as_str())];
        let help =
            "How long the promotion on this node took, as long as it is the last operation that the cluster has noted.";
        all.gauge("scst_group_last_promotion_seconds", help, &labels, last.took.as_secs_f64());
        let help = "Whether the promotion on this node succeeded, as long as it is the last operation that the cluster has noted.";
        all.gauge("scst_group_last_promotion_succeeded", help, &labels, flag(last.succeeded));
    }
}
