//! Reasons of the ports.

use super::row::{Chapter, Reason, row};

/// The chapter.
pub(super) const CHAPTER: Chapter = Chapter { title: "The ports", opening: "", reasons: &REASONS };

const REASONS: [Reason; 8] = [
    row(
        "port … does not exist",
        "1",
        "Monitor: the HBA or its driver vanished. See `dmesg`, and [replacing an HBA](#replacing-an-hba)",
    ),
    row("port … is not enabled", "1", "Somebody disabled the port. Recovery enables it"),
    row(
        "port … has relative target id …, not its own",
        "1",
        "Another program set the number, or `targetports` was reordered while ports ran. Recovery sets the number; the port goes down for that",
    ),
    row(
        "initiator group … of port … is missing",
        "1",
        "Level 10. Recovery creates it; then change `reload` on the device groups if LUNs are missing",
    ),
    row("initiator … is missing in group … of port …", "1", "Level 10. Recovery adds it"),
    row(
        "still to be done: …",
        "1",
        "Stop: the named objects still exist. The log has the step that failed; the node is fenced",
    ),
    row("no target port of this node is up", "7", "Not running"),
    row("not running, nothing to reload", "7", "A reload of a stopped instance. Do nothing"),
];
