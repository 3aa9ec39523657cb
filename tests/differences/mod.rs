//! One test for each row of `docs/differences.md`, named after the row's id.
//!
//! Each tells in a few lines what would happen without what the row promises.

use std::time::Duration;

use crate::fixture::sample::{self, ALPHA, HOST, group};
use crate::fixture::{Cluster, Node, eventually};

mod configuration;
mod data;
mod hosts;
mod kernel;
mod starting;
mod stopping;

/// What tells how often the device of the sample is blocked.
const BLOCK: &str = "devices/dummy_lu0dummy/block";

/// Enough for what a test lets run into its time-out, and no more.
const SHORT: Duration = Duration::from_secs(2);

/// A serving pair; a host has sent alpha a command, which ends when it is told to. Answers its number.
#[track_caller]
fn busy() -> (Cluster, String) {
    let cluster = sample::serving();
    let io = send(cluster.node("alpha"), "");
    (cluster, io)
}

/// A host logs in and sends a command to LUN 0, which takes that long, or for ever.
#[track_caller]
fn send(node: &Node, takes: &str) -> String {
    let session = node.control(&format!("login qla2x00t {} {}", ALPHA[0], HOST[0]));
    node.control(format!("io start qla2x00t {} {session} 0 {takes}", ALPHA[0]).trim())
}

/// Alpha after a demote that was killed while it held the device blocked. `others` have blocked it as well.
#[track_caller]
fn killed(others: u32) -> Cluster {
    let (cluster, io) = busy();
    let alpha = cluster.node("alpha");
    for _ in 0..others {
        alpha.write(BLOCK, "11");
    }
    let count = format!("{} ", others + 1);
    let demote = alpha.call(&group()).begin("demote");
    eventually("the device is blocked", || alpha.read(BLOCK).starts_with(&count));
    demote.signal(nix::sys::signal::Signal::SIGKILL);
    drop(demote.end());
    alpha.control(&format!("io finish {io}"));
    eventually("the command has ended", || alpha.read(BLOCK) == format!("{count}0"));
    cluster
}

/// The place of the first write that holds `part`.
#[track_caller]
fn place(written: &[String], part: &str) -> usize {
    written.iter().position(|write| write.contains(part)).unwrap_or_else(|| panic!("no {part:?} in {written:#?}"))
}

/// How often something was written.
fn times(written: &[String], part: &str) -> usize {
    written.iter().filter(|write| write.contains(part)).count()
}
