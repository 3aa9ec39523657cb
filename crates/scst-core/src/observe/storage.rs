//! One device group with its devices, target groups and LUNs, as plans compare it.

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
    /// The device group of this name, the devices in it that `owns` accepts, those of `named` that exist, and their LUNs.
    pub fn storage(
        &self,
        group: &GroupName,
        named: &BTreeSet<DeviceName>,
        owns: impl Fn(&DeviceName) -> bool,
    ) -> Result<Storage, Error> {
        self.storage_with(group, named, owns, Detail::Settings)
    }

    /// The same for those who only remove: what is there and where, not how it is set.
    pub fn storage_to_remove(
        &self,
        group: &GroupName,
        named: &BTreeSet<DeviceName>,
        owns: impl Fn(&DeviceName) -> bool,
    ) -> Result<Storage, Error> {
        self.storage_with(group, named, owns, Detail::Names)
    }

    fn storage_with(
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

    /// What is there after a plan whose every step was acknowledged, told by listings: of what stands in `wanted` or stood in
    /// `before`, everything that has its name. A command that the kernel acknowledged made what it said, so its values are
    /// not read again; states are, because others change them too.
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
