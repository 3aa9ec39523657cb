//! SCST's sysfs in userspace, as recorded from real kernels.
pub mod model;
pub mod replay;
