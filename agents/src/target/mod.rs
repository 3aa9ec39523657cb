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

pub use self::run::{Run, TargetAgent};
