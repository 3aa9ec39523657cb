//! Closes the sessions of a target, or of one of its initiator groups; deletes a target that the kernel refuses to delete
//! while it has one.

use nix::errno::Errno;

use super::outcome;
use crate::error::Error;
use crate::observe::Observer;
use crate::plan::Step;
use crate::scst::names::{Driver, EntryName, InitiatorGroup, TargetName};
use crate::scst::target;
use crate::sysfs::wait_until;

/// Closes all sessions of a target, and waits until there is none.
pub(super) fn end_all(driver: Driver, port: &TargetName, observer: Observer<'_>) -> Result<(), Error> {
    wait_until(&format!("the end of the sessions of target {port}"), observer.deadline, || {
        let sessions = observer.sessions(driver, port)?;
        for session in &sessions {
            close(driver, port, session, observer);
        }
        Ok(sessions.is_empty().then_some(()))
    })
}

/// Deletes a target of a daemon. A login that began before the target was disabled may end after its sessions were
/// closed, and the kernel answers EBUSY then: its session is closed as well. It answers the same for a daemon that hangs,
/// so without a session the command is given once more and no oftener. Each attempt leaves time for others.
pub(super) fn delete_target(
    step: &Step,
    driver: Driver,
    port: &TargetName,
    observer: Observer<'_>,
) -> Result<(), Error> {
    let Observer { sysfs, deadline } = observer;
    let (mut alone, mut last) = (false, None);
    let result = wait_until(&format!("target {port} being free of sessions"), deadline, || {
        if deadline.cancelled() {
            return Err(Error::Cancelled { what: step.to_string() });
        }
        let busy = match outcome::write(step, Observer { sysfs, deadline: &deadline.share(1, 3) }) {
            Err(error) if error.errno() == Some(Errno::EBUSY) => error,
            // Also one that hangs: it is not given twice.
            answer => return Ok(Some(answer)),
        };
        let sessions = observer.sessions(driver, port)?;
        if sessions.is_empty() && std::mem::replace(&mut alone, true) {
            return Ok(Some(Err(busy)));
        }
        for session in &sessions {
            tracing::warn!("closing session {session}, which keeps target {port}");
            close(driver, port, session, observer);
        }
        last = Some(busy);
        Ok(None)
    });
    outcome::or_last(result, last)?
}

/// Logs out who is still in an initiator group. Who leaves by itself at the same moment is no failure: what counts is
/// whether the group can be deleted then.
pub(super) fn close_in(driver: Driver, port: &TargetName, group: &InitiatorGroup, observer: Observer<'_>) {
    let sessions = observer.sessions_in(driver, port, group).unwrap_or_else(|error| {
        tracing::warn!("sessions of initiator group {group} of port {port}: {error}");
        Vec::new()
    });
    for session in sessions {
        tracing::warn!("closing session {session}, which keeps initiator group {group} of port {port}");
        close(driver, port, &session, observer);
    }
}

/// Ends a session. One that ends by itself at the same moment is no failure.
fn close(driver: Driver, port: &TargetName, session: &EntryName, observer: Observer<'_>) {
    let path = format!("{}/{session}/force_close", target::sessions(driver, port));
    if let Err(error) = observer.sysfs.write(&path, "1", observer.deadline).map(drop)
        && !error.is_absent()
    {
        tracing::warn!("session {session} of port {port}: {error}");
    }
}
