//! What a mount consists of besides its connection: the machine, who waits for it, and what is counted and spoilt.
//!
//! Requests never wait here. What cannot be answered at once is remembered (`waiting` for the machine's answer, `held` by
//! a fault) and answered by its number when the time comes; [`Core::pump`] looks after both.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::clock::{Clock, Pace};
use super::daemon::DaemonFile;
use super::handles::Handles;
use super::nodes::Nodes;
use super::operation::{Look, Operation};
use super::process::Process;
use crate::counters::Counters;
use crate::faults::{Action, Fault, Faults, Op, When};
use crate::fuse::wire;
use crate::host::Files;
use crate::model::{Errno, Machine, Ticket, Unknown, Written};

/// How often the machine is told to look at files that its commands wait for.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

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

/// A write whose answer the machine still owes.
#[derive(Debug)]
struct Waiting {
    /// `None` when nobody waits for it any more.
    unique: Option<u64>,
    ticket: Ticket,
    record: u64,
}

/// A read whose answer the machine still owes.
#[derive(Debug)]
struct Reader {
    unique: u64,
    ticket: Ticket,
    handle: u64,
    offset: u64,
    size: u32,
}

/// An operation a fault keeps back.
#[derive(Debug)]
struct Held {
    /// The caller's request; `None` when it has been answered already.
    unique: Option<u64>,
    /// When it goes on, in machine time; `None`: when released.
    due: Option<Duration>,
    operation: Operation,
    /// It ends with this errno instead of taking effect.
    fails: Option<Errno>,
}

/// An answer to be sent.
pub(crate) type Answer = (u64, Result<Vec<u8>, Errno>);

pub(crate) struct Core {
    pub(crate) machine: Machine,
    pub(crate) files: Option<Files>,
    pub(crate) loadable: Option<BTreeSet<String>>,
    pub(crate) faults: Faults,
    pub(crate) counters: Counters,
    pub(crate) nodes: Nodes,
    pub(crate) handles: Handles,
    /// What the last command to the control file answered.
    pub(crate) last_reply: String,
    /// Processes by thread id, as of their last operation that was looked up.
    pub(crate) callers: HashMap<u32, Process>,
    /// How many requests have been interrupted.
    pub(crate) interrupted: u64,
    /// Seconds since 1970 when the mount began: the time of every file.
    pub(crate) born: u64,
    clock: Clock,
    writes: Vec<WriteRecord>,
    /// Number of the first record in `writes`: how many were forgotten.
    forgotten: u64,
    waiting: Vec<Waiting>,
    readers: Vec<Reader>,
    /// The process that is the iSCSI daemon.
    pub(crate) daemon: Option<DaemonFile>,
    held: Vec<Held>,
    unknown: Vec<Unknown>,
    outbox: Vec<Answer>,
}

impl Core {
    pub(crate) fn new(setup: Setup, born: u64) -> Self {
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
            nodes: Nodes::new(),
            handles: Handles::default(),
            last_reply: String::new(),
            callers: HashMap::new(),
            interrupted: 0,
            born,
            writes: Vec::new(),
            forgotten: 0,
            waiting: Vec::new(),
            readers: Vec::new(),
            daemon: None,
            held: Vec::new(),
            unknown: Vec::new(),
            outbox: Vec::new(),
        }
    }

    // ---- answers -----------------------------------------------------------------------------

    /// Answers a request.
    pub(crate) fn answer(&mut self, unique: u64, answer: Result<Vec<u8>, Errno>) {
        self.outbox.push((unique, answer));
    }

    /// Takes what is to be sent.
    pub(crate) fn take_answers(&mut self) -> Vec<Answer> {
        std::mem::take(&mut self.outbox)
    }

    fn answer_write(&mut self, unique: Option<u64>, record: u64, result: Result<usize, Errno>) {
        let Some(unique) = unique else { return };
        let index = record.checked_sub(self.forgotten).and_then(|index| usize::try_from(index).ok());
        if let Some(record) = index.and_then(|index| self.writes.get_mut(index)) {
            record.result = Some(result);
        }
        self.answer(unique, result.map(wire::written));
    }

    fn answer_operation(&mut self, unique: u64, operation: &Operation, errno: Errno) {
        match operation {
            Operation::Write { record, .. } => self.answer_write(Some(unique), *record, Err(errno)),
            _ => self.answer(unique, Err(errno)),
        }
    }

    // ---- operations --------------------------------------------------------------------------

    /// Remembers a write and gives it a number.
    pub(crate) fn log_write(&mut self, process: Process, path: &[u8], data: &[u8]) -> u64 {
        self.writes.push(WriteRecord { process, path: path.to_owned(), data: data.to_owned(), result: None });
        self.forgotten + self.writes.len() as u64 - 1
    }

    /// Lets a process do something, if no fault has it otherwise. `path` is what faults match.
    pub(crate) fn submit(&mut self, unique: u64, caller: &Process, path: &[u8], operation: Operation) {
        let action = match operation.kind() {
            Some(op) => self.faults.strike(op, path, caller),
            None => None,
        };
        let now = self.now();
        let hold = |unique, after, operation| {
            let due = Option::map(after, |after: Duration| now + after);
            Held { unique, due, operation, fails: None }
        };
        match action {
            None => self.perform(Some(unique), operation),
            Some(Action::Fail(errno)) => self.answer_operation(unique, &operation, errno),
            Some(Action::Delay(after)) => self.held.push(hold(Some(unique), Some(after), operation)),
            Some(Action::Hang) => self.held.push(hold(Some(unique), None, operation)),
            Some(Action::Queue(after, fails)) => {
                self.answer_operation(unique, &operation, Errno::EAGAIN);
                self.held.push(Held { fails, ..hold(None, Some(after), operation) });
            }
            Some(Action::Kill(signal, when)) => {
                match when {
                    When::Before => self.answer_operation(unique, &operation, Errno::EINTR),
                    When::After => self.perform(Some(unique), operation),
                }
                // Answers leave only after this, so the process cannot run on in between.
                if let Err(errno) = caller.signal(signal) {
                    self.report(path, format!("{signal} to process {} by a fault: {errno:?}", caller.pid));
                }
            }
        }
    }

    /// Carries an operation out. Without a request nobody is answered.
    fn perform(&mut self, unique: Option<u64>, operation: Operation) {
        match operation {
            Operation::Write { file, data, record } => match self.machine.write(&file, &data) {
                Written::Done(result) => self.answer_write(unique, record, result),
                Written::Waiting(ticket) => self.waiting.push(Waiting { unique, ticket, record }),
            },
            Operation::Read { handle, offset, size } => match (self.start_read(handle, offset, size), unique) {
                (Look::Done(result), Some(unique)) => self.answer(unique, result),
                (Look::Waiting(ticket), Some(unique)) => {
                    self.readers.push(Reader { unique, ticket, handle, offset, size });
                }
                (_, None) => {}
            },
            other => {
                let result = self.look(other);
                if let Some(unique) = unique {
                    self.answer(unique, result);
                }
            }
        }
    }

    /// A signal reached the caller of a request that has no answer yet: it gets EINTR now, unless the machine's command minds
    /// no signals. A command goes on without it.
    pub(crate) fn interrupt(&mut self, unique: u64) {
        self.interrupted += 1;
        if let Some(waiting) = self.waiting.iter().find(|waiting| waiting.unique == Some(unique)) {
            self.machine.interrupt(waiting.ticket);
        }
        if let Some(reader) = self.readers.iter().find(|reader| reader.unique == unique) {
            self.machine.interrupt(reader.ticket);
        }
        if let Some(index) = self.held.iter().position(|held| held.unique == Some(unique)) {
            let mut held = self.held.remove(index);
            self.answer_operation(unique, &held.operation, Errno::EINTR);
            held.unique = None;
            if held.operation.kind() == Some(Op::Write) {
                self.held.insert(index, held);
            }
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

    /// Brings the machine up to now and answers whatever that, or anything before it, has made ready.
    pub(crate) fn pump(&mut self) {
        self.watch_daemon();
        let now = self.now();
        while let Some(index) = self.next_held(now) {
            let Held { unique, due, operation, fails } = self.held.remove(index);
            self.machine.advance(due.unwrap_or(now));
            match fails {
                Some(errno) => self.machine.finish_command(Err(errno)),
                None => self.perform(unique, operation),
            }
        }
        self.machine.advance(now);
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.retain(|Waiting { unique, ticket, record }| match self.machine.poll(*ticket) {
            Some(result) => {
                self.answer_write(*unique, *record, result);
                false
            }
            None => true,
        });
        self.waiting = waiting;
        let mut readers = std::mem::take(&mut self.readers);
        readers.retain(|reader| match self.machine.poll_read(reader.ticket) {
            Some(content) => {
                let result = self.finish_read(reader.handle, reader.offset, reader.size, content);
                self.answer(reader.unique, result);
                false
            }
            None => true,
        });
        self.readers = readers;
    }

    /// The held operation that is due first.
    fn next_held(&self, now: Duration) -> Option<usize> {
        let due = |index: &usize| self.held[*index].due;
        (0..self.held.len()).filter(|index| due(index).is_some_and(|due| due <= now)).min_by_key(due)
    }

    /// How long nothing will happen by itself; `None`: for ever.
    pub(crate) fn idle_time(&self) -> Option<Duration> {
        let held = self.held.iter().filter_map(|held| held.due).min();
        // A command may wait for a file of this machine or for a stopped process, of whose changes nobody tells.
        let look = (!self.waiting.is_empty() || !self.readers.is_empty()).then(|| self.now() + LOOK_AGAIN);
        let event = self.machine.next_event().into_iter().chain(held).chain(look).min()?;
        self.clock.until(event)
    }

    /// Lets everything go on that hangs. Answers how many.
    pub(crate) fn release(&mut self) -> usize {
        let now = self.now();
        let mut count = 0;
        for held in self.held.iter_mut().filter(|held| held.due.is_none()) {
            held.due = Some(now);
            count += 1;
        }
        count
    }

    /// How many callers wait for an answer.
    pub(crate) fn waiting(&self) -> usize {
        let held = self.held.iter().filter(|held| held.unique.is_some()).count();
        held + self.readers.len() + self.waiting.iter().filter(|waiting| waiting.unique.is_some()).count()
    }

    /// A command that a fault keeps back is, as the kernel would see it, still active.
    pub(crate) fn command_is_held(&self) -> bool {
        self.held.iter().any(|held| held.operation.kind() == Some(Op::Write))
    }

    // ---- reports -----------------------------------------------------------------------------

    /// Notes something this file system cannot answer.
    pub(crate) fn report(&mut self, path: &[u8], what: String) {
        self.unknown.push(Unknown { path: path.to_owned(), what });
    }

    /// All that was asked and not known, by the machine or here.
    pub(crate) fn unknowns(&self) -> Vec<Unknown> {
        self.machine.unknowns().iter().chain(&self.unknown).cloned().collect()
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
}
