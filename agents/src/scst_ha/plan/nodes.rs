//! The plans of all nodes: what would happen to every resource that is configured, or was.

use scst_core::cluster::{Configuration, Configured};
use serde::Serialize;

use super::resource::{Resource, What, planned, removed};
use super::state::Past;
use crate::scst_ha::cib::{Cib, Finding};
use crate::scst_ha::verdict::Verdict;
use crate::{scst_aluadg, scst_qla2xtgt, scst_target};

/// Everything that is told.
#[derive(Debug, Serialize)]
pub(super) struct Plan {
    pub(super) nodes: Vec<NodePlan>,
    /// What is wrong with the configuration, whatever a node is now.
    pub(super) configuration: Vec<Finding>,
    /// What the cluster itself would do, where its simulator could be asked.
    pub(super) cluster: Vec<String>,
}

/// What would happen on one node.
#[derive(Debug, Serialize)]
pub(super) struct NodePlan {
    pub(super) node: String,
    pub(super) resources: Vec<Resource>,
    /// What could not be taken into account.
    pub(super) unknown: Vec<String>,
}

impl Plan {
    /// What follows from everything together.
    pub(super) fn verdict(&self) -> Verdict {
        let resources = || self.nodes.iter().flat_map(|node| &node.resources);
        if self.nodes.iter().any(|node| !node.unknown.is_empty())
            || resources().any(|resource| resource.what == What::Unknown)
        {
            Verdict::Failed
        } else if resources().any(|resource| resource.what != What::Nothing) || !self.configuration.is_empty() {
            Verdict::Differs
        } else {
            Verdict::Right
        }
    }
}

/// The agents whose plans are known.
pub(super) const AGENTS: [&str; 3] =
    [scst_qla2xtgt::table::TABLE.name, scst_target::table::TABLE.name, scst_aluadg::table::TABLE.name];

/// What would happen on a node.
pub(super) fn of_node(past: &Past, new: &Cib) -> NodePlan {
    let find = |configuration: &Configuration, id: &str| {
        configuration.resources.iter().find(|resource| resource.id == id).cloned()
    };
    let mut resources = Vec::new();
    let ours = |resource: &&Configured| AGENTS.contains(&resource.agent.as_str());
    for resource in new.configuration.resources.iter().filter(ours) {
        let old = find(&past.old, &resource.id);
        resources.push(planned(past, resource, old.as_ref(), new));
    }
    for resource in past.old.resources.iter().filter(ours) {
        if find(&new.configuration, &resource.id).is_some_and(|found| ours(&&found)) {
            continue;
        }
        resources.push(removed(&past.machine, resource));
    }
    let mut unknown: Vec<String> = past.replay.as_ref().map(|replay| replay.unknown()).unwrap_or_default();
    let others = new.configuration.resources.iter().filter(|resource| !ours(resource));
    unknown.extend(
        others.map(|other| format!("resource {}: this version makes no plans of agent {}", other.id, other.agent)),
    );
    NodePlan { node: past.node.clone(), resources, unknown }
}
