//! What must hold, after every write and at rest.

#![expect(
    clippy::needless_range_loop,
    reason = "a node is its number: its name, its machine and its instances are looked up by it"
)]

use std::collections::BTreeMap;
use std::path::PathBuf;

use scst_core::ocf::action::Action;
use scst_sim::model::Kind;

use super::pacemaker::{Cluster, Role};
use super::stage::{Outcome, Task, TaskId, Writer};
use super::world::{FOREIGN, NODES, PORTS, World, port};

impl World {
    /// A write reached a node's kernel: what must hold at every moment is looked at.
    pub(super) fn written(&mut self, node: usize, writer: Option<Writer>, path: &str, data: &str) {
        if self.violation.is_some() {
            return;
        }
        if path.ends_with("/state") {
            self.happened(format!("      {} {} := {data}", NODES[node], path.trim_start_matches("kernel/scst_tgt/")));
            self.one_serves(node);
            self.drained(node, writer, path, data);
        }
    }

    /// A node stops serving a group only when no command is in flight. A demotion waits for that or fails. A stop that failed would be worse, and
    /// so would be two serving nodes where another one is promoted over this one: they wait for a while, and not where something
    /// goes wrong in the drain itself, where what is blocked cannot be noted, or while another action has the lock.
    fn drained(&mut self, node: usize, writer: Option<Writer>, path: &str, data: &str) {
        let group = path.split('/').nth(3).unwrap_or_default().to_owned();
        if !path.ends_with(&format!("/{}/state", NODES[node])) {
            return;
        }
        let now = self.state(node, &group, node).unwrap_or_default();
        let before = self.nodes[node].states.insert(group.clone(), now);
        if before.as_deref() != Some("active") || data == "active" || self.nodes[node].shell {
            return;
        }
        let Some(writer) = writer else { return };
        let locked = |(path, holder): (&PathBuf, &TaskId)| {
            path.to_string_lossy().contains(&group) && ![0, writer.id].contains(holder)
        };
        let waits_no_longer = matches!(writer.action, Action::Stop | Action::Notify | Action::Promote)
            && (writer.faulted
                || self.now - writer.begun >= (writer.end - writer.begun) / 4
                || self.nodes[node].full.is_some()
                || self.nodes[node].locks.iter().any(locked));
        let commands = self.in_flight(node, &group);
        if commands > 0 && !waits_no_longer {
            let name = NODES[node];
            self.violated(format!(
                "{name} leaves the state in which it serves {group} with {commands} commands in flight"
            ));
        }
    }

    /// Never two nodes whose own target group is open. `latest` has just changed its state.
    fn one_serves(&mut self, latest: usize) {
        for group in self.groups.clone() {
            let mut open = Vec::new();
            for node in 0..self.nodes.len() {
                if self.nodes[node].powered
                    && matches!(self.state(node, &group, node).as_deref(), Some("active"))
                    && !self.luns(node, &group).is_empty()
                {
                    open.push(node);
                }
            }
            if open.len() > 1 && self.split {
                // Both parts of a cluster that nobody fences serve.
            } else if open.len() > 1 && open.iter().any(|node| *node != latest && self.nodes[*node].shell) {
                // The shell agent does not step down when another node is promoted over it.
                self.over = Some("promoted beside one that has the shell agent, of which the cluster has lost sight");
            } else if open.len() > 1 && self.unheard {
                // Between a reload and the next monitor the cluster takes the promoted instance for another one. What keeps a second
                // one from being promoted then is this instance's ear for it.
                self.over = Some("promoted beside one that did not hear of it, right after a reload");
            } else if open.len() > 1 {
                let names: Vec<&str> = open.iter().map(|node| NODES[*node]).collect();
                self.violated(format!("group {group} is active on {} at the same time", names.join(" and ")));
            }
        }
    }

    /// Nothing went wrong: every instance that runs says the truth of every node, and all nodes have the same ids for the same things.
    pub(super) fn undisturbed(&mut self, cluster: &Cluster) {
        self.same_reservations();
        // In maintenance mode nobody is told of anything.
        if self.disturbed || cluster.maintenance {
            return;
        }
        for group in self.groups.clone() {
            let mut ids = BTreeMap::new();
            for node in 0..self.nodes.len() {
                if !self.nodes[node].powered || !matches!(cluster.role(&group, node), Role::Unpromoted | Role::Promoted)
                {
                    continue;
                }
                self.unblocked(node, &group);
                for peer in 0..self.nodes.len() {
                    let seen = self.state(node, &group, peer);
                    let truth = if self.nodes[peer].powered { self.state(peer, &group, peer) } else { None };
                    let truth = truth.unwrap_or_else(|| "unavailable".to_owned());
                    if seen.as_ref() != Some(&truth) {
                        let seen = seen.as_deref().unwrap_or("nothing");
                        self.violated(format!(
                            "{} says of {} in {group}: {seen}, and the truth is {truth}",
                            NODES[node], NODES[peer]
                        ));
                    }
                    let at = format!("device_groups/{group}/target_groups/{}", NODES[peer]);
                    let mut known = vec![self.value(node, &format!("{at}/group_id"))];
                    known.extend((0..PORTS).map(|n| self.value(node, &format!("{at}/{}/rel_tgt_id", port(peer, n)))));
                    let agreed = ids.entry(peer).or_insert_with(|| known.clone());
                    if *agreed != known {
                        let text = format!(
                            "{} has the ids {known:?} of {} in {group}, others {agreed:?}",
                            NODES[node], NODES[peer]
                        );
                        self.violated(text);
                    }
                }
            }
        }
    }

    /// Nothing that does not belong to the cluster has gone.
    fn foreign_untouched(&mut self) {
        for node in 0..self.nodes.len() {
            if !self.nodes[node].powered {
                continue;
            }
            for path in FOREIGN {
                let path = path.replace("PORT", &port(node, 0));
                if !self.exists(node, &path) {
                    self.violated(format!("{path} of {} was not the cluster's, and is gone", NODES[node]));
                }
            }
        }
    }

    /// A stop that said 0 has left nothing.
    fn stopped(&mut self, node: usize, group: &str) {
        let left = self.left(node, group);
        if !left.is_empty() && !self.shell {
            self.violated(format!("stop of {group} on {} said 0 and left {left:?}", NODES[node]));
        }
    }

    /// What a monitor answered is true.
    fn monitored(&mut self, node: usize, group: &str, exit: u8) {
        let state = self.state(node, group, node);
        let fits = match exit {
            8 | 9 => state.as_deref() == Some("active"),
            0 => matches!(state.as_deref(), Some("standby" | "unavailable" | "transitioning")),
            7 => state.is_none(),
            _ => true,
        };
        if !fits {
            let state = state.unwrap_or_else(|| "none".to_owned());
            self.violated(format!("monitor of {group} on {} answers {exit}, the state is {state}", NODES[node]));
        }
    }

    /// No device stays blocked.
    fn unblocked(&mut self, node: usize, group: &str) {
        let prefix = format!("{group}_");
        for device in self.names(node, "devices", Kind::Dir).into_iter().filter(|name| name.starts_with(&prefix)) {
            let block = self.value(node, &format!("devices/{device}/block")).unwrap_or_default();
            if !block.starts_with("0 ") {
                self.violated(format!("device {device} of {} stays blocked: {block}", NODES[node]));
            }
        }
    }

    /// An action has ended: it told the truth, and left nothing that must not be.
    pub(super) fn ended(&mut self, node: usize, group: Option<&str>, task: &Task, outcome: &Outcome, alone: bool) {
        let exit = outcome.exit.map_or_else(|| "killed".to_owned(), |code| code.to_string());
        let reason = if outcome.reason.is_empty() { String::new() } else { format!(" ({})", outcome.reason) };
        let name = NODES[node];
        self.happened(format!("  {name} {} -> {exit}{reason}", task.label));
        if outcome.panicked {
            self.violated(format!("{} on {name} panicked: {}", task.label, outcome.reason));
        }
        if task.faulted {
            self.unheard |= task.action == Action::Notify;
            self.untold |= task.action == Action::Notify;
            self.nodes[node].faulted = self.now;
        }
        if self.nodes[node].shell {
            return;
        }
        self.has_reason_to_fail(node, group, task, outcome);
        self.foreign_untouched();
        self.kernel_well(node);
        let (Some(group), Some(exit)) = (group, outcome.exit) else { return };
        let undisturbed = !task.faulted && !self.has_cause(node, self.now) && self.lasting(node).is_none();
        match task.action {
            Action::Monitor => self.monitored(node, group, exit),
            Action::Stop if exit == 0 => self.stopped(node, group),
            Action::Stop if !task.faulted => self.names_what_is_left(node, group, &outcome.reason),
            Action::Start | Action::Promote | Action::Demote | Action::Reload if exit == 0 && undisturbed && alone => {
                self.unblocked(node, group);
            }
            _ => {}
        }
    }

    /// No action fails, and so nobody is fenced, without a cause.
    fn has_reason_to_fail(&mut self, node: usize, group: Option<&str>, task: &Task, outcome: &Outcome) {
        let called = !task.label.ends_with("by hand") && task.action != Action::Monitor;
        if called && outcome.exit != Some(0) && !task.faulted && !self.has_cause(node, task.begun)
            // Somebody has stopped it by hand.
            && !(outcome.exit == Some(7) && group.is_none_or(|group| self.left(node, group).is_empty()))
        {
            self.violated(format!("{} on {} failed without a cause: {}", task.label, NODES[node], outcome.reason));
        }
    }

    /// The kernel has not crashed, and was asked nothing that the model does not know.
    fn kernel_well(&mut self, node: usize) {
        let machine = &self.nodes[node].machine;
        let crash = machine.crashed().map(|why| format!("the kernel of {} crashed: {why}", NODES[node]));
        let unknown = machine.unknowns().first();
        let unknown = unknown.map(|unknown| format!("{}: {unknown:?} is not known", NODES[node]));
        if let Some(how) = crash.or(unknown) {
            self.violated(how);
        }
    }

    /// What of a group is on a node.
    fn left(&self, node: usize, group: &str) -> Vec<String> {
        let prefix = format!("{group}_");
        let devices = self.names(node, "devices", Kind::Dir).into_iter().filter(|name| name.starts_with(&prefix));
        let groups = self.names(node, "device_groups", Kind::Dir).into_iter().filter(|name| name == group);
        devices.chain(groups).collect()
    }

    /// A stop that failed has left something, and names it.
    fn names_what_is_left(&mut self, node: usize, group: &str, reason: &str) {
        let left = self.left(node, group);
        // LUNs that are being removed are not seen any more while commands keep them.
        if left.is_empty() || !(reason.starts_with("LUN ") || left.iter().any(|name| reason.contains(name))) {
            self.violated(format!("stop of {group} on {} failed, left {left:?} and says: {reason}", NODES[node]));
        }
    }

    /// Faults have ended and the cluster is at rest.
    pub(super) fn at_rest(&mut self, cluster: &Cluster) {
        self.same_reservations();
        for group in self.groups.clone() {
            self.views_right(&group);
            self.served_by_one(&group, cluster);
            for node in 0..self.nodes.len() {
                self.unblocked(node, &group);
            }
        }
    }

    /// Everybody says the truth of everybody, unless nobody told them.
    fn views_right(&mut self, group: &str) {
        let count = self.nodes.len();
        for (node, peer) in (0..count).flat_map(|node| (0..count).map(move |peer| (node, peer))) {
            let (seen, truth) = (self.state(node, group, peer), self.state(peer, group, peer));
            let excused = self.untold && seen.as_deref() != Some("transitioning");
            if seen != truth && !excused {
                self.violated(format!(
                    "at rest {} says of {} in {group}: {}, and the truth is {}",
                    NODES[node],
                    NODES[peer],
                    seen.as_deref().unwrap_or("nothing"),
                    truth.as_deref().unwrap_or("nothing")
                ));
            }
        }
    }

    /// One node serves a group with everything that is configured, the others stand by, and the cluster knows.
    fn served_by_one(&mut self, group: &str, cluster: &Cluster) {
        let mut serving = Vec::new();
        for node in 0..self.nodes.len() {
            match self.state(node, group, node).as_deref() {
                Some("active") => serving.push(node),
                Some("standby") => {}
                other => {
                    self.violated(format!("at rest {group} is {} on {}", other.unwrap_or("not there"), NODES[node]));
                }
            }
        }
        let names: Vec<&str> = serving.iter().map(|node| NODES[*node]).collect();
        let [node] = serving[..] else { return self.violated(format!("at rest {group} is served by {names:?}")) };
        for (device, lun) in cluster.exports(group) {
            if self.luns(node, group).contains(&(lun, device.clone())) {
                self.readable(node, lun, &device);
            } else {
                self.violated(format!("at rest {device} is not LUN {lun} on {}, which serves it", NODES[node]));
            }
        }
        let believed = cluster.role(group, node);
        if believed != Role::Promoted {
            self.violated(format!(
                "at rest {group} is active on {}, and the cluster believes {believed:?}",
                NODES[node]
            ));
        }
    }
}
