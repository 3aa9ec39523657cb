//! Notify: what hosts are told of the other nodes follows what Pacemaker says happens to them.
//!
//! It stands in the way of a failover, so it works from environment and sysfs alone. Pacemaker discards its exit code, so
//! what goes wrong is logged, and put right by the next promote or monitor.
//!
//! One notification is about this node although it names another one: a promotion over an instance that serves.

use std::collections::BTreeMap;
use std::time::Duration;

use scst_core::apply::AfterFailure;
use scst_core::ocf::exit::{ExitCode, Failure};
use scst_core::ocf::notify::{Lists, Notify};
use scst_core::plan::Step;
use scst_core::plan::storage::states;
use scst_core::scst::alua::AluaState;
use scst_core::scst::names::NodeName;

use super::instance::Instance;
use super::peers;
use super::step_down::{close, step_down};
use crate::host::Host;

/// How long another action of the same group is waited for. Every node waits for a notification, and what it would have written is
/// put right by the next promote or monitor.
const PATIENCE: Duration = Duration::from_secs(2);

/// Follows one notification.
pub(super) fn notify(host: &Host<'_>) -> ExitCode {
    if let Some(mut instance) = Instance::find(host)
        && let Err(error) = follow(host, &mut instance)
    {
        tracing::error!("notification not followed: {error}");
    }
    ExitCode::Success
}

fn follow(host: &Host<'_>, instance: &mut Instance) -> Result<(), Failure> {
    let notify = Notify::from_env(&host.context.env);
    // Without our own name our target group is known all the same: it has no remote port, and is left alone for that.
    let local = host.node_name_offline(&instance.remembered);
    let local = local.as_ref();
    if let Some(local) = local.filter(|local| peers::promoted_over(&notify, local, host.context.env.promoted_max())) {
        give_way(host, instance, local)?;
    }
    let mut wanted = peers::notified(&notify, local);
    let arrived = local.filter(|local| peers::arrived(&notify, local) && instance.moving().is_some());
    if let Some(local) = arrived {
        wanted.insert(local.clone(), AluaState::Standby);
    }
    if wanted.is_empty() {
        return Ok(());
    }
    let superseded = peers::superseded(&notify, local, host.context.env.promoted_max());
    let _lock = host.lock_within(instance.group.as_str(), PATIENCE)?;
    instance.refresh(host);
    let nodes = wanted.keys().chain(superseded.iter().filter(|node| !wanted.contains_key(*node)));
    let found = instance.view(host.observer(), nodes)?;
    // Nor does anybody wait for one that runs: the demotion may have been part of another transition, which was aborted.
    let running = notify.lists.as_ref().map(Lists::running_after).unwrap_or_default();
    let over = |node: &NodeName, state: AluaState| {
        state.is_open() || (state == AluaState::Transitioning && running.contains(node.as_str()))
    };
    for node in superseded {
        if found.get(&node).is_some_and(|there| over(&node, there.state)) {
            wanted.entry(node).or_insert(AluaState::Standby);
        }
    }
    // Hosts were told to wait for the other node, and by nobody else meanwhile to do anything else.
    if let Some(local) = local.filter(|local| found.get(*local).is_none_or(|own| own.state != AluaState::Transitioning))
    {
        wanted.remove(local);
    }
    if found.is_empty() {
        return Ok(());
    }
    if !instance.blocked().is_empty() {
        give_back(host, instance);
    }
    let plan = states(&instance.scope(local, false), &found, &wanted);
    for warning in &plan.warnings {
        tracing::warn!("{warning}");
    }
    // That one stands between two states is remembered before it is written, that it does not any more after it: a run that is killed, and a
    // write that fails, leave a peer that somebody looks after.
    let published = |node: &NodeName| found.get(node).is_some_and(|there| there.remote);
    let there = wanted.into_iter().filter(|(node, _)| published(node));
    let (between, at_rest): (BTreeMap<_, _>, BTreeMap<_, _>) =
        there.partition(|(_, state)| *state == AluaState::Transitioning);
    instance.stamp(host, local, &between);
    let applied = host.apply(&plan.steps, AfterFailure::GoOn);
    for failed in &applied.failed {
        tracing::error!("{failed}");
    }
    let failed = |node: &NodeName| {
        applied
            .failed
            .iter()
            .any(|failed| matches!(&failed.step, Step::SetPeerState { node: other, .. } if other == node))
    };
    instance.stamp(host, local, &at_rest.into_iter().filter(|(node, _)| !failed(node)).collect());
    if arrived.is_some() && applied.failed.is_empty() {
        instance.update(host, |file| file.moving = None);
    }
    Ok(())
}

/// Gives back what an action that died left blocked. Where commands are still in flight it stays owed until the next action that is no
/// notification: giving it back would take a process of its own.
fn give_back(host: &Host<'_>, instance: &mut Instance) {
    let given = instance.quick(host.observer()).map_err(Failure::from).and_then(|mut found| {
        let pending = found.blocks.values().any(|held| held.block.pending);
        if pending { Ok(()) } else { instance.release_blocks(host, &mut found.blocks) }
    });
    if let Err(failure) = given {
        tracing::error!("{failure}");
    }
}

/// The second line against two active nodes: the cluster promotes another node and believes that this one does not serve. It will go
/// on whatever is answered here, so this node ends in standby within this notification.
fn give_way(host: &Host<'_>, instance: &mut Instance, local: &NodeName) -> Result<(), Failure> {
    match host.observer_until(&host.deadline().share(1, 4)).alua_state(&instance.group, local) {
        Ok(state) if !state.is_some_and(AluaState::is_open) => return Ok(()),
        Ok(_) => {}
        Err(error) => tracing::error!("whether this node serves cannot be read: {error}"),
    }
    tracing::error!(
        "another node is being promoted while this one serves: the cluster has lost sight of it, stepping down"
    );
    match host.lock_within(instance.group.as_str(), PATIENCE) {
        Ok(_lock) => {
            instance.refresh(host);
            step_down(host, instance, local, host.deadline())
        }
        // Two nodes that write to one disk destroy it. The kernel takes a state at any moment, whoever else changes the group.
        Err(failure) => {
            tracing::error!("stepping down without a drain: {failure}");
            close(host, instance, local, host.deadline())
        }
    }
}
