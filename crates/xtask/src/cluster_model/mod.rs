//! `cargo xtask model`: the life of a cluster, searched for a story that breaks a law.
//!
//! Two to four nodes, each with a small kernel of its own (`kernel`), live under a Pacemaker (`cluster`, `events`, `course`) that
//! starts, stops, promotes and demotes them, notifies in any order that it could, loses notifications and nodes, and changes
//! its mind. What a node does is decided by the product's own code (`native`); one node may run the agent this one replaces
//! (`shell`). After every event the laws are looked at (`judge`): who serves, what each node tells its hosts of the others, which
//! ids they use. A search (`search`) visits every cluster that can be reached, nearest first; walks (`walk`) go on by lot where
//! those are too many. A story that breaks a law is printed (`story`). Tests hold the small kernel against the simulator's
//! machine (`machine`) and show that each law can be broken (`faulty`); `--live` holds the model of a node against the agent
//! itself (`live`).

mod call;
mod cluster;
mod course;
mod events;
#[cfg(test)]
mod faulty;
mod judge;
mod kernel;
mod life;
mod live;
#[cfg(test)]
mod machine;
mod native;
mod nodes;
mod plan;
mod real;
mod search;
mod shell;
mod site;
mod story;
mod walk;

use std::error::Error;
use std::process::ExitCode;

use self::live::live;
use self::search::{Found, search};
use self::walk::walk;

/// What `--help` ends with.
const COVERAGE: &str = "\
Each line is one search: how many nodes, which mishaps, whether lost nodes are fenced, whether one node runs the shell agent. \
`all`: every story of any length in which these mishaps happen as often as they like; `nearest`: the clusters nearest to the \
beginning, up to the limit; `walks`: stories of 400 events drawn by lot.

Covered: every transition to at most one promoted instance, with restarts of one instance or of all; notifications in any \
order, repeated at once, or lost; promotions and demotions that fail; transitions that are dropped or take over 150 s; loss of power and, without fencing, nodes that are cut off and go on as they \
were; changed targetports before all nodes were reloaded; start by hand; a record that is gone; the shell agent on one node and \
its replacement.

Not covered: starts and stops that fail, single writes that fail or hang, and agents that are killed between two steps (`cargo xtask faults`); a second \
Pacemaker on the side of a node that is cut off; notifications that come twice with others between; more than one device \
group, device or initiator group; files, processes and time (stamps are fresh or older than 150 s). The order of the decisions \
within an action is told again in the model (`native.rs`) and held against the agent itself by --live; the decisions are the \
product's.";

/// How far to go.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = COVERAGE)]
pub(crate) struct Options {
    /// Clusters of so many nodes only: 2, 3 or 4
    #[arg(long, value_parser = clap::value_parser!(u8).range(2..=4))]
    nodes: Option<u8>,

    /// The most clusters that one search visits, and events that the walks after one that was not complete have
    #[arg(long, default_value_t = 1_000_000)]
    limit: usize,

    /// What the walks are drawn by
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// Instead of searching, holds the model of a node against the real agent, for so many calls drawn by the seed: needs root
    /// and /dev/fuse
    #[arg(long, value_name = "CALLS", conflicts_with_all = ["nodes", "limit", "only"])]
    live: Option<usize>,

    /// Only searches with this in their name
    #[arg(long)]
    only: Option<String>,
}

/// Runs the searches; fails if a law is broken.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    if let Some(calls) = options.live {
        let differs = live(calls, options.seed)?;
        println!("{}", differs.as_ref().map_or_else(|| format!("{calls} calls, no difference"), Clone::clone));
        return Ok(if differs.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let wanted = plan::all().into_iter().filter(|(name, scope)| {
        options.nodes.is_none_or(|nodes| usize::from(nodes) == scope.count)
            && options.only.as_ref().is_none_or(|text| name.contains(text))
    });
    let (mut searches, mut broken, mut clusters) = (0, 0, 0);
    for (name, scope) in wanted {
        searches += 1;
        let mut report = |way: &str, found: &Found| {
            clusters += found.clusters;
            println!("{}", line(&name, way, found));
            if let Some(story) = &found.story {
                broken += 1;
                print!("{}", story.told(&scope));
            }
        };
        let found = search(&scope, options.limit);
        report(if found.complete { "all" } else { "nearest" }, &found);
        if !found.complete && found.story.is_none() {
            report("walks", &walk(&scope, options.seed, options.limit));
        }
    }
    if searches == 0 {
        return Err("no search has that in its name".into());
    }
    println!("{searches} searches, {clusters} clusters, {broken} laws broken");
    Ok(if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// One line of the report.
fn line(name: &str, way: &str, found: &Found) -> String {
    let Found { clusters, events, node_states, depth, took, .. } = found;
    let took = took.as_secs_f64();
    format!(
        "{name:<44} {way:<7} {clusters:>9} clusters {events:>10} events {node_states:>6} node states \
         depth {depth:>3} {took:>6.1} s"
    )
}
