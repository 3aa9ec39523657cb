//! The least of SCST that a device group's life needs: what each step does to the tree, on plain data.
//!
//! The rules are those of `scst_tg.c`: a target group begins active; a port that exists becomes a link, another one a name; the
//! state of a group without a remote port opens and closes the devices; deleting the device group activates them. Walks
//! compare every outcome with the simulator's machine, which was recorded from real kernels (`walk`).

use std::collections::BTreeMap;

use scst_core::plan::Step;
use scst_core::scst::alua::AluaState;
use scst_core::scst::names::{DeviceName, HandlerName, NodeName, TargetName};
use scst_core::scst::values::ParameterValue;
use scst_core::state::{Device, DeviceGroup, Lun, Member, Storage, TargetGroup};

/// The tree of one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kernel {
    /// Devices, LUNs, the group.
    pub(super) storage: Storage,
    /// The ports of this machine with their relative target ids.
    pub(super) ports: BTreeMap<TargetName, u32>,
}

impl Kernel {
    /// A machine with these ports that has just booted.
    pub(super) fn new(ports: BTreeMap<TargetName, u32>) -> Self {
        Self { storage: Storage::default(), ports }
    }

    /// Carries one step out. `None`: the kernel refuses it.
    pub(super) fn step(&mut self, step: &Step) -> Option<()> {
        let Self { storage, ports } = self;
        match step {
            Step::AddDevice { handler, device, parameters } => add_device(storage, *handler, device, parameters)?,
            Step::SetAttribute { device, attribute, value } => {
                storage.devices.get_mut(device)?.identity.insert(attribute, value.to_string());
            }
            Step::DelDevice { device, .. } => {
                storage.devices.remove(device)?;
                storage.luns.retain(|_, lun| lun.device != *device);
                storage.group.iter_mut().for_each(|group| _ = group.devices.remove(device));
            }
            Step::CreateGroup { .. } => {
                if storage.group.is_some() {
                    return None;
                }
                storage.group = Some(DeviceGroup::default());
            }
            Step::DelGroup { .. } => {
                let nodes: Vec<_> = storage.group.as_ref()?.target_groups.keys().cloned().collect();
                nodes.iter().try_for_each(|node| set_state(storage, node, AluaState::Active))?;
                storage.group = None;
            }
            Step::Join { device, .. } => {
                storage.devices.get(device)?;
                storage.group.as_mut()?.devices.insert(device.clone()).then_some(())?;
            }
            Step::Leave { device, .. } => storage.group.as_mut()?.devices.remove(device).then_some(())?,
            Step::CreateTargetGroup { node, .. } => {
                let groups = &mut storage.group.as_mut()?.target_groups;
                if groups.contains_key(node) {
                    return None;
                }
                groups.insert(node.clone(), TargetGroup::fresh());
            }
            Step::DelTargetGroup { node, .. } => _ = storage.group.as_mut()?.target_groups.remove(node)?,
            Step::SetGroupId { node, id, .. } => {
                storage.group.as_mut()?.target_groups.get_mut(node)?.group_id = *id;
            }
            Step::AddMember { node, port, .. } => {
                let groups = &mut storage.group.as_mut()?.target_groups;
                if groups.values().any(|group| group.members.contains_key(port)) {
                    return None;
                }
                let here = ports.get(port).copied();
                let member = Member { local: here.is_some(), rel_tgt_id: here.unwrap_or(0) };
                groups.get_mut(node)?.members.insert(port.clone(), member);
            }
            Step::DelMember { port, .. } => {
                let groups = &mut storage.group.as_mut()?.target_groups;
                groups.values_mut().find_map(|group| group.members.remove(port))?;
            }
            Step::SetMemberId { node, port, id, .. } => {
                let member = storage.group.as_mut()?.target_groups.get_mut(node)?.members.get_mut(port)?;
                (!member.local).then_some(())?;
                member.rel_tgt_id = *id;
            }
            Step::SetPortId { port, id, .. } => {
                *ports.get_mut(port)? = *id;
                let groups = storage.group.iter_mut().flat_map(|group| group.target_groups.values_mut());
                let members = groups.filter_map(|group| group.members.get_mut(port)).filter(|member| member.local);
                members.for_each(|member| member.rel_tgt_id = *id);
            }
            Step::SetState { node, state, .. } => set_state(storage, node, *state)?,
            Step::SetPeerState { node, state, .. } => {
                storage.group.as_ref()?.target_groups.get(node)?.has_remote().then_some(())?;
                set_state(storage, node, *state)?;
            }
            Step::Open { device } => storage.devices.get_mut(device)?.active = Some(true),
            Step::Close { device } => storage.devices.get_mut(device)?.active = Some(false),
            Step::AddLun { at, device } => {
                let read_only = storage.devices.get(device)?.read_only();
                if storage.luns.contains_key(at) {
                    return None;
                }
                storage.luns.insert(at.clone(), Lun { device: device.clone(), read_only });
            }
            Step::DelLun { at, .. } => _ = storage.luns.remove(at)?,
            Step::ClearTable { table, .. } => storage.luns.retain(|at, _| at.table != *table),
            Step::Block { device, .. } => storage.devices.get_mut(device)?.block.count += 1,
            Step::Unblock { device, .. } => {
                let count = &mut storage.devices.get_mut(device)?.block.count;
                *count = count.saturating_sub(1);
            }
            Step::AwaitUnmapped { .. }
            | Step::AwaitDrained { .. }
            | Step::ResyncSize { .. }
            | Step::IssueLip { .. } => {}
            // The other agent's.
            Step::CreateIniGroup { .. }
            | Step::SetIoGrouping { .. }
            | Step::AddInitiator { .. }
            | Step::DelInitiator { .. }
            | Step::ClearInitiators { .. }
            | Step::ClearLuns { .. }
            | Step::DelIniGroup { .. }
            | Step::Enable { .. }
            | Step::Disable { .. } => return None,
        }
        Some(())
    }
}

/// Adds a device with the defaults of the kernel for what is not said.
fn add_device(
    storage: &mut Storage,
    handler: HandlerName,
    device: &DeviceName,
    parameters: &[(&'static str, ParameterValue)],
) -> Option<()> {
    let said = |name: &str| parameters.iter().find(|(other, _)| *other == name).map(|(_, value)| value.to_string());
    let value = |name: &'static str| {
        let default = if matches!(name, "rotational" | "bind_alua_state") { "1" } else { "0" };
        (name, said(name).unwrap_or_else(|| default.to_owned()))
    };
    let settings = ["read_only", "removable", "rotational", "nv_cache", "bind_alua_state"];
    let added = Device {
        handler: Some(handler),
        filename: said("filename"),
        settings: settings.into_iter().map(value).collect(),
        active: Some(said("active").is_none_or(|open| open == "1")),
        ..Device::default()
    };
    let vacant = !storage.devices.contains_key(device);
    vacant.then(|| _ = storage.devices.insert(device.clone(), added))
}

/// Changes a state; a group without a remote port takes the devices with it.
fn set_state(storage: &mut Storage, node: &NodeName, state: AluaState) -> Option<()> {
    let group = storage.group.as_mut()?;
    let target_group = group.target_groups.get_mut(node)?;
    if target_group.state == state {
        return Some(());
    }
    target_group.state = state;
    if !target_group.has_remote() {
        for device in &group.devices {
            storage.devices.get_mut(device)?.active = Some(state.is_open());
        }
    }
    Some(())
}
