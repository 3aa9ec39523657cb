//! Lives of one node, drawn by lot from all that can be asked of an agent, sensible or not.

use super::call::{Call, Masks, Op, Roles};
use super::site::{ATTRIBUTES, Attributes};
use super::walk::Lot;

/// A transition of which nothing makes sense but the words.
fn masks(lot: &mut Lot) -> Masks {
    let mut set = || u8::try_from(lot.below(16)).expect("four bits");
    Masks { active: set(), promoted: set(), demote: set(), stop: set(), start: set(), promote: set() }
}

/// Any run of the agent, sensible or not.
pub(super) fn call(lot: &mut Lot) -> Call {
    let masks = masks(lot);
    match lot.below(14) {
        0 => Call::Start(None),
        1 => Call::Start(Some(masks)),
        2 => Call::Promote(masks),
        3 => Call::PromoteFails(masks),
        4 => Call::Demote,
        5 => Call::Stop,
        6 => Call::Reload,
        7 => Call::Monitor(Roles { running: masks.active, promoted: masks.promoted, changing: 0 }),
        8 => Call::Age,
        9 => Call::Forget,
        _ => {
            let op = Op::ALL[usize::try_from(lot.below(4)).expect("below 4")];
            Call::Notify(lot.below(2) == 1, op, masks)
        }
    }
}

/// Any attributes of the nodes.
pub(super) fn attributes(lot: &mut Lot) -> Attributes {
    let count = u64::try_from(ATTRIBUTES.len()).expect("few");
    Attributes::default().map(|_| u8::try_from(lot.below(count)).expect("few"))
}
