//! The time of day as Pacemaker prints it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const SECONDS_PER_DAY: u64 = 86_400;

/// A moment in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Utc {
    year: u64,
    month: usize,
    day: u64,
    weekday: usize,
    second_of_day: u64,
}

impl Utc {
    /// Now.
    pub(super) fn now() -> Self {
        Self::after_epoch(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
    }

    fn after_epoch(time: Duration) -> Self {
        let days = time.as_secs() / SECONDS_PER_DAY;
        let mut year = 1970;
        let mut day = days;
        let length = |year: u64| if leap(year) { 366 } else { 365 };
        while day >= length(year) {
            day -= length(year);
            year += 1;
        }
        let lengths = [31, if leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let mut month = 0;
        while day >= lengths[month] {
            day -= lengths[month];
            month += 1;
        }
        // The first of January 1970 was a Thursday.
        let weekday = usize::try_from((days + 4) % 7).unwrap_or_default();
        Self { year, month, day: day + 1, weekday, second_of_day: time.as_secs() % SECONDS_PER_DAY }
    }

    fn clock(self) -> String {
        let seconds = self.second_of_day;
        format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
    }

    /// As in `Sat Nov 21 00:23:25 2026`.
    pub(super) fn asctime(self) -> String {
        const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
        const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        format!("{} {} {:2} {} {}", DAYS[self.weekday], MONTHS[self.month], self.day, self.clock(), self.year)
    }

    /// As in `2026-11-21 00:23:24Z`.
    pub(super) fn iso(self) -> String {
        format!("{:04}-{:02}-{:02} {}Z", self.year, self.month + 1, self.day, self.clock())
    }
}

fn leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_printed_both_ways() {
        let moment = Utc::after_epoch(Duration::from_secs(1_795_220_605));
        assert_eq!(moment.asctime(), "Sat Nov 21 00:23:25 2026");
        assert_eq!(moment.iso(), "2026-11-21 00:23:25Z");
        assert_eq!(Utc::after_epoch(Duration::from_secs(951_782_401)).iso(), "2000-02-29 00:00:01Z");
        assert_eq!(Utc::after_epoch(Duration::ZERO).asctime(), "Thu Jan  1 00:00:00 1970");
    }
}
