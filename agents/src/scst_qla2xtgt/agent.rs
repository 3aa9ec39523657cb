//! The actions of the target agent.

use std::collections::{BTreeMap, BTreeSet};

use scst_core::apply::AfterFailure;
use scst_core::cluster::Topology;
use scst_core::ocf::action::Action;
use scst_core::ocf::exit::{ExitCode, Failure};
use scst_core::ocf::param::{AgentTable, Severity};
use scst_core::ocf::run::{Agent, Context};
use scst_core::plan::{Step, ports::plan};
use scst_core::scst::names::{EntryName, InitiatorGroup, TargetName};
use scst_core::state::{Port, Ports};
use scst_core::state_file::{Remembered, StateFile};

use super::ours::{self, DRIVER, Ours};
use super::params::Params;
use super::table::TABLE;
use super::wanted;
use crate::host::{
    Host, Module, first_failure, held_by, kept, log_findings, nothing_left, refuse_errors, refuse_two_per_node,
    unfinished, validate,
};
use crate::missing_ports::{Local, MissingPorts};

/// The lock of this agent: a node has one set of ports.
const LOCK: &str = "ports";

/// The agent.
#[derive(Debug)]
pub struct Qla2xtgt;

impl Agent for Qla2xtgt {
    fn metadata(&self) -> &'static AgentTable {
        TABLE
    }

    fn run(&self, action: Action, context: &Context) -> Result<ExitCode, Failure> {
        let host = Host::new(context, TABLE.name);
        match action {
            Action::Start => start(&host),
            Action::Stop => stop(&host),
            Action::Monitor => monitor(&host),
            Action::Reload => reload(&host),
            Action::ValidateAll => validate_all(&host),
            Action::Promote | Action::Demote | Action::Notify | Action::MetaData | Action::Usage => {
                Err(Failure::new(ExitCode::Unimplemented, format!("{action} is not an action of {}", TABLE.name)))
            }
        }
    }
}

fn group_names(ports: &Ports) -> BTreeSet<InitiatorGroup> {
    ports.values().flat_map(|port| port.groups.keys().cloned()).collect()
}

/// The groups of these ports that are ours.
fn owned(ours: &Ours<'_>, ports: &Ports) -> BTreeSet<InitiatorGroup> {
    let groups = ports.iter().flat_map(|(name, port)| port.groups.keys().filter(move |group| ours.owns(name, group)));
    groups.cloned().collect()
}

/// The list of this node's ports, where nothing but it tells whose a port is. That the cluster cannot say it is no failure of
/// those who ask.
fn listed(host: &Host<'_>, record: &Remembered) -> Option<Topology> {
    host.topology(DRIVER, record)
        .inspect_err(|failure| tracing::warn!("ports not compared with the cluster: {failure}"))
        .ok()
}

fn start(host: &Host<'_>) -> Result<ExitCode, Failure> {
    let (params, findings) = Params::parse(&host.context.env);
    refuse_errors(&findings)?;
    refuse_two_per_node(&host.context.env)?;
    let params = params.unwrap_or_default();
    let _lock = host.lock(LOCK)?;
    let record = host.state_files.read(None);
    let topology = host.topology(DRIVER, &record)?;
    params.check_count()?;
    let ours = Ours::find(host, &record);
    ours.refuse_held(&topology.local.listed())?;
    host.load_modules(&[Module::scst(), Module::driver(DRIVER)])?;
    let local = match host.local_ports(DRIVER, &topology, params.missing_ports) {
        // In a dry run the modules may not be there, and then neither are the ports.
        Err(_) if host.dry_run() => topology.local.listed().into(),
        local => local?,
    };
    let ports = &local.ports;
    let mut wanted = wanted::started(&params, topology.local.id, ports)?;
    // Ports that an earlier start brought up and that are not listed any more go down, or nobody would ever take them down.
    let dropped = ours.recorded().unwrap_or_default().iter().filter(|(name, _)| !wanted.contains_key(name));
    let dropped: Vec<_> = dropped.filter(|(name, _)| ours.holder(name).is_none()).cloned().collect();
    let names: Vec<_> = ports.iter().chain(&dropped).map(|(name, _)| name.clone()).collect();
    wanted.extend(
        dropped
            .into_iter()
            .map(|(name, id)| (name, Port { enabled: false, rel_tgt_id: id.into(), groups: BTreeMap::new() })),
    );
    let wanted = wanted;
    // A quarter of the time is kept for taking everything back, also when the last look does not end.
    let until = host.deadline().share(3, 4);
    let is_wanted = |group: &InitiatorGroup| wanted.values().any(|port| port.groups.contains_key(group));
    let found = match ours.ports(host.observer_until(&until), &names, is_wanted)? {
        found if found.is_empty() && host.dry_run() => fresh(ports),
        found => found,
    };
    let steps = plan(DRIVER, &found, &wanted);
    // Before the first step, so that a run that is killed leaves a stop that knows what to look for.
    let mut groups = group_names(&wanted);
    groups.extend(owned(&ours, &found));
    host.remember(&ours::record(&topology.local, &local, groups));
    let applied = host.apply_until(&steps, AfterFailure::End, &until);
    if host.dry_run() {
        return Ok(ExitCode::Success);
    }
    let outcome = match first_failure(&applied) {
        Some(failure) => Err(failure),
        None if steps.is_empty() => Ok(()),
        None => host
            .observer_until(&until)
            .ports_listed(DRIVER, &found, &wanted)
            .map_err(Failure::from)
            .and_then(|now| nothing_left(&plan(DRIVER, &now, &wanted))),
    };
    if let Err(failure) = outcome {
        undo(host, &found, &record, &ours, ports);
        return Err(failure);
    }
    host.remember(&ours::record(&topology.local, &local, group_names(&wanted)));
    Ok(ExitCode::Success)
}

/// Puts the ports back as they were found. What cannot be put back stays known by the record, so that stop finds it.
fn undo(host: &Host<'_>, before: &Ports, record: &Remembered, ours: &Ours<'_>, ports: &[(TargetName, u16)]) {
    let deadline = host.deadline().last();
    let observer = host.observer_until(&deadline);
    let names: Vec<_> = ports.iter().map(|(name, _)| name.clone()).collect();
    let is_configured = |group: &InitiatorGroup| ours.configured.contains(group);
    let now = ours.ports(observer, &names, is_configured);
    let left = now.and_then(|now| {
        let applied = host.apply_until(&plan(DRIVER, &now, before), AfterFailure::GoOn, &deadline);
        for failed in &applied.failed {
            tracing::error!("undoing the start: {failed}");
        }
        ours.ports(observer, &names, is_configured)
    });
    let clean = left.is_ok_and(|left| plan(DRIVER, &left, before).is_empty());
    if clean {
        host.restore(None, record);
    }
}

fn fresh(ports: &[(TargetName, u16)]) -> Ports {
    let port = Port { enabled: false, rel_tgt_id: 0, groups: BTreeMap::default() };
    ports.iter().map(|(name, _)| (name.clone(), port.clone())).collect()
}

fn stop(host: &Host<'_>) -> Result<ExitCode, Failure> {
    let _lock = host.lock_to_stop(LOCK)?;
    let record = host.state_files.read(None);
    let ours = Ours::find(host, &record);
    let candidates = ours.candidates(host.observer())?;
    let recorded = ours.recorded().is_some();
    let ask = !recorded && !candidates.is_empty();
    let names = ours.names(&candidates, ask.then(|| listed(host, &record)).flatten().as_ref());
    let found = ours.ports_to_remove(host.observer(), &names)?;
    let down = |_: &TargetName, port: &Port| recorded || ours.numbered(port);
    let wanted = wanted::stopped(&found, down);
    let applied = host.apply(&plan(DRIVER, &found, &wanted), AfterFailure::GoOn);
    if host.dry_run() {
        return Ok(ExitCode::Success);
    }
    // Even a step that failed may have come about, and a step that succeeded may have been undone by somebody else. The
    // time may be over by now; what is left must be known all the same.
    let deadline = host.deadline().last();
    let now = match (ours.ports_to_remove(host.observer_until(&deadline), &names), first_failure(&applied)) {
        (Err(_), Some(failure)) => return Err(failure),
        (now, _) => now?,
    };
    let left = plan(DRIVER, &now, &wanted::stopped(&now, down));
    if let Some(step) = left.first() {
        let failure = first_failure(&applied).unwrap_or_else(|| Failure::generic(format!("still to be done: {step}")));
        let holders = held_by(&holders(host, &now));
        return Err(Failure { reason: format!("{}{holders}", failure.reason), ..failure });
    }
    for failed in &applied.failed {
        tracing::warn!("stopped all the same: {failed}");
    }
    host.forget(None);
    Ok(ExitCode::Success)
}

/// Who is still logged in to what is left.
fn holders(host: &Host<'_>, left: &Ports) -> Vec<EntryName> {
    let deadline = host.deadline().last();
    let observer = host.observer_until(&deadline);
    let groups = left.iter().flat_map(|(port, content)| content.groups.keys().map(move |group| (port, group)));
    groups.flat_map(|(port, group)| observer.sessions_in(DRIVER, port, group).unwrap_or_default()).collect()
}

fn monitor(host: &Host<'_>) -> Result<ExitCode, Failure> {
    let record = host.state_files.read(None);
    let ours = Ours::find(host, &record);
    let ports = match ours.recorded() {
        Some(ports) => ports.iter().map(|(name, id)| (name.clone(), Some(*id))).collect(),
        None => unrecorded(host, &record, &ours)?,
    };
    let missing_ports = MissingPorts::of(&host.context.env);
    let mut faults = Vec::new();
    let mut absent = Vec::new();
    let mut anything = false;
    for (name, id) in &ports {
        let Some(port) = host.observer().port(DRIVER, name)? else {
            absent.push(format!("port {name} does not exist"));
            continue;
        };
        let right =
            id.map_or_else(|| ours.numbered(&port) || ours.node_id.is_none(), |id| port.rel_tgt_id == u32::from(id));
        anything |= port.enabled && right;
        if !port.enabled {
            faults.push(format!("port {name} is not enabled"));
        } else if !right {
            faults.push(format!("port {name} has relative target id {}, not its own", port.rel_tgt_id));
        }
    }
    if missing_ports == MissingPorts::Fail || absent.len() == ports.len() {
        absent.append(&mut faults);
        std::mem::swap(&mut absent, &mut faults);
    }
    name_missing(host, &record, &absent)?;
    let Some(fault) = faults.first() else {
        if let Some(record) = record.known().filter(|record| record.unfinished && host.context.env.interval_ms() > 0)
            && let Err(failure) = finish_reload(host, &ours, record)
        {
            tracing::warn!("the last reload is still not finished: {failure}");
        }
        if host.context.env.check_level() >= 10 {
            return thorough(host, &ours, &record);
        }
        return Ok(ExitCode::Success);
    };
    if !anything {
        let mut groups = false;
        for (name, _) in &ports {
            groups |= host.observer().ini_groups(DRIVER, name)?.iter().any(|group| ours.owns(name, group));
        }
        if !groups {
            return Err(not_up());
        }
    }
    Err(Failure::generic(fault))
}

fn not_up() -> Failure {
    Failure::not_running("no target port of this node is up")
}

/// Names the ports that may be missing: those that vanished, and those that were not there at start.
fn name_missing(host: &Host<'_>, record: &Remembered, absent: &[String]) -> Result<(), Failure> {
    for sentence in absent {
        tracing::warn!("{sentence}");
    }
    for (name, _) in record.known().map(|record| &record.missing).into_iter().flatten() {
        if host.observer().port(DRIVER, name)?.is_some() {
            tracing::warn!("port {name} is there again: it comes up when the resource is restarted");
        } else {
            tracing::warn!("port {name} does not exist");
        }
    }
    Ok(())
}

/// The ports of a resource whose record names none. A recurring monitor asks the cluster once, and remembers; so does a probe,
/// without remembering, where nothing but numbers and the empty record of the shell agents says that anything is ours. What the
/// cluster cannot say, or says wrongly, is no fault of ports that run.
fn unrecorded(
    host: &Host<'_>,
    record: &Remembered,
    ours: &Ours<'_>,
) -> Result<Vec<(TargetName, Option<u16>)>, Failure> {
    let candidates = ours.candidates(host.observer())?;
    let likely = ours.names(&candidates, None);
    if likely.is_empty() {
        return Err(not_up());
    }
    let recurring = host.context.env.interval_ms() > 0;
    let ask = recurring || candidates.likely.is_empty();
    let Some(topology) = ask.then(|| listed(host, record)).flatten() else {
        return Ok(likely.into_iter().map(|name| (name, None)).collect());
    };
    let names = ours.names(&candidates, Some(&topology));
    if names.is_empty() {
        return Err(not_up());
    }
    let spelled = |name: TargetName| names.iter().find(|f| f.matches(name.as_str())).cloned().unwrap_or(name);
    let ports: Vec<_> = topology.local.listed().into_iter().map(|(name, id)| (spelled(name), id)).collect();
    if recurring {
        let found = ours.ports_to_remove(host.observer(), &names)?;
        host.remember(&ours::record(&topology.local, &ports.clone().into(), group_names(&found)));
    }
    Ok(ports.into_iter().map(|(name, id)| (name, Some(id))).collect())
}

/// Level 10: what is missing makes the instance fail, what merely differs is told.
fn thorough(host: &Host<'_>, ours: &Ours<'_>, record: &Remembered) -> Result<ExitCode, Failure> {
    let (params, findings) = Params::parse(&host.context.env);
    log_findings(&findings);
    let (Some(params), Some(ports), Some(id)) = (params, ours.recorded(), host.node_id_offline(record)) else {
        return Ok(ExitCode::Success);
    };
    let names: Vec<_> = ports.iter().map(|(name, _)| name.clone()).collect();
    let found = ours.ports(host.observer(), &names, |group| ours.configured.contains(group))?;
    let wanted = wanted::reloaded(wanted::started(&params, id, ports)?, &found);
    let mut missing = None;
    for step in plan(DRIVER, &found, &wanted) {
        match step {
            Step::CreateIniGroup { port, group, .. } => {
                missing.get_or_insert(format!("initiator group {group} of port {port} is missing"));
            }
            Step::AddInitiator { port, group, initiator, .. } => {
                missing.get_or_insert(format!("initiator {initiator} is missing in group {group} of port {port}"));
            }
            other => tracing::warn!("differs from the configuration: {other}"),
        }
    }
    missing.map_or(Ok(ExitCode::Success), |missing| Err(Failure::generic(missing)))
}

fn reload(host: &Host<'_>) -> Result<ExitCode, Failure> {
    let _lock = host.lock(LOCK)?;
    let record = host.state_files.read(None);
    let ours = Ours::find(host, &record);
    let likely = ours.names(&ours.candidates(host.observer())?, None);
    let running = ours.ports_to_remove(host.observer(), &likely)?;
    let up = |port: &Port| port.enabled && (ours.recorded().is_some() || ours.numbered(port));
    let not_running = || Failure::not_running("not running, nothing to reload");
    if !running.values().any(|port| up(port) || !port.groups.is_empty()) {
        return Err(not_running());
    }
    let (params, findings) = Params::parse(&host.context.env);
    if let Err(failure) = refuse_errors(&findings) {
        return kept(failure);
    }
    let params = params.unwrap_or_default();
    let topology = match host.topology(DRIVER, &record) {
        Ok(topology) => topology,
        // The cluster could not be asked: that says nothing about the configuration, and the record knows enough.
        Err(failure) if failure.code == ExitCode::Generic => match Host::recorded_topology(&record) {
            Some(topology) => {
                tracing::error!("ports are taken from the record: {failure}");
                topology
            }
            None => return Err(failure),
        },
        Err(failure) => return kept(failure),
    };
    let local = match host.local_ports(DRIVER, &topology, params.missing_ports) {
        // Nor does a kernel that did not answer.
        Err(failure) if failure.code == ExitCode::Generic => return Err(failure),
        Err(failure) => return kept(failure),
        Ok(local) => known_ports(&ours, local),
    };
    let ports = &local.ports;
    if ours.recorded().is_none() && !ports.iter().any(|(name, _)| likely.contains(name)) {
        return Err(not_running());
    }
    if let Err(failure) = ours.refuse_held(ports) {
        return kept(failure);
    }
    let started = match wanted::started(&params, topology.local.id, ports) {
        Err(failure) => return kept(failure),
        Ok(started) => started,
    };
    let names: Vec<_> = ports.iter().map(|(name, _)| name.clone()).collect();
    let found = ours.ports(host.observer(), &names, |group| ours.configured.contains(group))?;
    let wanted = wanted::reloaded(started, &found);
    let mistyped = findings.iter().any(|finding| finding.severity >= Severity::Warning);
    let todo = |found: &Ports| {
        let mut steps = plan(DRIVER, found, &wanted);
        if mistyped {
            steps.retain(|step| !step.takes_from_hosts());
        }
        steps
    };
    let steps = todo(&found);
    if steps.len() < plan(DRIVER, &found, &wanted).len() {
        // A host that a typing mistake left out would lose its disks.
        tracing::error!("initiators has a mistake: nothing is removed until it is corrected");
    }
    let mut groups = group_names(&wanted);
    groups.extend(owned(&ours, &found));
    host.remember(&ours::record(&topology.local, &local, groups.clone()));
    let applied = host.apply(&steps, AfterFailure::GoOn);
    if host.dry_run() {
        return Ok(ExitCode::Success);
    }
    let left = match first_failure(&applied) {
        Some(failure) if applied.took_from_hosts(&steps) => return Err(failure),
        Some(failure) => Err(failure),
        None if steps.is_empty() => Ok(found),
        None => host.observer().ports_listed(DRIVER, &found, &wanted).map_err(Failure::from),
    };
    match left.and_then(|now| nothing_left(&todo(&now)).map(|()| now)) {
        Err(failure) => {
            let record = ours::record(&topology.local, &local, groups);
            host.remember(&StateFile { unfinished: true, ..record });
            unfinished(failure)
        }
        Ok(now) => {
            host.remember(&ours::record(&topology.local, &local, group_names(&now)));
            Ok(ExitCode::Success)
        }
    }
}

/// Goes on with a reload that could not do everything. The ports are those of the record: the cluster is not asked.
fn finish_reload(host: &Host<'_>, ours: &Ours<'_>, record: &StateFile) -> Result<(), Failure> {
    // Whoever holds the lock is at work, perhaps at this.
    if host.state_files.locked(LOCK) {
        return Ok(());
    }
    let _lock = host.lock(LOCK)?;
    let (params, findings) = Params::parse(&host.context.env);
    let (Some(params), Some(ports), Some(id)) = (params, ours.recorded(), record.node_id) else { return Ok(()) };
    let names: Vec<_> = ports.iter().map(|(name, _)| name.clone()).collect();
    let found = ours.ports(host.observer(), &names, |group| ours.configured.contains(group))?;
    let wanted = wanted::reloaded(wanted::started(&params, id, ports)?, &found);
    let mistyped = findings.iter().any(|finding| finding.severity >= Severity::Warning);
    let mut steps = plan(DRIVER, &found, &wanted);
    steps.retain(|step| !(mistyped && step.takes_from_hosts()));
    // A monitor that does not answer in time makes the instance fail.
    let applied = host.apply_until(&steps, AfterFailure::GoOn, &host.deadline().share(1, 3));
    if let Some(failure) = first_failure(&applied) {
        return Err(failure);
    }
    let mut groups = group_names(&wanted);
    groups.extend(if mistyped { owned(ours, &found) } else { BTreeSet::new() });
    host.remember(&StateFile { ini_groups: groups, unfinished: false, ..record.clone() });
    Ok(())
}

/// A port that came into `targetports`, or into the machine, since the start comes up with the next start: reload does not touch
/// `enabled`.
fn known_ports(ours: &Ours<'_>, local: Local) -> Local {
    let (Some(recorded), Some(record)) = (ours.recorded(), ours.record.known()) else { return local };
    let has = |ports: &[(TargetName, u16)], name: &TargetName| ports.iter().any(|(other, _)| other == name);
    for (name, _) in local.ports.iter().filter(|(name, _)| !has(recorded, name)) {
        let why = if has(&record.missing, name) { "is there again" } else { "is new in targetports" };
        tracing::warn!("port {name} {why}: it comes up when the resource is restarted");
    }
    for (name, _) in recorded.iter().filter(|(name, _)| !has(&local.ports, name) && !has(&local.missing, name)) {
        tracing::warn!("port {name} is no longer in targetports: it goes down when the resource is restarted");
    }
    // What runs is what is recorded, until then.
    let waits = |(name, _): &&(TargetName, u16)| has(&record.missing, name) && has(&local.ports, name);
    let mut missing = local.missing;
    missing.retain(|(name, _)| !has(recorded, name));
    missing.extend(record.missing.iter().filter(waits).cloned());
    Local { ports: recorded.to_vec(), missing }
}

fn validate_all(host: &Host<'_>) -> Result<ExitCode, Failure> {
    let (params, findings) = Params::parse(&host.context.env);
    validate(&findings)?;
    let params = params.unwrap_or_default();
    params.check_count()?;
    if host.context.env.check_level() >= 10 {
        let topology = host.topology(DRIVER, &Remembered::Nothing)?;
        host.local_ports(DRIVER, &topology, params.missing_ports)?;
    }
    Ok(ExitCode::Success)
}
