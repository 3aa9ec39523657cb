//! SCST's tree as typed places: which path an object has, and how its attributes are spelled.
//!
//! Architecture invariant: nothing here touches a file, and nothing here knows of OCF or Pacemaker.

pub mod alua;
pub mod attribute;
pub mod device;
pub mod device_attribute;
pub mod device_group;
pub mod dlm;
pub mod driver;
pub mod host_id;
pub mod identity;
pub mod iscsi;
mod name_grammar;
pub mod names;
pub mod qla2x00t;
pub mod target;
pub mod values;

/// SCST's directory below the sysfs root.
pub const ROOT: &str = "kernel/scst_tgt";

/// The errno of the last command the kernel finished, of anybody.
pub fn last_result() -> String {
    format!("{ROOT}/last_sysfs_mgmt_res")
}

/// The directory of a loaded module.
pub fn module(dir: &str) -> String {
    format!("module/{dir}")
}
