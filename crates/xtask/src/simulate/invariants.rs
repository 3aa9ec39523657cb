//! What must hold, after every write and at rest.

#![expect(
    clippy::needless_range_loop,
    reason = "a node is its number: its name, its machine and its instances are looked up by it"
)]

use std::collections::BTreeMap;
use std::path::PathBuf;

use scst_core::ocf::action::Action;
use scst_sim::model::Kind;

use super::pacemaker::{Cluster, Export, Role};
use super::stage::{TaskId, Writer};
use super::world::{NODES, PORTS, World, port};

impl World {
    /// A write reached a node's kernel: what must hold at every moment is looked at.
    pub(super) fn written(
        &mut self,
        node: usize,
        writer: Option<Writer>,
        path: &str,
        data: &str,
        before: Option<&str>,
    ) {
        if self.violation.is_some() {
            return;
        }
        if path.ends_with("/state") {
            self.happened(format!("      {} {} := {data}", NODES[node], path.trim_start_matches("kernel/scst_tgt/")));
            self.one_serves(node);
            self.drained(node, writer, path, data, before);
        }
    }

    /// A node stops serving a group only when no command is in flight. A demotion waits for that or fails. A stop that failed would be worse, and
    /// so would be two serving nodes where another one is promoted over this one: they wait for a while, and not where something
    /// goes wrong in the drain itself, where what is blocked cannot be noted, or while another action has the lock.
    fn drained(&mut self, node: usize, writer: Option<Writer>, path: &str, data: &str, before: Option<&str>) {
        let group = path.split('/').nth(3).unwrap_or_default().to_owned();
        if !path.ends_with(&format!("/{}/state", NODES[node])) {
            return;
        }
        if data == "standby" && writer.is_some_and(|writer| writer.moves) && !self.nodes[node].shell {
            self.violated(format!("{} ends a move of {group} in standby before the other node serves", NODES[node]));
        }
        if before != Some("active") || data == "active" || self.nodes[node].shell {
            return;
        }
        let Some(writer) = writer else { return };
        self.nodes[node].left = self.now;
        let locked = |(path, holder): (&PathBuf, &TaskId)| {
            path.to_string_lossy().contains(&group) && ![0, writer.id].contains(holder)
        };
        let waits_no_longer = matches!(writer.action, Action::Stop | Action::Notify | Action::Promote)
            && (writer.faulted
                || self.now.saturating_sub(writer.begun) >= writer.end.saturating_sub(writer.begun) / 4
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
                // Between a reload and the next monitor the cluster takes the promoted instance for another one. Only the pre-promote
                // notification keeps a second one from being promoted then, and here it was lost.
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

    /// No device stays blocked.
    pub(super) fn unblocked(&mut self, node: usize, group: &str) {
        let prefix = format!("{group}_");
        for device in self.names(node, "devices", Kind::Dir).into_iter().filter(|name| name.starts_with(&prefix)) {
            let block = self.value(node, &format!("devices/{device}/block")).unwrap_or_default();
            if !block.starts_with("0 ") {
                self.violated(format!("device {device} of {} stays blocked: {block}", NODES[node]));
            }
        }
    }

    /// What of a group is on a node.
    pub(super) fn left(&self, node: usize, group: &str) -> Vec<String> {
        let prefix = format!("{group}_");
        let devices = self.names(node, "devices", Kind::Dir).into_iter().filter(|name| name.starts_with(&prefix));
        let groups = self.names(node, "device_groups", Kind::Dir).into_iter().filter(|name| name == group);
        devices.chain(groups).collect()
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
        let exports = cluster.exports(group);
        let all = if self.shell { 0 } else { self.nodes.len() };
        for node in 0..all {
            let known = |device: &String| exports.iter().any(|export| export.device == *device) || device == group;
            if let Some(device) = self.left(node, group).into_iter().find(|device| !known(device)) {
                self.violated(format!("at rest {device} is on {} and not configured", NODES[node]));
            }
        }
        for Export { device, lun, .. } in exports {
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
