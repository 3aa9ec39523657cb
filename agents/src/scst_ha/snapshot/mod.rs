//! What one run saw of its machine, to be looked at again elsewhere: `status --json` prints it, and `plan --state` makes its plans of it, on a
//! machine without SCST, with the same code that the agents have.
//!
//! Every operation that was asked of the machine is kept with its answer, but for users of targets, whose files hold secrets. Asked again it gives that answer; what was never asked is not known,
//! unless the listing of its directory says that it is not there.

/// A machine that is only looked at refuses what would change it.
macro_rules! only_looked_at {
    () => {
        fn run_daemon(&self, _program: &Path, _limit: Duration) -> io::Result<Ended> {
            Err(io::ErrorKind::Unsupported.into())
        }

        fn replace_file(&self, _path: &Path, _text: &str) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }

        fn keep_file(&self, _path: &Path, _text: &str) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }

        fn make_directory(&self, _path: &Path) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }

        fn remove_file(&self, _path: &Path) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }
    };
}

mod recorder;
pub(super) mod replay;

use std::collections::BTreeMap;

use scst_core::error::Verb;
use scst_core::system::{Entry, EntryKind, Output, StoreKind};
use serde::{Deserialize, Serialize};

pub(super) use self::recorder::Recorder;
pub(super) use self::replay::Replay;

/// Answers by path. An error is its number.
type Answers<T> = BTreeMap<String, Result<T, i32>>;

/// The places that the run was told, which are places on its machine.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Places {
    pub(super) sysfs_root: String,
    pub(super) rsctmp: String,
    pub(super) var_lib: String,
}

/// Everything that was seen.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Snapshot {
    pub(super) places: Places,
    /// Milliseconds since the machine booted.
    pub(super) now: u64,
    /// Which boot it was.
    pub(super) boot: String,
    /// Attributes of the kernel.
    read: Answers<String>,
    /// Directories of the kernel: names, a directory's with a slash and a link's with an at behind it.
    listed: Answers<Vec<String>>,
    /// Links of the kernel.
    linked: Answers<String>,
    /// Stores below devices.
    stores: Answers<Seen>,
    /// State files.
    files: Answers<String>,
    /// Directories of state files.
    directories: Answers<Vec<String>>,
}

/// What is at the path of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Seen {
    /// A file of so many bytes.
    File(u64),
    /// A disk of this number.
    Disk(u64),
    /// Something else.
    Other,
}

impl Snapshot {
    /// Keeps the answer to an operation on the kernel's tree or on a store.
    fn keep(&mut self, verb: Verb, path: String, answer: &std::io::Result<Output>) {
        let errno = |error: &std::io::Error| error.raw_os_error().unwrap_or(nix::libc::EIO);
        match (verb, answer) {
            (Verb::Read, Ok(Output::Text(text))) => _ = self.read.insert(path, Ok(text.clone())),
            (Verb::Link, Ok(Output::Text(text))) => _ = self.linked.insert(path, Ok(text.clone())),
            (Verb::List, Ok(Output::Entries(entries))) => {
                _ = self.listed.insert(path, Ok(entries.iter().map(name).collect()));
            }
            (Verb::Look, Ok(Output::Store(kind))) => _ = self.stores.insert(path, Ok((*kind).into())),
            (Verb::Read, Err(error)) => _ = self.read.insert(path, Err(errno(error))),
            (Verb::Link, Err(error)) => _ = self.linked.insert(path, Err(errno(error))),
            (Verb::List, Err(error)) => _ = self.listed.insert(path, Err(errno(error))),
            (Verb::Look, Err(error)) => _ = self.stores.insert(path, Err(errno(error))),
            _ => {}
        }
    }
}

impl From<StoreKind> for Seen {
    fn from(kind: StoreKind) -> Self {
        match kind {
            StoreKind::File(bytes) => Self::File(bytes),
            StoreKind::Disk(number) => Self::Disk(number),
            StoreKind::Other => Self::Other,
        }
    }
}

impl From<Seen> for StoreKind {
    fn from(seen: Seen) -> Self {
        match seen {
            Seen::File(bytes) => Self::File(bytes),
            Seen::Disk(number) => Self::Disk(number),
            Seen::Other => Self::Other,
        }
    }
}

fn name(entry: &Entry) -> String {
    let mark = match entry.kind {
        EntryKind::Dir => "/",
        EntryKind::Link => "@",
        EntryKind::File => "",
    };
    format!("{}{mark}", entry.name)
}

fn entry(name: &str) -> Entry {
    let (name, kind) = match name.strip_suffix('/') {
        Some(name) => (name, EntryKind::Dir),
        None => name.strip_suffix('@').map_or((name, EntryKind::File), |name| (name, EntryKind::Link)),
    };
    Entry { name: name.to_owned(), kind }
}
