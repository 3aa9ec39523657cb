//! The files outside sysfs, as a mounted machine finds them: this machine's own, under those a scenario declares.
//!
//! A declared file needs not exist: disks of any size, disks somebody else holds, a DRBD secondary. What is not declared is
//! asked of the system; of a block device its size and limits (`/sys/dev/block`) and, by opening it exclusively for a
//! moment, whether it is in use.
//!
//! A declared block device with a number is also listed in the machine's `dev/block`, as long as it is present. The number
//! is the declared one or that of the device node which is at its path; with `mknod` the node is made and removed here.

mod store;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::{Mode, SFlag, major, minor, stat};
use nix::unistd::read;

pub use self::store::{DrbdRole, EntryKind, FileEntry, StoreChange, StoreHealth};

use self::store::Store;
use crate::model::{FileKind, Host, HostDisk, HostFile, Limits};

/// Where SCST keeps its reservations.
const VAR_LIB: &str = "/var/lib/scst";
/// At most so much is made of a declared file that is read.
const LARGEST_READ: usize = 1 << 20;
/// The unit of `size` in `/sys/dev/block`.
const SECTOR: u64 = 512;

type Declared = BTreeMap<Vec<u8>, Store>;

/// The [`Host`] of mounted machines. Clones share what is declared, so that a file can change under a running machine.
#[derive(Debug, Clone, Default)]
pub struct Files {
    declared: Arc<Mutex<Declared>>,
    /// Files that SCST has written, where no directory of this machine stands for theirs.
    written: Arc<Mutex<BTreeMap<Vec<u8>, Vec<u8>>>>,
    var_lib: Option<PathBuf>,
}

impl Files {
    /// This machine's files, with nothing declared.
    pub fn new() -> Self {
        Self::default()
    }

    /// What is declared now, to be changed apart from the original.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self {
            declared: Arc::new(Mutex::new(self.lock().clone())),
            written: Arc::new(Mutex::new(self.written().clone())),
            var_lib: self.var_lib.clone(),
        }
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
    /// A sentence, when the path is not absolute, the errno unknown, the number none, or the node cannot be made.
    pub fn declare(&self, entry: &FileEntry) -> Result<(), String> {
        let mut store = Store::new(entry)?;
        let mut declared = self.lock();
        let path = entry.path.clone().into_bytes();
        if let Some(before) = declared.get(&path) {
            store.succeeds(before);
        }
        store.make_node(&entry.path)?;
        self.written().remove(&path);
        declared.insert(path, store);
        Ok(())
    }

    /// Changes a declared file: only what the change names. `held_open` says whether the machine's SCST has the file of an
    /// identity open.
    ///
    /// # Errors
    /// The errno and a sentence: ENOENT for a path that was not declared, EBUSY for a DRBD device that cannot become a
    /// secondary because it is open, EINVAL for a bad value.
    pub fn change(
        &self,
        path: &str,
        change: &StoreChange,
        held_open: impl Fn(&[u8]) -> bool,
    ) -> Result<(), (Errno, String)> {
        let mut declared = self.lock();
        let Some(store) = declared.get(path.as_bytes()) else {
            return Err((Errno::ENOENT, format!("file {path:?} was not declared")));
        };
        if change.drbd == Some(DrbdRole::Secondary) && held_open(&store.identity()) {
            return Err((Errno::EBUSY, format!("{path}: the device is held open by someone")));
        }
        // Other names of the same disk change with it.
        let disk = store.disk().to_vec();
        for (path, store) in declared.iter_mut().filter(|(_, store)| store.disk() == disk) {
            let path = String::from_utf8_lossy(path).into_owned();
            store.change(&path, change).map_err(|problem| (Errno::EINVAL, problem))?;
        }
        Ok(())
    }

    fn written(&self) -> MutexGuard<'_, BTreeMap<Vec<u8>, Vec<u8>>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The real file that stands for one below `/var/lib/scst`, unless it is declared.
    fn real(&self, path: &[u8]) -> Option<PathBuf> {
        let below = Path::new(OsStr::from_bytes(path)).strip_prefix(VAR_LIB).ok()?;
        Some(self.var_lib.as_ref()?.join(below)).filter(|_| !self.lock().contains_key(path))
    }

    fn lock(&self) -> MutexGuard<'_, Declared> {
        self.declared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Host for Files {
    fn file(&self, path: &[u8]) -> Result<HostFile, Errno> {
        if let Some(content) = self.written().get(path) {
            return Ok(HostFile::plain(FileKind::Regular, content.len() as u64, path));
        }
        if let Some(store) = self.lock().get(path) {
            return store.file();
        }
        let path = Path::new(OsStr::from_bytes(path));
        match (&self.var_lib, path.strip_prefix(VAR_LIB)) {
            (Some(dir), Ok(below)) => found(&dir.join(below)),
            _ => found(path),
        }
    }

    fn read_file(&self, path: &[u8]) -> Result<Vec<u8>, Errno> {
        if let Some(content) = self.written().get(path) {
            return Ok(content.clone());
        }
        if let Some(store) = self.lock().get(path) {
            // A declared file has a size only: to who reads it, it is full of zeros.
            let size = usize::try_from(store.file()?.size).unwrap_or(usize::MAX);
            return Ok(vec![0; size.min(LARGEST_READ)]);
        }
        let path = self.real(path).unwrap_or_else(|| Path::new(OsStr::from_bytes(path)).to_owned());
        fs::read(path).map_err(|error| errno(&error))
    }

    fn write_file(&self, path: &[u8], content: &[u8]) -> Result<(), Errno> {
        if let Some(real) = self.real(path) {
            return fs::write(real, content).map_err(|error| errno(&error));
        }
        self.written().insert(path.to_vec(), content.to_vec());
        Ok(())
    }

    fn remove_file(&self, path: &[u8]) -> Result<(), Errno> {
        if let Some(real) = self.real(path) {
            return fs::remove_file(real).map_err(|error| errno(&error));
        }
        let written = self.written().remove(path);
        let declared = self.lock().get(path).is_some_and(|store| store.file().is_ok());
        if declared {
            let path = String::from_utf8_lossy(path).into_owned();
            let gone = FileEntry { path, kind: EntryKind::Missing, ..FileEntry::default() };
            self.declare(&gone).map_err(|_| Errno::EINVAL)?;
        }
        if written.is_some() || declared { Ok(()) } else { Err(Errno::ENOENT) }
    }

    fn opened(&self, path: &[u8], identity: &[u8]) -> Option<HostFile> {
        let declared = self.lock();
        let store = declared.values().find(|store| store.identity() == identity);
        if let Some(store) = store.or_else(|| declared.get(path)) {
            return store.opened(identity);
        }
        drop(declared);
        self.file(path).ok().filter(|file| file.identity == identity)
    }

    fn grown(&self, identity: &[u8], size: u64) {
        for store in self.lock().values_mut().filter(|store| store.identity() == identity) {
            store.grow(size);
        }
    }

    fn disks(&self) -> Vec<HostDisk> {
        let declared = self.lock();
        let mut disks: Vec<_> = declared.iter().filter_map(|(path, store)| store.listed(path)).collect();
        disks.sort();
        disks.dedup_by(|a, b| a.number == b.number);
        disks
    }
}

fn errno(error: &std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
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
    // A file that takes the place of another is another file.
    let identity = format!("{}:{}", status.st_dev, status.st_ino).into_bytes();
    let file = HostFile::plain(kind, u64::try_from(status.st_size).unwrap_or(0), &identity);
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
    let size = limit(&format!("{disk}/size")).unwrap_or(0) * SECTOR;
    let block = |name: &str| queue(name).and_then(|size| u32::try_from(size).ok());
    let plain = HostFile::plain(FileKind::Block, size, disk.as_bytes());
    HostFile {
        limits: Limits {
            logical_block: block("logical_block_size").unwrap_or(plain.limits.logical_block),
            physical_block: block("physical_block_size").unwrap_or(plain.limits.physical_block),
            optimal_io: block("optimal_io_size").unwrap_or(0),
            discard: queue("discard_max_bytes").is_some_and(|bytes| bytes > 0),
        },
        held: opening == Some(Errno::EBUSY),
        open_error: opening.filter(|errno| *errno != Errno::EBUSY),
        ..plain
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
