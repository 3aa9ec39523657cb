//! The type [`Score`]: the promotion score of an instance; setting and deleting it in the cluster.

use scst_core::cluster;
use scst_core::scst::alua::AluaState;
use scst_core::scst::names::NodeName;

use crate::host::Host;

/// The promotion score of an instance, by what the kernel says it does.
///
/// The one that serves has the higher score. Pacemaker notes a reload as a start, and takes a promoted instance for an unpromoted one
/// until its next monitor: with equal scores it may promote another node meanwhile, and nobody demotes the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Score {
    /// It runs and does not serve.
    Unpromoted,
    /// It serves.
    Promoted,
}

impl Score {
    /// That of an instance whose own target group has this state.
    pub(super) fn of(state: Option<AluaState>) -> Self {
        if state.is_some_and(AluaState::is_open) { Self::Promoted } else { Self::Unpromoted }
    }

    /// As the cluster counts it.
    pub(super) fn value(self) -> i32 {
        match self {
            Self::Unpromoted => 5,
            Self::Promoted => 10,
        }
    }
}

/// Sets this node's promotion score without remembering it, and tells whether that succeeded.
pub(super) fn show_score(host: &Host<'_>, node: &NodeName, score: Score) -> bool {
    let value = score.value();
    if host.dry_run() {
        println!("set the promotion score of node {node} to {value}");
        return true;
    }
    let resource = host.context.env.resource_id();
    // Also where the time of a reload is over: until the next monitor nothing else keeps Pacemaker from promoting another node.
    let deadline = host.deadline().last();
    let set = cluster::set_promotion_score(&host.tools, &deadline, node.as_str(), resource, value);
    if let Err(error) = &set {
        tracing::warn!("promotion score not set, the next recurring monitor tries again: {error}");
    }
    set.is_ok()
}

/// Deletes this node's promotion score. The cluster forgets it with the node, so a failure is told and no more.
pub(super) fn delete_score(host: &Host<'_>, node: &NodeName) {
    if host.dry_run() {
        println!("delete the promotion score of node {node}");
        return;
    }
    let deadline = host.deadline().last();
    let deleted =
        cluster::delete_promotion_score(&host.tools, &deadline, node.as_str(), host.context.env.resource_id());
    if let Err(error) = deleted {
        tracing::warn!("promotion score not deleted: {error}");
    }
}
