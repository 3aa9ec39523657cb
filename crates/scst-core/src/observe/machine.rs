//! What this machine's kernel says of itself: its disks, its handlers, its number.

use nix::sys::stat::{major, minor};

use super::Observer;
use crate::error::Error;
use crate::scst::device::{self, parameters_listed};
use crate::scst::identity;
use crate::scst::names::HandlerName;

/// The unit of the block layer's sizes, in bytes, whatever the disk's own block size is.
const SECTOR: u64 = 512;

impl Observer<'_> {
    /// The capacity of a block device of this machine in bytes. The kernel tells it without opening the device, which is not
    /// possible for a DRBD secondary. `number` is what a `stat` of its node tells.
    pub fn block_device_size(&self, number: u64) -> Result<Option<u64>, Error> {
        let sectors = self.optional(&format!("dev/block/{}:{}/size", major(number), minor(number)))?;
        Ok(sectors.and_then(|text| text.parse::<u64>().ok()).and_then(|sectors| sectors.checked_mul(SECTOR)))
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

    /// The parameters a handler says it knows; `None` when it says nothing.
    pub fn handler_parameters(&self, handler: HandlerName) -> Result<Option<Vec<String>>, Error> {
        let usage = self.sysfs.optional_read(&device::handler_mgmt(handler), self.deadline)?;
        Ok(usage.as_deref().and_then(parameters_listed))
    }

    /// The number of this machine that goes into the identifiers which the kernel makes of a device's name; 0 where there is none.
    pub fn setup_id(&self) -> Result<u32, Error> {
        let text = self.optional(&identity::setup_id())?.unwrap_or_default();
        Ok(u32::from_str_radix(text.trim_start_matches("0x"), 16).unwrap_or(0))
    }
}
