//! The stores below the devices: which are there, how large they are, and whether they can be opened.
//!
//! SCST looks at a store when it opens it, and never again by itself. So the agent looks: at the size, which hosts are told also
//! while the store is closed, and at whether it is there at all.

use scst_core::error::Error;
use scst_core::state::Storage;

use super::params::{DeviceParams, Params};
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

/// Says in what is wanted how large the stores are.
pub(super) fn measure(host: &Host<'_>, params: &Params, wanted: &mut Storage) -> Result<(), Error> {
    for (device, _, store) in look(host, params)? {
        if let Some(wanted) = wanted.devices.get_mut(&device.name) {
            // A disk that is not set up yet has no size: that says nothing.
            wanted.size = store.bytes().filter(|bytes| *bytes > 0);
        }
    }
    Ok(())
}
