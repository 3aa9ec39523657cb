//! Looks at device groups, their target groups and the states of these.

use std::collections::{BTreeMap, BTreeSet};

use super::Observer;
use crate::error::Error;
use crate::scst::alua::AluaState;
use crate::scst::device_group;
use crate::scst::names::{DeviceName, GroupName, NodeName, TargetName};
use crate::state::{DeviceGroup, Member, TargetGroup};
use crate::sysfs::EntryKind;

impl Observer<'_> {
    /// The device group of this name with its target groups; `None` where there is none.
    ///
    /// # Errors
    ///
    /// A directory of the group cannot be listed, or an attribute of one of its target groups cannot be read or holds
    /// no value of its kind ([`Error::Content`]).
    pub fn device_group(&self, name: &GroupName) -> Result<Option<DeviceGroup>, Error> {
        let Some(nodes) = self.sysfs.optional_list(&device_group::target_groups(name), self.deadline)? else {
            return Ok(None);
        };
        let mut group = DeviceGroup { devices: self.group_devices(name)?, ..DeviceGroup::default() };
        for entry in nodes.iter().filter(|entry| entry.kind == EntryKind::Dir) {
            let Ok(node) = NodeName::parse(&entry.name) else { continue };
            if let Some(found) = self.target_group(name, &node)? {
                group.target_groups.insert(node, found);
            }
        }
        Ok(Some(group))
    }

    /// The names of all device groups.
    ///
    /// # Errors
    ///
    /// The directory `device_groups` cannot be listed.
    pub fn group_names(&self) -> Result<BTreeSet<GroupName>, Error> {
        let names = self.directories(&device_group::all())?;
        Ok(names.iter().filter_map(|name| GroupName::seen(name).ok()).collect())
    }

    /// Whether there is a device group of this name.
    ///
    /// # Errors
    ///
    /// The group's directory is there and cannot be listed.
    pub fn group_exists(&self, name: &GroupName) -> Result<bool, Error> {
        Ok(self.sysfs.optional_list(&device_group::group(name), self.deadline)?.is_some())
    }

    /// The devices of a group; none where there is no such group.
    ///
    /// # Errors
    ///
    /// The group's `devices` cannot be listed.
    pub fn group_devices(&self, name: &GroupName) -> Result<BTreeSet<DeviceName>, Error> {
        let links = self.links(&device_group::devices(name))?;
        Ok(links.iter().filter_map(|name| DeviceName::seen(name).ok()).collect())
    }

    /// The target group of a node, with its ports; `None` where there is none.
    ///
    /// # Errors
    ///
    /// `state`, `group_id` or the `rel_tgt_id` of a member cannot be read or holds no value of its kind
    /// ([`Error::Content`]), or the directory cannot be listed.
    pub fn target_group(&self, group: &GroupName, node: &NodeName) -> Result<Option<TargetGroup>, Error> {
        let dir = device_group::target_group(group, node);
        let Some(state) = self.alua_state(group, node)? else { return Ok(None) };
        let group_id = self.number(&format!("{dir}/group_id"))?.unwrap_or(0);
        let members = self.members(group, node)?;
        let mut found = TargetGroup { group_id, state, members: BTreeMap::new() };
        for (port, local) in members {
            let rel_tgt_id = self.number(&device_group::member_id(group, node, &port))?.unwrap_or(0);
            found.members.insert(port, Member { local, rel_tgt_id });
        }
        Ok(Some(found))
    }

    /// The ports of a target group, each with whether it is one of this machine; none where there is no such group.
    ///
    /// # Errors
    ///
    /// The target group's directory is there and cannot be listed.
    pub fn members(&self, group: &GroupName, node: &NodeName) -> Result<Vec<(TargetName, bool)>, Error> {
        let entries = self.sysfs.optional_list(&device_group::target_group(group, node), self.deadline)?;
        let entries = entries.unwrap_or_default().into_iter().filter(|entry| entry.kind != EntryKind::File);
        Ok(entries
            .filter_map(|entry| Some((TargetName::seen(&entry.name).ok()?, entry.kind == EntryKind::Link)))
            .collect())
    }

    /// The state of a target group; `None` when there is no such group.
    ///
    /// # Errors
    ///
    /// `state` cannot be read, or holds no ALUA state ([`Error::Content`]).
    pub fn alua_state(&self, group: &GroupName, node: &NodeName) -> Result<Option<AluaState>, Error> {
        let path = format!("{}/state", device_group::target_group(group, node));
        let Some(text) = self.optional(&path)? else { return Ok(None) };
        let content = || Error::Content { path: self.sysfs.full(&path), text: text.clone(), expected: "an ALUA state" };
        AluaState::parse(&text).map(Some).ok_or_else(content)
    }
}
