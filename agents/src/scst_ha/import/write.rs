//! A proposal in the words of crmsh, of pcs, and of the CIB. Operations with their time-outs come from the agents' own tables, so they are
//! those that the agents advertise.

mod crm;
mod pcs;
mod xml;

use scst_core::ocf::param::{AgentTable, Operation};
use scst_core::scst::names::Driver;

use super::proposal::{Proposal, Resource};
use crate::{scst_aluadg, scst_qla2xtgt, scst_target};

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
    let tables = [scst_aluadg::table::TABLE, scst_qla2xtgt::table::TABLE, scst_target::table::TABLE];
    tables.into_iter().find(|table| table.name == resource.agent).expect("a proposal has resources of these agents")
}

/// The operations that a configuration names: what the cluster schedules by itself.
fn operations(resource: &Resource) -> impl Iterator<Item = &'static Operation> {
    let scheduled = ["start", "stop", "promote", "demote", "notify", "monitor"];
    table(resource).operations.iter().filter(move |operation| scheduled.contains(&operation.name))
}

/// The clone of the targets of a driver with the clone of each group that stands on them.
fn constraints(proposal: &Proposal) -> Vec<(&str, &str)> {
    let driver = |resource: &Resource| {
        let said = resource.params.iter().find(|(name, _)| name == "tgtdriver").map(|(_, value)| value.clone());
        said.unwrap_or_else(|| Driver::Qla2x00t.to_string())
    };
    let targets = |wanted: &Resource| {
        let mut all = proposal.resources.iter().filter(|resource| !promotable(resource));
        all.find(|resource| driver(resource) == driver(wanted))
    };
    let groups = proposal.resources.iter().filter(|resource| promotable(resource));
    groups.filter_map(|group| Some((targets(group)?.clone.as_str(), group.clone.as_str()))).collect()
}
