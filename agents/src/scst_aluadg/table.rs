//! What `scst_aluadg` is: the table behind its meta-data, its usage and its parsing.

use scst_core::ocf::param::{AgentTable, Kind, Operation, Parameter};

use super::device::DEVICES;
use super::sharing::Reservations;
use crate::missing_ports::MissingPorts;

/// The agent's description.
pub const TABLE: &AgentTable = &AgentTable {
    name: "scst_aluadg",
    version: env!("CARGO_PKG_VERSION"),
    shortdesc: "SCST device group with ALUA states (promotable)",
    longdesc: "\
Exports a group of devices through the SCST targets of every node and tells the hosts, by ALUA, which node serves them: the \
promoted one is active, the other running ones are standby, the rest is unavailable. Devices that should always move together \
belong into one group, and one resource; several groups may be promoted on different nodes.

Run it as a promotable clone with notify=true, promoted-max=1, clone-node-max=1 and interleave=true, one instance on every node that \
can serve. Notifications keep what each node's hosts are told of the others up to date; without them a node corrects that only \
when it is promoted. There may be any number of nodes.

Every such node has the permanent node attribute targetports, a comma-separated list of its ports in a fixed order. The device \
group holds one target group per node with that attribute, named as the node. Its id is the node's id, and the relative target \
port identifiers are node id x 100 + place in the list; node ids up to 654 with up to 99 ports can be numbered this way. Ports \
and initiator groups must exist before: for Fibre Channel the resource scst_qla2xtgt sets them up and has to be started \
first; for other drivers the administrator does. If a port is not there, a start fails on that node only.

A start adds the devices, builds the group, and exports the devices as standby; a vdisk_blockio device is not opened for that. A promotion adds \
what is configured and missing, sees that the backing stores are there, puts the other nodes' states right, then activates the own \
ones, and fails if a backing store could not be opened or has less than hosts were told. A demotion holds new commands back, \
waits for those in flight, changes the state and lets the hosts go on; when they do not finish in time, the node stays active \
and the demotion fails. When another node is promoted in its place, hosts are told to wait until that has happened. A stop removes what this resource created, and nothing else.

A change of devices is carried out while everything runs: devices and exports are added and removed, the others are not touched. A \
changed setting of an existing device that can be given only when the device is added waits for a restart of the resource, or until \
the device was removed and added again; it is named in the log.",
    parameters: &[
        Parameter {
            name: "groupname",
            required: true,
            unique: true,
            shortdesc: "Name of the device group",
            longdesc: "\
The name of the SCST device group: 1 to 16 letters, digits and hyphens (a shell agent in the same cluster takes 8 letters and digits). It is the first part of the names of all devices of the group \
(groupname_virtname), so two resources must not have the same: the second one does not start on a node that runs the first (exit code 2). \
A change restarts the resource.",
            ..Parameter::TEXT
        },
        Parameter {
            name: "tgtdriver",
            required: true,
            shortdesc: "SCST target driver",
            longdesc: "\
The SCST target driver whose ports export the devices: qla2x00t (Fibre Channel), iscsi, ib_srpt (SRP over InfiniBand), \
scst_local or fcst. The entries of the node attribute targetports are read in the form of that driver: a WWPN of 16 hex digits in \
any usual spelling for qla2x00t; an iqn., eui. or naa. name for iscsi; four or eight groups of four hex digits for ib_srpt; the target's name in \
sysfs for the others. Entries that are names of another driver are passed over, and keep their place in the numbering. A change \
restarts the resource.",
            ..Parameter::TEXT
        },
        Parameter {
            name: "reload",
            reloadable: true,
            shortdesc: "Change it to ask for a reload",
            longdesc: "\
The value is never looked at; changing it makes the cluster reload the resource on every node. Needed when something else has \
changed that the resource depends on: initiator groups were added to the ports, or nodes and ports to targetports.",
            ..Parameter::TEXT
        },
        Parameter {
            name: "lip",
            kind: Kind::Boolean,
            reloadable: true,
            default: Some("1"),
            shortdesc: "Initialise the loop when LUNs were added or removed at start",
            longdesc: "\
With the driver qla2x00t a start that has changed LUNs initialises the loop of each enabled port once (LIP), so that hosts look for \
their disks again. It makes all hosts of the port log in anew, which other device groups on it notice as well. 0 leaves it \
out; the hosts then have to be told to look. Without meaning for other drivers.",
            ..Parameter::TEXT
        },
        MissingPorts::PARAMETER,
        Reservations::PARAMETER,
        Parameter {
            name: "device",
            count: Some(DEVICES),
            required: true,
            reloadable: true,
            shortdesc: "Device",
            longdesc: "\
One device of the group; device0 must exist, device1 to device255 may, in any selection. The value consists of key=value pairs \
separated by commas or blanks, for example

    virtname=vm1,handler=vdisk_blockio,filename=/dev/drbd10,export0=all:1
    virtname=lu0,handler=vdisk_nullio,dummy=1,export0=all:0

Double quotes are ignored, so a value can hold no comma, blank or quote. The keys:

virtname (required): 1 to 32 letters, digits, hyphens and underscores, unique within the group (a shell agent in the same cluster takes 8 letters \
and digits). The device is called groupname_virtname in SCST, which allows no dot.

handler: vdisk_blockio (default) for block devices, vdisk_fileio for files (and for block devices through the page cache), vdisk_nullio \
for a device without a store, such as a place holder at LUN 0.

filename (required, except for vdisk_nullio): the absolute path of the backing block device or file, the same on every node. It must \
exist at start, unless absent_in_standby is 1; it need not be possible to open it before the promotion (a DRBD secondary, with vdisk_blockio). A store \
that has grown is looked at again by a reload and by a promotion; one that has become smaller is refused. The path can hold neither = nor ; nor a component of two dots.

export0 to export255: initiatorgroup:lun, the LUN under which the hosts of an initiator group see the device. export0 is required. The \
group all means every initiator group found on the port. Upper and lower case of a group's name are the same. LUNs go from 0 to 16383 \
(many hosts do not look at those over 255); a number that begins with 0 is octal. No two devices may have the same LUN in one group, also not by \
way of all: then the resource does not start. Give every host a device at LUN 0, and every LUN to one resource only.

read_only, removable: 0 (default) or 1, as the words say.

nv_cache: 1 announces the cache as non-volatile, so that hosts need not flush it. Only for stores that keep what they have acknowledged \
without power. 0 is the default. Not with vdisk_fileio and read_only=1. With a writable vdisk_fileio a flushed write would stay in the \
page cache and be lost with the node, whatever write_through reads: only together with write_through=0, which says that this is wanted.

is_ssd: 1 announces a device that does not rotate. 0 is the default.

dummy: 1 makes a vdisk_nullio device one that hosts see and do not use as a disk. 0 is the default.

write_through: 1 lets a write be acknowledged only when it is on the store, 0 allows the page cache. A writable vdisk_fileio device is \
write-through unless 0 is given, because a failover loses what only the cache holds. Other devices keep the kernel's default.

blocksize: the logical block size that hosts see: 512, 1024, 2048 or 4096. By default that of the store, if it is a block device with \
larger logical blocks than 512 (a 4Kn disk), else 512. A vdisk_blockio device cannot have smaller blocks than its store. Hosts find no \
partitions on a disk whose block size was changed.

thin_provisioned: 1 lets hosts give space back, 0 does not. By default vdisk_blockio lets them if the store can, other handlers do \
not. Not for vdisk_nullio.

threads_num: how many threads serve the device, 1 to 64. The default is the kernel's. A reload changes it.

absent_in_standby: 1 lets the backing device of a vdisk_blockio device be absent while the group is not promoted on the node, as with LVM above DRBD or \
the volumes of a ZFS pool. 0 is the default.

size: with absent_in_standby=1, the capacity that hosts are told while the store is absent, in bytes or with K, M, G or T (powers of 1024). \
By default what this node served last.

t10devid: the T10 vendor identification, up to 25 visible characters; letters, digits, - and _ are safe. By default the kernel makes it \
from the device's name, the same on every node. Change it only on purpose: hosts know the disk by it. Hosts that are given \
neither naa_id nor eui64_id look at an identifier that is made of its first 8 characters: two devices with the same are refused.

usn: the serial number, up to 20 visible characters. By default it is made from the device's name. (The kernel's number setup_id, \
which goes into these two defaults, is taken for 0, so that a disk is the same on all nodes.)

naa_id: the NAA identifier, 16 hex digits that begin with 2, 3 or 5, or 32 that begin with 6; or auto, which makes one (3 and 15 digits) of the \
cluster's name, of its property scst-uuid where that is set, and of the names of group and device, so that disks of two clusters differ. Neither \
name may change later: hosts would see another disk. None by default.

eui64_id: the EUI-64 identifier, 16, 24 or 32 hex digits. Hosts look at it where there is no naa_id. None by default.

prod_id, vend_specific_id, prod_rev_lvl, inq_vend_specific: texts that hosts show of the disk, or compare: product (up to 16 characters, SCST by \
default), vendor specific identifier (128), revision (4) and the vendor's part of the inquiry data (160). For hosts that move here from another \
target and must see what they saw there. A blank is written %20, a comma %2c, a percent sign %25.

An unknown key, a word without =, a bad export, a flag that is another number than 0 and 1 (its lowest bit counts), or a key that the \
handler does not have, is ignored with a warning. A missing or bad required key, an unknown handler, a flag that is no number and a bad \
identifier or number make the device unusable, as does a blocksize or thin_provisioned that the handler of this kernel does not know, and a \
device without any export that can be used: it is left out with a warning, as is one that repeats the virtname, usn, naa_id or eui64_id of a device \
with a lower number; if it is device0, the resource does not start. When a key is given twice, the last one counts. validate-all \
names all of this and fails.",
            ..Parameter::TEXT
        },
    ],
    operations: &[
        Operation::once("start", 120),
        Operation::once("stop", 240),
        Operation::once("promote", 30),
        Operation::once("demote", 120),
        Operation::once("reload", 120),
        Operation::once("reload-agent", 120),
        Operation::once("notify", 30),
        Operation::monitor(30, 10, Some("Promoted")),
        Operation::monitor(30, 11, Some("Unpromoted")),
        Operation::once("meta-data", 5),
        Operation::once("validate-all", 15),
    ],
};
