//! One declared file: what a scenario says of it, and what becomes of it at run time.

use std::path::Path;

use nix::errno::Errno;
use nix::sys::stat::{Mode, SFlag, major, makedev, minor, mknod, stat};
use serde::Deserialize;

use crate::model::{FileKind, Health, HostDisk, HostFile};
use crate::words::errno_named;

/// Both have the fields that may change at run time; a declaration has those of its own before them.
macro_rules! declaration_and_change {
    ({ $($own:tt)* } $($(#[$doc:meta])* $field:ident: $kind:ty,)*) => {
        /// A file as a scenario declares it.
        #[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct FileEntry { $($own)* $($(#[$doc])* pub $field: Option<$kind>,)* }

        /// What of a declared file changes at run time; what is absent stays as it is.
        #[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct StoreChange { $($(#[$doc])* pub $field: Option<$kind>,)* }

        impl FileEntry {
            fn state(&self) -> StoreChange {
                StoreChange { $($field: self.$field.clone(),)* }
            }
        }
    };
}

declaration_and_change! {
    {
        /// Absolute path, as an agent's parameters name it.
        pub path: String,
        /// `regular`, `block`, `dir`, `char`, `fifo` or `missing`.
        pub kind: EntryKind,
        /// Major and minor number of a block device, such as `147:10`. By default that of the device node at the path.
        pub number: Option<String>,
        /// The device node is made at the path, and is there as long as the device is.
        #[serde(default)]
        pub mknod: bool,
        /// The name of the disk that the block device is a partition of, such as `sda`.
        pub partition_of: Option<String>,
        /// Which disk it is; two paths with one identity are one disk. By default the path.
        pub identity: Option<String>,
    }
    /// Size in bytes; at first 0.
    size: u64,
    /// Logical block size of a disk in bytes; at first 512.
    logical_block: u32,
    /// Physical block size of a disk in bytes; at least the logical one.
    physical_block: u32,
    /// Somebody outside SCST has the disk open exclusively.
    held: bool,
    /// The disk can discard.
    discard: bool,
    /// Name of the errno that opening it answers, or `none`.
    open_error: String,
    /// It is a DRBD device in this role. A secondary opens for nobody: EMEDIUMTYPE to read, EROFS to write.
    drbd: DrbdRole,
    /// What becomes of commands that reach it.
    health: StoreHealth,
    /// It is there. A disk that comes back is another disk than the one that was opened before.
    present: bool,
}

/// Kinds of declared files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EntryKind {
    /// A regular file.
    #[default]
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

/// Roles of a DRBD device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DrbdRole {
    /// It opens as any disk.
    Primary,
    /// It opens for nobody.
    Secondary,
}

/// What becomes of commands that reach a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoreHealth {
    /// They succeed.
    Good,
    /// They do not end until it is `good` again, while the store opens and closes as ever.
    Hanging,
    /// Reads and writes fail.
    Failing,
}

impl From<StoreHealth> for Health {
    fn from(health: StoreHealth) -> Self {
        match health {
            StoreHealth::Good => Self::Good,
            StoreHealth::Hanging => Self::Hanging,
            StoreHealth::Failing => Self::Failing,
        }
    }
}

/// A declared file and its state.
#[derive(Debug, Clone)]
pub(super) struct Store {
    /// The file while it is present; its `identity` is the disk's, whichever time it is there.
    file: HostFile,
    present: bool,
    number: Option<(u64, u64)>,
    whole: Option<String>,
    mknod: bool,
    /// How often it went away: a disk that comes back is another one.
    absences: u32,
}

impl Store {
    pub(super) fn new(entry: &FileEntry) -> Result<Self, String> {
        if !entry.path.starts_with('/') {
            return Err(format!("file {:?} is not an absolute path", entry.path));
        }
        let kind = match entry.kind {
            EntryKind::Regular | EntryKind::Missing => FileKind::Regular,
            EntryKind::Block => FileKind::Block,
            EntryKind::Dir => FileKind::Dir,
            EntryKind::Char => FileKind::Char,
            EntryKind::Fifo => FileKind::Fifo,
        };
        let identity = entry.identity.as_ref().unwrap_or(&entry.path);
        let number = match &entry.number {
            Some(text) => Some(device_number(text).ok_or_else(|| format!("number {text:?} is not MAJOR:MINOR"))?),
            None => node_number(&entry.path),
        };
        if entry.mknod && (kind != FileKind::Block || number.is_none()) {
            return Err("mknod is for kind=block with a number".to_owned());
        }
        let mut store = Self {
            file: HostFile::plain(kind, 0, identity.as_bytes()),
            present: entry.kind != EntryKind::Missing,
            number: number.filter(|_| kind == FileKind::Block),
            whole: entry.partition_of.clone(),
            mknod: entry.mknod,
            absences: 0,
        };
        store.set(&entry.state())?;
        Ok(store)
    }

    /// It takes the place of one declared before at its path: the same disk in another state.
    pub(super) fn succeeds(&mut self, before: &Self) {
        if !self.present {
            self.file = before.file.clone();
        }
        self.absences = before.absences + u32::from(before.present && !self.present);
        self.mknod |= before.mknod;
        if self.file.kind == FileKind::Block {
            self.number = self.number.or(before.number);
            self.whole = self.whole.take().or_else(|| before.whole.clone());
        }
    }

    fn set(&mut self, change: &StoreChange) -> Result<(), String> {
        let file = &mut self.file;
        file.size = change.size.unwrap_or(file.size);
        let limits = &mut file.limits;
        limits.logical_block = change.logical_block.unwrap_or(limits.logical_block);
        limits.physical_block = change.physical_block.unwrap_or(limits.physical_block).max(limits.logical_block);
        limits.discard = change.discard.unwrap_or(limits.discard);
        file.held = change.held.unwrap_or(file.held);
        file.health = change.health.map_or(file.health, Health::from);
        file.secondary = change.drbd.map_or(file.secondary, |role| role == DrbdRole::Secondary);
        match change.open_error.as_deref() {
            None => {}
            Some("none") => file.open_error = None,
            Some(name) => {
                file.open_error = Some(errno_named(name).ok_or_else(|| format!("errno {name:?} is unknown"))?);
            }
        }
        let present = change.present.unwrap_or(self.present);
        self.absences += u32::from(self.present && !present);
        self.present = present;
        Ok(())
    }

    pub(super) fn change(&mut self, path: &str, change: &StoreChange) -> Result<(), String> {
        self.set(change)?;
        self.make_node(path)
    }

    /// Makes or removes the device node, where that is wanted.
    pub(super) fn make_node(&self, path: &str) -> Result<(), String> {
        let Some((major, minor)) = self.number.filter(|_| self.mknod) else { return Ok(()) };
        let there = node_number(path);
        if self.present && there != self.number {
            let mode = Mode::S_IRUSR | Mode::S_IWUSR;
            mknod(path, SFlag::S_IFBLK, mode, makedev(major, minor))
                .map_err(|errno| format!("cannot make the device node {path}: {errno}"))?;
        } else if !self.present && there == self.number {
            std::fs::remove_file(path).map_err(|error| format!("cannot remove the device node {path}: {error}"))?;
        }
        Ok(())
    }

    /// Which disk it is, by whatever name and however often it was away.
    pub(super) fn disk(&self) -> &[u8] {
        &self.file.identity
    }

    /// What an opened file is known by.
    pub(super) fn identity(&self) -> Vec<u8> {
        match self.absences {
            0 => self.file.identity.clone(),
            absences => [&self.file.identity[..], format!(" after {absences}").as_bytes()].concat(),
        }
    }

    fn now(&self) -> HostFile {
        HostFile { identity: self.identity(), ..self.file.clone() }
    }

    /// What is at its path.
    pub(super) fn file(&self) -> Result<HostFile, Errno> {
        if self.present { Ok(self.now()) } else { Err(Errno::ENOENT) }
    }

    /// What has become of it since it was opened with that identity. A regular file that is gone is as it was.
    pub(super) fn opened(&self, identity: &[u8]) -> Option<HostFile> {
        if self.present && self.identity() == identity {
            return Some(self.now());
        }
        let gone = HostFile { health: Health::Gone, identity: identity.to_vec(), ..self.file.clone() };
        (self.file.kind == FileKind::Block).then_some(gone)
    }

    pub(super) fn grow(&mut self, size: u64) {
        self.file.size = self.file.size.max(size);
    }

    /// The entry of `dev/block`, if it has one.
    pub(super) fn listed(&self, path: &[u8]) -> Option<HostDisk> {
        let number = self.number.filter(|_| self.present && self.file.kind == FileKind::Block)?;
        let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        Some(HostDisk {
            number,
            name: String::from_utf8_lossy(name).into_owned(),
            whole: self.whole.clone(),
            size: self.file.size,
            limits: self.file.limits,
        })
    }
}

fn device_number(text: &str) -> Option<(u64, u64)> {
    let (major, minor) = text.split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// The number of the block device node at a path of this machine.
fn node_number(path: &str) -> Option<(u64, u64)> {
    let status = stat(Path::new(path)).ok()?;
    let kind = SFlag::from_bits_truncate(status.st_mode) & SFlag::S_IFMT;
    (kind == SFlag::S_IFBLK).then(|| (major(status.st_rdev), minor(status.st_rdev)))
}
