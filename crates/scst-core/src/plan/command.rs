//! What a step writes: the path and the text of its one write, as SCST's sysfs files take them. [`crate::apply`] writes
//! it, a test reads it.
//!
//! Of the texts only those of `block` need an explanation (`scst_sysfs.c`): `11` takes one block and returns at once,
//! where `1` would not return before the commands in flight have ended; the wait for these is [`Step::AwaitDrained`].
//! `0` gives one block back, and itself waits for the commands in flight where it gives back the last one. The file
//! reads `<blocks> <1 while commands in flight are waited for>`.

use super::Step;
use crate::scst::{device, device_group, qla2x00t, target};

impl Step {
    /// The path (below the sysfs root) and the text of the one write this step is; `None` for a wait, and for
    /// [`Change::CloseSessions`](super::Change::CloseSessions). The text may hold a secret ([`Step::secret`]).
    pub fn command(&self) -> Option<(String, String)> {
        Some(match self {
            Self::CreateIniGroup { driver, port, group } => {
                (format!("{}/ini_groups/mgmt", target::port(*driver, port)), format!("create {group}"))
            }
            Self::DelIniGroup { driver, port, group } => {
                (format!("{}/ini_groups/mgmt", target::port(*driver, port)), format!("del {group}"))
            }
            Self::SetIoGrouping { driver, port, group, number } => {
                (format!("{}/io_grouping_type", target::ini_group(*driver, port, group)), number.to_string())
            }
            Self::AddInitiator { driver, port, group, initiator } => {
                (format!("{}/initiators/mgmt", target::ini_group(*driver, port, group)), format!("add {initiator}"))
            }
            Self::DelInitiator { driver, port, group, initiator } => {
                (format!("{}/initiators/mgmt", target::ini_group(*driver, port, group)), format!("del {initiator}"))
            }
            Self::ClearInitiators { driver, port, group } => {
                (format!("{}/initiators/mgmt", target::ini_group(*driver, port, group)), "clear".into())
            }
            Self::ClearLuns { driver, port, group } => {
                (format!("{}/luns/mgmt", target::ini_group(*driver, port, group)), "clear".into())
            }
            Self::SetPortId { driver, port, id } => {
                (format!("{}/rel_tgt_id", target::port(*driver, port)), id.to_string())
            }
            Self::Enable { driver, port } => (format!("{}/enabled", target::port(*driver, port)), "1".into()),
            Self::Disable { driver, port } => (format!("{}/enabled", target::port(*driver, port)), "0".into()),
            Self::Target { driver, port, change } => return change.command(*driver, port),
            Self::EnableDriver { driver } => (format!("{}/enabled", target::driver(*driver)), "1".into()),
            Self::AddDevice { handler, device, parameters } => {
                let mut command = format!("add_device {device}");
                for (index, (name, value)) in parameters.iter().enumerate() {
                    command.push_str(if index == 0 { " " } else { "; " });
                    command.push_str(name);
                    command.push('=');
                    command.push_str(value.as_str());
                }
                (device::handler_mgmt(*handler), command)
            }
            Self::DelDevice { handler, device } => (device::handler_mgmt(*handler), format!("del_device {device}")),
            Self::SetAttribute { device, attribute, value } => {
                (format!("{}/{attribute}", device::device(device)), value.to_string())
            }
            Self::Open { device } => (format!("{}/active", device::device(device)), "1".into()),
            Self::Close { device } => (format!("{}/active", device::device(device)), "0".into()),
            Self::ResyncSize { device } => (format!("{}/resync_size", device::device(device)), "1".into()),
            Self::CreateGroup { group } => (device_group::mgmt(), format!("create {group}")),
            Self::DelGroup { group } => (device_group::mgmt(), format!("del {group}")),
            Self::Join { group, device } => (format!("{}/mgmt", device_group::devices(group)), format!("add {device}")),
            Self::Leave { group, device } => {
                (format!("{}/mgmt", device_group::devices(group)), format!("del {device}"))
            }
            Self::CreateTargetGroup { group, node } => {
                (format!("{}/mgmt", device_group::target_groups(group)), format!("create {node}"))
            }
            Self::DelTargetGroup { group, node } => {
                (format!("{}/mgmt", device_group::target_groups(group)), format!("del {node}"))
            }
            Self::SetGroupId { group, node, id } => {
                (format!("{}/group_id", device_group::target_group(group, node)), id.to_string())
            }
            Self::AddMember { group, node, port } => {
                (format!("{}/mgmt", device_group::target_group(group, node)), format!("add {port}"))
            }
            Self::DelMember { group, node, port } => {
                (format!("{}/mgmt", device_group::target_group(group, node)), format!("del {port}"))
            }
            Self::SetMemberId { group, node, port, id } => (device_group::member_id(group, node, port), id.to_string()),
            Self::SetState { group, node, state } | Self::SetPeerState { group, node, state } => {
                (format!("{}/state", device_group::target_group(group, node)), state.to_string())
            }
            Self::AddLun { at, device } => (format!("{}/mgmt", at.table.dir()), format!("add {device} {}", at.lun)),
            Self::DelLun { at, .. } => (format!("{}/mgmt", at.table.dir()), format!("del {}", at.lun)),
            Self::ClearTable { table, .. } => (format!("{}/mgmt", table.dir()), "clear".into()),
            Self::Block { device, .. } => (format!("{}/block", device::device(device)), "11".into()),
            Self::Unblock { device, .. } => (format!("{}/block", device::device(device)), "0".into()),
            Self::IssueLip { host, .. } => (qla2x00t::issue_lip(host), "1".into()),
            Self::AwaitUnmapped { .. } | Self::AwaitDrained { .. } | Self::AwaitLockspace { .. } => return None,
        })
    }
}
