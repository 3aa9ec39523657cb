//! The interface [`System`], through which an action reaches everything outside itself: kernel files, other programs,
//! files of its own, the clock.
//!
//! [`Machine`] is this computer, and what the binaries use. A simulation implements [`System`] with a model of the
//! kernel and a clock of its own, and runs the same actions on it. [`crate::ocf::run`], where a run of an agent begins,
//! chooses; nothing else knows which it is.

mod helper;
mod kernel_files;
mod machine;
mod own_files;
mod worker;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::Verb;

pub use self::helper::serve as serve_as_helper;
pub use self::machine::Machine;

/// The outside of one run.
pub trait System: fmt::Debug + Send + Sync {
    /// Time since this machine booted: unlike the time of day it never jumps.
    fn now(&self) -> Duration;

    /// Sleeps for `time`.
    fn sleep(&self, time: Duration);

    /// Which boot of the machine this is: a text that changes with every boot.
    fn boot(&self) -> String;

    /// Begins one operation on a kernel file, or on a store below a device, which may sleep in the kernel for as long as it likes.
    ///
    /// # Errors
    ///
    /// The operation could not even be begun: no thread or process for it could be started.
    fn begin(&self, operation: Operation) -> io::Result<Box<dyn Pending>>;

    /// The path of the program `name` in the first of these directories that has it.
    fn find_program(&self, directories: &[PathBuf], name: &str) -> Option<PathBuf>;

    /// Runs a program to its end; after `limit` it is killed.
    ///
    /// # Errors
    ///
    /// The program could not be started; [`io::ErrorKind::TimedOut`]: it did not end in time.
    fn run_program(&self, program: &Path, arguments: &[&str], limit: Duration) -> io::Result<Ended>;

    /// The same for a program that goes into the background and stays there: it gets neither our parameters nor the signals that we
    /// have blocked.
    ///
    /// # Errors
    ///
    /// As above.
    fn run_daemon(&self, program: &Path, limit: Duration) -> io::Result<Ended>;

    /// The text of a file of our own, at most 1 MiB of it.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::NotFound`]: there is none; anything else: it cannot be read as text.
    fn read_file(&self, path: &Path) -> io::Result<String>;

    /// Puts a file of our own into place, as a whole, with its directory where that is missing.
    ///
    /// # Errors
    ///
    /// What the file system answers; then the file is as it was.
    fn replace_file(&self, path: &Path, text: &str) -> io::Result<()>;

    /// The same for a file that outlives a reboot: it is on the disk before it has its name.
    ///
    /// # Errors
    ///
    /// What the file system answers; then the file is as it was.
    fn keep_file(&self, path: &Path, text: &str) -> io::Result<()>;

    /// Makes a directory, and its parents, where they are missing.
    ///
    /// # Errors
    ///
    /// What the file system answers.
    fn make_directory(&self, path: &Path) -> io::Result<()>;

    /// Whether there is a directory at a path.
    fn is_directory(&self, path: &Path) -> bool;

    /// The first `most` bytes of a file, or all where it has fewer.
    ///
    /// # Errors
    ///
    /// As for [`System::read_file`].
    fn read_head(&self, path: &Path, most: usize) -> io::Result<Vec<u8>> {
        let mut bytes = self.read_file(path)?.into_bytes();
        bytes.truncate(most);
        Ok(bytes)
    }

    /// Removes a file of our own.
    ///
    /// # Errors
    ///
    /// What the file system answers.
    fn remove_file(&self, path: &Path) -> io::Result<()>;

    /// The files in a directory of ours.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::NotFound`]: there is no such directory; anything else: it cannot be read.
    fn list_files(&self, directory: &Path) -> io::Result<Vec<PathBuf>>;

    /// Takes the lock on a file of our own, without waiting. `make`: make the file where it is missing.
    ///
    /// # Errors
    ///
    /// What the file system answers; that another process holds the lock is [`Locked::ByAnother`].
    fn lock_file(&self, path: &Path, make: bool) -> io::Result<Locked>;
}

/// Whether a lock was taken.
#[derive(Debug)]
pub enum Locked {
    /// It is ours until the value is dropped, or the process ends.
    Taken(Box<dyn Lock>),
    /// Another process has it.
    ByAnother,
}

/// A lock that is held.
pub trait Lock: fmt::Debug + Send {}

/// An operation on a kernel file that was begun. If it is dropped before its end, the operation goes on and nobody
/// learns its answer.
pub trait Pending: fmt::Debug {
    /// Waits for the answer, for `time` at most. `None`: there is none yet, or it was given already.
    fn answer(&mut self, time: Duration) -> Option<io::Result<Output>>;
}

/// One operation on a kernel file or a store.
#[derive(Clone, PartialEq, Eq)]
pub struct Operation {
    /// What is done.
    pub verb: Verb,
    /// The full path.
    pub path: PathBuf,
    /// What a write writes, without the newline that is added.
    pub data: Option<String>,
    /// The part of `data` that no message may show.
    pub secret: Option<String>,
    /// A helper process reads or writes: it gets no signal that is meant for ours, and goes on when nobody waits for
    /// it.
    pub apart: bool,
}

impl Operation {
    /// An operation of this process that writes nothing.
    pub fn new(verb: Verb, path: impl Into<PathBuf>) -> Self {
        Self { verb, path: path.into(), data: None, secret: None, apart: false }
    }

    /// What a write writes, with `***` in the place of the secret.
    pub fn shown(&self) -> Option<String> {
        let data = self.data.as_ref()?;
        Some(self.secret.as_ref().map_or_else(|| data.clone(), |secret| data.replace(secret, "***")))
    }
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?} {}", self.verb, self.shown(), self.path.display())
    }
}

/// What an operation gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// A write was carried out.
    Written,
    /// The text of an attribute or of a link.
    Text(String),
    /// The entries of a directory, sorted by name.
    Entries(Vec<Entry>),
    /// What is at a path.
    Store(StoreKind),
}

/// What is at the path of a backing store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreKind {
    /// A regular file; its size in bytes.
    File(u64),
    /// A block device; its number, major and minor in one (`st_rdev` of stat(2)).
    Disk(u64),
    /// Something else.
    Other,
}

/// One entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: EntryKind,
}

/// What kind of entry a directory holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// A directory.
    Dir,
    /// A symbolic link.
    Link,
    /// An attribute.
    File,
}

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Why it did not succeed, if it did not: `exit code 102`, `signal 9`.
    pub failure: Option<String>,
    /// What it printed.
    pub stdout: Vec<u8>,
    /// What it printed on its standard error.
    pub stderr: Vec<u8>,
}
