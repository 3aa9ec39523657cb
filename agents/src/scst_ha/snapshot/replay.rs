//! A machine that is what another one was: it answers what that one answered.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use scst_core::error::Verb;
use scst_core::system::{Ended, Locked, Operation, Output, Pending, StoreKind, System};

use super::{Snapshot, entry};
use crate::scst_ha::secrets::is_user_file;

/// The machine that was.
#[derive(Debug)]
pub(crate) struct Replay {
    snapshot: Snapshot,
    began: Instant,
    /// What was asked and is not known.
    unknown: Mutex<BTreeSet<String>>,
}

impl Replay {
    /// The machine of this snapshot.
    pub(crate) fn new(snapshot: Snapshot) -> Self {
        Self { snapshot, began: Instant::now(), unknown: Mutex::default() }
    }

    /// What was asked so far and is not known, a sentence each.
    pub(crate) fn unknown(&self) -> Vec<String> {
        self.unknown.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    fn do_not_know(&self, what: String) {
        self.unknown.lock().unwrap_or_else(PoisonError::into_inner).insert(what);
    }

    fn answer(&self, operation: &Operation) -> io::Result<Output> {
        let path = operation.path.to_string_lossy();
        let known = match operation.verb {
            Verb::Read => self.snapshot.read.get(&*path).map(|answer| answer.clone().map(Output::Text)),
            Verb::Link => self.snapshot.linked.get(&*path).map(|answer| answer.clone().map(Output::Text)),
            Verb::List => {
                // Of users nothing is known: they are not there.
                let entries = |names: Vec<String>| {
                    Output::Entries(names.iter().filter(|name| !is_user_file(name)).map(|name| entry(name)).collect())
                };
                self.snapshot.listed.get(&*path).map(|answer| answer.clone().map(entries))
            }
            Verb::Look => self.snapshot.stores.get(&*path).map(|answer| answer.map(|seen| Output::Store(seen.into()))),
            Verb::Write | Verb::OpenToRead | Verb::OpenToWrite => return Err(io::ErrorKind::Unsupported.into()),
        };
        if let Some(answer) = known {
            return answer.map_err(io::Error::from_raw_os_error);
        }
        if operation.verb == Verb::Look {
            self.do_not_know(format!("the state does not say what is at {path}: taken for a store that is there"));
            return Ok(Output::Store(StoreKind::Other));
        }
        if self.is_absent(&operation.path) {
            return Err(io::Error::from_raw_os_error(nix::libc::ENOENT));
        }
        self.do_not_know(format!("the state does not hold {path}"));
        Err(io::Error::from_raw_os_error(nix::libc::ENODATA))
    }

    /// The nearest directory above that was listed does not name the way to it.
    fn is_absent(&self, path: &Path) -> bool {
        let (mut path, mut parent) = (path, path.parent());
        while let Some(directory) = parent {
            if let Some(answer) = self.snapshot.listed.get(&*directory.to_string_lossy()) {
                let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                return answer.as_ref().map_or(true, |names| names.iter().all(|known| entry(known).name != name));
            }
            (path, parent) = (directory, directory.parent());
        }
        false
    }
}

/// An answer that is there already.
#[derive(Debug)]
pub(in crate::scst_ha) struct There(pub(in crate::scst_ha) Option<io::Result<Output>>);

impl Pending for There {
    fn answer(&mut self, _time: Duration) -> Option<io::Result<Output>> {
        self.0.take()
    }
}

impl System for Replay {
    fn now(&self) -> Duration {
        Duration::from_millis(self.snapshot.now) + self.began.elapsed()
    }

    fn sleep(&self, _time: Duration) {}

    fn boot(&self) -> String {
        self.snapshot.boot.clone()
    }

    fn begin(&self, operation: Operation) -> io::Result<Box<dyn Pending>> {
        Ok(Box::new(There(Some(self.answer(&operation)))))
    }

    only_looked_at!();

    fn find_program(&self, _directories: &[PathBuf], _name: &str) -> Option<PathBuf> {
        None
    }

    fn run_program(&self, _program: &Path, _arguments: &[&str], _limit: Duration) -> io::Result<Ended> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn read_file(&self, path: &Path) -> io::Result<String> {
        let missing = Err(nix::libc::ENOENT);
        let answer = self.snapshot.files.get(&*path.to_string_lossy()).unwrap_or(&missing);
        answer.clone().map_err(io::Error::from_raw_os_error)
    }

    fn is_directory(&self, _path: &Path) -> bool {
        true
    }

    fn list_files(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        let missing = Err(nix::libc::ENOENT);
        let answer = self.snapshot.directories.get(&*directory.to_string_lossy()).unwrap_or(&missing);
        answer.clone().map(|paths| paths.into_iter().map(PathBuf::from).collect()).map_err(io::Error::from_raw_os_error)
    }

    fn lock_file(&self, _path: &Path, _make: bool) -> io::Result<Locked> {
        Err(io::ErrorKind::NotFound.into())
    }
}
