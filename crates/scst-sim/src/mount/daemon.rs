//! The process that is the iSCSI daemon, because it holds `.sim/iscsi-daemon` open for writing.
//!
//! The kernel says when it closes the file, however it ends. Whether a signal has stopped it is looked up in `/proc`.

use std::fmt;
use std::fs;

use super::Core;
use super::process::Process;
use crate::model::{DaemonSignal, Errno};

/// That process.
#[derive(Debug)]
pub(crate) struct DaemonFile {
    /// The open file that makes it the daemon.
    handle: u64,
    process: Process,
    stopped: bool,
}

impl fmt::Display for DaemonFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.stopped { "stopped" } else { "running" };
        writeln!(f, "{} {} {state}", self.process.pid, self.process.name)
    }
}

impl Core {
    /// A process opens the file for writing: the daemon starts. ENODEV without the driver, EBUSY with a daemon.
    pub(crate) fn start_daemon(&mut self) -> Result<(), Errno> {
        self.machine.iscsi_daemon(true)
    }

    /// The daemon that has started is the process that holds this file.
    pub(crate) fn remember_daemon(&mut self, handle: u64, process: Process) {
        self.daemon = Some(DaemonFile { handle, process, stopped: false });
    }

    /// A file was closed for the last time.
    pub(crate) fn closed(&mut self, handle: u64) {
        if self.daemon.as_ref().is_some_and(|daemon| daemon.handle == handle) {
            self.daemon = None;
            // The module may have been unloaded; then nothing is left to end.
            let _gone = self.machine.signal_iscsi_daemon(DaemonSignal::End);
        }
    }

    /// The daemon was ended by command: what its process does from now on means nothing.
    pub(crate) fn forget_daemon(&mut self) {
        self.daemon = None;
    }

    /// Notices that the process was stopped or continued.
    pub(super) fn watch_daemon(&mut self) {
        let Some(daemon) = &mut self.daemon else { return };
        let stopped = is_stopped(daemon.process.pid);
        if stopped != daemon.stopped {
            daemon.stopped = stopped;
            let signal = if stopped { DaemonSignal::Stop } else { DaemonSignal::Continue };
            let _gone = self.machine.signal_iscsi_daemon(signal);
        }
    }
}

/// The process is stopped, by a signal or a debugger.
fn is_stopped(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name in brackets may hold anything.
    let state = stat.rsplit_once(')').and_then(|(_, rest)| rest.trim_start().chars().next());
    matches!(state, Some('T' | 't'))
}
