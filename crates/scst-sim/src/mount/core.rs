//! What a mount consists of besides its connection: the machine, who waits for it, and what is counted and spoilt.
//!
//! Requests never wait here. What cannot be answered at once is remembered (`waiting` for the machine's answer, `held` by
//! a fault) and answered by its number when the time comes; [`Core::pump`] looks after both.

use std::collections::HashMap;
use std::time::Duration;

use super::handles::Handles;
use super::nodes::Nodes;
use crate::faults::{Action, Op, When};
use crate::fuse::wire;
use crate::model::{Errno, Ticket, Written};
use crate::process::Process;
use crate::served::{Held, Operation, Served, Setup};

/// How often the machine is told to look at files that its commands wait for.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

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

/// What became of a read.
pub(crate) enum Look {
    /// It is answered.
    Done(Result<Vec<u8>, Errno>),
    /// The machine owes the answer.
    Waiting(Ticket),
}

/// An answer to be sent.
pub(crate) type Answer = (u64, Result<Vec<u8>, Errno>);

pub(crate) struct Core {
    pub(crate) served: Served,
    pub(crate) nodes: Nodes,
    pub(crate) handles: Handles,
    /// Processes by thread id, as of their last operation that was looked up.
    pub(crate) callers: HashMap<u32, Process>,
    /// How many requests have been interrupted.
    pub(crate) interrupted: u64,
    /// Seconds since 1970 when the mount began: the time of every file.
    pub(crate) born: u64,
    waiting: Vec<Waiting>,
    readers: Vec<Reader>,
    outbox: Vec<Answer>,
}

impl Core {
    pub(crate) fn new(setup: Setup, born: u64) -> Self {
        Self {
            served: Served::new(setup),
            nodes: Nodes::new(),
            handles: Handles::default(),
            callers: HashMap::new(),
            interrupted: 0,
            born,
            waiting: Vec::new(),
            readers: Vec::new(),
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
        self.served.written(record, result);
        self.answer(unique, result.map(wire::written));
    }

    fn answer_operation(&mut self, unique: u64, operation: &Operation, errno: Errno) {
        match operation {
            Operation::Write { record, .. } => self.answer_write(Some(unique), *record, Err(errno)),
            _ => self.answer(unique, Err(errno)),
        }
    }

    // ---- operations --------------------------------------------------------------------------

    /// Lets a process do something, if no fault has it otherwise. `path` is what faults match.
    pub(crate) fn submit(&mut self, unique: u64, caller: &Process, path: &[u8], operation: Operation) {
        let action = match operation.kind() {
            Some(op) => self.served.faults.strike(op, path, caller),
            None => None,
        };
        let now = self.served.now();
        let hold = |unique, after, operation| {
            let due = Option::map(after, |after: Duration| now + after);
            Held { unique, due, operation, fails: None }
        };
        match action {
            None => self.perform(Some(unique), operation),
            Some(Action::Fail(errno)) => self.answer_operation(unique, &operation, errno),
            Some(Action::Delay(after)) => self.served.held.push(hold(Some(unique), Some(after), operation)),
            Some(Action::Hang) => self.served.held.push(hold(Some(unique), None, operation)),
            Some(Action::Queue(after, fails)) => {
                self.answer_operation(unique, &operation, Errno::EAGAIN);
                self.served.held.push(Held { fails, ..hold(None, Some(after), operation) });
            }
            Some(Action::Kill(signal, when)) => {
                match when {
                    When::Before => self.answer_operation(unique, &operation, Errno::EINTR),
                    When::After => self.perform(Some(unique), operation),
                }
                // Answers leave only after this, so the process cannot run on in between.
                if let Err(errno) = caller.signal(signal) {
                    self.served.report(path, format!("{signal} to process {} by a fault: {errno:?}", caller.pid));
                }
            }
        }
    }

    /// Carries an operation out. Without a request nobody is answered.
    fn perform(&mut self, unique: Option<u64>, operation: Operation) {
        match operation {
            Operation::Write { file, data, record } => match self.served.machine.write(&file, &data) {
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
            self.served.machine.interrupt(waiting.ticket);
        }
        if let Some(reader) = self.readers.iter().find(|reader| reader.unique == unique) {
            self.served.machine.interrupt(reader.ticket);
        }
        if let Some(index) = self.served.held.iter().position(|held| held.unique == Some(unique)) {
            let mut held = self.served.held.remove(index);
            self.answer_operation(unique, &held.operation, Errno::EINTR);
            held.unique = None;
            if held.operation.kind() == Some(Op::Write) {
                self.served.held.insert(index, held);
            }
        }
    }

    // ---- time --------------------------------------------------------------------------------

    /// Brings the machine up to now and answers whatever that, or anything before it, has made ready.
    pub(crate) fn pump(&mut self) {
        self.served.daemon.watch(&mut self.served.machine);
        let now = self.served.now();
        while let Some(index) = self.next_held(now) {
            let Held { unique, due, operation, fails } = self.served.held.remove(index);
            self.served.machine.advance(due.unwrap_or(now));
            match fails {
                Some(errno) => self.served.machine.finish_command(Err(errno)),
                None => self.perform(unique, operation),
            }
        }
        self.served.machine.advance(now);
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.retain(|Waiting { unique, ticket, record }| match self.served.machine.poll(*ticket) {
            Some(result) => {
                self.answer_write(*unique, *record, result);
                false
            }
            None => true,
        });
        self.waiting = waiting;
        let mut readers = std::mem::take(&mut self.readers);
        readers.retain(|reader| match self.served.machine.poll_read(reader.ticket) {
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
        let due = |index: &usize| self.served.held[*index].due;
        (0..self.served.held.len()).filter(|index| due(index).is_some_and(|due| due <= now)).min_by_key(due)
    }

    /// How long nothing will happen by itself; `None`: for ever.
    pub(crate) fn idle_time(&self) -> Option<Duration> {
        let held = self.served.held.iter().filter_map(|held| held.due).min();
        // A command may wait for a file of this machine or for a stopped process, of whose changes nobody tells.
        let look = (!self.waiting.is_empty() || !self.readers.is_empty()).then(|| self.served.now() + LOOK_AGAIN);
        let event = self.served.machine.next_event().into_iter().chain(held).chain(look).min()?;
        self.served.until(event)
    }

    /// How many callers wait for an answer.
    pub(crate) fn waiting(&self) -> usize {
        let held = self.served.held.iter().filter(|held| held.unique.is_some()).count();
        held + self.readers.len() + self.waiting.iter().filter(|waiting| waiting.unique.is_some()).count()
    }
}
