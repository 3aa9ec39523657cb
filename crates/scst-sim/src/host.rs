//! The files outside sysfs, as a mounted machine finds them: this machine's own, under those a scenario declares.
//!
//! A declared file needs not exist: disks of any size, disks somebody else holds, a DRBD secondary. What is not declared is
//! asked of the system; of a block device its size and limits (`/sys/dev/block`) and, by opening it exclusively for a
//! moment, whether it is in use.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::{Mode, SFlag, major, minor, stat};
use nix::unistd::read;
use serde::Deserialize;

use crate::model::{FileKind, Host, HostFile};
use crate::words::errno_named;

/// Where SCST keeps its reservations.
const VAR_LIB: &str = "/var/lib/scst";

/// A file as a scenario declares it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Absolute path, as an agent's parameters name it.
    pub path: String,
    /// `regular`, `block`, `dir`, `char`, `fifo` or `missing`.
    pub kind: EntryKind,
    /// Size in bytes.
    #[serde(default)]
    pub size: u64,
    /// Logical block size of a disk in bytes.
    #[serde(default = "sector")]
    pub logical_block: u32,
    /// Somebody outside SCST has the disk open exclusively.
    #[serde(default)]
    pub held: bool,
    /// The disk can discard.
    #[serde(default)]
    pub discard: bool,
    /// Name of the errno that opening it answers.
    pub open_error: Option<String>,
    /// What disk it is; two paths with one identity are one disk. By default the path.
    pub identity: Option<String>,
}

fn sector() -> u32 {
    512
}

/// Kinds of declared files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EntryKind {
    /// A regular file.
    Regular,
    /// A block device.
    Block,
    /// A directory.
    Dir,
    /// A character device.
    Char,
    /// A FIFO.
    Fifo,
    /// Nothing is there, whatever this machine has.
    Missing,
}

type Declared = BTreeMap<Vec<u8>, Option<HostFile>>;

/// The [`Host`] of mounted machines. Clones share what is declared, so that a file can change under a running machine.
#[derive(Debug, Clone, Default)]
pub struct Files {
    declared: Arc<Mutex<Declared>>,
    var_lib: Option<PathBuf>,
}

impl Files {
    /// This machine's files, with nothing declared.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with a directory that stands for `/var/lib/scst`.
    #[must_use]
    pub fn with_var_lib(mut self, dir: &Path) -> Self {
        self.var_lib = Some(dir.to_owned());
        self
    }

    /// Declares a file, in place of one declared before at that path.
    ///
    /// # Errors
    /// A sentence, when the path is not absolute or the errno unknown.
    pub fn declare(&self, entry: &FileEntry) -> Result<(), String> {
        if !entry.path.starts_with('/') {
            return Err(format!("file {:?} is not an absolute path", entry.path));
        }
        let named = |name: &String| errno_named(name).ok_or_else(|| format!("errno {name:?} is unknown"));
        let open_error = entry.open_error.as_ref().map(named).transpose()?;
        let file = |kind| HostFile {
            kind,
            size: entry.size,
            logical_block: entry.logical_block,
            held: entry.held,
            discard: entry.discard,
            open_error,
            identity: entry.identity.as_ref().unwrap_or(&entry.path).clone().into_bytes(),
        };
        let file = match entry.kind {
            EntryKind::Regular => Some(file(FileKind::Regular)),
            EntryKind::Block => Some(file(FileKind::Block)),
            EntryKind::Dir => Some(file(FileKind::Dir)),
            EntryKind::Char => Some(file(FileKind::Char)),
            EntryKind::Fifo => Some(file(FileKind::Fifo)),
            EntryKind::Missing => None,
        };
        let mut declared = self.declared.lock().unwrap_or_else(PoisonError::into_inner);
        declared.insert(entry.path.clone().into_bytes(), file);
        Ok(())
    }
}

impl Host for Files {
    fn file(&self, path: &[u8]) -> Result<HostFile, Errno> {
        let declared = self.declared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = declared.get(path) {
            return file.clone().ok_or(Errno::ENOENT);
        }
        drop(declared);
        let path = Path::new(OsStr::from_bytes(path));
        match (&self.var_lib, path.strip_prefix(VAR_LIB)) {
            (Some(dir), Ok(below)) => found(&dir.join(below)),
            _ => found(path),
        }
    }
}

/// What this machine has at a path.
fn found(path: &Path) -> Result<HostFile, Errno> {
    let status = stat(path)?;
    let kind = match SFlag::from_bits_truncate(status.st_mode) & SFlag::S_IFMT {
        SFlag::S_IFREG => FileKind::Regular,
        SFlag::S_IFBLK => FileKind::Block,
        SFlag::S_IFDIR => FileKind::Dir,
        SFlag::S_IFIFO => FileKind::Fifo,
        SFlag::S_IFCHR => FileKind::Char,
        // Nothing SCST could ever open: a socket.
        _ => return Err(Errno::ENXIO),
    };
    let file = HostFile {
        kind,
        size: u64::try_from(status.st_size).unwrap_or(0),
        logical_block: sector(),
        held: false,
        discard: false,
        open_error: None,
        identity: fs::canonicalize(path)
            .map_or_else(|_| path.as_os_str().as_bytes().to_vec(), |canonical| canonical.into_os_string().into_vec()),
    };
    match kind {
        FileKind::Block => Ok(disk(path, status.st_rdev)),
        FileKind::Fifo => Ok(HostFile { held: has_writer(path), ..file }),
        _ => Ok(file),
    }
}

/// Somebody has the FIFO open for writing. Looking lets a process go on that waits for a reader, as SCST's opening would.
fn has_writer(path: &Path) -> bool {
    let Ok(fifo) = open(path, OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC, Mode::empty()) else {
        return false;
    };
    // Without any writer a FIFO is at its end.
    !matches!(read(&fifo, &mut [0]), Ok(0))
}

fn disk(path: &Path, number: u64) -> HostFile {
    let disk = format!("{}:{}", major(number), minor(number));
    // A partition has no queue of its own.
    let queue = |name: &str| {
        let own = limit(&format!("{disk}/queue/{name}"));
        own.or_else(|| limit(&format!("{disk}/../queue/{name}")))
    };
    let probe = OFlag::O_RDONLY | OFlag::O_EXCL | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let opening = open(path, probe, Mode::empty()).err();
    HostFile {
        kind: FileKind::Block,
        size: limit(&format!("{disk}/size")).unwrap_or(0) * u64::from(sector()),
        logical_block: queue("logical_block_size").and_then(|size| size.try_into().ok()).unwrap_or(sector()),
        discard: queue("discard_max_bytes").is_some_and(|bytes| bytes > 0),
        held: opening == Some(Errno::EBUSY),
        open_error: opening.filter(|errno| *errno != Errno::EBUSY),
        identity: disk.into_bytes(),
    }
}

fn limit(below: &str) -> Option<u64> {
    fs::read_to_string(Path::new("/sys/dev/block").join(below)).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(text: &str) -> FileEntry {
        crate::words::parse(text).unwrap()
    }

    #[test]
    fn real_files_are_seen_as_they_are() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("disk.img");
        fs::write(&path, [0; 1000]).unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let host = Files::new();
        let file = host.file(path.as_os_str().as_bytes()).unwrap();
        assert_eq!((file.kind, file.size, file.open_error), (FileKind::Regular, 1000, None));
        assert_eq!(host.file(link.as_os_str().as_bytes()), Ok(file));
        assert_eq!(host.file(b"/dev/null").unwrap().kind, FileKind::Char);
        let missing = dir.path().join("missing");
        assert_eq!(host.file(missing.as_os_str().as_bytes()), Err(Errno::ENOENT));
    }

    #[test]
    fn a_fifo_is_held_by_its_writer() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("fifo");
        nix::unistd::mkfifo(&fifo, Mode::S_IRWXU).unwrap();
        let held = || Files::new().file(fifo.as_os_str().as_bytes()).unwrap().held;
        assert!(!held());
        let reader = open(&fifo, OFlag::O_RDONLY | OFlag::O_NONBLOCK, Mode::empty()).unwrap();
        let writer = open(&fifo, OFlag::O_WRONLY | OFlag::O_NONBLOCK, Mode::empty()).unwrap();
        drop(reader);
        assert!(held());
        drop(writer);
        assert!(!held());
    }

    #[test]
    fn declared_files_hide_real_ones_and_can_change() {
        let host = Files::new();
        let other_view = host.clone();
        host.declare(&entry("path=/dev/null kind=missing")).unwrap();
        assert_eq!(other_view.file(b"/dev/null"), Err(Errno::ENOENT));
        host.declare(&entry("path=/dev/drbd0 kind=block size=4096 open_error=EMEDIUMTYPE held=true")).unwrap();
        let disk = other_view.file(b"/dev/drbd0").unwrap();
        assert_eq!((disk.kind, disk.size, disk.held), (FileKind::Block, 4096, true));
        assert_eq!(disk.open_error, Some(Errno::EMEDIUMTYPE));
        host.declare(&entry("path=/dev/drbd0 kind=block size=4096")).unwrap();
        assert_eq!(other_view.file(b"/dev/drbd0").unwrap().open_error, None);
        assert!(host.declare(&entry("path=relative kind=block")).is_err());
        assert!(host.declare(&entry("path=/x kind=block open_error=EODD")).is_err());
    }

    #[test]
    fn var_lib_is_wherever_the_scenario_says() {
        let dir = tempfile::tempdir().unwrap();
        let host = Files::new().with_var_lib(dir.path());
        assert_eq!(host.file(b"/var/lib/scst/pr"), Err(Errno::ENOENT));
        fs::create_dir(dir.path().join("pr")).unwrap();
        assert_eq!(host.file(b"/var/lib/scst/pr").unwrap().kind, FileKind::Dir);
    }
}
