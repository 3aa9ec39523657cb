//! What a recurring monitor corrects: states of peers whose notification was lost, and the state `transitioning` of
//! this node where hosts wait for another one that was not promoted.

use std::collections::BTreeMap;

use scst_core::apply::AfterFailure;
use scst_core::cluster;
use scst_core::ocf::exit::Failure;
use scst_core::plan::Step;
use scst_core::plan::storage::states;
use scst_core::scst::alua::AluaState;
use scst_core::scst::names::NodeName;

use super::instance::Instance;
use super::peers::{self, LOST, Overdue};
use super::step_down::close;
use crate::host::Host;

/// Hosts were told to wait for another node, which was not promoted after all, or whose notification was lost. Once nothing is under way
/// any more they need not wait.
pub(super) fn end_move(host: &Host<'_>, instance: &mut Instance, local: &NodeName) -> Result<(), Failure> {
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

/// A peer that has stood between two states for too long: its second notification was lost. Only then the cluster is asked.
pub(super) fn repair(host: &Host<'_>, instance: &mut Instance, local: &NodeName) {
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
    let found = instance.view(host.observer(), lost.iter())?;
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
    let found = instance.view(host.observer(), lost.iter())?;
    let known: Vec<&NodeName> = peers::stuck(&found, &lost)
        .into_iter()
        .filter(|node| asked.contains(node) && found.get(*node).is_some_and(|there| there.remote))
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
