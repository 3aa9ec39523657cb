//! How a transition is carried out: phases in order, each between its notifications, until something aborts it.

use std::collections::BTreeSet;

use scst_core::ocf::action::Action;

use super::{Cluster, Lists, PHASES, Plan, Role};
use crate::simulate::events;
use crate::simulate::world::NODES;

impl Cluster {
    /// Whether the transition goes on; something may happen meanwhile.
    fn goes_on(&mut self) -> bool {
        match self.second_thoughts.take() {
            Some((0, r, node)) => {
                self.world().disturbed = true;
                self.prefer(r, node);
            }
            Some((steps, r, node)) => self.second_thoughts = Some((steps - 1, r, node)),
            None => {}
        }
        if self.eventful {
            events::between(self);
        }
        !self.aborted && !self.world().is_over()
    }

    pub(super) fn carry_out(&mut self, plans: &[Plan], members: &BTreeSet<usize>, lost: &BTreeSet<usize>) {
        for (r, plan) in plans.iter().enumerate().filter(|(_, plan)| !plan.is_empty()) {
            let names = |set: &BTreeSet<usize>| set.iter().map(|node| NODES[*node]).collect::<Vec<_>>().join(" ");
            let phases = PHASES.iter().map(|phase| (phase.to_string(), plan.lists.of(*phase)));
            let parts = [("reload".to_owned(), &plan.reload)].into_iter().chain(phases);
            let parts: Vec<String> =
                parts.filter(|(_, set)| !set.is_empty()).map(|(what, set)| format!("{what} {}", names(set))).collect();
            self.happened(format!("transition: {} {}", self.resources[r].id, parts.join(", ")));
        }
        self.world().unheard = false;
        self.misled(plans);
        self.reload(plans, members);
        if !self.goes_on() {
            return;
        }
        for action in PHASES {
            let scores: Vec<_> = (1..self.resources.len()).map(|r| self.scores(r)).collect();
            if (action == Action::Start && !self.lower_down(plans, members))
                || (action == Action::Promote && !self.lower_up(plans, members))
            {
                return;
            }
            // Ports stop after the groups, and start before them.
            if action == Action::Start
                && !(self.phase(&plans[..1], Action::Stop, members, lost)
                    && self.phase(&plans[..1], Action::Start, members, lost))
            {
                return;
            }
            if !self.phase(plans, action, members, lost) {
                return;
            }
            let changed = scores != (1..self.resources.len()).map(|r| self.scores(r)).collect::<Vec<_>>();
            if changed || !self.goes_on() {
                break;
            }
        }
        if !self.world().is_over() {
            self.first_monitors(members);
        }
    }

    /// What lies below leaves a node, after the group has been demoted or stopped there. False: the transition ends here.
    fn lower_down(&mut self, plans: &[Plan], members: &BTreeSet<usize>) -> bool {
        for (r, plan) in plans.iter().enumerate() {
            let Some((Some(from), _)) = plan.lower else { continue };
            let group = self.group(r);
            let down = !members.contains(&from) || self.world().lower(from, &group, false);
            if down {
                self.resources[r].lower = None;
                continue;
            }
            let instance = &self.resources[r].instances[from];
            let (failed, role) = (instance.failed || instance.blocked, instance.role);
            let reloaded = self.acted.get(&(self.resources[r].id.clone(), from)) == Some(&Action::Reload);
            let mut state = self.stage.lock();
            if reloaded || !self.fencing {
                state.world.over =
                    Some("what lies below was demoted while the cluster took the promoted instance for another one");
            } else if !failed {
                state.world.violated(format!("{group} is {role:?} on {}, and has a store open", NODES[from]));
            }
            drop(state);
            self.lose(from, false);
            return false;
        }
        true
    }

    /// What lies below comes up where the group is to be promoted. False: the transition ends here.
    fn lower_up(&mut self, plans: &[Plan], members: &BTreeSet<usize>) -> bool {
        for (r, plan) in plans.iter().enumerate() {
            let to = plan.lower.and_then(|(_, to)| to).filter(|to| members.contains(to));
            let Some(to) = to else { continue };
            let group = self.group(r);
            self.world().lower(to, &group, true);
            self.resources[r].lower = Some(to);
        }
        self.goes_on()
    }

    /// Between a reload and the next monitor the lists name a serving instance as an unpromoted one, and peers say so too until the next
    /// notification about it.
    fn misled(&self, plans: &[Plan]) {
        let mut state = self.stage.lock();
        for (resource, plan) in self.resources.iter().zip(plans) {
            let Some(group) = resource.group.as_ref().filter(|_| !plan.is_empty()) else { continue };
            for (node, instance) in resource.instances.iter().enumerate() {
                let serves = state.world.state(node, group, node).as_deref() == Some("active");
                if serves && instance.role == Role::Unpromoted {
                    (state.world.untold, state.world.disturbed) = (true, true);
                }
            }
        }
    }

    fn reload(&mut self, plans: &[Plan], members: &BTreeSet<usize>) {
        for (r, plan) in plans.iter().enumerate() {
            for node in plan.reload.intersection(members) {
                self.begin(r, *node, Action::Reload, &Lists::default(), Vec::new());
            }
        }
        for (r, node, outcome) in self.wait() {
            let (params, now) = (self.resources[r].params.clone(), self.world().now);
            let instance = &mut self.resources[r].instances[node];
            instance.running = params;
            if outcome.exit == Some(0) {
                // It is noted as a start.
                (instance.role, instance.due) = (Role::Unpromoted, Some(now));
            } else {
                instance.failed = true;
                instance.failures += 1;
                self.aborted = true;
            }
            self.note(r, node);
        }
    }

    /// One operation of some resources, with its notifications before and after. False: the transition ends here.
    fn phase(&mut self, plans: &[Plan], action: Action, members: &BTreeSet<usize>, lost: &BTreeSet<usize>) -> bool {
        // Ports are handed in alone.
        let chosen = if plans.len() == 1 { 0..1 } else { 1..plans.len() };
        let chosen: Vec<usize> = chosen.filter(|r| !plans[*r].lists.of(action).is_empty()).collect();
        if chosen.is_empty() {
            return true;
        }
        for r in &chosen {
            if self.resources[*r].group.is_some() {
                self.notify(*r, &plans[*r].lists, "pre", action, members);
            }
        }
        if !self.goes_on() {
            return false;
        }
        for r in &chosen {
            for node in plans[*r].lists.of(action) {
                if members.contains(node) {
                    self.begin(*r, *node, action, &plans[*r].lists, Vec::new());
                } else if self.fencing && lost.contains(node) {
                    // What was fenced counts as demoted and stopped.
                    let role = if action == Action::Stop { Role::Stopped } else { Role::Unpromoted };
                    self.resources[*r].instances[*node].role = role;
                    self.note(*r, *node);
                }
            }
        }
        let mut fence = Vec::new();
        for (r, node, outcome) in self.wait() {
            self.result(r, node, action, &outcome, &mut fence);
        }
        if self.world().is_over() {
            return false;
        }
        for r in &chosen {
            if self.resources[*r].group.is_some() {
                self.notify(*r, &plans[*r].lists, "post", action, members);
            }
        }
        for node in fence {
            self.lose(node, false);
        }
        !self.aborted && !self.world().is_over()
    }

    fn notify(&mut self, r: usize, lists: &Lists, when: &str, operation: Action, members: &BTreeSet<usize>) {
        // Who runs at this moment hears it.
        let hears: Vec<usize> =
            members.iter().copied().filter(|node| self.resources[r].instances[*node].active()).collect();
        for node in hears {
            let lost = match self.deaf {
                Some((deaf, 0)) if deaf == node => self.deaf.take().is_some(),
                Some((deaf, number)) if deaf == node => {
                    self.deaf = Some((deaf, number - 1));
                    false
                }
                _ => self.eventful && self.world().lot.once_in(40),
            };
            if lost {
                self.happened(format!("  {} {} notify is lost", NODES[node], self.resources[r].id));
                let mut world = self.world();
                (world.disturbed, world.unheard, world.untold) = (true, true, true);
                continue;
            }
            let extra = vec![
                ("CRM_meta_notify_type".to_owned(), when.to_owned()),
                ("CRM_meta_notify_operation".to_owned(), operation.to_string()),
            ];
            self.begin(r, node, Action::Notify, lists, extra);
        }
        self.wait();
    }
}
