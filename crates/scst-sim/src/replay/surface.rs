//! Where a replay asks its questions: the same questions to the pure model and to a mounted file system.
//!
//! [`Surface`] is what a program can do to sysfs, system call by system call. The model answers it in
//! `modelled`, a mount in `mounted`.

use std::time::Duration;

use crate::model::{Errno, Kind, Machine};

/// Prefix of every recorded path.
pub const ROOT: &str = "kernel/scst_tgt";

/// What a file is opened for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Access {
    /// `O_RDONLY`.
    #[default]
    Read,
    /// `O_WRONLY`.
    Write,
    /// `O_RDWR`.
    Both,
}

impl Access {
    /// It is opened for reading.
    pub fn reads(self) -> bool {
        self != Access::Write
    }

    /// It is opened for writing.
    pub fn writes(self) -> bool {
        self != Access::Read
    }
}

/// How a file is opened.
#[derive(Debug, Clone, Copy, Default)]
pub struct How {
    /// For what.
    pub access: Access,
    /// `O_CREAT`.
    pub create: bool,
    /// `O_TRUNC`.
    pub truncate: bool,
    /// `O_APPEND`.
    pub append: bool,
    /// The user who opens it; root where absent.
    pub uid: Option<u32>,
}

impl From<Access> for How {
    fn from(access: Access) -> Self {
        Self { access, ..Self::default() }
    }
}

/// What lstat(2) says, as far as recordings hold it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// Directory, file or link.
    pub kind: Kind,
    /// Permission bits.
    pub mode: u32,
    /// Size in bytes.
    pub size: u64,
}

/// How a write ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The call returned.
    Returned(Result<usize, Errno>),
    /// A signal ended the call.
    Interrupted,
    /// A signal ended the writer.
    Killed,
    /// It never ends: nothing is left that could happen.
    Stuck,
}

/// Signals a waiting writer may get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// One that the writer survives.
    User1,
    /// One that it does not.
    Kill,
}

/// Entries of a directory.
pub type Entries = Vec<(Vec<u8>, Kind)>;

/// What a program can do to sysfs. Paths are relative to `/sys`.
pub trait Surface {
    /// An opened file.
    type File;
    /// A write in a process of its own.
    type Started;
    /// A read in a process of its own.
    type Reading;

    /// The machine behind, for what is not sysfs: modules, time, commands of initiators.
    fn machine<R>(&mut self, work: impl FnOnce(&mut Machine) -> R) -> R;

    /// lstat(2).
    fn lstat(&mut self, path: &str) -> Result<Found, Errno>;
    /// The entries of a directory.
    fn list(&mut self, path: &str) -> Result<Entries, Errno>;
    /// readlink(2).
    fn readlink(&mut self, path: &str) -> Result<Vec<u8>, Errno>;

    /// open(2).
    fn open(&mut self, path: &str, how: How) -> Result<Self::File, Errno>;
    /// One read(2) of up to `count` bytes at the file's position.
    fn read(&mut self, file: &mut Self::File, count: usize) -> Result<Vec<u8>, Errno>;
    /// lseek(2) to the start.
    fn rewind(&mut self, file: &mut Self::File) -> Result<(), Errno>;
    /// One write(2), or pwrite(2) where an offset is given; time passes until it is answered.
    fn write(&mut self, file: &mut Self::File, data: &[u8], offset: Option<u64>) -> Ending;
    /// Writes begun at the same moment, and their answers in the order given.
    fn write_together(&mut self, writes: &[(String, Vec<u8>)]) -> Vec<Ending>;

    /// Begins a write in a process of its own.
    fn start(&mut self, path: &str, data: &[u8]) -> Self::Started;
    /// How it ended, if it has by now.
    fn ended(&mut self, started: &mut Self::Started) -> Option<Ending>;
    /// Sends the writer a signal.
    fn signal(&mut self, started: &mut Self::Started, signal: Signal);

    /// Opens a file and begins to read all of it, in a process of its own. The errno is open(2)'s.
    fn start_read(&mut self, path: &str) -> Result<Self::Reading, Errno>;
    /// What that read answered, if it has by now.
    fn read_ended(&mut self, reading: &mut Self::Reading) -> Option<Result<Vec<u8>, Errno>>;

    /// mkdir(2).
    fn mkdir(&mut self, path: &str) -> Result<(), Errno>;
    /// rmdir(2).
    fn rmdir(&mut self, path: &str) -> Result<(), Errno>;
    /// unlink(2).
    fn unlink(&mut self, path: &str) -> Result<(), Errno>;
    /// truncate(2) to nothing.
    fn truncate(&mut self, path: &str) -> Result<(), Errno>;
    /// chmod(2).
    fn chmod(&mut self, path: &str, mode: u32) -> Result<(), Errno>;

    /// Lets time pass.
    fn pass(&mut self, time: Duration) {
        self.machine(|machine| machine.advance(machine.now() + time));
    }

    /// Lets time pass until the next thing happens, at most up to `limit`; false if nothing would.
    fn pass_to_next_event(&mut self, limit: Duration) -> bool {
        self.machine(|machine| match machine.next_event().filter(|at| *at <= limit) {
            Some(at) => {
                machine.advance(at);
                true
            }
            None => false,
        })
    }
}
