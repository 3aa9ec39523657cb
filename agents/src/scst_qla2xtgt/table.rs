//! What `scst_qla2xtgt` is: the table behind its meta-data, its usage and its parsing.

use scst_core::ocf::param::{AgentTable, Kind, Parameter};

use crate::missing_ports::MissingPorts;
use crate::target::operations;

/// The agent's description.
pub const TABLE: &AgentTable = &AgentTable {
    name: "scst_qla2xtgt",
    version: env!("CARGO_PKG_VERSION"),
    shortdesc: "Fibre Channel target ports of SCST with their initiator groups",
    longdesc: "\
Sets up the QLogic Fibre Channel ports of a node as SCST targets and takes them down again. For each port it creates the initiator \
groups, puts the initiators into them, gives every group an I/O group and the port its relative target port identifier. It enables the \
port last, so that no host sees an incomplete port.

The ports of a node are not a parameter but the permanent node attribute targetports: a comma-separated list of WWPNs, for example

    crm_attribute --node alpha --name targetports --update \"21:00:00:24:ff:60:d0:10,21:00:00:24:ff:60:d0:11\"

List only ports of that node that can be targets. The order is significant: relative target port identifiers and I/O groups are computed \
from the node's id and the place in the list (node id x 100 + place), so all nodes compute the same numbers without communication. Add \
new ports at the end. Node ids go up to 654, with up to 99 ports and 99 initiator groups.

Run it as a clone, so that every node has its ports up, and let the scst_aluadg resources start after it. A stop removes the initiator \
groups of this resource and disables the ports; it leaves alone what others created on the ports.

One resource sets up all ports of a node. A second one of this agent on the same node does not start (exit code 2, naming a port and the \
resource that has it) and changes nothing: put all initiator groups into the parameter of the first.

A stop disconnects every host from this node's ports. A change of the parameter initiators is carried out while everything runs. If a \
new group is to see devices, reload their scst_aluadg resources afterwards (see their parameter reload).",
    parameters: &[
        Parameter {
        name: "initiators",
        count: None,
        kind: Kind::String,
        required: true,
        unique: false,
        reloadable: true,
        default: None,
        shortdesc: "Initiator groups and their WWPNs",
        longdesc: "\
The initiator groups of every port, each with the WWPNs of its initiators:

    name=wwpn,wwpn; name2=wwpn

Put all ports of one host into one group: SCST orders the commands of a group together, on all ports, by the group's own I/O group. The \
exports of scst_aluadg name these groups.

Separate groups by semicolons or white space, WWPNs by commas; a blank after a comma does no harm. A group's name consists of letters \
and digits and should not be longer than 8 characters; dashes, underscores and dots are possible. A WWPN is 16 hex digits: in pairs \
joined by colons (21:00:00:24:ff:60:d0:10) or dashes, or without separators, also after 0x or naa. Upper case is read as lower case.

A group with a bad name, a group named twice and a bad WWPN are left out with a warning in the log; a group without any valid WWPN is \
created empty. validate-all names every such mistake and fails. Without a single valid group the resource does not start.

The order matters: the n-th group has the I/O group number node id x 100 + n. A change of the order sets all numbers anew, which does \
not disturb the hosts. At most 99 groups are possible.

A reload applies a change, without interruption for initiators that stay in their group.",
    },
        MissingPorts::PARAMETER,
    ],
    operations: &operations(60, 360, 120),
};
