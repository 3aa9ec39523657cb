//! Which transition follows from what the cluster believes.

use std::collections::BTreeSet;

use super::{Cluster, Plan, Role};
use crate::simulate::stores::Layer;
use crate::simulate::world::NODES;

impl Cluster {
    /// One transition; false if there was nothing to do.
    pub(super) fn transition(&mut self) -> bool {
        if self.maintenance {
            return false;
        }
        self.aborted = false;
        let members = self.members();
        // Whoever joined is probed first.
        let unknown = self.instances().filter(|(_, node, one)| one.role == Role::Unknown && members.contains(node));
        let probes: Vec<(usize, usize)> = unknown.map(|(r, node, _)| (r, node)).collect();
        if !probes.is_empty() {
            self.probe(&probes);
            return true;
        }
        let lost: BTreeSet<usize> = std::mem::take(&mut self.lost);
        if self.fencing {
            for node in &lost {
                self.stops_alone(*node);
                let mut state = self.stage.lock();
                state.world.dlm_loses(*node, true);
                if state.world.nodes[*node].powered {
                    state.world.nodes[*node].powered = false;
                    state.world.happened(format!("{} is fenced", NODES[*node]));
                }
            }
        }
        let plans: Vec<Plan> = (0..self.resources.len()).map(|r| self.plan(r, &members, &lost)).collect();
        self.restart_with_ports(plans, &members, &lost)
    }

    /// What is done to a resource, without regard to the others.
    fn plan(&self, r: usize, members: &BTreeSet<usize>, lost: &BTreeSet<usize>) -> Plan {
        let resource = &self.resources[r];
        let mut plan = Plan::default();
        let lists = &mut plan.lists;
        for (node, instance) in resource.instances.iter().enumerate() {
            // Of a node that was lost and not fenced the cluster knows nothing any more.
            let fenced = self.fencing && lost.contains(&node);
            if !(members.contains(&node) || fenced) {
                continue;
            }
            if instance.active() {
                lists.active.insert(node);
            }
            if instance.blocked {
                continue;
            }
            if instance.role == Role::Promoted {
                lists.promoted.insert(node);
            }
            let wanted = members.contains(&node) && !self.standby.contains(&node) && !instance.banned;
            let changed = wanted && instance.active() && instance.running != resource.params;
            let restart = instance.failed || instance.restart;
            if instance.active() && (!wanted || restart) {
                lists.stop.insert(node);
            }
            if wanted && (!instance.active() || restart) {
                lists.start.insert(node);
            }
            if changed && !restart {
                plan.reload.insert(node);
            }
        }
        plan
    }

    /// The plans of all resources together: groups go with the ports of their node, and one instance of each is promoted.
    fn restart_with_ports(&mut self, mut plans: Vec<Plan>, members: &BTreeSet<usize>, lost: &BTreeSet<usize>) -> bool {
        let ports = plans[0].lists.clone();
        for r in 1..plans.len() {
            let instances = &self.resources[r].instances;
            for node in 0..instances.len() {
                let ports_run =
                    (ports.active.contains(&node) && !ports.stop.contains(&node)) || ports.start.contains(&node);
                let lists = &mut plans[r].lists;
                if instances[node].blocked {
                    continue;
                }
                // Whatever is ordered after something that starts is started after it, and for that stopped.
                if (ports.stop.contains(&node) || ports.start.contains(&node)) && instances[node].active() {
                    lists.stop.insert(node);
                    if ports.start.contains(&node) && !instances[node].banned {
                        lists.start.insert(node);
                    }
                }
                if !ports_run {
                    lists.start.remove(&node);
                }
                if lists.stop.contains(&node) {
                    plans[r].reload.remove(&node);
                }
            }
            self.choose(r, &mut plans[r], members);
        }
        if plans.iter().all(Plan::is_empty) {
            return false;
        }
        self.carry_out(&plans, members, lost);
        true
    }

    /// Where what lies below a group belongs, which the group follows: on a node that may run the group.
    fn place_lower(&self, r: usize, members: &BTreeSet<usize>) -> Option<usize> {
        let resource = &self.resources[r];
        let may = |node: &&usize| !self.standby.contains(node) && !resource.instances[**node].banned;
        let rank = |node: &&usize| {
            (resource.preferred == Some(**node), resource.lower == Some(**node), std::cmp::Reverse(**node))
        };
        members.iter().filter(may).max_by_key(rank).copied()
    }

    /// Who is to be promoted.
    fn choose(&self, r: usize, plan: &mut Plan, members: &BTreeSet<usize>) {
        let resource = &self.resources[r];
        if resource.instances.iter().any(|instance| instance.blocked) {
            // One that could not be stopped may still serve.
            return;
        }
        let layered = self.world().layer(&self.group(r)) != Layer::Shared;
        let below = self.place_lower(r, members).filter(|_| layered);
        plan.lower = Some((resource.lower, below)).filter(|(at, below)| at != below);
        let lists = &mut plan.lists;
        let scores = self.scores(r);
        let runs = |node: &usize| {
            (lists.active.contains(node) && !lists.stop.contains(node))
                || (lists.start.contains(node) && lists.active.contains(node))
        };
        let candidates: Vec<usize> = members
            .iter()
            .copied()
            .filter(|node| {
                runs(node) && scores[*node].is_some_and(|score| score > 0) && (!layered || below == Some(*node))
            })
            .collect();
        let rank = |node: &usize| {
            let preferred = if resource.preferred == Some(*node) { 1_000_000 } else { 0 };
            let promoted = resource.instances[*node].role == Role::Promoted;
            // On equal scores the promoted instance stays, else the first node is taken.
            (scores[*node].unwrap_or(0) + preferred, promoted, std::cmp::Reverse(*node))
        };
        let best = candidates.iter().copied().max_by_key(rank);
        for node in &lists.promoted {
            if Some(*node) != best || lists.stop.contains(node) {
                lists.demote.insert(*node);
            }
        }
        if let Some(best) = best
            && (!lists.promoted.contains(&best) || lists.demote.contains(&best))
        {
            lists.promote.insert(best);
        }
    }

    pub(super) fn scores(&self, r: usize) -> Vec<Option<i64>> {
        let cib = self.world().cib.load().expect("a CIB");
        let name = format!("master-{}", self.resources[r].id);
        NODES[..self.resources[r].instances.len()]
            .iter()
            .map(|node| cib.transient(node, &name).and_then(|score| score.parse().ok()))
            .collect()
    }
}
