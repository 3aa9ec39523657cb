//! Stop: everything of ours goes, whatever the configuration says by now.
//!
//! Architecture invariant: nothing is validated here, and nothing that is missing (configuration, cluster, ports, modules)
//! makes a stop fail. It fails only when something of ours is still there.

use scst_core::apply::{AfterFailure, Applied};
use scst_core::ocf::exit::{ExitCode, Failure};
use scst_core::ocf::notify::Notify;
use scst_core::plan::Step;
use scst_core::plan::storage::converge;
use scst_core::scst::alua::AluaState;
use scst_core::scst::names::{DeviceName, NodeName};
use scst_core::state::Storage;
use scst_core::state_file::Remembered;

use super::agreement;
use super::group_view::GroupView;
use super::hold_back;
use super::instance::Instance;
use super::score::delete_score;
use super::step_down::drain;
use crate::host::{Host, Removal, first_failure, held_by};

/// Stops the instance.
pub(super) fn stop(host: &Host<'_>) -> Result<ExitCode, Failure> {
    let Some(mut instance) = Instance::find(host) else {
        tracing::warn!("no groupname and no state file: nothing here is known to be ours");
        return Ok(ExitCode::Success);
    };
    // The resource ran under another groupname, and nobody stopped it since.
    let renamed = host.state_files.own().known().and_then(|file| file.group.clone());
    if let Some(group) = renamed.filter(|group| *group != instance.group && host.context.env.has_instance()) {
        let remembered = host.state_files.read(Some(&group));
        let mut old = Instance { group, driver: instance.driver, remembered, unwritten: false };
        let local = stop_group(host, &mut old)?;
        if let Some(local) = local {
            agreement::withdraw(host, &old.group, &local);
        }
    }
    // What another resource has is that one's.
    let held = host.state_files.holder(&instance.group);
    let local = if let Some(holder) = &held {
        tracing::warn!("device group {} belongs to resource {holder} on this node and is left alone", instance.group);
        None
    } else {
        stop_group(host, &mut instance)?
    };
    let held = held.is_some();
    if let Some(local) = local.or_else(|| host.node_name(&instance.remembered).ok()) {
        // Where this transition starts the instance again, the start sets the score. Deleted meanwhile it would end the transition, and Pacemaker
        // would forget that an instance on another node, which has been demoted and not yet stopped, has to be restarted as well.
        let restarted =
            Notify::from_env(&host.context.env).lists.is_some_and(|lists| lists.start.contains(local.as_str()));
        if !restarted {
            if !held {
                agreement::withdraw(host, &instance.group, &local);
            }
            delete_score(host, &local);
        }
    } else {
        tracing::warn!("the name of this node is not known: its promotion score is not deleted");
    }
    Ok(ExitCode::Success)
}

/// Stops one device group, and answers this node's name as far as it is known.
fn stop_group(host: &Host<'_>, instance: &mut Instance) -> Result<Option<NodeName>, Failure> {
    let _lock = host.lock_to_stop(instance.group.as_str())?;
    instance.refresh(host);
    let mut found = instance.to_remove(host, host.observer())?;
    let local = local_name(host, instance, &found);
    let mut failure = instance.release(host, &mut found).err();
    let mut undrained = Vec::new();
    if let Some(local) = &local
        && found.state(local).is_some_and(AluaState::is_open)
    {
        // Half of the time for the commands in flight; then on without them, because the node is fenced otherwise.
        let half = host.deadline().share(1, 2);
        if let Some(applied) = drain(host, instance, local, &GroupView::from(&found), AluaState::Standby, &half) {
            undrained = busy(host, &applied);
            if let Some(why) = first_failure(&applied) {
                tracing::warn!("stopping all the same: {why}{}", held_by(&undrained));
                failure = Some(why);
            }
        }
        if !host.dry_run() {
            found = match (instance.to_remove(host, host.observer()), failure) {
                // What kept a device blocked keeps it from being looked at as well.
                (Err(_), Some(failure)) => return Err(failure),
                (found, _) => found?,
            };
            failure = instance.release(host, &mut found).err();
        }
    }
    let instance = &*instance;
    let removal = Removal {
        remove: &|found| remove(host, instance, local.as_ref(), found),
        observe: &|observer| instance.to_remove(host, observer),
        remains: &remains,
        has_more,
        holders: &|left| {
            let mut holders = [&undrained[..], &holders(host, left)].concat();
            holders.dedup();
            holders
        },
    };
    removal.carry_out(host, found, failure)?;
    if !host.dry_run() {
        hold_back::keep_failure(host, instance);
        host.forget(Some(&instance.group));
    }
    Ok(local)
}

/// Removes what of ours was found.
fn remove(host: &Host<'_>, instance: &Instance, local: Option<&NodeName>, found: &Storage) -> Applied {
    let mut plan = converge(&instance.scope(local, false), found, &Storage::default());
    for warning in &plan.warnings {
        tracing::warn!("{warning}");
    }
    // A device whose block could not be given back must not be touched: the kernel would hang, and every device with it. Where a
    // process waits to give it back, the plan waits for it.
    let stuck = |device: &DeviceName| instance.keeps_blocked(device);
    plan.steps.retain(|step| match step {
        Step::DelLun { device, .. }
        | Step::AwaitUnmapped { device }
        | Step::AwaitDrained { device }
        | Step::DelDevice { device, .. } => !stuck(device),
        Step::DelGroup { .. } => !instance.blocked().keys().any(stuck),
        _ => true,
    });
    host.apply(&instance.shortened(host, plan.steps), AfterFailure::GoOn)
}

/// This node's name: the one of these that has a target group here. What was told last may be a new name of a node that was
/// called otherwise when the group was made.
fn local_name(host: &Host<'_>, instance: &Instance, found: &Storage) -> Option<NodeName> {
    let told = host.node_name_offline(&Remembered::Nothing);
    let recorded = instance.remembered.known().and_then(|file| file.node.clone());
    let groups = found.group.iter().flat_map(|group| &group.target_groups);
    let mut linked = groups.filter(|(_, group)| group.members.values().any(|member| member.local));
    let linked = linked.next().map(|(node, _)| node.clone());
    let named = [told.clone(), recorded.clone()].into_iter().flatten();
    named.into_iter().find(|name| found.state(name).is_some()).or(linked).or(told).or(recorded)
}

/// The initiators whose commands a drain waited for in vain.
fn busy(host: &Host<'_>, applied: &Applied) -> Vec<String> {
    let undrained = applied.failed.iter().filter_map(|failed| match &failed.step {
        Step::AwaitDrained { device } => Some(device),
        _ => None,
    });
    let deadline = host.deadline().last();
    let observer = host.observer_until(&deadline);
    let initiators = undrained.flat_map(|device| observer.busy_initiators(device).unwrap_or_default());
    initiators.map(|initiator| initiator.to_string()).collect()
}

/// What of ours is still there.
fn remains(left: &Storage) -> Option<String> {
    let ours = |device: &DeviceName| left.devices.get(device).is_some_and(|device| device.handler.is_some());
    if let Some((at, lun)) = left.luns.iter().find(|(_, lun)| ours(&lun.device)) {
        return Some(format!("LUN {} of {} with device {} is still there", at.lun, at.table, lun.device));
    }
    if let Some((device, _)) = left.devices.iter().find(|(_, device)| device.handler.is_some()) {
        return Some(format!("device {device} is still there"));
    }
    left.group.as_ref().map(|_| "the device group is still there".to_owned())
}

/// Something of ours is there that was not found before.
fn has_more(now: &Storage, before: &Storage) -> bool {
    let known = |device: &DeviceName| before.devices.get(device).is_some_and(|device| device.handler.is_some());
    now.luns.keys().any(|at| !before.luns.contains_key(at))
        || now.devices.iter().any(|(name, device)| device.handler.is_some() && !known(name))
        || (now.group.is_some() && before.group.is_none())
}

/// Who uses what is left.
fn holders(host: &Host<'_>, left: &Storage) -> Vec<String> {
    let deadline = host.deadline().last();
    let observer = host.observer_until(&deadline);
    let mut holders = Vec::new();
    for (device, found) in &left.devices {
        let initiators = observer.busy_initiators(device).unwrap_or_default();
        holders.extend(initiators.iter().map(ToString::to_string));
        if found.block.count > 0 {
            holders.push(format!("{} blocks on {device}", found.block.count));
        }
    }
    holders
}

#[cfg(test)]
mod tests {
    use scst_core::scst::names::{Driver, HandlerName, InitiatorGroup, TargetName};
    use scst_core::scst::target::LunTable;
    use scst_core::state::{Device, DeviceGroup, Lun, LunAddress};

    use super::*;

    /// A device, ours or with a handler that is not ours.
    fn device(handler: Option<HandlerName>) -> Storage {
        let name = DeviceName::seen("dg_a").unwrap();
        Storage { devices: [(name, Device { handler, ..Device::default() })].into(), ..Storage::default() }
    }

    #[test]
    fn what_is_ours_and_was_not_there_is_more_and_remains() {
        let nothing = Storage::default();
        let ours = device(Some(HandlerName::VdiskNullio));
        let of_others = device(None);
        let group = Storage { group: Some(DeviceGroup::default()), ..Storage::default() };
        let port = TargetName::parse(Driver::Qla2x00t, "21:00:00:24:ff:60:d0:10").unwrap();
        let table = LunTable::of_group(Driver::Qla2x00t, &port, &InitiatorGroup::parse("esx1").unwrap()).unwrap();
        let lun = Lun { device: DeviceName::seen("dg_a").unwrap(), read_only: false };
        let luns = [(LunAddress { table, lun: 3 }, lun)];
        let mapped = Storage { luns: luns.clone().into(), ..ours.clone() };
        for (now, before, more) in [
            (&ours, &nothing, true),
            (&ours, &of_others, true),
            (&ours, &ours, false),
            (&of_others, &nothing, false),
            (&group, &nothing, true),
            (&group, &group, false),
            (&mapped, &ours, true),
            (&mapped, &mapped, false),
            (&nothing, &mapped, false),
        ] {
            assert_eq!(has_more(now, before), more, "{now:?} {before:?}");
        }
        assert_eq!((remains(&nothing), remains(&of_others)), (None, None));
        assert_eq!(remains(&Storage { luns: luns.into(), ..of_others }), None);
        assert_eq!(remains(&ours).as_deref(), Some("device dg_a is still there"));
        assert_eq!(remains(&group).as_deref(), Some("the device group is still there"));
        assert!(remains(&mapped).is_some_and(|what| what.starts_with("LUN 3 of ")), "{:?}", remains(&mapped));
    }
}
