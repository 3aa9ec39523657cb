//! Reasons of a device group.

use super::row::{Chapter, Reason, row};

/// The chapter.
pub(super) const CHAPTER: Chapter = Chapter { title: "The device group", opening: "", reasons: &REASONS };

const REASONS: [Reason; 34] = [
    row(
        "backing store could not be opened: device …",
        "1",
        "Promote: the device is missing, held by somebody else, or not writable (yet). Order what makes it writable before the promotion. Where path and reason stand behind the name, the agent has seen it before the state was written; else `dmesg` has the kernel's errno. Clean up if `migration-threshold` was reached",
    ),
    row(
        "out of service, but the backing store is still open: device …",
        "1",
        "Demote: the store of a device that does not follow the ALUA state (`bind_alua_state` 0) did not close either when the agent wrote 0 to its `active`. What lies below cannot be demoted while it is open. The log has what the kernel said; `dmesg`",
    ),
    row(
        "device …: its store has … bytes, hosts were told …",
        "1, 9",
        "Larger: change `reload` and rescan the hosts, see [grow a device](#changes). Smaller: nothing is changed, because hosts would lose what lies behind the new end. Make the store as large as it was; or take the device off its hosts, remove it and add it again",
    ),
    row(
        "device …: its store … does not exist",
        "1, 9",
        "Level 10: the disk, volume or file below is gone on this node. Bring it back. A store that exists only where the group is promoted needs `absent_in_standby=1`",
    ),
    row(
        "device …: its store … does not answer",
        "1, 9",
        "Level 10: the file system or the disk below did not answer within a few seconds. `dmesg`; the server of a network file system",
    ),
    row(
        "device …: no initiator group for export …",
        "1",
        "Level 10: no port has the initiator group that this `exportN` names. Correct the name, or add the group (`initiators`) and change `reload`",
    ),
    row(
        "active, but the backing store is not open: device …",
        "9",
        "Monitor: somebody closed it, or it vanished. Pacemaker recovers by itself; look below (DRBD, disk), and who wrote to `active`",
    ),
    row(
        "device …: left blocked by an action that died",
        "1, 9",
        "An action was killed while hosts' commands were held back. Every next action gives the block back. If it comes again: a time-out is too short, or something kills agents",
    ),
    row(
        "device …: still blocked by a demotion that gave up: commands in flight do not end",
        "1, 9",
        "The store, or the network to it, is stuck, and a demotion or stop gave up waiting. A process waits in the kernel to give the block back (`ps` shows one with the argument `--kernel-files-helper` in state D): leave it alone, a signal would make it go for nothing. Repair the store; hosts go on when it answers",
    ),
    row(
        "device …: drain failed: commands in flight … did not end in time",
        "1",
        "Demote: the store, or the network to it, is stuck. The group stays active so that no write is lost. Repair the store, or raise the time-out of demote if it is only slow",
    ),
    row(
        "target group …: state is … after writing active",
        "1",
        "Somebody else writes states, or the group vanished. Stop `scstadmin` and scripts; clean up",
    ),
    row("target group …: state is … after writing standby", "1", "The same"),
    row(
        "target group … is transitioning, and nothing is under way",
        "1",
        "An action died between two states. Pacemaker's recovery puts it right",
    ),
    row(
        "device group … is half there: no target group …",
        "1",
        "Somebody deleted it, or the node has another name now. Recovery builds it again",
    ),
    row(
        "device group … is half there: its start did not end",
        "1",
        "A start was killed. Recovery completes or removes it. If it comes again, raise the time-out of start",
    ),
    row(
        "device group … is half there: without …",
        "1",
        "Its devices are gone: somebody deleted them, or `scst_vdisk` was unloaded. Recovery adds them",
    ),
    row(
        "device … exists with a handler that is not ours",
        "1",
        "A device of that name was made by somebody else with another handler. Delete it, or choose another `virtname`",
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
        "Level 10. The port is not a member, or only as a name. Recovery puts it right",
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
        "DLM runs and has not let this node into the device's lockspace: no quorum, or a node that was lost has not been fenced (`dlm_tool ls`, `dlm_tool status`). What was added is taken back. Clean up when the cluster is whole",
    ),
    row(
        "… this node is not in the lockspace …",
        "5",
        "The kernel shows the lockspace, and dlm_controld does not count this node in it: `dlm_tool ls`. Fence the node or restart dlm_controld while no group runs",
    ),
    row(
        "reservations are not shared any more, the lockspace is gone: device …",
        "1, 9",
        "Other nodes do not see what hosts reserve here. promote: the group stays closed; level-10 monitor: 9 promoted, 1 standby. Let dlm_controld run here, then stop and start the resource on this node",
    ),
    row(
        "device …: it has … bytes on node …, hosts are told … by node …",
        "5, 1, 0",
        "Hosts would find the disk cut off after a failover. Make the store as large as on the other node. 1: level-10 monitor of a standby",
    ),
    row(
        "device …: its blocks have … bytes on node …, … on node …",
        "5, 1, 0",
        "Another `blocksize`, or stores with different logical blocks (4Kn and 512e). Say `blocksize`, with the resource stopped on all nodes",
    ),
    row(
        "device …: hosts know it as … by node …, as … by node …",
        "5, 1, 0",
        "Hosts would take it for another disk. Another `naa_id`, `eui64_id` or `t10devid`, or one that was changed while the other node ran: stop the resource on all nodes, then start it",
    ),
    row("no device group and no device of ours", "7", "Not running"),
];
