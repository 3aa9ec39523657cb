//! Monitor: answers what the instance does, from the kernel's tree, in a few reads whose number does not depend on LUNs
//! and initiator groups. A recurring one also corrects what got lost (`repair`, `keep_score`, an unfinished reload);
//! level 10 compares everything (`thorough`).

use std::collections::BTreeSet;

use scst_core::ocf::exit::{ExitCode, Failure};
use scst_core::scst::alua::AluaState;
use scst_core::scst::names::DeviceName;

use super::closing;
use super::instance::Instance;
use super::keep_score::keep_score;
use super::left_blocked::{forget_blocks, left_blocked};
use super::lockspace;
use super::reload;
use super::repair::{end_move, repair};
use super::score::{Score, show_score};
use super::thorough::thorough;
use crate::host::Host;

/// Answers what the instance does: running, promoted, not running, or why it has failed.
pub(super) fn monitor(host: &Host<'_>) -> Result<ExitCode, Failure> {
    let not_running = || Failure::not_running("no device group and no device of ours");
    let Some(mut instance) = Instance::find(host) else { return Err(not_running()) };
    let members = host.observer().group_devices(&instance.group)?;
    let local = match host.node_name_offline(&instance.remembered) {
        Some(local) => local,
        // By hand on a node without a state file. A machine without SCST has nothing to ask the cluster about.
        None if !exists(host, &instance)? => return Err(not_running()),
        None => host.node_name(&instance.remembered)?,
    };
    let Some(state) = host.observer().alua_state(&instance.group, &local)? else {
        if exists(host, &instance)? {
            return Err(Failure::generic(format!(
                "device group {} is half there: no target group {local}",
                instance.group
            )));
        }
        return Err(not_running());
    };
    if instance.half_started() && !host.state_files.locked(instance.group.as_str()) {
        return Err(Failure::generic(format!("device group {} is half there: its start did not end", instance.group)));
    }
    if !members.iter().any(|device| instance.owns(device)) {
        let missing: Vec<_> = instance.configured(host).iter().map(ToString::to_string).collect();
        let missing = missing.join(", ");
        return Err(Failure::generic(format!("device group {} is half there: without {missing}", instance.group)));
    }
    let (left_blocked, given_back) = left_blocked(host, &instance)?;
    let answer = match state {
        AluaState::Active | AluaState::NonOptimized => serving(host, &instance, &members, left_blocked),
        _ if left_blocked.is_some() => Err(Failure::generic(left_blocked.unwrap_or_default())),
        AluaState::Standby | AluaState::Unavailable | AluaState::Offline => waiting(host, &instance, &members),
        // Seen only beside an action by hand: Pacemaker runs one at a time.
        AluaState::Transitioning if host.state_files.locked(instance.group.as_str()) => Ok(ExitCode::Success),
        // Hosts wait for the node that is promoted in its place.
        AluaState::Transitioning if instance.moving().is_some() => waiting(host, &instance, &members),
        AluaState::Transitioning => {
            Err(Failure::generic(format!("target group {local} is transitioning, and nothing is under way")))
        }
    }?;
    if host.context.env.interval_ms() > 0 {
        if let Err(error) = lockspace::glance(host) {
            tracing::warn!("whether reservations are shared is not known: {error}");
        }
        forget_blocks(host, &mut instance, &given_back);
        reload::finish(host, &mut instance)?;
        repair(host, &mut instance, &local);
        if state == AluaState::Transitioning {
            if let Err(failure) = end_move(host, &mut instance, &local) {
                tracing::warn!("hosts wait for another node still: {failure}");
            }
        } else {
            keep_score(host, &mut instance, &local, state);
        }
    } else {
        // After a refresh or a restart of the controller nobody knows the score any more.
        show_score(host, &local, Score::of(Some(state)));
    }
    if host.context.env.check_level() >= 10 {
        thorough(host, &instance, &local)?;
    }
    Ok(answer)
}

/// Whether anything of ours is in the tree.
fn exists(host: &Host<'_>, instance: &Instance) -> Result<bool, Failure> {
    let observer = host.observer();
    if observer.group_exists(&instance.group)? {
        return Ok(true);
    }
    if observer.device_names()?.is_disjoint(&instance.named(host)) {
        return Ok(false);
    }
    // A stop leaves a device of another handler.
    Ok(instance.to_remove(host, observer)?.devices.values().any(|device| device.handler.is_some()))
}

/// Promoted: every device is open and none is held back by us.
fn serving(
    host: &Host<'_>,
    instance: &Instance,
    members: &BTreeSet<DeviceName>,
    left_blocked: Option<String>,
) -> Result<ExitCode, Failure> {
    let broken = |reason: String| Err(Failure::new(ExitCode::FailedPromoted, reason));
    let closed = closing::with_store(host, instance, members, false)?;
    if !closed.is_empty() {
        let closed: Vec<_> = closed.iter().map(DeviceName::as_str).collect();
        return broken(format!("active, but the backing store is not open: device {}", closed.join(", ")));
    }
    left_blocked.map_or(Ok(ExitCode::Promoted), broken)
}

/// Unpromoted: no store of ours should be open. One that is open is only logged: a device that the shell agents or an
/// operator has left open may do no harm.
fn waiting(host: &Host<'_>, instance: &Instance, members: &BTreeSet<DeviceName>) -> Result<ExitCode, Failure> {
    let open = closing::with_store(host, instance, members, true)?;
    if !open.is_empty() {
        let open: Vec<_> = open.iter().map(DeviceName::as_str).collect();
        tracing::warn!("not promoted, and the backing store is open all the same: device {}", open.join(", "));
    }
    Ok(ExitCode::Success)
}
