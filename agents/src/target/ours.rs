//! The type [`Ours`]: which ports and initiator groups belong to this resource; every action asks it before it touches
//! one.
//!
//! The kernel's tree does not say who made an object, the state file does. Without one the names of the configuration
//! decide, and the list of this node's ports. What the state file of another resource names is that resource's.

use std::collections::BTreeSet;

use scst_core::cluster::{Member, Topology};
use scst_core::error::Error;
use scst_core::observe::{Observer, Unlistable};
use scst_core::ocf::exit::Failure;
use scst_core::scst::names::{Driver, InitiatorGroup, TargetName};
use scst_core::state::{Port, Ports};
use scst_core::state_file::{Remembered, StateFile};

use super::order;
use super::params::Params;
use super::run::Run;
use crate::missing_ports::Local;

/// The agents that bring targets up, by their names: state files carry these.
pub(super) const AGENTS: [&str; 2] = ["scst_qla2xtgt", "scst_target"];

/// What is known of the objects that are ours.
#[derive(Debug)]
pub struct Ours<'a> {
    /// The driver of the ports.
    pub driver: Driver,
    /// The agent serves other drivers as well.
    pub several_drivers: bool,
    /// The state file.
    pub remembered: &'a Remembered,
    /// The groups that the configuration names, as far as it can be read.
    pub configured: BTreeSet<InitiatorGroup>,
    /// This node's id, if it is known.
    pub node_id: Option<u16>,
    /// The state files of other resources that bring ports up on this node, by the ids of these.
    pub others: Vec<(String, Remembered)>,
}

/// Ports that may be ours.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Candidates {
    /// Those that the state file names or, where it names none, that have an initiator group of the configuration.
    pub likely: Vec<TargetName>,
    /// Those that are enabled with a number of this node, and nothing else says whose they are: others may have set them up.
    pub numbered: Vec<TargetName>,
}

impl<'a> Ours<'a> {
    /// What is known from the state file, the configuration and the state files of others.
    pub fn find(run: &Run<'_>, remembered: &'a Remembered) -> Self {
        let host = &run.host;
        let configured = Params::for_stop(&host.context.env).into_iter().collect();
        let mut others = host.state_files.others(None);
        // Another agent of this kind may have the ports of the same driver.
        for agent in AGENTS.into_iter().filter(|agent| *agent != run.agent.table.name) {
            others.extend(host.state_files.of_agent(agent));
        }
        Self {
            driver: run.driver,
            several_drivers: run.agent.driver.is_none(),
            remembered,
            configured,
            node_id: host.node_id_offline(remembered),
            others,
        }
    }
}

impl Ours<'_> {
    /// Whether an initiator group on a port of ours is ours: one that the state file names; any, when the state file is
    /// the empty one of the shell agents, which made every group; without a state file one that the configuration
    /// names. Never one that the state file of another resource names.
    pub fn owns(&self, port: &TargetName, group: &InitiatorGroup) -> bool {
        let claims = |file: &StateFile| lists(file, port) && file.ini_groups.contains(group);
        if self.others.iter().filter_map(|(_, found)| found.known()).any(claims) {
            return false;
        }
        match self.remembered {
            Remembered::Known(file) => file.ini_groups.contains(group),
            Remembered::Unknown => true,
            Remembered::Nothing => self.configured.contains(group),
        }
    }

    /// The groups of these ports that are ours.
    pub fn groups_of(&self, ports: &Ports) -> BTreeSet<InitiatorGroup> {
        let owned = |(name, port): (&TargetName, &Port)| {
            let groups = port.groups.keys().filter(|group| self.owns(name, group));
            groups.cloned().collect::<Vec<_>>()
        };
        ports.iter().flat_map(owned).collect()
    }

    /// The other resource whose state file names a port.
    pub fn holder(&self, port: &TargetName) -> Option<&str> {
        let holds = |found: &Remembered| found.known().is_some_and(|file| lists(file, port));
        self.others.iter().find(|(_, found)| holds(found)).map(|(instance, _)| instance.as_str())
    }

    /// A port has one set of initiator groups and one number, so one resource.
    ///
    /// # Errors
    ///
    /// Exit 2 naming a port that another resource has, and that resource.
    pub fn refuse_held(&self, ports: &[(TargetName, u16)]) -> Result<(), Failure> {
        let mut held = ports.iter().filter_map(|(port, _)| Some((port, self.holder(port)?)));
        held.next().map_or(Ok(()), |(port, holder)| {
            Err(Failure::args(format!("port {port} belongs to resource {holder} on this node")).with_hint(
                "one resource sets up all ports of a node: put the initiator groups of both into its parameter initiators and \
                 delete the other; a state file of a resource that is not configured any more can be deleted",
            ))
        })
    }

    /// Whether a port carries a number that only this node's agent gives.
    pub fn numbered(&self, port: &Port) -> bool {
        self.node_id.is_some_and(|id| {
            let base = u32::from(id) * 100;
            (base + 1..=base + 99).contains(&port.rel_tgt_id)
        })
    }

    /// Whether any of these ports, which [`Ours::names`] says are ours, is up or has a group of ours. Without a state
    /// file a port is up as this node's agent brings it up: with its number.
    pub fn are_up(&self, ports: &Ports) -> bool {
        let up = |port: &Port| port.enabled && (self.recorded().is_some() || self.numbered(port));
        ports.values().any(|port| up(port) || !port.groups.is_empty())
    }

    /// The ports that a reload concerns: those that were started. One that came into `targetports`, or into the machine,
    /// since then comes up with the next start, because a reload does not touch `enabled`; a warning says so.
    pub fn known_ports(&self, local: Local) -> Local {
        let (Some(recorded), Some(file)) = (self.recorded(), self.remembered.known()) else { return local };
        let has = |ports: &[(TargetName, u16)], name: &TargetName| ports.iter().any(|(other, _)| other == name);
        for (name, _) in local.ports.iter().filter(|(name, _)| !has(recorded, name)) {
            let why = if has(&file.missing, name) { "is there again" } else { "is new in targetports" };
            tracing::warn!("port {name} {why}: it comes up when the resource is restarted");
        }
        for (name, _) in recorded.iter().filter(|(name, _)| !has(&local.ports, name) && !has(&local.missing, name)) {
            tracing::warn!("port {name} is no longer in targetports: it goes down when the resource is restarted");
        }
        // What runs is what is recorded, until then.
        let waits = |(name, _): &&(TargetName, u16)| has(&file.missing, name) && has(&local.ports, name);
        let mut missing = local.missing;
        missing.retain(|(name, _)| !has(recorded, name));
        missing.extend(file.missing.iter().filter(waits).cloned());
        Local { ports: recorded.to_vec(), missing }
    }

    /// The ports that the state file names, with their relative target port identifiers; `None` when it names none.
    pub fn recorded(&self) -> Option<&[(TargetName, u16)]> {
        self.remembered.known().map(|file| file.ports.as_slice()).filter(|ports| !ports.is_empty())
    }

    /// The ports that may be ours, according to the kernel and the state files.
    ///
    /// # Errors
    ///
    /// The driver's ports, or what is needed of one of them, cannot be read.
    pub fn candidates(&self, observer: Observer<'_>) -> Result<Candidates, Error> {
        let mut found = Candidates::default();
        if let Some(recorded) = self.recorded() {
            found.likely = recorded.iter().map(|(name, _)| name.clone()).collect();
            found.likely.retain(|name| self.holder(name).is_none());
            return Ok(found);
        }
        for name in observer.port_names(self.driver)?.into_iter().filter(|name| self.holder(name).is_none()) {
            let Some(port) = observer.port(self.driver, &name)? else { continue };
            if observer.ini_groups(self.driver, &name)?.iter().any(|group| self.configured.contains(group)) {
                found.likely.push(name);
            } else if port.enabled && self.numbered(&port) {
                found.numbered.push(name);
            }
        }
        Ok(found)
    }

    /// Those of the candidates that are ours: where no state file names ports, those of this node's list. While that
    /// list is not known, the likely ones are; where there is none of these, but the empty state file of the shell
    /// agents, which says that some ports are ours, the numbered ones.
    pub fn names(&self, candidates: &Candidates, listed: Option<&Topology>) -> Vec<TargetName> {
        let Candidates { likely, numbered } = candidates;
        match listed {
            Some(listed) if self.recorded().is_none() => {
                likely.iter().chain(numbered).filter(|name| listed.local.lists(name)).cloned().collect()
            }
            None if likely.is_empty() && *self.remembered == Remembered::Unknown => numbered.clone(),
            _ => likely.clone(),
        }
    }

    /// These ports as they are, with our groups and those that `more` accepts.
    ///
    /// # Errors
    ///
    /// As for [`Observer::ports`].
    pub fn ports(
        &self,
        observer: Observer<'_>,
        names: &[TargetName],
        more: impl Fn(&InitiatorGroup) -> bool,
    ) -> Result<Ports, Error> {
        let mut ports = Ports::new();
        for name in names {
            let concerns = |group: &InitiatorGroup| self.owns(name, group) || more(group);
            ports.extend(observer.ports(self.driver, std::slice::from_ref(name), concerns, Unlistable::Refused)?);
        }
        Ok(ports)
    }

    /// The same with what else is configured of each target that `wanted` keeps: its users, its portals, and the attributes named there.
    ///
    /// # Errors
    ///
    /// As for [`Observer::settings`].
    pub fn with_settings(&self, observer: Observer<'_>, mut found: Ports, wanted: &Ports) -> Result<Ports, Error> {
        for (name, port) in &mut found {
            let Some(wanted) = wanted.get(name).filter(|wanted| !wanted.deleted) else { continue };
            if self.driver.has_daemon() || !wanted.settings.attributes.is_empty() {
                port.settings = observer.settings(self.driver, name, wanted.settings.attributes.keys())?;
            }
        }
        Ok(found)
    }

    /// The ports that are ours on a node with this list, for comparing.
    ///
    /// # Errors
    ///
    /// As for [`Ours::candidates`] and [`Ours::ports_to_remove`].
    pub fn listed_ports(&self, observer: Observer<'_>, listed: &Topology) -> Result<Ports, Error> {
        self.ports_to_remove(observer, &self.names(&self.candidates(observer)?, Some(listed)))
    }

    /// Whether the state file says that we made a target.
    pub fn made(&self, port: &TargetName) -> bool {
        self.remembered.known().is_some_and(|file| file.made.iter().any(|made| made.matches(port.as_str())))
    }

    /// The state file of ports that are up: `wanted` and, of those that were made before, what is there.
    pub fn to_remember(
        &self,
        node: &Member,
        local: &Local,
        groups: BTreeSet<InitiatorGroup>,
        wanted: &Ports,
        found: &Ports,
    ) -> StateFile {
        let made = |name: &&TargetName| self.driver.makes_targets() && (self.made(name) || !found.contains_key(*name));
        let before = self.remembered.known().map(|file| file.attributes.clone()).unwrap_or_default();
        let now = wanted.values().flat_map(|port| port.settings.attributes.keys().copied());
        StateFile {
            node: Some(node.name.clone()),
            node_id: Some(node.id),
            ports: local.ports.clone(),
            missing: local.missing.clone(),
            ini_groups: groups,
            driver: self.several_drivers.then_some(self.driver),
            made: wanted.keys().filter(made).cloned().collect(),
            attributes: before.into_iter().chain(now).collect(),
            order: self.order(found, wanted),
            ..StateFile::default()
        }
    }

    /// The order in which the groups of these ports were made once `wanted` is there.
    pub(super) fn order(&self, found: &Ports, wanted: &Ports) -> Vec<InitiatorGroup> {
        order::after(self.remembered.known().map_or(&[], |file| &file.order), found, wanted)
    }

    /// The same without other groups, for removing and for comparing: of a group that cannot be listed without its initiators.
    ///
    /// # Errors
    ///
    /// As for [`Observer::ports`].
    pub fn ports_to_remove(&self, observer: Observer<'_>, names: &[TargetName]) -> Result<Ports, Error> {
        let mut ports = Ports::new();
        for name in names {
            let concerns = |group: &InitiatorGroup| self.owns(name, group);
            ports.extend(observer.ports(self.driver, std::slice::from_ref(name), concerns, Unlistable::Empty)?);
        }
        Ok(ports)
    }
}

impl Candidates {
    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.likely.is_empty() && self.numbered.is_empty()
    }
}

/// Whether a state file names a port.
fn lists(file: &StateFile, port: &TargetName) -> bool {
    file.ports.iter().chain(&file.missing).any(|(name, _)| name.matches(port.as_str()))
}

#[cfg(test)]
mod tests {
    use super::AGENTS;
    use crate::{scst_qla2xtgt, scst_target};

    #[test]
    fn every_agent_of_this_kind_is_named() {
        assert_eq!(AGENTS, [scst_qla2xtgt::AGENT, scst_target::AGENT].map(|agent| agent.table.name));
    }
}
