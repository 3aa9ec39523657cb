//! Reasons about reading, waiting and ending.

use super::row::{Chapter, Reason, row};

/// The chapter.
pub(super) const CHAPTER: Chapter = Chapter { title: "Reading, waiting, ending", opening: "", reasons: &REASONS };

const REASONS: [Reason; 15] = [
    row(
        "E… reading …",
        "1, 4",
        "An attribute could not be read. EACCES: run as root. EIO, ENODEV: the object is going away, or its driver is ill; `dmesg`",
    ),
    row(
        "E… listing …",
        "1, 4",
        "The same for a directory. EIO below `initiators`: an initiator name with a `/` in it was added by hand; delete it (`echo clear` to its `mgmt`)",
    ),
    row("E… writing … to …", "1, 4", "The kernel refused a command: see above"),
    row(
        "E… writing …",
        "1",
        "The file that actions of one group wait for each other by cannot be made below `/run/resource-agents`. ENOSPC, EROFS: is `/run` full or read-only? ELOOP: the file, or the directory, is a link; no agent makes one, so find out who did, and remove it",
    ),
    row(
        "no answer within … ms …",
        "1",
        "The kernel goes on with the operation, the agent does not wait longer. Something in it waits for I/O: `dmesg`, the store below, `scst-ha status` (blocked, in flight). If the hardware is merely slow, raise the operation's time-out",
    ),
    row(
        "the end of another action on … did not happen within … ms",
        "1",
        "Two actions of one resource at a time: one by hand beside the cluster's, or one that hangs. `ps` shows it",
    ),
    row(
        "… did not happen within … ms",
        "1",
        "A command was accepted and its effect did not come. More time helps if the hardware is slow; else `dmesg`",
    ),
    row(
        "… holds …, which is not …",
        "1",
        "An attribute of SCST with an unexpected text. A version that is not known: please report it",
    ),
    row(
        "… has a name that no command can carry",
        "1",
        "Somebody made an object with a blank, `=`, `;` or `/` in its name that our devices are exported to. Delete it by hand",
    ),
    row(
        "… is not a port of another machine, so this would act on the local devices",
        "1",
        "A port of the peer's list is a target of *this* machine as well, so the kernel takes the peer's target group for ours. The list, or the target, is in the wrong place",
    ),
    row(
        "ended by a signal before …",
        "1",
        "SIGTERM, or Ctrl-C by hand. Blocks were given back; the next action goes on from there",
    ),
    row("… internal error …", "1", "A fault of the agent. The log has file and line: please report it"),
    row(
        "… is not an action of …",
        "3",
        "`scst_qla2xtgt` has no promote, demote and notify: its clone must not be promotable",
    ),
    row("… is not carried out here", "3", "Not seen in practice"),
    row(
        "… not host and a number",
        "1",
        "Not seen in practice: an entry of `/sys/class/fc_host` of another form is passed over",
    ),
];
