//! The size of a device: the step that sets it, and the sentence for a store that has shrunk. The plan (`devices`) uses
//! them, and the agent where it looks at stores itself.

use crate::plan::Step;
use crate::scst::names::DeviceName;
use crate::scst::values::AttributeValue;

/// The step that tells hosts the size of a device: `bytes`, a multiple of its block size; `None` for 0 bytes, which is
/// no size. It is for a device whose store is closed: when the store opens, the kernel keeps this size, unless it opens
/// for the first time.
pub fn set_size(device: &DeviceName, bytes: u64) -> Option<Step> {
    let value = AttributeValue::parse(&bytes.to_string()).ok().filter(|_| bytes > 0)?;
    Some(Step::SetAttribute { device: device.clone(), attribute: "size", value })
}

/// The sentence for a store that is smaller than hosts were told: `told` and `has` in bytes.
pub fn shrunk(device: &DeviceName, told: u64, has: u64) -> String {
    format!("device {device}: its store has {has} bytes, hosts were told {told}")
}
