//! Takes away what is ours until nothing of it is left: the last part of every stop.

use std::time::Duration;

use scst_core::apply::{Applied, Failed};
use scst_core::error::Error;
use scst_core::observe::Observer;
use scst_core::ocf::exit::Failure;
use scst_core::plan::Step;

use super::{Host, first_failure, held_by};

/// Less time than this is not worth another look.
const MOMENT: Duration = Duration::from_secs(1);

/// How an agent removes its objects, and how it observes them.
pub struct Removal<'r, T> {
    /// Removes what was found.
    pub remove: &'r dyn Fn(&T) -> Applied,
    /// Observes what of ours is there.
    pub observe: &'r dyn Fn(Observer<'_>) -> Result<T, Error>,
    /// The first object that is left, as a sentence.
    pub remains: &'r dyn Fn(&T) -> Option<String>,
    /// Whether something is there that was not there before.
    pub has_more: fn(&T, &T) -> bool,
    /// Who holds what is left.
    pub holders: &'r dyn Fn(&T) -> Vec<String>,
}

impl<T> Removal<'_, T> {
    /// Removes what was found, and observes: as often as more has come, or goes slowly. `earlier`: what failed before. Answers what was applied
    /// last; in a dry run nothing is observed.
    ///
    /// # Errors
    ///
    /// The failure that left objects behind, not earlier ones, with those who hold the objects.
    pub fn carry_out(&self, host: &Host<'_>, mut found: T, mut earlier: Option<Failure>) -> Result<Applied, Failure> {
        loop {
            let applied = (self.remove)(&found);
            if host.dry_run() {
                return Ok(applied);
            }
            let failure = first_failure(&applied).or(earlier.take());
            // Even a step that failed may have come about, and a step that succeeded may have been undone by somebody else. The
            // time may be over by now; what is left must be known all the same.
            let deadline = host.deadline().last();
            let left = match ((self.observe)(host.observer_until(&deadline)), &failure) {
                (Err(_), Some(failure)) => return Err(failure.clone()),
                (left, _) => left?,
            };
            let Some(what) = (self.remains)(&left) else { return Ok(applied) };
            // The kernel carries out what an action that was killed had given to it, also after that action and after the last look.
            let waits = |failed: &Failed| matches!(failed.step, Step::AwaitUnmapped { .. });
            let slow = applied.failed.iter().any(waits) && host.deadline().remaining() > MOMENT;
            if ((self.has_more)(&left, &found) && !host.deadline().expired()) || slow {
                tracing::warn!("{what}: it goes slowly, or has come since stop looked, and goes as well");
                found = left;
                continue;
            }
            let failure = failure.unwrap_or_else(|| Failure::generic(what));
            let reason = format!("{}{}", failure.reason, held_by(&(self.holders)(&left)));
            return Err(Failure { reason, ..failure });
        }
    }
}
