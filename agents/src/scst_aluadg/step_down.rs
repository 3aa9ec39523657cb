//! Takes an instance out of service: [`drain`] without losing a write, for demote and stop; [`step_down`] in any case,
//! for a promotion that failed and for an instance over which another node is promoted; [`close`] at once.

use std::collections::{BTreeMap, BTreeSet};

use scst_core::apply::{AfterFailure, Applied};
use scst_core::deadline::Deadline;
use scst_core::ocf::exit::Failure;
use scst_core::plan::Step;
use scst_core::plan::storage::{self, states};
use scst_core::scst::alua::AluaState;
use scst_core::scst::device::Owed;
use scst_core::scst::names::NodeName;
use scst_core::state::View;

use super::closing;
use super::group_view::GroupView;
use super::instance::Instance;
use crate::host::{Host, first_failure};

/// Carries the demotion out until `deadline`, to the state `end`: blocks the devices, waits for the commands in flight,
/// changes the state, gives the blocks back. `None`, and nothing done, where the state file cannot be written.
pub(super) fn drain(
    host: &Host<'_>,
    instance: &mut Instance,
    local: &NodeName,
    found: &GroupView,
    end: AluaState,
    deadline: &Deadline,
) -> Option<Applied> {
    let scope = instance.scope(local, false);
    let steps = match (found.state(local), found.group.as_ref()) {
        // A run died between its two states. Hosts have been told to wait already: nothing is in flight that could fail.
        (Some(AluaState::Transitioning), Some(group)) => {
            states(&scope, &group.view(), &BTreeMap::from([(local.clone(), end)])).steps
        }
        _ => storage::demote(&scope, &found.blocks, end),
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

/// Takes the instance out of service in any case. The drain, with the look before it, gets half of the time until
/// `deadline`; after that the state is changed without it, because two nodes that write to one disk are worse than a
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
            if found.state(local).is_some_and(AluaState::is_open)
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

/// Sets standby and closes every store, at once. Where the state cannot be read, standby is written all the same.
pub(super) fn close(host: &Host<'_>, instance: &Instance, local: &NodeName, until: &Deadline) -> Result<(), Failure> {
    let write = match host.observer_until(&until.share(1, 2)).alua_state(&instance.group, local) {
        Ok(state) => state.is_some_and(|state| state != AluaState::Standby),
        Err(error) => {
            tracing::error!("target group {local}: writing standby to a state that cannot be read: {error}");
            true
        }
    };
    let wanted = BTreeMap::from([(local.clone(), AluaState::Standby)]);
    let steps = if write { states(&instance.scope(local, false), &View::new(), &wanted).steps } else { Vec::new() };
    let written = first_failure(&host.apply_until(&steps, AfterFailure::GoOn, until));
    let closed = closing::close_all(host, instance, local, until);
    written.map_or(closed, Err)
}
