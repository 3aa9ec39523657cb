//! The agents, as a library, so that tests and tools reach their tables.
//!
//! A binary is three lines: it hands its agent to [`scst_core::ocf::run::main`]. Each agent is a table and parameters
//! (`params`), the state that follows from them (`wanted`), and the actions; `target` holds those of every agent that brings ports up.

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
