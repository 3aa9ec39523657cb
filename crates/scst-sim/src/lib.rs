//! SCST's sysfs in userspace, as recorded from real kernels.
//!
//! [`model`] is the machine: pure, without I/O or clock. [`mount`] serves it as a file system that looks like `/sys`, built
//! from a [`scenario`], with [`faults`] and [`counters`], commanded through [`control`]; [`tree`] draws its state as text.
//! [`replay`] holds the model, or a mount of it, against recordings of the real kernel. [`stand_in`] answers in place of the
//! cluster's commands.

pub mod control;
pub mod counters;
pub mod faults;
mod fuse;
mod glob;
pub mod host;
pub mod model;
pub mod mount;
mod process;
pub mod replay;
pub mod scenario;
mod served;
pub mod stand_in;
pub mod tree;
pub mod words;
