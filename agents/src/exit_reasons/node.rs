//! Reasons about what a node needs and lacks.

use super::row::{Chapter, Reason, row};

/// The chapter.
pub(super) const CHAPTER: Chapter = Chapter { title: "What the node needs", opening: "", reasons: &REASONS };

const REASONS: [Reason; 6] = [
    row(
        "module … could not be loaded: …",
        "5",
        "Install SCST's modules for the running kernel (`uname -r`); for `qla2x00tgt` see also whether the kernel's own `qla2xxx` is loaded",
    ),
    row(
        "directory … could not be created: …",
        "1",
        "SCST refuses every device without `/var/lib/scst/pr`. Is `/var` full or read-only?",
    ),
    row(
        "backing store does not exist: …",
        "5",
        "All that are missing are named. Start what makes them first, on this node as well: see [storage below](#drbd-lvm-and-files-below). Clean up",
    ),
    row(
        "device … cannot be added: …",
        "5",
        "`device0` cannot be had on this node, for the reason behind it; other devices would be left out with the same words in the log. Correct the key, or install the SCST that knows it. Clean up",
    ),
    row(
        "state file … could not be written",
        "1",
        "The demotion does not begin, because blocks that nobody remembers would never be given back. Is `/run` full or read-only?",
    ),
    row("state file … could not be written: …", "1", "The same"),
];
