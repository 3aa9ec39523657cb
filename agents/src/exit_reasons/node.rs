//! Reasons about what a node needs and lacks.

use super::row::{Chapter, Reason, row};

/// The chapter.
pub(super) const CHAPTER: Chapter = Chapter { title: "What the node needs", opening: "", reasons: &REASONS };

const REASONS: [Reason; 7] = [
    row(
        "module … could not be loaded: …",
        "5",
        "Install SCST's modules for the running kernel (`uname -r`); for `qla2x00tgt`, check also whether the kernel's own `qla2xxx` is loaded",
    ),
    row("module … could not be found: …", "5", "validate-all at level 10: the same, before anything is started"),
    row(
        "directory … could not be created: …",
        "1",
        "SCST refuses every device without `/var/lib/scst/pr`. Is `/var` full or read-only?",
    ),
    row(
        "backing store does not exist: …",
        "5, 0",
        "The reason names all missing stores, and in parentheses what is wrong with one that fails or does not answer; a monitor finishes a reload when the stores are there. Start what provides them before the group, on this node as well: see [storage below](#drbd-lvm-and-files-below). Clean up",
    ),
    row(
        "device … cannot be added: …",
        "5",
        "This node cannot add `device0`, for the reason that follows; another device would be left out, with the same words in the log. Correct the key, or install an SCST that knows it. Clean up",
    ),
    row(
        "state file … could not be written",
        "1",
        "The demotion does not begin: without the state file, nobody would know which blocks to give back. Is `/run` full or read-only?",
    ),
    row("state file … could not be written: …", "1", "The same"),
];
