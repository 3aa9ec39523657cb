//! Looks at a device group with its devices, target groups and LUNs: the [`Storage`] that plans compare.

use std::collections::{BTreeMap, BTreeSet};

use super::Observer;
use super::detail::Detail;
use crate::error::Error;
use crate::scst::device_group;
use crate::scst::names::{DeviceName, GroupName, NodeName, TargetName};
use crate::scst::target::LunTable;
use crate::state::{Device, DeviceGroup, Lun, Member, Storage, TargetGroup};
use crate::sysfs::EntryKind;

impl Observer<'_> {
    /// The device group `group`, the devices in it that `owns` accepts, those of `named` that exist wherever they are,
    /// and the LUNs of both, in that detail.
    ///
    /// # Errors
    ///
    /// Anything that was asked for of the group, its devices and their LUNs cannot be read: a plan made of the rest
    /// would be wrong.
    pub fn storage(
        &self,
        group: &GroupName,
        named: &BTreeSet<DeviceName>,
        owns: impl Fn(&DeviceName) -> bool,
        detail: Detail,
    ) -> Result<Storage, Error> {
        let group = self.device_group(group)?;
        let members = group.iter().flat_map(|group| group.devices.iter()).filter(|device| owns(device));
        let mut storage = Storage::default();
        // One listing tells which devices are there: before a first start none is.
        let present = self.device_names()?;
        for name in members.chain(named).filter(|name| present.contains(*name)).collect::<BTreeSet<_>>() {
            let Some((found, entries)) = self.device(name, detail)? else { continue };
            if entries.iter().any(|entry| entry == "exported") {
                self.exports(name, detail, &mut storage.luns)?;
            }
            storage.devices.insert(name.clone(), found);
        }
        storage.group = group;
        Ok(storage)
    }

    /// What is there after a plan whose steps all succeeded, in few reads: directories are listed, and the values of
    /// each device, LUN and target group that is still there are taken from `wanted`, or from `before`, because the
    /// kernel has acknowledged them. ALUA states are read again, because others write them too.
    ///
    /// # Errors
    ///
    /// A directory of the group or of a LUN table cannot be listed, or the state of a target group cannot be read.
    pub fn storage_listed(&self, group: &GroupName, before: &Storage, wanted: &Storage) -> Result<Storage, Error> {
        let mut storage = Storage::default();
        let present = self.device_names()?;
        // What is wanted hides what was there before.
        let devices = before.devices.iter().chain(&wanted.devices).filter(|(name, _)| present.contains(*name));
        storage.devices.extend(devices.map(|(name, device)| (name.clone(), device.clone())));
        let mut tables: BTreeMap<&LunTable, BTreeSet<u32>> = BTreeMap::new();
        for (at, lun) in before.luns.iter().chain(&wanted.luns) {
            if !tables.contains_key(&at.table) {
                let names = self.directories(&at.table.dir())?;
                tables.insert(&at.table, names.iter().filter_map(|name| name.parse().ok()).collect());
            }
            let there = tables[&at.table].contains(&at.lun);
            // A number that was given back may be another group's by now.
            if there && (wanted.luns.contains_key(at) || self.is_behind(at, &lun.device)?) {
                // As read-only as the device is said to be: neither is read again.
                let read_only = storage.devices.get(&lun.device).map_or(lun.read_only, Device::read_only);
                storage.luns.insert(at.clone(), Lun { device: lun.device.clone(), read_only });
            }
        }
        let Some(nodes) = self.sysfs.optional_list(&device_group::target_groups(group), self.deadline)? else {
            return Ok(storage);
        };
        let mut found = DeviceGroup { devices: self.group_devices(group)?, ..DeviceGroup::default() };
        for entry in nodes.iter().filter(|entry| entry.kind == EntryKind::Dir) {
            let Ok(node) = NodeName::parse(&entry.name) else { continue };
            let Some(state) = self.alua_state(group, &node)? else { continue };
            let known = [wanted, before].map(|storage| storage.group.as_ref()?.target_groups.get(&node));
            let id = |port: &TargetName| known.iter().flatten().find_map(|known| known.members.get(port));
            let members = self.members(group, &node)?.into_iter().map(|(port, local)| {
                let rel_tgt_id = id(&port).map_or(0, |member| member.rel_tgt_id);
                (port, Member { local, rel_tgt_id })
            });
            let group_id = known.iter().flatten().next().map_or(0, |known| known.group_id);
            found.target_groups.insert(node, TargetGroup { group_id, state, members: members.collect() });
        }
        storage.group = Some(found);
        Ok(storage)
    }
}
