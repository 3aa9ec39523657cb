//! A thread that carries out one operation on a kernel file at a time, and is left behind when one never ends;
//! [`super::Machine`] has some.
//!
//! Both sides sleep until there is something for them: a queue of the standard library first spins for a while, which costs more
//! than most operations on the kernel's files.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::{Operation, Output};

/// The thread, seen from the run. Dropped while it is at work, it is left behind; otherwise it ends.
#[derive(Debug)]
pub(super) struct Worker {
    slot: Arc<Slot>,
}

/// What the run and the thread hand each other.
#[derive(Debug, Default)]
struct Slot {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
enum State {
    /// The thread is idle, or at work.
    #[default]
    Empty,
    /// The run asks for an operation.
    Request(Operation),
    /// The thread has carried it out.
    Reply(io::Result<Output>),
    /// The run does not wait for a reply any more, and asks for nothing else.
    Abandoned,
}

impl Slot {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, state: State) {
        *self.state() = state;
        self.changed.notify_one();
    }

    /// Waits for the next request; `None` when there will be none.
    fn next(&self) -> Option<Operation> {
        let idle = |state: &mut State| !matches!(state, State::Request(_) | State::Abandoned);
        let mut state = self.changed.wait_while(self.state(), idle).unwrap_or_else(PoisonError::into_inner);
        match std::mem::take(&mut *state) {
            State::Request(operation) => Some(operation),
            _ => None,
        }
    }

    /// Replies, unless nobody waits for it any more.
    fn reply(&self, answer: io::Result<Output>) {
        let mut state = self.state();
        if !matches!(*state, State::Abandoned) {
            *state = State::Reply(answer);
            self.changed.notify_one();
        }
    }
}

impl Worker {
    /// Starts a thread that carries out operations with `perform`.
    pub(super) fn spawn(perform: fn(&Operation) -> io::Result<Output>) -> io::Result<Self> {
        let slot = Arc::new(Slot::default());
        let theirs = Arc::clone(&slot);
        thread::Builder::new().name("sysfs".into()).stack_size(128 * 1024).spawn(move || {
            while let Some(operation) = theirs.next() {
                theirs.reply(perform(&operation));
            }
        })?;
        Ok(Self { slot })
    }

    /// Has the thread carry out an operation. It must be idle.
    pub(super) fn begin(&self, operation: Operation) {
        self.slot.set(State::Request(operation));
    }

    /// Waits for the reply, for `time` at most.
    pub(super) fn reply(&self, time: Duration) -> Option<io::Result<Output>> {
        let open = |state: &mut State| !matches!(state, State::Reply(_));
        let waited = self.slot.changed.wait_timeout_while(self.slot.state(), time, open);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        match std::mem::take(&mut *state) {
            State::Reply(answer) => Some(answer),
            other => {
                *state = other;
                None
            }
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.slot.set(State::Abandoned);
    }
}
