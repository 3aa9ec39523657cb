//! Reasons of a device group.

use super::row::{Chapter, Reason, row};

/// The chapter.
pub(super) const CHAPTER: Chapter = Chapter { title: "The device group", opening: "", reasons: &REASONS };

const REASONS: [Reason; 35] = [
    row(
        "backing store could not be opened: device …",
        "1",
        "Promote: the store is missing, held by another program, or not writable (yet). Order what makes it writable before the promotion. If path and reason follow the name, the agent found this before it wrote the state; otherwise `dmesg` has the kernel's errno. Clean up if `migration-threshold` was reached",
    ),
    row(
        "out of service, but the backing store is still open: device …",
        "1",
        "Demote: the store of a device that does not follow the ALUA state (`bind_alua_state` 0) stayed open although the agent wrote 0 to its `active`. What lies below cannot be demoted while it is open. See the kernel's answer in the log, and `dmesg`",
    ),
    row(
        "device …: its store has … bytes, hosts were told …",
        "1, 9",
        "A larger store: change `reload` and rescan the hosts, see [grow a device](#changes). A smaller store: nothing is changed, because hosts would lose what lies beyond the new end. Make the store as large as it was; or remove the disk from the hosts, then remove the device and add it again",
    ),
    row(
        "device …: its store … does not exist",
        "1, 9",
        "Level 10: the disk, volume or file below is gone on this node. Bring it back. A store that exists only where the group is promoted needs `absent_in_standby=1`",
    ),
    row(
        "device …: its store … does not answer",
        "1, 9",
        "Level 10: the file system or the disk below did not answer within a few seconds. See `dmesg`, and the server of a network file system",
    ),
    row(
        "device …: its store … cannot be looked at: …",
        "1, 9",
        "Level-10 monitor: the disk or the file server below answers this error. Repair it",
    ),
    row(
        "device …: no initiator group for export …",
        "1",
        "Level 10: no port has the initiator group that this `exportN` names. Correct the name, or add the group (`initiators`) and change `reload`",
    ),
    row(
        "active, but the backing store is not open: device …",
        "9",
        "Monitor: somebody closed the store, or it vanished. Pacemaker recovers by itself. Check what lies below (DRBD, disk), and who wrote to `active`",
    ),
    row(
        "device …: left blocked by an action that died",
        "1, 9",
        "An action was killed while hosts' commands were held back. The next action, whichever it is, gives the block back. If it happens again, a time-out is too short, or something kills agents",
    ),
    row(
        "device …: still blocked by a demotion that gave up: commands in flight do not end",
        "1, 9",
        "The store, or the network to it, is stuck, and a demotion or stop gave up waiting. A process waits in the kernel to give the block back (`ps` shows one with the argument `--kernel-files-helper` in state D). Do not signal it: a signal ends it, and the block stays. Repair the store; hosts continue when it answers",
    ),
    row(
        "device …: drain failed: commands in flight … did not end in time",
        "1",
        "Demote: the store, or the network to it, is stuck. The group stays active so that no write is lost. Repair the store, or raise the time-out of demote if it is only slow",
    ),
    row(
        "target group …: state is … after writing active",
        "1",
        "Another program writes states, or the group vanished. Stop `scstadmin` and scripts; clean up",
    ),
    row("target group …: state is … after writing standby", "1", "The same"),
    row(
        "target group … is transitioning, and nothing is under way",
        "1",
        "An action was killed between two states. Pacemaker's recovery corrects it",
    ),
    row(
        "device group … is half there: no target group …",
        "1",
        "Somebody deleted it, or the node was renamed. Recovery builds it again",
    ),
    row(
        "device group … is half there: its start did not end",
        "1",
        "A start was killed. Recovery completes or removes the group. If it happens again, raise the time-out of start",
    ),
    row(
        "device group … is half there: without …",
        "1",
        "Its devices are missing: somebody deleted them, or `scst_vdisk` was unloaded. Recovery adds them",
    ),
    row(
        "device … exists with a handler that is not ours",
        "1",
        "Another program made a device of that name with another handler. Delete it, or choose another `virtname`",
    ),
    row(
        "LUN … of group … is device …, wanted for … on port …",
        "1",
        "Two resources export to the same LUN, or somebody mapped it by hand. Change one `exportN`, or unmap it (`echo \"del N\"` to the group's `luns/mgmt`)",
    ),
    row("device … is missing", "1", "Level 10. Recovery adds it. Find out who deleted it"),
    row("device … is not in device group …", "1", "Level 10. The same"),
    row(
        "LUN … of … with device … is missing",
        "1",
        "Level 10. Often a new initiator group: change `reload`. Otherwise recovery maps it",
    ),
    row(
        "port … is missing in target group …",
        "1",
        "Level 10. The port is no member, or only its name is. Recovery corrects it",
    ),
    row(
        "LUN … of … with device … is still there",
        "1",
        "Stop: the kernel did not unmap it. Usually a command in flight that does not end; repair the store. The node is fenced",
    ),
    row("device … is still there", "1", "Stop: the kernel did not delete it. The same"),
    row(
        "the device group is still there",
        "1",
        "Stop: the kernel did not delete the group. The log has the step that failed",
    ),
    row(
        "state differs after all steps succeeded: …",
        "1",
        "Another program changes the same objects. Find it: `scst.service`, `scstadmin`, a script",
    ),
    row(
        "DLM does not run on this node, and reservations=shared needs it",
        "5",
        "Let `ocf:pacemaker:controld` run on this node before the group: order and colocation as in \"Reservations\". Clean up",
    ),
    row(
        "… reservations are not shared, DLM shows no lockspace: …",
        "5",
        "DLM runs, but this node has not joined the device's lockspace: there is no quorum, or a lost node has not been fenced (`dlm_tool ls`, `dlm_tool status`). The start undoes what it added. Clean up when the cluster is complete",
    ),
    row(
        "… this node is not in the lockspace …",
        "5",
        "The kernel shows the lockspace, but for dlm_controld this node is no member: `dlm_tool ls`. Fence the node, or restart dlm_controld while no group runs",
    ),
    row(
        "reservations are not shared any more, the lockspace is gone: device …",
        "1, 9",
        "Other nodes do not see what hosts reserve here. The promotion does not open the group; a level-10 monitor answers 9 if promoted, else 1. Start dlm_controld here, then stop and start the resource on this node",
    ),
    row(
        "device …: it has … bytes on node …, hosts are told … by node …",
        "5, 1, 0",
        "After a failover hosts would find the disk truncated. Make the store as large as on the other node. Exit code 1: level-10 monitor of a standby",
    ),
    row(
        "device …: its blocks have … bytes on node …, … on node …",
        "5, 1, 0",
        "The nodes have another `blocksize`, or stores with different logical blocks (4Kn and 512e). Set `blocksize`, with the resource stopped on all nodes",
    ),
    row(
        "device …: hosts know it as … by node …, as … by node …",
        "5, 1, 0",
        "Hosts would take it for another disk. The nodes have another `naa_id`, `eui64_id` or `t10devid`, or it was changed while the other node ran: stop the resource on all nodes, then start it",
    ),
    row("no device group and no device of ours", "7", "Not running"),
];
