//! The actions of the target agent.

use std::collections::{BTreeMap, BTreeSet};

use scst_core::apply::AfterFailure;
use scst_core::cluster::Topology;
use scst_core::ocf::action::Action;
use scst_core::ocf::exit::{ExitCode, Failure};
use scst_core::ocf::param::AgentTable;
use scst_core::ocf::run::{Agent, Context};
use scst_core::plan::{Step, ports::plan};
use scst_core::record::{Found, Record};
use scst_core::scst::names::{InitiatorGroup, TargetName};
use scst_core::state::Ports;

use super::ours::{self, DRIVER, Ours};
use super::params::Params;
use super::table::TABLE;
use super::wanted;
use crate::host::{Host, Module, first_failure, log_findings, refuse_errors, validate};

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

fn ours<'a>(host: &Host<'_>, record: &'a Found) -> Ours<'a> {
    let configured = Params::for_stop(&host.context.env).into_iter().collect();
    Ours { record, configured, node_id: host.node_id_offline(record) }
}

fn lock(host: &Host<'_>) -> Result<Option<impl Drop + use<>>, Failure> {
    if host.dry_run() {
        return Ok(None);
    }
    host.store.lock(LOCK, host.deadline()).map(Some).map_err(Failure::from)
}

fn group_names(ports: &Ports) -> BTreeSet<InitiatorGroup> {
    ports.values().flat_map(|port| port.groups.keys().cloned()).collect()
}

fn start(host: &Host<'_>) -> Result<ExitCode, Failure> {
    let (params, findings) = Params::parse(&host.context.env);
    refuse_errors(&findings)?;
    let params = params.unwrap_or_default();
    let _lock = lock(host)?;
    let record = host.store.read(None);
    let topology = host.topology(DRIVER, &record)?;
    params.check_count()?;
    host.load_modules(&[Module::scst(), Module::driver(DRIVER)])?;
    let ports = match host.local_ports(DRIVER, &topology) {
        // In a dry run the modules may not be there, and then neither are the ports.
        Err(_) if host.dry_run() => configured_ports(&topology),
        ports => ports?,
    };
    let wanted = wanted::started(&params, topology.local.id, &ports)?;
    let ours = ours(host, &record);
    let observe = || {
        let names: Vec<_> = ports.iter().map(|(name, _)| name.clone()).collect();
        let concerns =
            |group: &InitiatorGroup| ours.owns(group) || wanted.values().any(|port| port.groups.contains_key(group));
        host.observer().ports(DRIVER, &names, concerns).map_err(Failure::from)
    };
    let found = match observe()? {
        found if found.is_empty() && host.dry_run() => fresh(&ports),
        found => found,
    };
    let steps = plan(DRIVER, &found, &wanted);
    // Before the first step, so that a run that is killed leaves a stop that knows what to look for.
    let mut groups = group_names(&wanted);
    groups.extend(group_names(&found).into_iter().filter(|group| ours.owns(group)));
    host.remember(&ours::record(&topology.local, &ports, groups));
    // A quarter of the time is kept for taking everything back.
    let applied = host.apply_until(&steps, AfterFailure::End, &host.deadline().share(3, 4));
    if host.dry_run() {
        return Ok(ExitCode::Success);
    }
    let outcome = match first_failure(&applied) {
        Some(failure) => Err(failure),
        None => observe().and_then(|now| verified(&plan(DRIVER, &now, &wanted))),
    };
    if let Err(failure) = outcome {
        undo(host, &found, &record, &ours, &ports);
        return Err(failure);
    }
    host.remember(&ours::record(&topology.local, &ports, group_names(&wanted)));
    Ok(ExitCode::Success)
}

/// The plan of a state that has been reached is empty.
fn verified(left: &[Step]) -> Result<(), Failure> {
    match left.first() {
        None => Ok(()),
        Some(step) => Err(Failure::generic(format!("still to be done after all steps succeeded: {step}"))
            .with_hint("another program changes the same ports")),
    }
}

/// Puts the ports back as they were found. What cannot be put back stays known by the record, so that stop finds it.
fn undo(host: &Host<'_>, before: &Ports, record: &Found, ours: &Ours<'_>, ports: &[(TargetName, u16)]) {
    let deadline = host.deadline().last();
    let observer = scst_core::observe::Observer { sysfs: &host.sysfs, deadline: &deadline };
    let names: Vec<_> = ports.iter().map(|(name, _)| name.clone()).collect();
    let configured = &ours.configured;
    let now = observer.ports(DRIVER, &names, |group| ours.owns(group) || configured.contains(group));
    let left = now.and_then(|now| {
        let applied = host.apply_until(&plan(DRIVER, &now, before), AfterFailure::GoOn, &deadline);
        for failed in &applied.failed {
            tracing::error!("undoing the start: {failed}");
        }
        observer.ports(DRIVER, &names, |group| ours.owns(group) || configured.contains(group))
    });
    let clean = left.is_ok_and(|left| plan(DRIVER, &left, before).is_empty());
    if clean {
        match record {
            Found::Known(record) => host.remember(record),
            Found::Unknown | Found::Nothing => {
                if let Err(error) = host.store.remove(None) {
                    tracing::warn!("record {} could not be removed: {error}", host.store.path().display());
                }
            }
        }
    }
}

/// The ports as they would be named, where the driver is not loaded.
fn configured_ports(topology: &Topology) -> Vec<(TargetName, u16)> {
    topology.local.ports.iter().map(|port| (port.name.clone(), port.rel_tgt_id)).collect()
}

fn fresh(ports: &[(TargetName, u16)]) -> Ports {
    let port = scst_core::state::Port { enabled: false, rel_tgt_id: 0, groups: BTreeMap::default() };
    ports.iter().map(|(name, _)| (name.clone(), port.clone())).collect()
}

fn stop(host: &Host<'_>) -> Result<ExitCode, Failure> {
    let _lock = lock(host)?;
    let record = host.store.read(None);
    let ours = ours(host, &record);
    let found = ours.found(host.observer())?;
    let recorded = ours.recorded().is_some();
    let down = |_: &TargetName, port: &scst_core::state::Port| recorded || ours.numbered(port);
    let wanted = wanted::stopped(&found, down);
    let applied = host.apply(&plan(DRIVER, &found, &wanted), AfterFailure::GoOn);
    if host.dry_run() {
        return Ok(ExitCode::Success);
    }
    // Even a step that failed may have come about, and a step that succeeded may have been undone by somebody else.
    let now = ours.found(host.observer())?;
    let left = plan(DRIVER, &now, &wanted::stopped(&now, down));
    if let Some(step) = left.first() {
        let failure = first_failure(&applied).unwrap_or_else(|| Failure::generic(format!("still to be done: {step}")));
        return Err(holders(host, &now, failure));
    }
    host.store.remove(None).map_err(|error| {
        Failure::generic(format!("record {} could not be removed: {error}", host.store.path().display()))
    })?;
    Ok(ExitCode::Success)
}

/// Adds to a failed stop who is still logged in to what is left.
fn holders(host: &Host<'_>, left: &Ports, failure: Failure) -> Failure {
    let mut sessions = Vec::new();
    for (port, content) in left {
        for group in content.groups.keys() {
            sessions.extend(host.observer().sessions_in(DRIVER, port, group).unwrap_or_default());
        }
    }
    if sessions.is_empty() {
        return failure;
    }
    let hint = format!("still logged in: {}", sessions.join(", "));
    failure.with_hint(hint)
}

fn monitor(host: &Host<'_>) -> Result<ExitCode, Failure> {
    let record = host.store.read(None);
    let ours = ours(host, &record);
    let learned;
    let ports: Vec<(TargetName, Option<u16>)> = if let Some(ports) = ours.recorded() {
        ports.iter().map(|(name, id)| (name.clone(), Some(*id))).collect()
    } else {
        let found = ours.found(host.observer())?;
        if found.is_empty() {
            return Err(Failure::not_running("no target port of this node is up"));
        }
        if host.context.env.interval_ms() > 0 {
            learned = learn(host, &record, &found)?;
            learned.into_iter().map(|(name, id)| (name, Some(id))).collect()
        } else {
            found.into_keys().map(|name| (name, None)).collect()
        }
    };
    let mut faults = Vec::new();
    let mut anything = false;
    for (name, id) in &ports {
        let Some(port) = host.observer().port(DRIVER, name)? else {
            faults.push(format!("port {name} does not exist"));
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
    let Some(fault) = faults.first() else {
        if host.context.env.check_level() >= 10 {
            return thorough(host, &ours, &record);
        }
        return Ok(ExitCode::Success);
    };
    if !anything {
        let mut groups = false;
        for (name, _) in &ports {
            groups |= host.observer().ini_groups(DRIVER, name)?.iter().any(|group| ours.owns(group));
        }
        if !groups {
            return Err(Failure::not_running("no target port of this node is up"));
        }
    }
    Err(Failure::generic(fault))
}

/// A running set of ports without a record that names them: asks the cluster once, and remembers.
fn learn(host: &Host<'_>, record: &Found, found: &Ports) -> Result<Vec<(TargetName, u16)>, Failure> {
    let topology = host.topology(DRIVER, record)?;
    let ports = configured_ports(&topology);
    let spelled = |name: &TargetName| found.keys().find(|f| f.matches(name.as_str())).unwrap_or(name).clone();
    let ports: Vec<_> = ports.iter().map(|(name, id)| (spelled(name), *id)).collect();
    host.remember(&ours::record(&topology.local, &ports, group_names(found)));
    Ok(ports)
}

/// Level 10: what is missing makes the instance fail, what merely differs is told.
fn thorough(host: &Host<'_>, ours: &Ours<'_>, record: &Found) -> Result<ExitCode, Failure> {
    let (params, findings) = Params::parse(&host.context.env);
    log_findings(&findings);
    let (Some(params), Some(ports), Some(id)) = (params, ours.recorded(), host.node_id_offline(record)) else {
        return Ok(ExitCode::Success);
    };
    let names: Vec<_> = ports.iter().map(|(name, _)| name.clone()).collect();
    let concerns = |group: &InitiatorGroup| ours.owns(group) || ours.configured.contains(group);
    let found = host.observer().ports(DRIVER, &names, concerns)?;
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
    let _lock = lock(host)?;
    let record = host.store.read(None);
    let ours = ours(host, &record);
    let running = ours.found(host.observer())?;
    let up = |port: &scst_core::state::Port| port.enabled && (ours.recorded().is_some() || ours.numbered(port));
    if !running.values().any(|port| up(port) || !port.groups.is_empty()) {
        return Err(Failure::not_running("not running, nothing to reload"));
    }
    let (params, findings) = Params::parse(&host.context.env);
    let refused = refuse_errors(&findings).and_then(|()| params.unwrap_or_default().check_count_ok());
    let params = match refused {
        Ok(params) => params,
        Err(failure) => return Ok(kept(&failure)),
    };
    let topology = match host.topology(DRIVER, &record) {
        // The cluster could not be asked: that says nothing about the configuration.
        Err(failure) if failure.code == ExitCode::Generic => return Err(failure),
        Err(failure) => return Ok(kept(&failure)),
        Ok(topology) => topology,
    };
    let ports = match host.local_ports(DRIVER, &topology) {
        Err(failure) => return Ok(kept(&failure)),
        Ok(ports) => known_ports(&ours, ports),
    };
    let started = match wanted::started(&params, topology.local.id, &ports) {
        Err(failure) => return Ok(kept(&failure)),
        Ok(started) => started,
    };
    let names: Vec<_> = ports.iter().map(|(name, _)| name.clone()).collect();
    let observe = || {
        let concerns = |group: &InitiatorGroup| ours.owns(group) || ours.configured.contains(group);
        host.observer().ports(DRIVER, &names, concerns).map_err(Failure::from)
    };
    let found = observe()?;
    let wanted = wanted::reloaded(started, &found);
    let mut owned = group_names(&wanted);
    owned.extend(group_names(&found).into_iter().filter(|group| ours.owns(group)));
    host.remember(&ours::record(&topology.local, &ports, owned));
    let applied = host.apply(&plan(DRIVER, &found, &wanted), AfterFailure::GoOn);
    if host.dry_run() {
        return Ok(ExitCode::Success);
    }
    if let Some(failure) = first_failure(&applied) {
        return Err(failure);
    }
    verified(&plan(DRIVER, &observe()?, &wanted))?;
    host.remember(&Record { ..ours::record(&topology.local, &ports, group_names(&wanted)) });
    Ok(ExitCode::Success)
}

/// A port that came into `targetports` since the start comes up with the next start: reload does not touch `enabled`.
fn known_ports(ours: &Ours<'_>, ports: Vec<(TargetName, u16)>) -> Vec<(TargetName, u16)> {
    let Some(recorded) = ours.recorded() else { return ports };
    let known = |name: &TargetName| recorded.iter().any(|(known, _)| known == name);
    for (name, _) in ports.iter().filter(|(name, _)| !known(name)) {
        tracing::warn!("port {name} is new in targetports: it comes up when the resource is restarted");
    }
    for (name, _) in recorded.iter().filter(|(name, _)| !ports.iter().any(|(port, _)| port == name)) {
        tracing::warn!("port {name} is no longer in targetports: it goes down when the resource is restarted");
    }
    // What runs is what is recorded, until then.
    recorded.to_vec()
}

/// A configuration that start would refuse must not stop what runs: Pacemaker answers a failed reload with a restart.
fn kept(failure: &Failure) -> ExitCode {
    tracing::error!("nothing reloaded, everything keeps running as it was: {failure}");
    ExitCode::Success
}

impl Params {
    fn check_count_ok(self) -> Result<Self, Failure> {
        self.check_count().map(|()| self)
    }
}

fn validate_all(host: &Host<'_>) -> Result<ExitCode, Failure> {
    let (params, findings) = Params::parse(&host.context.env);
    validate(&findings)?;
    params.unwrap_or_default().check_count()?;
    if host.context.env.check_level() >= 10 {
        let topology = host.topology(DRIVER, &Found::Nothing)?;
        host.local_ports(DRIVER, &topology)?;
    }
    Ok(ExitCode::Success)
}
