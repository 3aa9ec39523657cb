//! SCST's sysfs and Pacemaker's agent interface, as one library for the agents.
//!
//! ```text
//! argv ──► Action ─┐
//! environ ► Env ───┴► parameters ──► wanted state ─┐
//! sysfs ──observe──────────────────► found state ──┴► plan ──► steps ──apply──► sysfs ──observe──► answer ──► exit code
//! ```

pub mod apply;
pub mod cluster;
pub mod command;
pub mod deadline;
pub mod error;
pub mod observe;
pub mod ocf;
pub mod plan;
pub mod scst;
pub mod state;
pub mod state_file;
pub mod sysfs;
pub mod system;
