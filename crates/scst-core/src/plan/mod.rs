//! The steps from what is found to what is wanted.
//!
//! A plan is a list of [`Step`]s, made by pure functions: [`ports`] for the target agent, [`storage`] for a device group.
//! The same list is applied, printed by a dry run and written to the log; a step's `Display` is the sentence all three show.
//!
//! Architecture invariant: nothing here reads or writes; the only input is `state`.

use std::collections::BTreeMap;

use crate::scst::names::DeviceName;

pub mod change;
mod command;
mod order;
pub mod ports;
mod sentence;
mod settings;
pub mod step;
pub mod storage;

pub use change::Change;
pub use step::Step;

/// A plan, and what it could not or would not do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// What differs and is left as it is, one sentence each.
    pub warnings: Vec<String>,
    /// What is wrong and cannot be put right by any step, one sentence each.
    pub errors: Vec<String>,
    /// The devices that are wanted and cannot be added here, and why. Nothing of them is in the steps.
    pub left_out: BTreeMap<DeviceName, String>,
}
