//! Which steps are played without being compared, and why: they tell of something outside SCST's sysfs that the model has
//! no part in.

use super::recording::Op;

/// Kinds of steps that are not compared, wherever they occur, and why. Every replay that meets them names them.
pub const OUT_OF_SCOPE: &[(&str, &str)] = &[
    ("far", "the output of a command on the initiator's machine; what the command does to its sessions is carried out"),
    ("far_luns", "the disks that an initiator's kernel made of LUNs it was told of, and keeps when they are gone"),
    ("far_rescan", "a search for disks by the initiator's kernel"),
    ("scsi vpd", "pages of vital product data: what a host reads of a device's identity and limits"),
    ("scsi inq5", "the data of INQUIRY: what a host reads of a device's names and versions"),
];

/// The kind of a step that has no answer to compare, and why, if it has none.
pub(super) fn reason_not_to_compare(op: &Op) -> Option<(&'static str, &'static str)> {
    let Op::Env(env) = op else { return None };
    let command = env.cmd.as_deref().and_then(|command| command.split_whitespace().next());
    let what = match command {
        Some(command) if env.what == "scsi" => &format!("scsi {command}"),
        _ => &env.what,
    };
    OUT_OF_SCOPE.iter().find(|(kind, _)| kind == what).copied()
}
