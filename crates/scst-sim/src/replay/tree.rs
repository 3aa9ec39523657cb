//! Listings and whole trees, compared entry by entry.
//!
//! The SCSI devices of the recording machine itself (`H:C:I:L`) are dropped on both sides; the one disk a recording
//! plugs in is written `@HCIL@` there, and named so here.

use fancy_regex::Regex;
use std::collections::BTreeMap;

use super::recording::TreeEntry;
use super::surface::{Entries, How, ROOT, Surface};
use crate::model::{Errno, Kind};

/// Stands for the plugged disk's name in recordings.
pub(super) const PLUGGED: &str = "@HCIL@";

/// The name is that of a SCSI device: four numbers.
pub(super) fn is_scsi_address(name: &str) -> bool {
    let mut parts = name.split(':');
    parts.by_ref().take(4).all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
        && parts.next().is_none()
        && name.matches(':').count() == 3
}

/// The directory is one whose listings have the machine's own SCSI devices dropped.
fn lists_devices(path: &str) -> bool {
    path == "devices" || path.strip_prefix("handlers/").is_some_and(|handler| !handler.contains('/'))
}

/// The letter recordings have for a kind of entry.
pub(super) fn letter(kind: Kind) -> &'static str {
    match kind {
        Kind::Dir => "d",
        Kind::File => "f",
        Kind::Link => "l",
    }
}

/// The absolute path below `/sys` of a recorded path.
pub(super) fn below_root(path: &str) -> String {
    if path.is_empty() { ROOT.to_owned() } else { format!("{ROOT}/{path}") }
}

/// A listing as a recording would hold it: in byte order, without the machine's own disks, and without objects that
/// are called `.` or `..`, which no reader of a directory can tell from the directory's own.
pub(super) fn normalised(path: &str, entries: Entries, plugged: Option<&str>) -> Vec<(String, Kind)> {
    let mut named: Vec<_> = entries
        .into_iter()
        .map(|(name, kind)| (String::from_utf8_lossy(&name).into_owned(), kind))
        .filter(|(name, _)| name != "." && name != "..")
        .filter_map(|(name, kind)| {
            if plugged == Some(&name) {
                Some((PLUGGED.to_owned(), kind))
            } else {
                (!lists_devices(path) || !is_scsi_address(&name)).then_some((name, kind))
            }
        })
        .collect();
    named.sort();
    named
}

/// What is compared of one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    kind: &'static str,
    mode: Option<u32>,
    content: Option<Result<String, Errno>>,
    target: Option<String>,
}

impl std::fmt::Display for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.kind)?;
        if let Some(mode) = self.mode {
            write!(f, " {mode:04o}")?;
        }
        match &self.content {
            Some(Ok(content)) => write!(f, " {content:?}")?,
            Some(Err(errno)) => write!(f, " {errno:?}")?,
            None => {}
        }
        if let Some(target) = &self.target {
            write!(f, " -> {target}")?;
        }
        Ok(())
    }
}

/// Looks at one entry as far as the recorded one says something about it; answers what was wanted and what is there.
pub(super) fn look<S: Surface>(
    surface: &mut S,
    path: &str,
    wanted: &TreeEntry,
    plugged: Option<&str>,
) -> (Seen, Option<Seen>) {
    let rename = |text: String| plugged.map_or(text.clone(), |name| text.replace(name, PLUGGED));
    let want = Seen {
        kind: match wanted.kind.as_str() {
            "d" => "d",
            "f" => "f",
            "l" => "l",
            _ => "?",
        },
        mode: wanted.mode.as_deref().and_then(|mode| u32::from_str_radix(mode, 8).ok()),
        content: match (&wanted.content, &wanted.content_first_line) {
            (Some(content), _) => Some(Ok(content.clone())),
            (None, Some(first_line)) => Some(Ok(first_line.clone())),
            (None, None) => None,
        },
        target: wanted.target.clone(),
    };
    let path = below_root(path);
    let Ok(found) = surface.lstat(&path) else {
        return (want, None);
    };
    let content = if want.content.is_some() || wanted.help || wanted.error.is_some() {
        Some(read_whole(surface, &path, How::default()).map_err(|(errno, _)| errno))
    } else {
        None
    };
    let text = content.map(|content| content.map(|bytes| rename(String::from_utf8_lossy(&bytes).into_owned())));
    let content = match text {
        Some(Ok(_)) if wanted.help => None,
        Some(Ok(text)) if wanted.content_first_line.is_some() => Some(Ok(first_line(&text).to_owned())),
        text => text,
    };
    let want = match &wanted.error {
        Some(error) => {
            let same = matches!(&content, Some(Err(errno)) if format!("{errno:?}") == *error);
            Seen { content: if same { content.clone() } else { Some(Ok(error.clone())) }, ..want }
        }
        None => want,
    };
    let target = want
        .target
        .is_some()
        .then(|| surface.readlink(&path).ok())
        .flatten()
        .map(|target| rename(String::from_utf8_lossy(&target).into_owned()));
    let seen = Seen { kind: letter(found.kind), mode: want.mode.map(|_| found.mode), content, target };
    (want, Some(seen))
}

/// Everything below a directory, as paths relative to it with what kind they are.
pub(super) fn walk<S: Surface>(
    surface: &mut S,
    top: &str,
    depth: u32,
    skipped: &[Regex],
    plugged: Option<&str>,
) -> Result<BTreeMap<String, Kind>, Errno> {
    let mut found = BTreeMap::new();
    let mut open = vec![(String::new(), 1)];
    while let Some((below, level)) = open.pop() {
        let join = |left: &str, right: &str| match (left, right) {
            ("", only) | (only, "") => only.to_owned(),
            (left, right) => format!("{left}/{right}"),
        };
        let here = join(top, &below);
        let real = plugged.map_or(here.clone(), |name| here.replace(PLUGGED, name));
        for (name, kind) in normalised(&here, surface.list(&below_root(&real))?, plugged) {
            let path = join(&below, &name);
            let full = join(top, &path);
            if skipped.iter().any(|pattern| pattern.is_match(&full).unwrap_or(false)) {
                continue;
            }
            if kind == Kind::Dir && (depth == 0 || level < depth) {
                open.push((path.clone(), level + 1));
            }
            found.insert(path, kind);
        }
    }
    Ok(found)
}

/// Opens a file and reads it to its end; an error says whether it was open(2) that failed.
pub(super) fn read_whole<S: Surface>(surface: &mut S, path: &str, how: How) -> Result<Vec<u8>, (Errno, bool)> {
    let mut file = surface.open(path, how).map_err(|errno| (errno, true))?;
    let mut content = Vec::new();
    loop {
        let piece = surface.read(&mut file, 4096).map_err(|errno| (errno, false))?;
        if piece.is_empty() {
            return Ok(content);
        }
        content.extend(piece);
    }
}

/// The text up to its first newline.
pub(super) fn first_line(text: &str) -> &str {
    text.split('\n').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_scsi_devices() {
        for name in ["0:0:0:0", "12:3:45:6"] {
            assert!(is_scsi_address(name), "{name}");
        }
        for name in ["0:0:0", "0:0:0:0:0", "a:0:0:0", ":0:0:0", "50:01:43:80:00:00:00:01", "disk1", ""] {
            assert!(!is_scsi_address(name), "{name}");
        }
    }

    #[test]
    fn only_listings_of_devices_drop_the_machines_own_disks() {
        let entries = || ["0:0:0:0", "2:0:0:0", "d1"].map(|name| (name.as_bytes().to_vec(), Kind::Dir)).to_vec();
        let names = |path, plugged| {
            normalised(path, entries(), plugged).into_iter().map(|(name, _)| name).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(names("devices", None), "d1");
        assert_eq!(names("devices", Some("2:0:0:0")), "@HCIL@ d1");
        assert_eq!(names("handlers/dev_disk", None), "d1");
        assert_eq!(names("targets/iscsi", None), "0:0:0:0 2:0:0:0 d1");
    }
}
