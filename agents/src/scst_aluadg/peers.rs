//! Which state this node publishes of the others: every decision about a peer's state, as pure functions. Notify,
//! promote, demote and monitor call them.
//!
//! Start takes its decisions in [`wanted`](super::wanted), from the same lists. Hosts believe what they are told, so a
//! state that is too good costs them time, one that is too bad costs them a path: when unsure, publish the worse state.

use std::collections::{BTreeMap, BTreeSet};

use scst_core::cluster::Roles;
use scst_core::ocf::notify::{Lists, Notify, NotifyType, Operation, PeerRole};
use scst_core::scst::alua::AluaState;
use scst_core::scst::names::NodeName;
use scst_core::state::{DeviceGroup, Storage, View};
use scst_core::state_file::{Remembered, StateFile};

use super::wanted::state_of;

/// How many seconds a node may be between two states before the cluster is asked whether an action is still under way
/// there. The answer shows an action that takes longer.
pub const LOST: u64 = 20;

/// What a notification makes of the peers it names.
pub fn notified(notify: &Notify, local: Option<&NodeName>) -> BTreeMap<NodeName, AluaState> {
    let changes = notify.changes(local.map(NodeName::as_str));
    changes.iter().filter_map(|(node, role)| Some((NodeName::parse(node).ok()?, state_of(*role)))).collect()
}

/// Another node is promoted while this one, should it serve, is meant to go on: in a clone of which one instance may be promoted, which
/// is what Pacemaker takes for granted where nobody says otherwise.
pub fn promoted_over(notify: &Notify, local: &NodeName, promoted_max: Option<u32>) -> bool {
    let (Some((_, Operation::Promote)), Some(lists)) = (notify.event, &notify.lists) else { return false };
    let named = |nodes: &BTreeSet<String>| nodes.contains(local.as_str());
    promoted_max.unwrap_or(1) == 1
        && !lists.promote.is_empty()
        && ![&lists.promote, &lists.demote, &lists.stop].into_iter().any(named)
}

/// The peers that a promotion leaves unpromoted, where one instance may be promoted: none of them serves after it, also one that stepped
/// down without a demotion of which anybody was notified.
pub fn superseded(notify: &Notify, local: Option<&NodeName>, promoted_max: Option<u32>) -> BTreeSet<NodeName> {
    let (Some((NotifyType::Post, Operation::Promote)), Some(lists)) = (notify.event, &notify.lists) else {
        return BTreeSet::new();
    };
    if promoted_max.unwrap_or(1) != 1 || lists.promote.is_empty() {
        return BTreeSet::new();
    }
    let local = local.map(NodeName::as_str);
    let others = lists.active.iter().filter(|node| !lists.promote.contains(*node) && local != Some(node));
    others.filter_map(|node| NodeName::parse(node).ok()).collect()
}

/// In which state a demotion of `local` ends: hosts wait while another node is promoted in the same transition.
pub fn after_demotion(lists: Option<&Lists>, local: &NodeName) -> AluaState {
    let moves = lists.is_some_and(|lists| lists.moves_from(local.as_str()));
    if moves { AluaState::Transitioning } else { AluaState::Standby }
}

/// The transition that this notification ends has promoted another node, so that hosts need not wait for it any more.
pub fn arrived(notify: &Notify, local: &NodeName) -> bool {
    let promoted = |lists: &Lists| lists.moves_from(local.as_str());
    notify.event == Some((NotifyType::Post, Operation::Promote)) && notify.lists.as_ref().is_some_and(promoted)
}

/// What a promotion makes of the peers. Without lists nothing is known about a peer but that it does not serve any more.
pub fn at_promote(group: &DeviceGroup, local: &NodeName, lists: Option<&Lists>) -> BTreeMap<NodeName, AluaState> {
    let peers = group.target_groups.iter().filter(|(node, _)| *node != local);
    peers
        .filter_map(|(node, there)| {
            let state = match lists {
                Some(lists) => state_of(lists.role_at_promote(node.as_str())?),
                None if matches!(there.state, AluaState::Active | AluaState::Transitioning) => AluaState::Standby,
                None => return None,
            };
            Some((node.clone(), state))
        })
        .collect()
}

/// The states among `wanted` that a plan is about to write, and those between two states that `remembered` does not know of: nobody
/// else would look after them.
pub fn remembered(
    found: Option<&DeviceGroup>,
    wanted: Option<&DeviceGroup>,
    remembered: &Remembered,
) -> BTreeMap<NodeName, AluaState> {
    let before = |node| found.and_then(|group| group.target_groups.get(node)).map(|there| there.state);
    let known = |node| remembered.known().and_then(|file| file.peers.get(node)).map(|(state, _)| *state);
    let wanted = wanted.into_iter().flat_map(|group| &group.target_groups);
    let news = wanted.filter(|(node, group)| {
        before(node) != Some(group.state)
            || (group.state == AluaState::Transitioning && known(node) != Some(AluaState::Transitioning))
    });
    news.map(|(node, group)| (node.clone(), group.state)).collect()
}

/// Gives the peers' groups that a start or a reload created and did not finish the state that it meant: a group is born
/// `active`, and kept states would keep that. After one that ended, the kernel knows better than the state file.
pub fn finish(wanted: &mut Storage, found: &Storage, remembered: &Remembered) {
    let (Some(wanted), Some(found), Some(file)) = (&mut wanted.group, &found.group, remembered.known()) else { return };
    for (node, group) in wanted.target_groups.iter_mut().filter(|_| file.starting || file.unfinished) {
        let active = found.target_groups.get(node).is_some_and(|there| there.state == AluaState::Active);
        if let Some((meant, _)) = file.peers.get(node).filter(|_| active && group.state == AluaState::Active) {
            group.state = *meant;
        }
    }
}

/// Remembers the states that were written for peers, with the second at which they were.
pub fn stamp(file: &mut StateFile, local: Option<&NodeName>, states: &BTreeMap<NodeName, AluaState>, now: u64) {
    for (node, state) in states.iter().filter(|(node, _)| local != Some(node)) {
        file.peers.insert(node.clone(), (*state, now));
    }
}

/// What a recurring monitor has to look after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Overdue {
    /// The state file says nothing of the peers: what is there is learned once, and the time runs from now.
    Unknown,
    /// These have stood between two states for too long, as far as the state file knows.
    Peers(Vec<NodeName>),
}

/// Which peers a recurring monitor looks at again.
pub fn overdue(remembered: &Remembered, now: u64) -> Overdue {
    // A state file that a notification began knows only what was notified.
    let Some(file) = remembered.known().filter(|file| file.node.is_some()) else { return Overdue::Unknown };
    let stale = |(state, at): &(AluaState, u64)| *state == AluaState::Transitioning && now.saturating_sub(*at) > LOST;
    Overdue::Peers(file.peers.iter().filter(|(_, last)| stale(last)).map(|(node, _)| node.clone()).collect())
}

/// Those of `lost` that still stand between two states.
pub fn stuck<'a>(found: &View, lost: &'a [NodeName]) -> Vec<&'a NodeName> {
    let state = |node| found.get(node).map(|there| there.state);
    lost.iter().filter(|node| state(*node) == Some(AluaState::Transitioning)).collect()
}

/// No node serves, and something is under way that may end in a promotion: hosts wait for it, and would fail all paths at once if every
/// one of them read standby.
pub fn may_be_moving(roles: &Roles) -> bool {
    roles.pending && !roles.by_node.values().any(|role| *role == PeerRole::Promoted)
}

/// What the cluster's answer makes of peers that are stuck. Who is still at it, says the cluster, is left: its notification
/// may come yet.
pub fn put_right(stuck: &[&NodeName], roles: &BTreeMap<String, PeerRole>) -> BTreeMap<NodeName, AluaState> {
    let role = |node: &NodeName| roles.get(node.as_str()).copied().unwrap_or(PeerRole::Stopped);
    let known = stuck.iter().map(|node| (*node, role(node))).filter(|(_, role)| *role != PeerRole::Changing);
    known.map(|(node, role)| (node.clone(), state_of(role))).collect()
}

/// What is to be remembered after a look at peers: what was put right, and who moved on meanwhile.
pub fn seen(found: &View, put_right: BTreeMap<NodeName, AluaState>) -> BTreeMap<NodeName, AluaState> {
    let moved = found.iter().filter(|(_, there)| there.state != AluaState::Transitioning);
    let mut seen: BTreeMap<_, _> = moved.map(|(node, there)| (node.clone(), there.state)).collect();
    seen.extend(put_right);
    seen
}
