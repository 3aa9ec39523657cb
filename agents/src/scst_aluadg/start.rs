//! Start and reload: the whole device group converges to the configuration.

use std::collections::{BTreeMap, BTreeSet};

use scst_core::apply::AfterFailure;
use scst_core::cluster::{Survey, Topology};
use scst_core::deadline::Deadline;
use scst_core::error::Error;
use scst_core::ocf::exit::{ExitCode, Failure};
use scst_core::ocf::notify::{Lists, Notify};
use scst_core::ocf::param::{Finding, Severity};
use scst_core::plan::storage::{Scope, converge};
use scst_core::plan::{Plan, Step};
use scst_core::scst::alua::AluaState;
use scst_core::scst::host_id::ClusterId;
use scst_core::scst::names::{DeviceName, Driver, NodeName, TargetName};
use scst_core::scst::target::LunTable;
use scst_core::state::{LunAddress, Storage};
use scst_core::state_file::{Remembered, StateFile};

use super::agreement;
use super::here::Facts;
use super::instance::{Instance, Score, missing_backing};
use super::lockspace::{self, Reservations};
use super::params::Params;
use super::peers;
use super::published::Published;
use super::same_disk;
use super::stores;
use super::wanted::{self, LocalPorts, Mistakes, States, unmatched};
use crate::host::{
    Host, Module, first_failure, kept, nothing_left, refuse_errors, refuse_two_per_node, refuse_two_promoted,
    unfinished,
};

/// Starts the instance, unpromoted.
pub(super) fn start(host: &Host<'_>) -> Result<ExitCode, Failure> {
    let Checked { params, .. } = checked(host)?;
    let mut instance = Instance::find(host).ok_or_else(|| Failure::configured("groupname is required and not set"))?;
    let _lock = instance.lock(host)?;
    instance.refresh(host);
    let (local, score) = bring_up(host, &params, &mut instance)?;
    // Where this transition promotes the instance next, the promotion sets the score. The stop before has kept it, and to lower it now would
    // end the transition.
    let lists = Notify::from_env(&host.context.env).lists;
    let promoted_next = lists.is_some_and(|lists| lists.promote.contains(local.as_str()));
    if score == Score::Promoted || !promoted_next {
        instance.set_score(host, &local, score);
    }
    Ok(ExitCode::Success)
}

/// Everything of start that comes between parameters and lock and the score; promote of a stopped instance does the same. Answers
/// this node's name, and which score it has earned.
pub(super) fn bring_up(
    host: &Host<'_>,
    params: &Params,
    instance: &mut Instance,
) -> Result<(NodeName, Score), Failure> {
    let local = host.node_name(&instance.remembered)?;
    let survey = host.survey(&agreement::attribute(&instance.group))?;
    let topology = Host::topology_of(&survey.nodes, &local, params.driver)?;
    let disk = Module::handler("scst_disk", "dev_disk");
    host.load_modules(&[Module::scst(), disk, Module::handler("scst_vdisk", "vdisk_blockio")])?;
    if Reservations::are_shared(&host.context.env) && !host.dry_run() {
        lockspace::runs(host)?;
    }
    host.make_dir(&host.context.env.var_lib().join("pr"))?;
    let mut work = Work::new(host, params, instance, topology, survey.cluster())?;
    let mut found = instance.storage(host, host.observer())?;
    let state = local_state(&found, &local);
    let serving = state.is_some_and(AluaState::is_open) && !instance.half_started();
    let score = if serving { Score::Promoted } else { Score::Unpromoted };
    instance.release(host, &mut found)?;
    if serving {
        missing_backing(host, params, true)?;
    }
    work.scope.recreate = !serving;
    let notify = Notify::from_env(&host.context.env);
    // The target groups of peers that a dead start left have a state that nobody wrote: they count as created now.
    let nobody = Lists::default();
    let lists = notify.lists.as_ref().or_else(|| instance.half_started().then_some(&nobody));
    let states = if serving { States::Kept } else { States::Started(lists) };
    let mut wanted = wanted::storage(&work.params, &work.topology, &work.local, states, &found);
    stores::measure(host, &work.params, &found, &mut wanted)?;
    if let Some(conflict) = work.conflict(&found, &wanted)? {
        return Err(conflict);
    }
    let shown = agreement::planned(&work.params, &found, &wanted, serving);
    if let Err(conflict) = agreement::compare(&local, &shown, &survey.told, notify.lists.as_ref()) {
        if !serving {
            return Err(conflict);
        }
        tracing::error!("{conflict}");
    }
    let plan = converge(&work.scope, &found, &wanted);
    log_remarks(&plan);
    work.first_device(&plan)?;
    let before = instance.remembered.clone();
    // Before the first step, so that a run that is killed leaves a stop that knows what to look for.
    work.remember(instance, &found, &wanted);
    if !serving && !plan.steps.is_empty() {
        instance.update(host, |file| file.starting = true);
    }
    // A quarter of the time is kept for taking everything back, also when the last look does not end.
    let until = host.deadline().share(3, 4);
    let applied = host.apply_until(&plan.steps, AfterFailure::End, &until);
    if host.dry_run() {
        work.print_lips(&plan.steps)?;
        return Ok((local, score));
    }
    let unshared = applied.failed.iter().find_map(|failed| match &failed.step {
        Step::AwaitLockspace { device } => Some(lockspace::unseen(device, &failed.error)),
        _ => None,
    });
    let outcome = match unshared.or_else(|| first_failure(&applied)) {
        Some(failure) => Err(failure),
        None => work
            .verify(&plan, &found, &wanted, &until)
            .and_then(|()| lockspace::members(host, &work.topology, notify.lists.as_ref(), &work.params.devices)),
    };
    if let Err(failure) = outcome {
        work.undo(instance, &found, &before);
        return Err(failure);
    }
    work.issue_lips(&plan.steps);
    work.forget_leftovers(instance, &wanted);
    work.keep_cluster();
    agreement::publish(host, &instance.group, &local, &shown);
    agreement::remember_registered(host, &instance.group, &local, &survey.told);
    instance.update(host, |file| {
        file.starting = false;
        file.unfinished = false;
        file.moving = None;
    });
    Ok((local, score))
}

/// Makes a changed configuration effective without touching what has not changed.
pub(super) fn reload(host: &Host<'_>) -> Result<ExitCode, Failure> {
    let Some(mut instance) = Instance::find(host) else {
        return Err(Failure::not_running("not running, nothing to reload"));
    };
    let _lock = instance.lock(host)?;
    instance.refresh(host);
    let found = instance.storage(host, host.observer())?;
    if found.group.is_none() && found.devices.is_empty() {
        return Err(Failure::not_running("not running, nothing to reload"));
    }
    let local = host.node_name(&instance.remembered)?;
    let state = local_state(&found, &local);
    let mut took = false;
    let outcome = match rearrange(host, &mut instance, found, Nodes::Asked, host.deadline(), &mut took) {
        // Without hosts that miss anything there is no reason to stop what runs.
        Err(failure) if failure.code == ExitCode::Generic && !took && !host.dry_run() => {
            let noted = instance.update(host, |file| file.unfinished = true);
            unfinished(failure, noted)
        }
        outcome => outcome,
    };
    // Whatever came of it, and also where nothing was changed: Pacemaker notes a reload that succeeds as a start.
    instance.set_score(host, &local, Score::of(state));
    outcome
}

/// Goes on with a reload that could not do everything, as far as the cluster need not be asked for it.
pub(super) fn finish_reload(host: &Host<'_>, instance: &mut Instance) -> Result<(), Failure> {
    // Whoever holds the lock is at work, perhaps at this.
    if !instance.unfinished() || host.state_files.locked(instance.group.as_str()) {
        return Ok(());
    }
    let _lock = instance.lock(host)?;
    instance.refresh(host);
    let found = instance.storage(host, host.observer())?;
    if !instance.unfinished() || found.group.is_none() {
        return Ok(());
    }
    // A monitor that does not answer in time makes the instance fail.
    let until = host.deadline().share(1, 3);
    rearrange(host, instance, found, Nodes::Recorded, &until, &mut false).map(drop)
}

/// Where a reload knows the nodes and their ports from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nodes {
    /// From the cluster.
    Asked,
    /// This node from its state file, and of the others nothing: their target groups stay as they are.
    Recorded,
}

/// What a reload does to an instance that is there, until `until`. `took`: hosts miss something that they are meant to have.
fn rearrange(
    host: &Host<'_>,
    instance: &mut Instance,
    mut found: Storage,
    nodes: Nodes,
    until: &Deadline,
    took: &mut bool,
) -> Result<ExitCode, Failure> {
    let Checked { params, findings } = match checked(host) {
        Ok(checked) => checked,
        Err(failure) => return kept(failure),
    };
    let recorded = || Host::recorded_topology(&instance.remembered).map(|topology| (topology, true));
    let mut survey = Survey::default();
    let mut ask = || {
        let local = host.node_name(&instance.remembered)?;
        survey = host.survey(&agreement::attribute(&instance.group))?;
        Host::topology_of(&survey.nodes, &local, params.driver)
    };
    let (topology, alone) = match nodes {
        Nodes::Recorded => match recorded() {
            Some(recorded) => recorded,
            None => return Ok(ExitCode::Success),
        },
        Nodes::Asked => match ask() {
            Ok(topology) => (topology, false),
            // The cluster could not be asked: that says nothing about the configuration, and what the state file knows is enough
            // for devices and LUNs.
            Err(failure) if failure.code == ExitCode::Generic => match recorded() {
                Some(recorded) => {
                    tracing::error!("target groups stay as they are: {failure}");
                    recorded
                }
                None => return Err(failure),
            },
            Err(failure) => return kept(failure),
        },
    };
    let work = match Work::new(host, &params, instance, topology, survey.cluster()) {
        Err(failure) if failure.code == ExitCode::Generic => return Err(failure),
        Err(failure) => return kept(failure),
        Ok(work) => work,
    };
    let serving = local_state(&found, &work.topology.local.name).is_some_and(AluaState::is_open);
    if let Err(failure) = missing_backing(host, &params, serving) {
        return kept(failure);
    }
    if Reservations::are_shared(&host.context.env)
        && let Err(failure) = lockspace::runs(host)
    {
        return kept(failure);
    }
    instance.release(host, &mut found)?;
    let mistakes = mistakes(&findings, &params, &instance.configured(host));
    let (wanted, spared) = work.reloaded(instance, &found, &mistakes, alone)?;
    for sentence in spared {
        tracing::error!("{sentence}");
    }
    if let Some(conflict) = work.conflict(&found, &wanted)? {
        return kept(conflict);
    }
    let shown = agreement::planned(&work.params, &found, &wanted, serving);
    let local = work.topology.local.name.clone();
    if let Err(conflict) = agreement::compare(&local, &shown, &survey.told, None) {
        tracing::error!("{conflict}");
    }
    let plan = converge(&work.scope, &found, &wanted);
    log_remarks(&plan);
    if let Err(failure) = work.first_device(&plan) {
        return kept(failure);
    }
    work.remember(instance, &found, &wanted);
    let plan = Plan { steps: instance.shortened(host, plan.steps), ..plan };
    let applied = host.apply_until(&plan.steps, AfterFailure::GoOn, until);
    if host.dry_run() {
        return Ok(ExitCode::Success);
    }
    if let Some(failure) = first_failure(&applied) {
        *took = applied.took_from_hosts(&plan.steps);
        return Err(failure);
    }
    work.verify(&plan, &found, &wanted, until)?;
    work.forget_leftovers(instance, &wanted);
    work.keep_cluster();
    // A monitor that goes on with a reload starts no process.
    if nodes == Nodes::Asked {
        agreement::correct(host, &instance.group, &local, &shown);
    }
    instance.update(host, |file| file.unfinished = false);
    if serving {
        stores::remember(host, &params)?;
    }
    Ok(ExitCode::Success)
}

/// A configuration that can be started, and what is odd in it.
pub(super) struct Checked {
    pub(super) params: Params,
    pub(super) findings: Vec<Finding>,
}

/// The parameters, the clone's limits and the backing files: what can be refused without looking at SCST.
pub(super) fn checked(host: &Host<'_>) -> Result<Checked, Failure> {
    let env = &host.context.env;
    let (params, findings) = Params::parse(env);
    refuse_errors(&findings)?;
    refuse_two_per_node(env)?;
    refuse_two_promoted(env)?;
    if env.notify_enabled() == Some(false) {
        tracing::warn!("the clone does not have notify=true: hosts learn late what the other nodes do");
    }
    let params = params.ok_or_else(|| Failure::configured("no usable configuration"))?;
    missing_backing(host, &params, false)?;
    Ok(Checked { params, findings })
}

/// What an operator mistyped in a configuration that is not bad as a whole: such a device is left out of a start, but a
/// reload must not take it from its hosts.
pub(super) fn mistakes(findings: &[Finding], params: &Params, configured: &BTreeSet<DeviceName>) -> Mistakes {
    let faults = || findings.iter().filter(|finding| finding.severity >= Severity::Warning);
    let used: BTreeMap<String, &DeviceName> =
        params.devices.iter().map(|device| (format!("device{}", device.index), &device.name)).collect();
    let names = used.values().copied().collect::<BTreeSet<_>>();
    let exports = faults().filter(|fault| fault.position.as_ref().is_some_and(|at| at.starts_with("export")));
    let left_out: BTreeSet<&String> = faults()
        .map(|fault| &fault.parameter)
        .filter(|name| name.starts_with("device") && !used.contains_key(*name))
        .collect();
    let devices: BTreeSet<_> = configured.iter().filter(|name| !names.contains(name)).cloned().collect();
    Mistakes {
        unnamed: left_out.len() > devices.len(),
        devices,
        exports: exports.filter_map(|fault| used.get(&fault.parameter)).map(|name| (*name).clone()).collect(),
    }
}

fn log_remarks(plan: &Plan) {
    for error in &plan.errors {
        tracing::error!("{error}");
    }
    log_warnings(plan);
}

fn log_warnings(plan: &Plan) {
    for warning in &plan.warnings {
        tracing::warn!("{warning}");
    }
}

/// Takes back what a target group says of serving: this node is in standby, and of the others nothing is known.
fn nobody_serves(storage: &mut Storage, local: &NodeName) {
    for (node, group) in storage.group.iter_mut().flat_map(|group| &mut group.target_groups) {
        if group.state.is_open() {
            group.state = if node == local { AluaState::Standby } else { AluaState::Unavailable };
        }
    }
}

/// The state of our own target group.
pub(super) fn local_state(found: &Storage, local: &NodeName) -> Option<AluaState> {
    found.group.as_ref().and_then(|group| group.target_groups.get(local)).map(|group| group.state)
}

/// One convergence: what it works with.
pub(super) struct Work<'a> {
    host: &'a Host<'a>,
    pub(super) topology: Topology,
    pub(super) local: LocalPorts,
    /// The ports that do not exist and need not, a sentence each.
    pub(super) missing: Vec<String>,
    /// The exports that no initiator group of the local ports has the name of, a sentence each.
    pub(super) unmatched: Vec<String>,
    pub(super) scope: Scope,
    /// What counts of this node.
    facts: Facts,
    /// The configuration as this node has it.
    pub(super) params: Params,
}

impl<'a> Work<'a> {
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
        let missing = found.sentences().collect();
        let ports = found.ports;
        let observer = host.observer();
        let mut groups = BTreeMap::new();
        for (port, _) in &ports {
            groups.insert(port.clone(), observer.ini_groups(params.driver, port)?);
        }
        let local = LocalPorts { ports, groups };
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
        Ok(Self { host, topology, local, missing, unmatched, scope, facts, params })
    }

    /// What a reload makes of what is found, and a sentence for each device that it leaves as it is because of a mistake. Alone, without
    /// the cluster, it leaves the target groups as well.
    pub(super) fn reloaded(
        &self,
        instance: &Instance,
        found: &Storage,
        mistakes: &Mistakes,
        alone: bool,
    ) -> Result<(Storage, Vec<String>), Error> {
        let mut wanted = match &found.group {
            Some(group) if alone => wanted::without_cluster(&self.params, &self.local, group),
            _ => wanted::storage(&self.params, &self.topology, &self.local, States::Kept, found),
        };
        peers::finish(&mut wanted, found, &instance.remembered);
        let spared = mistakes.spare(&mut wanted, found);
        stores::measure(self.host, &self.params, found, &mut wanted)?;
        let sentence =
            |device| format!("device {device}: its configuration has a mistake, what runs of it stays as it is");
        Ok((wanted, spared.into_iter().map(sentence).collect()))
    }

    /// Without its first device a group is not started, as with a mistake in it; which devices are left out is a matter of this node.
    pub(super) fn first_device(&self, plan: &Plan) -> Result<(), Failure> {
        let first = self.params.devices.iter().find(|device| device.index == 0);
        match first.and_then(|first| plan.left_out.get_key_value(&first.name)) {
            Some((device, why)) => Err(Failure::installed(format!("device {device} cannot be added: {why}"))),
            None => Ok(()),
        }
    }

    /// What stands in the way of the plan and is not ours to move: found before the first write.
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

    /// Records what is, or is about to be, ours.
    fn remember(&self, instance: &mut Instance, found: &Storage, wanted: &Storage) {
        let devices = found.devices.keys().chain(wanted.devices.keys()).cloned().collect();
        let peers = peers::remembered(found.group.as_ref(), wanted.group.as_ref(), &instance.remembered);
        self.record(instance, devices);
        instance.stamp(self.host, &self.topology.local.name, &peers);
    }

    /// Whoever adds a device later must come to the same identifier without asking the cluster.
    fn keep_cluster(&self) {
        if self.params.devices.iter().any(|device| device.naa_auto) && self.facts.cluster.is_some() {
            let known = Published::read(self.host, &self.params.group);
            Published { cluster: self.facts.cluster, ..known }.write(self.host, &self.params.group);
        }
    }

    /// After success only the configured devices are left.
    fn forget_leftovers(&self, instance: &mut Instance, wanted: &Storage) {
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
    fn verify(&self, plan: &Plan, found: &Storage, wanted: &Storage, deadline: &Deadline) -> Result<(), Failure> {
        if plan.steps.is_empty() {
            return Ok(());
        }
        let now = self.host.observer_until(deadline).storage_listed(&self.scope.group, found, wanted)?;
        // What differs in a device that was just added is an attribute the kernel spells in its own way, or takes time for.
        let scope = Scope { recreate: false, ..self.scope.clone() };
        nothing_left(&converge(&scope, &now, wanted).steps)
    }

    /// Takes back what a failed start created. What cannot be taken back stays known by the state file, so that stop finds it.
    fn undo(&self, instance: &mut Instance, before: &Storage, remembered: &Remembered) {
        let deadline = self.host.deadline().last();
        let observer = self.host.observer_until(&deadline);
        let scope = Scope { recreate: false, ..self.scope.clone() };
        let mut before = before.clone();
        let release = observer.scst_version().ok().flatten();
        self.facts.forget_made(&mut before, release.as_deref());
        // A start that died left the states that the kernel gives to new target groups: nobody has decided them.
        if remembered.known().is_some_and(|file| file.starting) {
            nobody_serves(&mut before, &self.topology.local.name);
        }
        let before = &before;
        let undone = instance.storage(self.host, observer).and_then(|now| {
            let plan = converge(&scope, &now, before);
            log_warnings(&plan);
            let applied = self.host.apply_until(&plan.steps, AfterFailure::GoOn, &deadline);
            for failed in &applied.failed {
                tracing::error!("undoing the start: {failed}");
            }
            Ok(converge(&scope, &instance.storage(self.host, observer)?, before).steps.is_empty())
        });
        if !matches!(undone, Ok(true)) {
            return;
        }
        self.host.restore(Some(&instance.group), remembered);
        instance.remembered = remembered.clone();
    }

    /// One loop initialisation per enabled FC port whose LUNs changed, so that initiators look again.
    pub(super) fn lips(&self, steps: &[Step], deadline: &Deadline) -> Result<Vec<Step>, Error> {
        if self.scope.driver != Driver::Qla2x00t || !self.params.lip {
            return Ok(Vec::new());
        }
        let changed: BTreeSet<&TargetName> = steps
            .iter()
            .filter_map(|step| match step {
                Step::AddLun { at, .. } | Step::DelLun { at, .. } => Some(&at.table.port),
                _ => None,
            })
            .collect();
        let observer = self.host.observer_until(deadline);
        let mut lips = Vec::new();
        for port in changed {
            if !observer.port(self.scope.driver, port)?.is_some_and(|port| port.enabled) {
                continue;
            }
            if let Some(host) = observer.fc_host(port)? {
                lips.push(Step::IssueLip { port: port.clone(), host });
            } else {
                tracing::warn!("port {port} has no fc_host: no loop initialisation");
            }
        }
        Ok(lips)
    }

    fn issue_lips(&self, steps: &[Step]) {
        // A courtesy must not take the time of the rest.
        let deadline = self.host.deadline().share(1, 4);
        match self.lips(steps, &deadline) {
            Ok(lips) => _ = self.host.apply_until(&lips, AfterFailure::GoOn, &deadline),
            Err(error) => tracing::warn!("no loop initialisation: {error}"),
        }
    }

    fn print_lips(&self, steps: &[Step]) -> Result<(), Failure> {
        let lips = self.lips(steps, self.host.deadline())?;
        self.host.apply(&lips, AfterFailure::GoOn);
        Ok(())
    }
}
