//! A Pacemaker: what it believes, which transition follows from that, and how it is carried out.
//!
//! It has the traits of 2.1 and 3.0 that agents stumble over: its belief is the history of operations, not the node; a reload is noted
//! as a start; a changed score or configuration aborts a transition between two of its actions; the lists of a transition
//! describe the state before it and all that it plans; what fails is recovered by rules, at last by fencing.

#![expect(
    clippy::needless_range_loop,
    reason = "a node is its number: its name, its machine and its instances are looked up by it"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use agents::scst_aluadg::Aluadg;
use agents::scst_qla2xtgt::Qla2xtgt;
use scst_core::ocf::action::Action;
use scst_core::ocf::env::Env;
use scst_core::ocf::run::Agent;
use scst_sim::stand_in::Role as Noted;

use super::stage::{Outcome, Stage, Task, TaskId};
#[cfg(test)]
use super::world::Call;
use super::world::{NODES, disk_of};

/// What the cluster believes of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Nothing: it must be probed.
    Unknown,
    Stopped,
    Unpromoted,
    Promoted,
}

/// One instance of a clone, as the cluster believes it.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "Pacemaker's flags of an instance are independent of each other")]
pub(super) struct Instance {
    pub(super) role: Role,
    /// An action of it failed; it is to be recovered.
    failed: bool,
    failures: u32,
    /// It runs with a parameter that has changed and is not reloadable.
    restart: bool,
    /// It may not run on this node until somebody cleans up.
    banned: bool,
    /// It could not be stopped, and nobody fences: nothing is done to it until somebody cleans up.
    blocked: bool,
    /// The parameters that it was started or reloaded with.
    running: BTreeMap<String, String>,
    /// A recurring monitor is due.
    due: Option<Duration>,
}

impl Instance {
    fn new() -> Self {
        Self {
            role: Role::Unknown,
            failed: false,
            failures: 0,
            restart: false,
            banned: false,
            blocked: false,
            running: BTreeMap::new(),
            due: None,
        }
    }

    fn active(&self) -> bool {
        matches!(self.role, Role::Unpromoted | Role::Promoted)
    }
}

/// One clone.
pub(super) struct Resource {
    pub(super) id: String,
    /// The device group; none: it is the ports' resource.
    pub(super) group: Option<String>,
    pub(super) params: BTreeMap<String, String>,
    pub(super) instances: Vec<Instance>,
    /// Where it should be promoted, if somebody said so.
    pub(super) preferred: Option<usize>,
}

/// The lists of a transition, as sets of nodes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Lists {
    active: BTreeSet<usize>,
    promoted: BTreeSet<usize>,
    start: BTreeSet<usize>,
    stop: BTreeSet<usize>,
    promote: BTreeSet<usize>,
    demote: BTreeSet<usize>,
}

/// What one transition does to a resource.
#[derive(Debug, Clone, Default)]
struct Plan {
    lists: Lists,
    reload: BTreeSet<usize>,
}

impl Plan {
    fn is_empty(&self) -> bool {
        let Lists { start, stop, promote, demote, .. } = &self.lists;
        [start, stop, promote, demote, &self.reload].iter().all(|set| set.is_empty())
    }
}

/// The cluster.
pub(super) struct Cluster {
    pub(super) stage: Arc<Stage>,
    pub(super) resources: Vec<Resource>,
    pub(super) standby: BTreeSet<usize>,
    pub(super) fencing: bool,
    /// Nodes that were lost, until a transition has dealt with it.
    lost: BTreeSet<usize>,
    /// The transition under way does not go on.
    aborted: bool,
    /// Something may happen between two actions of a transition.
    pub(super) eventful: bool,
    /// What was done last on each node, to count pairs of actions.
    last: BTreeMap<(String, usize), Action>,
}

type Extra = Vec<(String, String)>;

impl Cluster {
    pub(super) fn new(stage: Arc<Stage>, groups: &[&str], fencing: bool) -> Self {
        let count = stage.lock().world.nodes.len();
        let resource = |id: &str, group: Option<&str>, params: BTreeMap<String, String>| Resource {
            id: id.to_owned(),
            group: group.map(str::to_owned),
            params,
            instances: vec![Instance::new(); count],
            preferred: None,
        };
        let text = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let mut resources = vec![resource(
            "ports",
            None,
            text(&[("initiators", "esx1=50:01:43:80:03:b0:23:34;esx2=50:01:43:80:03:b0:23:35")]),
        )];
        for (number, group) in groups.iter().enumerate() {
            let device = |n: usize| {
                let (lun, disk) = (4 * number + n, disk_of(group, n));
                format!("virtname=lu{n},handler=vdisk_blockio,filename={disk},export0=esx1:{lun},export1=esx2:{lun}")
            };
            let params = text(&[
                ("groupname", group),
                ("tgtdriver", "qla2x00t"),
                ("reload", "0"),
                ("device0", &device(0)),
                ("device1", &device(1)),
            ]);
            resources.push(resource(&format!("res_{group}"), Some(group), params));
        }
        Self {
            stage,
            resources,
            standby: BTreeSet::new(),
            fencing,
            lost: BTreeSet::new(),
            aborted: false,
            eventful: false,
            last: BTreeMap::new(),
        }
    }

    pub(super) fn role(&self, group: &str, node: usize) -> Role {
        let resource = self.resources.iter().find(|resource| resource.group.as_deref() == Some(group));
        resource.map_or(Role::Unknown, |resource| resource.instances[node].role)
    }

    /// Who takes part in the cluster.
    fn members(&self) -> BTreeSet<usize> {
        let state = self.stage.lock();
        let there = |node: &usize| state.world.nodes[*node].powered && !state.world.nodes[*node].cut;
        (0..state.world.nodes.len()).filter(there).collect()
    }

    /// The history ends here.
    fn violated(&self) -> bool {
        let state = self.stage.lock();
        state.world.violation.is_some() || state.world.over.is_some()
    }

    fn happened(&self, line: String) {
        self.stage.lock().world.happened(line);
    }

    /// A node lost power, or its connection to the others.
    pub(super) fn lose(&mut self, node: usize, cut: bool) {
        {
            let mut state = self.stage.lock();
            let what = if cut { "is cut off" } else { "loses power" };
            state.world.happened(format!("{} {what}", NODES[node]));
            state.world.disturbed |= cut || !self.fencing;
            if cut {
                state.world.nodes[node].cut = true;
            } else {
                state.world.nodes[node].powered = false;
            }
        }
        self.stage.kill_all(Some(node));
        self.lost.insert(node);
        self.aborted = true;
    }

    /// A node that was off boots and joins.
    pub(super) fn boot(&mut self, node: usize) {
        self.stage.lock().world.boot(node);
        let cib = self.stage.lock().world.cib.clone();
        for resource in &mut self.resources {
            resource.instances[node] = Instance::new();
            if resource.group.is_some() {
                cib.set_status_attribute(NODES[node], &format!("master-{}", resource.id), None).expect("a CIB");
            }
        }
        self.lost.remove(&node);
        self.aborted = true;
    }

    /// Somebody cleans up: failures are forgotten, and everything is probed again.
    pub(super) fn refresh(&mut self) {
        self.happened("refresh".to_owned());
        for resource in &mut self.resources {
            for instance in &mut resource.instances {
                *instance = Instance { running: std::mem::take(&mut instance.running), ..Instance::new() };
            }
        }
        self.aborted = true;
    }

    /// A parameter is changed.
    pub(super) fn configure(&mut self, resource: usize, name: &str, value: Option<String>) {
        let id = self.resources[resource].id.clone();
        self.happened(format!("{id}: {name}={}", value.as_deref().unwrap_or("(removed)")));
        match value {
            Some(value) => self.resources[resource].params.insert(name.to_owned(), value),
            None => self.resources[resource].params.remove(name),
        };
        self.aborted = true;
    }

    /// A parameter changes that takes effect by a restart only.
    #[cfg(test)]
    pub(super) fn restart(&mut self, resource: usize) {
        for instance in &mut self.resources[resource].instances {
            instance.restart = true;
        }
    }

    pub(super) fn set_standby(&mut self, node: usize, on: bool) {
        self.happened(format!("{} {}", NODES[node], if on { "to standby" } else { "online" }));
        if on {
            self.standby.insert(node)
        } else {
            self.standby.remove(&node)
        };
        self.aborted = true;
    }

    pub(super) fn prefer(&mut self, resource: usize, node: Option<usize>) {
        let id = self.resources[resource].id.clone();
        self.happened(format!("{id}: promoted {}", node.map_or("anywhere", |node| NODES[node])));
        self.resources[resource].preferred = node;
        self.aborted = true;
    }

    /// Somebody reloads by hand what was not changed: nothing may be written.
    pub(super) fn reload_by_hand(&mut self, r: usize, node: usize) {
        if !self.members().contains(&node)
            || !self.resources[r].instances[node].active()
            || self.resources[r].instances[node].failed
        {
            return;
        }
        let before = self.stage.lock().world.writes;
        let begun = vec![(r, node, self.begin(r, node, Action::Reload, &Lists::default(), Vec::new()))];
        self.wait(begun);
        let mut state = self.stage.lock();
        let written = state.world.writes - before;
        if written > 0 && !state.world.disturbed {
            let id = &self.resources[r].id;
            state
                .world
                .violated(format!("a reload of {id} on {} that changes nothing writes {written} times", NODES[node]));
        }
    }

    /// Carries out transitions until nothing is left to do.
    pub(super) fn settle(&mut self) {
        for _ in 0..60 {
            if self.violated() || !self.transition() {
                return;
            }
        }
        self.stage.lock().world.violated("the cluster does not come to rest".to_owned());
    }

    /// Time passes, with the recurring monitors.
    pub(super) fn pass(&mut self, time: Duration) {
        let end = self.stage.lock().world.now + time;
        while !self.violated() {
            let now = self.stage.lock().world.now;
            let members = self.members();
            let due: Vec<(usize, usize, Duration)> = self
                .resources
                .iter()
                .enumerate()
                .flat_map(|(r, resource)| {
                    resource
                        .instances
                        .iter()
                        .enumerate()
                        .filter_map(move |(node, instance)| Some((r, node, instance.due?)))
                })
                .filter(|(_, node, _)| members.contains(node))
                .collect();
            let Some(next) = due.iter().map(|(.., due)| *due).min().filter(|next| *next <= end) else {
                self.stage.lock().world.advance(end);
                return;
            };
            self.stage.lock().world.advance(next.max(now));
            let now: Vec<(usize, usize)> =
                due.iter().filter(|(.., due)| *due <= next).map(|(r, node, _)| (*r, *node)).collect();
            self.monitors(&now);
            self.settle();
        }
    }

    /// Recurring monitors, side by side.
    fn monitors(&mut self, instances: &[(usize, usize)]) {
        let members = self.members();
        let mut begun = Vec::new();
        for (r, node) in instances.iter().filter(|(_, node)| members.contains(node)) {
            let promoted = self.resources[*r].instances[*node].role == Role::Promoted;
            let interval = if promoted { 10 } else { 11 };
            let extra = vec![("CRM_meta_interval".to_owned(), (interval * 1000).to_string())];
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
                    self.aborted = true;
                }
            }
        }
    }

    /// One transition; false if there was nothing to do.
    fn transition(&mut self) -> bool {
        self.aborted = false;
        let members = self.members();
        // Whoever joined is probed first.
        let mut probes = Vec::new();
        for r in 0..self.resources.len() {
            for node in &members {
                if self.resources[r].instances[*node].role == Role::Unknown {
                    probes.push((r, *node));
                }
            }
        }
        if !probes.is_empty() {
            self.probe(&probes);
            return true;
        }
        let lost: BTreeSet<usize> = std::mem::take(&mut self.lost);
        if self.fencing {
            for node in &lost {
                let mut state = self.stage.lock();
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
                if ports.stop.contains(&node) && instances[node].active() {
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

    /// Who is to be promoted.
    fn choose(&self, r: usize, plan: &mut Plan, members: &BTreeSet<usize>) {
        let resource = &self.resources[r];
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
                runs(node) && !resource.instances[*node].blocked && scores[*node].is_some_and(|score| score > 0)
            })
            .collect();
        let rank = |node: &usize| {
            let preferred = if resource.preferred == Some(*node) { 1_000_000 } else { 0 };
            let promoted = resource.instances[*node].role == Role::Promoted;
            // On equal scores the promoted instance stays, else the first node is taken.
            (scores[*node].unwrap_or(0) + preferred, promoted, std::cmp::Reverse(*node))
        };
        let best = candidates.iter().copied().max_by_key(rank);
        // One that could not be stopped may still serve.
        if resource.instances.iter().any(|instance| instance.blocked) {
            return;
        }
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

    fn scores(&self, r: usize) -> Vec<Option<i64>> {
        let cib = self.stage.lock().world.cib.load().expect("a CIB");
        let name = format!("master-{}", self.resources[r].id);
        NODES[..self.resources[r].instances.len()]
            .iter()
            .map(|node| cib.transient(node, &name).and_then(|score| score.parse().ok()))
            .collect()
    }

    fn probe(&mut self, probes: &[(usize, usize)]) {
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

    /// Tells the status section what the cluster believes.
    fn note(&self, r: usize, node: usize) {
        let role = match self.resources[r].instances[node].role {
            Role::Unknown | Role::Stopped => Noted::Stopped,
            Role::Unpromoted => Noted::Unpromoted,
            Role::Promoted => Noted::Promoted,
        };
        let cib = self.stage.lock().world.cib.clone();
        cib.set_role(NODES[node], &self.resources[r].id, role).expect("a CIB");
    }

    /// Whether the transition goes on; something may happen meanwhile.
    fn goes_on(&mut self) -> bool {
        if self.eventful {
            super::events::between(self);
        }
        !self.aborted && !self.violated()
    }

    fn carry_out(&mut self, plans: &[Plan], members: &BTreeSet<usize>, lost: &BTreeSet<usize>) {
        for (r, plan) in plans.iter().enumerate().filter(|(_, plan)| !plan.is_empty()) {
            let names = |set: &BTreeSet<usize>| set.iter().map(|node| NODES[*node]).collect::<Vec<_>>().join(" ");
            let Lists { start, stop, promote, demote, .. } = &plan.lists;
            let parts =
                [("reload", &plan.reload), ("demote", demote), ("stop", stop), ("start", start), ("promote", promote)];
            let parts: Vec<String> = parts
                .iter()
                .filter(|(_, set)| !set.is_empty())
                .map(|(what, set)| format!("{what} {}", names(set)))
                .collect();
            self.happened(format!("transition: {} {}", self.resources[r].id, parts.join(", ")));
        }
        self.stage.lock().world.unheard = false;
        self.misled(plans);
        self.reload(plans, members);
        if !self.goes_on() {
            return;
        }
        let phases = [
            (Action::Demote, "demote"),
            (Action::Stop, "stop"),
            (Action::Start, "start"),
            (Action::Promote, "promote"),
        ];
        for (action, operation) in phases {
            let scores: Vec<_> = (1..self.resources.len()).map(|r| self.scores(r)).collect();
            // Ports stop after the groups, and start before them.
            if action == Action::Start
                && !(self.phase(&plans[..1], Action::Stop, "stop", members, lost)
                    && self.phase(&plans[..1], Action::Start, "start", members, lost))
            {
                return;
            }
            if !self.phase(plans, action, operation, members, lost) {
                return;
            }
            let changed = scores != (1..self.resources.len()).map(|r| self.scores(r)).collect::<Vec<_>>();
            if changed || !self.goes_on() {
                break;
            }
        }
        if !self.violated() {
            self.first_monitors(members);
        }
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
                    state.world.untold = true;
                    state.world.disturbed = true;
                }
            }
        }
    }

    /// What has just come up, or changed its role, is monitored at once.
    fn first_monitors(&mut self, members: &BTreeSet<usize>) {
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

    fn reload(&mut self, plans: &[Plan], members: &BTreeSet<usize>) {
        let mut begun = Vec::new();
        for (r, plan) in plans.iter().enumerate() {
            for node in plan.reload.intersection(members) {
                begun.push((r, *node, self.begin(r, *node, Action::Reload, &Lists::default(), Vec::new())));
            }
        }
        for (r, node, outcome) in self.wait(begun) {
            let params = self.resources[r].params.clone();
            let instance = &mut self.resources[r].instances[node];
            instance.running = params;
            if outcome.exit == Some(0) {
                // It is noted as a start.
                instance.role = Role::Unpromoted;
                let now = self.stage.lock().world.now;
                self.resources[r].instances[node].due = Some(now);
            } else {
                instance.failed = true;
                instance.failures += 1;
                self.aborted = true;
            }
            self.note(r, node);
        }
    }

    /// One operation of some resources, with its notifications before and after. False: the transition ends here.
    fn phase(
        &mut self,
        plans: &[Plan],
        action: Action,
        operation: &str,
        members: &BTreeSet<usize>,
        lost: &BTreeSet<usize>,
    ) -> bool {
        // Ports are handed in alone.
        let alone = plans.len() == 1;
        let chosen: Vec<usize> = if alone { vec![0] } else { (1..plans.len()).collect() };
        let set = |plan: &Plan| match action {
            Action::Demote => plan.lists.demote.clone(),
            Action::Stop => plan.lists.stop.clone(),
            Action::Start => plan.lists.start.clone(),
            _ => plan.lists.promote.clone(),
        };
        let chosen: Vec<usize> = chosen.into_iter().filter(|r| !set(&plans[*r]).is_empty()).collect();
        if chosen.is_empty() {
            return true;
        }
        for r in &chosen {
            if self.resources[*r].group.is_some() {
                self.notify(*r, &plans[*r].lists, "pre", operation, members);
            }
        }
        if !self.goes_on() {
            return false;
        }
        let mut begun = Vec::new();
        for r in &chosen {
            for node in set(&plans[*r]) {
                if members.contains(&node) {
                    begun.push((*r, node, self.begin(*r, node, action, &plans[*r].lists, Vec::new())));
                } else if self.fencing && lost.contains(&node) {
                    // What was fenced counts as demoted and stopped.
                    self.resources[*r].instances[node].role = match action {
                        Action::Stop => Role::Stopped,
                        _ => Role::Unpromoted,
                    };
                    self.note(*r, node);
                }
            }
        }
        let mut fence = Vec::new();
        for (r, node, outcome) in self.wait(begun) {
            self.result(r, node, action, &outcome, &mut fence);
        }
        if self.violated() {
            return false;
        }
        for r in &chosen {
            if self.resources[*r].group.is_some() {
                self.notify(*r, &plans[*r].lists, "post", operation, members);
            }
        }
        for node in fence {
            self.lose(node, false);
        }
        !self.aborted && !self.violated()
    }

    /// What an action's end means.
    fn result(&mut self, r: usize, node: usize, action: Action, outcome: &Outcome, fence: &mut Vec<usize>) {
        let success = outcome.exit == Some(0) || (action == Action::Demote && outcome.exit == Some(7));
        let group = self.resources[r].group.clone();
        if success
            && action == Action::Stop
            && let Some(group) = &group
        {
            self.stage.lock().world.stopped(node, group);
        }
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
            if self.resources[r].instances[node].failures >= 3 {
                self.resources[r].instances[node].banned = true;
            }
        }
        self.note(r, node);
    }

    fn notify(&mut self, r: usize, lists: &Lists, when: &str, operation: &str, members: &BTreeSet<usize>) {
        // Who runs at this moment hears it.
        let hears: Vec<usize> =
            members.iter().copied().filter(|node| self.resources[r].instances[*node].active()).collect();
        let mut begun = Vec::new();
        for node in hears {
            if self.eventful && self.stage.lock().world.lot.once_in(40) {
                self.happened(format!("  {} {} notify is lost", NODES[node], self.resources[r].id));
                let mut state = self.stage.lock();
                state.world.disturbed = true;
                state.world.unheard = true;
                state.world.untold = true;
                continue;
            }
            let extra = vec![
                ("CRM_meta_notify_type".to_owned(), when.to_owned()),
                ("CRM_meta_notify_operation".to_owned(), operation.to_owned()),
            ];
            begun.push((r, node, self.begin(r, node, Action::Notify, lists, extra)));
        }
        self.wait(begun);
    }

    /// Begins an action of an instance.
    fn begin(&mut self, r: usize, node: usize, action: Action, lists: &Lists, extra: Extra) -> TaskId {
        let resource = &self.resources[r];
        let (agent, kind): (&'static (dyn Agent + Sync), _) = match resource.group {
            Some(_) => (&Aluadg, "scst_aluadg"),
            None => (&Qla2xtgt, "scst_qla2xtgt"),
        };
        let timeout = match (action, resource.group.is_some()) {
            (Action::Start | Action::Demote, true) | (Action::Reload, _) => 120,
            (Action::Stop, true) => 240,
            (Action::Stop, false) => 360,
            (Action::Start, false) => 60,
            (Action::Monitor, false) => 20,
            _ => 30,
        };
        let mut env: Extra = resource.params.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        env.push(("CRM_meta_timeout".to_owned(), (timeout * 1000).to_string()));
        env.push(("CRM_meta_on_node".to_owned(), NODES[node].to_owned()));
        env.push(("CRM_meta_on_node_uuid".to_owned(), (node + 1).to_string()));
        env.push(("CRM_meta_clone_node_max".to_owned(), "1".to_owned()));
        let told = matches!(action, Action::Start | Action::Stop | Action::Promote | Action::Demote | Action::Notify);
        if resource.group.is_some() {
            for name in ["promoted_max", "promoted_node_max", "master_max", "master_node_max"] {
                env.push((format!("CRM_meta_{name}"), "1".to_owned()));
            }
            env.push(("CRM_meta_notify".to_owned(), "true".to_owned()));
            if told {
                env.extend(lists.variables(resource.instances.len()));
            }
        }
        let mut what = action.to_string();
        for (name, value) in &extra {
            if name.starts_with("CRM_meta_notify") {
                what = format!("{what}-{value}");
            }
        }
        env.extend(extra);
        let mut env: Extra = env.into_iter().map(|(name, value)| (format!("OCF_RESKEY_{name}"), value)).collect();
        env.push(("OCF_RESOURCE_INSTANCE".to_owned(), resource.id.clone()));
        env.push(("OCF_RESOURCE_TYPE".to_owned(), kind.to_owned()));
        let key = (resource.id.clone(), node);
        let before = self.last.insert(key, action);
        let mut state = self.stage.lock();
        if let Some(before) = before {
            state.world.count(format!("pair {before} {action}"));
        }
        state.world.count(format!("action {action}"));
        #[cfg(test)]
        state.world.calls.push(Call {
            node: NODES[node],
            resource: resource.id.clone(),
            what: what.clone(),
            lists: if told { lists.variables(resource.instances.len()) } else { Vec::new() },
        });
        drop(state);
        let label = format!("{} {what}", resource.id);
        self.stage.begin(node, agent, action, label, Env::from_pairs(env))
    }

    /// Waits until these actions have ended.
    fn wait(&mut self, begun: Vec<(usize, usize, TaskId)>) -> Vec<(usize, usize, Outcome)> {
        let mut open: BTreeMap<TaskId, (usize, usize)> =
            begun.into_iter().map(|(r, node, id)| (id, (r, node))).collect();
        let mut ended = Vec::new();
        while !open.is_empty() && !self.violated() {
            for (id, task) in self.stage.run(Duration::MAX) {
                let Some((r, node)) = open.remove(&id) else { continue };
                let outcome = self.account(r, node, &task);
                ended.push((r, node, outcome));
            }
            // A node that lost power takes its actions along.
            let there: BTreeSet<TaskId> = self.stage.lock().tasks.keys().copied().collect();
            open.retain(|id, _| there.contains(id));
        }
        ended
    }

    /// Notes how an action ended, and looks whether it told the truth.
    fn account(&self, r: usize, node: usize, task: &Task) -> Outcome {
        let outcome = task.outcome.clone().expect("it has ended");
        let mut state = self.stage.lock();
        let exit = outcome.exit.map_or_else(|| "killed".to_owned(), |code| code.to_string());
        let reason = if outcome.reason.is_empty() { String::new() } else { format!(" ({})", outcome.reason) };
        let name = NODES[node];
        state.world.happened(format!("  {name} {} -> {exit}{reason}", task.label));
        if outcome.panicked {
            state.world.violated(format!("{} on {name} panicked: {}", task.label, outcome.reason));
        }
        if task.faulted {
            state.world.unheard |= task.action == Action::Notify;
            state.world.untold |= task.action == Action::Notify;
            state.world.nodes[node].faulted = state.world.now;
        }
        let fails = task.action != Action::Monitor && !matches!(outcome.exit, Some(0));
        if fails && !task.faulted && !state.world.has_cause(node, task.begun) {
            state.world.violated(format!("{} on {name} failed without a cause: {}", task.label, outcome.reason));
        }
        if let (Action::Monitor, Some(group), Some(exit)) = (task.action, &self.resources[r].group, outcome.exit) {
            state.world.monitored(node, group, exit);
        }
        state.world.foreign_untouched();
        outcome
    }
}

impl Lists {
    /// The meta attributes of a notification, without its type and operation.
    fn variables(&self, count: usize) -> Extra {
        let unpromoted: BTreeSet<usize> = self.active.difference(&self.promoted).copied().collect();
        let all: BTreeSet<usize> = (0..count).collect();
        let sets = [
            ("active", &self.active),
            ("start", &self.start),
            ("stop", &self.stop),
            ("promote", &self.promote),
            ("demote", &self.demote),
            ("master", &self.promoted),
            ("promoted", &self.promoted),
            ("slave", &unpromoted),
            ("unpromoted", &unpromoted),
            ("available", &all),
            ("all", &all),
        ];
        let text = |set: &BTreeSet<usize>| {
            let names: Vec<&str> = set.iter().map(|node| NODES[*node]).collect();
            if names.is_empty() { " ".to_owned() } else { names.join(" ") }
        };
        sets.iter().map(|(name, set)| (format!("CRM_meta_notify_{name}_uname"), text(set))).collect()
    }
}
