//! One simulated machine: the part of `/sys` that SCST and its agents look at.
//!
//! The model is pure: it performs no I/O and reads no clock. Files outside sysfs (backing files, `/var/lib/scst/pr`)
//! are asked of a [`Host`]; time moves only by [`Machine::advance`].
//!
//! Paths are bytes relative to `/sys`, without a leading slash: `kernel/scst_tgt/devices/d1/block`,
//! `class/fc_host/host3/port_name`, `module/scst`.
//!
//! Inside, one file is one kind of kernel object (`target`, `lun`, `device`, ...) with its attributes and commands;
//! `tree` finds them by path, `command` and `queue` decide how a write runs, `version` says which release has what.

mod access;
mod alua;
mod attention;
mod backing;
mod block;
mod command;
mod copy_manager;
mod device;
mod device_attrs;
mod device_group;
mod disk;
mod dlm;
mod driver;
mod fc_host;
mod handler;
mod identifiers;
mod ini_group;
mod initiator;
mod io;
mod iscsi;
mod lun;
mod machine;
mod module;
mod numbers;
mod parameters;
mod paths;
mod port_attrs;
mod pr;
mod pr_command;
mod queue;
mod reservation_text;
mod reservations;
mod root;
mod scsi;
mod session;
mod slow;
mod state;
mod target;
mod target_group;
mod trace;
mod tree;
mod version;
mod words;

pub use dlm::LockManager;
pub use iscsi::{DaemonSignal, IscsiInitiator, IscsiRefusal};
pub use machine::Machine;
pub use pr_command::{PrAnswer, PrCommand};
pub use scsi::{ScsiCommand, ScsiReply, Sense};
pub use slow::Slow;

/// An errno value, as the kernel would answer it.
pub type Errno = nix::errno::Errno;

/// The SCST releases whose behaviour is recorded. What each of them has is one table of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScstVersion {
    /// 3.7.0, December 2022.
    V3_7,
    /// 3.11.0-pre.
    V3_11,
}

/// What kind of directory entry a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A directory.
    Dir,
    /// An attribute.
    File,
    /// A symbolic link.
    Link,
}

/// What `lstat(2)` answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attr {
    /// Directory, attribute or link.
    pub kind: Kind,
    /// Permission bits.
    pub mode: u32,
    /// Size in bytes; 4096 for attributes.
    pub size: u64,
    /// Identity of the object: never reused while the machine lives, so that a handle of a deleted object is known as stale.
    pub id: u64,
}

/// An opened attribute. It stays valid as a value after its object is gone; reads and writes then answer ENODEV.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handle {
    /// The path it was opened by.
    pub path: Vec<u8>,
    /// The [`Attr::id`] it was opened at.
    pub id: u64,
}

/// A write that has not been answered yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// Answered at once: bytes taken, or the errno.
    Done(Result<usize, Errno>),
    /// The writer sleeps in the kernel; ask [`Machine::poll`] after each change or advance of time.
    Waiting(Ticket),
}

/// What became of a read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// Answered at once: the content, or the errno.
    Done(Result<Vec<u8>, Errno>),
    /// The reader sleeps in the kernel; ask [`Machine::poll_read`] after each change or advance of time.
    Waiting(Ticket),
}

/// What a file outside sysfs is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
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
}

/// A file outside sysfs, as the simulated kernel would find it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostFile {
    /// Its kind.
    pub kind: FileKind,
    /// Size in bytes.
    pub size: u64,
    /// Of a block device its limits.
    pub limits: Limits,
    /// Somebody outside SCST holds the block device open exclusively.
    pub held: bool,
    /// Opening it fails with this errno, for reading as for writing.
    pub open_error: Option<Errno>,
    /// It is a DRBD device in the role of a secondary, which opens for nobody.
    pub secondary: bool,
    /// What becomes of the commands that reach it.
    pub health: Health,
    /// Which file or device it is: two names of one block device answer the same value, a new file of an old name another.
    pub identity: Vec<u8>,
}

/// What a block device says of itself in `queue`, and one that stands on it says the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Limits {
    /// Logical block size in bytes.
    pub logical_block: u32,
    /// Physical block size in bytes; at least the logical one.
    pub physical_block: u32,
    /// The transfer length it does best with, in bytes; 0 where it does not say.
    pub optimal_io: u32,
    /// It can discard (`thin_provisioned` reads 1 then).
    pub discard: bool,
}

impl Limits {
    /// Blocks of 512 bytes; so has a file, which has no limits.
    pub const PLAIN: Self = Self::blocks(512);

    /// Blocks of this size, and nothing else to say.
    pub const fn blocks(size: u32) -> Self {
        Self { logical_block: size, physical_block: size, optimal_io: 0, discard: false }
    }
}

/// What becomes of reads, writes and flushes at a store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Health {
    /// They succeed.
    #[default]
    Good,
    /// They do not end until the store is well again (a suspended device).
    Hanging,
    /// Reads and writes fail, flushes succeed (a device-mapper table of the target `error`).
    Failing,
    /// Everything fails: the disk behind an open device is gone.
    Gone,
}

impl HostFile {
    /// A healthy file or disk with blocks of 512 bytes that opens for everybody.
    pub fn plain(kind: FileKind, size: u64, identity: &[u8]) -> Self {
        Self {
            kind,
            size,
            limits: Limits::PLAIN,
            held: false,
            open_error: None,
            secondary: false,
            health: Health::Good,
            identity: identity.to_vec(),
        }
    }

    /// What `open(2)` answers: for reading only, or for reading and writing.
    ///
    /// # Errors
    /// Of a DRBD secondary EMEDIUMTYPE for reading and EROFS for writing; else the declared errno.
    pub fn opening(&self, writable: bool) -> Result<(), Errno> {
        match self.open_error {
            Some(errno) => Err(errno),
            None if self.secondary => Err(if writable { Errno::EROFS } else { Errno::EMEDIUMTYPE }),
            None => Ok(()),
        }
    }
}

/// A block device as `/sys/dev/block` shows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostDisk {
    /// Major and minor number.
    pub number: (u64, u64),
    /// The name of its directory, such as `drbd10`.
    pub name: String,
    /// The disk it is a partition of. A partition has no `queue` of its own.
    pub whole: Option<String>,
    /// Size in bytes.
    pub size: u64,
    /// Its limits.
    pub limits: Limits,
}

/// The environment around sysfs, as far as SCST's answers depend on it.
pub trait Host {
    /// Follows links and answers what is at the absolute path.
    fn file(&self, path: &[u8]) -> Result<HostFile, Errno>;

    /// The content of the file at the absolute path, which SCST keeps reservations in.
    fn read_file(&self, _path: &[u8]) -> Result<Vec<u8>, Errno> {
        Err(Errno::ENOENT)
    }

    /// Makes or overwrites such a file.
    fn write_file(&self, _path: &[u8], _content: &[u8]) -> Result<(), Errno> {
        Err(Errno::EROFS)
    }

    /// Removes such a file.
    fn remove_file(&self, _path: &[u8]) -> Result<(), Errno> {
        Err(Errno::ENOENT)
    }

    /// What has become of a file or device since it was opened at that path with that identity, whatever is at the path
    /// by now. `None` where nothing is known of it: it is as it was.
    fn opened(&self, path: &[u8], identity: &[u8]) -> Option<HostFile> {
        self.file(path).ok().filter(|file| file.identity == identity)
    }

    /// SCST has closed the file or device of that identity, which nobody in it holds any more.
    fn closed(&self, _identity: &[u8]) {}

    /// A write past the end made an open file this long.
    fn grown(&self, _identity: &[u8], _size: u64) {}

    /// A host's block was written to an open file or device at that offset; `through` says whether past its page cache.
    fn written(&self, _identity: &[u8], _offset: u64, _through: bool) {}

    /// What is in the page cache of an open file or device goes to what is below it.
    fn flushed(&self, _identity: &[u8]) {}

    /// The block devices that `/sys/dev/block` lists.
    fn disks(&self) -> Vec<HostDisk> {
        Vec::new()
    }
}

/// A path or a write the model does not know: answered ENOTSUP, never guessed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// The path relative to `/sys`.
    pub path: Vec<u8>,
    /// What was asked of it.
    pub what: String,
}

/// A Fibre Channel port of the machine: hardware, which exists or does not, whatever modules are loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FcPort {
    /// `host<N>` in `class/fc_host`.
    pub host: u32,
    /// World wide port name, lower case with colons.
    pub wwpn: String,
    /// World wide node name, lower case with colons.
    pub wwnn: String,
    /// `Online`, `Linkdown`, ...: the text of `port_state`.
    pub state: String,
    /// The text of `speed`, such as `16 Gbit`.
    pub speed: String,
    /// The port can be an SCST target: `targets/qla2x00t/<wwpn>` appears with the driver.
    pub target_capable: bool,
    /// 32 Gb generation of the driver: enabling an enabled port answers EINVAL.
    pub gen32: bool,
}

impl FcPort {
    /// A port that can be a target, its link up at 16 Gbit/s, of an older generation than 32 Gb. Its node name begins with 20 and goes on
    /// as the port name does.
    pub fn online(host: u32, wwpn: String) -> Self {
        Self {
            host,
            wwnn: format!("20{}", &wwpn[2..]),
            wwpn,
            state: "Online".to_owned(),
            speed: "16 Gbit".to_owned(),
            target_capable: true,
            gen32: false,
        }
    }
}
