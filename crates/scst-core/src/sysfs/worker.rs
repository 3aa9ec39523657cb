//! A thread that carries out one operation at a time, and can be left behind in one that never ends.
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
    desk: Arc<Desk>,
}

/// Where operation and answer lie.
#[derive(Debug, Default)]
struct Desk {
    lies: Mutex<Lies>,
    changed: Condvar,
}

/// What lies there.
#[derive(Debug, Default)]
enum Lies {
    /// Nothing: the thread is idle, or at work.
    #[default]
    Nothing,
    Todo(Operation),
    Done(io::Result<Output>),
    /// Nobody waits for an answer any more.
    Left,
}

impl Desk {
    fn lies(&self) -> MutexGuard<'_, Lies> {
        self.lies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, what: Lies) {
        *self.lies() = what;
        self.changed.notify_one();
    }

    /// Waits for the next operation.
    fn next(&self) -> Option<Operation> {
        let idle = |lies: &mut Lies| !matches!(lies, Lies::Todo(_) | Lies::Left);
        let mut lies = self.changed.wait_while(self.lies(), idle).unwrap_or_else(PoisonError::into_inner);
        match std::mem::take(&mut *lies) {
            Lies::Todo(operation) => Some(operation),
            _ => None,
        }
    }

    /// Lays the answer down, unless nobody waits for it any more.
    fn answer(&self, answer: io::Result<Output>) {
        let mut lies = self.lies();
        if !matches!(*lies, Lies::Left) {
            *lies = Lies::Done(answer);
            self.changed.notify_one();
        }
    }
}

impl Worker {
    /// Starts a thread.
    pub(super) fn spawn() -> io::Result<Self> {
        let desk = Arc::new(Desk::default());
        let theirs = Arc::clone(&desk);
        thread::Builder::new().name("sysfs".into()).stack_size(128 * 1024).spawn(move || {
            while let Some(operation) = theirs.next() {
                theirs.answer(operation.perform());
            }
        })?;
        Ok(Self { desk })
    }

    /// Has the thread carry out an operation. It must be idle.
    pub(super) fn begin(&self, operation: Operation) {
        self.desk.put(Lies::Todo(operation));
    }

    /// Waits for the answer, for `time` at most.
    pub(super) fn answer(&self, time: Duration) -> Option<io::Result<Output>> {
        let open = |lies: &mut Lies| !matches!(lies, Lies::Done(_));
        let waited = self.desk.changed.wait_timeout_while(self.desk.lies(), time, open);
        let (mut lies, _) = waited.unwrap_or_else(PoisonError::into_inner);
        match std::mem::take(&mut *lies) {
            Lies::Done(answer) => Some(answer),
            other => {
                *lies = other;
                None
            }
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.desk.put(Lies::Left);
    }
}
