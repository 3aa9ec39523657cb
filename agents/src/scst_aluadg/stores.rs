//! The stores below the devices: which are there, how large they are, and whether they can be opened.
//!
//! SCST looks at a store when it opens it, and never again by itself. So the agent looks: at the size, which hosts are told also
//! while the store is closed, at whether it is there at all, and before a group opens at whether a file can be opened. The kernel
//! accepts a state although a store did not open, and a command that meets a closed file then crashes it (`fileio_exec_read`).

use std::collections::{BTreeMap, BTreeSet};

use scst_core::apply::AfterFailure;
use scst_core::deadline::Deadline;
use scst_core::error::Error;
use scst_core::ocf::exit::Failure;
use scst_core::plan::Step;
use scst_core::plan::storage::{set_size, shrunk};
use scst_core::scst::alua::AluaState;
use scst_core::scst::names::{DeviceName, HandlerName, NodeName};
use scst_core::state::{Device, DeviceGroup, Storage};

use super::here;
use super::instance::Instance;
use super::params::{DeviceParams, Params};
use super::served;
use crate::backing::{self, Store};
use crate::host::Host;

/// The configured devices that have a store, and what is found at its path.
pub(super) fn look<'p>(host: &Host<'_>, params: &'p Params) -> Result<Vec<(&'p DeviceParams, &'p str, Store)>, Error> {
    let with_store = params.devices.iter().filter_map(|device| Some((device, device.filename.as_ref()?.as_str())));
    let with_store: Vec<_> = with_store.collect();
    let paths: Vec<&str> = with_store.iter().map(|(_, path)| *path).collect();
    let stores = backing::look(&paths, host.observer())?;
    Ok(with_store.into_iter().zip(stores).map(|((device, path), store)| (device, path, store)).collect())
}

/// Says in what is wanted how large the stores are. Of one that is not here: what was configured, or served last, but never less
/// than hosts are told already.
pub(super) fn measure(host: &Host<'_>, params: &Params, found: &Storage, wanted: &mut Storage) -> Result<(), Error> {
    for (device, path, store) in look(host, params)? {
        let Some(wanted) = wanted.devices.get_mut(&device.name) else { continue };
        // A disk that is not set up yet has no size: that says nothing.
        wanted.size = store.bytes().filter(|bytes| *bytes > 0);
        if !store.is_there() && device.absent_in_standby {
            let told = found.devices.get(&device.name).and_then(|found| found.size).unwrap_or(0);
            let announced = device.size.or_else(|| served::recall(host, &device.name, path));
            wanted.size = announced.filter(|bytes| *bytes > told);
            if announced.is_none() && told == 0 {
                tracing::warn!(
                    "device {}: how large {path} is is not known here before this node was promoted once: until then a host that looks \
                     sees a disk without blocks; size= says it",
                    device.name
                );
            }
        }
    }
    Ok(())
}

/// Remembers what a serving node has of stores that a standby does not have.
pub(super) fn remember(host: &Host<'_>, params: &Params) -> Result<(), Error> {
    if params.devices.iter().all(|device| !device.absent_in_standby) {
        return Ok(());
    }
    for (device, path, store) in look(host, params)?.into_iter().filter(|(device, ..)| device.absent_in_standby) {
        if let Some(bytes) = store.bytes().filter(|bytes| *bytes > 0) {
            served::remember(host, &device.name, path, bytes);
        }
    }
    Ok(())
}

/// The members that are ours and stand on a store, as the kernel shows them.
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

    /// Before the group opens: every store is there and has at least what hosts were told, and every file can be opened.
    ///
    /// # Errors
    ///
    /// Exit 1 naming all devices that would not open, or one that is too small.
    pub(super) fn can_serve(&self, host: &Host<'_>) -> Result<(), Failure> {
        let absent = self.each().filter_map(|(name, device, store)| {
            let what = match store {
                Store::Missing => "does not exist",
                Store::Silent => "does not answer",
                Store::There(_) => return None,
            };
            Some(format!("{name} ({} {what})", path(device)))
        });
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
        let paths: Vec<_> = self.devices.values().map(path).collect();
        let blocks = backing::block_sizes(&paths, host.observer())?;
        let coarser = |((name, device, _), blocks): ((&DeviceName, &Device, Store), Option<u64>)| {
            let why = here::blocks_too_large(device.handler?, blocks?, device.block_size())?;
            Some(format!("device {name}: {why}"))
        };
        if let Some(reason) = self.each().zip(blocks).find_map(coarser) {
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

    /// Opens those that the state of the group does not open, because they do not follow it: the shell agents add files so, and a
    /// demotion of ours has closed them. Before the state: a closed file must not be met by a command.
    pub(super) fn open_what_does_not_follow(&self) -> Vec<Step> {
        let follows = |device: &Device| device.settings.get("bind_alua_state").is_some_and(|on| on == "1");
        let closed = self.devices.iter().filter(|(_, device)| device.active == Some(false) && !follows(device));
        closed.map(|(name, _)| Step::Open { device: name.clone() }).collect()
    }

    /// Before the group opens: hosts send at that moment what they held back, and a disk that was open before opens with the size it
    /// had then, or with one that was written since. The size of a closed file cannot be written.
    pub(super) fn announce_sizes(&self, host: &Host<'_>) {
        let closed = |device: &Device| device.active == Some(false) && !is_file(device);
        let grown = self.each().filter(|(_, device, _)| closed(device)).filter_map(|(name, device, store)| {
            let (told, has) = (device.whole_blocks(device.size?), device.whole_blocks(store.bytes()?));
            set_size(name, has).filter(|_| told < has)
        });
        let applied = host.apply_until(&grown.collect::<Vec<_>>(), AfterFailure::GoOn, &host.deadline().share(1, 3));
        applied.failed.iter().for_each(|failed| tracing::error!("{failed}"));
    }

    /// What hosts are told of each store that is there, once it was looked at again.
    pub(super) fn sizes(&self) -> Vec<(DeviceName, u64)> {
        self.each()
            .filter_map(|(name, device, store)| Some((name.clone(), device.whole_blocks(store.bytes()?))))
            .collect()
    }

    /// After the group has opened: the kernel keeps the size that a store had when it was opened first.
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

/// Why hosts cannot be served what they were told.
fn smaller((name, device, store): (&DeviceName, &Device, Store)) -> Option<String> {
    let (told, has) = (device.size?, store.bytes()?);
    (device.whole_blocks(has) < device.whole_blocks(told)).then(|| shrunk(name, told, has))
}

/// What level 10 says of the stores: the first that is gone, or whose size is not what hosts are told.
pub(super) fn compare(
    host: &Host<'_>,
    params: &Params,
    found: &Storage,
    promoted: bool,
) -> Result<Option<String>, Error> {
    let mut wrong = Vec::new();
    let member = |name: &DeviceName| found.group.as_ref().is_some_and(|group| group.devices.contains(name));
    for (device, path, store) in look(host, params)?.into_iter().filter(|(device, ..)| member(&device.name)) {
        let Some(there) = found.devices.get(&device.name).filter(|there| there.filename.as_deref() == Some(path))
        else {
            continue;
        };
        match (store, there.size) {
            (Store::Missing, _) if device.absent_in_standby && !promoted => {}
            (Store::Missing, _) => wrong.push(format!("device {}: its store {path} does not exist", device.name)),
            (Store::Silent, _) => wrong.push(format!("device {}: its store {path} does not answer", device.name)),
            (Store::There(Some(has)), Some(told)) if there.whole_blocks(has) != there.whole_blocks(told) => {
                wrong.push(shrunk(&device.name, told, has));
            }
            (Store::There(_), _) => {}
        }
    }
    wrong.iter().skip(1).for_each(|wrong| tracing::error!("{wrong}"));
    Ok(wrong.into_iter().next())
}

/// The members of ours that say that their store is open.
pub(super) fn open(
    host: &Host<'_>,
    instance: &Instance,
    members: &BTreeSet<DeviceName>,
) -> Result<Vec<DeviceName>, Error> {
    let mut open = Vec::new();
    for device in members.iter().filter(|device| instance.owns(device)) {
        if host.observer().says_open(device)? {
            open.push(device.clone());
        }
    }
    Ok(open)
}

/// Out of service no store of ours may be open: another node serves it, or DRBD is about to be demoted. The state closes those that
/// follow it; the others are closed here.
///
/// # Errors
///
/// Exit 1 naming the devices whose store is still open.
pub(super) fn close_all(
    host: &Host<'_>,
    instance: &Instance,
    local: &NodeName,
    deadline: &Deadline,
) -> Result<(), Failure> {
    if host.dry_run() {
        return Ok(());
    }
    let observer = host.observer_until(deadline);
    let members = observer.group_devices(&instance.group)?;
    let left = open(host, instance, &members)?;
    if left.is_empty() {
        return Ok(());
    }
    // Looked at once more: a file that is closed under a group in service crashes the kernel.
    if observer.alua_state(&instance.group, local)?.is_some_and(AluaState::is_open) {
        return Err(Failure::generic(format!("target group {local}: state is active after writing standby")));
    }
    let steps: Vec<_> = left.iter().map(|device| Step::Close { device: device.clone() }).collect();
    let applied = host.apply_until(&steps, AfterFailure::GoOn, deadline);
    applied.failed.iter().for_each(|failed| tracing::error!("{failed}"));
    let left: Vec<_> = open(host, instance, &left.into_iter().collect())?.iter().map(ToString::to_string).collect();
    if left.is_empty() {
        return Ok(());
    }
    Err(Failure::generic(format!("out of service, but the backing store is still open: device {}", left.join(", ")))
        .with_hint("what lies below cannot be demoted or given to another node while it is open"))
}
