//! What the end of an operation makes the cluster believe.

use std::collections::BTreeSet;
use std::time::Duration;

use scst_core::ocf::action::Action;
use scst_sim::stand_in::Role as Noted;

use super::{Cluster, Instance, Lists, Role};
use crate::simulate::stage::Outcome;
use crate::simulate::world::NODES;

impl Cluster {
    pub(super) fn probe(&mut self, probes: &[(usize, usize)]) {
        for (r, node) in probes {
            self.begin(*r, *node, Action::Monitor, &Lists::default(), Vec::new());
        }
        for (r, node, outcome) in self.wait() {
            let now = self.world().now;
            let instance = &mut self.resources[r].instances[node];
            instance.failed |= !matches!(outcome.exit, Some(0 | 2 | 5 | 7 | 8));
            instance.role = match outcome.exit {
                Some(7 | 5 | 2) => Role::Stopped,
                Some(8 | 9) => Role::Promoted,
                _ => Role::Unpromoted,
            };
            instance.due = instance.active().then_some(now).or(instance.due);
            self.note(r, node);
        }
    }

    /// Recurring monitors, side by side.
    pub(super) fn monitors(&mut self, instances: &[(usize, usize)]) {
        let members = self.members();
        for (r, node) in instances.iter().filter(|(_, node)| members.contains(node)) {
            let promoted = self.resources[*r].instances[*node].role == Role::Promoted;
            let interval = if promoted { 10 } else { 11 };
            let mut extra = vec![("CRM_meta_interval".to_owned(), (interval * 1000).to_string())];
            let of = &self.resources[*r];
            let compares = of.instances[*node].running == of.params;
            if compares && self.thorough.is_some_and(|times| self.world().lot.once_in(times)) {
                extra.push(("OCF_CHECK_LEVEL".to_owned(), "10".to_owned()));
            }
            self.begin(*r, *node, Action::Monitor, &Lists::default(), extra);
            let now = self.world().now;
            self.resources[*r].instances[*node].due = Some(now + Duration::from_secs(interval));
        }
        for (r, node, outcome) in self.wait() {
            let promotable = self.resources[r].group.is_some();
            let instance = &mut self.resources[r].instances[node];
            match (outcome.exit, instance.role) {
                // After a reload the first monitor of the promoted role sets the belief right; otherwise it is a failure.
                (Some(8), Role::Promoted | Role::Unpromoted) if promotable => instance.role = Role::Promoted,
                (Some(0), Role::Unpromoted) => {}
                _ => {
                    instance.fails();
                    self.aborted = true;
                }
            }
        }
    }

    /// At rest a monitor of level 10 finds nothing to say, once what it found has been recovered: a file that has grown under a standby has its
    /// new size after a restart.
    pub(in crate::simulate) fn compare(&mut self) {
        self.thorough = Some(1);
        for last in [false, true] {
            let all: Vec<_> = self.instances().map(|(r, node, _)| (r, node)).collect();
            self.monitors(&all);
            let failed = last && self.instances().any(|(.., one)| one.failed);
            let wrong = failed.then(|| "at rest a monitor of level 10 fails".to_owned());
            self.world().check("at rest a monitor of level 10 finds nothing", !last, wrong);
            self.settle();
        }
    }

    /// What has just come up, or changed its role, is monitored at once.
    pub(super) fn first_monitors(&mut self, members: &BTreeSet<usize>) {
        let now = self.world().now;
        let is_due = |one: &Instance| one.active() && !one.failed && one.due.is_none_or(|due| due <= now);
        let due = self.instances().filter(|(_, node, instance)| members.contains(node) && is_due(instance));
        let due: Vec<(usize, usize)> = due.map(|(r, node, _)| (r, node)).collect();
        self.monitors(&due);
    }

    /// What an action's end means.
    pub(super) fn result(&mut self, r: usize, node: usize, action: Action, outcome: &Outcome, fence: &mut Vec<usize>) {
        let success = outcome.exit == Some(0) || (action == Action::Demote && outcome.exit == Some(7));
        let params = self.resources[r].params.clone();
        let now = self.world().now;
        let instance = &mut self.resources[r].instances[node];
        if success {
            instance.role = match action {
                Action::Stop => Role::Stopped,
                Action::Promote => Role::Promoted,
                _ => Role::Unpromoted,
            };
            instance.due = instance.active().then_some(now);
            if matches!(action, Action::Start | Action::Stop) {
                (instance.failed, instance.restart) = (false, false);
            }
            if action == Action::Start {
                instance.running = params;
            }
        } else {
            self.aborted = true;
            instance.fails();
            instance.banned |= action == Action::Start;
            match action {
                Action::Promote => instance.role = Role::Promoted,
                Action::Stop if self.fencing => fence.push(node),
                Action::Stop => {
                    instance.blocked = true;
                    // Its peers were told that it has stopped, and nobody tells them otherwise before it does something again.
                    self.world().over = Some("a stop failed, and nobody fences");
                }
                // What was demoted is stopped next, without a second demotion.
                _ => instance.role = Role::Unpromoted,
            }
        }
        self.note(r, node);
    }

    /// Tells the status section what the cluster believes.
    pub(super) fn note(&self, r: usize, node: usize) {
        let role = match self.resources[r].instances[node].role {
            Role::Unknown | Role::Stopped => Noted::Stopped,
            Role::Unpromoted => Noted::Unpromoted,
            Role::Promoted => Noted::Promoted,
        };
        let cib = self.world().cib.clone();
        cib.set_role(NODES[node], &self.resources[r].id, role).expect("a CIB");
    }
}
