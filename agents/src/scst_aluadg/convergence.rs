//! The type [`Convergence`]: what a start and a reload have gathered before they plan (ports, topology, what is special
//! about this node, the configuration), the plan, and what both do with it: find what stands in the way, verify.
//! What they write into the state file is in `remember`.
//!
//! The plans that are only shown, by a level-10 monitor, by `planned` (`scst-ha plan`) and by `difference` (`scst-ha
//! status`), are made here as well.

use std::collections::BTreeMap;

use scst_core::cluster::{Member, Port, Topology};
use scst_core::deadline::Deadline;
use scst_core::error::Error;
use scst_core::ocf::exit::Failure;
use scst_core::ocf::notify::Lists;
use scst_core::plan::Plan;
use scst_core::plan::storage::{Scope, converge};
use scst_core::scst::host_id::ClusterId;
use scst_core::scst::names::{NodeName, TargetName};
use scst_core::scst::target::LunTable;
use scst_core::state::{LunAddress, Storage, TargetGroup};

use super::instance::Instance;
use super::node_facts::Facts;
use super::params::Params;
use super::peers;
use super::same_disk;
use super::stores;
use super::wanted::{self, LocalPorts, Mistakes, States, unmatched};
use crate::backing::Store;
use crate::host::{Host, nothing_left};
use crate::missing_ports::Local;

/// What a start or a reload has gathered.
pub(super) struct Convergence<'a> {
    pub(super) host: &'a Host<'a>,
    pub(super) topology: Topology,
    pub(super) local: LocalPorts,
    /// The ports that do not exist and need not, a sentence each.
    pub(super) missing: Vec<String>,
    /// The exports to initiator groups that no local port has, a sentence each.
    pub(super) unmatched: Vec<String>,
    /// With `recreate` off.
    pub(super) scope: Scope,
    /// What is special about this node.
    pub(super) facts: Facts,
    /// The configuration with what is special about this node.
    pub(super) params: Params,
}

/// What the group converges to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Goal<'g> {
    /// Of a start: everything as configured, this node in standby, the others as the lists of the transition say.
    Started(Option<&'g Lists>),
    /// Of a start of a group that serves: everything as configured, and the states as they are.
    Serving,
    /// Of a reload: everything as configured, the states as they are, and devices with a mistake in their configuration
    /// left alone.
    Reloaded(&'g Mistakes),
    /// The same where the cluster was not asked: the target groups stay as they are as well.
    ReloadedAlone(&'g Mistakes),
}

/// What a start or a reload is about to do.
pub(super) struct Intent {
    pub(super) wanted: Storage,
    /// The devices that are left alone because of a mistake, a sentence each.
    pub(super) spared: Vec<String>,
    pub(super) plan: Plan,
}

impl<'a> Convergence<'a> {
    /// What a start or a reload gathers on a node with these ports, by what the cluster says. `stores` is what was
    /// found of the backing stores, by their path.
    ///
    /// # Errors
    ///
    /// Exit 5 where a port does not exist; exit 1 where something could not be read.
    pub(super) fn of_cluster(
        host: &'a Host<'a>,
        params: &Params,
        stores: BTreeMap<String, Store>,
        instance: &Instance,
        (topology, cluster): (Topology, Option<ClusterId>),
    ) -> Result<Self, Failure> {
        let found = match host.local_ports(params.driver, &topology, params.missing_ports) {
            // In a dry run the modules may not be there, and then neither are the ports.
            Err(_) if host.dry_run() && !host.observer().scst_loaded()? => topology.local.listed().into(),
            found => found?,
        };
        let mut gathered = Self::gather(host, params, stores, instance, (topology, cluster), found)?;
        for (port, _) in &gathered.local.ports {
            if let Some(found) = host.observer().port(params.driver, port)? {
                gathered.scope.port_ids.insert(port.clone(), found.rel_tgt_id);
            }
        }
        Ok(gathered)
    }

    /// The same without asking the cluster: this node with the ports of its state file, else with the members of its
    /// target group `own`.
    ///
    /// # Errors
    ///
    /// Exit 1 where something could not be read.
    pub(super) fn of_group(
        host: &'a Host<'a>,
        params: &Params,
        stores: BTreeMap<String, Store>,
        instance: &Instance,
        (local, own): (&NodeName, Option<&TargetGroup>),
    ) -> Result<Self, Failure> {
        let ports = instance.ports(own);
        let port = |(name, id): &(TargetName, u16)| Port { name: name.clone(), rel_tgt_id: *id };
        let id = host.node_id_offline(&instance.remembered).unwrap_or_default();
        let local = Member { name: local.clone(), id, ports: ports.iter().map(port).collect() };
        let topology = Topology { local, peers: Vec::new() };
        Self::gather(host, params, stores, instance, (topology, None), ports.into())
    }

    fn gather(
        host: &'a Host<'a>,
        params: &Params,
        stores: BTreeMap<String, Store>,
        instance: &Instance,
        (topology, cluster): (Topology, Option<ClusterId>),
        found: Local,
    ) -> Result<Self, Failure> {
        let missing = found.sentences().collect();
        let mut groups = BTreeMap::new();
        for (port, _) in &found.ports {
            groups.insert(port.clone(), host.observer().ini_groups(params.driver, port)?);
        }
        let local = LocalPorts { ports: found.ports, groups };
        let sentence =
            |(device, export)| format!("device {device}: no initiator group for export {export} on the local ports");
        let unmatched = unmatched(params, &local).into_iter().map(sentence).collect();
        let facts = Facts::of(host, params, stores, cluster)?;
        let params = facts.apply(params);
        let parameters = facts.parameters.clone();
        let scope = Scope { parameters, ..instance.scope(&topology.local.name, false) };
        Ok(Self { host, topology, local, missing, unmatched, scope, facts, params })
    }

    /// Logs the exports that nobody sees yet.
    pub(super) fn log_unmatched(&self) {
        for sentence in &self.unmatched {
            tracing::warn!("{sentence}; a reload maps it once there is one");
        }
    }

    /// What the action is about to do where `found` is there.
    pub(super) fn intent(&self, instance: &Instance, found: &Storage, goal: Goal<'_>) -> Intent {
        let configured = |states| wanted::storage(&self.params, &self.topology, &self.local, states, found);
        let (mut wanted, mistakes) = match (goal, &found.group) {
            (Goal::Started(lists), _) => (configured(States::Started(lists)), None),
            (Goal::Serving, _) => (configured(States::Kept), None),
            (Goal::ReloadedAlone(mistakes), Some(group)) => {
                (wanted::without_cluster(&self.params, &self.local, group), Some(mistakes))
            }
            (Goal::Reloaded(mistakes) | Goal::ReloadedAlone(mistakes), _) => (configured(States::Kept), Some(mistakes)),
        };
        let mut spared = Vec::new();
        if let Some(mistakes) = mistakes {
            peers::finish(&mut wanted, found, &instance.remembered);
            let sentence =
                |device| format!("device {device}: its configuration has a mistake, what runs of it stays as it is");
            spared = mistakes.spare(&mut wanted, found).into_iter().map(sentence).collect();
        }
        self.measure(found, &mut wanted);
        let scope = Scope { recreate: matches!(goal, Goal::Started(_)), ..self.scope.clone() };
        let plan = converge(&scope, found, &wanted);
        Intent { wanted, spared, plan }
    }

    /// Sets the sizes of the stores in `wanted`.
    pub(super) fn measure(&self, found: &Storage, wanted: &mut Storage) {
        stores::measure(self.host, &self.params, &self.facts.stores, found, wanted);
    }

    /// Fails where the plan leaves out `device0`, without which a group is not started.
    ///
    /// # Errors
    ///
    /// Exit 5, because it is this node that cannot have the device.
    pub(super) fn first_device(&self, plan: &Plan) -> Result<(), Failure> {
        let first = self.params.devices.iter().find(|device| device.index == 0);
        match first.and_then(|first| plan.left_out.get_key_value(&first.name)) {
            Some((device, why)) => Err(Failure::installed(format!("device {device} cannot be added: {why}"))),
            None => Ok(()),
        }
    }

    /// An object of somebody else that the plan would collide with: a device, a LUN, or another device with the same
    /// identifier. It is looked for before the first write.
    pub(super) fn conflict(&self, found: &Storage, wanted: &Storage) -> Result<Option<Failure>, Error> {
        for (name, device) in &found.devices {
            if wanted.devices.contains_key(name) && device.handler.is_none() {
                return Ok(Some(Failure::generic(format!("device {name} exists with a handler that is not ours"))));
            }
        }
        let (joining, leaving) = same_disk::exchanged(found, wanted);
        let same = same_disk::on_node(self.host, &self.params.devices, &joining, &leaving)?;
        if let Some((_, conflict)) = same.into_iter().next() {
            return Ok(Some(conflict));
        }
        let driver = self.scope.driver;
        let observer = self.host.observer();
        for (port, groups) in &self.local.groups {
            for group in groups {
                let in_use = observer.luns_in_use(driver, port, group)?;
                let Some(table) = LunTable::of_group(driver, port, group) else { continue };
                let clash = in_use.iter().find_map(|lun| {
                    let at = LunAddress { table: table.clone(), lun: *lun };
                    wanted.luns.get_key_value(&at).filter(|_| !found.luns.contains_key(&at))
                });
                if let Some((LunAddress { lun, .. }, mapped)) = clash {
                    let holder = observer.lun_device(driver, port, group, *lun)?.unwrap_or_default();
                    let conflict = Failure::generic(format!(
                        "LUN {lun} of group {group} is device {holder}, wanted for {} on port {port}",
                        mapped.device
                    ));
                    let hint = "two device groups export to the same LUN, or somebody mapped it by hand";
                    return Ok(Some(conflict.with_hint(hint)));
                }
            }
        }
        Ok(None)
    }

    /// Observes again: the plan of a state that has been reached is empty. What the kernel acknowledged is looked for by
    /// name; after a plan without steps there is nothing new to see.
    pub(super) fn verify(
        &self,
        plan: &Plan,
        found: &Storage,
        wanted: &Storage,
        deadline: &Deadline,
    ) -> Result<(), Failure> {
        if plan.steps.is_empty() {
            return Ok(());
        }
        let now = self.host.observer_until(deadline).storage_listed(&self.scope.group, found, wanted)?;
        // What differs in a device that was just added is an attribute the kernel spells in its own way, or takes time
        // for: it is no reason to add the device again.
        nothing_left(&converge(&self.scope, &now, wanted).steps)
    }
}

pub(super) fn log_remarks(plan: &Plan) {
    for error in &plan.errors {
        tracing::error!("{error}");
    }
    log_warnings(plan);
}

pub(super) fn log_warnings(plan: &Plan) {
    for warning in &plan.warnings {
        tracing::warn!("{warning}");
    }
}
