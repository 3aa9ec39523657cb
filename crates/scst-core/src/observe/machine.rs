//! Looks at what differs from machine to machine: the sizes of its disks, the parameters that its handlers know, its
//! `setup_id`.

use nix::sys::stat::{major, minor};

use super::Observer;
use crate::error::Error;
use crate::scst::device::{self, parameters_listed};
use crate::scst::identity;
use crate::scst::names::HandlerName;

/// The unit of the block layer's sizes, in bytes, whatever the disk's own block size is.
const SECTOR: u64 = 512;

impl Observer<'_> {
    /// The size in bytes of the block device with this number (`st_rdev` of stat(2), major and minor in one); `None`
    /// where the kernel has no such device or does not say its size. It is read without opening the device, because a
    /// DRBD secondary cannot be opened.
    ///
    /// # Errors
    ///
    /// The file `size` of the device's directory below `dev/block` cannot be read.
    pub fn block_device_size(&self, number: u64) -> Result<Option<u64>, Error> {
        let sectors = self.optional(&format!("dev/block/{}:{}/size", major(number), minor(number)))?;
        Ok(sectors.and_then(|text| text.parse::<u64>().ok()).and_then(|sectors| sectors.checked_mul(SECTOR)))
    }

    /// The logical block size, in bytes, of the block device with this number (`st_rdev` of stat(2)); `None` where the
    /// kernel has no such device. A partition has that of its disk.
    ///
    /// # Errors
    ///
    /// The file `logical_block_size` is there and cannot be read.
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

    /// The parameters of `add_device` that a handler's usage text lists; `None` where it lists none.
    ///
    /// # Errors
    ///
    /// The handler's `mgmt` cannot be read.
    pub fn handler_parameters(&self, handler: HandlerName) -> Result<Option<Vec<String>>, Error> {
        let usage = self.sysfs.optional_read(&device::handler_mgmt(handler), self.deadline)?;
        Ok(usage.as_deref().and_then(parameters_listed))
    }

    /// The `setup_id` of this machine, a number that goes into the identifiers which the kernel makes of a device's
    /// name; 0 where it is not set.
    ///
    /// # Errors
    ///
    /// `setup_id` cannot be read.
    pub fn setup_id(&self) -> Result<u32, Error> {
        let text = self.optional(&identity::setup_id())?.unwrap_or_default();
        Ok(u32::from_str_radix(text.trim_start_matches("0x"), 16).unwrap_or(0))
    }
}
