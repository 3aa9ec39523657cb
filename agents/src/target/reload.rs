//! reload: changes initiator groups, initiators, attributes, portals and users; ports stay enabled, with their numbers.

use std::collections::BTreeSet;

use scst_core::apply::AfterFailure;
use scst_core::ocf::exit::{ExitCode, Failure};
use scst_core::ocf::param::Severity;
use scst_core::plan::{Step, ports::plan};
use scst_core::scst::names::{InitiatorGroup, TargetName};
use scst_core::state::{Port, Ports};
use scst_core::state_file::StateFile;

use super::groups::{self, Groups};
use super::ours::Ours;
use super::{LOCK, Run, foreign, group_names, owned, settings, wanted};
use crate::host::{Host, first_failure, kept, nothing_left, refuse_errors, unfinished};
use crate::missing_ports::Local;

pub(super) fn reload(run: &Run<'_>) -> Result<ExitCode, Failure> {
    let host = &run.host;
    let _lock = host.lock(LOCK)?;
    let record = host.state_files.read(None);
    let ours = Ours::find(run, &record);
    let likely = ours.names(&ours.candidates(host.observer())?, None);
    let running = ours.ports_to_remove(host.observer(), &likely)?;
    let up = |port: &Port| port.enabled && (ours.recorded().is_some() || ours.numbered(port));
    let not_running = || Failure::not_running("not running, nothing to reload");
    if !running.values().any(|port| up(port) || !port.groups.is_empty()) {
        return Err(not_running());
    }
    let (params, findings) = run.params();
    if let Err(failure) = refuse_errors(&findings) {
        return kept(failure);
    }
    let params = params.unwrap_or_default().after(&record);
    let topology = match host.topology(run.driver, &record) {
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
    let local = match run.local_ports(&topology, params.missing_ports) {
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
    match settings::refuse_unknown(run, ports, &params.settings) {
        Err(failure) if failure.code == ExitCode::Generic => return Err(failure),
        Err(failure) => return kept(failure),
        Ok(()) => {}
    }
    let started = match wanted::started(&params, topology.local.id, ports) {
        Err(failure) => return kept(failure),
        Ok(started) => started,
    };
    let names: Vec<_> = ports.iter().map(|(name, _)| name.clone()).collect();
    let found = ours.ports(host.observer(), &names, |group| ours.configured.contains(group))?;
    let wanted = wanted::reloaded(started, &found);
    let mut groups = group_names(&wanted);
    groups.extend(owned(&ours, &found));
    let record = ours.remembered(&topology.local, &local, groups, &wanted, &found);
    let found = match ours.with_settings(host.observer_until(&host.deadline().share(1, 2)), found, &wanted) {
        Ok(found) => found,
        // A daemon that hangs is no reason to restart what runs.
        Err(error) => {
            let noted = host.remember(&StateFile { unfinished: true, ..record });
            return unfinished(error.into(), noted);
        }
    };
    let mistyped = findings.iter().any(|finding| finding.severity >= Severity::Warning);
    let todo = |found: &Ports| {
        let mut steps = plan(run.driver, found, &wanted);
        if mistyped {
            steps.retain(|step| !step.takes_from_hosts());
        }
        steps
    };
    let steps = todo(&found);
    if steps.len() < plan(run.driver, &found, &wanted).len() {
        // A host that a typing mistake left out would lose its disks.
        tracing::error!("initiators has a mistake: nothing is removed until it is corrected");
    }
    tell(&params.groups, &steps, &found);
    foreign::warn(run, &ours, &found, &params.groups);
    host.remember(&record);
    let applied = host.apply(&steps, AfterFailure::GoOn);
    if host.dry_run() {
        return Ok(ExitCode::Success);
    }
    let left = match first_failure(&applied) {
        Some(failure) if applied.took_from_hosts(&steps) => return Err(failure),
        Some(failure) => Err(failure),
        None if steps.is_empty() => Ok(found),
        None => {
            let now = host.observer().ports_listed(run.driver, &found, &wanted);
            now.and_then(|now| ours.with_settings(host.observer(), now, &wanted)).map_err(Failure::from)
        }
    };
    match left.and_then(|now| nothing_left(&todo(&now)).map(|()| now)) {
        Err(failure) => {
            let noted = host.remember(&StateFile { unfinished: true, ..record });
            unfinished(failure, noted)
        }
        Ok(now) => {
            host.remember(&StateFile { ini_groups: group_names(&now), ..record });
            Ok(ExitCode::Success)
        }
    }
}

/// Logs what a reload does not change for hosts that are logged in, or cannot change at all.
fn tell(configured: &Groups, steps: &[Step], found: &Ports) {
    let later = |step: &Step| matches!(step, Step::Target { change, .. } if change.holds_for_next_login());
    if steps.iter().any(later) {
        tracing::info!("users, portals and attributes of iSCSI hold for the next login of each host");
    }
    for step in steps {
        let Step::CreateIniGroup { port, group, .. } = step else { continue };
        let there = |name: &&InitiatorGroup| found.get(port).is_some_and(|port| port.groups.contains_key(*name));
        // The kernel takes the group that came first.
        let later = configured.iter().map(|(name, _)| name).filter(there);
        for name in later.filter(|name| groups::before(configured, name).contains(&group)) {
            tracing::warn!(
                "initiator group {group} of port {port} comes after {name}, which counts for initiators of both until the resource is restarted"
            );
        }
    }
}

/// Goes on with a reload that could not do everything. The ports are those of the state file: the cluster is not asked.
pub(super) fn finish_reload(run: &Run<'_>, ours: &Ours<'_>, record: &StateFile) -> Result<(), Failure> {
    let host = &run.host;
    // Whoever holds the lock is at work, perhaps at this.
    if host.state_files.locked(LOCK) {
        return Ok(());
    }
    let _lock = host.lock(LOCK)?;
    let (params, findings) = run.params();
    let params = params.map(|params| params.after(ours.record));
    let (Some(params), Some(ports), Some(id)) = (params, ours.recorded(), record.node_id) else { return Ok(()) };
    // A monitor that does not answer in time makes the instance fail, and a daemon that hangs is asked at every one.
    let until = host.deadline().share(1, if run.driver.has_daemon() { 10 } else { 3 });
    let names: Vec<_> = ports.iter().map(|(name, _)| name.clone()).collect();
    let found = ours.ports(host.observer(), &names, |group| ours.configured.contains(group))?;
    let wanted = wanted::reloaded(wanted::started(&params, id, ports)?, &found);
    let found = ours.with_settings(host.observer_until(&until), found, &wanted)?;
    let mistyped = findings.iter().any(|finding| finding.severity >= Severity::Warning);
    let mut steps = plan(run.driver, &found, &wanted);
    steps.retain(|step| !(mistyped && step.takes_from_hosts()));
    let applied = host.apply_until(&steps, AfterFailure::GoOn, &until);
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
pub(super) fn known_ports(ours: &Ours<'_>, local: Local) -> Local {
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
