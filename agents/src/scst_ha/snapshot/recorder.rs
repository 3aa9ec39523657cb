//! A machine that remembers what it was asked and what it answered. It is only looked at: nothing is written on it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use scst_core::error::Verb;
use scst_core::system::{Ended, Locked, Operation, Output, Pending, System};

use super::{Places, Snapshot};
use crate::scst_ha::secrets::is_user_file;

/// The machine, and what was seen of it.
#[derive(Debug)]
pub(crate) struct Recorder {
    machine: Arc<dyn System>,
    seen: Arc<Mutex<Snapshot>>,
}

impl Recorder {
    /// A recorder of this machine.
    pub(crate) fn new(machine: Arc<dyn System>, places: Places) -> Self {
        let now = u64::try_from(machine.now().as_millis()).unwrap_or_default();
        let snapshot = Snapshot { places, now, boot: machine.boot(), ..Snapshot::default() };
        Self { machine, seen: Arc::new(Mutex::new(snapshot)) }
    }

    /// What was seen so far.
    pub(crate) fn snapshot(&self) -> Snapshot {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, keep: impl FnOnce(&mut Snapshot)) {
        keep(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// An operation whose answer is kept when it comes.
#[derive(Debug)]
struct Kept {
    pending: Box<dyn Pending>,
    verb: Verb,
    path: String,
    seen: Arc<Mutex<Snapshot>>,
}

impl Pending for Kept {
    fn answer(&mut self, time: Duration) -> Option<io::Result<Output>> {
        let answer = self.pending.answer(time)?;
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).keep(self.verb, self.path.clone(), &answer);
        Some(answer)
    }
}

impl System for Recorder {
    fn now(&self) -> Duration {
        self.machine.now()
    }

    fn sleep(&self, time: Duration) {
        self.machine.sleep(time);
    }

    fn boot(&self) -> String {
        self.machine.boot()
    }

    fn begin(&self, operation: Operation) -> io::Result<Box<dyn Pending>> {
        let (verb, path) = (operation.verb, operation.path.to_string_lossy().into_owned());
        // It holds a secret: it is read, and not kept.
        let secret = operation.path.file_name().is_some_and(|name| is_user_file(&name.to_string_lossy()));
        let pending = self.machine.begin(operation)?;
        if secret {
            return Ok(pending);
        }
        Ok(Box::new(Kept { pending, verb, path, seen: Arc::clone(&self.seen) }))
    }

    only_looked_at!();

    fn find_program(&self, directories: &[PathBuf], name: &str) -> Option<PathBuf> {
        self.machine.find_program(directories, name)
    }

    fn run_program(&self, program: &Path, arguments: &[&str], limit: Duration) -> io::Result<Ended> {
        self.machine.run_program(program, arguments, limit)
    }

    fn read_file(&self, path: &Path) -> io::Result<String> {
        let answer = self.machine.read_file(path);
        let kept = answer.as_ref().map(Clone::clone).map_err(|error| error.raw_os_error().unwrap_or(nix::libc::EIO));
        self.keep(|seen| _ = seen.files.insert(path.to_string_lossy().into_owned(), kept));
        answer
    }

    fn is_directory(&self, path: &Path) -> bool {
        self.machine.is_directory(path)
    }

    fn list_files(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        let answer = self.machine.list_files(directory);
        let names = |paths: &Vec<PathBuf>| paths.iter().map(|path| path.to_string_lossy().into_owned()).collect();
        let kept = answer.as_ref().map(names).map_err(|error| error.raw_os_error().unwrap_or(nix::libc::EIO));
        self.keep(|seen| _ = seen.directories.insert(directory.to_string_lossy().into_owned(), kept));
        answer
    }

    fn lock_file(&self, path: &Path, make: bool) -> io::Result<Locked> {
        self.machine.lock_file(path, make)
    }
}
