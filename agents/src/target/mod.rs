//! What the agents do that bring targets up: ports with their initiator groups and numbers, enabled last.
//!
//! One implementation for every driver: `ours` says what belongs to a resource, `params` and `wanted` what it should be, `convergence`
//! makes the plan, and each action has a file of its own. An agent is a [`TargetAgent`]: a table of parameters, and the driver that it is for.

mod agent;
mod convergence;
mod daemon;
pub mod difference;
mod foreign;
pub mod groups;
mod monitor;
mod order;
pub mod ours;
pub mod params;
pub mod planned;
mod reload;
mod run;
mod settings;
mod start;
mod stop;
mod thorough;
mod validate;
pub mod wanted;

use scst_core::ocf::param::Operation;

pub use self::run::{Run, TargetAgent};

/// The operations of such an agent, with the seconds that the three which work on ports need.
pub const fn operations(start: u32, stop: u32, reload: u32) -> [Operation; 7] {
    [
        Operation::once("start", start),
        Operation::once("stop", stop),
        Operation::monitor(20, 10, None),
        Operation::once("reload", reload),
        Operation::once("reload-agent", reload),
        Operation::once("meta-data", 5),
        Operation::once("validate-all", 20),
    ]
}
