//! What must hold, after every write and at rest.

use std::collections::BTreeMap;
use std::path::PathBuf;

use scst_core::ocf::action::Action;
use scst_sim::model::{Host as _, Kind, ScstVersion};

use super::pacemaker::{Cluster, Export, Role};
use super::stage::{Task, TaskId};
use super::world::{NODES, PORTS, World};

impl World {
    /// A write reached a node's kernel: what must hold at every moment is looked at.
    pub(super) fn written(&mut self, node: usize, writer: Option<&Task>, path: &str, data: &str, before: Option<&str>) {
        if self.violation.is_some() {
            return;
        }
        self.target_written(node, path, data);
        if path.ends_with("/state") {
            self.happened(format!("      {} {} := {data}", NODES[node], path.trim_start_matches("kernel/scst_tgt/")));
            self.one_serves(node);
            self.drained(node, writer, path, data, before);
        }
    }

    /// A node stops serving a group only when no command is in flight. A demotion waits for that or fails. A stop that failed would be worse, and
    /// so would be two serving nodes where another one is promoted over this one: they wait for a while, and not where something
    /// goes wrong in the drain itself, where what is blocked cannot be noted, or while another action has the lock.
    fn drained(&mut self, node: usize, writer: Option<&Task>, path: &str, data: &str, before: Option<&str>) {
        let group = path.split('/').nth(3).unwrap_or_default().to_owned();
        if !path.ends_with(&format!("/{}/state", NODES[node])) {
            return;
        }
        let name = NODES[node];
        if writer.is_some_and(|writer| writer.moves) && ["standby", "transitioning"].contains(&data) {
            let how = || format!("{name} ends a move of {group} in standby before the other node serves");
            self.check("a move leaves a node in transitioning", self.nodes[node].shell, (data == "standby").then(how));
        }
        // A slow kernel has taken the write, and carries it out later.
        let is_active = data == "active" && self.state(node, &group, node).as_deref() == Some("active");
        if is_active && writer.is_some_and(|writer| writer.action == Action::Promote && !writer.faulted) {
            self.becomes_active(node, &group);
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
        let how = || format!("{name} leaves the state in which it serves {group} with {commands} commands in flight");
        self.check("a node stops serving with nothing in flight", waits_no_longer, (commands > 0).then(how));
    }

    /// What hosts have held back reaches disks that are as large as their stores, which up to 3.7 is told afterwards, and files that are
    /// open. Of disks the kernel opens them only then.
    fn becomes_active(&mut self, node: usize, group: &str) {
        // A LUN of a device that the shell agent left is not of the group.
        let mut luns = self.luns(node, group);
        luns.retain(|(_, device)| self.is_member(node, group, device));
        for (_, device) in luns {
            let of = |world: &mut Self, name: &str| world.value(node, &format!("devices/{device}/{name}"));
            let Some(path) = of(self, "filename") else { continue };
            let (is_file, open) = (path.starts_with("/srv"), self.is_open(node, &path));
            let how = || format!("{} begins to serve {device}, and {path} is not open", NODES[node]);
            // The shell agent does not look.
            let shell = self.nodes[node].shell;
            self.check("a group becomes active with open files", !is_file || shell, (!open).then(how));
            let told = of(self, "size").and_then(|size| size.parse::<u64>().ok());
            let has = self.nodes[node].disks.file(path.as_bytes()).ok().map(|file| file.size);
            // A size is set while nothing is in flight, also in other groups.
            let hangs = self.nodes[node].commands.iter().any(|command| command.hangs);
            let excused =
                is_file || hangs || shell || self.version == ScstVersion::V3_7 || self.hampered(node, self.now);
            let how =
                || format!("{} begins to serve {device} with {told:?} bytes, and {path} has {has:?}", NODES[node]);
            self.check("a group becomes active with the sizes of its disks", excused, (told != has).then(how));
        }
    }

    /// Never two nodes whose own target group is open. `latest` has just changed its state.
    fn one_serves(&mut self, latest: usize) {
        for group in self.groups.clone() {
            let serves = |world: &mut Self, node: &usize| {
                world.nodes[*node].powered
                    && world.state(*node, &group, *node).as_deref() == Some("active")
                    && !world.luns(*node, &group).is_empty()
            };
            let open: Vec<usize> = (0..self.nodes.len()).filter(|node| serves(self, node)).collect();
            let twice = open.len() > 1;
            if twice && !self.split && open.iter().any(|node| *node != latest && self.nodes[*node].shell) {
                // The shell agent does not step down when another node is promoted over it.
                self.over = Some("promoted beside one that has the shell agent, of which the cluster has lost sight");
            } else if twice && !self.split && self.unheard {
                // Between a reload and the next monitor the cluster takes the promoted instance for another one. Only the pre-promote
                // notification keeps a second one from being promoted then, and here it was lost.
                self.over = Some("promoted beside one that did not hear of it, right after a reload");
            }
            // Both parts of a cluster that nobody fences serve.
            let excused = self.split || (twice && self.over.is_some());
            let names: Vec<&str> = open.iter().map(|node| NODES[*node]).collect();
            let how = || format!("group {group} is active on {} at the same time", names.join(" and "));
            self.check("one node serves a group", excused, twice.then(how));
        }
    }

    /// Nothing went wrong with these groups: every instance that runs says the truth of every node, and all nodes have the same ids for the
    /// same things.
    pub(super) fn undisturbed(&mut self, cluster: &Cluster, groups: &[String]) {
        self.same_reservations();
        // In maintenance mode nobody is told of anything.
        let excused = self.disturbed || cluster.maintenance;
        // That a node runs a bystander hears only from the notification of its start, or from its own next start or promotion.
        let untold = self.untold;
        for group in groups {
            let (mut ids, mut disks) = (BTreeMap::new(), BTreeMap::new());
            for (node, name) in (0..self.nodes.len()).zip(NODES) {
                let runs = matches!(cluster.role(group, node), Role::Unpromoted | Role::Promoted);
                if !self.nodes[node].powered || !runs {
                    continue;
                }
                self.unblocked(node, group, excused);
                self.says_the_truth(node, group, |seen| excused || (untold && seen == "unavailable"));
                for (peer, of) in (0..self.nodes.len()).zip(NODES) {
                    let at = format!("device_groups/{group}/target_groups/{of}");
                    let mut known = vec![self.value(node, &format!("{at}/group_id"))];
                    known.extend(
                        (0..PORTS).map(|n| self.value(node, &format!("{at}/{}/rel_tgt_id", self.target(peer, n)))),
                    );
                    let agreed = ids.entry(peer).or_insert_with(|| known.clone());
                    let how = || format!("{name} has the ids {known:?} of {of} in {group}, others {agreed:?}");
                    self.check("all nodes have the same ids", excused, (*agreed != known).then(how));
                }
                for device in self.names(node, &format!("device_groups/{group}/devices"), Kind::Link) {
                    let known = ["usn", "t10_dev_id"].map(|id| self.value(node, &format!("devices/{device}/{id}")));
                    let agreed = disks.entry(device.clone()).or_insert_with(|| known.clone());
                    let how = || format!("{device} is {known:?} on {name}, on others {agreed:?}");
                    self.check("a disk is the same on all nodes", false, (*agreed != known).then(how));
                }
            }
        }
    }

    /// What a node says of each node is the truth; `excused` knows which answers need not be.
    fn says_the_truth(&mut self, node: usize, group: &str, excused: impl Fn(&str) -> bool) {
        for (peer, of) in (0..self.nodes.len()).zip(NODES) {
            let seen = self.state(node, group, peer).unwrap_or_else(|| "nothing".to_owned());
            let truth = if self.nodes[peer].powered { self.state(peer, group, peer) } else { None };
            let truth = truth.unwrap_or_else(|| "unavailable".to_owned());
            let how = || format!("{} says of {of} in {group}: {seen}, and the truth is {truth}", NODES[node]);
            self.check("everybody says the truth of everybody", excused(&seen), (seen != truth).then(how));
        }
    }

    /// No device stays blocked.
    pub(super) fn unblocked(&mut self, node: usize, group: &str, excused: bool) {
        let prefix = format!("{group}_");
        for device in self.names(node, "devices", Kind::Dir).into_iter().filter(|name| name.starts_with(&prefix)) {
            let block = self.value(node, &format!("devices/{device}/block")).unwrap_or_default();
            let how = || format!("device {device} of {} stays blocked: {block}", NODES[node]);
            self.check("no device stays blocked", excused, (!block.starts_with("0 ")).then(how));
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
        self.targets_at_rest(cluster);
        for group in self.groups.clone() {
            self.served_by_one(&group, cluster);
            let untold = self.untold;
            for node in 0..self.nodes.len() {
                // Nobody told them.
                self.says_the_truth(node, &group, |seen| untold && seen != "transitioning");
                self.unblocked(node, &group, false);
            }
        }
    }

    /// One node serves a group with everything that is configured, the others stand by, and the cluster knows.
    fn served_by_one(&mut self, group: &str, cluster: &Cluster) {
        let states: Vec<_> = (0..self.nodes.len()).map(|node| self.state(node, group, node)).collect();
        let serving: Vec<usize> = (0..states.len()).filter(|node| states[*node].as_deref() == Some("active")).collect();
        let stand_by = states.iter().filter(|state| state.as_deref() == Some("standby")).count();
        let wrong = serving.len() != 1 || stand_by + 1 != states.len();
        let how = || format!("at rest {group} is {states:?} on {:?}", &NODES[..states.len()]);
        self.check("at rest one node serves, and the others stand by", false, wrong.then(how));
        let [node] = serving[..] else { return };
        let exports = cluster.exports(group);
        for (node, name) in (0..self.nodes.len()).zip(NODES) {
            let known = |device: &String| exports.iter().any(|export| export.device == *device) || device == group;
            let strange = self.left(node, group).into_iter().find(|device| !known(device));
            let exported = |(lun, device): &(u32, String)| {
                exports.iter().any(|export| (export.lun, &export.device) == (*lun, device))
            };
            let lun = self.luns(node, group).into_iter().find(|lun| !exported(lun));
            let lun = lun.map(|(lun, device)| format!("LUN {lun} of {device}"));
            let wrong = strange.or(lun).map(|what| format!("at rest {what} is on {name} and not configured"));
            self.check("at rest there is nothing that is not configured", self.shell, wrong);
        }
        for Export { device, lun, .. } in exports {
            let there = self.luns(node, group).contains(&(lun, device.clone()));
            let how = || format!("at rest {device} is not LUN {lun} on {}, which serves it", NODES[node]);
            self.check("at rest everything that is configured is served", false, (!there).then(how));
            if there {
                self.readable(node, lun, &device);
            }
        }
        let believed = cluster.role(group, node);
        let how = || format!("at rest {group} is active on {}, and the cluster believes {believed:?}", NODES[node]);
        self.check("at rest the cluster knows who serves", false, (believed != Role::Promoted).then(how));
    }
}
