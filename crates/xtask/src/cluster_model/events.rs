//! What can happen next to a cluster.
//!
//! A transition is four sets of actions, demote, stop, start, promote, each between a notification before and one after; a set is
//! over before the next begins, and within a set any order is possible. It may be dropped at any point. Between two transitions
//! the scheduler may decide on any next one, and the world around may change.

use super::call::{Masks, Op, bit, members};
use super::cluster::{Budget, Cluster, Stage, Transition};
use super::nodes::Nodes;
use super::site::{ATTRIBUTES, Attributes};

/// What may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Event {
    /// The cluster decides on a transition.
    Plan(Masks),
    /// The next notification reaches a node.
    Notified(usize),
    /// It does not.
    Unheard(usize),
    /// The next action runs on a node.
    Acts(usize),
    /// It fails.
    Fails(usize),
    /// The rest of the transition is dropped.
    Dropped,
    /// A node loses power.
    Crash(usize),
    /// The others do not see a node any more, which goes on as it was.
    CutOff(usize),
    /// A node is seen again, newly booted if it had lost power.
    Return(usize),
    /// A node's `targetports` get another value.
    Attribute(usize, u8),
    /// The resource is reloaded on a node.
    Reload(usize),
    /// Nothing happens for long, and every monitor runs before and after.
    Quiet,
    /// The same while a transition takes its time.
    Stall,
    /// `start` by hand on a node where it runs.
    ByHand(usize),
    /// A node's record is removed.
    Forget(usize),
    /// The native agent takes the shell agent's place on a node.
    Upgrade(usize),
}

impl Event {
    /// Something that seldom happens.
    pub(super) fn is_mishap(self) -> bool {
        !matches!(self, Self::Plan(_) | Self::Notified(_) | Self::Acts(_) | Self::Return(_) | Self::Quiet)
    }
}

impl Budget {
    /// What a story needs.
    pub(super) fn of(events: &[Event]) -> Self {
        let mut budget = Self::default();
        for event in events {
            let times = match event {
                Event::Plan(_) => &mut budget.plans,
                Event::Unheard(_) => &mut budget.losses,
                Event::Fails(_) => &mut budget.failures,
                Event::Dropped => &mut budget.aborts,
                Event::Crash(_) | Event::CutOff(_) => &mut budget.crashes,
                Event::Attribute(..) => &mut budget.changes,
                Event::Stall => &mut budget.stalls,
                Event::ByHand(_) | Event::Forget(_) => &mut budget.hands,
                Event::Notified(_)
                | Event::Acts(_)
                | Event::Return(_)
                | Event::Reload(_)
                | Event::Quiet
                | Event::Upgrade(_) => continue,
            };
            *times = times.saturating_add(1);
        }
        budget
    }
}

impl Cluster {
    /// What may happen next.
    pub(super) fn events(&self, nodes: &Nodes, fencing: bool) -> Vec<Event> {
        let mut events = Vec::new();
        let all = (1 << nodes.site.count) - 1;
        let budget = &self.budget;
        if let Some(transition) = &self.transition {
            self.events_within(transition, &mut events);
        } else {
            if budget.plans > 0 {
                self.plans(nodes.site.count, &mut events);
            }
            events.extend(members(all & !self.there() & !self.lost).map(Event::Return));
            if budget.changes > 0 {
                for node in members(all) {
                    let values = 0..u8::try_from(ATTRIBUTES.len()).expect("few");
                    let others = values.filter(|value| *value != self.attributes[node]);
                    events.extend(others.map(|value| Event::Attribute(node, value)));
                }
            }
            let runs = self.active & self.there() & !self.failed;
            if self.attributes != Attributes::default() || budget.changes > 0 {
                events.extend(members(runs).map(Event::Reload));
            }
            if budget.hands > 0 {
                events.extend(members(runs).map(Event::ByHand));
                events.extend(members(runs).map(Event::Forget));
            }
            if self.lost == 0 && runs != 0 {
                events.push(Event::Quiet);
            }
            events.extend(
                members(all & self.up).filter(|node| nodes.summary(self.nodes[*node]).shell).map(Event::Upgrade),
            );
        }
        // Without fencing the survivors go on by themselves; with it, one is enough to see what is told of the dead.
        if budget.crashes > 0 && (self.up.count_ones() > 1 || fencing) {
            events.extend(members(self.up).map(Event::Crash));
            if !fencing {
                events.extend(members(self.there()).map(Event::CutOff));
            }
        }
        events
    }

    fn events_within(&self, transition: &Transition, events: &mut Vec<Event>) {
        let budget = &self.budget;
        for node in members(transition.todo & self.there()) {
            if transition.stage == Stage::Act {
                events.push(Event::Acts(node));
                if budget.failures > 0 && matches!(transition.op, Op::Promote | Op::Demote) {
                    events.push(Event::Fails(node));
                }
            } else {
                events.push(Event::Notified(node));
                if budget.losses > 0 {
                    events.push(Event::Unheard(node));
                }
            }
        }
        // One that waits for a dead node is dropped when the cluster notices.
        if budget.aborts > 0 || transition.todo & !self.there() != 0 {
            events.push(Event::Dropped);
        }
        if budget.stalls > 0 {
            events.push(Event::Stall);
        }
    }

    /// Every transition that the scheduler might decide on: each node is to be stopped, running or promoted, and instances
    /// may be restarted on the way.
    fn plans(&self, count: usize, events: &mut Vec<Event>) {
        let usable = self.there() & !self.lost;
        let choices = 3_usize.pow(u32::try_from(count).expect("few nodes"));
        for choice in 0..choices {
            let target = |node: usize| choice / 3_usize.pow(u32::try_from(node).expect("few nodes")) % 3;
            let wanted = |role| (0..count).filter(|node| target(*node) == role).fold(0, |set, node| set | bit(node));
            let (promoted, running) = (wanted(2), wanted(1) | wanted(2));
            if running & !usable != 0 || promoted.count_ones() > 1 {
                continue;
            }
            let here = self.active & usable;
            let mut restarts = vec![0, here];
            restarts.extend(members(here).map(bit));
            restarts.retain(|restart| restart & !running == 0);
            restarts.sort_unstable();
            restarts.dedup();
            for restart in restarts {
                let stop = (here & (!running | restart)) | self.lost;
                let masks = Masks {
                    active: self.active,
                    promoted: self.promoted,
                    demote: self.promoted & (!promoted | restart | stop),
                    stop,
                    start: running & (!here | restart),
                    promote: promoted & (!self.promoted | restart),
                };
                if masks.touched() != 0 && self.failed & !stop == 0 {
                    events.push(Event::Plan(masks));
                }
            }
        }
    }
}
