//! Closes the sessions of a target, or of one of its initiator groups.

use crate::error::Error;
use crate::observe::Observer;
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
