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
Exports a group of devices through the SCST targets of every node and tells hosts by ALUA which node serves them: the promoted node is \
active, the other running nodes are standby, all others are unavailable. Put devices that always move together into one group, and one \
resource; several groups may be promoted on different nodes.

Run it as a promotable clone with notify=true, promoted-max=1, clone-node-max=1 and interleave=true, with one instance on every node \
that can serve. Notifications keep up to date what each node's hosts are told about the other nodes; without them a node corrects that \
only when it is promoted. There may be any number of nodes.

Every such node has the permanent node attribute targetports, a comma-separated list of its ports in a fixed order. The device group \
contains one target group per node with that attribute, named after the node. Its id is the node's id, and the relative target port \
identifier of a port is node id x 100 + place in the list; therefore node ids go up to 654, with up to 99 ports. Ports and initiator \
groups must exist before: scst_qla2xtgt (Fibre Channel) or scst_target (any driver) sets them up and is started first, or the \
administrator does. If a port does not exist, the start fails on that node only.

A start adds the devices, builds the group, and exports the devices as standby, without opening the store of a vdisk_blockio device. A \
promotion adds what is configured and missing, checks the backing stores, corrects the states of the other nodes and then sets its own \
to active. It fails if a backing store could not be opened or has less than hosts were told. A demotion holds new commands back, waits \
for those in flight, changes the state and lets the hosts continue. If the commands do not end in time, the node stays active and the \
demotion fails. If another node is promoted in its place, hosts are told to wait until that has happened. A stop removes what this \
resource created, and nothing else.

A change of devices is carried out while everything runs: devices and exports are added and removed, the others are not touched. Some \
settings can be given only when a device is added: such a change is named in the log and waits until the resource is restarted, or the \
device is removed and added again.",
    parameters: &[
        Parameter {
            name: "groupname",
            required: true,
            unique: true,
            shortdesc: "Name of the device group",
            longdesc: "\
The name of the SCST device group: 1 to 16 letters, digits and hyphens (a shell agent in the same cluster takes 8 letters and digits). \
The names of all devices of the group begin with it (groupname_virtname), so two resources must not have the same one: the second does \
not start on a node that runs the first (exit code 2). A change restarts the resource.",
            ..Parameter::TEXT
        },
        Parameter {
            name: "tgtdriver",
            required: true,
            shortdesc: "SCST target driver",
            longdesc: "\
The SCST target driver whose ports export the devices: qla2x00t (Fibre Channel), iscsi, ib_srpt (SRP over InfiniBand), scst_local or \
fcst. It determines the form of the entries of the node attribute targetports: a WWPN of 16 hex digits in any usual spelling for \
qla2x00t; an iqn., eui. or naa. name for iscsi; four or eight groups of four hex digits for ib_srpt; the target's name in sysfs for the \
others. Entries that are names of another driver are ignored, and keep their place in the numbering. A change restarts the resource.",
            ..Parameter::TEXT
        },
        Parameter {
            name: "reload",
            reloadable: true,
            shortdesc: "Change it to ask for a reload",
            longdesc: "\
The value has no meaning; a change makes the cluster reload the resource on every node. Change it when something else has changed on \
which the resource depends: initiator groups were added to the ports, or nodes and ports to targetports.",
            ..Parameter::TEXT
        },
        Parameter {
            name: "lip",
            kind: Kind::Boolean,
            reloadable: true,
            default: Some("1"),
            shortdesc: "Initialise the loop when LUNs were added or removed at start",
            longdesc: "\
With the driver qla2x00t, a start that has changed LUNs initialises the loop of each enabled port once (LIP), so that hosts look for \
their disks again. All hosts of the port then log in anew, which other device groups on it notice as well. With 0 no loop is \
initialised, and the hosts have to be told to look. It has no meaning for other drivers.",
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
One device of the group; device0 is required, device1 to device255 are optional, in any selection. The value consists of key=value pairs \
separated by commas or blanks, for example

    virtname=vm1,handler=vdisk_blockio,filename=/dev/drbd10,export0=all:1
    virtname=lu0,handler=vdisk_nullio,dummy=1,export0=all:0

Double quotes are ignored, so a value can contain no comma, blank or quote. The keys:

virtname (required): 1 to 32 letters, digits, hyphens and underscores, unique within the group (a shell agent in the same cluster takes \
8 letters and digits). The device is called groupname_virtname in SCST, which allows no dot.

handler: vdisk_blockio (default) for block devices, vdisk_fileio for files (and for block devices through the page cache), vdisk_nullio \
for a device without a store, such as a place holder at LUN 0.

filename (required, except for vdisk_nullio): the absolute path of the backing block device or file, the same on every node. It must \
exist at start, unless absent_in_standby is 1. It need not be possible to open it before the promotion (a DRBD secondary, with \
vdisk_blockio). A reload and a promotion read the size of a store that has grown again; a store that has become smaller is refused. The \
path can contain neither = nor ; nor a component of two dots.

export0 to export255: initiatorgroup:lun, the LUN under which the hosts of an initiator group see the device. export0 is required. The \
group all means every initiator group found on the port. Upper and lower case of a group's name are the same. LUNs go from 0 to 16383 \
(many hosts do not look at those over 255); a number that begins with 0 is octal. No two devices may have the same LUN in one group, \
also not by way of all: then the resource does not start. Give every host a device at LUN 0, and every LUN to one resource only.

read_only: 1 lets hosts read only. 0 is the default.

removable: 1 announces a removable medium. 0 is the default.

nv_cache: 1 announces the cache as non-volatile, so that hosts need not flush it. Use it only for stores that keep without power what \
they have acknowledged. 0 is the default. Not with vdisk_fileio and read_only=1. With a writable vdisk_fileio a flushed write would stay \
in the page cache and be lost with the node, whatever write_through says: it needs write_through=0, which says that this is wanted.

is_ssd: 1 announces a device that does not rotate. 0 is the default.

dummy: 1 makes a vdisk_nullio device one that hosts see and do not use as a disk. 0 is the default.

write_through: with 1 a write is acknowledged only when it is on the store; 0 allows the page cache. A writable vdisk_fileio device is \
write-through unless 0 is given, because a failover loses what only the cache holds. Other devices keep the kernel's default.

blocksize: the logical block size that hosts see: 512, 1024, 2048 or 4096. The default is that of the store if it is a block device with \
larger logical blocks than 512 (a 4Kn disk), else 512. A vdisk_blockio device cannot have smaller blocks than its store. Hosts find no \
partitions on a disk whose block size was changed.

thin_provisioned: 1 lets hosts give space back, 0 does not. By default vdisk_blockio does if the store can, other handlers do not. Not \
for vdisk_nullio.

threads_num: the number of threads that serve the device, 1 to 64. The default is the kernel's. A reload changes it.

absent_in_standby: 1 lets the backing device of a vdisk_blockio device be absent while the group is not promoted on the node, as with \
LVM above DRBD or the volumes of a ZFS pool. 0 is the default.

size: with absent_in_standby=1, the capacity that hosts are told while the store is absent, in bytes or with K, M, G or T (powers of \
1024). The default is the size that this node served last.

t10devid: the T10 vendor identification, up to 25 visible characters; letters, digits, - and _ are safe. By default the kernel makes it \
from the device's name, the same on every node. Change it only on purpose: hosts know the disk by it. If a device has neither naa_id nor \
eui64_id, hosts look at an identifier that is made of the first 8 characters of t10devid: two devices with the same are refused.

usn: the serial number, up to 20 visible characters. By default it is made from the device's name. (The kernel's number setup_id, which \
goes into the defaults of t10devid and usn, is taken for 0, so that a disk is the same on all nodes.)

naa_id: the NAA identifier, 16 hex digits that begin with 2, 3 or 5, or 32 that begin with 6; or auto. auto makes one (3 and 15 digits) \
of the cluster's name, of its property scst-uuid if that is set, and of the names of group and device, so that disks of two clusters \
differ. None of these may change later: hosts would see another disk. The default is none.

eui64_id: the EUI-64 identifier, 16, 24 or 32 hex digits. Hosts look at it if there is no naa_id. The default is none.

prod_id, vend_specific_id, prod_rev_lvl, inq_vend_specific: texts by which hosts show or compare the disk: product (up to 16 characters, \
the default is SCST), vendor specific identifier (128), revision (4) and the vendor's part of the inquiry data (160). They are for hosts \
that move here from another target and must see what they saw there. Write a blank as %20, a comma as %2c, a percent sign as %25.

The log warns of, and the agent ignores, an unknown key, a word without =, a bad export, a flag that is another number than 0 and 1 (its lowest bit \
counts), a key that the handler does not have. When a key is given twice, the last one counts.

Left out with a warning is a device with a missing or bad required key, an unknown handler, a flag that is no number, a bad identifier \
or number, a blocksize or thin_provisioned that the handler of this kernel does not know, no export that can be used, or the virtname, \
usn, naa_id or eui64_id of a device with a lower number. If device0 is left out, the resource does not start.

validate-all names all of this and fails.",
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
