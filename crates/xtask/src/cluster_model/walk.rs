//! Walks: long stories of which each event is drawn by lot, for clusters that are too many to visit all.
//!
//! The same seed draws the same stories. A walk that breaks a law is made shorter by leaving out what it can do without.

use std::collections::HashSet;
use std::time::Instant;

use super::cluster::{Budget, Cluster};
use super::events::Event;
use super::judge::Broken;
use super::nodes::Nodes;
use super::search::{Found, Scope, search};
use super::story::Story;

/// How many events a story has; the next one begins anew.
const LENGTH: usize = 400;

/// One event in so many is a mishap, where there is a choice.
const MISHAPS: u64 = 6;

/// Numbers by lot (Steele, Lea, Flood: `SplitMix64`).
#[derive(Debug, Clone)]
pub(super) struct Lot(u64);

impl Lot {
    /// The same seed draws the same numbers.
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `end`, which is not 0.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }

    fn one_of<T: Copy>(&mut self, choice: &[T]) -> T {
        let place = self.below(u64::try_from(choice.len()).expect("a length"));
        choice[usize::try_from(place).expect("below a length")]
    }

    /// What happens next to a cluster; `None` where nothing can.
    pub(super) fn draw(&mut self, nodes: &Nodes, cluster: &Cluster, fencing: bool) -> Option<Event> {
        let (mishaps, usual): (Vec<_>, Vec<_>) =
            cluster.events(nodes, fencing).into_iter().partition(|event| event.is_mishap());
        let from = match (mishaps.is_empty(), usual.is_empty()) {
            (true, true) => return None,
            (false, false) if self.below(MISHAPS) != 0 => usual,
            (false, _) => mishaps,
            (true, false) => usual,
        };
        Some(self.one_of(&from))
    }
}

/// Walks until `limit` events have happened or a law is broken.
pub(super) fn walk(scope: &Scope, seed: u64, limit: usize) -> Found {
    let started = Instant::now();
    let mut nodes = scope.nodes();
    let mut lot = Lot::new(seed);
    let mut known = HashSet::new();
    let mut events = 0;
    let mut story = None;
    while events < limit && story.is_none() {
        let mut cluster = scope.first(&mut nodes);
        let mut path = Vec::new();
        while path.len() < LENGTH {
            known.insert(cluster);
            let Some(event) = lot.draw(&nodes, &cluster, scope.fencing) else { break };
            path.push(event);
            let (next, broken) = scope.after(&mut nodes, &cluster, event);
            cluster = next;
            if let Some(broken) = broken {
                let whole = Story { broken, events: path.clone() };
                story = Some(shortest(scope, shortened(scope, &mut nodes, whole), limit));
                break;
            }
        }
        events += path.len();
    }
    Found {
        clusters: known.len(),
        events: u64::try_from(events).expect("a number of events"),
        node_states: nodes.len(),
        depth: LENGTH,
        complete: false,
        took: started.elapsed(),
        story,
    }
}

/// Looks for a shorter story among all those with the same mishaps, no more often than in this one.
fn shortest(scope: &Scope, story: Story, limit: usize) -> Story {
    let budget = Budget::of(&story.events);
    let narrow = Scope { budget, law: Some(story.broken.law), ..*scope };
    search(&narrow, limit).story.unwrap_or(story)
}

/// Leaves out of a story whatever it can do without: longer pieces first, then single events.
fn shortened(scope: &Scope, nodes: &mut Nodes, mut story: Story) -> Story {
    let mut piece = story.events.len() / 2;
    while piece > 0 {
        let mut at = 0;
        while at < story.events.len() {
            let end = (at + piece).min(story.events.len());
            let rest = [&story.events[..at], &story.events[end..]].concat();
            match retold(scope, nodes, &rest).filter(|told| told.broken.law == story.broken.law) {
                Some(told) => story = told,
                None => at += piece,
            }
        }
        piece /= 2;
    }
    story
}

/// What is left of a story when that of its events happens which can, up to the law that it breaks.
fn retold(scope: &Scope, nodes: &mut Nodes, events: &[Event]) -> Option<Story> {
    let mut cluster = scope.first(nodes);
    let mut path = Vec::new();
    for event in events {
        if !cluster.events(nodes, scope.fencing).contains(event) {
            continue;
        }
        path.push(*event);
        let (next, broken): (Cluster, Option<Broken>) = scope.after(nodes, &cluster, *event);
        cluster = next;
        if let Some(broken) = broken {
            return Some(Story { broken, events: path });
        }
    }
    None
}
