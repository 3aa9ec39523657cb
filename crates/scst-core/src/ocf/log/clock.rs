//! The time of day, for lines of the log and the name of a trace file.

use std::time::SystemTime;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

/// The local time; UTC on a machine whose time zone cannot be read. None when the clock shows a year that no calendar has.
pub(super) fn now() -> Option<Zoned> {
    let zone = TimeZone::try_system().unwrap_or(TimeZone::UTC);
    Some(Timestamp::try_from(SystemTime::now()).ok()?.to_zoned(zone))
}
