//! Reasons about the devices of a group, `device0` to `device255`.

use super::row::{Chapter, Reason, row};

/// The chapter.
pub(super) const CHAPTER: Chapter = Chapter {
    title: "The devices",
    opening: "Mistakes in one of `device0` to `device255`, reported in the same form.",
    reasons: &REASONS,
};

const REASONS: [Reason; 58] = [
    row("…, device left out", "6", "The agent starts the other devices without this one"),
    row("…, export left out", "6", "The agent makes the other exports without this one"),
    row("… is required and missing", "6", "`virtname`, `export0` or, except for `vdisk_nullio`, `filename`"),
    row("… is no key=value, ignored", "6", "A word without `=`; perhaps there is a blank too much"),
    row("… has no value, ignored", "6", "Nothing follows the `=`"),
    row(
        "… is no key of a device, ignored",
        "6",
        "Misspelt; or the number after `export` is not 0 to 255, or begins with 0",
    ),
    row("… is given twice, the last one counts", "6", "Delete one"),
    row("… is neither 0 nor 1", "6", "A flag is no number"),
    row("… is neither 0 nor 1, taken for …", "6", "A flag is another number: its lowest bit counts, as in the kernel"),
    row("… exists only with vdisk_nullio, ignored for …", "6", "`dummy` with another handler"),
    row("… does not exist with …, ignored", "6", "`nv_cache` or `write_through` with `vdisk_nullio`"),
    row("… has no meaning with …, ignored", "6", "`filename` with `vdisk_nullio`"),
    row(
        "… has a meaning only with absent_in_standby=1, ignored",
        "6",
        "`size`: the agent reads the size of a store that exists",
    ),
    row("… is impossible with …", "6", "`absent_in_standby`: only with `vdisk_blockio`"),
    row("… not a size in bytes, or with K, M, G or T, that is a multiple of 512", "6", "`size`: as in `size=100G`"),
    row("… is impossible with vdisk_fileio and read_only=1", "6", "`nv_cache`: the kernel would refuse the device"),
    row("… is impossible with vdisk_fileio and read_only=1, ignored", "6", "`write_through`"),
    row(
        "… loses flushed writes with a writable vdisk_fileio; write_through=0 says that this is wanted",
        "6",
        "`nv_cache=1` tells hosts that they need not flush, and SCST then leaves what they flush in the page cache. Remove the key, or give `write_through=0` if this may be lost with the node",
    ),
    row("… is not known to …", "6", "`thin_provisioned` with `vdisk_nullio`"),
    row(
        "… of this kernel does not know …",
        "5",
        "The handler's `mgmt` file does not list this key. Remove the key, or install an SCST that knows it on this node",
    ),
    row(
        "… its store has logical blocks of … bytes, more than its blocksize …",
        "1, 5",
        "`vdisk_blockio` cannot serve smaller blocks than the store has. Omit `blocksize`, or use `vdisk_fileio` for hosts that need 512. Exit code 1, promote: the store was absent when the node added the device. Stop the resource on this node, and start it with the store in place, or with `blocksize` set",
    ),
    row(
        "… none of them can be used",
        "6",
        "Every export of the device was left out, so no host would see it. The earlier findings say why",
    ),
    row(
        "… holds other characters than letters, digits, - and _; kept",
        "6",
        "`t10devid`: it is used, but some hosts may not accept it",
    ),
    row("… says so already, ignored", "6", "Two exports lead one device to the same LUN"),
    row("… says so as well, ignored", "6", "The same, by way of `all`"),
    row("… is no initiatorgroup:lun", "6", "An export is `group:number` or `all:number`"),
    row("… the LUN is no number", "6", "Digits only"),
    row("… the LUN is over …", "6", "0 to 16383"),
    row("… the LUN begins with 0 and is read as octal: …", "6", "Leave the leading zero out"),
    row("… the LUN begins with 0 and is no octal number", "6", "The same"),
    row(
        "… has this LUN already (export …)",
        "6",
        "Two devices have one LUN of one group, perhaps by way of `all`. Nothing is started",
    ),
    row(
        "… naa_id=auto is made of the cluster's name, which is not known",
        "5",
        "Pacemaker's property `cluster-name` is not set. Give the cluster a name in `corosync.conf` (`totem.cluster_name`), or the device a `naa_id`",
    ),
    row(
        "… hosts take it for device … of this node: …",
        "5",
        "A device of another resource on this node shows hosts the same identifier. Give one of the two another `naa_id`, `eui64_id` or `t10devid` before hosts use it. Clean up",
    ),
    row(
        "… is one disk to hosts with …; set naa_id, or let the first … characters of t10devid differ",
        "6",
        "Two devices of the resource show hosts the same identifier (given in brackets), so multipath would write data of one disk to the other. Give one of them another `naa_id`, `eui64_id` or `t10devid` before hosts use it",
    ),
    row(
        "… a shell agent in the cluster does not take it: that takes 1 to 8 letters and digits",
        "–",
        "Advice only, with `OCF_CHECK_LEVEL=10`: shorten the name while a node still runs the shell agent",
    ),
    row("… not an EUI-64 identifier of 16, 24 or 32 hex digits", "6", "`eui64_id`"),
    row(
        "… not a text in which % is followed by two hex digits",
        "6",
        "`prod_id` and the like: write a percent sign `%25`, a blank `%20`, a comma `%2c`",
    ),
    row(
        "… no lockspace can be named after it: with reservations=shared only letters, digits, - and _",
        "6",
        "Choose another `t10devid`",
    ),
    row(
        "… has it as well, device left out",
        "6",
        "Two devices have the same `virtname`, `usn`, `naa_id` or `eui64_id`",
    ),
    row(
        "… many hosts do not look at a LUN over …",
        "–",
        "Advice only: hosts often stop at 255, or at a limit of their own driver",
    ),
    row(
        "… no device of this group is at LUN 0, which hosts ask for the others; give them one",
        "–",
        "Advice only; ignore it if another group has LUN 0",
    ),
    row(
        "… without its store nobody knows the block size, and 512 is taken; say blocksize= where absent_in_standby is 1",
        "–",
        "Advice only: a node that adds the device without its store cannot read the block size. Set `blocksize` to that of the store",
    ),
    row(
        "… is known to hosts by its name…: a device of that name in another cluster is the same disk to them; set naa_id (auto makes one), or usn and t10devid, before hosts use it",
        "–",
        "Advice only: the identifiers follow from `groupname_virtname`. Two clusters with the same names serve different disks as one. Give each device `naa_id=auto`, or a `naa_id` of its own (`5` and 15 random hex digits), before hosts use it: if identifiers change, a host takes the disk for another one",
    ),
    row("… stands on it as well", "–", "Advice only: two devices use one store"),
    row("… empty name", "2, 6", "A name is missing"),
    row("… characters, at most … are possible", "2, 6", "Too long"),
    row(
        "… character … is not possible here",
        "2, 6",
        "SCST's grammar gives this character another meaning. A path cannot contain `=`, `;`, a blank or a quote",
    ),
    row("… the name is reserved by the kernel", "2, 6", "`mgmt`, `.` and the like"),
    row("… not a WWPN of eight pairs of hex digits joined by colons", "6", "As in 21:00:00:24:ff:60:d0:10"),
    row("… not a GUID or GID of four or eight groups of four hex digits", "6", "Driver `ib_srpt`"),
    row("… not an iSCSI name of the form iqn., eui. or naa.", "6", "Driver `iscsi`"),
    row("… not one of vdisk_blockio, vdisk_fileio, vdisk_nullio", "6", "`handler`"),
    row("… not a block size of 512, 1024, 2048 or 4096", "6", "`blocksize`"),
    row("… not a number from 1 to 64", "6", "`threads_num`"),
    row("… not an absolute path", "6", "`filename` begins with `/`"),
    row("… not a path without ..", "6", "`filename`: write it out"),
    row("… not an NAA identifier of 16 or 32 hex digits", "6", "`naa_id`"),
    row("… not an NAA identifier: 16 digits start with 2, 3 or 5, 32 digits with 6", "6", "`naa_id`"),
];
