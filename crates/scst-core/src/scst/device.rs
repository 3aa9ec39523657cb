//! Devices and their handlers: `devices/<device>`, `handlers/<handler>` (`scst_vdisk.c`).

use super::ROOT;
use super::names::{DeviceName, HandlerName};

/// The directory of all devices.
pub fn all() -> String {
    format!("{ROOT}/devices")
}

/// The directory of a device.
pub fn device(device: &DeviceName) -> String {
    format!("{ROOT}/devices/{device}")
}

/// The file that takes `add_device` and `del_device`; read, it lists the parameters that this kernel knows.
pub fn handler_mgmt(handler: HandlerName) -> String {
    format!("{ROOT}/handlers/{handler}/mgmt")
}

/// The parameters of `add_device` that a handler's usage text lists, or `None` when it has no such line.
pub fn parameters_listed(usage: &str) -> Option<Vec<String>> {
    let (_, names) = usage.split_once("The following parameters available: ")?;
    let names = names.split('\n').next()?;
    Some(names.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect())
}

/// The content of a device's `block`: how many blocks are on it, and whether commands in flight are still waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Block {
    /// Blocks that were taken and not given back, by whomever.
    pub count: u32,
    /// Commands in flight have not ended yet.
    pub pending: bool,
}

impl Block {
    /// Reads `<count> <pending>`.
    pub fn parse(text: &str) -> Option<Self> {
        let (count, pending) = text.trim().split_once(' ')?;
        Some(Self { count: count.parse().ok()?, pending: pending.trim() != "0" })
    }
}

/// A block of ours that is to be given back: the kernel has not shown yet that it is gone.
///
/// That a write of `0` succeeded does not show it: one that waits for commands in flight is carried out later, and in
/// SCST 3.11 not at all if a signal reaches its writer meanwhile. Known is how many blocks others had on the device
/// before we blocked it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Owed {
    /// How many blocks of others were on the device, counted when none of ours was there.
    pub before: u32,
    /// A helper process waits in the kernel to give ours back.
    pub returning: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usage_text_tells_the_parameters() {
        let usage = "Usage: …\n\nThe following parameters available: filename, nv_cache, read_only\n";
        assert_eq!(parameters_listed(usage).unwrap(), ["filename", "nv_cache", "read_only"]);
        assert_eq!(parameters_listed("Usage\n"), None);
    }

    #[test]
    fn block_counts_and_pends() {
        assert_eq!(Block::parse("2 1"), Some(Block { count: 2, pending: true }));
        assert_eq!(Block::parse("0 0"), Some(Block::default()));
        assert_eq!(Block::parse("x"), None);
    }
}
