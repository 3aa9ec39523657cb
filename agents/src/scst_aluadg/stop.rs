//! Stop: everything of ours goes, whatever the configuration says by now.
//!
//! Architecture invariant: nothing is validated here, and nothing that is missing (configuration, cluster, ports, modules)
//! makes a stop fail. It fails only when something of ours is still there.

use scst_core::apply::AfterFailure;
use scst_core::ocf::exit::{ExitCode, Failure};
use scst_core::plan::storage::{self, converge};
use scst_core::scst::alua::AluaState;
use scst_core::scst::names::NodeName;
use scst_core::state::Storage;

use super::demote::{drain, explained};
use super::instance::{Instance, delete_score};
use super::start::local_state;
use crate::host::{Host, first_failure};

/// Stops the instance.
pub(super) fn stop(host: &Host<'_>) -> Result<ExitCode, Failure> {
    let Some(mut instance) = Instance::find(host) else {
        tracing::warn!("no groupname and no record: nothing here is known to be ours");
        return Ok(ExitCode::Success);
    };
    let _lock = instance.lock(host)?;
    instance.refresh(host);
    let mut found = instance.storage(host.observer())?;
    let local = local_name(host, &instance, &found);
    let release = storage::release(&found, instance.blocked());
    let mut failure = instance.release(host, &mut found).err();
    // A device of which our block cannot be taken must not be deleted: the kernel would hang, and every device with it.
    let stuck = if failure.is_some() { release } else { Vec::new() };
    if let Some(local) = &local
        && local_state(&found, local).is_some_and(AluaState::is_open)
    {
        // Half of the time for the commands in flight; then on without them, because the node is fenced otherwise.
        let applied = drain(host, &mut instance, local, &found, &host.deadline().share(1, 2));
        if let Some(undrained) = first_failure(&applied) {
            let undrained = explained(host, &applied, undrained);
            tracing::warn!("stopping all the same: {undrained}");
            failure = failure.or(Some(undrained));
        }
        if !host.dry_run() {
            found = instance.storage(host.observer())?;
        }
    }
    // Without a name there is no local target group to close; no node is called so.
    let scope_name = local.clone().or_else(|| NodeName::parse("-").ok());
    if let Some(scope_name) = scope_name {
        let mut plan = converge(&instance.scope(&scope_name, false), &found, &Storage::default());
        for warning in &plan.warnings {
            tracing::warn!("{warning}");
        }
        plan.steps.retain(|step| !stuck.iter().any(|unblock| step.needs(unblock)));
        let applied = host.apply(&plan.steps, AfterFailure::GoOn);
        // What keeps something there is told rather than what was met on the way.
        failure = first_failure(&applied).or(failure);
    }
    if !host.dry_run() {
        let left = instance.storage(host.observer())?;
        if let Some(what) = remains(&left) {
            return Err(holders(host, &left, failure.unwrap_or_else(|| Failure::generic(what))));
        }
        host.store.remove(Some(&instance.group)).map_err(|error| {
            Failure::generic(format!("record {} could not be removed: {error}", host.store.path().display()))
        })?;
    }
    if let Some(local) = local.or_else(|| host.node_name(&instance.record).ok()) {
        delete_score(host, &local);
    } else {
        tracing::warn!("the name of this node is not known: its promotion score is not deleted");
    }
    Ok(ExitCode::Success)
}

/// This node's name: told, recorded, or that of the target group that holds local ports.
fn local_name(host: &Host<'_>, instance: &Instance, found: &Storage) -> Option<NodeName> {
    host.node_name_offline(&instance.record).or_else(|| {
        let groups = found.group.as_ref()?.target_groups.iter();
        let mut local = groups.filter(|(_, group)| group.members.values().any(|member| member.local));
        local.next().map(|(node, _)| node.clone())
    })
}

/// What of ours is still there.
fn remains(left: &Storage) -> Option<String> {
    if let Some((at, lun)) = left.luns.first_key_value() {
        return Some(format!("LUN {} of {} with device {} is still there", at.lun, at.table, lun.device));
    }
    if let Some((device, _)) = left.devices.iter().find(|(_, device)| device.handler.is_some()) {
        return Some(format!("device {device} is still there"));
    }
    left.group.as_ref().map(|_| "the device group is still there".to_owned())
}

/// Adds to a failed stop who uses what is left.
fn holders(host: &Host<'_>, left: &Storage, failure: Failure) -> Failure {
    let mut busy = Vec::new();
    for device in left.devices.keys() {
        let initiators = host.observer().busy_initiators(device).unwrap_or_default();
        busy.extend(initiators.into_iter().map(|initiator| format!("{initiator} on {device}")));
        if let Some(found) = left.devices.get(device).filter(|found| found.block.count > 0) {
            busy.push(format!("{} blocks on {device} that are not ours", found.block.count));
        }
    }
    if busy.is_empty() { failure } else { failure.with_hint(format!("held by: {}", busy.join(", "))) }
}
