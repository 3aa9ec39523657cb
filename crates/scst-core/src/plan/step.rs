//! The type [`Step`]: one step of a plan, which is one command to the kernel or one wait.
//!
//! The plans (`ports`, `storage`) make steps, [`crate::apply`] carries them out. What a step writes is in `command`,
//! how it reads in `sentence`, which earlier steps it depends on in `order`.

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

/// One step of a plan. A field of one name means the same in every variant:
///
/// | field | what it is |
/// | --- | --- |
/// | `driver`, `port` | a target driver, and one of its targets, as sysfs spells it |
/// | `group` beside a `port` | an initiator group of this port |
/// | `group` elsewhere | the device group |
/// | `node` | the cluster node whose target group it is; the target group has its name |
/// | `initiator` | an initiator's name in an initiator group |
/// | `number` | what is written to `io_grouping_type`: an I/O group (a number from 1), `auto`, `never` or `this_group_only` |
/// | `id` of a port | relative target port identifier (SPC-4), 1 to 65535; 0 only where a start that is undone takes it back |
/// | `id` of a target group | target port group identifier (SPC-4), 1 to 65535: the id of its node |
/// | `device`, `handler` | an SCST device, and the handler that it is added to |
/// | `parameters` | names and values of `add_device`, in the order in which they are written |
/// | `attribute`, `value` | a file in the device's directory, and its new content (of `size`: bytes) |
/// | `state` | an ALUA state |
/// | `at` | a LUN: its table, and its number there |
/// | `table`, `luns` | a table of LUNs, and what the plan knows in it: the device by its LUN |
/// | `before` | how many blocks of the device are not ours: counted when none of ours was there |
/// | `host` | the FC host (`class/fc_host`) behind a port |
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
#[expect(missing_docs, reason = "the table above documents the fields, each of which occurs in many variants")]
pub enum Step {
    // Ports and their initiator groups.
    /// Create an initiator group on a port.
    CreateIniGroup { driver: Driver, port: TargetName, group: InitiatorGroup },
    /// Set the I/O group of an initiator group, by which SCST knows that the commands of several initiators belong
    /// together.
    SetIoGrouping { driver: Driver, port: TargetName, group: InitiatorGroup, number: AttributeValue },
    /// Add an initiator to a group; its sessions move there at once.
    AddInitiator { driver: Driver, port: TargetName, group: InitiatorGroup, initiator: InitiatorName },
    /// Take an initiator out of a group.
    DelInitiator { driver: Driver, port: TargetName, group: InitiatorGroup, initiator: InitiatorName },
    /// Take all initiators out of a group, which moves its sessions out.
    ClearInitiators { driver: Driver, port: TargetName, group: InitiatorGroup },
    /// Unmap all LUNs of an initiator group that is about to be deleted.
    ClearLuns { driver: Driver, port: TargetName, group: InitiatorGroup },
    /// Delete an initiator group; the kernel refuses while a session is in it.
    DelIniGroup { driver: Driver, port: TargetName, group: InitiatorGroup },
    /// Set a port's relative target port identifier.
    SetPortId { driver: Driver, port: TargetName, id: u32 },
    /// Enable a port: it answers initiators.
    Enable { driver: Driver, port: TargetName },
    /// Disable a port.
    Disable { driver: Driver, port: TargetName },
    /// Change what only the targets of some drivers have: see [`Change`].
    Target { driver: Driver, port: TargetName, change: Change },
    /// Enable a driver whose daemon starts it disabled (iSCSI). It is never disabled again: others may have targets of
    /// it.
    EnableDriver { driver: Driver },

    // Devices.
    /// Add a device to a handler.
    AddDevice { handler: HandlerName, device: DeviceName, parameters: Vec<(&'static str, ParameterValue)> },
    /// Write an attribute of a device.
    SetAttribute { device: DeviceName, attribute: &'static str, value: AttributeValue },
    /// Open the backing store of a device that is about to be served: joining a group that is in service opens nothing.
    Open { device: DeviceName },
    /// Close the backing store of a device that joined a group which is not in service.
    Close { device: DeviceName },
    /// Have the kernel look at the size of an open backing store again, and tell hosts of it.
    ResyncSize { device: DeviceName },
    /// Wait until the lock manager shows the lockspace in which a device shares its persistent reservations: SCST
    /// answers "ok" before.
    AwaitLockspace { device: DeviceName },
    /// Delete a device.
    DelDevice { handler: HandlerName, device: DeviceName },

    // The device group and its target groups.
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
    /// Set a target group's target port group identifier.
    SetGroupId { group: GroupName, node: NodeName, id: u32 },
    /// Put a port into a target group.
    AddMember { group: GroupName, node: NodeName, port: TargetName },
    /// Take a port out of a target group.
    DelMember { group: GroupName, node: NodeName, port: TargetName },
    /// Set the relative target port identifier of a remote member; a local one has that of its port.
    SetMemberId { group: GroupName, node: NodeName, port: TargetName, id: u32 },
    /// Set the ALUA state of our own target group.
    SetState { group: GroupName, node: NodeName, state: AluaState },
    /// Publish the ALUA state of a peer. Only while its target group has a remote port: otherwise the kernel takes the
    /// group for local, and the state would open or close our devices.
    SetPeerState { group: GroupName, node: NodeName, state: AluaState },

    // LUNs.
    /// Map a device.
    AddLun { at: LunAddress, device: DeviceName },
    /// Unmap a LUN.
    DelLun { at: LunAddress, device: DeviceName },
    /// Unmap all LUNs of a table. `luns` are all that the plan found there, and all are of our devices.
    ClearTable { table: LunTable, luns: BTreeMap<u32, DeviceName> },
    /// Wait until a device is mapped nowhere but in the copy manager.
    AwaitUnmapped { device: DeviceName },

    // Holding commands back, for a demotion.
    /// Hold new commands of a device back; those in flight go on. The device then has more than `before` blocks.
    Block { device: DeviceName, before: u32 },
    /// Wait until the commands in flight of a blocked device have ended.
    AwaitDrained { device: DeviceName },
    /// Give blocks back until the device has no more than `before`. `returning`: a process waits in the kernel to give
    /// one back already.
    Unblock { device: DeviceName, before: u32, returning: bool },

    // Hosts.
    /// Have Fibre Channel initiators look at a port's LUNs again, by a loop initialisation.
    IssueLip { port: TargetName, host: FcHostName },
}

impl Step {
    /// The step is carried out even after an earlier one failed: it gives back what the plan took.
    pub fn always(&self) -> bool {
        matches!(self, Self::Unblock { .. })
    }

    /// It adds, changes or deletes a CHAP user.
    pub fn is_of_a_user(&self) -> bool {
        matches!(self, Self::Target { change, .. } if change.is_of_a_user())
    }

    /// The part of the command that no message may show: the secret of a CHAP user.
    pub fn secret(&self) -> Option<&Secret> {
        match self {
            Self::Target { change, .. } => change.secret(),
            _ => None,
        }
    }

    /// The kernel asks the driver's daemon before it answers the write, and the daemon may not answer. A helper process
    /// makes such a write, and nothing kills it: the thread of a killed writer spins in the kernel until the daemon
    /// answers (`iscsi_sysfs_send_event`).
    pub fn asks_daemon(&self) -> bool {
        match self {
            Self::Target { driver, change, .. } => driver.has_daemon() && change.asks_daemon(),
            Self::Enable { driver, .. } | Self::Disable { driver, .. } | Self::EnableDriver { driver } => {
                driver.has_daemon()
            }
            _ => false,
        }
    }

    /// Neighbouring steps of this kind may be written at the same moment: they concern different hardware.
    pub fn side_by_side(&self) -> bool {
        matches!(self, Self::Enable { .. } | Self::Disable { .. })
    }

    /// The step is logged at level info: an object came, went or changed its state. The others are details of these,
    /// and logged at level debug.
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

    /// With this error the step is only a warning: it is optional, concerns an attribute that an older kernel does not
    /// have, or was refused because it would have acted on another object.
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
