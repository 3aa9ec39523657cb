//! One operation: it is begun, and waited for until the deadline.

use std::io;
use std::time::Duration;

use nix::errno::Errno;

use crate::deadline::Deadline;
use crate::error::{ErrnoName, Error};
use crate::system::{Operation, Output, Pending, System};

/// How long a slow operation is waited for before the deadline is looked at again.
const LOOK: Duration = Duration::from_millis(20);

/// How long an operation is waited for that begins after the deadline: a busy machine answers late, not never.
const GRACE: Duration = Duration::from_millis(100);

/// What the kernel answered to a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The command was carried out.
    Done,
    /// The command is still being carried out (EAGAIN after 15 s, or EINTR): whether it succeeds is seen only by its
    /// effect.
    Queued,
}

/// Carries an operation out.
pub(super) fn run(system: &dyn System, operation: Operation, deadline: &Deadline) -> Result<Output, Error> {
    let started = start(system, operation)?;
    wait(system, started, deadline)
}

/// Begins an operation.
pub(super) fn start(system: &dyn System, operation: Operation) -> Result<Started, Error> {
    let pending = system.begin(operation.clone()).map_err(|error| failed(&operation, &error))?;
    Ok(Started { pending, operation, since: system.now() })
}

/// Waits for the answer until the deadline, or for [`GRACE`] where the operation began after it: a late step that
/// the kernel answers at once still counts.
pub(super) fn wait(system: &dyn System, started: Started, deadline: &Deadline) -> Result<Output, Error> {
    let Started { mut pending, operation, since } = started;
    loop {
        if let Some(answer) = pending.answer(LOOK) {
            return answer.map_err(|error| failed(&operation, &error));
        }
        let waited = system.now().saturating_sub(since);
        if deadline.cancelled() {
            return Err(Error::Cancelled {
                what: format!("the end of {} {}", operation.verb, operation.path.display()),
            });
        }
        if deadline.expired() && waited >= GRACE {
            let value = operation.shown();
            return Err(Error::Hung { verb: operation.verb, path: operation.path, value, waited });
        }
    }
}

/// What the kernel answered to a write.
pub(super) fn answer(result: Result<Output, Error>) -> Result<Answer, Error> {
    match result {
        Ok(_) => Ok(Answer::Done),
        // EAGAIN: still at work. EINTR: a signal reached the worker, the command is carried out all the same.
        Err(error) if matches!(error.errno(), Some(Errno::EAGAIN | Errno::EINTR)) => Ok(Answer::Queued),
        Err(error) => Err(error),
    }
}

/// An operation that is waited for.
pub(super) struct Started {
    pending: Box<dyn Pending>,
    operation: Operation,
    since: Duration,
}

/// The error of an operation that the kernel refused, or that could not even be begun.
fn failed(operation: &Operation, error: &io::Error) -> Error {
    let errno = error.raw_os_error().map_or(Errno::EIO, Errno::from_raw);
    Error::Kernel {
        verb: operation.verb,
        path: operation.path.clone(),
        value: operation.shown(),
        errno: ErrnoName(errno),
    }
}
