//! Looks at devices: their attributes, whether they are blocked, whether their store is open.

use std::collections::BTreeSet;

use super::Observer;
use super::detail::Detail;
use crate::error::Error;
use crate::scst::device::{self, Block};
use crate::scst::device_attribute::{self, BIND_ALUA_STATE, BLOCKSIZE, READ_ONLY};
use crate::scst::host_id::HostId;
use crate::scst::names::{DeviceName, Driver, EntryName, HandlerName};
use crate::scst::target;
use crate::state::Device;

impl Observer<'_> {
    /// How many blocks are on a device; `None` when the device is not there.
    ///
    /// # Errors
    ///
    /// `block` cannot be read, or holds no two numbers ([`Error::Content`]).
    pub fn block(&self, name: &DeviceName) -> Result<Option<Block>, Error> {
        let path = format!("{}/block", device::device(name));
        let Some(text) = self.optional(&path)? else { return Ok(None) };
        let content = || Error::Content { path: self.sysfs.full(&path), text: text.clone(), expected: "two numbers" };
        Block::parse(&text).map(Some).ok_or_else(content)
    }

    /// Whether a device's backing store is open; `None` where it has no such attribute.
    ///
    /// # Errors
    ///
    /// `active` cannot be read.
    fn active(&self, name: &DeviceName) -> Result<Option<bool>, Error> {
        Ok(self.optional(&format!("{}/active", device::device(name)))?.map(|text| text != "0"))
    }

    /// The size in bytes that hosts are told of a device; `None` where it shows none.
    ///
    /// # Errors
    ///
    /// `size` cannot be read.
    pub fn size(&self, name: &DeviceName) -> Result<Option<u64>, Error> {
        Ok(self.optional(&format!("{}/size", device::device(name)))?.and_then(|text| text.parse().ok()))
    }

    /// Whether a device's backing store is open, with one read, for monitors; `None` where it has no such attribute, or is gone. ENOENT is
    /// taken at its word, because to look for the attribute in its directory would cost a listing of every device without a store, every few
    /// seconds. A plan asks [`Observer::storage`], which looks.
    ///
    /// # Errors
    ///
    /// `active` is there and cannot be read.
    pub fn says_open(&self, name: &DeviceName) -> Result<Option<bool>, Error> {
        match self.sysfs.value(&format!("{}/active", device::device(name)), self.deadline) {
            Ok(value) => Ok(Some(value != "0")),
            Err(error) if error.is_absent() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A device with what concerns its store: handler, file, whether it is open, its size, and the settings
    /// `bind_alua_state`, `blocksize` and `read_only`. `None` for a device without a store, or one that is not there.
    ///
    /// # Errors
    ///
    /// One of the attributes named here, or the link `handler`, cannot be read.
    pub fn with_store(&self, name: &DeviceName) -> Result<Option<Device>, Error> {
        let dir = device::device(name);
        let link = self.sysfs.optional_link(&format!("{dir}/handler"), self.deadline)?;
        let handler = link.and_then(|link| HandlerName::parse(link.rsplit('/').next()?).ok());
        let Some(handler) = handler.filter(|handler| handler.has_backing()) else { return Ok(None) };
        let mut found = Device { handler: Some(handler), ..Device::default() };
        found.filename = self.optional(&format!("{dir}/filename"))?;
        for attribute in [BIND_ALUA_STATE, BLOCKSIZE, READ_ONLY] {
            if let Some(value) = self.optional(&format!("{dir}/{}", attribute.name))? {
                found.set(attribute, value);
            }
        }
        found.active = self.active(name)?;
        found.size = self.size(name)?;
        Ok(Some(found))
    }

    /// The names of all devices.
    ///
    /// # Errors
    ///
    /// The directory `devices` cannot be listed.
    pub fn device_names(&self) -> Result<BTreeSet<DeviceName>, Error> {
        let names = self.directories(&device::all())?;
        Ok(names.iter().filter_map(|name| DeviceName::seen(name).ok()).collect())
    }

    /// One device, and the names in its directory. Only attributes that the directory lists are read: which there are
    /// depends on the handler and on SCST's version.
    pub(super) fn device(&self, name: &DeviceName, detail: Detail) -> Result<Option<(Device, Vec<String>)>, Error> {
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
        for attribute in device_attribute::ALL.iter().filter(|attribute| has(attribute.name)) {
            if let Some(value) = self.optional(&format!("{dir}/{}", attribute.name))? {
                found.set(attribute, value);
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

    /// The identifier by which hosts recognise a device; `None` for one without such attributes, such as a disk that is
    /// passed through.
    ///
    /// # Errors
    ///
    /// One of `t10_dev_id`, `naa_id` and `eui64_id` cannot be read.
    pub fn host_id(&self, name: &DeviceName) -> Result<Option<HostId>, Error> {
        let read = |attribute: &str| self.optional(&format!("{}/{attribute}", device::device(name)));
        let Some(t10) = read("t10_dev_id")? else { return Ok(None) };
        Ok(Some(HostId::of(read("naa_id")?.as_deref(), read("eui64_id")?.as_deref(), &t10)))
    }

    /// The sessions that have commands in flight on a device: a demotion names them when these do not end.
    ///
    /// # Errors
    ///
    /// The device's exports, the sessions of a port that exports it, or the `active_commands` of one cannot be read; or
    /// it is exported somewhere that no command of ours could name.
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
