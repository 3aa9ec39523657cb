//! A cluster as Pacemaker runs it: who has power, what runs where as far as the cluster believes, and how far a transition has
//! come. Small and hashable, because a search remembers every one that it has seen.

use super::call::{Masks, Op, Set, bit};
use super::nodes::{Nodes, Told};
use super::site::{Attributes, MOST};

/// How often the world may still do what it seldom does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Budget {
    /// Notifications are lost.
    pub(super) losses: u8,
    /// Nodes lose power, or without fencing the connection to the others.
    pub(super) crashes: u8,
    /// A promotion or demotion fails.
    pub(super) failures: u8,
    /// Transitions are dropped.
    pub(super) aborts: u8,
    /// A node's `targetports` change.
    pub(super) changes: u8,
    /// Over 150 s pass within a transition, with monitors everywhere.
    pub(super) stalls: u8,
    /// An administrator starts what runs, by hand, or removes a record.
    pub(super) hands: u8,
    /// Transitions that are planned.
    pub(super) plans: u8,
}

/// As often as it likes.
pub(super) const ALWAYS: u8 = u8::MAX;

/// One cluster of a search: small, comparable, hashable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Cluster {
    /// The nodes' states.
    pub(super) nodes: [u32; MOST],
    /// Who has power.
    pub(super) up: Set,
    /// Of those, who is cut off from the others: nobody fenced it, and it goes on as it was.
    pub(super) cut: Set,
    /// Where the cluster believes that an instance runs.
    pub(super) active: Set,
    /// Where it believes that one is promoted.
    pub(super) promoted: Set,
    /// Lost and fenced; the next transition says so.
    pub(super) lost: Set,
    /// An action failed here; the next transition stops it.
    pub(super) failed: Set,
    /// Every node's `targetports`.
    pub(super) attributes: Attributes,
    /// Of whom each node has been told since their state last changed, four bits a node.
    pub(super) informed: u16,
    /// The transition under way.
    pub(super) transition: Option<Transition>,
    /// What may still go wrong.
    pub(super) budget: Budget,
}

/// How far a transition has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Transition {
    pub(super) masks: Masks,
    pub(super) op: Op,
    pub(super) stage: Stage,
    /// Who is still to be notified, or to act.
    pub(super) todo: Set,
    /// Every notification arrived and every action succeeded.
    pub(super) clean: bool,
    /// An action failed: the set ends with its notifications, and nothing follows.
    pub(super) broken: bool,
}

/// The three parts of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Stage {
    Before,
    Act,
    After,
}

impl Cluster {
    /// All nodes have booted and nothing runs.
    pub(super) fn new(nodes: &mut Nodes, shell: Option<usize>, budget: Budget) -> Self {
        let count = nodes.site.count;
        let mut states = [0; MOST];
        for (node, state) in states.iter_mut().enumerate().take(count) {
            *state = nodes.booted(node, shell == Some(node));
        }
        Self {
            nodes: states,
            up: (1 << count) - 1,
            cut: 0,
            active: 0,
            promoted: 0,
            lost: 0,
            failed: 0,
            attributes: Attributes::default(),
            informed: 0,
            transition: None,
            budget,
        }
    }

    /// The state that hosts meet at a node: none at all where there is no power.
    pub(super) fn truth(&self, nodes: &Nodes, node: usize) -> Told {
        if self.up & bit(node) == 0 {
            return Told::Unavailable;
        }
        nodes.summary(self.nodes[node]).told[node].max(Told::Unavailable)
    }

    /// Who takes part in the cluster.
    pub(super) fn there(&self) -> Set {
        self.up & !self.cut
    }

    /// Whether `holder` has been told of `node` since its state last changed.
    pub(super) fn is_informed(&self, holder: usize, node: usize) -> bool {
        self.informed & (1 << (holder * MOST + node)) != 0
    }

    /// `holder` has been told of these.
    pub(super) fn inform(&mut self, holder: usize, about: Set) {
        self.informed |= u16::from(about & 0xf) << (holder * MOST);
    }

    /// A node's state has changed: nobody has been told of it yet.
    pub(super) fn outdate(&mut self, node: usize) {
        let column = (0..MOST).fold(0, |column, holder| column | 1 << (holder * MOST + node));
        self.informed &= !column;
    }

    /// What `holder` was told is as good as nothing: it starts anew, or was away.
    pub(super) fn uninform(&mut self, holder: usize) {
        self.informed &= !(0xf << (holder * MOST));
    }
}
