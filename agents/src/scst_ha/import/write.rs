//! A proposal in the words of crmsh, of pcs, and of the CIB. Operations with their time-outs come from the agents' own tables, so they are
//! those that the agents advertise.

mod crm;
mod pcs;
mod xml;

use scst_core::ocf::param::{AgentTable, Operation};

use super::proposal::{Proposal, Resource};
use crate::{scst_aluadg, scst_qla2xtgt};

pub(super) use self::crm::crm;
pub(super) use self::pcs::pcs;
pub(super) use self::xml::xml;

/// What the clone of a resource is told.
fn meta(resource: &Resource, nodes: usize) -> Vec<(&'static str, String)> {
    if !promotable(resource) {
        return vec![("interleave", "true".to_owned())];
    }
    let word = |text: &str| text.to_owned();
    vec![
        ("promotable", word("true")),
        ("notify", word("true")),
        ("interleave", word("true")),
        ("promoted-max", word("1")),
        ("clone-max", nodes.max(2).to_string()),
        ("clone-node-max", word("1")),
        ("migration-threshold", word("3")),
        ("failure-timeout", word("10min")),
        ("priority", word("10")),
    ]
}

fn promotable(resource: &Resource) -> bool {
    resource.agent == scst_aluadg::table::TABLE.name
}

fn table(resource: &Resource) -> &'static AgentTable {
    if promotable(resource) { scst_aluadg::table::TABLE } else { scst_qla2xtgt::table::TABLE }
}

/// The operations that a configuration names: what the cluster schedules by itself.
fn operations(resource: &Resource) -> impl Iterator<Item = &'static Operation> {
    let scheduled = ["start", "stop", "promote", "demote", "notify", "monitor"];
    table(resource).operations.iter().filter(move |operation| scheduled.contains(&operation.name))
}

/// The clone of the ports with the clone of each group that stands on them.
fn constraints(proposal: &Proposal) -> Vec<(&str, &str)> {
    let ports = proposal.resources.iter().find(|resource| !promotable(resource));
    let groups = proposal.resources.iter().filter(|resource| {
        promotable(resource) && resource.params.iter().any(|(name, value)| name == "tgtdriver" && value == "qla2x00t")
    });
    groups.filter_map(|group| Some((ports?.clone.as_str(), group.clone.as_str()))).collect()
}
