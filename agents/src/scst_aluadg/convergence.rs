//! The type [`Convergence`]: what a start and a reload have gathered before they plan (ports, topology, what is special
//! about this node, the configuration), and what both do with it: find what stands in the way, remember, verify.
//! `planned` and `difference` use it to make a plan without carrying it out.

use std::collections::BTreeSet;

use scst_core::cluster::Topology;
use scst_core::deadline::Deadline;
use scst_core::error::Error;
use scst_core::ocf::exit::Failure;
use scst_core::plan::Plan;
use scst_core::plan::storage::{Scope, converge};
use scst_core::scst::host_id::ClusterId;
use scst_core::scst::names::DeviceName;
use scst_core::scst::target::LunTable;
use scst_core::state::{LunAddress, Storage};
use scst_core::state_file::StateFile;

use super::here::Facts;
use super::instance::Instance;
use super::missing;
use super::params::Params;
use super::peers;
use super::published::Published;
use super::same_disk;
use super::stores;
use super::wanted::{self, LocalPorts, Mistakes, States, unmatched};
use crate::host::{Host, nothing_left};

/// What a start or a reload has gathered.
pub(super) struct Convergence<'a> {
    pub(super) host: &'a Host<'a>,
    pub(super) topology: Topology,
    pub(super) local: LocalPorts,
    /// The ports that do not exist and need not, a sentence each.
    pub(super) missing: Vec<String>,
    /// The exports to initiator groups that no local port has, a sentence each.
    pub(super) unmatched: Vec<String>,
    pub(super) scope: Scope,
    /// What is special about this node.
    pub(super) facts: Facts,
    /// The configuration with what is special about this node.
    pub(super) params: Params,
}

impl<'a> Convergence<'a> {
    pub(super) fn new(
        host: &'a Host<'a>,
        params: &Params,
        instance: &Instance,
        topology: Topology,
        cluster: Option<ClusterId>,
    ) -> Result<Self, Failure> {
        let found = match host.local_ports(params.driver, &topology, params.missing_ports) {
            // In a dry run the modules may not be there, and then neither are the ports.
            Err(_) if host.dry_run() && !host.observer().scst_loaded()? => topology.local.listed().into(),
            found => found?,
        };
        let absent = found.sentences().collect();
        let local = missing::on_ports(host, params, found.ports)?;
        let observer = host.observer();
        let unmatched: Vec<String> = unmatched(params, &local)
            .into_iter()
            .map(|(device, export)| {
                format!("device {device}: no initiator group for export {export} on the local ports")
            })
            .collect();
        for sentence in &unmatched {
            tracing::warn!("{sentence}; a reload maps it once there is one");
        }
        let mut scope = instance.scope(&topology.local.name, false);
        for (port, _) in &local.ports {
            if let Some(found) = observer.port(params.driver, port)? {
                scope.port_ids.insert(port.clone(), found.rel_tgt_id);
            }
        }
        let facts = Facts::of(host, params, cluster)?;
        let params = facts.apply(params);
        scope.parameters.clone_from(&facts.parameters);
        Ok(Self { host, topology, local, missing: absent, unmatched, scope, facts, params })
    }

    /// The state that a reload wants where `found` is there, and a sentence for each device that it leaves as it is
    /// because of a mistake. `alone`: the cluster could not be asked, so the target groups stay as well.
    pub(super) fn reloaded(
        &self,
        instance: &Instance,
        found: &Storage,
        mistakes: &Mistakes,
        alone: bool,
    ) -> (Storage, Vec<String>) {
        let mut wanted = match &found.group {
            Some(group) if alone => wanted::without_cluster(&self.params, &self.local, group),
            _ => wanted::storage(&self.params, &self.topology, &self.local, States::Kept, found),
        };
        peers::finish(&mut wanted, found, &instance.remembered);
        let spared = mistakes.spare(&mut wanted, found);
        self.measure(found, &mut wanted);
        let sentence =
            |device| format!("device {device}: its configuration has a mistake, what runs of it stays as it is");
        (wanted, spared.into_iter().map(sentence).collect())
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
        let added = wanted.devices.keys().filter(|name| !found.devices.contains_key(*name)).collect();
        if let Some((_, conflict)) = same_disk::on_node(self.host, &self.params.devices, &added)?.into_iter().next() {
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

    /// Writes into the state file what is, or is about to be, ours.
    pub(super) fn remember(&self, instance: &mut Instance, found: &Storage, wanted: &Storage) {
        let devices = found.devices.keys().chain(wanted.devices.keys()).cloned().collect();
        let peers = peers::remembered(found.group.as_ref(), wanted.group.as_ref(), &instance.remembered);
        self.record(instance, devices);
        instance.stamp(self.host, &self.topology.local.name, &peers);
    }

    /// Keeps the cluster's name for `naa_id=auto`: an action that adds a device later makes the same identifier without
    /// asking the cluster.
    pub(super) fn keep_cluster(&self) {
        if self.params.devices.iter().any(|device| device.naa_auto) && self.facts.cluster.is_some() {
            let known = Published::read(self.host, &self.params.group);
            Published { cluster: self.facts.cluster, ..known }.write(self.host, &self.params.group);
        }
    }

    /// After success only the configured devices are left.
    pub(super) fn forget_leftovers(&self, instance: &mut Instance, wanted: &Storage) {
        self.record(instance, wanted.devices.keys().cloned().collect());
    }

    fn record(&self, instance: &mut Instance, devices: BTreeSet<DeviceName>) {
        let own = &self.topology.local;
        instance.update(self.host, |file: &mut StateFile| {
            file.node = Some(own.name.clone());
            file.node_id = Some(own.id);
            file.ports.clone_from(&self.local.ports);
            file.devices = devices;
        });
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
        // What differs in a device that was just added is an attribute the kernel spells in its own way, or takes time for.
        let scope = Scope { recreate: false, ..self.scope.clone() };
        nothing_left(&converge(&scope, &now, wanted).steps)
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
