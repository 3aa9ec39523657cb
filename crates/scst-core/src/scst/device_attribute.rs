//! The attributes of a device that can be configured (`scst_vdisk.c`): when each can be written, and its default in the
//! kernel.
//!
//! This table decides what `observe` reads of a device, what a plan compares, and what `add_device` gets: an attribute
//! that is missing here is not observed and cannot be configured.

/// One attribute.
#[derive(Debug, PartialEq, Eq)]
pub struct DeviceAttribute {
    /// Its file, and its name in `add_device`.
    pub name: &'static str,
    /// When it can be written.
    pub written: Written,
    /// The kernel's default, which `add_device` need not say; `None` for an attribute that is always said.
    pub default: Option<&'static str>,
    /// Hosts would see another disk without it: a device is not added where the handler does not know it.
    pub indispensable: bool,
    /// Devices that the shell agents added differ in it, and are kept as they are: the difference is reported, and goes
    /// when the device is added again. A handler whose usage text lists no parameters does not know it.
    pub kept: bool,
}

/// When an attribute can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// With `add_device` only.
    Added,
    /// While no host sees the device: hosts know it by this.
    Unseen,
    /// At any time.
    Always,
}

impl DeviceAttribute {
    /// Said when the device is added; by itself the kernel makes it `default`.
    const fn added(name: &'static str, default: &'static str) -> Self {
        Self { name, written: Written::Added, default: Some(default), indispensable: false, kept: false }
    }

    /// Always said when the device is added.
    const fn said(name: &'static str) -> Self {
        Self { name, written: Written::Added, default: None, indispensable: false, kept: false }
    }

    /// Hosts know the device by it.
    const fn identity(name: &'static str) -> Self {
        Self { written: Written::Unseen, ..Self::said(name) }
    }
}

/// Makes a constant of each attribute, and the list of all.
macro_rules! attributes {
    ($($(#[$doc:meta])* $constant:ident = $attribute:expr;)*) => {
        $($(#[$doc])* pub const $constant: &DeviceAttribute = &$attribute;)*

        /// Every attribute.
        pub const ALL: &[&DeviceAttribute] = &[$($constant),*];
    };
}

attributes! {
    /// The ALUA state of the device's group opens and closes its store.
    BIND_ALUA_STATE = DeviceAttribute { kept: true, ..DeviceAttribute::said("bind_alua_state") };
    /// The logical block size in bytes.
    BLOCKSIZE = DeviceAttribute { indispensable: true, ..DeviceAttribute::added("blocksize", "512") };
    /// Persistent reservations are shared with other nodes, through DLM.
    CLUSTER_MODE = DeviceAttribute { indispensable: true, ..DeviceAttribute::added("cluster_mode", "0") };
    /// Hosts see the device and do not use it as a disk.
    DUMMY = DeviceAttribute::added("dummy", "0");
    /// The cache survives a loss of power.
    NV_CACHE = DeviceAttribute::added("nv_cache", "0");
    /// Hosts cannot write.
    READ_ONLY = DeviceAttribute::added("read_only", "0");
    /// The medium can be removed.
    REMOVABLE = DeviceAttribute::added("removable", "0");
    /// The medium rotates.
    ROTATIONAL = DeviceAttribute::added("rotational", "1");
    /// Hosts can give space back. By default the kernel decides by the store.
    THIN_PROVISIONED = DeviceAttribute::said("thin_provisioned");
    /// A write is acknowledged when it is on the store.
    WRITE_THROUGH = DeviceAttribute { kept: true, ..DeviceAttribute::said("write_through") };

    /// The EUI-64 identifier.
    EUI64_ID = DeviceAttribute::identity("eui64_id");
    /// The vendor's part of the inquiry data.
    INQ_VEND_SPECIFIC = DeviceAttribute::identity("inq_vend_specific");
    /// The NAA identifier.
    NAA_ID = DeviceAttribute::identity("naa_id");
    /// The product.
    PROD_ID = DeviceAttribute::identity("prod_id");
    /// The product's revision.
    PROD_REV_LVL = DeviceAttribute::identity("prod_rev_lvl");
    /// The T10 vendor identification. The lockspace of a device that shares its reservations is named after it: such a device gets it when it is
    /// added, and never again.
    T10_DEV_ID = DeviceAttribute::identity("t10_dev_id");
    /// The serial number.
    USN = DeviceAttribute::identity("usn");
    /// The vendor specific identifier.
    VEND_SPECIFIC_ID = DeviceAttribute::identity("vend_specific_id");

    /// How many threads serve the device.
    THREADS_NUM = DeviceAttribute { written: Written::Always, ..DeviceAttribute::said("threads_num") };
}

/// The attribute of that name.
pub fn find(name: &str) -> Option<&'static DeviceAttribute> {
    ALL.iter().find(|attribute| attribute.name == name).copied()
}
