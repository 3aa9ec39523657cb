//! What `scst_target` is: the table behind its meta-data, its usage and its parsing.

use scst_core::ocf::param::{AgentTable, Kind, Parameter};

use crate::missing_ports::MissingPorts;
use crate::target::operations;

/// A parameter whose change a reload makes effective.
const RELOADED: Parameter = Parameter { reloadable: true, ..Parameter::TEXT };

/// The agent's description.
pub const TABLE: &AgentTable = &AgentTable {
    name: "scst_target",
    version: env!("CARGO_PKG_VERSION"),
    shortdesc: "Targets of any SCST driver with their initiator groups: iSCSI, SRP, local, Fibre Channel",
    longdesc: "\
Sets up the SCST targets of a node and takes them down again. For each target it creates the initiator groups, puts the initiators into \
them, gives every group an I/O group and the target its relative target port identifier. It enables the target last, so that no host \
sees an incomplete target. The agent creates and deletes the targets of iSCSI (driver iscsi) and of the machine itself (scst_local); it \
adopts one that exists before, and leaves it, disabled, when the resource stops. Targets of the other drivers (qla2x00t, ib_srpt, fcst) \
appear with their hardware.

The targets of a node are not a parameter but the permanent node attribute targetports: a comma-separated list of names, for iSCSI one \
name per node:

    crm_attribute --node alpha --name targetports --update iqn.2026-01.org.example:alpha

The order is significant: relative target port identifiers and I/O groups are computed from the node's id and the place in the list \
(node id x 100 + place), over all drivers of the list, so all nodes compute the same numbers without communication. Add new names at the \
end.

Run it as a clone, so that every node has its targets up, and let the scst_aluadg resources start after it. One resource sets up all \
targets of one driver on a node; targets of two drivers need two resources.

A daemon, iscsi-scstd, holds the targets of iSCSI. When it ends the targets are gone, the monitor fails and the restart builds \
everything again. A stop closes every session. Changes of all parameters but tgtdriver and daemon are carried out while everything runs; \
users, portals and attributes apply at the next login of a host. If a new group is to see devices, reload their scst_aluadg resources \
afterwards (see their parameter reload).",
    parameters: &[
        Parameter {
            name: "tgtdriver",
            required: true,
            reloadable: false,
            shortdesc: "Target driver: iscsi, ib_srpt, scst_local, qla2x00t or fcst",
            longdesc: "\
The target driver of SCST whose targets this resource sets up. It takes the names in targetports that have the form of this driver: IQN, \
EUI and NAA names for iscsi, WWPNs for qla2x00t, GUIDs and GIDs for ib_srpt, names of none of these forms for scst_local. fcst takes \
names of no form as well, and WWPNs: a node cannot have targets of both qla2x00t and fcst.",
            ..RELOADED
        },
        Parameter {
            name: "initiators",
            required: true,
            shortdesc: "Initiator groups and their initiators",
            longdesc: "\
The initiator groups of every target, each with its initiators:

    name=initiator,initiator; name2=initiator

Put all ports of one host into one group: SCST orders the commands of a group together, on all targets, by the group's own I/O group. \
The exports of scst_aluadg name these groups. An initiator that is in no group sees nothing.

Separate groups by semicolons or white space, initiators by commas. A group's name consists of letters and digits and should not be \
longer than 8 characters. Initiators have the form of the driver: IQN, EUI or NAA names, WWPNs in every usual spelling, GUIDs and GIDs; \
for scst_local and fcst any name. Upper and lower case are the same. With every driver an initiator can be a pattern with * (any \
characters) and ? (one character), and a leading ! negates it:

    esx1=iqn.1998-01.com.vmware:esx1-4c5d; lab=iqn.1993-08.org.debian:01:*

The order matters: an initiator is in the first group that matches, and the n-th group has the I/O group number node id x 100 + n. \
validate-all names patterns of two groups that can match one initiator, and which group wins. If a change of this parameter puts a group \
before others, the kernel still tries the older ones first until the resource is restarted, and the log says so if it matters. At most \
99 groups are possible.",
            ..RELOADED
        },
        Parameter {
            name: "portals",
            shortdesc: "Addresses by which iSCSI targets may be reached",
            longdesc: "\
iscsi only: the addresses of this node by which initiators may reach the targets, separated by commas, each an IPv4 or IPv6 address or a \
pattern with * and ?, such as 10.0.1.*,10.0.2.* for two networks. With patterns, one text is right for all nodes. Without this parameter \
every address is allowed. The port is a setting of the daemon and cannot be given here.",
            ..RELOADED
        },
        Parameter {
            name: "incoming_users",
            kind: Kind::Secret,
            shortdesc: "CHAP users by whom initiators prove themselves",
            longdesc: "\
iscsi only: names and secrets by which initiators prove who they are. A blank separates name and secret, semicolons separate pairs:

    name secret; name secret

Without this parameter no initiator needs to. A secret has 12 to 256 visible characters without blank, =, semicolon and quotes; Windows \
wants 12 to 16. No message of this agent shows a secret. cibsecret keeps the value outside the CIB.",
            ..RELOADED
        },
        Parameter {
            name: "outgoing_user",
            kind: Kind::Secret,
            shortdesc: "CHAP user by whom targets prove themselves to initiators",
            longdesc: "\
iscsi only: name and secret, separated by a blank, by which the targets prove who they are to initiators that ask for it (mutual CHAP). \
It needs incoming_users.",
            ..RELOADED
        },
        Parameter {
            name: "alias",
            shortdesc: "Text by which initiators show iSCSI targets",
            longdesc: "iscsi only: one line of text that targets tell initiators in addition to their names.",
            ..RELOADED
        },
        Parameter {
            name: "attributes",
            shortdesc: "Further attributes of each target: Name=value,Name=value",
            longdesc: "\
Attributes of every target, as pairs separated by commas:

    QueuedCommands=64,NopInInterval=10

For iscsi: QueuedCommands (1-2048), RspTimeout (2-65535), NopInInterval (0-65535), NopInTimeout (2-65535), MaxSessions (0-65535), \
per_portal_acl (0, 1), InitialR2T, ImmediateData (Yes, No), MaxRecvDataSegmentLength, MaxXmitDataSegmentLength, MaxBurstLength, \
FirstBurstLength (512-1048576), MaxOutstandingR2T (1-65535), HeaderDigest, DataDigest (None, CRC32C or both). For every driver: \
addr_method (PERIPHERAL, FLAT, LUN), io_grouping_type (auto, never, this_group_only or a number), cpu_mask (hex digits), aen_disabled \
(0, 1), comment. An attribute that is removed from the parameter goes back to its default, except addr_method and cpu_mask, whose \
default depends on the machine: these keep their value, and the log says so.",
            ..RELOADED
        },
        Parameter {
            name: "daemon",
            reloadable: false,
            shortdesc: "Path of iscsi-scstd, or none",
            longdesc: "\
iscsi only: the program that start runs if the daemon does not run. Without this parameter start looks for iscsi-scstd in PATH, \
/usr/sbin and /usr/local/sbin. none: somebody else starts it, such as the unit scst-ha-iscsi-scstd.service of this package, and a start \
waits for it for a quarter of its time. The agent never ends the daemon.",
            ..RELOADED
        },
        MissingPorts::PARAMETER,
    ],
    operations: &operations(60, 120, 60),
};
