//! What Pacemaker says to an agent and hears from it: the OCF resource agent API, version 1.1.
//!
//! This half of the library knows nothing of SCST; it would serve any agent.

pub mod action;
pub mod env;
pub mod exit;
mod failure;
pub mod log;
pub mod metadata;
pub mod notify;
pub mod param;
pub mod run;
