//! The plans for demote and stop that are about blocked devices: leaving service without failing a write, and giving
//! blocks back.

use std::collections::BTreeMap;

use super::scope::Scope;
use crate::plan::Step;
use crate::scst::alua::AluaState;
use crate::scst::device::Owed;
use crate::scst::names::DeviceName;
use crate::state::{Blocks, Held};

/// The steps that give back what is owed: one per device that is blocked more often than it was by others.
pub fn release(found: &Blocks, owed: &BTreeMap<DeviceName, Owed>) -> Vec<Step> {
    owed.iter()
        .filter(|(device, owed)| found.get(*device).is_some_and(|found| found.block.count > owed.before))
        .map(|(device, owed)| unblock(device, *owed))
        .collect()
}

pub(super) fn unblock(device: &DeviceName, owed: Owed) -> Step {
    Step::Unblock { device: device.clone(), before: owed.before, returning: owed.returning }
}

/// The steps that take an active group with these devices out of service without failing a write: hold commands back, let those in flight
/// end, then change the state. It ends in `end`, which is `standby` or, for hosts that are to wait for another node, `transitioning`.
///
/// The kernel does not ask for this order: it changes the state, and closes the stores, at once, also while a block waits for commands in
/// flight (`scst_tg.c`). That is why the drain comes first all the same: a command that is in a store which was closed under it, and
/// which another node may open by now, fails or writes behind that node's back.
///
/// What a device is blocked by while one of our blocks is still owed says nothing about others: the count before the first of ours does.
/// Without the name of this node there is no target group to take out of service, and no step.
pub fn demote(scope: &Scope, found: &Blocks, end: AluaState) -> Vec<Step> {
    let Some(local) = &scope.local else { return Vec::new() };
    let nothing = |held: &Held| Owed { before: held.block.count, returning: false };
    let blocks = || found.iter().map(|(name, held)| (name, held.owed.unwrap_or_else(|| nothing(held))));
    let mut steps: Vec<Step> =
        blocks().map(|(device, owed)| Step::Block { device: device.clone(), before: owed.before }).collect();
    steps.extend(found.keys().map(|device| Step::AwaitDrained { device: device.clone() }));
    steps.push(scope.set_state(local, AluaState::Transitioning));
    if end != AluaState::Transitioning {
        steps.push(scope.set_state(local, end));
    }
    steps.extend(blocks().map(|(device, owed)| unblock(device, owed)));
    steps
}
