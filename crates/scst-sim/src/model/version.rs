//! What each recorded release of SCST has. Everything that differs between releases is decided here and nowhere else.

use super::ScstVersion;

/// The differences between the releases.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is a question to a release")]
pub(super) struct Features {
    /// The text of `version`.
    pub(super) release: &'static str,
    /// The default of a device's `prod_rev_lvl`: the release, padded to four characters.
    pub(super) product_revision: &'static [u8],
    /// `vdisk_fileio` has `active` and `bind_alua_state`, and takes devices that start inactive.
    pub(super) fileio_active: bool,
    /// `vdisk_blockio` opens its disk exclusively and compares block sizes.
    pub(super) exclusive_blockio: bool,
    /// `add_device` takes `t10_dev_id`.
    pub(super) t10_dev_id_parameter: bool,
    /// Devices have `lb_per_pb_exp`, as attribute and as (undocumented) parameter of `vdisk_fileio`.
    pub(super) lb_per_pb_exp: bool,
    /// Devices have `pr_state`.
    pub(super) pr_state: bool,
    /// Ports have `aen_disabled` and `sg_tablesize`.
    pub(super) aen_disabled: bool,
    /// The root has `async_lun_replace` and `cluster_name`.
    pub(super) cluster_name: bool,
    /// `handlers/dev_disk` has `pr_dump_dir`.
    pub(super) pr_dump_dir: bool,
    /// A signal ends the wait for a block to be complete: a writer of `1` leaves, and of a `0` that has to wait for the block
    /// the count is not lowered (`scst_sync_ext_block_dev` in `scst_lib.c`).
    pub(super) interruptible_block: bool,
    /// Several attributes of the root end in an extra empty line.
    pub(super) root_extra_line: bool,
}

const V3_7: Features = Features {
    release: "3.7.0",
    product_revision: b"370 ",
    fileio_active: false,
    exclusive_blockio: false,
    t10_dev_id_parameter: false,
    lb_per_pb_exp: false,
    pr_state: false,
    aen_disabled: false,
    cluster_name: false,
    pr_dump_dir: false,
    interruptible_block: false,
    root_extra_line: true,
};

const V3_11: Features = Features {
    release: "3.11.0-pre",
    product_revision: b"3110",
    fileio_active: true,
    exclusive_blockio: true,
    t10_dev_id_parameter: true,
    lb_per_pb_exp: true,
    pr_state: true,
    aen_disabled: true,
    cluster_name: true,
    pr_dump_dir: true,
    interruptible_block: true,
    root_extra_line: false,
};

impl Features {
    /// The table's line of a release.
    pub(super) fn of(version: ScstVersion) -> Self {
        match version {
            ScstVersion::V3_7 => V3_7,
            ScstVersion::V3_11 => V3_11,
        }
    }
}
