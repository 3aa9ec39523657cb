//! The paths of device groups and their target groups: `device_groups/<group>` (`scst_tg.c`).

use super::ROOT;
use super::names::{GroupName, NodeName, TargetName};

/// The directory of all device groups.
pub fn all() -> String {
    format!("{ROOT}/device_groups")
}

/// The file that takes `create` and `del` of device groups.
pub fn mgmt() -> String {
    format!("{}/mgmt", all())
}

/// The directory of a device group.
pub fn group(group: &GroupName) -> String {
    format!("{}/{group}", all())
}

/// The directory with the links of a group's devices, and their `mgmt`.
pub fn devices(name: &GroupName) -> String {
    format!("{}/devices", group(name))
}

/// The directory with a group's target groups, and their `mgmt`.
pub fn target_groups(name: &GroupName) -> String {
    format!("{}/target_groups", group(name))
}

/// The directory of a target group.
pub fn target_group(group: &GroupName, node: &NodeName) -> String {
    format!("{}/{node}", target_groups(group))
}

/// The `rel_tgt_id` of a member: its own for a remote port, the port's for a local one.
pub fn member_id(group: &GroupName, node: &NodeName, port: &TargetName) -> String {
    format!("{}/{port}/rel_tgt_id", target_group(group, node))
}
