//! One step of a plan: one command to the kernel, or one wait.
//!
//! `command` has its path and value, `sentence` the words of it, `order` what it needs of the steps before it.

use std::collections::BTreeMap;

use super::Change;
use crate::error::Error;
use crate::scst::alua::AluaState;
use crate::scst::iscsi::Secret;
use crate::scst::names::{
    DeviceName, Driver, FcHostName, GroupName, HandlerName, InitiatorGroup, InitiatorName, NodeName, TargetName,
};
use crate::scst::target::LunTable;
use crate::scst::values::{AttributeValue, ParameterValue};
use crate::state::LunAddress;

/// One step.
///
/// ```
/// use scst_core::plan::Step;
/// use scst_core::scst::names::{Driver, TargetName};
///
/// let port = TargetName::parse(Driver::Qla2x00t, "21-00-00-24-FF-60-D0-10").unwrap();
/// let step = Step::Enable { driver: Driver::Qla2x00t, port };
/// assert_eq!(step.to_string(), "enable port 21:00:00:24:ff:60:d0:10");
/// let (path, value) = step.command().unwrap();
/// assert_eq!(path, "kernel/scst_tgt/targets/qla2x00t/21:00:00:24:ff:60:d0:10/enabled");
/// assert_eq!(value, "1");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // The fields are the nouns of the sentence that documents the variant.
pub enum Step {
    /// Create an initiator group on a port.
    CreateIniGroup { driver: Driver, port: TargetName, group: InitiatorGroup },
    /// Set which commands of an initiator group are ordered together.
    SetIoGrouping { driver: Driver, port: TargetName, group: InitiatorGroup, number: AttributeValue },
    /// Add an initiator to a group; its sessions move there at once.
    AddInitiator { driver: Driver, port: TargetName, group: InitiatorGroup, initiator: InitiatorName },
    /// Take an initiator out of a group.
    DelInitiator { driver: Driver, port: TargetName, group: InitiatorGroup, initiator: InitiatorName },
    /// Take all initiators out of a group, which moves its sessions out.
    ClearInitiators { driver: Driver, port: TargetName, group: InitiatorGroup },
    /// Take all LUNs out of a group that is about to go.
    ClearLuns { driver: Driver, port: TargetName, group: InitiatorGroup },
    /// Delete an initiator group; the kernel refuses while a session is in it.
    DelIniGroup { driver: Driver, port: TargetName, group: InitiatorGroup },
    /// Set a port's relative target id.
    SetPortId { driver: Driver, port: TargetName, id: u32 },
    /// Enable a port.
    Enable { driver: Driver, port: TargetName },
    /// Disable a port.
    Disable { driver: Driver, port: TargetName },
    /// Change what only some drivers' targets have.
    Target { driver: Driver, port: TargetName, change: Change },
    /// Enable a driver that its daemon has begun disabled. It is never disabled again: others may have targets of it.
    EnableDriver { driver: Driver },

    /// Add a device.
    AddDevice { handler: HandlerName, device: DeviceName, parameters: Vec<(&'static str, ParameterValue)> },
    /// Write an attribute of a device.
    SetAttribute { device: DeviceName, attribute: &'static str, value: AttributeValue },
    /// Open the backing store of a device that is about to be served: joining a group that is in service opens nothing.
    Open { device: DeviceName },
    /// Close the backing store of a device that joined a group which is not in service.
    Close { device: DeviceName },
    /// Have the kernel look at the size of an open backing store again.
    ResyncSize { device: DeviceName },
    /// Wait until the lock manager shows that a device shares its persistent reservations: the kernel does not say so by itself.
    AwaitLockspace { device: DeviceName },
    /// Delete a device.
    DelDevice { handler: HandlerName, device: DeviceName },
    /// Create the device group.
    CreateGroup { group: GroupName },
    /// Delete the device group. Only when everything before it succeeded: the kernel sets all its target groups to
    /// active first, and would open to hosts what is still in it.
    DelGroup { group: GroupName },
    /// Put a device into the group.
    Join { group: GroupName, device: DeviceName },
    /// Take a device out of the group.
    Leave { group: GroupName, device: DeviceName },
    /// Create a node's target group.
    CreateTargetGroup { group: GroupName, node: NodeName },
    /// Delete a node's target group.
    DelTargetGroup { group: GroupName, node: NodeName },
    /// Set a target group's id.
    SetGroupId { group: GroupName, node: NodeName, id: u32 },
    /// Put a port into a target group.
    AddMember { group: GroupName, node: NodeName, port: TargetName },
    /// Take a port out of a target group.
    DelMember { group: GroupName, node: NodeName, port: TargetName },
    /// Set the relative target id of a remote member.
    SetMemberId { group: GroupName, node: NodeName, port: TargetName, id: u32 },
    /// Set the ALUA state of our own target group.
    SetState { group: GroupName, node: NodeName, state: AluaState },
    /// Publish the ALUA state of a peer. Only while its target group has a remote port: otherwise the kernel takes the
    /// group for local, and the state would open or close our devices.
    SetPeerState { group: GroupName, node: NodeName, state: AluaState },
    /// Map a device.
    AddLun { at: LunAddress, device: DeviceName },
    /// Unmap a LUN.
    DelLun { at: LunAddress, device: DeviceName },
    /// Unmap all LUNs of a table, which are these of our devices.
    ClearTable { table: LunTable, luns: BTreeMap<u32, DeviceName> },
    /// Wait until a device is mapped nowhere but in the copy manager.
    AwaitUnmapped { device: DeviceName },
    /// Hold new commands of a device back; `before` blocks were counted.
    Block { device: DeviceName, before: u32 },
    /// Wait until the commands in flight have ended.
    AwaitDrained { device: DeviceName },
    /// Give back the blocks above `before`. `returning`: a process waits in the kernel to give one back already.
    Unblock { device: DeviceName, before: u32, returning: bool },
    /// Have initiators look at a port's LUNs again.
    IssueLip { port: TargetName, host: FcHostName },
}

impl Step {
    /// The step is made even after an earlier one failed: it gives back what the plan took.
    pub fn always(&self) -> bool {
        matches!(self, Self::Unblock { .. })
    }

    /// What no message may show of the command.
    pub fn secret(&self) -> Option<&Secret> {
        match self {
            Self::Target { change, .. } => change.secret(),
            _ => None,
        }
    }

    /// A daemon is asked before the kernel answers, and may not answer. Such a write is made by a process of its own that nothing
    /// kills: the thread of one that was killed spins in the kernel until the daemon answers (`iscsi_sysfs_send_event`).
    pub fn asks_daemon(&self) -> bool {
        match self {
            Self::Target { driver, change, .. } => driver.has_daemon() && change.asks_daemon(),
            Self::Enable { driver, .. } | Self::Disable { driver, .. } | Self::EnableDriver { driver } => {
                driver.has_daemon()
            }
            _ => false,
        }
    }

    /// The step takes something from an initiator that has it.
    pub fn takes_from_hosts(&self) -> bool {
        matches!(
            self,
            Self::DelInitiator { .. }
                | Self::ClearInitiators { .. }
                | Self::ClearLuns { .. }
                | Self::DelIniGroup { .. }
        )
    }

    /// Neighbouring steps of this kind may be written at the same moment: they concern different hardware.
    pub fn side_by_side(&self) -> bool {
        matches!(self, Self::Enable { .. } | Self::Disable { .. })
    }

    /// An operator wants to read of it in the log: something came, went or changed its state. The others are its details.
    pub fn is_notable(&self) -> bool {
        matches!(
            self,
            Self::CreateIniGroup { .. }
                | Self::DelIniGroup { .. }
                | Self::Enable { .. }
                | Self::Disable { .. }
                | Self::Target { .. }
                | Self::EnableDriver { .. }
                | Self::AddDevice { .. }
                | Self::DelDevice { .. }
                | Self::CreateGroup { .. }
                | Self::DelGroup { .. }
                | Self::CreateTargetGroup { .. }
                | Self::DelTargetGroup { .. }
                | Self::SetState { .. }
                | Self::SetPeerState { .. }
                | Self::IssueLip { .. }
        )
    }

    /// This failure is worth a warning, not more: what was tried is a courtesy, is not there in an older kernel, or was
    /// refused because it would have done something else.
    pub fn may_fail_with(&self, error: &Error) -> bool {
        match self {
            // Without the one hosts look later, without the other they go on with the size they know.
            Self::IssueLip { .. } | Self::ResyncSize { .. } => true,
            Self::SetAttribute { .. } | Self::Close { .. } => error.is_absent(),
            Self::SetPeerState { .. } | Self::SetMemberId { .. } => matches!(error, Error::NotRemote { .. }),
            _ => false,
        }
    }
}
