//! SCST's sysfs and Pacemaker's agent interface.

pub mod ocf;
pub mod scst;
