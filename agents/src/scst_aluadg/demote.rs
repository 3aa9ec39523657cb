//! Demote: hosts stop using this node without losing a write. Commands are held back and those in flight end before the
//! state changes.

use std::collections::BTreeMap;

use scst_core::apply::{AfterFailure, Applied};
use scst_core::deadline::Deadline;
use scst_core::error::Error;
use scst_core::gather::Gather as _;
use scst_core::ocf::exit::{ExitCode, Failure};
use scst_core::plan::Step;
use scst_core::plan::storage::{self, states};
use scst_core::scst::alua::AluaState;
use scst_core::scst::names::{DeviceName, EntryName, NodeName};
use scst_core::state::Storage;

use super::instance::Instance;
use super::start::local_state;
use super::stores;
use crate::host::{Host, first_failure};

/// Demotes the instance. The promotion score is left alone: changed here, it would make Pacemaker forget a pending restart.
pub(super) fn demote(host: &Host<'_>) -> Result<ExitCode, Failure> {
    let Some(mut instance) = Instance::find(host) else { return Ok(ExitCode::Success) };
    let _lock = instance.lock(host)?;
    instance.refresh(host);
    let mut found = instance.with_blocks(host.observer())?;
    instance.release(host, &mut found)?;
    if found.group.is_none() {
        return Ok(ExitCode::Success);
    }
    let local = host.node_name(&instance.record)?;
    match local_state(&found, &local) {
        None => return Ok(ExitCode::Success),
        // An earlier demotion may have ended before the last store was closed.
        Some(AluaState::Standby | AluaState::Unavailable | AluaState::Offline) => {
            return stores::close_all(host, &instance, &local, host.deadline()).map(|()| ExitCode::Success);
        }
        Some(AluaState::Active | AluaState::NonOptimized | AluaState::Transitioning) => {}
    }
    let applied = drain(host, &mut instance, &local, &found, host.deadline())
        .ok_or_else(|| Failure::generic(format!("record {} could not be written", host.store.path().display())))?;
    if host.dry_run() {
        return Ok(ExitCode::Success);
    }
    match first_failure(&applied) {
        Some(failure) => Err(explained(host, &applied, failure)),
        None => verify(host, &instance, &local),
    }
}

/// Carries the demotion out until `deadline`; also the first half of stopping a promoted instance.
pub(super) fn drain(
    host: &Host<'_>,
    instance: &mut Instance,
    local: &NodeName,
    found: &Storage,
    deadline: &Deadline,
) -> Option<Applied> {
    let scope = instance.scope(local, false);
    let steps = match (local_state(found, local), found.group.as_ref()) {
        // A run died between its two states. Hosts have been told to wait already: nothing is in flight that could fail.
        (Some(AluaState::Transitioning), Some(group)) => {
            states(&scope, group, &BTreeMap::from([(local.clone(), AluaState::Standby)])).steps
        }
        _ => storage::demote(&scope, found),
    };
    // Before the first block, so that whoever comes after a kill knows how many blocks are not ours.
    let blocks: BTreeMap<_, _> = steps
        .iter()
        .filter_map(|step| match step {
            Step::Block { device, before } => Some((device.clone(), *before)),
            _ => None,
        })
        .gather();
    if !instance.update(host, |record| record.blocks = blocks) {
        // Blocks that nobody remembers are never given back.
        return None;
    }
    let applied = host.apply_until(&steps, AfterFailure::End, deadline);
    // An unblock that waits for commands in flight counts as made: the kernel carries it out, and a second one could take
    // a block of others. A block that was not answered may still come about.
    let unsure = |device: &DeviceName| {
        applied.failed.iter().any(|failed| match &failed.step {
            Step::Unblock { device: other, .. } => other == device,
            Step::Block { device: other, .. } => other == device && failed.error.errno().is_none(),
            _ => false,
        })
    };
    instance.update(host, |record| record.blocks.retain(|device, _| unsure(device)));
    Some(applied)
}

/// Takes the instance out of service whatever it takes: a promotion that failed, or another node that is promoted over this one. The
/// drain gets half of the time until `deadline`; then on without it, because what follows is worse than a write that fails.
pub(super) fn step_down(
    host: &Host<'_>,
    instance: &mut Instance,
    local: &NodeName,
    deadline: &Deadline,
) -> Result<(), Failure> {
    let found = instance.with_blocks(host.observer_until(deadline))?;
    if local_state(&found, local).is_some_and(AluaState::is_open)
        && let Some(applied) = drain(host, instance, local, &found, &deadline.share(1, 2))
        && let Some(failure) = first_failure(&applied)
    {
        tracing::error!("stepping down: {failure}");
    }
    close(host, instance, local, deadline)
}

/// Standby, at once.
pub(super) fn close(
    host: &Host<'_>,
    instance: &Instance,
    local: &NodeName,
    deadline: &Deadline,
) -> Result<(), Failure> {
    let Some(group) = host.observer_until(deadline).device_group(&instance.group)? else { return Ok(()) };
    let wanted = BTreeMap::from([(local.clone(), AluaState::Standby)]);
    let steps = states(&instance.scope(local, false), &group, &wanted).steps;
    first_failure(&host.apply_until(&steps, AfterFailure::GoOn, deadline)).map_or(Ok(()), Err)
}

/// Adds to a drain that did not end whose commands it waited for.
fn explained(host: &Host<'_>, applied: &Applied, failure: Failure) -> Failure {
    let undrained = applied.failed.iter().find_map(|failed| match (&failed.step, &failed.error) {
        // The time can be over between two looks as well as during one.
        (Step::AwaitDrained { device }, error @ (Error::NotSeen { .. } | Error::Hung { .. })) => Some((device, error)),
        _ => None,
    });
    let Some((device, error)) = undrained else { return failure };
    let deadline = host.deadline().last();
    let observer = host.observer_until(&deadline);
    let busy = observer.busy_initiators(device).unwrap_or_default();
    let busy: Vec<&str> = busy.iter().map(EntryName::as_str).collect();
    if busy.is_empty() && matches!(error, Error::Hung { .. }) {
        // A kernel that does not answer, and nobody's command that could be the reason.
        return failure;
    }
    let whom = if busy.is_empty() { String::new() } else { format!(" of {}", busy.join(", ")) };
    Failure {
        reason: format!("device {device}: drain failed: commands in flight{whom} did not end in time"),
        ..failure
    }
    .with_hint("the backing device or the network to it is stuck; the group stays active so that no write is lost")
}

fn verify(host: &Host<'_>, instance: &Instance, local: &NodeName) -> Result<ExitCode, Failure> {
    match host.observer().alua_state(&instance.group, local)? {
        Some(state) if state.is_open() => {
            Err(Failure::generic(format!("target group {local}: state is {state} after writing standby")))
        }
        _ => stores::close_all(host, instance, local, host.deadline()).map(|()| ExitCode::Success),
    }
}
