//! The type [`Scope`]: what a plan for a device group needs to know besides the found and the wanted state. The agent
//! fills it.

use std::collections::BTreeMap;

use crate::plan::step::Step;
use crate::scst::alua::AluaState;
use crate::scst::names::{DeviceName, Driver, GroupName, HandlerName, NodeName, TargetName};
use crate::state::{DeviceGroup, LunAddress, Storage, TargetGroup};

/// What a plan needs to know besides the two states.
#[derive(Debug, Clone)]
pub struct Scope {
    /// The device group.
    pub group: GroupName,
    /// This node: the name of the local target group. `None` where the name is not known: then no target group is taken
    /// for ours.
    pub local: Option<NodeName>,
    /// The driver of the ports into whose initiator groups we map.
    pub driver: Driver,
    /// Whether a device whose settings differ is deleted and added again although it is a member of the group or
    /// mapped. A start may; not so a reload, because hosts use the device.
    pub recreate: bool,
    /// The relative target port identifiers that the local ports have now, 0 for one without; a port that is not listed
    /// here is taken to have the wanted one.
    pub port_ids: BTreeMap<TargetName, u32>,
    /// The parameters that each handler's `add_device` knows, by its usage text; no entry for a handler whose text
    /// lists none.
    pub parameters: BTreeMap<HandlerName, Vec<String>>,
}

impl Scope {
    /// Whether this is the name of this node.
    pub(super) fn is_local(&self, node: &NodeName) -> bool {
        self.local.as_ref() == Some(node)
    }

    /// This node's target group, with its name.
    pub(super) fn own<'g>(&'g self, group: &'g DeviceGroup) -> Option<(&'g NodeName, &'g TargetGroup)> {
        let local = self.local.as_ref()?;
        Some((local, group.target_groups.get(local)?))
    }

    /// The group will serve hosts of this node when the plan has been carried out.
    pub(super) fn in_service(&self, wanted: &Storage) -> bool {
        let own = wanted.group.as_ref().and_then(|group| self.own(group));
        own.is_some_and(|(_, own)| own.state.is_open())
    }

    /// Whether the agent maps and unmaps in this table: in initiator groups of its driver only. Other LUNs of our
    /// devices are an operator's own.
    pub(super) fn maps(&self, at: &LunAddress) -> bool {
        at.table.group.is_some() && at.table.driver.as_str() == self.driver.dir()
    }

    pub(super) fn set_state(&self, node: &NodeName, state: AluaState) -> Step {
        Step::SetState { group: self.group.clone(), node: node.clone(), state }
    }

    pub(super) fn leave(&self, device: &DeviceName) -> Step {
        Step::Leave { group: self.group.clone(), device: device.clone() }
    }
}
