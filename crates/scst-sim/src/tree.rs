//! The state of SCST as a compact text: what people look at, and what tests compare before and after.
//!
//! The order is that of the names, and nothing in it changes by itself: no counters, no volatile values. Of the many
//! attributes only those appear that carry the `[key]` mark, SCST's own sign for a value worth saving, beside the few that
//! make the state of a port, device or group.
//!
//! Any tree that looks like `/sys` will do, the real one included.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use crate::model::{Kind, Machine};

const SCST: &str = "kernel/scst_tgt";

/// A place that can be looked at like `/sys`.
pub(crate) trait View {
    /// The names in a directory.
    fn list(&mut self, path: &str) -> io::Result<Vec<(String, Kind)>>;
    /// The text of an attribute.
    fn read(&mut self, path: &str) -> io::Result<String>;
    /// Where a link points.
    fn readlink(&mut self, path: &str) -> io::Result<String>;
}

impl From<fs::FileType> for Kind {
    fn from(found: fs::FileType) -> Self {
        if found.is_dir() {
            Self::Dir
        } else if found.is_symlink() {
            Self::Link
        } else {
            Self::File
        }
    }
}

/// A directory of this machine.
struct Outside<'a>(&'a Path);

impl View for Outside<'_> {
    fn list(&mut self, path: &str) -> io::Result<Vec<(String, Kind)>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(self.0.join(path))? {
            let entry = entry?;
            let kind = entry.file_type()?.into();
            entries.push((text(&entry.file_name().into_vec()), kind));
        }
        entries.sort();
        Ok(entries)
    }

    fn read(&mut self, path: &str) -> io::Result<String> {
        fs::read(self.0.join(path)).map(|bytes| text(&bytes))
    }

    fn readlink(&mut self, path: &str) -> io::Result<String> {
        fs::read_link(self.0.join(path)).map(|target| text(target.as_os_str().as_bytes()))
    }
}

/// A simulated machine, asked without going through a mount.
pub(crate) struct Inside<'a>(pub(crate) &'a mut Machine);

impl View for Inside<'_> {
    fn list(&mut self, path: &str) -> io::Result<Vec<(String, Kind)>> {
        let entries = self.0.list(path.as_bytes())?;
        let mut entries: Vec<_> = entries.into_iter().map(|(name, kind)| (text(&name), kind)).collect();
        entries.sort();
        Ok(entries)
    }

    fn read(&mut self, path: &str) -> io::Result<String> {
        let file = self.0.open(path.as_bytes(), true, false)?;
        Ok(text(&self.0.read(&file)?))
    }

    fn readlink(&mut self, path: &str) -> io::Result<String> {
        Ok(text(&self.0.readlink(path.as_bytes())?))
    }
}

/// Names and values as text; bytes that are none are shown escaped.
fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.escape_ascii().to_string(),
    }
}

/// Draws the tree below `root`, which stands for `/sys`.
///
/// # Errors
/// The value of an attribute without the secret that a user of iSCSI has behind its name.
fn unsecret(name: &str, value: &str) -> String {
    let is_user = ["IncomingUser", "OutgoingUser"].iter().any(|user| name.starts_with(user));
    match value.split_once(' ').filter(|_| is_user) {
        Some((user, _)) => format!("{user} ***"),
        None => value.to_owned(),
    }
}

/// The first failed access; an attribute that an older SCST lacks is none.
pub fn snapshot(root: &Path) -> io::Result<String> {
    // Without this a missing directory would look like a machine without SCST.
    fs::metadata(root)?;
    snapshot_of(&mut Outside(root))
}

/// The same of a simulated machine, without a mount.
///
/// # Errors
/// The first failed access.
pub fn snapshot_in(machine: &mut Machine) -> io::Result<String> {
    snapshot_of(&mut Inside(machine))
}

pub(crate) fn snapshot_of(view: &mut dyn View) -> io::Result<String> {
    let mut snapshot = Snapshot { view, lines: String::new() };
    snapshot.modules()?;
    snapshot.targets()?;
    snapshot.devices()?;
    snapshot.device_groups()?;
    Ok(snapshot.lines)
}

struct Snapshot<'a> {
    view: &'a mut dyn View,
    lines: String,
}

impl Snapshot<'_> {
    fn line(&mut self, depth: usize, words: &[&str]) {
        let words: Vec<_> = words.iter().filter(|word| !word.is_empty()).copied().collect();
        let _ = writeln!(self.lines, "{:indent$}{}", "", words.join(" "), indent = 2 * depth);
    }

    /// The names in a directory but for its `mgmt`; none if there is no such directory.
    fn names(&mut self, path: &str) -> io::Result<Vec<(String, Kind)>> {
        match self.view.list(path) {
            Ok(entries) => Ok(entries.into_iter().filter(|(name, _)| name != "mgmt").collect()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(in_place(&error, path)),
        }
    }

    fn below(&mut self, path: &str, wanted: Kind) -> io::Result<Vec<String>> {
        let names = self.names(path)?;
        Ok(names.into_iter().filter_map(|(name, kind)| (kind == wanted).then_some(name)).collect())
    }

    /// First line of an attribute; `None` if this SCST has no such attribute.
    fn value(&mut self, path: &str) -> io::Result<Option<String>> {
        match self.view.read(path) {
            Ok(content) => Ok(Some(content.lines().next().unwrap_or_default().to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(in_place(&error, path)),
        }
    }

    /// `name=value`, or nothing for a missing attribute.
    fn named(&mut self, dir: &str, name: &str) -> io::Result<String> {
        let value = self.value(&format!("{dir}/{name}"))?;
        Ok(value.map(|value| format!("{name}={value}")).unwrap_or_default())
    }

    /// The attributes of an object that are marked `[key]`, but for those named already.
    fn marked(&mut self, dir: &str, named: &[&str]) -> io::Result<Vec<String>> {
        let mut words = Vec::new();
        for name in self.below(dir, Kind::File)? {
            if named.contains(&name.as_str()) || is_volatile(&name) {
                continue;
            }
            // Attributes that are only written answer EACCES; some answer an error of their own while unset.
            let Ok(content) = self.view.read(&format!("{dir}/{name}")) else { continue };
            let mut lines = content.lines();
            let value = unsecret(&name, lines.next().unwrap_or_default());
            if lines.any(|line| line == "[key]") {
                words.push(format!("{name}={value}"));
            }
        }
        Ok(words)
    }

    fn modules(&mut self) -> io::Result<()> {
        let names = self.names("module")?.into_iter().map(|(name, _)| name);
        let loaded: Vec<_> = names.filter(|name| is_scst_module(name)).collect();
        if loaded.is_empty() {
            self.line(0, &["no SCST"]);
        } else {
            self.line(0, &["modules", &loaded.join(" ")]);
        }
        Ok(())
    }

    fn targets(&mut self) -> io::Result<()> {
        let drivers = format!("{SCST}/targets");
        for driver in self.below(&drivers, Kind::Dir)? {
            // The copy manager only mirrors the devices.
            if driver == "copy_manager" {
                continue;
            }
            let dir = format!("{drivers}/{driver}");
            for target in self.below(&dir, Kind::Dir)? {
                self.target(&driver, &target, &format!("{dir}/{target}"))?;
            }
        }
        Ok(())
    }

    fn target(&mut self, driver: &str, target: &str, dir: &str) -> io::Result<()> {
        let enabled = self.named(dir, "enabled")?;
        let id = self.named(dir, "rel_tgt_id")?;
        let marked = self.marked(dir, &["enabled", "rel_tgt_id"])?.join(" ");
        self.line(0, &["port", &format!("{driver}/{target}"), &enabled, &id, &marked]);
        self.luns(1, &format!("{dir}/luns"))?;
        for group in self.below(&format!("{dir}/ini_groups"), Kind::Dir)? {
            let dir = format!("{dir}/ini_groups/{group}");
            let marked = self.marked(&dir, &[])?.join(" ");
            self.line(1, &["group", &group, &marked]);
            for initiator in self.names(&format!("{dir}/initiators"))? {
                self.line(2, &["initiator", &initiator.0]);
            }
            self.luns(2, &format!("{dir}/luns"))?;
        }
        for session in self.below(&format!("{dir}/sessions"), Kind::Dir)? {
            let luns = self.view.readlink(&format!("{dir}/sessions/{session}/luns"));
            let group =
                luns.ok().and_then(|link| Some(link.split_once("ini_groups/")?.1.strip_suffix("/luns")?.to_owned()));
            let place = group.map_or_else(|| "default group".to_owned(), |group| format!("group {group}"));
            self.line(1, &["session", &session, "in", &place]);
        }
        Ok(())
    }

    fn luns(&mut self, depth: usize, dir: &str) -> io::Result<()> {
        let numbers = self.below(dir, Kind::Dir)?;
        // By number, not by name: 10 comes after 9.
        let luns: BTreeMap<u64, String> =
            numbers.into_iter().map(|lun| (lun.parse().unwrap_or(u64::MAX), lun)).collect();
        for lun in luns.values() {
            let device = self.view.readlink(&format!("{dir}/{lun}/device"));
            let device = device.map_or_else(|_| "nothing".to_owned(), |link| last_part(&link));
            let read_only = self.value(&format!("{dir}/{lun}/read_only"))?;
            let read_only = if read_only.is_some_and(|value| value != "0") { "ro" } else { "" };
            self.line(depth, &["lun", lun, &device, read_only]);
        }
        Ok(())
    }

    fn devices(&mut self) -> io::Result<()> {
        let devices = format!("{SCST}/devices");
        for device in self.below(&devices, Kind::Dir)? {
            let dir = format!("{devices}/{device}");
            let Ok(handler) = self.view.readlink(&format!("{dir}/handler")) else {
                // A SCSI device of the machine that SCST merely sees.
                continue;
            };
            let filename = self.named(&dir, "filename")?;
            let active = self.named(&dir, "active")?;
            // Count and pending; most devices are not blocked.
            let block = self.value(&format!("{dir}/block"))?.filter(|block| block != "0 0");
            let block = block.map(|block| format!("block={}", block.replace(' ', "/"))).unwrap_or_default();
            let marked = self.marked(&dir, &["filename", "active", "block"])?.join(" ");
            self.line(0, &["device", &device, &last_part(&handler), &filename, &active, &block, &marked]);
        }
        Ok(())
    }

    fn device_groups(&mut self) -> io::Result<()> {
        let groups = format!("{SCST}/device_groups");
        for group in self.below(&groups, Kind::Dir)? {
            let dir = format!("{groups}/{group}");
            self.line(0, &["device group", &group]);
            for device in self.below(&format!("{dir}/devices"), Kind::Link)? {
                self.line(1, &["device", &device]);
            }
            for target_group in self.below(&format!("{dir}/target_groups"), Kind::Dir)? {
                let dir = format!("{dir}/target_groups/{target_group}");
                let state = self.value(&format!("{dir}/state"))?.unwrap_or_default();
                let id = self.named(&dir, "group_id")?;
                let preferred = self.value(&format!("{dir}/preferred"))?;
                let preferred = if preferred.is_some_and(|value| value != "0") { "preferred" } else { "" };
                self.line(1, &["target group", &target_group, &id, &state, preferred]);
                for (member, kind) in self.names(&dir)? {
                    let place = match kind {
                        Kind::Link => "local",
                        Kind::Dir => "remote",
                        Kind::File => continue,
                    };
                    let id = self.named(&format!("{dir}/{member}"), "rel_tgt_id")?;
                    self.line(2, &[place, &member, &id]);
                }
            }
        }
        Ok(())
    }
}

fn in_place(error: &io::Error, path: &str) -> io::Error {
    io::Error::new(error.kind(), format!("{path}: {error}"))
}

fn last_part(link: &str) -> String {
    let name = Path::new(link).file_name().unwrap_or(OsStr::new(link));
    text(name.as_bytes())
}

/// Attributes that change without anybody's doing.
fn is_volatile(name: &str) -> bool {
    let counters = ["_cmd_count", "_io_count_kb", "_unaligned_cmd_count"];
    counters.iter().any(|end| name.ends_with(end)) || name == "trace_level"
}

fn is_scst_module(name: &str) -> bool {
    ["scst", "scst_", "iscsi_scst", "isert_scst", "qla2x00tgt", "qla2xxx_scst", "ib_srpt", "fcst"]
        .iter()
        .any(|own| name == *own || (own.ends_with('_') && name.starts_with(own)))
}
