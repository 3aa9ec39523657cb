//! Device groups: `device_groups/mgmt`, `device_groups/<g>/devices/mgmt`, `.../target_groups/mgmt` (`scst_tg.c`).

use std::collections::BTreeMap;

use super::Errno;
use super::alua::AluaState;
use super::machine::Machine;
use super::state::{DevId, DeviceGroup, GroupId, TargetGroup, TgId, directory_name};
use super::words::{Words, first_line, same_word};

pub(super) const USAGE: &str = "Commands: create GROUP, del GROUP\n";
pub(super) const DEVICES_USAGE: &str = "Commands: add DEVICE, del DEVICE\n";

/// Verb and name of a command; these files stop at the first line's end. EINVAL without a name.
pub(super) fn verb_and_name(text: &[u8]) -> Result<(&[u8], &[u8]), Errno> {
    let mut words = Words::new(first_line(text));
    let (verb, name) = (words.word(), words.word());
    if name.is_empty() { Err(Errno::EINVAL) } else { Ok((verb, name)) }
}

fn creates(verb: &[u8]) -> bool {
    same_word(verb, "create") || same_word(verb, "add")
}

impl Machine {
    /// A write to `device_groups/mgmt`.
    pub(super) fn device_groups_command(&mut self, text: &[u8]) -> Result<(), Errno> {
        let (verb, name) = verb_and_name(text)?;
        let shown = directory_name(name);
        let existing = self.scst.group_names.get(&shown).copied();
        if creates(verb) {
            if existing.is_some() || shown == b"mgmt" {
                return Err(Errno::EEXIST);
            }
            let id = GroupId(self.new_id());
            let group = DeviceGroup { name: name.to_vec(), ..DeviceGroup::default() };
            self.scst.groups.insert(id, group);
            self.scst.group_names.insert(shown, id);
            Ok(())
        } else if same_word(verb, "del") {
            let same_name = |id: &GroupId| self.scst.groups.get(id).is_some_and(|g| g.name == name);
            self.delete_group(existing.filter(same_name).ok_or(Errno::EINVAL)?);
            Ok(())
        } else {
            Err(Errno::EINVAL)
        }
    }

    /// Deletes a device group. All its target groups become active first, which opens bound devices.
    pub(super) fn delete_group(&mut self, id: GroupId) {
        let Some(group) = self.scst.groups.get(&id) else { return };
        let shown = directory_name(&group.name);
        let mut target_groups: Vec<TgId> = group.target_groups.values().copied().collect();
        target_groups.sort_unstable();
        for tg in &target_groups {
            self.set_alua_state(*tg, AluaState::Active);
        }
        for tg in target_groups {
            self.scst.target_groups.remove(&tg);
        }
        if let Some(group) = self.scst.groups.remove(&id) {
            for device in group.devices {
                if let Some(device) = self.scst.devices.get_mut(&device) {
                    device.group = None;
                }
            }
        }
        self.scst.group_names.remove(&shown);
    }

    /// A write to `devices/mgmt` of a group.
    pub(super) fn group_devices_command(&mut self, id: GroupId, text: &[u8]) -> Result<(), Errno> {
        let (verb, name) = verb_and_name(text)?;
        let device = self.scst.device_named(name);
        let group_of = device.and_then(|d| self.scst.devices.get(&d)).and_then(|d| d.group);
        if same_word(verb, "add") {
            if group_of.is_some() {
                return Err(Errno::EEXIST);
            }
            let device = device.ok_or(Errno::EINVAL)?;
            self.scst.groups.get_mut(&id).ok_or(Errno::EINVAL)?.devices.push(device);
            if let Some(device) = self.scst.devices.get_mut(&device) {
                device.group = Some(id);
            }
            Ok(())
        } else if same_word(verb, "del") {
            match device {
                Some(device) if group_of == Some(id) => {
                    self.leave_group(device);
                    Ok(())
                }
                _ => Err(Errno::EINVAL),
            }
        } else {
            Err(Errno::EINVAL)
        }
    }

    /// Takes a device out of its group, if it is in one.
    pub(super) fn leave_group(&mut self, device: DevId) {
        let group = self.scst.devices.get_mut(&device).and_then(|d| d.group.take());
        if let Some(group) = group.and_then(|g| self.scst.groups.get_mut(&g)) {
            group.devices.retain(|d| *d != device);
        }
    }

    /// A write to `target_groups/mgmt` of a group.
    pub(super) fn target_groups_command(&mut self, id: GroupId, text: &[u8]) -> Result<(), Errno> {
        let (verb, name) = verb_and_name(text)?;
        let shown = directory_name(name);
        let existing = self.scst.groups.get(&id).ok_or(Errno::EINVAL)?.target_groups.get(&shown).copied();
        if creates(verb) {
            if existing.is_some() || shown == b"mgmt" {
                return Err(Errno::EEXIST);
            }
            let tg = TgId(self.new_id());
            let target_group = TargetGroup {
                group: id,
                name: name.to_vec(),
                group_id: 0,
                preferred: false,
                state: AluaState::Active,
                members: BTreeMap::new(),
                links: BTreeMap::new(),
            };
            self.scst.target_groups.insert(tg, target_group);
            if let Some(group) = self.scst.groups.get_mut(&id) {
                group.target_groups.insert(shown, tg);
            }
            Ok(())
        } else if same_word(verb, "del") {
            let same_name = |tg: &TgId| self.scst.target_groups.get(tg).is_some_and(|t| t.name == name);
            let tg = existing.filter(same_name).ok_or(Errno::EINVAL)?;
            self.scst.target_groups.remove(&tg);
            if let Some(group) = self.scst.groups.get_mut(&id) {
                group.target_groups.remove(&shown);
                group.members.retain(|_, of| *of != tg);
            }
            Ok(())
        } else {
            Err(Errno::EINVAL)
        }
    }
}
