//! Reasons about reading, waiting and ending.

use super::row::{Chapter, Reason, row};

/// The chapter.
pub(super) const CHAPTER: Chapter = Chapter { title: "Reading, waiting, ending", opening: "", reasons: &REASONS };

const REASONS: [Reason; 15] = [
    row(
        "E… reading …",
        "1, 4",
        "An attribute could not be read. EACCES: run as root. EIO, ENODEV: the object is vanishing, or its driver has failed; see `dmesg`",
    ),
    row(
        "E… listing …",
        "1, 4",
        "The same for a directory. EIO below `initiators`: somebody added an initiator name with a `/` by hand; delete it (`echo clear` to its `mgmt`)",
    ),
    row("E… writing … to …", "1, 4", "The kernel refused a command: see the chapter before"),
    row(
        "E… writing …",
        "1",
        "The agent cannot make the lock file of the group below `/run/resource-agents`. ENOSPC, EROFS: is `/run` full or read-only? ELOOP: the file, or the directory, is a link; no agent makes one, so find out who did, and remove it",
    ),
    row(
        "no answer within … ms …",
        "1",
        "The agent stopped waiting; the kernel continues with the operation, which waits for I/O. See `dmesg`, the store below, `scst-ha status` (blocked, in flight). If the hardware is only slow, raise the operation's time-out",
    ),
    row(
        "the end of another action on … did not happen within … ms",
        "1",
        "Two actions of one resource run at a time: one was started by hand, or one hangs. `ps` shows it",
    ),
    row(
        "… did not happen within … ms",
        "1",
        "The kernel accepted a command, and its effect did not follow. Raise the time-out if the hardware is slow; otherwise see `dmesg`",
    ),
    row(
        "… holds …, which is not …",
        "1",
        "An attribute of SCST has an unexpected text, perhaps of an unknown version: please report it",
    ),
    row(
        "… has a name that no command can carry",
        "1",
        "Our devices are exported to an object with a blank, `=`, `;` or `/` in its name, which somebody made. Delete it by hand",
    ),
    row(
        "… is not a port of another machine, so this would act on the local devices",
        "1",
        "A port of the peer's list is a target of *this* machine as well, so the kernel takes the peer's target group for ours. Correct the list, or remove the target",
    ),
    row(
        "ended by a signal before …",
        "1",
        "The action got SIGTERM, or Ctrl-C by hand. It gave its blocks back; the next action continues from there",
    ),
    row("… internal error …", "1", "The agent has a fault. The log has file and line: please report it"),
    row(
        "… is not an action of …",
        "3",
        "`scst_qla2xtgt` has no promote, demote and notify: its clone must not be promotable",
    ),
    row("… is not carried out here", "3", "Not seen in practice"),
    row(
        "… not host and a number",
        "1",
        "Not seen in practice: the agent ignores an entry of `/sys/class/fc_host` of another form",
    ),
];
