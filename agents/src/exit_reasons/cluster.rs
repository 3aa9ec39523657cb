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
        "The cluster knows this node by another name than the agent was given: compare `crm_node -n` with the names in `crm_mon`",
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
        "Compare with `scst-ha discover`. Causes: a dead HBA, a driver that is not in target mode, a wrong name, or the list of another node. Correct the list or the hardware, and clean up. With `missing_ports=warn` on both resources the node starts with the ports that exist",
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
        "Two resources of `scst_qla2xtgt` want the ports of one node. One is enough: put all initiator groups into its `initiators` and delete the other. The second one changes nothing, not even at stop. If the named resource is not configured any more, delete its state file `/run/resource-agents/scst_qla2xtgt-RESOURCE.state` and clean up",
    ),
    row(
        "device group … belongs to resource … on this node",
        "2, 1, 0",
        "Two resources of `scst_aluadg` have the same `groupname`: give one of them another. Start, promote and reload refuse the second one; its monitor reports the state of the group, and its stop takes down a group that serves. A resource that was deleted and created again under another id keeps its group: the agent asks whether the cluster still has the old id, with exit code 1 if the cluster does not answer. The state file is `/run/resource-agents/scst_aluadg-RESOURCE.state`",
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
        "A node's name is the name of its target group. It must not contain `/`, `=`, `;` or a blank, and must not be the name of an attribute there. Rename the node",
    ),
    row(
        "initiators names … groups, I/O groups exist for …",
        "2",
        "Let hosts that need no I/O group of their own share one",
    ),
    row("initiator group … has no I/O group number on node id …", "2", "Use fewer groups, or a smaller node id"),
    row("clone-node-max is over 1: a node runs one instance", "6", "Set `clone-node-max=1`; clean up"),
    row(
        "cluster could not be asked: …",
        "1",
        "The agent asks by `cibadmin`, and by `crm_node` when it is called by hand; the reason ends with the command's message. Check that Pacemaker runs on this node and that the cluster has a DC. What runs continues; clean up after a failed start",
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
    row("… could not be started: …", "1, 5", "The command exists and cannot be executed: check permissions and memory"),
    row("… ended with …", "1, 5", "The command's exit code and its message. 102 is \"no cluster\""),
    row(
        "… did not answer within … ms",
        "1, 5",
        "The agent stopped waiting for the command. The cluster has no DC, or the machine is overloaded; raise the operation's time-out if that is normal",
    ),
    row(
        "… the answer of … was not understood: …",
        "1",
        "This Pacemaker is older or newer than the known ones (2.0 to 3.0). Please report it with the command's output",
    ),
];
