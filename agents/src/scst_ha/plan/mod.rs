//! `scst-ha plan`: what the agents would do for a changed configuration, before it is committed.
//!
//! The plans are those of the agents, made by their own code of what the node is now: of its kernel, or of what `scst-ha status --json` printed
//! there. What the cluster does beside (where it places instances, whom it promotes) is Pacemaker's own business: where `crm_simulate` is there, it is asked for it.

mod change;
mod nodes;
mod notice;
mod report;
mod resource;
mod state;
mod transition;

pub(super) use self::report::of_finding as line;
pub(super) use self::state::State;

use std::collections::BTreeSet;

use scst_core::ocf::exit::Failure;

use self::nodes::{AGENTS, NodePlan, Plan, of_node};
use self::state::Past;
use super::cib::{self, Cib, Level};
use super::node::Node;
use super::output::{print, print_json};
use super::verdict::Verdict;
use super::{cli, files};

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
