//! Demote: hosts stop using this node without losing a write. Commands are held back and those in flight end before the
//! state changes.
//!
//! Where the same transition promotes another node, it ends in `transitioning`: between `standby` here and `active` there every path
//! would be standby, and hosts fail all paths at once instead of asking again. `standby` comes when the other node serves.

use scst_core::apply::Applied;
use scst_core::error::Error;
use scst_core::ocf::exit::{ExitCode, Failure};
use scst_core::ocf::notify::Notify;
use scst_core::plan::Step;
use scst_core::scst::alua::AluaState;
use scst_core::scst::names::{EntryName, NodeName};

use super::closing;
use super::instance::Instance;
use super::peers;
use super::step_down::drain;
use crate::host::{Host, first_failure};

/// Demotes the instance. The promotion score is left alone: changed here, it would make Pacemaker forget a pending restart.
pub(super) fn demote(host: &Host<'_>) -> Result<ExitCode, Failure> {
    let Some(mut instance) = Instance::find(host) else { return Ok(ExitCode::Success) };
    let _lock = instance.lock(host)?;
    instance.refresh(host);
    let mut found = instance.with_blocks(host.observer())?;
    instance.release_blocks(host, &mut found.blocks)?;
    if found.group.is_none() {
        return Ok(ExitCode::Success);
    }
    let local = host.node_name(&instance.remembered)?;
    let end = peers::after_demotion(Notify::from_env(&host.context.env).lists.as_ref(), &local);
    match found.state(&local) {
        None => return Ok(ExitCode::Success),
        // An earlier demotion may have ended before the last store was closed.
        Some(AluaState::Standby | AluaState::Unavailable | AluaState::Offline) => {
            return closing::close_all(host, &instance, &local, host.deadline()).map(|()| ExitCode::Success);
        }
        Some(AluaState::Transitioning) if end == AluaState::Transitioning && instance.moving().is_some() => {
            return closing::close_all(host, &instance, &local, host.deadline()).map(|()| ExitCode::Success);
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
        _ => closing::close_all(host, instance, local, host.deadline()).map(|()| ExitCode::Success),
    }
}
