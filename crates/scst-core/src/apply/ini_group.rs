//! Carries out the deletion of an initiator group, which the kernel refuses while a session is in it.

use nix::errno::Errno;

use super::{outcome, sessions};
use crate::error::Error;
use crate::observe::Observer;
use crate::plan::Step;
use crate::scst::names::{Driver, InitiatorGroup, TargetName};
use crate::sysfs::wait_until;

/// The kernel refuses with EBUSY while a session is in the group. Clearing the initiators moves sessions out at once, so
/// what is left is an initiator that is just logging in, or one the kernel cannot move: after half of the time its
/// session is closed.
pub(super) fn delete(
    step: &Step,
    driver: Driver,
    port: &TargetName,
    group: &InitiatorGroup,
    observer: Observer<'_>,
) -> Result<(), Error> {
    let deadline = observer.deadline;
    let since = deadline.now();
    let patience = deadline.remaining() / 2;
    let mut closed = false;
    let mut last = None;
    let result = wait_until(&format!("{group} of port {port} being free of sessions"), deadline, || {
        match outcome::write(step, observer) {
            Err(error) if error.errno() == Some(Errno::EBUSY) => last = Some(error),
            // The time is over as well: what is told is the write that hangs, not sessions that nobody saw.
            Err(error @ Error::Hung { .. }) => last = Some(error),
            result => return result.map(Some),
        }
        if !closed && deadline.now().saturating_sub(since) >= patience {
            closed = true;
            sessions::close_in(driver, port, group, observer);
        }
        Ok(None)
    });
    outcome::or_last(result, last)
}
