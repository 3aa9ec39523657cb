//! A machine with what belongs to it while it is mounted: its files, its time, what goes wrong in it, and what is counted
//! and noted. The mount serves it to the kernel, the control files show and change it.

mod clock;
mod daemon;
mod operation;

use std::collections::BTreeSet;
use std::time::Duration;

pub use self::clock::Pace;
pub(crate) use self::operation::{Held, Operation};

use self::clock::Clock;
use self::daemon::DaemonFile;
use crate::counters::Counters;
use crate::faults::{Fault, Faults, Op};
use crate::host::Files;
use crate::model::{Errno, Machine, Unknown};
use crate::process::Process;

/// A machine and what belongs to it, ready to be mounted.
pub struct Setup {
    /// The machine.
    pub machine: Machine,
    /// Its files, when they may be declared anew while it runs.
    pub files: Option<Files>,
    /// The modules that `modprobe` through the control file finds; `None`: all the model knows.
    pub loadable: Option<BTreeSet<String>>,
    /// Faults armed from the start.
    pub faults: Vec<Fault>,
    /// How its time passes.
    pub pace: Pace,
}

impl From<Machine> for Setup {
    fn from(machine: Machine) -> Self {
        Self { machine, files: None, loadable: None, faults: Vec::new(), pace: Pace::Real }
    }
}

/// One write, in the order they arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteRecord {
    /// Who wrote.
    pub process: Process,
    /// Where, relative to the mount point.
    pub path: Vec<u8>,
    /// What: at most a page of it.
    pub data: Vec<u8>,
    /// What the writer was answered; `None` while it waits.
    pub result: Option<Result<usize, Errno>>,
}

/// A machine that is mounted.
pub(crate) struct Served {
    pub(crate) machine: Machine,
    pub(crate) files: Option<Files>,
    pub(crate) loadable: Option<BTreeSet<String>>,
    pub(crate) faults: Faults,
    pub(crate) counters: Counters,
    /// What faults keep back.
    pub(crate) held: Vec<Held>,
    /// The process that is the iSCSI daemon.
    pub(crate) daemon: DaemonFile,
    /// What the last command to the control file answered.
    pub(crate) last_reply: String,
    clock: Clock,
    writes: Vec<WriteRecord>,
    /// Number of the first record in `writes`: how many were forgotten.
    forgotten: u64,
    unknown: Vec<Unknown>,
}

impl Served {
    pub(crate) fn new(setup: Setup) -> Self {
        let Setup { machine, files, loadable, faults: scheduled, pace } = setup;
        let mut faults = Faults::default();
        for fault in scheduled {
            faults.arm(fault);
        }
        Self {
            clock: Clock::starting_at(machine.now(), pace),
            machine,
            files,
            loadable,
            faults,
            counters: Counters::default(),
            held: Vec::new(),
            daemon: DaemonFile::default(),
            last_reply: String::new(),
            writes: Vec::new(),
            forgotten: 0,
            unknown: Vec::new(),
        }
    }

    // ---- time --------------------------------------------------------------------------------

    /// Machine time.
    pub(crate) fn now(&self) -> Duration {
        self.clock.now()
    }

    /// Lets that much time pass at once.
    pub(crate) fn skip(&mut self, time: Duration) {
        self.clock.skip(time);
    }

    /// How long to sleep until `event`; `None` where sleeping does not bring it nearer.
    pub(crate) fn until(&self, event: Duration) -> Option<Duration> {
        self.clock.until(event)
    }

    // ---- what is held ------------------------------------------------------------------------

    /// Lets everything go on that hangs. Answers how many.
    pub(crate) fn release(&mut self) -> usize {
        let now = self.now();
        let hanging = self.held.iter_mut().filter(|held| held.due.is_none());
        hanging.map(|held| held.due = Some(now)).count()
    }

    /// A command that a fault keeps back is, as the kernel would see it, still active.
    pub(crate) fn command_is_held(&self) -> bool {
        self.held.iter().any(|held| held.operation.kind() == Some(Op::Write))
    }

    // ---- what is noted -----------------------------------------------------------------------

    /// Remembers a write and gives it a number.
    pub(crate) fn log_write(&mut self, process: Process, path: &[u8], data: &[u8]) -> u64 {
        self.writes.push(WriteRecord { process, path: path.to_owned(), data: data.to_owned(), result: None });
        self.forgotten + self.writes.len() as u64 - 1
    }

    /// The write with that number was answered.
    pub(crate) fn written(&mut self, record: u64, result: Result<usize, Errno>) {
        let index = record.checked_sub(self.forgotten).and_then(|index| usize::try_from(index).ok());
        if let Some(record) = index.and_then(|index| self.writes.get_mut(index)) {
            record.result = Some(result);
        }
    }

    pub(crate) fn writes(&self) -> &[WriteRecord] {
        &self.writes
    }

    /// Forgets counters and writes.
    pub(crate) fn reset_counters(&mut self) {
        self.counters = Counters::default();
        self.forgotten += self.writes.len() as u64;
        self.writes.clear();
    }

    /// Notes something this file system cannot answer.
    pub(crate) fn report(&mut self, path: &[u8], what: String) {
        self.unknown.push(Unknown { path: path.to_owned(), what });
    }

    /// All that was asked and not known, by the machine or here.
    pub(crate) fn unknowns(&self) -> Vec<Unknown> {
        self.machine.unknowns().iter().chain(&self.unknown).cloned().collect()
    }
}
