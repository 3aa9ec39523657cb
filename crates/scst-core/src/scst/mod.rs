//! The paths of SCST's tree below the sysfs root, and the checked types of the names and values in it: which path an
//! object has, and how its attributes are spelled. Plans, looks and steps are made of them.
//!
//! Architecture invariant: nothing here touches a file, and nothing here knows of OCF or Pacemaker.

pub mod alua;
pub mod attribute;
pub mod device;
pub mod device_attribute;
pub mod device_group;
pub mod dlm;
pub mod driver;
mod handler;
pub mod host_id;
pub mod identity;
mod initiator;
pub mod iscsi;
mod name_forms;
mod name_grammar;
pub mod names;
pub mod qla2x00t;
pub mod target;
pub mod values;

/// SCST's directory below the sysfs root.
pub const ROOT: &str = "kernel/scst_tgt";

/// The file with the result of the last queued command that the kernel has finished, whoever wrote it: 0, or an errno
/// as a negative number.
pub fn last_result() -> String {
    format!("{ROOT}/last_sysfs_mgmt_res")
}

/// The directory of a loaded module, whose name has underscores for dashes.
pub fn module(dir: &str) -> String {
    format!("module/{dir}")
}
