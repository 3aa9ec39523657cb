//! Which SCST release a recording was made on.
//!
//! `meta.scst_version` is meant to say so, but recorders have written the same release into the files of an older
//! kernel. So better witnesses go first: what the recording itself shows (`sg_tablesize` of a port came after 3.7, say), the
//! name of the directory the recordings of another release are kept in, and whether the kernel told how it was built.

use super::recording::{Op, Recording};
use crate::model::ScstVersion;

/// What the file says in its first line, if it is a release the model has.
pub(super) fn by_meta(recording: &Recording) -> Option<ScstVersion> {
    by_prefix(&recording.meta.scst_version)
}

/// The release a recording is played on, if anything tells.
pub fn of(recording: &Recording) -> Option<ScstVersion> {
    by_evidence(recording)
        .or_else(|| by_directory(recording))
        .or_else(|| by_build(recording))
        .or_else(|| by_meta(recording))
}

/// The name of a release.
pub(super) fn name(version: ScstVersion) -> &'static str {
    match version {
        ScstVersion::V3_7 => "3.7",
        ScstVersion::V3_11 => "3.11",
    }
}

fn by_prefix(version: &str) -> Option<ScstVersion> {
    let names = |release: &str| {
        version.strip_prefix(release).is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    [("3.7", ScstVersion::V3_7), ("3.11", ScstVersion::V3_11)]
        .into_iter()
        .find_map(|(release, version)| names(release).then_some(version))
}

fn by_directory(recording: &Recording) -> Option<ScstVersion> {
    by_prefix(recording.path.parent()?.file_name()?.to_str()?)
}

/// The recorded 3.11 was built with tracing and its version text says so; that of 3.7 has no such words.
fn by_build(recording: &Recording) -> Option<ScstVersion> {
    let untold = recording.meta.scst_config.as_ref().is_some_and(String::is_empty);
    (untold && by_meta(recording) == Some(ScstVersion::V3_11)).then_some(ScstVersion::V3_7)
}

/// A listing of a whole port, a whole device or of SCST itself shows whether it has what came after 3.7.
fn by_evidence(recording: &Recording) -> Option<ScstVersion> {
    recording.steps.iter().find_map(|step| match &step.op {
        Op::List(list) => shown_by(&list.entries.as_ref()?.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>()),
        Op::Tree(tree) if tree.depth == 0 => {
            let marks = WITNESSES.iter().map(|witness| format!("/{}", witness.always[0]));
            let marks: Vec<String> = marks.collect();
            let places =
                tree.entries.iter().filter_map(|entry| marks.iter().find_map(|mark| entry.path.strip_suffix(mark)));
            places.into_iter().find_map(|place| {
                let names = tree.entries.iter().filter_map(|entry| entry.path.strip_prefix(place)?.strip_prefix('/'));
                shown_by(&names.collect::<Vec<_>>())
            })
        }
        _ => None,
    })
}

/// What tells a directory of one kind, and what it has only since 3.7.
struct Witness {
    always: [&'static str; 3],
    since: &'static str,
}

/// A port, a device, SCST itself.
const WITNESSES: [Witness; 3] = [
    Witness { always: ["rel_tgt_id", "luns", "sessions"], since: "sg_tablesize" },
    Witness { always: ["t10_dev_id", "pr_file_name", "exported"], since: "pr_state" },
    Witness { always: ["last_sysfs_mgmt_res", "setup_id", "sgv"], since: "async_lun_replace" },
];

fn shown_by(names: &[&str]) -> Option<ScstVersion> {
    let has = |name: &str| names.contains(&name);
    let witness = WITNESSES.iter().find(|witness| witness.always.iter().all(|name| has(name)))?;
    Some(if has(witness.since) { ScstVersion::V3_11 } else { ScstVersion::V3_7 })
}
