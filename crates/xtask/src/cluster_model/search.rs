//! Every cluster that can be reached, nearest first: so the first story that breaks a law is a shortest one.

use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

use super::cluster::{Budget, Cluster};
use super::events::Event;
use super::judge::{Broken, Law, judge};
use super::nodes::{Meddle, Nodes};
use super::site::Site;
use super::story::Story;

/// What is searched.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scope {
    /// How many nodes.
    pub(super) count: usize,
    /// A node that is lost is fenced.
    pub(super) fencing: bool,
    /// The node that runs the shell agent.
    pub(super) shell: Option<usize>,
    /// How often the world does what it seldom does.
    pub(super) budget: Budget,
    /// Only this law is judged.
    pub(super) law: Option<Law>,
    /// What is wrong with the nodes on purpose.
    pub(super) meddle: Option<Meddle>,
}

impl Scope {
    /// The nodes of this scope, none of which has done anything yet.
    pub(super) fn nodes(&self) -> Nodes {
        Nodes::new(Site::new(self.count), self.meddle)
    }

    /// The cluster that every story of this scope begins with.
    pub(super) fn first(&self, nodes: &mut Nodes) -> Cluster {
        Cluster::new(nodes, self.shell, self.budget)
    }

    /// Two that serve at a time are judged with fencing only.
    fn judges(&self, law: Law) -> bool {
        self.law.map_or(self.fencing || law != Law::OneServes, |only| only == law)
    }

    /// Carries an event out and judges what comes of it.
    pub(super) fn after(&self, nodes: &mut Nodes, cluster: &Cluster, event: Event) -> (Cluster, Option<Broken>) {
        let (next, wrong) = cluster.after(nodes, event, self.fencing);
        let judged = |broken: &Broken| self.judges(broken.law);
        let broken = wrong.filter(judged).or_else(|| judge(nodes, cluster, event, &next, |law| self.judges(law)));
        (next, broken)
    }
}

/// What came of a search.
pub(super) struct Found {
    /// Different clusters reached.
    pub(super) clusters: usize,
    /// Events that were carried out.
    pub(super) events: u64,
    /// States in which single nodes were.
    pub(super) node_states: usize,
    /// The most events in a story.
    pub(super) depth: usize,
    /// Nothing is left to be reached.
    pub(super) complete: bool,
    /// How long it took.
    pub(super) took: Duration,
    /// The shortest story that breaks a law.
    pub(super) story: Option<Story>,
}

/// Searches until nothing is left, a law is broken, or `limit` clusters are reached.
pub(super) fn search(scope: &Scope, limit: usize) -> Found {
    let started = Instant::now();
    let mut nodes = scope.nodes();
    let first = scope.first(&mut nodes);
    let mut known = HashSet::from([first]);
    // Where each cluster was reached from, and by which event: by its place in the order of being reached.
    let mut reached: Vec<(u32, Option<Event>)> = vec![(0, None)];
    let mut waiting = VecDeque::from([first]);
    let mut events = 0;
    let mut story = None;
    let mut at = 0;
    while reached.len() < limit
        && story.is_none()
        && let Some(cluster) = waiting.pop_front()
    {
        for event in cluster.events(&nodes, scope.fencing) {
            events += 1;
            let (next, broken) = scope.after(&mut nodes, &cluster, event);
            if let Some(broken) = broken {
                let mut path = vec![event];
                path.extend(path_to(&reached, at));
                path.reverse();
                story = Some(Story { broken, events: path });
                break;
            }
            if known.insert(next) {
                reached.push((u32::try_from(at).expect("fewer clusters than that"), Some(event)));
                waiting.push_back(next);
            }
        }
        at += 1;
    }
    Found {
        clusters: reached.len(),
        events,
        node_states: nodes.len(),
        depth: path_to(&reached, reached.len() - 1).count(),
        complete: waiting.is_empty() && story.is_none(),
        took: started.elapsed(),
        story,
    }
}

/// The events that led to a cluster, the last first.
fn path_to(reached: &[(u32, Option<Event>)], at: usize) -> impl Iterator<Item = Event> {
    let mut at = at;
    std::iter::from_fn(move || {
        let (from, by) = reached[at];
        at = from as usize;
        by
    })
}
