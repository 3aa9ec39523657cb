//! Reasons about parameters.

use super::row::{Chapter, Reason, row};

/// The chapter.
pub(super) const CHAPTER: Chapter = Chapter {
    title: "The parameters",
    opening: "Start reports the first of these that makes it impossible. `validate-all` fails for each of them and names them all, further ones in the log.
A reason begins with the parameter, the place in it and the value, as in
`device3: export1 \"esx1:20000\": the LUN is over 16383, export left out`. Correct the parameter; after exit 6 clean up.",
    reasons: &REASONS,
};

const REASONS: [Reason; 18] = [
    row("… is required and not set", "6, 1", "A required parameter is missing"),
    row("… is not a parameter of this agent, ignored", "6", "Misspelt"),
    row("no usable configuration", "6", "The log has the findings"),
    row("… (and … more, see the log)", "6", "The first of several findings"),
    row("… no name of a device group: …", "6", "`groupname`: 1 to 16 letters, digits and hyphens"),
    row("… unknown driver: …", "6", "`tgtdriver`: see the next line"),
    row("… not one of qla2x00t, iscsi, ib_srpt, scst_local, fcst", "6", "Choose one of them"),
    row("… neither local nor shared", "6", "`reservations`"),
    row("… neither yes nor no, taken for yes", "6", "`lip`: 0 or 1"),
    row("… neither fail nor warn, taken for fail", "6", "`missing_ports`"),
    row("… names no initiator group", "6", "`initiators`: nothing in it can be used. `name=WWPN,WWPN;name2=WWPN`"),
    row(
        "… bad name of an initiator group, left out: …",
        "6",
        "Letters and digits, at most 8 while shell agents are in the cluster",
    ),
    row(
        "… this initiator group is named twice, the second one is left out",
        "6",
        "One group per name. The initiators of the second one are not in the first",
    ),
    row(
        "… stands before the first initiator group, left out",
        "6",
        "An initiator has no group; perhaps a `=` is missing",
    ),
    row("… has no valid initiator, it is created all the same", "6", "The group is empty. Correct its initiators"),
    row("… is named twice in this group, the second one is left out", "6", "Delete one"),
    row(
        "… is in an earlier group as well, which is the one that counts",
        "–",
        "Advice only: an initiator is in two groups, and SCST uses the first",
    ),
    row("… left out: …", "6", "The agent cannot read this initiator; the rest of the line says why"),
];
