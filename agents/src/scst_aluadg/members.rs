//! The type [`Members`]: the devices of a group with their stores, as a promotion checks and prepares them: every store
//! must be there and large enough before the group becomes active, hosts are told the sizes, and stores that the state
//! does not open are opened.

use std::collections::BTreeMap;

use scst_core::apply::AfterFailure;
use scst_core::error::Error;
use scst_core::observe::Observer;
use scst_core::ocf::exit::Failure;
use scst_core::plan::Step;
use scst_core::plan::storage::{set_size, shrunk};
use scst_core::scst::names::{DeviceName, HandlerName};
use scst_core::state::{Device, DeviceGroup};

use super::instance::Instance;
use super::node_facts;
use crate::backing::{self, Store};
use crate::host::Host;

/// The members of the group that are ours and have a store, as the kernel shows them.
#[derive(Debug)]
pub(super) struct Members {
    devices: BTreeMap<DeviceName, Device>,
    stores: Vec<Store>,
}

impl Members {
    /// Looks at them and at their stores.
    pub(super) fn of(host: &Host<'_>, instance: &Instance, group: &DeviceGroup) -> Result<Self, Error> {
        let mut devices = BTreeMap::new();
        for name in group.devices.iter().filter(|device| instance.owns(device)) {
            if let Some(device) = host.observer().with_store(name)? {
                devices.insert(name.clone(), device);
            }
        }
        let stores = backing::look(&devices.values().map(path).collect::<Vec<_>>(), host.observer())?;
        Ok(Self { devices, stores })
    }

    fn each(&self) -> impl Iterator<Item = (&DeviceName, &Device, Store)> {
        self.devices.iter().zip(&self.stores).map(|((name, device), store)| (name, device, *store))
    }

    /// Checks before the group becomes active that every store is there and at least as large as hosts were told, and
    /// that every file can be opened.
    ///
    /// # Errors
    ///
    /// Exit 1 naming all devices that would not open, or one that is too small.
    pub(super) fn can_serve(&self, host: &Host<'_>) -> Result<(), Failure> {
        let absent = self
            .each()
            .filter_map(|(name, device, store)| Some(format!("{name} ({} {})", path(device), store.unusable()?)));
        let mut closed: Vec<String> = absent.collect();
        let files = || self.each().filter(|(_, device, store)| is_file(device) && store.is_there());
        let tries: Vec<_> = files().map(|(_, device, _)| (path(device), device.read_only())).collect();
        let opened = files().zip(backing::try_to_open(&tries, host.deadline()));
        closed
            .extend(opened.filter_map(|((name, device, _), why)| Some(format!("{name} ({}: {})", path(device), why?))));
        if !closed.is_empty() {
            return Err(Failure::generic(format!("backing store could not be opened: device {}", closed.join(", "))).with_hint(
                "the backing device is missing, in use by somebody else, or not writable yet; order it before the promotion",
            ));
        }
        if let Some(reason) = self.with_smaller_blocks(host.observer())? {
            return Err(Failure::generic(reason).with_hint(
                "this node did not see the store when it added the device; stop the resource here and start it with the store in place, or \
                 with blocksize= said",
            ));
        }
        match self.each().find_map(smaller) {
            Some(reason) => Err(Failure::generic(reason).with_hint(
                "hosts would lose what lies behind the new end: make the store as large as it was; or unmap the device from its hosts, \
                 remove it from the configuration and add it again",
            )),
            None => Ok(()),
        }
    }

    /// The sentence for the first device whose store has larger blocks than the device.
    fn with_smaller_blocks(&self, observer: Observer<'_>) -> Result<Option<String>, Error> {
        for (name, device, store) in self.each() {
            if let (Some(handler), Some(blocks)) = (device.handler, store.block_size(observer)?)
                && let Some(why) = node_facts::blocks_too_large(handler, blocks, device.block_size())
            {
                return Ok(Some(format!("device {name}: {why}")));
            }
        }
        Ok(None)
    }

    /// The steps that open devices which the state of the group does not open (`bind_alua_state` is 0): the shell
    /// agents add files so, and a demotion of ours has closed them. They come before the state, because no command may
    /// reach a closed file.
    pub(super) fn open_what_does_not_follow(&self) -> Vec<Step> {
        let closed = self.devices.iter().filter(|(_, device)| device.active == Some(false) && !device.follows_state());
        closed.map(|(name, _)| Step::Open { device: name.clone() }).collect()
    }

    /// Writes the sizes of grown stores before the group becomes active: hosts send at that moment what they held back,
    /// and a disk that was open before opens with the size that it had then, or with one that was written since. The
    /// size of a closed file cannot be written.
    pub(super) fn announce_sizes(&self, host: &Host<'_>) {
        let closed = |device: &Device| device.active == Some(false) && !is_file(device);
        let grown = self.each().filter(|(_, device, _)| closed(device)).filter_map(|(name, device, store)| {
            let (told, has) = (device.whole_blocks(device.size?), device.whole_blocks(store.bytes()?));
            set_size(name, has).filter(|_| told < has)
        });
        let applied = host.apply_until(&grown.collect::<Vec<_>>(), AfterFailure::GoOn, &host.deadline().share(1, 3));
        applied.failed.iter().for_each(|failed| tracing::error!("{failed}"));
    }

    /// The size in bytes that hosts are told of each device whose store is there, once the kernel has looked at it
    /// again.
    pub(super) fn sizes(&self) -> Vec<(DeviceName, u64)> {
        self.each()
            .filter_map(|(name, device, store)| Some((name.clone(), device.whole_blocks(store.bytes()?))))
            .collect()
    }

    /// Has the kernel look at the sizes of grown stores after the group has become active: by itself it keeps the size
    /// that a store had when it was opened first.
    pub(super) fn look_again_at_sizes(&self, host: &Host<'_>) {
        let mut steps = Vec::new();
        for (name, device, store) in self.each() {
            let (Some(told), Some(has)) = (device.size, store.bytes()) else { continue };
            if device.whole_blocks(told) == device.whole_blocks(has) {
                continue;
            }
            match host.observer().size(name) {
                // Opened for the first time, or told before, it has the right one by now.
                Ok(now) if now.is_none_or(|now| device.whole_blocks(now) >= device.whole_blocks(has)) => {}
                Ok(_) => steps.push(Step::ResyncSize { device: name.clone() }),
                Err(error) => tracing::error!("device {name}: whether hosts are told its size is not known: {error}"),
            }
        }
        let applied = host.apply(&steps, AfterFailure::GoOn);
        applied.failed.iter().for_each(|failed| tracing::error!("{failed}"));
    }
}

fn path(device: &Device) -> &str {
    device.filename.as_deref().unwrap_or_default()
}

fn is_file(device: &Device) -> bool {
    device.handler == Some(HandlerName::VdiskFileio)
}

/// The sentence for a device whose store is smaller than hosts were told.
fn smaller((name, device, store): (&DeviceName, &Device, Store)) -> Option<String> {
    let (told, has) = (device.size?, store.bytes()?);
    (device.whole_blocks(has) < device.whole_blocks(told)).then(|| shrunk(name, told, has))
}
