//! The time of a mounted machine: this machine's own, or one that only a test moves.

use std::time::{Duration, Instant};

/// What makes time pass in a mounted machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Pace {
    /// Seconds are seconds; [`Mount::skip`](crate::mount::Mount::skip) adds to them.
    #[default]
    Real,
    /// Time passes by [`Mount::skip`](crate::mount::Mount::skip) only.
    Manual,
}

#[derive(Debug)]
pub(crate) struct Clock {
    pace: Pace,
    /// Machine time when `started` was taken, and all that was skipped since.
    base: Duration,
    started: Instant,
}

impl Clock {
    pub(crate) fn starting_at(base: Duration, pace: Pace) -> Self {
        Self { pace, base, started: Instant::now() }
    }

    pub(crate) fn now(&self) -> Duration {
        match self.pace {
            Pace::Real => self.base + self.started.elapsed(),
            Pace::Manual => self.base,
        }
    }

    pub(crate) fn skip(&mut self, time: Duration) {
        self.base += time;
    }

    /// How long to sleep until `event`; `None` where sleeping does not bring it nearer.
    pub(crate) fn until(&self, event: Duration) -> Option<Duration> {
        (self.pace == Pace::Real).then(|| event.saturating_sub(self.now()))
    }
}
