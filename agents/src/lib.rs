//! The agents, as a library, so that tests and tools reach their tables.
//!
//! A binary is one statement: it hands its agent to [`scst_core::ocf::run::main`]. An agent has a table of its parameters
//! and actions (`table`), the checked parameters (`params`), the state that follows from them (`wanted`) and a file per
//! action. [`scst_aluadg`] is the agent of a device group; [`target`] has the actions of the two agents that bring
//! ports up, [`scst_qla2xtgt`] and [`scst_target`]; [`host`] is what all have in common. [`scst_ha`] is the operators'
//! tool, which makes plans with the agents' code and carries none out.

pub mod backing;
pub mod exit_reasons;
pub mod host;
pub mod missing_ports;
pub mod reservations;
pub mod scst_aluadg;
pub mod scst_ha;
pub mod scst_qla2xtgt;
pub mod scst_target;
pub mod target;
