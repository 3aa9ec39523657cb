//! Reasons of the targets that `scst_target` makes, and of its parameters.

use super::row::{Chapter, Reason, row};

/// The chapter.
pub(super) const CHAPTER: Chapter = Chapter {
    title: "Targets of iSCSI and others",
    opening: "Reasons of `scst_target` that `scst_qla2xtgt` does not have. Those with exit code 6 begin with the parameter and the place in it, never with \
a secret.",
    reasons: &REASONS,
};

const REASONS: [Reason; 29] = [
    row(
        "missing: …",
        "1",
        "Level 10: a configured user or portal does not exist. Recovery adds it; find out who deleted it",
    ),
    row(
        "the daemon of driver … does not run",
        "1",
        "`daemon=none` and nobody has started `iscsi-scstd`: see [iSCSI from two bare machines](#iscsi-from-two-bare-machines) for its unit. Clean up",
    ),
    row(
        "the daemon of driver … could not be started: …",
        "1, 5",
        "`iscsi-scstd` is neither where the parameter `daemon` says nor in one of the usual places; or it ended at once, because another one runs already or the module is missing. Its message follows",
    ),
    row(
        "the daemon of driver … is gone: open_state reads …",
        "1",
        "`iscsi-scstd` has ended, and the kernel removes its targets. Recovery starts it again. Find out what ended it: `journalctl`, the OOM killer",
    ),
    row(
        "driver … is not enabled: no host can log in",
        "1",
        "Level 10: somebody has switched the whole driver off. Recovery switches it on; find out who did it",
    ),
    row(
        "attributes: this kernel has no …",
        "5",
        "A target of this node has no such file. Take it out of `attributes`, or install the SCST that knows it",
    ),
    row(
        "target …: … failed: …",
        "1, 4",
        "*create*: EPERM, the iSCSI daemon has ended; EEXIST, a target of that name in other spelling exists. *close all sessions*: a host logs in again and again; check that the target is disabled. *delete*, EBUSY: a session still exists. *add incoming user*, *set …*: EINVAL, the value is not possible. If the file of an outgoing user reads EINVAL, somebody added a second one by hand: only deleting the target (stop and start) repairs it. *no answer*, or EBUSY after 30 s: `iscsi-scstd` hangs, or is stopped; what needs no daemon was done. Continue it (`kill -CONT`), or end it (`kill -KILL`), which removes all its targets",
    ),
    row("driver …: … failed: …", "1, 4", "The iSCSI daemon did not accept the driver's `enabled`: as for a target"),
    row(
        "… can match initiators of group … as well, which comes first and is the one that counts",
        "–",
        "Advice only: a pattern of this group and one of an earlier group match the same initiators. Put the narrower group first",
    ),
    row(
        "… targets of driver … have none",
        "6",
        "Only iSCSI has `portals`, `incoming_users`, `outgoing_user` and `alias`",
    ),
    row("… targets of driver … have no daemon", "6", "Only iSCSI has `daemon`"),
    row("… is neither none nor an absolute path", "6", "`daemon`: give one of the two"),
    row(
        "… not an address or a pattern of addresses, without a port",
        "6",
        "`portals`: as in `10.0.1.*,10.0.2.*` or `2001:db8:1::11`. The daemon has the port",
    ),
    row(
        "… not a name and a secret with a blank between",
        "6",
        "`incoming_users`, `outgoing_user`: `name secret`, pairs separated by `;`. The value is never shown",
    ),
    row(
        "… counts only for initiators that prove themselves: incoming_users is not set",
        "–",
        "Advice only: an initiator asks for the target's proof only after its own. Set `incoming_users` as well",
    ),
    row("… a bad name, or the secret stands before it", "6", "A name is one word without `=`, `;` and quotes"),
    row("… bad secret: …", "6", "See the next two"),
    row("… not a secret of 12 to 256 characters", "6", "SCST accepts no shorter one"),
    row("… not a secret without blank, =, ; and quotes", "6", "Choose another secret"),
    row("… this user is named twice", "6", "A user has one secret"),
    row("… a target has one user at most", "6", "`outgoing_user`"),
    row("… stands before the first name", "6", "`attributes`: `Name=value` pairs, separated by commas"),
    row(
        "… is no attribute of a target of driver … that can be configured",
        "6",
        "`attributes`: misspelt, of another driver, or one that the agent sets itself",
    ),
    row("… is named twice", "6", "Delete one"),
    row(
        "… not a number in its range",
        "6",
        "See the description of `attributes`. The kernel takes `x` for 0; the agent does not",
    ),
    row("… not one of its words", "6", "As in `ImmediateData=Yes`, `addr_method=FLAT`, `per_portal_acl=1`"),
    row("… not None, CRC32C or both", "6", "`HeaderDigest`, `DataDigest`"),
    row("… not auto, never, this_group_only or a number", "6", "`io_grouping_type`"),
    row("… not a bitmap in hex digits", "6", "`cpu_mask`"),
];
