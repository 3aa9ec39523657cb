//! Plans: the steps from a state that was found to the one that is wanted.
//!
//! A plan is a list of [`Step`]s, made by pure functions: [`ports`] for the agents that bring ports up, [`storage`] for
//! the device group agent. The agents carry the list out ([`crate::apply`]), `--dry-run` and `scst-ha plan` print it; a
//! step's `Display` is its line there and in the log.
//!
//! Architecture invariant: nothing here reads or writes. A plan depends on the two states and on what its caller passes
//! beside them: for ports the driver, for a device group a [`storage::Scope`].

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

/// The plan for a device group, and what it leaves as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// What differs and is left as it is, one sentence each.
    pub warnings: Vec<String>,
    /// What is wrong and no step can correct, one sentence each: a store that has become smaller than hosts were told.
    pub errors: Vec<String>,
    /// The devices that are wanted and cannot be added on this node, each with the reason. They join nothing and are
    /// mapped nowhere.
    pub left_out: BTreeMap<DeviceName, String>,
}
