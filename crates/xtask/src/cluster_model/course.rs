//! What an event makes of a cluster.
//!
//! All lists of a transition describe the state in which it began. Who runs at that moment is notified: not who is about to
//! start, nor who has stopped. The transition after one that was dropped describes what has become true until then. A node that
//! was lost is named in the next transition's lists if it has been fenced, and in none if there is no fencing.

use super::call::{Call, Masks, Op, Roles, Set, bit, members};
use super::cluster::{ALWAYS, Cluster, Stage, Transition};
use super::events::Event;
use super::judge::{Broken, Law};
use super::nodes::{Nodes, Told};
use super::site::{MOST, NODES};

/// One time less.
fn spend(times: &mut u8) {
    if *times != ALWAYS {
        *times -= 1;
    }
}

impl Cluster {
    /// What an event makes of the cluster; what went wrong in a run of an agent comes with it.
    pub(super) fn after(&self, nodes: &mut Nodes, event: Event, fencing: bool) -> (Self, Option<Broken>) {
        let mut next = *self;
        let mut wrong = None;
        match event {
            Event::Plan(masks) => next.begin(masks),
            Event::Notified(node) => wrong = next.notified(nodes, node),
            Event::Unheard(node) => {
                spend(&mut next.budget.losses);
                next.proceed(node, false);
            }
            Event::Acts(node) => wrong = next.acts(nodes, node),
            Event::Fails(node) => wrong = next.fails(nodes, node),
            Event::Dropped => {
                let dead = next.transition.is_some_and(|transition| transition.todo & !next.there() != 0);
                if !dead {
                    spend(&mut next.budget.aborts);
                }
                next.transition = None;
            }
            Event::Crash(node) => {
                spend(&mut next.budget.crashes);
                next.crash(nodes, node, fencing);
            }
            Event::CutOff(node) => {
                spend(&mut next.budget.crashes);
                next.cut_off(node);
            }
            Event::Return(node) => next.come_back(nodes, node),
            Event::Attribute(node, value) => {
                spend(&mut next.budget.changes);
                next.attributes[node] = value;
            }
            Event::Reload(node) => wrong = next.call(nodes, node, Call::Reload),
            Event::Quiet => wrong = next.quiet(nodes),
            Event::Stall => {
                spend(&mut next.budget.stalls);
                wrong = next.quiet(nodes);
            }
            Event::ByHand(node) => {
                spend(&mut next.budget.hands);
                wrong = next.call(nodes, node, Call::Start(None));
            }
            Event::Forget(node) => {
                spend(&mut next.budget.hands);
                wrong = next.call(nodes, node, Call::Forget);
            }
            Event::Upgrade(node) => {
                wrong = next.call(nodes, node, Call::Upgrade);
                next.uninform(node);
            }
        }
        (next, wrong)
    }

    /// Runs the agent on a node.
    fn call(&mut self, nodes: &mut Nodes, node: usize, call: Call) -> Option<Broken> {
        let before = self.truth(nodes, node);
        let outcome = nodes.call(node, self.nodes[node], call, self.attributes);
        self.nodes[node] = outcome.state;
        if self.truth(nodes, node) != before {
            self.outdate(node);
        }
        let mut others = members(self.up & !bit(node)).take_while(|other| *other < nodes.site.count);
        if let Some(wrong) = outcome.wrong {
            return Some(Broken { law: Law::Run, how: nodes.wrongs[wrong as usize].clone() });
        }
        let other = others.find(|other| outcome.served && self.truth(nodes, *other) == Told::Active)?;
        let how = format!("{} serves, if only for a moment, while {} is active", NODES[node], NODES[other]);
        Some(Broken { law: Law::OneServes, how })
    }

    fn begin(&mut self, masks: Masks) {
        spend(&mut self.budget.plans);
        // Fencing comes first, and with it the cluster knows that nothing runs there.
        self.active &= !self.lost;
        self.promoted &= !self.lost;
        self.lost = 0;
        let start = Transition { masks, op: Op::Demote, stage: Stage::Before, todo: 0, clean: true, broken: false };
        self.transition = Some(start);
        self.enter();
    }

    /// Fills in who has something to do in the present stage, going on while that is nobody.
    fn enter(&mut self) {
        let Some(mut transition) = self.transition else { return };
        loop {
            let set = transition.masks.of(transition.op);
            if set != 0 {
                transition.todo = match transition.stage {
                    Stage::Before | Stage::After => self.active,
                    Stage::Act => set & self.due(transition.op, transition.masks),
                };
                if transition.todo != 0 {
                    self.transition = Some(transition);
                    return;
                }
            }
            let next_op = Op::ALL.into_iter().find(|op| *op > transition.op).filter(|_| !transition.broken);
            (transition.op, transition.stage) = match (transition.stage, next_op) {
                (Stage::Before, _) if set != 0 => (transition.op, Stage::Act),
                (Stage::Act, _) if set != 0 => (transition.op, Stage::After),
                (_, Some(op)) => (op, Stage::Before),
                (_, None) => {
                    self.transition = None;
                    return;
                }
            };
        }
    }

    /// Of those in a list, who is there to act: the fenced are not.
    fn due(&self, op: Op, masks: Masks) -> Set {
        match op {
            Op::Demote | Op::Stop | Op::Promote => self.active,
            Op::Start => masks.start,
        }
    }

    /// A node has had its turn.
    fn proceed(&mut self, node: usize, clean: bool) {
        let Some(transition) = &mut self.transition else { return };
        transition.todo &= !bit(node);
        transition.clean &= clean;
        if transition.todo != 0 {
            return;
        }
        let next_op = Op::ALL.into_iter().find(|op| *op > transition.op).filter(|_| !transition.broken);
        (transition.op, transition.stage) = match (transition.stage, next_op) {
            (Stage::Before, _) => (transition.op, Stage::Act),
            (Stage::Act, _) => (transition.op, Stage::After),
            (Stage::After, Some(op)) => (op, Stage::Before),
            (Stage::After, None) => {
                self.transition = None;
                return;
            }
        };
        self.enter();
    }

    fn notified(&mut self, nodes: &mut Nodes, node: usize) -> Option<Broken> {
        let Transition { masks, op, stage, .. } = self.transition?;
        let after = stage == Stage::After;
        let wrong = self.call(nodes, node, Call::Notify(after, op, masks));
        if after {
            let about = if op == Op::Start { masks.running_after() } else { masks.of(op) };
            // What is said of a dead node before its stop is not yet the end of it, nor of one whose action failed.
            let settled = if op == Op::Stop { about } else { about & self.there() };
            self.inform(node, settled & !self.failed);
        }
        self.proceed(node, true);
        wrong
    }

    fn acts(&mut self, nodes: &mut Nodes, node: usize) -> Option<Broken> {
        let Transition { masks, op, .. } = self.transition?;
        let call = match op {
            Op::Demote => Call::Demote,
            Op::Stop => Call::Stop,
            Op::Start => Call::Start(Some(masks)),
            Op::Promote => Call::Promote(masks),
        };
        let wrong = self.call(nodes, node, call);
        let known = (self.there() | !masks.running_after()) & !self.failed;
        match op {
            Op::Demote => self.promoted &= !bit(node),
            Op::Stop => {
                self.active &= !bit(node);
                self.failed &= !bit(node);
            }
            Op::Start => {
                self.active |= bit(node);
                self.uninform(node);
                self.inform(node, known & !masks.touched());
            }
            Op::Promote => {
                self.promoted |= bit(node);
                self.inform(node, known);
            }
        }
        self.proceed(node, true);
        wrong
    }

    fn fails(&mut self, nodes: &mut Nodes, node: usize) -> Option<Broken> {
        let Transition { masks, op, .. } = self.transition?;
        spend(&mut self.budget.failures);
        let call = if op == Op::Promote { Call::PromoteFails(masks) } else { Call::DemoteFails };
        let wrong = self.call(nodes, node, call);
        self.failed |= bit(node);
        self.outdate(node);
        if let Some(transition) = &mut self.transition {
            transition.broken = true;
        }
        self.proceed(node, false);
        wrong
    }

    fn crash(&mut self, nodes: &mut Nodes, node: usize, fencing: bool) {
        let shell = nodes.summary(self.nodes[node]).shell;
        let bit = bit(node);
        self.up &= !bit;
        self.cut &= !bit;
        self.nodes[node] = nodes.booted(node, shell);
        self.failed &= !bit;
        self.outdate(node);
        self.uninform(node);
        if let Some(transition) = &mut self.transition {
            transition.clean = false;
        }
        if fencing {
            self.lost |= bit & self.active;
        } else {
            self.active &= !bit;
            self.promoted &= !bit;
        }
    }

    /// Nobody sees the node any more, and nobody does anything about it.
    fn cut_off(&mut self, node: usize) {
        self.cut |= bit(node);
        self.active &= !bit(node);
        self.promoted &= !bit(node);
        self.failed &= !bit(node);
        self.outdate(node);
        self.uninform(node);
        if let Some(transition) = &mut self.transition {
            transition.clean = false;
        }
    }

    /// Probes say what runs on a node that is seen again.
    fn come_back(&mut self, nodes: &Nodes, node: usize) {
        self.up |= bit(node);
        self.cut &= !bit(node);
        let own = nodes.summary(self.nodes[node]).told[node];
        if own != Told::Nothing {
            self.active |= bit(node);
        }
        if own == Told::Active {
            self.promoted |= bit(node);
        }
    }

    /// Monitors run, more than 150 s pass, monitors run again.
    fn quiet(&mut self, nodes: &mut Nodes) -> Option<Broken> {
        let changing = self.transition.filter(|t| t.stage == Stage::Act).map_or(0, |t| t.todo & self.there());
        let roles = Roles { running: self.active, promoted: self.promoted, changing };
        let runs = self.active & self.there();
        let mut wrong = None;
        for call in [Call::Monitor(roles), Call::Age, Call::Monitor(roles)] {
            for node in members(runs) {
                let before = nodes.summary(self.nodes[node]).told;
                wrong = wrong.or(self.call(nodes, node, call));
                let after = nodes.summary(self.nodes[node]).told;
                let put_right =
                    (0..MOST).filter(|peer| before[*peer] != after[*peer]).fold(0, |set, peer| set | bit(peer));
                self.inform(node, put_right & self.there() & !changing & !self.failed);
            }
        }
        wrong
    }
}
