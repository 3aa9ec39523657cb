//! One step of a plan: one command to the kernel, or one wait. Each knows its sentence, its path and its value.

use std::collections::BTreeMap;
use std::fmt;

use super::Change;
use crate::error::Error;
use crate::scst::alua::AluaState;
use crate::scst::iscsi::Secret;
use crate::scst::names::{
    DeviceName, Driver, FcHostName, GroupName, HandlerName, InitiatorGroup, InitiatorName, NodeName, TargetName,
};
use crate::scst::target::LunTable;
use crate::scst::values::{AttributeValue, ParameterValue};
use crate::scst::{device, device_group, qla2x00t, target};
use crate::state::LunAddress;

/// One step.
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
    /// The path (below the sysfs root) and the text of the one write this step is, or `None` for a wait.
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

    /// The step is left out when `failed` failed before it, even where a plan otherwise goes on: a device is deleted only
    /// when it is exported nowhere and no block of ours is on it, the group only when everything else is gone, and what
    /// holds a place is removed only when its successor is there.
    pub fn needs(&self, failed: &Self) -> bool {
        if let (
            Self::Target { port, .. }
            | Self::CreateIniGroup { port, .. }
            | Self::SetPortId { port, .. }
            | Self::Enable { port, .. },
            Self::Target { port: other, change: Change::Add, .. },
        ) = (self, failed)
        {
            return port == other;
        }
        match self {
            Self::DelGroup { .. } => true,
            Self::DelDevice { device, .. } => match failed {
                Self::AwaitUnmapped { device: other }
                | Self::AwaitDrained { device: other }
                | Self::Unblock { device: other, .. } => device == other,
                _ => failed.unmaps(device),
            },
            Self::AwaitUnmapped { device } => failed.unmaps(device),
            Self::SetAttribute { device, .. }
            | Self::Open { device }
            | Self::Close { device }
            | Self::AwaitLockspace { device } => failed.brings(device),
            // A member that is closed makes a group that is in service fail.
            Self::Join { device, .. } => {
                failed.brings(device) || matches!(failed, Self::Open { device: other } if device == other)
            }
            Self::AddLun { device, .. } => match failed {
                Self::SetState { .. } => true,
                // What a host reserves before the lockspace is there, no other node knows. A host that has once seen a device keeps the name and the size it had then, and what it reads of one that
                // is closed is an error.
                Self::AwaitLockspace { device: other }
                | Self::SetAttribute { device: other, .. }
                | Self::Open { device: other } => device == other,
                _ => failed.brings(device),
            },
            Self::SetGroupId { node, .. }
            | Self::AddMember { node, .. }
            | Self::SetMemberId { node, .. }
            | Self::DelMember { node, .. }
            | Self::SetPeerState { node, .. } => match failed {
                Self::CreateTargetGroup { node: other, .. } => node == other,
                // Without its new ports a peer's group could be left without any, and would act on our devices.
                Self::AddMember { node: other, .. } => node == other && !matches!(self, Self::AddMember { .. }),
                _ => false,
            },
            // An initiator that is not in its new group yet would fall into the default one and lose its LUNs.
            Self::DelInitiator { port, .. }
            | Self::ClearInitiators { port, .. }
            | Self::ClearLuns { port, .. }
            | Self::DelIniGroup { port, .. } => match failed {
                Self::CreateIniGroup { port: other, .. } | Self::AddInitiator { port: other, .. } => port == other,
                _ => false,
            },
            Self::AddInitiator { port, group, .. } | Self::SetIoGrouping { port, group, .. } => {
                matches!(failed, Self::CreateIniGroup { port: at, group: other, .. } if port == at && group == other)
            }
            _ => false,
        }
    }

    /// The device is only there, and only ours to use, after this step.
    fn brings(&self, wanted: &DeviceName) -> bool {
        match self {
            Self::AddDevice { device, .. } | Self::DelDevice { device, .. } | Self::Join { device, .. } => {
                device == wanted
            }
            _ => false,
        }
    }

    /// The step takes a device from those who see it at a LUN.
    fn unmaps(&self, wanted: &DeviceName) -> bool {
        match self {
            Self::DelLun { device, .. } => device == wanted,
            Self::ClearTable { luns, .. } => luns.values().any(|device| device == wanted),
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

    /// The step takes away what `given` gives back in another form: until then hosts are without it.
    pub fn makes_room_for(&self, given: &Self) -> bool {
        match (self, given) {
            (Self::DelLun { at, .. }, Self::AddLun { at: new, .. }) => at == new,
            (Self::ClearTable { table, luns }, Self::AddLun { at, .. }) => {
                *table == at.table && luns.contains_key(&at.lun)
            }
            (Self::DelDevice { device, .. }, Self::AddDevice { device: new, .. })
            | (Self::Leave { device, .. }, Self::Join { device: new, .. }) => device == new,
            (Self::DelMember { port, .. }, Self::AddMember { port: new, .. })
            | (Self::Disable { port, .. }, Self::Enable { port: new, .. }) => port == new,
            (Self::DelInitiator { port, initiator, .. }, Self::AddInitiator { port: at, initiator: new, .. }) => {
                port == at && initiator == new
            }
            _ => false,
        }
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

    /// What a failure of this step is called: the object first, then what failed.
    pub fn failed(&self, error: &Error) -> String {
        let (verb, object) = self.words();
        let act = match self {
            Self::AddDevice { .. } => "add",
            _ => PREPOSITIONS.iter().find_map(|word| verb.strip_suffix(word)).unwrap_or(&verb),
        };
        format!("{object}: {act} failed: {error}")
    }

    /// The verb and the object of the step's sentence.
    fn words(&self) -> (String, String) {
        let (verb, object): (String, String) = match self {
            Self::CreateIniGroup { port, group, .. } => {
                ("create".into(), format!("initiator group {group} of port {port}"))
            }
            Self::DelIniGroup { port, group, .. } => {
                ("delete".into(), format!("initiator group {group} of port {port}"))
            }
            Self::SetIoGrouping { port, group, number, .. } => {
                (format!("set I/O group {number} on"), format!("initiator group {group} of port {port}"))
            }
            Self::AddInitiator { port, group, initiator, .. } => {
                (format!("add initiator {initiator} to"), format!("initiator group {group} of port {port}"))
            }
            Self::DelInitiator { port, group, initiator, .. } => {
                (format!("remove initiator {initiator} from"), format!("initiator group {group} of port {port}"))
            }
            Self::ClearInitiators { port, group, .. } => {
                ("remove all initiators from".into(), format!("initiator group {group} of port {port}"))
            }
            Self::ClearLuns { port, group, .. } => {
                ("unmap all LUNs of".into(), format!("initiator group {group} of port {port}"))
            }
            Self::SetPortId { port, id, .. } => (format!("set relative target id {id} on"), format!("port {port}")),
            Self::Enable { port, .. } => ("enable".into(), format!("port {port}")),
            Self::Disable { port, .. } => ("disable".into(), format!("port {port}")),
            Self::Target { port, change, .. } => change.words(port),
            Self::EnableDriver { driver } => ("enable".into(), format!("driver {driver}")),
            Self::AddDevice { handler, device, parameters } => {
                let parameters: Vec<String> =
                    parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
                let with =
                    if parameters.is_empty() { String::new() } else { format!(" with {}", parameters.join(", ")) };
                (format!("add{with} through {handler}"), format!("device {device}"))
            }
            Self::AwaitLockspace { device } => ("wait for the lockspace of".into(), format!("device {device}")),
            Self::DelDevice { device, .. } => ("delete".into(), format!("device {device}")),
            Self::SetAttribute { device, attribute, value } => {
                (format!("set {attribute} {value} on"), format!("device {device}"))
            }
            Self::Open { device } => ("open".into(), format!("device {device}")),
            Self::Close { device } => ("close".into(), format!("device {device}")),
            Self::ResyncSize { device } => ("look again at the size of".into(), format!("device {device}")),
            Self::CreateGroup { group } => ("create".into(), format!("device group {group}")),
            Self::DelGroup { group } => ("delete".into(), format!("device group {group}")),
            Self::Join { group, device } => (format!("put into device group {group}"), format!("device {device}")),
            Self::Leave { group, device } => (format!("take out of device group {group}"), format!("device {device}")),
            Self::CreateTargetGroup { group, node } => ("create".into(), target_group(group, node)),
            Self::DelTargetGroup { group, node } => ("delete".into(), target_group(group, node)),
            Self::SetGroupId { group, node, id } => (format!("set id {id} on"), target_group(group, node)),
            Self::AddMember { group, node, port } => (format!("add port {port} to"), target_group(group, node)),
            Self::DelMember { group, node, port } => (format!("remove port {port} from"), target_group(group, node)),
            Self::SetMemberId { group, node, port, id } => {
                (format!("set relative target id {id} on"), format!("port {port} in {}", target_group(group, node)))
            }
            Self::SetState { group, node, state } | Self::SetPeerState { group, node, state } => {
                (format!("set state {state} on"), target_group(group, node))
            }
            Self::AddLun { at, device } => {
                (format!("map device {device} as"), format!("LUN {} of {}", at.lun, at.table))
            }
            Self::DelLun { at, device } => {
                (format!("unmap device {device} from"), format!("LUN {} of {}", at.lun, at.table))
            }
            Self::ClearTable { table, luns } => {
                ("unmap at once".into(), format!("LUN {} of {table}", some(luns.keys())))
            }
            Self::AwaitUnmapped { device } => ("wait until no LUN is left of".into(), format!("device {device}")),
            Self::Block { device, .. } => ("block".into(), format!("device {device}")),
            Self::AwaitDrained { device } => ("wait for the commands in flight of".into(), format!("device {device}")),
            Self::Unblock { device, .. } => ("unblock".into(), format!("device {device}")),
            Self::IssueLip { port, host } => {
                (format!("issue a loop initialisation through {host} on"), format!("port {port}"))
            }
        };
        (verb, object)
    }
}

/// Numbers as a part of a sentence: the first three, and how many there are besides.
fn some<'n>(numbers: impl ExactSizeIterator<Item = &'n u32>) -> String {
    let more = numbers.len().saturating_sub(3);
    let first: Vec<String> = numbers.take(3).map(u32::to_string).collect();
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("{}{more}", first.join(", "))
}

/// What a verb ends with where the object follows it.
const PREPOSITIONS: [&str; 5] = [" on", " to", " from", " as", " of"];

fn target_group(group: &GroupName, node: &NodeName) -> String {
    format!("target group {node} of device group {group}")
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (verb, object) = self.words();
        // "add device d with …", "put device d into …": the object stands behind the first word where more words follow it.
        match self {
            Self::AddDevice { .. } | Self::Join { .. } | Self::Leave { .. } => {
                let (first, rest) = verb.split_once(' ').unwrap_or((&verb, ""));
                write!(f, "{first} {object} {rest}")
            }
            _ => write!(f, "{verb} {object}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use nix::errno::Errno;

    use super::*;
    use crate::error::{ErrnoName, Verb};

    fn failed(step: &Step) -> String {
        let (path, value) = step.command().unwrap_or_default();
        let errno = ErrnoName(Errno::EBUSY);
        step.failed(&Error::Kernel {
            verb: Verb::Write,
            path: format!("/sys/{path}").into(),
            value: Some(value),
            errno,
        })
    }

    #[test]
    fn a_failure_names_the_object_first_and_a_sentence_the_verb() {
        let port = TargetName::seen("21:00:00:24:ff:60:d0:10").unwrap();
        let enable = Step::Enable { driver: Driver::Qla2x00t, port: port.clone() };
        assert_eq!(enable.to_string(), "enable port 21:00:00:24:ff:60:d0:10");
        assert_eq!(
            failed(&enable),
            "port 21:00:00:24:ff:60:d0:10: enable failed: EBUSY writing \"1\" to \
             /sys/kernel/scst_tgt/targets/qla2x00t/21:00:00:24:ff:60:d0:10/enabled"
        );
        let group = GroupName::parse("ssd").unwrap();
        let state = Step::SetState { group, node: NodeName::parse("alpha").unwrap(), state: AluaState::Active };
        assert_eq!(state.to_string(), "set state active on target group alpha of device group ssd");
        assert!(failed(&state).starts_with("target group alpha of device group ssd: set state active failed: EBUSY"));
        let device = DeviceName::seen("ssd_lu0").unwrap();
        let value = |text| ParameterValue::parse(text).unwrap();
        let parameters = vec![("filename", value("/dev/sda")), ("read_only", value("1"))];
        let add = Step::AddDevice { handler: HandlerName::VdiskBlockio, device, parameters };
        assert_eq!(add.to_string(), "add device ssd_lu0 with filename=/dev/sda, read_only=1 through vdisk_blockio");
        assert_eq!(add.command().unwrap().1, "add_device ssd_lu0 filename=/dev/sda; read_only=1");
        assert!(failed(&add).starts_with("device ssd_lu0: add failed: EBUSY"));
        let table = LunTable {
            driver: TargetName::seen("qla2x00t").unwrap(),
            port: TargetName::seen("p").unwrap(),
            group: None,
        };
        let cleared = |luns: u32| {
            let luns = (0..luns).map(|lun| (lun, DeviceName::seen("ssd_lu0").unwrap())).collect();
            Step::ClearTable { table: table.clone(), luns }
        };
        assert_eq!(cleared(1).to_string(), "unmap at once LUN 0 of the default group of port p");
        assert_eq!(cleared(5).to_string(), "unmap at once LUN 0, 1, 2 and 2 more of the default group of port p");
        assert!(
            failed(&cleared(2)).starts_with("LUN 0, 1 of the default group of port p: unmap at once failed: EBUSY")
        );
    }
}
