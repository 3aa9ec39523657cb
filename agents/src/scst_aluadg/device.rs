//! The type [`DeviceParams`]: one configured device as plain checked data. `grammar` reads it from its parameter.

use std::fmt;

use scst_core::scst::host_id::HostId;
use scst_core::scst::identity;
use scst_core::scst::names::{DeviceName, HandlerName, InitiatorGroup};
use scst_core::scst::values::{BackingPath, BlockSize, Eui64Id, NaaId, T10DevId, ThreadsNum, Usn};

/// How many of the parameters `device0`, `device1`, … exist.
pub const DEVICES: u16 = 256;

/// How the parameter of each of them begins; its number follows.
pub(super) const DEVICE: &str = "device";

/// One device.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own in SCST, with its own attribute")]
pub struct DeviceParams {
    /// The number of its parameter.
    pub index: u8,
    /// Its name in SCST.
    pub name: DeviceName,
    /// Its handler.
    pub handler: HandlerName,
    /// Its backing file or block device; always there unless the handler is `vdisk_nullio`.
    pub filename: Option<BackingPath>,
    /// Where it is seen, by the number of the key.
    pub exports: Vec<Export>,
    /// Hosts cannot write to it.
    pub read_only: bool,
    /// It is announced as a removable medium.
    pub removable: bool,
    /// Its cache is announced as non-volatile.
    pub nv_cache: bool,
    /// It is announced as a rotating disk.
    pub rotational: bool,
    /// Of `vdisk_nullio`: a place holder that hosts do not use as a disk.
    pub dummy: bool,
    /// Its persistent reservations are shared with other nodes.
    pub shared: bool,
    /// Its T10 identification, if it is not the kernel's choice.
    pub t10devid: Option<T10DevId>,
    /// Its serial number, if it is not the kernel's choice.
    pub usn: Option<Usn>,
    /// Its NAA identifier, if it is not the kernel's choice.
    pub naa_id: Option<NaaId>,
    /// Its NAA identifier is to be made of the cluster's name and its own.
    pub naa_auto: bool,
    /// Its EUI-64 identifier, if it is not the kernel's choice.
    pub eui64_id: Option<Eui64Id>,
    /// The product that hosts are told, if it is not that of all devices of the agents.
    pub prod_id: Option<String>,
    /// The revision that hosts are told, if it is not SCST's.
    pub prod_rev_lvl: Option<String>,
    /// What hosts find in the vendor's part of their standard inquiry, if anything.
    pub inq_vend_specific: Option<String>,
    /// Write-through as configured; see [`DeviceParams::effective_write_through`].
    pub write_through: Option<bool>,
    /// Its logical block size; `None`: as large as that of its store, which only the node knows.
    pub blocksize: Option<BlockSize>,
    /// Whether hosts may give space back, if it is not the kernel's choice.
    pub thin_provisioned: Option<bool>,
    /// How many threads serve it, if it is not the kernel's choice.
    pub threads_num: Option<ThreadsNum>,
    /// The wanted `vend_specific_id`, where one is configured, or where the kernel would make another one than on other
    /// nodes.
    pub vend_specific_id: Option<String>,
    /// Why this node cannot have it, if it cannot.
    pub refused: Option<String>,
    /// Its store exists only where the group is promoted.
    pub absent_in_standby: bool,
    /// The capacity in bytes that is announced where the store is absent.
    pub size: Option<u64>,
}

/// The initiator groups of an export.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExportGroup {
    /// Every group found on the port.
    All,
    /// The group of this name, which is in lower case and matched without regard to case.
    Named(InitiatorGroup),
}

/// One export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// The number of its key.
    pub index: u8,
    /// Who sees it.
    pub group: ExportGroup,
    /// Under which number.
    pub lun: u16,
}

impl Export {
    /// Whether some host could see both at the same LUN.
    pub fn overlaps(&self, other: &Self) -> bool {
        let same_group = self.group == other.group || self.group == ExportGroup::All || other.group == ExportGroup::All;
        self.lun == other.lun && same_group
    }
}

impl fmt::Display for ExportGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::All => "all",
            Self::Named(group) => group.as_str(),
        })
    }
}

impl fmt::Display for Export {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.group, self.lun)
    }
}

impl DeviceParams {
    /// The parameter it comes from.
    pub fn parameter(&self) -> String {
        format!("{DEVICE}{}", self.index)
    }

    /// Its serial number and its T10 identification: those that were chosen, else the kernel's.
    pub fn names(&self) -> (String, String) {
        let usn = self.usn.as_ref().map_or_else(|| identity::usn(&self.name), ToString::to_string);
        let made = || identity::t10_dev_id(&self.name);
        (usn, self.t10devid.as_ref().map_or_else(made, ToString::to_string))
    }

    /// What hosts will tell it by, as far as it is known without the cluster.
    pub fn host_id(&self) -> Option<HostId> {
        let (_, t10) = self.names();
        let (naa, eui) = (self.naa_id.as_ref().map(NaaId::as_str), self.eui64_id.as_ref().map(Eui64Id::as_str));
        (naa.is_some() || !self.naa_auto).then(|| HostId::of(naa, eui, &t10))
    }

    /// The value of `write_through` that the device is added with; `None`: it is not passed. A writable file gets it unless it was
    /// switched off; the kernel refuses it for a file that is read-only.
    pub fn effective_write_through(&self) -> Option<bool> {
        match (self.handler, self.read_only) {
            (HandlerName::VdiskFileio, true) => None,
            (HandlerName::VdiskFileio, false) => Some(self.write_through.unwrap_or(true)),
            _ => self.write_through,
        }
    }
}
