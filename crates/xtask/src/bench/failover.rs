//! Fail-over: what the node that is promoted and the one that will be do when they change places.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use super::call::{Agent, Call, Lists};
use super::node::Cluster;
use super::size::size;
use super::statistics::median;
use super::table::{Chapter, Row, duration};

/// What the work of a node may take where nothing is pending.
const LIMIT: Duration = Duration::from_millis(10);

/// The names of the nodes.
const NAMES: [&str; 2] = ["alpha", "beta"];

/// What one change of places took.
#[derive(Debug, Default)]
struct Change {
    /// Writes of the node that leaves, and of the one that takes over, all notifications included.
    writes: [u64; 2],
    /// Its notification before the demotion, and the demotion.
    demoted: Duration,
    /// The promotion.
    promoted: Duration,
    /// All calls of either node.
    all: [Duration; 2],
}

/// The chapter: changes back and forth, the medians of `runs`.
pub(super) fn chapter(programs: &Path, runs: usize) -> Result<Chapter, Box<dyn Error>> {
    let mut rows = Vec::new();
    for size in [size(1, 2, 2), size(16, 2, 2), size(64, 2, 2)] {
        let cluster = Cluster::new(size)?;
        for node in [0, 1] {
            cluster.ports(node, programs)?;
            cluster.succeed(node, programs, &Call::new(Agent::Group, "start"))?;
        }
        cluster.succeed(0, programs, &Call::new(Agent::Group, "promote"))?;
        let mut changes = Vec::new();
        for run in 0..runs.max(2) {
            changes.push(change(&cluster, programs, run % 2)?);
        }
        let most = |node: usize| changes.iter().map(|change| change.writes[node]).max().unwrap_or_default();
        let middle = |of: fn(&Change) -> Duration| median(changes.iter().map(of).collect());
        // One peer.
        let budget = 4 * size.devices as u64 + 6 + 2;
        rows.extend([
            Row::count(format!("{size}: writes of the node that leaves"), budget, most(0), ""),
            Row::count(format!("{size}: writes of the node that takes over"), budget, most(1), ""),
            Row::time(format!("{size}: pre-demote, demote"), "10 ms", LIMIT, middle(|change| change.demoted)),
            Row::time(format!("{size}: promote"), "10 ms", LIMIT, middle(|change| change.promoted)),
            Row::shown(
                format!("{size}: all calls of both nodes, six notifications included"),
                duration(middle(|change| change.all[0] + change.all[1])),
            ),
        ]);
    }
    let note = "Two nodes change places, with the notifications that Pacemaker sends; nothing is pending in the devices. \
                Writes are those of all calls on a node, times the medians from a process's start to its end.";
    Ok(Chapter::new("Fail-over", note, &rows))
}

/// The promoted node `from` and the other one change places.
fn change(cluster: &Cluster, programs: &Path, from: usize) -> Result<Change, Box<dyn Error>> {
    let to = 1 - from;
    let lists = Lists {
        active: NAMES.join(" "),
        promoted: NAMES[from].to_owned(),
        demote: NAMES[from].to_owned(),
        promote: NAMES[to].to_owned(),
    };
    let mut change = Change::default();
    for (action, nodes) in [
        ("pre-demote", &[from, to][..]),
        ("demote", &[from]),
        ("post-demote", &[from, to]),
        ("pre-promote", &[from, to]),
        ("promote", &[to]),
        ("post-promote", &[from, to]),
    ] {
        for node in nodes {
            let run = cluster.succeed(*node, programs, &Call::new(Agent::Group, action).with(&lists))?;
            let role = usize::from(*node == to);
            change.writes[role] += run.counts.writes;
            change.all[role] += run.took;
            match (action, role) {
                ("pre-demote" | "demote", 0) => change.demoted += run.took,
                ("promote", _) => change.promoted += run.took,
                _ => {}
            }
        }
    }
    Ok(change)
}
