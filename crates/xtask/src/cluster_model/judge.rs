//! What must hold in every cluster that the search reaches.

use super::call::{Set, bit, members};
use super::cluster::Cluster;
use super::events::Event;
use super::nodes::{Nodes, Told};
use super::site::NODES;

/// The laws.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Law {
    /// Never two nodes whose own target group is active, not even for a moment; judged with fencing only.
    OneServes,
    /// A node that is active has its disks open.
    Open,
    /// Every id that two nodes have of the same thing is the same.
    SameIds,
    /// Who has been told of a peer does not think better of it than it is.
    NeverBetter,
    /// After long quiet no picture stands between two states.
    NobodyBetween,
    /// After an undisturbed transition everybody has the truth of those it touched.
    Truth,
    /// What a monitor would answer is what the cluster believes.
    Roles,
    /// A run meets no refusal of the kernel, reaches what it wanted, and repeated at once it writes nothing.
    Run,
}

/// A law that is broken, said with the nodes it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Broken {
    /// The law.
    pub(super) law: Law,
    /// How.
    pub(super) how: String,
}

/// The first law that an event broke, of those that are judged.
pub(super) fn judge(
    nodes: &Nodes,
    before: &Cluster,
    event: Event,
    now: &Cluster,
    judged: impl Fn(Law) -> bool,
) -> Option<Broken> {
    let told = |law: Law, how: &dyn Fn() -> Option<String>| {
        let how = if judged(law) { how() } else { None };
        how.map(|how| Broken { law, how })
    };
    told(Law::OneServes, &|| one_serves(nodes, now))
        .or_else(|| told(Law::Open, &|| open_where_it_serves(nodes, now)))
        .or_else(|| told(Law::SameIds, &|| ids_agree(nodes, now)))
        .or_else(|| told(Law::NeverBetter, &|| members(now.up).find_map(|holder| never_better(nodes, now, holder))))
        .or_else(|| told(Law::NobodyBetween, &|| nobody_between(nodes, now).filter(|_| event == Event::Quiet)))
        .or_else(|| told(Law::Truth, &|| after_transition(nodes, before, event, now)))
        .or_else(|| told(Law::Roles, &|| roles_are_true(nodes, now)))
}

/// Never two nodes whose own target group is active.
fn one_serves(nodes: &Nodes, now: &Cluster) -> Option<String> {
    let serving: Vec<&str> =
        members(now.up).filter(|node| now.truth(nodes, *node) == Told::Active).map(|node| NODES[node]).collect();
    (serving.len() > 1).then(|| format!("{} are active at a time", serving.join(" and ")))
}

/// A node that hosts may write through has its disk open; a closed one is not seen by the next action.
fn open_where_it_serves(nodes: &Nodes, now: &Cluster) -> Option<String> {
    let closed = |node: &usize| now.truth(nodes, *node) == Told::Active && !nodes.summary(now.nodes[*node]).open;
    members(now.up).find(closed).map(|node| format!("{} is active and its device is closed", NODES[node]))
}

/// Every id that two nodes have of the same thing is the same.
fn ids_agree(nodes: &Nodes, now: &Cluster) -> Option<String> {
    let mut known = [0_u16; 16];
    for node in members(now.up) {
        for (place, id) in nodes.summary(now.nodes[node]).ids.iter().enumerate().filter(|(_, id)| **id != 0) {
            if known[place] != 0 && known[place] != *id {
                let what = if place % 4 == 0 { "target group".to_owned() } else { format!("port {}", place % 4) };
                let (of, at) = (NODES[place / 4], NODES[node]);
                return Some(format!("{at} knows {what} of {of} by id {id}, others by {}", known[place]));
            }
            known[place] = *id;
        }
    }
    None
}

/// The picture that a native node has of a peer; a shell node's is not judged.
fn picture(nodes: &Nodes, now: &Cluster, holder: usize, peer: usize) -> Option<Told> {
    let summary = nodes.summary(now.nodes[holder]);
    let told = summary.told[peer];
    (!summary.shell && holder != peer && told != Told::Nothing).then_some(told)
}

/// Who has been told of a peer does not think better of it than it is.
fn never_better(nodes: &Nodes, now: &Cluster, holder: usize) -> Option<String> {
    (0..nodes.site.count).filter(|peer| now.is_informed(holder, *peer)).find_map(|peer| {
        let (told, truth) = (picture(nodes, now, holder, peer)?, now.truth(nodes, peer));
        (told > truth).then(|| format!("{} tells of {} {told:?}, and {truth:?} is true", NODES[holder], NODES[peer]))
    })
}

/// After long quiet no picture stands between two states.
fn nobody_between(nodes: &Nodes, now: &Cluster) -> Option<String> {
    members(now.up & now.active).find_map(|holder| {
        let between = |peer: &usize| picture(nodes, now, holder, *peer) == Some(Told::Transitioning);
        let peer = (0..nodes.site.count).find(between)?;
        Some(format!("{} still has {} between two states", NODES[holder], NODES[peer]))
    })
}

/// After an undisturbed transition everybody has the truth of those it touched, and those that it started or promoted have
/// the truth of everybody; of who is cut off nobody knows it.
fn after_transition(nodes: &Nodes, before: &Cluster, event: Event, now: &Cluster) -> Option<String> {
    if !matches!(event, Event::Notified(_) | Event::Acts(_)) {
        return None;
    }
    let over = before.transition.filter(|transition| now.transition.is_none() && transition.clean)?;
    let touched = over.masks.touched();
    let fresh: Set = over.masks.start | over.masks.promote;
    members(now.up & now.active).find_map(|holder| {
        let of = if fresh & bit(holder) == 0 { touched } else { 0xf };
        let wrong = |peer: &usize| {
            let truth = now.truth(nodes, *peer);
            picture(nodes, now, holder, *peer).is_some_and(|told| told != truth)
        };
        let peer = members(of & !now.failed & !now.cut).take_while(|peer| *peer < nodes.site.count).find(wrong)?;
        let (told, truth) = (nodes.summary(now.nodes[holder]).told[peer], now.truth(nodes, peer));
        Some(format!(
            "the transition is over, {} tells of {} {told:?}, and {truth:?} is true",
            NODES[holder], NODES[peer]
        ))
    })
}

/// What a monitor would answer is what the cluster believes, unless an action failed.
fn roles_are_true(nodes: &Nodes, now: &Cluster) -> Option<String> {
    if now.transition.is_some() {
        return None;
    }
    members(now.there() & !now.failed & !now.lost).take_while(|node| *node < nodes.site.count).find_map(|node| {
        let own = nodes.summary(now.nodes[node]).told[node];
        let (active, promoted) = (now.active & bit(node) != 0, now.promoted & bit(node) != 0);
        let right = (own != Told::Nothing) == active && (own == Told::Active) == promoted;
        (!right).then(|| format!("{} is {own:?}, the cluster takes it for something else", NODES[node]))
    })
}
