//! What the end of an operation makes the cluster believe.

use std::collections::BTreeSet;
use std::time::Duration;

use scst_core::ocf::action::Action;
use scst_sim::stand_in::Role as Noted;

use super::{Cluster, Instance, Lists, Role};
use crate::simulate::stage::Outcome;
use crate::simulate::world::NODES;

/// After so many failures an instance does not run on the node any more (`migration-threshold`).
const THRESHOLD: u32 = 3;

impl Cluster {
    pub(super) fn probe(&mut self, probes: &[(usize, usize)]) {
        let mut begun = Vec::new();
        for (r, node) in probes {
            begun.push((*r, *node, self.begin(*r, *node, Action::Monitor, &Lists::default(), Vec::new())));
        }
        for (r, node, outcome) in self.wait(begun) {
            let instance = &mut self.resources[r].instances[node];
            instance.role = match outcome.exit {
                Some(7 | 5 | 2) => Role::Stopped,
                Some(0) => Role::Unpromoted,
                Some(8) => Role::Promoted,
                Some(9) => {
                    instance.failed = true;
                    Role::Promoted
                }
                _ => {
                    instance.failed = true;
                    Role::Unpromoted
                }
            };
            self.note(r, node);
        }
        let found: Vec<(usize, usize)> =
            probes.iter().copied().filter(|(r, node)| self.resources[*r].instances[*node].active()).collect();
        for (r, node) in found {
            let now = self.stage.lock().world.now;
            self.resources[r].instances[node].due = Some(now);
        }
    }

    /// Recurring monitors, side by side.
    pub(super) fn monitors(&mut self, instances: &[(usize, usize)]) {
        let members = self.members();
        let mut begun = Vec::new();
        for (r, node) in instances.iter().filter(|(_, node)| members.contains(node)) {
            let promoted = self.resources[*r].instances[*node].role == Role::Promoted;
            let interval = if promoted { 10 } else { 11 };
            let mut extra = vec![("CRM_meta_interval".to_owned(), (interval * 1000).to_string())];
            let of = &self.resources[*r];
            let compares = of.group.is_some() && of.instances[*node].running == of.params;
            if compares && self.thorough.is_some_and(|times| self.stage.lock().world.lot.once_in(times)) {
                extra.push(("OCF_CHECK_LEVEL".to_owned(), "10".to_owned()));
            }
            begun.push((*r, *node, self.begin(*r, *node, Action::Monitor, &Lists::default(), extra)));
            let now = self.stage.lock().world.now;
            self.resources[*r].instances[*node].due = Some(now + Duration::from_secs(interval));
        }
        for (r, node, outcome) in self.wait(begun) {
            let promotable = self.resources[r].group.is_some();
            let instance = &mut self.resources[r].instances[node];
            match (outcome.exit, instance.role) {
                (Some(8), Role::Promoted | Role::Unpromoted) if promotable => {
                    if instance.role == Role::Unpromoted {
                        // After a reload the first monitor of the promoted role sets the belief right; otherwise it is a failure.
                        instance.role = Role::Promoted;
                    }
                }
                (Some(0), Role::Unpromoted) => {}
                _ => {
                    instance.failed = true;
                    instance.failures += 1;
                    instance.banned |= instance.failures >= THRESHOLD;
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
            let all = (1..self.resources.len()).flat_map(|r| self.members().into_iter().map(move |node| (r, node)));
            self.monitors(&all.collect::<Vec<_>>());
            if last && self.resources.iter().any(|resource| resource.instances.iter().any(|one| one.failed)) {
                self.stage.lock().world.violated("at rest a monitor of level 10 fails".to_owned());
            }
            self.settle();
        }
    }

    /// What has just come up, or changed its role, is monitored at once.
    pub(super) fn first_monitors(&mut self, members: &BTreeSet<usize>) {
        let now = self.stage.lock().world.now;
        let mut due = Vec::new();
        for (r, resource) in self.resources.iter().enumerate() {
            for (node, instance) in resource.instances.iter().enumerate() {
                if members.contains(&node)
                    && instance.active()
                    && !instance.failed
                    && instance.due.is_none_or(|due| due <= now)
                {
                    due.push((r, node));
                }
            }
        }
        self.monitors(&due);
    }

    /// What an action's end means.
    pub(super) fn result(&mut self, r: usize, node: usize, action: Action, outcome: &Outcome, fence: &mut Vec<usize>) {
        let success = outcome.exit == Some(0) || (action == Action::Demote && outcome.exit == Some(7));
        let params = self.resources[r].params.clone();
        let now = self.stage.lock().world.now;
        let instance = &mut self.resources[r].instances[node];
        if success {
            match action {
                Action::Start => {
                    *instance = Instance {
                        role: Role::Unpromoted,
                        running: params,
                        due: Some(now),
                        failed: false,
                        restart: false,
                        ..instance.clone()
                    };
                }
                Action::Promote => {
                    instance.role = Role::Promoted;
                    instance.due = Some(now);
                }
                Action::Demote => {
                    instance.role = Role::Unpromoted;
                    instance.due = Some(now);
                }
                Action::Stop => {
                    *instance =
                        Instance { role: Role::Stopped, due: None, failed: false, restart: false, ..instance.clone() };
                }
                _ => {}
            }
        } else {
            self.aborted = true;
            instance.failed = true;
            instance.failures += 1;
            match action {
                Action::Start => {
                    instance.role = Role::Unpromoted;
                    instance.banned = true;
                }
                Action::Promote => instance.role = Role::Promoted,
                // It is stopped next, without a second demotion.
                Action::Demote => instance.role = Role::Unpromoted,
                Action::Stop => {
                    if self.fencing {
                        fence.push(node);
                    } else {
                        self.resources[r].instances[node].blocked = true;
                        // Its peers were told that it has stopped, and nobody tells them otherwise before it does something again.
                        self.stage.lock().world.over = Some("a stop failed, and nobody fences");
                    }
                }
                _ => {}
            }
            if self.resources[r].instances[node].failures >= THRESHOLD {
                self.resources[r].instances[node].banned = true;
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
        let cib = self.stage.lock().world.cib.clone();
        cib.set_role(NODES[node], &self.resources[r].id, role).expect("a CIB");
    }
}
