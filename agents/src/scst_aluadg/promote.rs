//! Promote: this node serves. It corrects the states of all peers by itself, because no notification names a peer that
//! died without being fenced.

use std::collections::{BTreeMap, BTreeSet};

use scst_core::apply::AfterFailure;
use scst_core::ocf::exit::{ExitCode, Failure};
use scst_core::ocf::notify::Notify;
use scst_core::plan::Step;
use scst_core::plan::storage::{adopt_ports, states};
use scst_core::scst::alua::AluaState;
use scst_core::scst::names::{DeviceName, NodeName};
use scst_core::state::{DeviceGroup, View};

use super::agreement;
use super::bring_up::bring_up;
use super::checked::{Checked, checked};
use super::closing;
use super::group_view::GroupView;
use super::hold_back::hold_back;
use super::instance::Instance;
use super::lockspace;
use super::members::Members;
use super::missing;
use super::params::Params;
use super::peers;
use super::score::{Score, delete_score};
use super::sharing::Reservations;
use super::step_down::step_down;
use super::stores;
use crate::host::{Host, first_failure};

/// Promotes the instance, starting it first where it does not run.
pub(super) fn promote(host: &Host<'_>) -> Result<ExitCode, Failure> {
    let mut instance = Instance::find(host).ok_or_else(|| Failure::generic("groupname is required and not set"))?;
    hold_back(host, &instance)?;
    let _lock = instance.lock(host)?;
    instance.refresh(host);
    let local = host.node_name(&instance.remembered)?;
    let (mut served, mut begun) = (false, false);
    let outcome = stand_up(host, &mut instance, &local).and_then(|found| {
        served = found.state(&local).is_some_and(AluaState::is_open);
        begun = true;
        serve(host, &mut instance, &local, found.group)
    });
    if let Err(failure) = outcome {
        // Hosts were writing through this node all the time, and one device that fails is no reason to take the others from them. Pacemaker
        // demotes the instance next, and that demotion waits for the commands in flight.
        if served {
            return Err(failure);
        }
        // With a score left, Pacemaker would promote the only candidate again at once, without end. First of all, because
        // what comes after may use up the time.
        delete_score(host, &local);
        if !host.dry_run() {
            // Where it was not even known whether this node serves, nothing has been opened here that hosts could lose.
            if begun && let Err(failure) = step_down(host, &mut instance, &local, &host.deadline().last()) {
                tracing::error!("stepping back: {failure}");
            }
            // Where nothing was recorded before, a start that was undone has left nothing to be remembered.
            if instance.remembered.known().is_some() {
                instance.update(host, |file| {
                    file.failed = Some(host.boot_seconds());
                    file.moving = None;
                    file.score = None;
                });
            }
        }
        return Err(failure);
    }
    instance.update(host, |file| {
        file.failed = None;
        file.moving = None;
    });
    instance.set_score(host, &local, Score::Promoted);
    Ok(ExitCode::Success)
}

/// The running instance, started where there is none, or only half of one.
fn stand_up(host: &Host<'_>, instance: &mut Instance, local: &NodeName) -> Result<GroupView, Failure> {
    let mut found = instance.quick(host.observer())?;
    let devices = found.group.as_ref().is_some_and(|group| group.devices.iter().any(|device| instance.owns(device)));
    if found.state(local).is_none() || !devices || instance.half_started() {
        // Exit 6 stops the resource on every node and belongs to start alone.
        let Checked { params, stores, .. } = checked(host).map_err(|failure| match failure.code {
            ExitCode::Configured => Failure { code: ExitCode::Generic, ..failure },
            _ => failure,
        })?;
        bring_up(host, &params, stores, instance)?;
        found = instance.quick(host.observer())?;
    }
    instance.release_blocks(host, &mut found.blocks)?;
    Ok(found)
}

fn serve(
    host: &Host<'_>,
    instance: &mut Instance,
    local: &NodeName,
    group: Option<DeviceGroup>,
) -> Result<(), Failure> {
    let scope = instance.scope(local, false);
    let promotion = BTreeMap::from([(local.clone(), AluaState::Active)]);
    // Without a group this is a dry run, which did not start anything.
    let Some(group) = group else {
        host.apply(&states(&scope, &View::new(), &promotion).steps, AfterFailure::End);
        return Ok(());
    };
    let configuration = Params::parse(&host.context.env);
    let group = missing::add(host, instance, local, group, &configuration);
    let members = Members::of(host, instance, &group)?;
    if !group.target_groups.get(local).is_some_and(|own| own.state.is_open()) {
        members.can_serve(host)?;
        if let Some(lost) = lockspace::lost(host, instance, group.devices.iter())? {
            return Err(Failure::generic(lost).with_hint(
                "other nodes would not see what hosts reserve here: let dlm_controld run on this node, then stop and start the resource here",
            ));
        }
    }
    let notify = Notify::from_env(&host.context.env);
    let peers = peers::at_promote(&group, local, notify.lists.as_ref());
    let published = states(&scope, &group.view(), &peers);
    for warning in &published.warnings {
        tracing::warn!("{warning}");
    }
    let written = peers.iter().filter(|(node, state)| {
        group.target_groups.get(*node).is_some_and(|there| there.state != **state && there.has_remote())
    });
    let mut written: BTreeMap<_, _> = written.map(|(node, state)| (node.clone(), *state)).collect();
    // A wrong state of a peer is corrected later; that nobody serves is worse.
    let applied = host.apply_until(&published.steps, AfterFailure::GoOn, &host.deadline().share(1, 2));
    for failed in &applied.failed {
        tracing::error!("{failed}");
    }
    let is_done = |node: &NodeName| {
        applied.done.iter().any(|step| matches!(step, Step::SetPeerState { node: other, .. } if other == node))
    };
    written.retain(|node, _| is_done(node) || host.dry_run());
    // After the writes: a peer that stands between two states because a write failed is looked after by the next monitor.
    instance.stamp(host, local, &written);
    members.announce_sizes(host);
    let mut steps = adopt(host, instance, local, &group)?;
    steps.extend(members.open_what_does_not_follow());
    steps.extend(states(&scope, &group.view(), &promotion).steps);
    let applied = host.apply(&steps, AfterFailure::End);
    if host.dry_run() {
        return Ok(());
    }
    match first_failure(&applied) {
        Some(failure) => return Err(failure),
        None => verify(host, instance, local, &group)?,
    }
    // The node serves: what is told and remembered of sizes from here on is no reason to undo that.
    members.look_again_at_sizes(host);
    agreement::resized(host, &instance.group, local, &members.sizes());
    if !Reservations::are_shared(&host.context.env) {
        agreement::warn_of_registrations(host, &instance.group);
    }
    if let (Some(params), _) = &configuration
        && let Err(error) = stores::look_and_remember(host, params)
    {
        tracing::warn!("the sizes of the stores are not remembered: {error}");
    }
    Ok(())
}

/// Makes local ports links that were added before they existed, with the number the state file knows for a port that has none.
fn adopt(host: &Host<'_>, instance: &Instance, local: &NodeName, group: &DeviceGroup) -> Result<Vec<Step>, Failure> {
    let observer = host.observer();
    let present: BTreeSet<_> = observer.port_names(instance.driver)?.into_iter().collect();
    let mut steps = adopt_ports(&instance.scope(local, false), group, &present);
    let adopted: Vec<_> = steps
        .iter()
        .filter_map(|step| match step {
            Step::AddMember { port, .. } => Some(port.clone()),
            _ => None,
        })
        .collect();
    let driver = instance.driver;
    for (port, id) in instance.remembered.known().into_iter().flat_map(|file| &file.ports) {
        if adopted.contains(port) && observer.port(driver, port)?.is_some_and(|there| there.rel_tgt_id == 0) {
            steps.push(Step::SetPortId { driver, port: port.clone(), id: (*id).into() });
        }
    }
    Ok(steps)
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
    let closed = closing::with_store(host, instance, &group.devices, false)?;
    if closed.is_empty() {
        return Ok(());
    }
    let closed: Vec<_> = closed.iter().map(DeviceName::as_str).collect();
    Err(Failure::generic(format!("backing store could not be opened: device {}", closed.join(", "))).with_hint(
        "the backing device is missing, in use by somebody else, or not writable yet; order it before the promotion",
    ))
}
