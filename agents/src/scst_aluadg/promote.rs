//! Promote: this node serves. It makes the whole picture right by itself, because nobody notifies of a peer that died
//! without being fenced.

use std::collections::{BTreeMap, BTreeSet};

use scst_core::apply::AfterFailure;
use scst_core::ocf::exit::{ExitCode, Failure};
use scst_core::ocf::notify::Notify;
use scst_core::plan::storage::{adopt_ports, states};
use scst_core::scst::alua::AluaState;
use scst_core::scst::names::{DeviceName, NodeName};
use scst_core::state::DeviceGroup;

use super::instance::{Instance, delete_score, renew_score};
use super::peers;
use super::start::{self, local_state};
use crate::host::{Host, first_failure};

/// Promotes the instance, starting it first where it does not run.
pub(super) fn promote(host: &Host<'_>) -> Result<ExitCode, Failure> {
    let mut instance = Instance::find(host).ok_or_else(|| Failure::generic("groupname is required and not set"))?;
    let _lock = instance.lock(host)?;
    instance.refresh(host);
    let local = host.node_name(&instance.record)?;
    let mut found = instance.quick(host.observer())?;
    // A start sets the score itself.
    let started = local_state(&found, &local).is_none() || instance.half_started();
    if started {
        // Exit 6 stops the resource on every node and belongs to start alone.
        let params = start::checked(host).map_err(|failure| match failure.code {
            ExitCode::Configured => Failure { code: ExitCode::Generic, ..failure },
            _ => failure,
        })?;
        start::bring_up(host, &params, &mut instance)?;
        found = instance.quick(host.observer())?;
    }
    let outcome = instance.release(host, &mut found).and_then(|()| serve(host, &mut instance, &local, found.group));
    if let Err(failure) = outcome {
        // With a score left, Pacemaker would promote the only candidate again at once, without end.
        delete_score(host, &local);
        return Err(failure);
    }
    if !started {
        renew_score(host, &local);
    }
    Ok(ExitCode::Success)
}

fn serve(
    host: &Host<'_>,
    instance: &mut Instance,
    local: &NodeName,
    group: Option<DeviceGroup>,
) -> Result<(), Failure> {
    let Some(group) = group else {
        // Only a dry run comes here: it did not start anything.
        return Ok(());
    };
    let scope = instance.scope(local, false);
    let present: BTreeSet<_> = host.observer().port_names(instance.driver)?.into_iter().collect();
    let notify = Notify::from_env(&host.context.env);
    let peers = peers::at_promote(&group, local, notify.lists.as_ref());
    let mut wanted = peers.clone();
    wanted.insert(local.clone(), AluaState::Active);
    let plan = states(&scope, &group, &wanted);
    for warning in &plan.warnings {
        tracing::warn!("{warning}");
    }
    let mut steps = adopt_ports(&scope, &group, &present);
    steps.extend(plan.steps);
    let changed = |(node, state): &(&NodeName, &AluaState)| {
        group.target_groups.get(*node).is_some_and(|there| there.state != **state)
    };
    let written: BTreeMap<_, _> = peers.iter().filter(changed).map(|(node, state)| (node.clone(), *state)).collect();
    instance.stamp(host, local, &written);
    let applied = host.apply(&steps, AfterFailure::End);
    if host.dry_run() {
        return Ok(());
    }
    let outcome = match first_failure(&applied) {
        Some(failure) => Err(failure),
        None => verify(host, instance, local, &group),
    };
    outcome.inspect_err(|_| step_back(host, instance, local))
}

/// The state reads active, and every device has its backing store open: the kernel accepts the state also when one could
/// not be opened.
fn verify(host: &Host<'_>, instance: &Instance, local: &NodeName, group: &DeviceGroup) -> Result<(), Failure> {
    let observer = host.observer();
    match observer.alua_state(&instance.group, local)? {
        Some(AluaState::Active) => {}
        other => {
            let found = other.map_or("missing".to_owned(), |state| state.to_string());
            return Err(Failure::generic(format!("target group {local}: state is {found} after writing active")));
        }
    }
    let closed = closed(host, group.devices.iter().filter(|device| instance.owns(device)))?;
    if closed.is_empty() {
        return Ok(());
    }
    Err(Failure::generic(format!("device {}: backing store could not be opened", closed.join(", "))).with_hint(
        "the backing device is missing, in use by somebody else, or not writable yet; order it before the promotion",
    ))
}

/// The devices whose backing store is not open.
pub(super) fn closed<'a>(
    host: &Host<'_>,
    devices: impl Iterator<Item = &'a DeviceName>,
) -> Result<Vec<String>, Failure> {
    let mut closed = Vec::new();
    for device in devices {
        if host.observer().active(device)? == Some(false) {
            closed.push(device.to_string());
        }
    }
    Ok(closed)
}

/// A promotion that failed ends in standby.
fn step_back(host: &Host<'_>, instance: &Instance, local: &NodeName) {
    let deadline = host.deadline().last();
    let scope = instance.scope(local, false);
    let observer = scst_core::observe::Observer { sysfs: &host.sysfs, deadline: &deadline };
    let back = observer.device_group(&instance.group).map(|group| {
        let wanted = BTreeMap::from([(local.clone(), AluaState::Standby)]);
        let steps = group.map(|group| states(&scope, &group, &wanted).steps).unwrap_or_default();
        host.apply_until(&steps, AfterFailure::GoOn, &deadline)
    });
    match back {
        Ok(applied) => applied.failed.iter().for_each(|failed| tracing::error!("stepping back: {failed}")),
        Err(error) => tracing::error!("stepping back: {error}"),
    }
}
