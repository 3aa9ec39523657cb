//! A test for each row of `docs/differences.md` that no other file has one for. A row's tests are named after its id, wherever they are.
//!
//! Each tells in a few lines what would happen without what the row promises.

use std::time::Duration;

mod configuration;
mod data;
mod hosts;
mod kernel;
mod starting;
mod stopping;

/// Enough for what a test lets run into its time-out, and no more.
const SHORT: Duration = Duration::from_secs(2);

/// The place of the first write that holds `part`.
#[track_caller]
fn place(written: &[String], part: &str) -> usize {
    written.iter().position(|write| write.contains(part)).unwrap_or_else(|| panic!("no {part:?} in {written:#?}"))
}

/// How often something was written.
fn times(written: &[String], part: &str) -> usize {
    written.iter().filter(|write| write.contains(part)).count()
}
