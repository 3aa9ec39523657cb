//! `scst-ha plan`: what the agents would do for a changed configuration, before it is committed.
//!
//! The plans are those of the agents, made by their own code of what the node is now: of its kernel, or of what `scst-ha status --json` printed
//! there. What the cluster does beside (where it places instances, whom it promotes) is Pacemaker's own business: where `crm_simulate` is there, it is asked for it.

mod change;
mod notice;
mod report;
mod resource;
mod state;
mod transition;

pub(super) use self::report::of_finding as line;
pub(super) use self::state::State;

use std::collections::BTreeSet;

use scst_core::cluster::Configuration;
use scst_core::ocf::exit::Failure;
use serde::Serialize;

use self::resource::{Resource, What, planned, removed};
use self::state::Past;
use super::cib::{self, Cib, Finding, Level};
use super::node::Node;
use super::output::{print, print_json};
use super::verdict::Verdict;
use super::{cli, files};
use crate::{scst_aluadg, scst_qla2xtgt, scst_target};

/// Everything that is told.
#[derive(Debug, Serialize)]
struct Plan {
    nodes: Vec<NodePlan>,
    /// What is wrong with the configuration, whatever a node is now.
    configuration: Vec<Finding>,
    /// What the cluster itself would do, where its simulator could be asked.
    cluster: Vec<String>,
}

/// What would happen on one node.
#[derive(Debug, Serialize)]
struct NodePlan {
    node: String,
    resources: Vec<Resource>,
    /// What could not be taken into account.
    unknown: Vec<String>,
}

/// Makes the plans and shows them.
pub(super) fn run(node: &Node, options: &cli::Plan) -> Result<Verdict, Failure> {
    let new = new_configuration(node, options)?;
    let mut pasts = Vec::new();
    for path in &options.state {
        pasts.push(state::read(path, node)?);
    }
    if pasts.is_empty() {
        pasts.push(live(node, options, &new)?);
    }
    let wanted = options.node.as_ref().map(ToString::to_string);
    let mut plan = Plan { nodes: Vec::new(), configuration: cib::findings(&new), cluster: Vec::new() };
    if let Some(path) = &options.cib {
        plan.cluster = transition::foreseen(node, path, &new);
    }
    plan.configuration.retain(|finding| finding.level >= Level::Attention);
    let all = wanted.as_deref() == Some("all");
    for past in pasts.iter().filter(|past| all || wanted.as_ref().is_none_or(|name| *name == past.node)) {
        plan.nodes.push(of_node(past, &new));
    }
    let known: BTreeSet<&str> = pasts.iter().map(|past| past.node.as_str()).collect();
    let nodes = new.configuration.nodes.0.iter().filter(|node| !node.remote && node.targetports.is_some());
    let others = nodes.filter(|node| !known.contains(node.name.as_str()));
    for other in others.filter(|other| all || wanted.as_ref() == Some(&other.name)) {
        let unknown =
            "its state is not known: run `scst-ha status --json` there, and give its file with --state".to_owned();
        plan.nodes.push(NodePlan { node: other.name.clone(), resources: Vec::new(), unknown: vec![unknown] });
    }
    if plan.nodes.is_empty() {
        let name = wanted.unwrap_or_default();
        return Err(Failure::generic(format!("node {name} is neither in the configuration nor in a state file")));
    }
    if options.json {
        print_json(&plan)?;
    } else {
        print(&report::text(&plan, node.page()))?;
    }
    Ok(plan.verdict())
}

impl Plan {
    fn verdict(&self) -> Verdict {
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

/// The configuration that is asked about.
fn new_configuration(node: &Node, options: &cli::Plan) -> Result<Cib, Failure> {
    let Some(path) = &options.cib else {
        let xml = node
            .configuration()
            .map_err(|error| Failure::generic(error.to_string()).with_hint("name a file with --cib FILE"))?;
        return Cib::parse(&xml)
            .map_err(|error| Failure::generic(format!("the cluster's configuration is not understood: {error}")));
    };
    let bytes = files::read(path, &node.deadline)?;
    let text = String::from_utf8_lossy(&bytes);
    let cib = Cib::parse(&text).map_err(|error| Failure::generic(format!("{} is no CIB: {error}", path.display())))?;
    if cib.configuration.resources.is_empty() {
        let agents = AGENTS.map(|agent| format!("ocf:onesty:{agent}")).join(", ");
        let reason = format!("{} has no resource of {agents}", path.display());
        return Err(Failure::generic(reason));
    }
    Ok(cib)
}

/// This node as it is, with the configuration that the cluster has.
fn live(node: &Node, options: &cli::Plan, new: &Cib) -> Result<Past, Failure> {
    let told = options.node.as_ref().map(ToString::to_string).filter(|name| name != "all");
    match node.cluster() {
        Ok((name, old)) => Ok(Past { node: name, old, machine: node.again(), replay: None }),
        // Nobody says what was configured: what runs is compared with what is new.
        Err(error) => match told {
            Some(name) => Ok(Past { node: name, old: new.configuration.clone(), machine: node.again(), replay: None }),
            None => Err(Failure::generic(error.to_string())
                .with_hint("say which node this is with --node NAME, or give its state with --state FILE")),
        },
    }
}

#[cfg(test)]
mod over_kernel;

/// The agents whose plans are known.
const AGENTS: [&str; 3] =
    [scst_qla2xtgt::table::TABLE.name, scst_target::table::TABLE.name, scst_aluadg::table::TABLE.name];

fn of_node(past: &Past, new: &Cib) -> NodePlan {
    let find = |configuration: &'_ Configuration, id: &str| {
        configuration.resources.iter().find(|resource| resource.id == id).cloned()
    };
    let mut resources = Vec::new();
    let ours = |resource: &&scst_core::cluster::Configured| AGENTS.contains(&resource.agent.as_str());
    for resource in new.configuration.resources.iter().filter(ours) {
        let old = find(&past.old, &resource.id);
        resources.push(planned(&past.machine, &past.node, resource, old.as_ref(), new));
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
