//! What a failed step means for those after it ([`Step::needs`]), and what a step takes from hosts that a later one
//! gives back. For [`crate::apply`], where it goes on after a failure.
//!
//! Each step has conditions that steps before it bring about, and conditions that are missing when it fails itself. A
//! step is left out when one of its conditions is missing.

use self::Condition::{
    InNewGroups, IniGroup, Named, NewPortals, NewPorts, NewUsers, Open, OwnState, Shared, Target, TargetGroup,
    Unmapped, Unused, Usable,
};
use super::{Change, Step};
use crate::scst::names::{DeviceName, InitiatorGroup, InitiatorName, NodeName, TargetName};
use crate::state::LunAddress;

/// What a step can need of those before it.
#[derive(Debug, PartialEq, Eq)]
enum Condition<'a> {
    /// The target is there.
    Target(&'a TargetName),
    /// The target has its new users: without any user nobody would need to prove himself.
    NewUsers(&'a TargetName),
    /// The target has its new portals: without any portal every address would be open.
    NewPortals(&'a TargetName),
    /// The initiator group is there.
    IniGroup(&'a TargetName, &'a InitiatorGroup),
    /// Every initiator of a port is in its new group: otherwise it would fall into the default one and lose its LUNs.
    InNewGroups(&'a TargetName),
    /// The device is there, and ours to use.
    Usable(&'a DeviceName),
    /// The device is open: a member that is closed makes a group that is in service fail.
    Open(&'a DeviceName),
    /// The device has its attributes: a host that has once seen a device keeps the name and the size it had then.
    Named(&'a DeviceName),
    /// The device shares its reservations, where it is meant to: what a host reserves before, no other node knows.
    Shared(&'a DeviceName),
    /// No host sees the device.
    Unmapped(&'a DeviceName),
    /// The device is not in use: it is exported nowhere, and no block of ours is on it.
    Unused(&'a DeviceName),
    /// The target group is there.
    TargetGroup(&'a NodeName),
    /// The target group has its new ports: without any remote port a peer's group would act on our devices.
    NewPorts(&'a NodeName),
    /// Our own target group has its state.
    OwnState,
}

/// What hosts have, by what a step takes away or gives.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Possession<'a> {
    /// A device at a LUN.
    Lun(LunAddress),
    /// A device.
    Device(&'a DeviceName),
    /// A device's membership in the group, which rules its ALUA state.
    Membership(&'a DeviceName),
    /// A port's membership in a target group.
    PortInGroup(&'a TargetName),
    /// A port that answers.
    Port(&'a TargetName),
    /// An initiator's place in an initiator group.
    Initiator(&'a TargetName, &'a InitiatorName),
}

impl Step {
    /// The step is left out when `failed` failed before it, even where a plan otherwise goes on.
    pub fn needs(&self, failed: &Self) -> bool {
        // Deleting the group sets all its target groups to active: only when everything else is gone.
        if matches!(self, Self::DelGroup { .. }) {
            return true;
        }
        let missing = failed.missing_without();
        self.conditions().iter().any(|condition| missing.contains(condition))
    }

    /// The step takes LUNs from an initiator, by its initiator group. A reload with a mistake in `initiators` leaves
    /// such steps out.
    pub fn takes_from_hosts(&self) -> bool {
        self.conditions().iter().any(|condition| matches!(condition, InNewGroups(_)))
    }

    /// What must be so before this step.
    fn conditions(&self) -> Vec<Condition<'_>> {
        match self {
            Self::Target { change: Change::Add, .. } => Vec::new(),
            Self::Target { port, change: Change::DelUser { .. }, .. } => vec![Target(port), NewUsers(port)],
            Self::Target { port, change: Change::DelPortal { .. }, .. } => vec![Target(port), NewPortals(port)],
            Self::Target { port, .. } => vec![Target(port)],
            Self::CreateIniGroup { port, .. } | Self::SetPortId { port, .. } | Self::Enable { port, .. } => {
                vec![Target(port)]
            }
            Self::AddInitiator { port, group, .. } | Self::SetIoGrouping { port, group, .. } => {
                vec![IniGroup(port, group)]
            }
            Self::DelInitiator { port, .. }
            | Self::ClearInitiators { port, .. }
            | Self::ClearLuns { port, .. }
            | Self::DelIniGroup { port, .. } => vec![InNewGroups(port)],
            Self::SetAttribute { device, .. }
            | Self::Open { device }
            | Self::Close { device }
            | Self::AwaitLockspace { device } => vec![Usable(device)],
            Self::Join { device, .. } => vec![Usable(device), Open(device)],
            Self::AddLun { device, .. } => {
                vec![Usable(device), Open(device), Named(device), Shared(device), OwnState]
            }
            Self::AwaitUnmapped { device } => vec![Unmapped(device)],
            Self::DelDevice { device, .. } => vec![Unused(device)],
            Self::AddMember { node, .. } => vec![TargetGroup(node)],
            Self::SetGroupId { node, .. }
            | Self::SetMemberId { node, .. }
            | Self::DelMember { node, .. }
            | Self::SetPeerState { node, .. } => vec![TargetGroup(node), NewPorts(node)],
            _ => Vec::new(),
        }
    }

    /// What is not so where this step has failed.
    fn missing_without(&self) -> Vec<Condition<'_>> {
        match self {
            Self::Target { port, change: Change::Add, .. } => vec![Target(port)],
            Self::Target { port, change: Change::AddUser { .. } | Change::SetUser { .. }, .. } => vec![NewUsers(port)],
            Self::Target { port, change: Change::AddPortal { .. }, .. } => vec![NewPortals(port)],
            Self::CreateIniGroup { port, group, .. } => vec![IniGroup(port, group), InNewGroups(port)],
            Self::AddInitiator { port, .. } => vec![InNewGroups(port)],
            Self::AddDevice { device, .. } | Self::DelDevice { device, .. } | Self::Join { device, .. } => {
                vec![Usable(device)]
            }
            Self::Open { device } => vec![Open(device)],
            Self::SetAttribute { device, .. } => vec![Named(device)],
            Self::AwaitLockspace { device } => vec![Shared(device)],
            Self::DelLun { device, .. } => vec![Unmapped(device), Unused(device)],
            Self::ClearTable { luns, .. } => {
                luns.values().flat_map(|device| [Unmapped(device), Unused(device)]).collect()
            }
            Self::AwaitUnmapped { device } | Self::AwaitDrained { device } | Self::Unblock { device, .. } => {
                vec![Unused(device)]
            }
            Self::CreateTargetGroup { node, .. } => vec![TargetGroup(node)],
            Self::AddMember { node, .. } => vec![NewPorts(node)],
            Self::SetState { .. } => vec![OwnState],
            _ => Vec::new(),
        }
    }

    /// What hosts had and are without after this step, until another one gives it back in another form.
    pub(crate) fn takes(&self) -> Vec<Possession<'_>> {
        match self {
            Self::DelLun { at, .. } => vec![Possession::Lun(at.clone())],
            Self::ClearTable { table, luns } => {
                luns.keys().map(|lun| Possession::Lun(LunAddress { table: table.clone(), lun: *lun })).collect()
            }
            Self::DelDevice { device, .. } => vec![Possession::Device(device)],
            Self::Leave { device, .. } => vec![Possession::Membership(device)],
            Self::DelMember { port, .. } => vec![Possession::PortInGroup(port)],
            Self::Disable { port, .. } => vec![Possession::Port(port)],
            Self::DelInitiator { port, initiator, .. } => vec![Possession::Initiator(port, initiator)],
            _ => Vec::new(),
        }
    }

    /// What hosts have after this step.
    pub(crate) fn gives(&self) -> Option<Possession<'_>> {
        Some(match self {
            Self::AddLun { at, .. } => Possession::Lun(at.clone()),
            Self::AddDevice { device, .. } => Possession::Device(device),
            Self::Join { device, .. } => Possession::Membership(device),
            Self::AddMember { port, .. } => Possession::PortInGroup(port),
            Self::Enable { port, .. } => Possession::Port(port),
            Self::AddInitiator { port, initiator, .. } => Possession::Initiator(port, initiator),
            _ => return None,
        })
    }
}
