//! How closely a device is looked at.

/// How closely devices and their LUNs are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    /// Everything a plan compares.
    Settings,
    /// Which there are, whose they are, whether they are blocked, where they are exported.
    Names,
}
