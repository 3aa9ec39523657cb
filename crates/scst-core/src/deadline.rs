//! The end of a run: every wait of an action is measured against one deadline, and ends early when the run is cancelled.
//!
//! Pacemaker ends an action that outlives its time-out with SIGKILL, without warning. So a run keeps a reserve in
//! which it can undo, report and exit by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// When this run must have ended, and whether it was asked to end before.
#[derive(Debug, Clone)]
pub struct Deadline {
    start: Instant,
    end: Instant,
    cancelled: Arc<AtomicBool>,
}

impl Deadline {
    /// A deadline for an action with the time-out `timeout`, less a reserve of a twentieth, 200 ms to 2 s.
    pub fn for_timeout(timeout: Duration, cancelled: Arc<AtomicBool>) -> Self {
        let reserve = (timeout / 20).clamp(Duration::from_millis(200), Duration::from_secs(2)).min(timeout / 2);
        Self::within(timeout.saturating_sub(reserve), cancelled)
    }

    /// A deadline `time` from now.
    pub fn within(time: Duration, cancelled: Arc<AtomicBool>) -> Self {
        let start = Instant::now();
        Self { start, end: start + time, cancelled }
    }

    /// Time left; zero when it is over.
    pub fn remaining(&self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }

    /// Time since the run began.
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// No time is left.
    pub fn expired(&self) -> bool {
        self.remaining().is_zero()
    }

    /// SIGTERM asked the run to end: nothing new is begun, what must be undone is undone.
    pub fn cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// The same run with `share` of its remaining time, for a part of the work that must leave time for the rest.
    #[must_use]
    pub fn share(&self, numerator: u32, denominator: u32) -> Self {
        let end = Instant::now() + self.remaining() * numerator / denominator;
        Self { start: self.start, end, cancelled: Arc::clone(&self.cancelled) }
    }

    /// A deadline for what must be done even now: undoing, releasing blocks. It has at least `least` from now and
    /// does not listen to cancellation, because a cancelled run must still leave the kernel in order.
    #[must_use]
    pub fn at_least(&self, least: Duration) -> Self {
        let end = self.end.max(Instant::now() + least);
        Self { start: self.start, end, cancelled: Arc::new(AtomicBool::new(false)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deadline(ms: u64) -> Deadline {
        Deadline::for_timeout(Duration::from_millis(ms), Arc::default())
    }

    #[test]
    fn a_reserve_is_kept_that_never_eats_the_whole_time() {
        assert!(deadline(20_000).remaining() <= Duration::from_secs(19));
        assert!(deadline(20_000).remaining() > Duration::from_secs(18));
        assert!(deadline(240_000).remaining() > Duration::from_secs(237));
        assert!(deadline(100).remaining() <= Duration::from_millis(50));
        assert!(deadline(100).remaining() > Duration::ZERO);
    }

    #[test]
    fn what_must_be_done_is_done_after_the_end_and_after_a_signal() {
        let flag = Arc::new(AtomicBool::new(true));
        let over = Deadline::within(Duration::ZERO, flag);
        assert!(over.expired() && over.cancelled());
        let last = over.at_least(Duration::from_millis(500));
        assert!(!last.expired() && !last.cancelled());
    }
}
