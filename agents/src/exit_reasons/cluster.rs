//! Reasons about nodes, their ports and the cluster.

use super::row::{Chapter, Reason, row};

/// The chapter.
pub(super) const CHAPTER: Chapter = Chapter { title: "Nodes, ports and the cluster", opening: "", reasons: &REASONS };

const REASONS: [Reason; 22] = [
    row(
        "node … has no targetports attribute",
        "5",
        "Set it (`scst-ha discover --set` on that node), or keep the resource off that node. Clean up",
    ),
    row(
        "node … is not in the CIB, so it has no targetports",
        "5",
        "The node's name in the cluster is another one than the agent was told: compare `crm_node -n` with the names in `crm_mon`",
    ),
    row(
        "node … is a remote node, which cannot serve targets",
        "5",
        "Keep the clones off remote nodes by a location constraint",
    ),
    row(
        "targetports of node … has no port of driver …",
        "5",
        "The list holds names of another form, or `tgtdriver` is wrong. The log names entries that fit no driver",
    ),
    row(
        "port does not exist on this node: …",
        "5",
        "Compare `scst-ha discover`: a dead HBA, a driver not in target mode, a wrong name, or a list that belongs to another node. Correct the list or the hardware, clean up. `missing_ports=warn` on both resources lets the node start with the ports that are there",
    ),
    row(
        "port … is listed twice in targetports of node …",
        "2",
        "Delete one of the two entries, which may be spelled differently. Clean up. Other nodes start without this port, with the same words in the log",
    ),
    row(
        "port … is listed in targetports of node … and of node …",
        "2",
        "A port belongs to one node: correct the attribute of the other. Clean up. Nodes that do not list it start without it, with the same words in the log",
    ),
    row(
        "port … belongs to resource … on this node",
        "2",
        "Two resources of `scst_qla2xtgt` want the ports of one node. One is enough: put all initiator groups into its `initiators` and delete the other. The second one changes nothing, and its stop neither. If the resource that is named is not configured any more, delete its state file `/run/resource-agents/scst_qla2xtgt-RESOURCE.state` and clean up",
    ),
    row(
        "device group … belongs to resource … on this node",
        "2, 1, 0",
        "Two resources of `scst_aluadg` have the same `groupname`: give one of them another. The second one is refused by start, promote and reload; its monitor says what the group does, and its stop takes down a group that serves. A resource that was deleted and created anew under another id goes on with its group: the agent looks up that the cluster does not show the old id any more, with exit code 1 where the cluster does not answer. The state file is `/run/resource-agents/scst_aluadg-RESOURCE.state`",
    ),
    row(
        "node … has the id …, target ids exist for 1 to …",
        "2",
        "Give the node a `nodeid` from 1 to 654 in `corosync.conf`",
    ),
    row("node … lists … ports, target ids exist for …", "2", "Shorten the list to 99"),
    row(
        "node name … cannot name a target group: …",
        "2",
        "A node's name is the name of its target group: no `/`, `=`, `;` or blank, and not the name of an attribute there. Rename the node",
    ),
    row(
        "initiators names … groups, I/O groups exist for …",
        "2",
        "Let hosts that need no I/O group of their own share one",
    ),
    row("initiator group … has no I/O group number on node id …", "2", "Fewer groups, or a smaller node id"),
    row("clone-node-max is over 1: a node runs one instance", "6", "Set `clone-node-max=1`; clean up"),
    row(
        "cluster could not be asked: …",
        "1",
        "The agent asks by `cibadmin`, by hand also by `crm_node`. Is Pacemaker running on this node, and not busy electing? What the command said stands behind it. What runs goes on; clean up after a failed start",
    ),
    row(
        "promoted-max is over 1: one node serves a device group",
        "6",
        "Set `promoted-max=1`: two active nodes would share neither reservations nor COMPARE AND WRITE. Clean up",
    ),
    row(
        "… not found",
        "1, 5",
        "The command is neither in `HA_SBIN_DIR` nor in `PATH`: install `pacemaker-cli-utils`, or `kmod`",
    ),
    row("… could not be started: …", "1, 5", "The command is there and cannot be executed: rights, or memory"),
    row("… ended with …", "1, 5", "The command's exit code and its own words. 102 is \"no cluster\""),
    row(
        "… did not answer within … ms",
        "1, 5",
        "The command was given up. A cluster without a DC, or an overloaded machine; raise the operation's time-out if that is normal",
    ),
    row(
        "… the answer of … was not understood: …",
        "1",
        "A Pacemaker older or newer than any that is known (2.0 to 3.0 are). Please report it with the command's output",
    ),
];
