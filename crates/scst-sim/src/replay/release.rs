//! Which SCST release a recording was made on.
//!
//! `meta.scst_version` is meant to say so, but recorders have written the same release into the files of an older
//! kernel. So two better witnesses go first: what the recording itself shows of a port (`sg_tablesize` came after 3.7),
//! and the name of the directory the recordings of another release are kept in.

use super::recording::{Op, Recording};
use crate::model::ScstVersion;

/// What the file says in its first line, if it is a release the model has.
pub(super) fn by_meta(recording: &Recording) -> Option<ScstVersion> {
    by_prefix(&recording.meta.scst_version)
}

/// The release a recording is played on, if anything tells.
pub fn of(recording: &Recording) -> Option<ScstVersion> {
    by_evidence(recording).or_else(|| by_directory(recording)).or_else(|| by_meta(recording))
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

/// A listing of a whole port shows whether it has `sg_tablesize`.
fn by_evidence(recording: &Recording) -> Option<ScstVersion> {
    recording.steps.iter().find_map(|step| match &step.op {
        Op::List(list) => {
            port_release(&list.entries.as_ref()?.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>())
        }
        Op::Tree(tree) if tree.depth == 0 => {
            let ports = tree.entries.iter().filter_map(|entry| entry.path.strip_suffix("/rel_tgt_id"));
            ports.into_iter().find_map(|port| {
                let below = |entry: &'_ str| entry.strip_prefix(port).and_then(|rest| rest.strip_prefix('/')).is_some();
                let names: Vec<_> = tree
                    .entries
                    .iter()
                    .filter(|entry| below(&entry.path))
                    .map(|entry| &entry.path[port.len() + 1..])
                    .collect();
                port_release(&names)
            })
        }
        _ => None,
    })
}

fn port_release(names: &[&str]) -> Option<ScstVersion> {
    let has = |name| names.contains(&name);
    (has("rel_tgt_id") && has("luns") && has("sessions"))
        .then(|| if has("sg_tablesize") { ScstVersion::V3_11 } else { ScstVersion::V3_7 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_known_by_how_they_begin() {
        assert_eq!(by_prefix("3.7.0"), Some(ScstVersion::V3_7));
        assert_eq!(by_prefix("3.11.0-pre"), Some(ScstVersion::V3_11));
        assert_eq!(by_prefix("3.7"), Some(ScstVersion::V3_7));
        assert_eq!(by_prefix("3.70"), None);
        assert_eq!(by_prefix("3.1.0"), None);
    }

    #[test]
    fn only_a_whole_port_is_a_witness() {
        assert_eq!(port_release(&["luns", "rel_tgt_id", "sessions"]), Some(ScstVersion::V3_7));
        assert_eq!(port_release(&["luns", "rel_tgt_id", "sessions", "sg_tablesize"]), Some(ScstVersion::V3_11));
        assert_eq!(port_release(&["rel_tgt_id"]), None);
    }
}
