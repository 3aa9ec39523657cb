//! The interface between Pacemaker and an agent: the OCF resource agent API, version 1.1.
//!
//! Pacemaker passes `action`, parameters (`env`, `param`) and notifications (`notify`); it gets an exit code with a
//! reason (`exit`), a log and meta-data. `run` puts them together. This half of the library knows nothing of SCST; it
//! would serve any agent.

pub mod action;
pub mod env;
pub mod exit;
mod failure;
pub mod log;
pub mod metadata;
pub mod notify;
pub mod param;
pub mod run;
