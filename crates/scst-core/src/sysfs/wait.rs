//! Waiting for something to be seen in the kernel's tree.

use std::time::Duration;

use crate::deadline::Deadline;
use crate::error::Error;

/// Calls `seen` every 10 to 50 ms until it gives a value, the deadline passes or the run is cancelled. `what` is waited
/// for, as a noun phrase for the error. `seen` is called at least once, even after the deadline.
///
/// # Errors
///
/// [`Error::NotSeen`] at the deadline, [`Error::Cancelled`] after SIGTERM, and every other error of `seen` at once.
/// [`Error::Hung`] of `seen` counts as "not yet", so a look that hangs to the end is [`Error::NotSeen`] as well.
pub fn wait_until<T>(
    what: &str,
    deadline: &Deadline,
    mut seen: impl FnMut() -> Result<Option<T>, Error>,
) -> Result<T, Error> {
    let since = deadline.now();
    let mut step = Duration::from_millis(10);
    loop {
        match seen() {
            Ok(Some(found)) => return Ok(found),
            // The time was over while looking: what counts is what was waited for.
            Ok(None) | Err(Error::Hung { .. }) => {}
            Err(error) => return Err(error),
        }
        if deadline.cancelled() {
            return Err(Error::Cancelled { what: what.to_owned() });
        }
        let left = deadline.remaining();
        if left.is_zero() {
            return Err(Error::NotSeen { what: what.to_owned(), waited: deadline.now().saturating_sub(since) });
        }
        deadline.sleep(step.min(left));
        step = (step * 2).min(Duration::from_millis(50));
    }
}
