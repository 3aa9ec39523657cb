//! The process that is the iSCSI daemon, because it holds `.sim/iscsi-daemon` open for writing.
//!
//! The kernel says when it closes the file, however it ends. Whether a signal has stopped it is looked up in `/proc`.

use std::fmt;
use std::fs;

use crate::model::{DaemonSignal, Machine};
use crate::process::Process;

/// That process, if there is one.
#[derive(Debug, Default)]
pub(crate) struct DaemonFile(Option<Holder>);

#[derive(Debug)]
struct Holder {
    /// The open file that makes it the daemon.
    handle: u64,
    process: Process,
    stopped: bool,
}

impl fmt::Display for DaemonFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(Holder { process, stopped, .. }) = &self.0 else { return f.write_str("none\n") };
        writeln!(f, "{} {} {}", process.pid, process.name, if *stopped { "stopped" } else { "running" })
    }
}

impl DaemonFile {
    /// The daemon that has started is the process that holds this file.
    pub(crate) fn remember(&mut self, handle: u64, process: Process) {
        self.0 = Some(Holder { handle, process, stopped: false });
    }

    /// A file was closed for the last time.
    pub(crate) fn closed(&mut self, handle: u64, machine: &mut Machine) {
        if self.0.take_if(|daemon| daemon.handle == handle).is_some() {
            // The module may have been unloaded; then nothing is left to end.
            let _gone = machine.signal_iscsi_daemon(DaemonSignal::End);
        }
    }

    /// The daemon was ended by command: what its process does from now on means nothing.
    pub(crate) fn forget(&mut self) {
        self.0 = None;
    }

    /// Notices that the process was stopped or continued.
    pub(crate) fn watch(&mut self, machine: &mut Machine) {
        let Some(daemon) = &mut self.0 else { return };
        let stopped = is_stopped(daemon.process.pid);
        if stopped != daemon.stopped {
            daemon.stopped = stopped;
            let signal = if stopped { DaemonSignal::Stop } else { DaemonSignal::Continue };
            let _gone = machine.signal_iscsi_daemon(signal);
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
