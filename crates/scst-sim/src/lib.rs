//! SCST's sysfs in userspace, as recorded from real kernels.

pub mod control;
pub mod counters;
pub mod faults;
mod fuse;
mod glob;
pub mod host;
pub mod model;
pub mod mount;
pub mod replay;
pub mod scenario;
pub mod stand_in;
pub mod tree;
pub mod words;
