//! One device group with its devices, target groups and LUNs.

use std::collections::{BTreeMap, BTreeSet};

use nix::sys::stat::{major, minor};

use super::Observer;
use crate::error::Error;
use crate::scst::alua::AluaState;
use crate::scst::device::{self, Block, parameters_listed};
use crate::scst::host_id::HostId;
use crate::scst::names::{DeviceName, Driver, EntryName, GroupName, HandlerName, InitiatorGroup, NodeName, TargetName};
use crate::scst::target::LunTable;
use crate::scst::{device_group, identity, target};
use crate::state::{Device, DeviceGroup, Lun, LunAddress, Member, Storage, TargetGroup};
use crate::sysfs::EntryKind;

/// Attributes that tell what was said when a device was added.
const SETTINGS: [&str; 10] = [
    "bind_alua_state",
    "blocksize",
    "cluster_mode",
    "dummy",
    "nv_cache",
    "read_only",
    "removable",
    "rotational",
    "thin_provisioned",
    "write_through",
];

/// Attributes by which a host knows a device.
const IDENTITY: [&str; 8] =
    ["eui64_id", "inq_vend_specific", "naa_id", "prod_id", "prod_rev_lvl", "t10_dev_id", "usn", "vend_specific_id"];

/// Attributes that can be changed while hosts use the device.
const TUNING: [&str; 1] = ["threads_num"];

/// The unit of the block layer's sizes, in bytes, whatever the disk's own block size is.
const SECTOR: u64 = 512;

/// How closely devices and their LUNs are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Detail {
    /// Everything a plan compares.
    Settings,
    /// Which there are, whose they are, whether they are blocked, where they are exported.
    Names,
}

/// LUNs by the table they stand in and their number there.
type Luns = Vec<(LunTable, u32)>;

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

    /// Whether a LUN is this device.
    fn is_behind(&self, at: &LunAddress, device: &DeviceName) -> Result<bool, Error> {
        let link = self.sysfs.optional_link(&format!("{}/{}/device", at.table.dir(), at.lun), self.deadline)?;
        Ok(link.is_some_and(|link| link.ends_with(&format!("/{device}"))))
    }

    /// The device group of this name, or `None`.
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
    pub fn group_names(&self) -> Result<BTreeSet<GroupName>, Error> {
        let names = self.directories(&device_group::all())?;
        Ok(names.iter().filter_map(|name| GroupName::seen(name).ok()).collect())
    }

    /// Whether there is a device group of this name.
    pub fn group_exists(&self, name: &GroupName) -> Result<bool, Error> {
        Ok(self.sysfs.optional_list(&device_group::group(name), self.deadline)?.is_some())
    }

    /// The devices of a group.
    pub fn group_devices(&self, name: &GroupName) -> Result<BTreeSet<DeviceName>, Error> {
        let links = self.links(&device_group::devices(name))?;
        Ok(links.iter().filter_map(|name| DeviceName::seen(name).ok()).collect())
    }

    /// One target group, or `None`.
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

    /// The ports of a target group, and whether they are this machine's.
    pub fn members(&self, group: &GroupName, node: &NodeName) -> Result<Vec<(TargetName, bool)>, Error> {
        let entries = self.sysfs.optional_list(&device_group::target_group(group, node), self.deadline)?;
        let entries = entries.unwrap_or_default().into_iter().filter(|entry| entry.kind != EntryKind::File);
        Ok(entries
            .filter_map(|entry| Some((TargetName::seen(&entry.name).ok()?, entry.kind == EntryKind::Link)))
            .collect())
    }

    /// The state of a target group; `None` when there is no such group.
    pub fn alua_state(&self, group: &GroupName, node: &NodeName) -> Result<Option<AluaState>, Error> {
        let path = format!("{}/state", device_group::target_group(group, node));
        let Some(text) = self.optional(&path)? else { return Ok(None) };
        let content = || Error::Content { path: self.sysfs.full(&path), text: text.clone(), expected: "an ALUA state" };
        AluaState::parse(&text).map(Some).ok_or_else(content)
    }

    /// How often a device is blocked; `None` when it is not there.
    pub fn block(&self, name: &DeviceName) -> Result<Option<Block>, Error> {
        let path = format!("{}/block", device::device(name));
        let Some(text) = self.optional(&path)? else { return Ok(None) };
        let content = || Error::Content { path: self.sysfs.full(&path), text: text.clone(), expected: "two numbers" };
        Block::parse(&text).map(Some).ok_or_else(content)
    }

    /// Whether a device's backing store is open; `None` where it has no such attribute.
    pub fn active(&self, name: &DeviceName) -> Result<Option<bool>, Error> {
        Ok(self.optional(&format!("{}/active", device::device(name)))?.map(|text| text != "0"))
    }

    /// The capacity that hosts are told of a device, in bytes; `None` where it says none.
    pub fn size(&self, name: &DeviceName) -> Result<Option<u64>, Error> {
        Ok(self.optional(&format!("{}/size", device::device(name)))?.and_then(|text| text.parse().ok()))
    }

    /// The capacity of a block device of this machine in bytes. The kernel tells it without opening the device, which is not
    /// possible for a DRBD secondary. `number` is what a `stat` of its node tells.
    pub fn block_device_size(&self, number: u64) -> Result<Option<u64>, Error> {
        let sectors = self.optional(&format!("dev/block/{}:{}/size", major(number), minor(number)))?;
        Ok(sectors.and_then(|text| text.parse::<u64>().ok()).and_then(|sectors| sectors.checked_mul(SECTOR)))
    }

    /// Whether a device says that its backing store is not open. Which devices say anything depends on the handler, and whoever
    /// only looks, and does so every few seconds, believes one that does not.
    pub fn says_closed(&self, name: &DeviceName) -> Result<bool, Error> {
        match self.sysfs.value(&format!("{}/active", device::device(name)), self.deadline) {
            Ok(value) => Ok(value == "0"),
            Err(error) if error.is_absent() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether a device says that its backing store is open; one that says nothing is taken for closed.
    pub fn says_open(&self, name: &DeviceName) -> Result<bool, Error> {
        match self.sysfs.value(&format!("{}/active", device::device(name)), self.deadline) {
            Ok(value) => Ok(value != "0"),
            Err(error) if error.is_absent() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// A device that stands on a store, with what concerns the store alone; `None` for one that stands on none, or is not there.
    pub fn with_store(&self, name: &DeviceName) -> Result<Option<Device>, Error> {
        let dir = device::device(name);
        let link = self.sysfs.optional_link(&format!("{dir}/handler"), self.deadline)?;
        let handler = link.and_then(|link| HandlerName::parse(link.rsplit('/').next()?).ok());
        let Some(handler) = handler.filter(|handler| handler.has_backing()) else { return Ok(None) };
        let mut found = Device { handler: Some(handler), ..Device::default() };
        found.filename = self.optional(&format!("{dir}/filename"))?;
        for setting in ["bind_alua_state", "blocksize", "read_only"] {
            found.settings.extend(self.optional(&format!("{dir}/{setting}"))?.map(|value| (setting, value)));
        }
        found.active = self.active(name)?;
        found.size = self.size(name)?;
        Ok(Some(found))
    }

    /// The names of all devices.
    pub fn device_names(&self) -> Result<BTreeSet<DeviceName>, Error> {
        let names = self.directories(&device::all())?;
        Ok(names.iter().filter_map(|name| DeviceName::seen(name).ok()).collect())
    }

    /// One device and the names in its directory. Only attributes that are listed are read: which there are depends on
    /// the handler and on SCST's version.
    fn device(&self, name: &DeviceName, detail: Detail) -> Result<Option<(Device, Vec<String>)>, Error> {
        let dir = device::device(name);
        let Some(entries) = self.sysfs.optional_list(&dir, self.deadline)? else { return Ok(None) };
        let entries: Vec<String> = entries.into_iter().map(|entry| entry.name).collect();
        let has = |attribute: &str| entries.iter().any(|entry| entry == attribute);
        let mut found = Device::default();
        if let Some(handler) = self.sysfs.optional_link(&format!("{dir}/handler"), self.deadline)? {
            found.handler = handler.rsplit('/').next().and_then(|name| HandlerName::parse(name).ok());
        }
        found.block = self.block(name)?.unwrap_or_default();
        if detail == Detail::Names {
            return Ok(Some((found, entries)));
        }
        if has("filename") {
            found.filename = self.optional(&format!("{dir}/filename"))?;
        }
        for (names, values) in [
            (&SETTINGS[..], &mut found.settings),
            (&IDENTITY[..], &mut found.identity),
            (&TUNING[..], &mut found.tuning),
        ] {
            for attribute in names.iter().copied().filter(|attribute| has(attribute)) {
                if let Some(value) = self.optional(&format!("{dir}/{attribute}"))? {
                    values.insert(attribute, value);
                }
            }
        }
        if has("active") {
            found.active = self.active(name)?;
        }
        if found.is_shared() {
            found.joined = self.is_joined(name)?;
        }
        if found.handler.is_some_and(HandlerName::has_backing) && has("size") {
            found.size = self.size(name)?;
        }
        Ok(Some((found, entries)))
    }

    /// Where a device is mapped, without the copy manager's LUN.
    fn exports(&self, name: &DeviceName, detail: Detail, luns: &mut BTreeMap<LunAddress, Lun>) -> Result<(), Error> {
        for (table, lun) in self.exported(name)?.0 {
            let mut read_only = false;
            if detail == Detail::Settings {
                let path = format!("{}/{lun}/read_only", table.dir());
                // Gone between the two looks: somebody else is unmapping it.
                let Some(value) = self.optional(&path)? else { continue };
                read_only = value != "0";
            }
            luns.insert(LunAddress { table, lun }, Lun { device: name.clone(), read_only });
        }
        Ok(())
    }

    /// The LUNs of a device, without the copy manager's.
    ///
    /// # Errors
    ///
    /// Also when it is exported somewhere that no command of ours could name.
    pub fn mapped(&self, name: &DeviceName) -> Result<Vec<(LunTable, u32)>, Error> {
        match self.exported(name)? {
            (luns, None) => Ok(luns),
            (_, Some(path)) => Err(Error::Name { path: self.sysfs.full(&path) }),
        }
    }

    /// The LUNs of a device that can be named, and one that cannot.
    fn exported(&self, name: &DeviceName) -> Result<(Luns, Option<String>), Error> {
        let dir = format!("{}/exported", device::device(name));
        let mut luns = Vec::new();
        let mut unnamed = None;
        for export in self.links(&dir)? {
            let path = format!("{dir}/{export}");
            if EntryName::seen(&export).is_err() {
                unnamed = Some(path);
                continue;
            }
            let Some(link) = self.sysfs.optional_link(&path, self.deadline)? else { continue };
            match LunTable::from_export(&link) {
                Some((table, _)) if table.is_copy_manager() => {}
                Some(place) => luns.push(place),
                None => unnamed = Some(path),
            }
        }
        Ok((luns, unnamed))
    }

    /// The LUN numbers in use in an initiator group.
    pub fn luns_in_use(
        &self,
        driver: Driver,
        port: &TargetName,
        group: &InitiatorGroup,
    ) -> Result<BTreeSet<u32>, Error> {
        self.numbers(&format!("{}/luns", target::ini_group(driver, port, group)))
    }

    /// The LUN numbers in use in a table.
    pub fn luns_in_table(&self, table: &LunTable) -> Result<BTreeSet<u32>, Error> {
        self.numbers(&table.dir())
    }

    fn numbers(&self, table: &str) -> Result<BTreeSet<u32>, Error> {
        Ok(self.directories(table)?.iter().filter_map(|name| name.parse().ok()).collect())
    }

    /// The device behind a LUN of an initiator group.
    pub fn lun_device(
        &self,
        driver: Driver,
        port: &TargetName,
        group: &InitiatorGroup,
        lun: u32,
    ) -> Result<Option<String>, Error> {
        let path = format!("{}/luns/{lun}/device", target::ini_group(driver, port, group));
        let link = self.sysfs.optional_link(&path, self.deadline)?;
        Ok(link.and_then(|link| link.rsplit('/').next().map(str::to_owned)))
    }

    /// The parameters a handler says it knows; `None` when it says nothing.
    pub fn handler_parameters(&self, handler: HandlerName) -> Result<Option<Vec<String>>, Error> {
        let usage = self.sysfs.optional_read(&device::handler_mgmt(handler), self.deadline)?;
        Ok(usage.as_deref().and_then(parameters_listed))
    }

    /// What hosts tell a device by; `None` for one without such attributes, as a disk that is passed through.
    pub fn host_id(&self, name: &DeviceName) -> Result<Option<HostId>, Error> {
        let read = |attribute: &str| self.optional(&format!("{}/{attribute}", device::device(name)));
        let Some(t10) = read("t10_dev_id")? else { return Ok(None) };
        Ok(Some(HostId::of(read("naa_id")?.as_deref(), read("eui64_id")?.as_deref(), &t10)))
    }

    /// The number of this machine that goes into the identifiers which the kernel makes of a device's name; 0 where there is none.
    pub fn setup_id(&self) -> Result<u32, Error> {
        let text = self.optional(&identity::setup_id())?.unwrap_or_default();
        Ok(u32::from_str_radix(text.trim_start_matches("0x"), 16).unwrap_or(0))
    }

    /// The size in bytes of the smallest piece that a block device reads and writes; `None` where the kernel has no such device.
    /// A partition has its disk's.
    pub fn logical_block_size(&self, number: u64) -> Result<Option<u64>, Error> {
        for queue in ["queue", "../queue"] {
            let path = format!("dev/block/{}:{}/{queue}/logical_block_size", major(number), minor(number));
            match self.sysfs.value(&path, self.deadline) {
                Ok(text) => return Ok(text.trim().parse().ok()),
                Err(error) if error.is_absent() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// The initiators that have commands in flight on a device, by session; to name them when a drain does not end.
    pub fn busy_initiators(&self, name: &DeviceName) -> Result<BTreeSet<EntryName>, Error> {
        let mut busy = BTreeSet::new();
        for (table, lun) in self.mapped(name)? {
            let Ok(driver) = Driver::parse(table.driver.as_str()) else { continue };
            for session in self.sessions(driver, &table.port)? {
                let dir = format!("{}/{session}/lun{lun}", target::sessions(driver, &table.port));
                let active = self.optional(&format!("{dir}/active_commands"))?;
                if active.is_some_and(|active| active != "0") {
                    busy.insert(session);
                }
            }
        }
        Ok(busy)
    }
}
