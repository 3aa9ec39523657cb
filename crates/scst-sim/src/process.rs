//! Who makes a request: the process behind the thread id in a FUSE message, and signals to it.

use std::fs;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A process that uses the mount.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Process {
    /// Its process id; 0 when it lives in another process namespace.
    pub pid: u32,
    /// The process that has started it, where that is known.
    pub parent: u32,
    /// Its name as in `/proc/<pid>/comm`: 15 bytes at most; empty when unknown.
    pub name: String,
}

impl Process {
    /// The process of thread `tid`. It is sure to exist: it sleeps until its request is answered.
    pub(crate) fn of_thread(tid: u32) -> Self {
        let status = fs::read_to_string(format!("/proc/{tid}/status")).unwrap_or_default();
        let field = |key: &str| status.lines().find_map(|line| Some(line.strip_prefix(key)?.trim().to_owned()));
        let pid = field("Tgid:").and_then(|text| text.parse().ok()).unwrap_or(tid);
        let name = if pid == tid {
            field("Name:").unwrap_or_default()
        } else {
            // A thread may carry a name of its own; what counts is the program's.
            fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim_end().to_owned()
        };
        // A thread has the parent of its process.
        let parent = field("PPid:").and_then(|text| text.parse().ok()).unwrap_or_default();
        Self { pid, parent, name }
    }

    /// Sends it a signal. The simulator never signals itself: a test that reads its own mount would take all down.
    pub(crate) fn signal(&self, signal: Signal) -> Result<(), Errno> {
        match i32::try_from(self.pid) {
            Ok(pid) if pid > 0 && self.pid != std::process::id() => kill(Pid::from_raw(pid), signal),
            _ => Err(Errno::ESRCH),
        }
    }
}
