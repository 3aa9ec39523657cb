//! start: groups first, ids next, enabling last; a start that fails undoes its own steps.

use scst_core::apply::AfterFailure;
use scst_core::error::Error;
use scst_core::ocf::exit::{ExitCode, Failure};
use scst_core::plan::{Step, ports::plan};
use scst_core::scst::names::{InitiatorGroup, TargetName};
use scst_core::state::{Port, Ports};

use super::ours::Ours;
use super::{LOCK, Run, daemon, foreign, group_names, owned, settings, wanted};
use crate::host::{Module, first_failure, nothing_left, refuse_errors, refuse_two_per_node};

pub(super) fn start(run: &Run<'_>) -> Result<ExitCode, Failure> {
    let host = &run.host;
    let (params, findings) = run.params();
    refuse_errors(&findings)?;
    refuse_two_per_node(&host.context.env)?;
    let _lock = host.lock(LOCK)?;
    let record = host.state_files.read(None);
    let params = params.unwrap_or_default().after(&record);
    let topology = host.topology(run.driver, &record)?;
    params.check_count()?;
    let ours = Ours::find(run, &record);
    ours.refuse_held(&topology.local.listed())?;
    host.load_modules(&[Module::scst(), Module::driver(run.driver)])?;
    daemon::open(run, &params.daemon)?;
    let local = match run.local_ports(&topology, params.missing_ports) {
        // In a dry run the modules may not be there, and then neither are the ports.
        Err(_) if host.dry_run() => topology.local.listed().into(),
        local => local?,
    };
    let ports = &local.ports;
    settings::refuse_unknown(run, ports, &params.settings)?;
    let mut wanted = wanted::started(&params, topology.local.id, ports)?;
    // Ports that an earlier start brought up and that are not listed any more go down, or nobody would ever take them down.
    let dropped = ours.recorded().unwrap_or_default().iter().filter(|(name, _)| !wanted.contains_key(name));
    let dropped: Vec<_> = dropped.filter(|(name, _)| ours.holder(name).is_none()).cloned().collect();
    let names: Vec<_> = ports.iter().chain(&dropped).map(|(name, _)| name.clone()).collect();
    wanted.extend(dropped.into_iter().map(|(name, id)| {
        let deleted = ours.made(&name);
        (name, Port { rel_tgt_id: id.into(), deleted, ..Port::default() })
    }));
    let wanted = wanted;
    // A quarter of the time is kept for taking everything back, also when the last look does not end.
    let until = host.deadline().share(3, 4);
    let is_wanted = |group: &InitiatorGroup| wanted.values().any(|port| port.groups.contains_key(group));
    let found = match ours.ports(host.observer_until(&until), &names, is_wanted)? {
        found if found.is_empty() && host.dry_run() && !run.driver.makes_targets() => fresh(ports),
        found => ours.with_settings(host.observer_until(&until), found, &wanted)?,
    };
    foreign::warn(run, &ours, &found, &params.groups);
    let mut steps = plan(run.driver, &found, &wanted);
    if host.observer_until(&until).driver_enabled(run.driver)? == Some(false) {
        steps.push(Step::EnableDriver { driver: run.driver });
    }
    let steps = steps;
    // Before the first step, so that a run that is killed leaves a stop that knows what to look for.
    let mut groups = group_names(&wanted);
    groups.extend(owned(&ours, &found));
    host.remember(&ours.remembered(&topology.local, &local, groups, &wanted, &found));
    let applied = host.apply_until(&steps, AfterFailure::End, &until);
    if host.dry_run() {
        return Ok(ExitCode::Success);
    }
    let outcome = match first_failure(&applied) {
        Some(failure) => Err(failure),
        None if steps.is_empty() => Ok(()),
        None => host
            .observer_until(&until)
            .ports_listed(run.driver, &found, &wanted)
            .and_then(|now| ours.with_settings(host.observer_until(&until), now, &wanted))
            .map_err(Failure::from)
            .and_then(|now| nothing_left(&plan(run.driver, &now, &wanted))),
    };
    if let Err(failure) = outcome {
        let clean = undo(run, &found, &ours, &wanted);
        // What the daemon was asked and has not answered it may still carry out.
        let settled = !applied.failed.iter().any(|failed| {
            failed.step.asks_daemon() && (failed.is_unanswered() || matches!(failed.error, Error::Cancelled { .. }))
        });
        if clean && settled {
            host.restore(None, &record);
        }
        return Err(failure);
    }
    let kept: Ports = wanted.into_iter().filter(|(_, port)| !port.deleted).collect();
    host.remember(&ours.remembered(&topology.local, &local, group_names(&kept), &kept, &found));
    Ok(ExitCode::Success)
}

/// Puts the ports back as they were found, and says whether they are. What cannot be put back stays in the state file, so that stop finds
/// it.
fn undo(run: &Run<'_>, before: &Ports, ours: &Ours<'_>, wanted: &Ports) -> bool {
    let host = &run.host;
    let deadline = host.deadline().last();
    let observer = host.observer_until(&deadline);
    let names: Vec<_> = wanted.keys().cloned().collect();
    let is_configured = |group: &InitiatorGroup| ours.configured.contains(group);
    let mut aim = before.clone();
    for name in wanted.keys().filter(|name| run.driver.makes_targets() && !before.contains_key(*name)) {
        aim.insert(name.clone(), Port { deleted: true, ..Port::default() });
    }
    let look = || {
        let now = ours.ports(observer, &names, is_configured)?;
        ours.with_settings(observer, now, &aim)
    };
    let left = look().and_then(|now| {
        let applied = host.apply_until(&plan(run.driver, &now, &aim), AfterFailure::GoOn, &deadline);
        for failed in &applied.failed {
            tracing::error!("undoing the start: {failed}");
        }
        look()
    });
    left.is_ok_and(|left| plan(run.driver, &left, &aim).is_empty())
}

fn fresh(ports: &[(TargetName, u16)]) -> Ports {
    let port = Port::default();
    ports.iter().map(|(name, _)| (name.clone(), port.clone())).collect()
}
