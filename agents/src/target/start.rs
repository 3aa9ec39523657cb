//! start: groups first, ids next, enabling last; a start that fails undoes its own steps.

use scst_core::apply::AfterFailure;
use scst_core::cluster::Topology;
use scst_core::error::Error;
use scst_core::ocf::exit::{ExitCode, Failure};
use scst_core::plan::ports::plan;
use scst_core::scst::names::InitiatorGroup;
use scst_core::state::{Port, Ports};
use scst_core::state_file::Remembered;

use super::convergence::{Convergence, Goal};
use super::ours::{AGENTS, Ours};
use super::run::{LOCK, Run};
use super::wanted::group_names;
use super::{daemon, foreign};
use crate::host::{Module, first_failure, nothing_left, refuse_errors, refuse_two_per_node};

pub(super) fn start(run: &Run<'_>) -> Result<ExitCode, Failure> {
    let host = &run.host;
    let (params, findings) = run.params();
    refuse_errors(&findings)?;
    refuse_two_per_node(&host.context.env)?;
    let mut lock = host.lock(LOCK)?;
    let mut remembered = host.state_files.read(None);
    let params = params.unwrap_or_default();
    let topology = host.topology(run.driver, &remembered)?;
    params.check_count()?;
    if is_replaced(run, &remembered, &topology) {
        drop(lock);
        await_stop(run, &topology)?;
        lock = host.lock(LOCK)?;
        remembered = host.state_files.read(None);
    }
    let _lock = lock;
    let ours = Ours::find(run, &remembered);
    ours.refuse_held(&topology.local.listed())?;
    host.load_modules(&[Module::scst(), Module::driver(run.driver)])?;
    daemon::open(run, &params.daemon)?;
    // A quarter of the time is kept for taking everything back, also when the last look does not end.
    let until = host.deadline().share(3, 4);
    let mut convergence = Convergence::of_cluster(run, &ours, (params, &findings), &topology, Goal::Started)?;
    convergence.take_down_unlisted()?;
    if host.dry_run() {
        convergence.suppose_missing_ports();
    }
    convergence.read_settings(&until)?;
    let Convergence { found, wanted, local, .. } = &convergence;
    foreign::warn(run, &ours, found, &convergence.params.groups);
    let mut steps = convergence.steps();
    steps.extend(convergence.enable_driver(&until)?);
    let steps = steps;
    // Before the first step, so that a run that is killed leaves a stop that knows what to look for.
    host.remember(&convergence.state_file(&topology.local));
    let applied = host.apply_until(&steps, AfterFailure::End, &until);
    if host.dry_run() {
        return Ok(ExitCode::Success);
    }
    let outcome = match first_failure(&applied) {
        Some(failure) => Err(failure),
        None if steps.is_empty() => Ok(()),
        None => convergence
            .observe_again(&until)
            .map_err(Failure::from)
            .and_then(|now| nothing_left(&convergence.steps_from(&now))),
    };
    if let Err(failure) = outcome {
        let clean = undo(run, found, &ours, wanted);
        // What the daemon was asked and has not answered it may still carry out.
        let settled = !applied.failed.iter().any(|failed| {
            failed.step.asks_daemon() && (failed.is_unanswered() || matches!(failed.error, Error::Cancelled { .. }))
        });
        if clean && settled {
            host.restore(None, &remembered);
        }
        return Err(failure);
    }
    let kept: Ports = wanted.clone().into_iter().filter(|(_, port)| !port.deleted).collect();
    host.remember(&ours.to_remember(&topology.local, local, group_names(&kept), &kept, found));
    Ok(ExitCode::Success)
}

/// Whether another resource has ports of this one, in a cluster that may be about to stop it.
fn is_replaced(run: &Run<'_>, remembered: &Remembered, topology: &Topology) -> bool {
    let host = &run.host;
    let held = || Ours::find(run, remembered).refuse_held(&topology.local.listed()).is_err();
    !host.dry_run() && host.context.env.resource_is_known() && held()
}

/// Waits for the stop of the resource that has the ports.
fn await_stop(run: &Run<'_>, topology: &Topology) -> Result<(), Error> {
    let host = &run.host;
    // The lock that an older version of the other agent takes may be its own.
    let at_work = || AGENTS.iter().any(|agent| host.state_files.clone().with_locks_of(agent).locked(LOCK));
    host.await_stop(at_work, || is_replaced(run, &host.state_files.read(None), topology))
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
