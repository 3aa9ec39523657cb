//! The type [`Deadline`]: when a run must have ended. Every wait of an action ends with it, and earlier when SIGTERM
//! comes.
//!
//! Pacemaker ends an action that outlives its time-out with SIGKILL, without warning. So a run keeps a reserve in
//! which it can undo, report and exit by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::system::System;

/// When this run must have ended, and whether it was asked to end before.
///
/// There are two ends. After the first nothing is waited for any more; the time between it and the last is for undoing,
/// reporting and exiting. Both are times since boot ([`System::now`]).
#[derive(Debug, Clone)]
pub struct Deadline {
    system: Arc<dyn System>,
    end: Duration,
    last: Duration,
    cancelled: Arc<AtomicBool>,
}

impl Deadline {
    /// The deadline of an action with the time-out `timeout`: the first end keeps a reserve of a tenth, 400 ms to 5 s, the
    /// last one a fiftieth, 100 to 500 ms, for the process itself to end.
    pub fn for_timeout(system: Arc<dyn System>, timeout: Duration, cancelled: Arc<AtomicBool>) -> Self {
        let start = system.now();
        let reserve = (timeout / 10).clamp(Duration::from_millis(400), Duration::from_secs(5)).min(timeout / 2);
        let margin = (timeout / 50).clamp(Duration::from_millis(100), Duration::from_millis(500)).min(timeout / 4);
        let end = start.saturating_add(timeout.saturating_sub(reserve));
        let last = start.saturating_add(timeout.saturating_sub(margin));
        Self { system, end, last, cancelled }
    }

    /// A deadline `time` from now.
    pub fn within(system: Arc<dyn System>, time: Duration, cancelled: Arc<AtomicBool>) -> Self {
        let end = system.now().saturating_add(time);
        Self { system, end, last: end, cancelled }
    }

    /// What lies outside the run.
    pub fn system(&self) -> &dyn System {
        &*self.system
    }

    /// Time since this machine booted ([`System::now`]).
    pub fn now(&self) -> Duration {
        self.system.now()
    }

    /// Sleeps for `time`, which the caller keeps within [`Deadline::remaining`].
    pub(crate) fn sleep(&self, time: Duration) {
        self.system.sleep(time);
    }

    /// Time until the first end; zero when it has passed.
    pub fn remaining(&self) -> Duration {
        self.end.saturating_sub(self.now())
    }

    /// The first end has passed.
    pub fn expired(&self) -> bool {
        self.remaining().is_zero()
    }

    /// SIGTERM asked the run to end: it begins nothing new, and undoes what must be undone.
    pub fn cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// The same run with `numerator`/`denominator` of its remaining time, for a part of the work that must leave time
    /// for the rest. Undoing that part gets at most 1 s more.
    #[must_use]
    pub fn share(&self, numerator: u32, denominator: u32) -> Self {
        let end = self.now() + self.remaining() * numerator / denominator;
        // Undoing this part must leave time for the rest as well.
        let last = (end + Duration::from_secs(1)).min(self.last);
        Self { end, last, ..self.clone() }
    }

    /// The same run up to its last end, for what must be done even now: undoing, releasing blocks. It does not listen to
    /// cancellation, because a cancelled run must still leave the kernel in order.
    #[must_use]
    pub fn last(&self) -> Self {
        Self { end: self.last, cancelled: Arc::new(AtomicBool::new(false)), ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::Machine;

    fn deadline(ms: u64) -> Deadline {
        Deadline::for_timeout(Machine::system(), Duration::from_millis(ms), Arc::default())
    }

    #[test]
    fn a_reserve_is_kept_that_never_eats_the_whole_time() {
        let about = |deadline: &Deadline, ms: u64| {
            let left = deadline.remaining();
            left <= Duration::from_millis(ms) && left + Duration::from_millis(500) > Duration::from_millis(ms)
        };
        for (timeout, end, last) in [(20_000, 18_000, 19_600), (240_000, 235_000, 239_500), (2_000, 1_600, 1_900)] {
            assert!(about(&deadline(timeout), end), "{timeout}");
            assert!(about(&deadline(timeout).last(), last), "{timeout}");
        }
        assert!(deadline(100).remaining() > Duration::ZERO);
    }

    #[test]
    fn what_must_be_done_is_done_after_the_end_and_after_a_signal() {
        let cancelled =
            Deadline::for_timeout(Machine::system(), Duration::from_secs(20), Arc::new(AtomicBool::new(true)));
        let over = cancelled.share(0, 1);
        assert!(over.expired() && over.cancelled());
        let last = over.last();
        assert!(!last.expired() && !last.cancelled());
    }
}
