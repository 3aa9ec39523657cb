//! The capacity that hosts are told of a device.

use crate::plan::Step;
use crate::scst::names::DeviceName;
use crate::scst::values::AttributeValue;

/// Tells hosts that a device has that many bytes, a multiple of its block size; nothing for none. Of a disk that is not open, the kernel
/// keeps it when it opens, unless that is the first time.
pub fn set_size(device: &DeviceName, bytes: u64) -> Option<Step> {
    let value = AttributeValue::parse(&bytes.to_string()).ok().filter(|_| bytes > 0)?;
    Some(Step::SetAttribute { device: device.clone(), attribute: "size", value })
}

/// What is said of a store that has less than hosts were told.
pub fn shrunk(device: &DeviceName, told: u64, has: u64) -> String {
    format!("device {device}: its store has {has} bytes, hosts were told {told}")
}
