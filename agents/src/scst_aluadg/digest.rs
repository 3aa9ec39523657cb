//! The type [`Digest`]: the devices of a group as one short text without blanks, with everything that hosts would
//! notice if two nodes differed in it. `agreement` publishes and compares it.
//!
//! `1;dg_vm1=1073741824:512:naa.3000000000000001:7f3a90c2;…`: a version, then per device its size in bytes (`-` where
//! it is not known), its block size, the identifier by which hosts recognise it, and a hash of the rest. `1r` says that
//! hosts have registered for persistent reservations. The last field, a word after `@`, is the version of the agent,
//! which older agents pass over.

use std::collections::BTreeMap;
use std::fmt;

use scst_core::scst::host_id::HostId;
use scst_core::state::Device;

use super::device::DeviceParams;

/// The version, and the same with registrations.
const VERSION: [&str; 2] = ["1", "1r"];

/// The devices of one node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Digest {
    /// Hosts have registered here, on a device that does not share its reservations with other nodes.
    pub(super) registered: bool,
    /// By name.
    pub(super) devices: BTreeMap<String, Shown>,
    /// The version of the agent that has told it, where it says that.
    pub(super) agent: Option<String>,
}

/// One device as hosts see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shown {
    /// Its size in bytes, where it is known.
    pub(super) size: Option<u64>,
    /// Its block size in bytes.
    pub(super) block: u64,
    /// What hosts tell it by.
    pub(super) id: String,
    /// A hash of what else they may look at.
    pub(super) rest: u32,
}

impl Shown {
    /// A device that is there.
    pub(super) fn found(device: &Device) -> Self {
        let of = |name: &str| device.identity.get(name).map(String::as_str);
        let id = HostId::of(of("naa_id"), of("eui64_id"), of("t10_dev_id").unwrap_or_default());
        let rest = [of("t10_dev_id"), of("usn"), of("prod_id")].map(Option::unwrap_or_default);
        let mut shown = Self { size: device.size, block: device.block_size(), id: id.to_string(), rest: 0 };
        shown.mix(rest.iter().copied().chain([if device.is_shared() { "shared" } else { "" }]));
        shown
    }

    /// A device that is to be added.
    pub(super) fn configured(device: &DeviceParams, id: &HostId) -> Self {
        let (usn, t10) = device.names();
        let block = device.blocksize.map_or(512, scst_core::scst::values::BlockSize::bytes);
        let mut shown = Self { size: None, block, id: id.to_string(), rest: 0 };
        let product = device.prod_id.as_deref().unwrap_or("SCST");
        shown.mix([t10.as_str(), &usn, product, if device.shared { "shared" } else { "" }].into_iter());
        shown
    }

    /// Adds where hosts see it.
    pub(super) fn mapped_as(&mut self, exports: impl Iterator<Item = String>) {
        let mut exports: Vec<String> = exports.collect();
        exports.sort();
        self.mix(exports.iter().map(String::as_str));
    }

    /// The hash FNV-1a of 32 bits, continued over some texts.
    fn mix<'t>(&mut self, texts: impl Iterator<Item = &'t str>) {
        for text in texts {
            let bytes = text.bytes().chain([0]);
            self.rest =
                bytes.fold(self.rest ^ 0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        }
    }
}

impl Digest {
    /// Reads what `Display` writes; nothing for the text of a version that is not known here. A device that cannot be read is passed over.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut fields = text.split(';');
        let version = fields.next()?;
        let registered = VERSION.iter().position(|known| *known == version)? == 1;
        let agent = text.split(';').find_map(|field| field.strip_prefix('@')).map(str::to_owned);
        let device = |field: &str| {
            let (name, rest) = field.split_once('=')?;
            let words: Vec<&str> = rest.split(':').collect();
            let [size, block, id, rest] = words.as_slice() else { return None };
            let size = if *size == "-" { None } else { Some(size.parse().ok()?) };
            let rest = u32::from_str_radix(rest, 16).ok()?;
            Some((name.to_owned(), Shown { size, block: block.parse().ok()?, id: (*id).to_owned(), rest }))
        };
        Some(Self { registered, devices: fields.filter_map(device).collect(), agent })
    }

    /// What of this node's devices another node contradicts: a store that is smaller here, another block size, another identifier.
    pub(super) fn conflicts(&self, here: &str, other: &Self, there: &str) -> Vec<String> {
        let mut conflicts = Vec::new();
        for (name, own) in &self.devices {
            let Some(theirs) = other.devices.get(name) else { continue };
            if own.id != theirs.id {
                conflicts.push(format!(
                    "device {name}: hosts know it as {} by node {here}, as {} by node {there}",
                    own.id, theirs.id
                ));
            }
            if own.block != theirs.block {
                conflicts.push(format!(
                    "device {name}: its blocks have {} bytes on node {here}, {} on node {there}",
                    own.block, theirs.block
                ));
            }
            if let (Some(has), Some(told)) = (own.size, theirs.size)
                && has < told
            {
                conflicts.push(format!(
                    "device {name}: it has {has} bytes on node {here}, hosts are told {told} by node {there}"
                ));
            }
        }
        conflicts
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(VERSION[usize::from(self.registered)])?;
        for (name, Shown { size, block, id, rest }) in &self.devices {
            let size = size.map_or("-".to_owned(), |size| size.to_string());
            write!(f, ";{name}={size}:{block}:{id}:{rest:08x}")?;
        }
        self.agent.iter().try_for_each(|agent| write!(f, ";@{agent}"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn digest(text: &str) -> Digest {
        Digest::parse(text).unwrap()
    }

    #[test]
    fn a_smaller_store_another_block_size_and_another_identifier_are_conflicts() {
        let own = digest("1;dg_a=1024:512:eui.00:0;dg_b=-:4096:naa.5:0;dg_c=9:512:x:0");
        for (other, conflict) in [
            ("1;dg_a=1024:512:eui.00:7", None),
            ("1;dg_a=512:512:eui.00:0", None),
            ("1;dg_b=4096:4096:naa.5:0;dg_z=1:1:z:0", None),
            ("1r", None),
            (
                "1;dg_a=2048:512:eui.00:0",
                Some("device dg_a: it has 1024 bytes on node alpha, hosts are told 2048 by node beta"),
            ),
            ("1;dg_b=-:512:naa.5:0", Some("device dg_b: its blocks have 4096 bytes on node alpha, 512 on node beta")),
            (
                "1;dg_a=1:512:eui.01:0",
                Some("device dg_a: hosts know it as eui.00 by node alpha, as eui.01 by node beta"),
            ),
        ] {
            let conflicts = own.conflicts("alpha", &digest(other), "beta");
            assert_eq!(conflicts.first().map(String::as_str), conflict, "{other}");
        }
        // A later version, or nonsense, says nothing.
        assert_eq!(["2;dg_a=1:1:x:0", "", "nonsense"].map(Digest::parse), [None, None, None]);
        assert_eq!(digest("1;dg_a=1:512:x;broken;dg_b=1:512:x:0").devices.len(), 1);
        assert_eq!(digest("1;dg_a=1:512:x:0;@0.9.1").agent.as_deref(), Some("0.9.1"));
    }

    proptest! {
        #[test]
        fn a_digest_reads_back_as_itself(text in "1r?(;[a-z_]{1,4}=(-|[0-9]{1,6}):[0-9]{1,4}:(naa|eui)\\.[0-9a-f]{1,4}:[0-9a-f]{8}){0,4}(;@[0-9.]{1,6})?") {
            let digest = digest(&text);
            prop_assert_eq!(Digest::parse(&digest.to_string()), Some(digest));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,60}|1;[=:;a-z0-9-]{0,30}") {
            let _ = Digest::parse(&text);
        }
    }
}
