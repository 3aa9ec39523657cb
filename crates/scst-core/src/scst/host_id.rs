//! The type [`HostId`]: by which identifier hosts recognise a disk, the first one of the unit on VPD page 83
//! (`vdisk_inq_dev_id` in `scst_vdisk.c`). And [`ClusterId`], of which the agents make identifiers that no two clusters
//! share.
//!
//! That is the NAA identifier where one is set, else the EUI-64, else an EUI-64 that the kernel makes of the first 8 bytes of
//! `t10_dev_id`, filled up with zeros. Multipath takes two disks with one such identifier for two paths to one disk.

use std::fmt;

use super::names::{DeviceName, NameError};
use super::values::NaaId;

/// How many bytes of `t10_dev_id` are part of the identifier that hosts see.
pub const T10_SIGNIFICANT: usize = 8;

/// An identifier as hosts write it: `naa.` or `eui.` and lower-case digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(String);

impl HostId {
    /// The identifier of a device with these attributes; an empty one counts as not set.
    pub fn of(naa_id: Option<&str>, eui64_id: Option<&str>, t10_dev_id: &str) -> Self {
        let said = |id: Option<&str>| {
            let digits = id?.trim().trim_start_matches("0x").to_ascii_lowercase();
            Some(digits).filter(|digits| !digits.is_empty())
        };
        if let Some(digits) = said(naa_id) {
            return Self(format!("naa.{digits}"));
        }
        let made = || {
            let bytes = t10_dev_id.bytes().chain([0; T10_SIGNIFICANT]).take(T10_SIGNIFICANT);
            format!("{:016x}", bytes.fold(0_u64, |id, byte| (id << 8) | u64::from(byte)))
        };
        Self(format!("eui.{}", said(eui64_id).unwrap_or_else(made)))
    }
}

impl fmt::Display for HostId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A cluster, as a number that goes into the identifiers which the agents make.
///
/// It is the hash FNV-1a of 64 bits over the cluster's name, a byte 0, its further mark or nothing, and a byte 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClusterId(u64);

impl ClusterId {
    /// The cluster of this name; with `mark` where an administrator has set one because other clusters have the same
    /// name.
    pub fn new(name: &str, mark: Option<&str>) -> Self {
        let text = [name.as_bytes(), &[0], mark.unwrap_or_default().as_bytes(), &[0]].concat();
        Self(fnv1a(0xcbf2_9ce4_8422_2325, &text))
    }

    /// Reads what `Display` writes.
    pub fn parse(text: &str) -> Option<Self> {
        u64::from_str_radix(text, 16).ok().map(Self).filter(|id| id.to_string() == text)
    }

    /// The NAA identifier of a device of this cluster: one that is locally assigned (type 3), whose other 60 bits are the lowest of the
    /// hash, continued over the device's name. The name begins with that of its group.
    ///
    /// # Errors
    ///
    /// Never, as far as is known: all such identifiers are valid.
    pub fn naa_id(self, device: &DeviceName) -> Result<NaaId, NameError> {
        NaaId::parse(&format!("3{:015x}", fnv1a(self.0, device.as_str().as_bytes()) & (u64::MAX >> 4)))
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The hash FNV-1a, continued from `state`.
fn fnv1a(state: u64, text: &[u8]) -> u64 {
    text.iter().fold(state, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hosts_see_naa_then_eui_then_eight_bytes_of_the_name() {
        // As a real kernel showed them on page 83.
        for (naa, eui, t10, seen) in [
            (None, None, "d12453bd-dev0", "eui.6431323435336264"),
            (None, None, "production-1", "eui.70726f6475637469"),
            (None, None, "production-2", "eui.70726f6475637469"),
            (None, None, "ab", "eui.6162000000000000"),
            (None, None, "", "eui.0000000000000000"),
            (Some("0x5001438001234567"), Some("0x0011223344556677"), "x", "naa.5001438001234567"),
            (Some(""), Some("0x001122334455667788990011"), "x", "eui.001122334455667788990011"),
        ] {
            assert_eq!(HostId::of(naa, eui, t10).to_string(), seen);
        }
    }

    #[test]
    fn a_made_identifier_depends_on_cluster_group_and_device() {
        let device = |name| DeviceName::seen(name).unwrap();
        let of = |cluster: ClusterId, name| cluster.naa_id(&device(name)).unwrap().to_string();
        let one = ClusterId::new("one", None);
        // A node of another version makes the same.
        assert_eq!(of(one, "dg_vm1"), of(ClusterId::parse(&one.to_string()).unwrap(), "dg_vm1"));
        let ids = [
            of(one, "dg_vm1"),
            of(one, "dg_vm2"),
            of(one, "dh_vm1"),
            of(ClusterId::new("two", None), "dg_vm1"),
            of(ClusterId::new("one", Some("a")), "dg_vm1"),
            of(ClusterId::new("onea", None), "dg_vm1"),
        ];
        assert!(ids.iter().all(|id| id.starts_with("0x3") && id.len() == 18));
        assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), ids.len(), "{ids:?}");
        // Fixed for good: hosts know disks by it.
        assert_eq!(of(one, "dg_vm1"), PINNED);
        assert_eq!(ClusterId::parse("x"), None);
    }

    const PINNED: &str = "0x3234cd8dbb918019";

    proptest! {
        #[test]
        fn every_made_identifier_is_valid(cluster in any::<u64>(), name in "[a-z]{1,8}_[a-z0-9_-]{1,32}") {
            prop_assert!(ClusterId(cluster).naa_id(&DeviceName::seen(&name).unwrap()).is_ok());
        }
    }
}
