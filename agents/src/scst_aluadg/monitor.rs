//! Monitor: what state the group is in, from the kernel's tree, in a handful of reads that do not grow with LUNs and groups.

use std::collections::{BTreeMap, BTreeSet};

use scst_core::apply::AfterFailure;
use scst_core::cluster;
use scst_core::ocf::exit::{ExitCode, Failure};
use scst_core::plan::Step;
use scst_core::plan::storage::{converge, states};
use scst_core::scst::alua::AluaState;
use scst_core::scst::device::Owed;
use scst_core::scst::names::{DeviceName, NodeName, TargetName};
use scst_core::state::{DeviceGroup, TargetGroup};

use super::agreement;
use super::demote::close;
use super::here::Facts;
use super::instance::{Instance, Score, show_score};
use super::lockspace;
use super::notify::picture;
use super::params::Params;
use super::peers::{self, LOST, Overdue};
use super::start::finish_reload;
use super::{missing, stores, wanted};
use crate::host::{Host, log_findings};
use crate::missing_ports::MissingPorts;

/// Says what the instance does.
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
        if let Err(failure) = finish_reload(host, &mut instance) {
            tracing::warn!("the last reload is still not finished: {failure}");
        }
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
    let recorded = instance.remembered.known().map(|file| &file.devices);
    let names = observer.device_names()?;
    let configured = instance.configured(host);
    Ok(names.iter().any(|name| configured.contains(name) || recorded.is_some_and(|devices| devices.contains(name))))
}

/// Promoted: every device is open and none is held back by us.
fn serving(
    host: &Host<'_>,
    instance: &Instance,
    members: &BTreeSet<DeviceName>,
    left_blocked: Option<String>,
) -> Result<ExitCode, Failure> {
    let broken = |reason: String| Err(Failure::new(ExitCode::FailedPromoted, reason));
    let mut closed = Vec::new();
    for device in members.iter().filter(|device| instance.owns(device)) {
        if host.observer().says_closed(device)? {
            closed.push(device.as_str());
        }
    }
    if !closed.is_empty() {
        return broken(format!("active, but the backing store is not open: device {}", closed.join(", ")));
    }
    left_blocked.map_or(Ok(ExitCode::Promoted), broken)
}

/// Unpromoted: no store of ours should be open. It is told and no more, because a device that the shell agents or a hand left open may be
/// nobody's trouble.
fn waiting(host: &Host<'_>, instance: &Instance, members: &BTreeSet<DeviceName>) -> Result<ExitCode, Failure> {
    let open = stores::open(host, instance, members)?;
    if !open.is_empty() {
        let open: Vec<_> = open.iter().map(DeviceName::as_str).collect();
        tracing::warn!("not promoted, and the backing store is open all the same: device {}", open.join(", "));
    }
    Ok(ExitCode::Success)
}

/// A device that is blocked by us, whose hosts wait, and the devices whose block is seen gone.
fn left_blocked(host: &Host<'_>, instance: &Instance) -> Result<(Option<String>, BTreeSet<DeviceName>), Failure> {
    let mut left = None;
    let mut given_back = BTreeSet::new();
    for (device, owed) in instance.blocked() {
        let now = host.observer().block(device)?;
        if now.is_none_or(|now| now.count <= owed.before) {
            // Without anybody who gives it back it was not taken yet, as far as anybody knows: a write may hang in the kernel.
            given_back.extend(owed.returning.then(|| device.clone()));
        } else if !host.state_files.locked(instance.group.as_str()) {
            left.get_or_insert(if now.is_some_and(|now| now.pending) && owed.returning {
                format!("device {device}: still blocked by a demotion that gave up: commands in flight do not end")
            } else {
                format!("device {device}: left blocked by an action that died")
            });
        }
    }
    Ok((left, given_back))
}

/// Forgets blocks that are gone: what blocks the device from now on is somebody else's.
fn forget_blocks(host: &Host<'_>, instance: &mut Instance, given_back: &BTreeSet<DeviceName>) {
    if given_back.is_empty() || host.state_files.locked(instance.group.as_str()) {
        return;
    }
    match instance.lock(host) {
        Ok(_lock) => {
            let seen = instance.blocked().clone();
            instance.refresh(host);
            // Not one that was taken while we waited for the lock.
            let same = |device: &DeviceName, owed: &Owed| given_back.contains(device) && seen.get(device) == Some(owed);
            instance.update(host, |file| file.blocks.retain(|device, owed| !same(device, owed)));
        }
        Err(failure) => tracing::warn!("blocks that are gone are still remembered: {failure}"),
    }
}

/// Hosts were told to wait for another node, which was not promoted after all, or whose notification was lost. Once nothing is under way
/// any more they need not wait.
fn end_move(host: &Host<'_>, instance: &mut Instance, local: &NodeName) -> Result<(), Failure> {
    let over = |instance: &Instance| instance.moving().is_some_and(|at| host.boot_seconds().saturating_sub(at) > LOST);
    if !over(instance) || host.state_files.locked(instance.group.as_str()) {
        return Ok(());
    }
    let roles = cluster::roles(&host.tools, host.deadline(), host.context.env.resource_id())
        .map_err(|error| Failure::generic(error.to_string()))?;
    if roles.pending {
        return Ok(());
    }
    let _lock = instance.lock(host)?;
    instance.refresh(host);
    let waiting = host.observer().alua_state(&instance.group, local)? == Some(AluaState::Transitioning);
    if over(instance) && waiting {
        close(host, instance, local, host.deadline())?;
        instance.update(host, |file| file.moving = None);
    }
    Ok(())
}

/// Sets the score where the one that was set last is not the one this state has earned: it could not be set, nobody knows of it, or
/// the instance was demoted since. Not in demote itself, where Pacemaker would forget a pending restart for it.
fn keep_score(host: &Host<'_>, instance: &mut Instance, local: &NodeName, state: AluaState) {
    let score = Score::of(Some(state));
    // Whoever holds the lock changes what is looked at here.
    if !instance.lacks_score(score) || host.state_files.locked(instance.group.as_str()) {
        return;
    }
    // The transition that is under way may be about to promote another node in place of this one: it goes first.
    if instance.score_falls(score) {
        match cluster::roles(&host.tools, host.deadline(), host.context.env.resource_id()) {
            Ok(roles) if roles.pending => return,
            Ok(_) => {}
            Err(error) => {
                tracing::warn!("the promotion score is not lowered yet: {error}");
                return;
            }
        }
    }
    if !show_score(host, local, score) {
        return;
    }
    match instance.lock(host) {
        Ok(_lock) => {
            instance.refresh(host);
            instance.remember_score(host, score);
        }
        Err(failure) => tracing::warn!("the promotion score is not remembered: {failure}"),
    }
}

/// A peer that has stood between two states for too long: its second notification was lost. Only then the cluster is asked.
fn repair(host: &Host<'_>, instance: &mut Instance, local: &NodeName) {
    let outcome = match peers::overdue(&instance.remembered, host.boot_seconds()) {
        Overdue::Peers(lost) if lost.is_empty() => Ok(()),
        Overdue::Peers(lost) => put_right(host, instance, local, &lost),
        Overdue::Unknown => learn(host, instance, local),
    };
    if let Err(failure) = outcome {
        tracing::warn!("peers not put right: {failure}");
    }
}

fn learn(host: &Host<'_>, instance: &mut Instance, local: &NodeName) -> Result<(), Failure> {
    let _lock = instance.lock(host)?;
    instance.refresh(host);
    let Some(group) = host.observer().device_group(&instance.group)? else { return Ok(()) };
    let own = group.target_groups.get(local);
    let ports = own.into_iter().flat_map(|own| &own.members).filter(|(_, member)| member.local);
    let ports =
        ports.filter_map(|(port, member)| Some((port.clone(), u16::try_from(member.rel_tgt_id).ok()?))).collect();
    let devices = group.devices.iter().filter(|device| instance.owns(device)).cloned().collect();
    let peers: BTreeMap<_, _> = group.target_groups.iter().map(|(node, there)| (node.clone(), there.state)).collect();
    let node_id = host.node_id_offline(&instance.remembered);
    instance.update(host, |file| {
        file.node = Some(local.clone());
        file.node_id = node_id;
        file.ports = ports;
        file.devices = devices;
    });
    instance.stamp(host, local, &peers);
    Ok(())
}

fn put_right(host: &Host<'_>, instance: &mut Instance, local: &NodeName, lost: &[NodeName]) -> Result<(), Failure> {
    let found = picture(host, instance, lost.iter())?;
    let mut asked = peers::stuck(&found, lost);
    let mut roles = BTreeMap::new();
    if !asked.is_empty() {
        let answer = cluster::roles(&host.tools, host.deadline(), host.context.env.resource_id());
        let answer = answer.map_err(|error| Failure::generic(error.to_string()))?;
        if peers::may_be_moving(&answer) {
            asked.clear();
        }
        roles = answer.by_node;
    }
    let _lock = instance.lock(host)?;
    instance.refresh(host);
    // While the cluster answered, a notification may have come after all: only what is still overdue is put right.
    let Overdue::Peers(lost) = peers::overdue(&instance.remembered, host.boot_seconds()) else { return Ok(()) };
    let found = picture(host, instance, lost.iter())?;
    let known: Vec<&NodeName> = peers::stuck(&found, &lost)
        .into_iter()
        .filter(|node| asked.contains(node) && published(&found, node))
        .collect();
    let wanted = peers::put_right(&known, &roles);
    let plan = states(&instance.scope(local, false), &found, &wanted);
    for step in &plan.steps {
        tracing::warn!("a notification was lost: {step}");
    }
    let applied = host.apply(&plan.steps, AfterFailure::GoOn);
    applied.failed.iter().for_each(|failed| tracing::error!("{failed}"));
    // What could not be written is tried again by the next monitor.
    let done = |node: &NodeName| {
        applied.done.iter().any(|step| matches!(step, Step::SetPeerState { node: other, .. } if other == node))
    };
    let seen = peers::seen(&found, wanted.into_iter().filter(|(node, _)| done(node)).collect());
    instance.stamp(host, local, &seen);
    Ok(())
}

fn published(found: &DeviceGroup, node: &NodeName) -> bool {
    found.target_groups.get(node).is_some_and(TargetGroup::has_remote)
}

/// Level 10: what is missing makes the instance fail, what only a reload or restart would change is told.
fn thorough(host: &Host<'_>, instance: &Instance, local: &NodeName) -> Result<(), Failure> {
    let (params, findings) = Params::parse(&host.context.env);
    log_findings(&findings);
    let found = instance.storage(host, host.observer())?;
    let (Some(params), Some(group)) = (params, found.group.as_ref()) else { return Ok(()) };
    let own = group.target_groups.get(local);
    let ports = missing::ports(instance, own);
    let present = host.observer().port_names(params.driver)?;
    // A port of this machine that is only a name there counts as remote: the kernel does not take the group for ours.
    let right = |port: &TargetName| {
        let member = own.and_then(|own| own.members.get(port));
        member.is_some_and(|member| member.local || !present.contains(port))
    };
    let may_be_missing = |port: &TargetName| params.missing_ports == MissingPorts::Warn && !present.contains(port);
    for (port, _) in ports.iter().filter(|(port, _)| may_be_missing(port)) {
        tracing::warn!("port {port} does not exist");
    }
    if let Some((port, _)) = ports.iter().find(|(port, _)| !right(port) && !may_be_missing(port)) {
        return Err(Failure::generic(format!("port {port} is missing in target group {local}")));
    }
    let promoted = own.is_some_and(|own| own.state.is_open());
    if let Some(wrong) = stores::compare(host, &params, &found, promoted)? {
        return Err(Failure::new(if promoted { ExitCode::FailedPromoted } else { ExitCode::Generic }, wrong));
    }
    if let Some(lost) = lockspace::lost(host, instance, group.devices.iter())? {
        return Err(Failure::new(if promoted { ExitCode::FailedPromoted } else { ExitCode::Generic }, lost));
    }
    let params = Facts::of(host, &params, None)?.apply(&params);
    if let Err(conflict) = agreement::thorough(host, instance, local, &params, &found, promoted) {
        // Hosts of a node that serves see what they have seen all the time.
        if !promoted {
            return Err(Failure { code: ExitCode::Generic, ..conflict });
        }
        tracing::error!("{conflict}");
    }
    let local_ports = missing::on_ports(host, &params, ports)?;
    let left_out = missing::left_out(&params, &findings, &local_ports);
    let wanted = wanted::without_cluster(&params, &local_ports, group);
    let plan = converge(&instance.scope(local, false), &found, &wanted);
    plan.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    let refused = plan.left_out.keys().map(|device| format!("device {device} is missing"));
    let mut missing = left_out.into_iter().chain(refused).next();
    for step in &plan.steps {
        match step {
            Step::AddDevice { device, .. } => _ = missing.get_or_insert(format!("device {device} is missing")),
            Step::Join { device, .. } => {
                _ = missing.get_or_insert(format!("device {device} is not in device group {}", instance.group));
            }
            Step::AddLun { at, device } if !found.luns.contains_key(at) => {
                _ = missing.get_or_insert(format!("LUN {} of {} with device {device} is missing", at.lun, at.table));
            }
            other => tracing::warn!("differs from the configuration: {other}"),
        }
    }
    missing.map_or(Ok(()), |missing| Err(Failure::generic(missing)))
}
