//! `scst-ha metrics`: what `status` sees, and what the kernel counts, as numbers for Prometheus.

mod counters;
mod exposition;
mod groups;
mod ports;
mod promotions;

use scst_core::ocf::exit::Failure;

use self::exposition::{Exposition, count, flag};
use super::node::Node;
use super::output::print;
use super::status::{Status, look};
use super::verdict::Verdict;
use super::{cli, files};

/// The mode of the file: the collector reads it as another user.
const MODE: u32 = 0o644;

/// Looks, counts, and prints or writes.
pub(super) fn run(node: &Node, options: &cli::Metrics) -> Result<Verdict, Failure> {
    let status = look(node, None)?;
    let mut all = Exposition::default();
    let mut unread = status.unread.len();
    general(&mut all, &status);
    unread += ports::add(&mut all, node, &status, options.sessions);
    groups::add(&mut all, &status);
    promotions::add(&mut all, node, &status);
    all.gauge(
        "scst_unread",
        "Parts of this node's SCST that could not be read; their metrics are missing.",
        &[],
        count(unread),
    );
    let text = all.text();
    match &options.textfile {
        Some(path) => files::replace(path, &text, MODE)?,
        None => print(&text)?,
    }
    match status.unread.first() {
        Some(first) => Err(Failure::generic(format!("could not be read: {first}"))),
        None => Ok(Verdict::Right),
    }
}

fn general(all: &mut Exposition, status: &Status) {
    let node = status.node.as_deref().unwrap_or_default();
    let scst = status.scst.as_deref().unwrap_or_default();
    let labels = [("version", env!("CARGO_PKG_VERSION")), ("scst", scst), ("node", node)];
    all.gauge("scst_ha_info", "Versions of scst-ha and of SCST, and the node's name in the cluster.", &labels, 1.0);
    all.gauge("scst_loaded", "Whether SCST is loaded.", &[], flag(status.scst.is_some()));
    let help = "Whether the cluster answered; without it nothing is compared with the configuration.";
    all.gauge("scst_cluster_asked", help, &[], flag(status.cluster.is_none()));
}
