//! SCST's sysfs and Pacemaker's agent interface, as one library for the agents.
//!
//! To read it, begin with [`state`] (the data), [`plan`] (how a difference becomes [`plan::Step`]s) and [`apply`] (how
//! these are carried out); [`scst::names`] has the checked names, [`ocf::run`] the frame of an action. Sizes are in
//! bytes, points in time in seconds since boot, unless an item says otherwise.
//!
//! ```text
//! argv ──► Action ─┐
//! environ ► Env ───┴► parameters ──► wanted state ─┐
//! sysfs ──observe──────────────────► found state ──┴► plan ──► steps ──apply──► sysfs ──observe──► answer ──► exit code
//! ```

// This is a library that others call: each function says when it fails.
#![warn(clippy::missing_errors_doc)]

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
