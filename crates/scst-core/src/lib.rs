//! SCST's sysfs and Pacemaker's agent interface.
