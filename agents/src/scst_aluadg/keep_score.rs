//! Sets the promotion score in a recurring monitor where the one that was set last does not fit the present state.

use scst_core::cluster;
use scst_core::scst::alua::AluaState;
use scst_core::scst::names::NodeName;

use super::instance::Instance;
use super::score::{Score, show_score};
use crate::host::Host;

/// Sets the score of `state` where the last one that was set is another: it could not be set, is not known, or the
/// instance was demoted since. A demote itself leaves the score, because a change would make Pacemaker forget a pending
/// restart.
pub(super) fn keep_score(host: &Host<'_>, instance: &mut Instance, local: &NodeName, state: AluaState) {
    let score = Score::of(Some(state));
    // Whoever holds the lock changes what is looked at here.
    if !instance.lacks_score(score) || host.state_files.locked(instance.group.as_str()) {
        return;
    }
    // The transition that is under way may be about to promote another node in place of this one: it goes first.
    if instance.score_falls(score) {
        match cluster::roles(&host.tools, host.deadline(), host.context.env.resource_id()) {
            Ok(roles) if roles.pending => return,
            Ok(_) => {}
            Err(error) => {
                tracing::warn!("the promotion score is not lowered yet: {error}");
                return;
            }
        }
    }
    if !show_score(host, local, score) {
        return;
    }
    match instance.lock(host) {
        Ok(_lock) => {
            instance.refresh(host);
            instance.remember_score(host, score);
        }
        Err(failure) => tracing::warn!("the promotion score is not remembered: {failure}"),
    }
}
