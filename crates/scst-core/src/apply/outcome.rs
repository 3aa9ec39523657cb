//! Writes the command of a step and decides whether the step succeeded: by the kernel's answer, else by its effect; and
//! whether a failure matters.

use nix::errno::Errno;

use super::effect::{can_be_seen, seen};
use crate::error::{ErrnoName, Error, Verb};
use crate::observe::Observer;
use crate::plan::Step;
use crate::scst;
use crate::scst::iscsi::Secret;
use crate::sysfs::{Answer, wait_until};

/// Writes the step's command, once, and gives the outcome of the step.
pub(super) fn write(step: &Step, observer: Observer<'_>) -> Result<(), Error> {
    let Observer { sysfs, deadline } = observer;
    let apart = step.asks_daemon().then(|| sysfs.apart());
    let secret = step.secret().map(Secret::reveal);
    let answer = match step.command() {
        Some((path, value)) => apart.as_ref().unwrap_or(sysfs).write_secret(&path, &value, secret, deadline),
        None => Ok(Answer::Done),
    };
    of(step, answer, observer)
}

/// Turns the kernel's answer into the outcome of the step.
pub(super) fn of(step: &Step, answer: Result<Answer, Error>, observer: Observer<'_>) -> Result<(), Error> {
    match answer {
        // A port reads enabled only when its hardware is up.
        Ok(Answer::Done) if matches!(step, Step::Enable { .. } | Step::Disable { .. }) => {
            wait_until(&format!("the effect of \"{step}\""), observer.deadline, || {
                Ok(seen(step, observer)?.then_some(()))
            })
        }
        Ok(Answer::Done) => Ok(()),
        Ok(Answer::Queued) => await_queued(step, observer),
        // Nobody has looked whether it is done already.
        Err(error) if step.asks_daemon() && error.errno() == Some(Errno::EBUSY) => Err(error),
        Err(error @ Error::Kernel { .. }) => {
            // Refused because it is done already: an earlier run, or the other half of a repeated command.
            match seen(step, observer) {
                Ok(true) if can_be_seen(step) => {
                    tracing::debug!("{step}: {error}, but it is so already");
                    Ok(())
                }
                _ => Err(error),
            }
        }
        Err(error) => Err(error),
    }
}

/// Waits for the effect of a command that the kernel goes on with. The last result shows early that it failed: it can
/// be read only when nothing is queued any more.
fn await_queued(step: &Step, observer: Observer<'_>) -> Result<(), Error> {
    let Observer { sysfs, deadline } = observer;
    let mut idle = 0;
    wait_until(&format!("the effect of \"{step}\", which the kernel queued,"), deadline, || {
        // A device shows up while it is still being added, and can vanish again.
        let settled =
            || !matches!(step, Step::AddDevice { .. }) || sysfs.last_result(&scst::last_result(), deadline).is_some();
        if seen(step, observer)? && settled() {
            return Ok(Some(()));
        }
        match sysfs.last_result(&scst::last_result(), deadline) {
            Some(Err(errno)) => {
                idle += 1;
                if idle >= 2 {
                    let (path, value) = step.command().unwrap_or_default();
                    let value = step.secret().map_or_else(|| value.clone(), |secret| secret.mask(&value));
                    return Err(Error::Kernel {
                        verb: Verb::Write,
                        path: sysfs.full(&path),
                        value: Some(value),
                        errno: ErrnoName(errno),
                    });
                }
            }
            _ => idle = 0,
        }
        Ok(None)
    })
}

/// A failure that is worth a warning. An attribute counts as one that this kernel does not have only when its directory
/// does not name it either.
pub(super) fn is_harmless(step: &Step, error: &Error, observer: Observer<'_>) -> bool {
    if !step.may_fail_with(error) {
        return false;
    }
    match step {
        Step::SetAttribute { .. } | Step::Close { .. } => {
            let (path, _) = step.command().unwrap_or_default();
            observer.sysfs.is_absent(&path, observer.deadline).unwrap_or(false)
        }
        _ => true,
    }
}

/// What a command or a look comes to that was repeated until the time was over: the last error, which says why, where there
/// was one.
pub(super) fn or_last<T>(result: Result<T, Error>, last: Option<Error>) -> Result<T, Error> {
    match (result, last) {
        (Err(Error::NotSeen { .. }), Some(last)) => Err(last),
        (result, _) => result,
    }
}
