//! Which ports and initiator groups are ours. The kernel's tree does not say who made what, so the record does; without
//! one, names and numbers tell.

use std::collections::BTreeSet;

use scst_core::error::Error;
use scst_core::observe::Observer;
use scst_core::record::{Found, Record};
use scst_core::scst::names::{Driver, InitiatorGroup, TargetName};
use scst_core::state::{Port, Ports};

/// The driver of this agent.
pub const DRIVER: Driver = Driver::Qla2x00t;

/// What is known about what is ours.
#[derive(Debug)]
pub struct Ours<'a> {
    /// The record.
    pub record: &'a Found,
    /// The groups that the configuration names, as far as it can be read.
    pub configured: BTreeSet<InitiatorGroup>,
    /// This node's id, if anybody said it.
    pub node_id: Option<u16>,
}

impl Ours<'_> {
    /// Whether an initiator group on a port of ours belongs to us: those the record names; all of them when the record
    /// is that of the shell agents, which made every group; with no record only those the configuration names.
    pub fn owns(&self, group: &InitiatorGroup) -> bool {
        match self.record {
            Found::Known(record) => record.ini_groups.contains(group),
            Found::Unknown => true,
            Found::Nothing => self.configured.contains(group),
        }
    }

    /// Whether a port carries a number that only this node's agent gives.
    pub fn numbered(&self, port: &Port) -> bool {
        self.node_id.is_some_and(|id| {
            let base = u32::from(id) * 100;
            (base + 1..=base + 99).contains(&port.rel_tgt_id)
        })
    }

    /// The ports the record names, with their numbers; `None` when there is no such record.
    pub fn recorded(&self) -> Option<&[(TargetName, u16)]> {
        self.record.known().map(|record| record.ports.as_slice()).filter(|ports| !ports.is_empty())
    }

    /// Our ports as they are, with our groups: those recorded; without a record those that carry our number or a group
    /// of the configuration.
    pub fn found(&self, observer: Observer<'_>) -> Result<Ports, Error> {
        if let Some(recorded) = self.recorded() {
            let names: Vec<_> = recorded.iter().map(|(name, _)| name.clone()).collect();
            return observer.ports_to_remove(DRIVER, &names, |group| self.owns(group));
        }
        let mut names = Vec::new();
        for name in observer.port_names(DRIVER)? {
            let Some(port) = observer.port(DRIVER, &name)? else { continue };
            let groups = observer.ini_groups(DRIVER, &name)?;
            if self.numbered(&port) || groups.iter().any(|group| self.configured.contains(group)) {
                names.push(name);
            }
        }
        observer.ports_to_remove(DRIVER, &names, |group| self.owns(group))
    }
}

/// The record of ports that are up.
pub fn record(
    node: &scst_core::cluster::Member,
    ports: &[(TargetName, u16)],
    groups: BTreeSet<InitiatorGroup>,
) -> Record {
    Record {
        node: Some(node.name.clone()),
        node_id: Some(node.id),
        ports: ports.to_vec(),
        ini_groups: groups,
        ..Record::default()
    }
}
