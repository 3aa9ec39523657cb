//! How much of a device is read: a plan compares its settings, a stop needs none of them.

/// How much of devices and their LUNs is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Everything a plan compares.
    Settings,
    /// Which there are, whose they are, whether they are blocked, where they are exported.
    Names,
}
