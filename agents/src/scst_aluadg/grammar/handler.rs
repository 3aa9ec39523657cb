//! Fits the keys of a device to its handler: drops those that the handler does not have, and refuses combinations that
//! the kernel refuses or that lose data.

use scst_core::scst::names::HandlerName;

use super::remark::Remark;
use crate::scst_aluadg::device::DeviceParams;

/// Drops keys that the handler does not have (`remarks`), and refuses the device for others (`faults`).
pub(super) fn fit(device: &mut DeviceParams, remarks: &mut Vec<Remark>, faults: &mut Vec<Remark>) {
    let handler = device.handler;
    let mut drop_flag = |key: &str, reason: String| remarks.push(Remark::new(key, reason));
    if device.dummy && handler.has_backing() {
        drop_flag("dummy", format!("exists only with vdisk_nullio, ignored for {handler}"));
        device.dummy = false;
    }
    if device.nv_cache && !handler.has_backing() {
        drop_flag("nv_cache", format!("does not exist with {handler}, ignored"));
        device.nv_cache = false;
    }
    if device.write_through.is_some() && !handler.has_backing() {
        drop_flag("write_through", format!("does not exist with {handler}, ignored"));
        device.write_through = None;
    }
    if handler == HandlerName::VdiskFileio && device.read_only {
        if device.write_through == Some(true) {
            drop_flag("write_through", "is impossible with vdisk_fileio and read_only=1, ignored".to_owned());
            device.write_through = None;
        }
        if device.nv_cache {
            faults.push(Remark::new("nv_cache", "is impossible with vdisk_fileio and read_only=1"));
        }
    }
    // The kernel tells hosts that they need not flush, and leaves what they wrote in the page cache, whatever
    // `write_through` reads.
    let writable_file = handler == HandlerName::VdiskFileio && !device.read_only;
    if writable_file && device.nv_cache && device.write_through != Some(false) {
        let reason = "loses flushed writes with a writable vdisk_fileio; write_through=0 says that this is wanted";
        faults.push(Remark::new("nv_cache", reason));
    }
    if device.thin_provisioned.is_some() && !handler.has_backing() {
        let reason = format!("is not known to {handler}");
        faults.push(Remark::new("thin_provisioned", reason));
    }
    if device.absent_in_standby && handler != HandlerName::VdiskBlockio {
        // A file that is not there cannot be added, and one that is closed must not be read.
        faults.push(Remark::new("absent_in_standby", format_args!("is impossible with {handler}")));
    } else if device.size.is_some() && !device.absent_in_standby {
        remarks.push(Remark::new("size", "has a meaning only with absent_in_standby=1, ignored"));
        device.size = None;
    }
}
