//! One simulated machine: the part of `/sys` that SCST and its agents look at.
//!
//! The model is pure: it performs no I/O and reads no clock. Files outside sysfs (backing files, `/var/lib/scst/pr`)
//! are asked of a [`Host`]; time moves only by [`Machine::advance`].
//!
//! Paths are bytes relative to `/sys`, without a leading slash: `kernel/scst_tgt/devices/d1/block`,
//! `class/fc_host/host3/port_name`, `module/scst`.

use std::time::Duration;

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
    /// Logical block size of a block device, in bytes; 512 where it does not apply.
    pub logical_block: u32,
    /// Somebody outside SCST holds the block device open exclusively.
    pub held: bool,
    /// The block device can discard (`thin_provisioned` reads 1 then).
    pub discard: bool,
    /// Opening it fails with this errno (a DRBD secondary: EMEDIUMTYPE).
    pub open_error: Option<Errno>,
    /// Which device it is: two names of one block device answer the same value.
    pub identity: Vec<u8>,
}

/// The world around sysfs, as far as SCST's answers depend on it.
pub trait Host {
    /// Follows links and answers what is at the absolute path.
    fn file(&self, path: &[u8]) -> Result<HostFile, Errno>;
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

/// One simulated machine.
pub struct Machine {
    #[allow(dead_code)]
    host: Box<dyn Host + Send>,
}

#[allow(unused_variables, missing_docs)]
impl Machine {
    /// A machine without any module loaded.
    pub fn new(version: ScstVersion, host: Box<dyn Host + Send>) -> Self {
        Self { host }
    }

    // ---- hardware and modules ------------------------------------------------------------

    /// Puts a port into the machine.
    pub fn plug(&mut self, port: FcPort) {}
    /// Takes the port out; its target goes as with `del_target`.
    pub fn unplug(&mut self, wwpn: &str) {}
    /// Loads a module (`scst`, `scst_vdisk`, `qla2x00tgt`, ...) with its arguments; dependencies as modprobe loads them.
    pub fn modprobe(&mut self, module: &str, args: &str) -> Result<(), Errno> {
        Err(Errno::ENOTSUP)
    }
    /// Unloads a module.
    pub fn rmmod(&mut self, module: &str) -> Result<(), Errno> {
        Err(Errno::ENOTSUP)
    }
    /// An initiator logs in to a target; answers the name of the session directory.
    pub fn login(&mut self, driver: &str, target: &str, initiator: &str) -> Result<String, Errno> {
        Err(Errno::ENOTSUP)
    }
    /// A session logs out.
    pub fn logout(&mut self, driver: &str, target: &str, session: &str) -> Result<(), Errno> {
        Err(Errno::ENOTSUP)
    }
    /// A session sends one command to a LUN whose disk needs `takes` (`None`: until [`Machine::finish_io`]). Answers an id.
    pub fn start_io(
        &mut self,
        driver: &str,
        target: &str,
        session: &str,
        lun: u32,
        takes: Option<Duration>,
    ) -> Result<u64, Errno> {
        Err(Errno::ENOTSUP)
    }
    /// Ends a command whose time was left open.
    pub fn finish_io(&mut self, io: u64) {}
    /// The command has been answered to the initiator.
    pub fn io_done(&self, io: u64) -> bool {
        true
    }

    // ---- time ----------------------------------------------------------------------------

    /// Time since the machine was made.
    pub fn now(&self) -> Duration {
        Duration::ZERO
    }
    /// Lets time pass up to `to`, in the order of events; earlier values change nothing.
    pub fn advance(&mut self, to: Duration) {}
    /// When something will happen by itself, if anything.
    pub fn next_event(&self) -> Option<Duration> {
        None
    }

    // ---- files ---------------------------------------------------------------------------

    /// `lstat(2)`.
    pub fn lookup(&self, path: &[u8]) -> Result<Attr, Errno> {
        Err(Errno::ENOENT)
    }
    /// The entries of a directory, in byte order of their names.
    pub fn list(&self, path: &[u8]) -> Result<Vec<(Vec<u8>, Kind)>, Errno> {
        Err(Errno::ENOENT)
    }
    /// `readlink(2)`.
    pub fn readlink(&self, path: &[u8]) -> Result<Vec<u8>, Errno> {
        Err(Errno::ENOENT)
    }
    /// `open(2)` of an attribute (links on the way are followed); permission checks as for root on sysfs.
    pub fn open(&self, path: &[u8], read: bool, write: bool) -> Result<Handle, Errno> {
        Err(Errno::ENOENT)
    }
    /// The whole content, as a fresh read from offset 0.
    pub fn read(&mut self, handle: &Handle) -> Result<Vec<u8>, Errno> {
        Err(Errno::ENOENT)
    }
    /// One `write(2)`: one command.
    pub fn write(&mut self, handle: &Handle, data: &[u8]) -> Written {
        Written::Done(Err(Errno::ENOENT))
    }
    /// `chmod(2)`, which works on sysfs and sticks.
    pub fn chmod(&mut self, path: &[u8], mode: u32) -> Result<(), Errno> {
        Err(Errno::ENOTSUP)
    }
    /// The answer of a waiting write, once there is one. A ticket is answered once.
    pub fn poll(&mut self, ticket: Ticket) -> Option<Result<usize, Errno>> {
        None
    }
    /// A signal reached the waiting writer: it is answered EINTR by the next poll, the command goes on.
    pub fn interrupt(&mut self, ticket: Ticket) {}

    // ---- honesty -------------------------------------------------------------------------

    /// Everything asked so far that the model does not know.
    pub fn unknowns(&self) -> &[Unknown] {
        &[]
    }
}
