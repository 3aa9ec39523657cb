//! The backing stores of the configured devices: which are there, and how large they are. Start, reload, promote,
//! validate-all and level-10 monitors ask.
//!
//! SCST looks at a store when it opens it, and never again by itself. So the agent looks: at the size, which hosts are told also
//! while the store is closed, at whether it is there at all, and before a group opens at whether a file can be opened. The kernel
//! accepts a state although a store did not open, and a command that meets a closed file then crashes it (`fileio_exec_read`).

use std::collections::BTreeMap;

use scst_core::error::Error;
use scst_core::ocf::exit::Failure;
use scst_core::plan::storage::shrunk;
use scst_core::scst::names::DeviceName;
use scst_core::state::Storage;

use super::device::DeviceParams;
use super::last_size;
use super::params::Params;
use crate::backing::{self, Store};
use crate::host::Host;

/// The configured devices that have a store, with its path.
pub(super) fn with_store(params: &Params) -> impl Iterator<Item = (&DeviceParams, &str)> {
    params.devices.iter().filter_map(|device| Some((device, device.filename.as_ref()?.as_str())))
}

/// Looks at the stores of the configured devices, and answers what was found, by their paths.
pub(super) fn by_path(host: &Host<'_>, params: &Params) -> Result<BTreeMap<String, Store>, Error> {
    let paths: Vec<&str> = with_store(params).map(|(_, path)| path).collect();
    let stores = backing::look(&paths, host.observer())?;
    Ok(paths.into_iter().map(str::to_owned).zip(stores).collect())
}

/// Sets in `wanted` the sizes of the stores, which `stores` has by their paths. Of a store that is absent here it is
/// the configured size, or the one served last, but never less than hosts are told already.
pub(super) fn measure(
    host: &Host<'_>,
    params: &Params,
    stores: &BTreeMap<String, Store>,
    found: &Storage,
    wanted: &mut Storage,
) {
    for (device, path) in with_store(params) {
        let Some(store) = stores.get(path) else { continue };
        let Some(wanted) = wanted.devices.get_mut(&device.name) else { continue };
        // A disk that is not set up yet has no size: that says nothing.
        wanted.size = store.bytes().filter(|bytes| *bytes > 0);
        if !store.is_there() && device.absent_in_standby {
            let told = found.devices.get(&device.name).and_then(|found| found.size).unwrap_or(0);
            let announced = device.size.or_else(|| last_size::recall(host, &device.name, path));
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
}

/// Keeps the sizes, on a serving node, of stores that a standby does not have.
pub(super) fn remember(host: &Host<'_>, params: &Params, stores: &BTreeMap<String, Store>) {
    for (device, path) in with_store(params).filter(|(device, _)| device.absent_in_standby) {
        if let Some(bytes) = stores.get(path).and_then(|store| store.bytes()).filter(|bytes| *bytes > 0) {
            last_size::remember(host, &device.name, path, bytes);
        }
    }
}

/// The same with a look at the stores, where there is such a device.
pub(super) fn look_and_remember(host: &Host<'_>, params: &Params) -> Result<(), Error> {
    if params.devices.iter().any(|device| device.absent_in_standby) {
        remember(host, params, &by_path(host, params)?);
    }
    Ok(())
}

/// The sentence for a store that cannot be used; `None` where it is there.
pub(super) fn unusable(device: &DeviceParams, path: &str, store: Store) -> Option<String> {
    store.unusable().map(|what| format!("device {}: its store {path} {what}", device.name))
}

/// The sentence of a level-10 monitor for the first store that is gone, or whose size is not the one that hosts are
/// told; the others are logged.
pub(super) fn compare(
    params: &Params,
    stores: &BTreeMap<String, Store>,
    found: &Storage,
    promoted: bool,
) -> Option<String> {
    let mut wrong = Vec::new();
    let member = |name: &DeviceName| found.group.as_ref().is_some_and(|group| group.devices.contains(name));
    for (device, path, store) in needed(params, stores, true).filter(|(device, ..)| member(&device.name)) {
        let Some(there) = found.devices.get(&device.name).filter(|there| there.filename.as_deref() == Some(path))
        else {
            continue;
        };
        match (store, there.size) {
            (Store::Missing | Store::Failing(_), _) if device.absent_in_standby && !promoted => {}
            (Store::There { bytes: Some(has), .. }, Some(told))
                if there.whole_blocks(has) != there.whole_blocks(told) =>
            {
                wrong.push(shrunk(&device.name, told, has));
            }
            (store, _) => wrong.extend(unusable(device, path, store)),
        }
    }
    wrong.iter().skip(1).for_each(|wrong| tracing::error!("{wrong}"));
    wrong.into_iter().next()
}

/// The devices whose stores this node needs, with what `stores` has at their paths. A store that only the promoted node has may be absent
/// on the others.
pub(super) fn needed<'s>(
    params: &'s Params,
    stores: &'s BTreeMap<String, Store>,
    promoted: bool,
) -> impl Iterator<Item = (&'s DeviceParams, &'s str, Store)> {
    with_store(params)
        .filter(move |(device, _)| promoted || !device.absent_in_standby)
        .filter_map(|(device, path)| Some((device, path, *stores.get(path)?)))
}

/// Fails for backing files and devices that are needed here and are not there, do not answer in time, or fail. `stores` has what was found.
///
/// # Errors
///
/// Exit 5 naming all of them.
pub(super) fn missing(params: &Params, stores: &BTreeMap<String, Store>, promoted: bool) -> Result<(), Failure> {
    let unusable: Vec<_> =
        needed(params, stores, promoted).filter_map(|found| Some((found, found.2.unusable()?))).collect();
    if unusable.is_empty() {
        return Ok(());
    }
    let all_missing = unusable.iter().all(|((.., store), _)| *store == Store::Missing);
    let named = unusable.iter().map(|((device, path, _), what)| {
        let why = if all_missing { String::new() } else { format!(" ({what})") };
        format!("{path} of device {}{why}", device.name)
    });
    let named = named.collect::<Vec<_>>().join(", ");
    Err(Failure::installed(if all_missing {
        format!("backing store does not exist: {named}")
    } else {
        format!("backing store cannot be used: {named}")
    }))
}
