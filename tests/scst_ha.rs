//! `scst-ha`, as an operator sees it: what it says of a node in every state, and that it changes nothing.

use crate::fixture::sample::{self, group, ports};
use crate::fixture::{Cluster, Node, Outcome};

pub(crate) mod check;
mod discover;
mod explain;
mod exposition;
pub(crate) mod import;
mod metrics;
mod plan;
mod status;
mod terminal;

/// A port that can only be an initiator.
const INITIATOR: &str = "21:00:00:24:ff:60:d0:99";

/// Runs it, and sees that it left the kernel alone.
#[track_caller]
fn show(node: &Node, arguments: &str) -> Outcome {
    node.tool(arguments).go().writes(0)
}

/// The sample, configured in the cluster, serving on alpha.
#[track_caller]
fn serving() -> Cluster {
    let cluster = sample::serving();
    cluster.configure(&[&ports(), &group()]);
    cluster
}

/// What it printed, as data.
#[track_caller]
pub(crate) fn data(outcome: &Outcome) -> serde_json::Value {
    serde_json::from_str(outcome.stdout()).unwrap_or_else(|error| panic!("{error}: {outcome:?}"))
}
