//! Demote: hosts stop using this node without losing a write. Commands are held back and those in flight end before the
//! state changes.
//!
//! Where the same transition promotes another node, it ends in `transitioning`: between `standby` here and `active` there every path
//! would be standby, and hosts fail all paths at once instead of asking again. `standby` comes when the other node serves.

use std::collections::{BTreeMap, BTreeSet};

use scst_core::apply::{AfterFailure, Applied};
use scst_core::deadline::Deadline;
use scst_core::error::Error;
use scst_core::ocf::exit::{ExitCode, Failure};
use scst_core::ocf::notify::Notify;
use scst_core::plan::Step;
use scst_core::plan::storage::{self, states};
use scst_core::scst::alua::AluaState;
use scst_core::scst::device::Owed;
use scst_core::scst::names::{EntryName, NodeName};
use scst_core::state::{DeviceGroup, Storage};

use super::instance::Instance;
use super::peers;
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
    let local = host.node_name(&instance.remembered)?;
    let end = peers::after_demotion(Notify::from_env(&host.context.env).lists.as_ref(), &local);
    match local_state(&found, &local) {
        None => return Ok(ExitCode::Success),
        // An earlier demotion may have ended before the last store was closed.
        Some(AluaState::Standby | AluaState::Unavailable | AluaState::Offline) => {
            return stores::close_all(host, &instance, &local, host.deadline()).map(|()| ExitCode::Success);
        }
        Some(AluaState::Transitioning) if end == AluaState::Transitioning && instance.moving().is_some() => {
            return stores::close_all(host, &instance, &local, host.deadline()).map(|()| ExitCode::Success);
        }
        Some(AluaState::Active | AluaState::NonOptimized | AluaState::Transitioning) => {}
    }
    let applied = drain(host, &mut instance, &local, &found, end, host.deadline()).ok_or_else(|| {
        Failure::generic(format!("state file {} could not be written", host.state_files.path().display()))
    })?;
    if host.dry_run() {
        return Ok(ExitCode::Success);
    }
    match first_failure(&applied) {
        Some(failure) => Err(explained(host, &applied, failure)),
        None => verify(host, &instance, &local),
    }
}

/// Carries the demotion out until `deadline`, to the state `end`; also the first half of stopping a promoted instance.
pub(super) fn drain(
    host: &Host<'_>,
    instance: &mut Instance,
    local: &NodeName,
    found: &Storage,
    end: AluaState,
    deadline: &Deadline,
) -> Option<Applied> {
    let scope = instance.scope(local, false);
    let steps = match (local_state(found, local), found.group.as_ref()) {
        // A run died between its two states. Hosts have been told to wait already: nothing is in flight that could fail.
        (Some(AluaState::Transitioning), Some(group)) => {
            states(&scope, group, &BTreeMap::from([(local.clone(), end)])).steps
        }
        _ => storage::demote(&scope, found, end),
    };
    // Before the first block, so that whoever comes after a kill knows how many blocks are not ours.
    let blocks: BTreeMap<_, _> = steps
        .iter()
        .filter_map(|step| match step {
            Step::Block { device, before } => Some((device.clone(), Owed { before: *before, returning: false })),
            _ => None,
        })
        .collect();
    let blocked = blocks.keys().cloned().collect::<BTreeSet<_>>();
    let moving = (end == AluaState::Transitioning).then(|| host.boot_seconds());
    // What is owed already stays as it was counted: the blocks that are seen now may be our own.
    let written = instance.update(host, |file| {
        for (device, owed) in blocks {
            file.blocks.entry(device).or_insert(owed);
        }
        file.moving = moving;
    });
    if !written {
        // Blocks that nobody remembers are never given back.
        return None;
    }
    let applied = host.apply_until(&steps, AfterFailure::End, deadline);
    instance.settle_blocks(host, &blocked, &applied);
    Some(applied)
}

/// Takes the instance out of service whatever it takes: a promotion that failed, or another node that is promoted over this one. The
/// drain, with the look before it, gets half of the time until `deadline`; then on without it, because what follows is worse than a
/// write that fails.
pub(super) fn step_down(
    host: &Host<'_>,
    instance: &mut Instance,
    local: &NodeName,
    deadline: &Deadline,
) -> Result<(), Failure> {
    let half = deadline.share(1, 2);
    match instance.with_blocks(host.observer_until(&half)) {
        Ok(found) => {
            if local_state(&found, local).is_some_and(AluaState::is_open)
                && let Some(applied) = drain(host, instance, local, &found, AluaState::Standby, &half)
                && let Some(failure) = first_failure(&applied)
            {
                tracing::error!("stepping down: {failure}");
            }
        }
        // Two nodes that write to one disk destroy it, whatever could not be looked at.
        Err(error) => tracing::error!("stepping down without a drain: {error}"),
    }
    close(host, instance, local, deadline)
}

/// Standby with every store closed, at once. Where the state cannot be read, it is written all the same.
pub(super) fn close(
    host: &Host<'_>,
    instance: &Instance,
    local: &NodeName,
    deadline: &Deadline,
) -> Result<(), Failure> {
    let write = match host.observer_until(&deadline.share(1, 2)).alua_state(&instance.group, local) {
        Ok(state) => state.is_some_and(|state| state != AluaState::Standby),
        Err(error) => {
            tracing::error!("target group {local}: writing standby to a state that cannot be read: {error}");
            true
        }
    };
    let wanted = BTreeMap::from([(local.clone(), AluaState::Standby)]);
    let steps =
        if write { states(&instance.scope(local, false), &DeviceGroup::default(), &wanted).steps } else { Vec::new() };
    let written = first_failure(&host.apply_until(&steps, AfterFailure::GoOn, deadline));
    let closed = stores::close_all(host, instance, local, deadline);
    written.map_or(closed, Err)
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
