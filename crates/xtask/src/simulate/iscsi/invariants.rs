//! What must hold of iSCSI targets: after every write to one, after every action, and at rest.

use std::collections::BTreeSet;
use std::time::Duration;

use scst_core::ocf::action::Action;
use scst_sim::model::Kind;

use super::{ATTRIBUTES, PORTALS, SECRET, Targets};
use crate::simulate::pacemaker::Cluster;
use crate::simulate::stage::{Outcome, Task};
use crate::simulate::world::{NODES, PORTS, World};

/// A monitor that is not held up ends within this time: it may try to finish a reload. At level 10 it asks the daemon.
const MONITOR: Duration = Duration::from_secs(3);
const THOROUGH: Duration = Duration::from_secs(6);

impl World {
    /// A text of an agent.
    pub(in crate::simulate) fn says_no_secret(&mut self, what: &str, text: &str) {
        let how = || format!("{what} has a secret: {text}");
        self.check("no text has a secret", false, text.contains(SECRET).then(how));
    }

    /// Something of the n-th target of a node, below SCST.
    fn at(&self, node: usize, n: usize, rest: &str) -> String {
        format!("targets/iscsi/{}/{rest}", self.target(node, n))
    }

    /// A switch of a target, or of the driver, is on.
    fn is_on(&mut self, node: usize, path: &str) -> bool {
        self.value(node, path).is_some_and(|on| on.starts_with('1'))
    }

    /// The files of the n-th target whose names begin so.
    fn files(&self, node: usize, n: usize, kind: &str) -> Vec<String> {
        let mut files = self.names(node, &self.at(node, n, ""), Kind::File);
        files.retain(|name| name.starts_with(kind));
        files
    }

    /// The hosts in a group of the n-th target.
    fn hosts_in(&self, node: usize, n: usize, group: &str) -> BTreeSet<String> {
        let path = self.at(node, n, &format!("ini_groups/{group}/initiators"));
        self.names(node, &path, Kind::File).into_iter().filter(|name| name != "mgmt").collect()
    }

    /// A target of a node is not there, which only the targets' own actions mend.
    pub(in crate::simulate) fn target_gone(&self, node: usize) -> bool {
        self.iscsi.is_some() && (0..PORTS).any(|n| !self.exists(node, &self.at(node, n, "enabled")))
    }

    /// A write reached a target, or the driver.
    pub(in crate::simulate) fn target_written(&mut self, node: usize, path: &str, data: &str) {
        if self.iscsi.is_none() || !path.contains("/targets/iscsi/") {
            return;
        }
        for n in (0..PORTS).filter(|_| data == "1") {
            let enabled = self.at(node, n, "enabled");
            if path.ends_with(&enabled) && self.is_on(node, &enabled) {
                let empty = ["esx1", "esx2"].into_iter().find(|group| self.hosts_in(node, n, group).is_empty());
                let wrong = empty.map(|group| format!("{path} is enabled without group {group}"));
                self.check("a target is enabled with its groups", false, wrong);
            }
        }
        self.never_open_to_all(node);
    }

    /// A target that is enabled asks for a secret, and admits certain addresses only.
    pub(super) fn never_open_to_all(&mut self, node: usize) {
        for n in 0..PORTS {
            if self.is_on(node, &self.at(node, n, "enabled")) {
                let without =
                    ["IncomingUser", "allowed_portal"].into_iter().find(|of| self.files(node, n, of).is_empty());
                let wrong = without.map(|of| format!("target {n} of {} is enabled without any {of}", NODES[node]));
                self.check("no target is open to everybody", false, wrong);
            }
        }
    }

    /// An action of the targets, or of a group on them, has ended.
    pub(in crate::simulate) fn target_action_ended(
        &mut self,
        node: usize,
        group: Option<&str>,
        task: &Task,
        outcome: &Outcome,
    ) {
        self.says_no_secret(&task.label, &outcome.reason);
        self.others_untouched(node);
        let (None, Some(exit), false) = (group, outcome.exit, task.by_hand()) else { return };
        let (who, reason) = (format!("{} on {}", task.label, NODES[node]), &outcome.reason);
        let slow = self.nodes[node].slow || self.lasting(node).is_some();
        let changed = self.nodes[node].daemon.changed >= task.begun;
        let hurt = task.faulted || changed || slow;
        match task.action {
            Action::Monitor => {
                let took = self.now.saturating_sub(task.begun);
                let late = took > if task.thorough { THOROUGH } else { MONITOR };
                let how = || format!("{who} takes {took:?}");
                self.check("nothing holds up a monitor of targets", hurt, late.then(how));
                let false_because = self.untrue(node, exit).map(|how| format!("{who} answers {exit}, and {how}"));
                self.check("a monitor of targets says the truth", changed, false_because);
                if self.daemon_hangs(node) && self.untrue(node, 0).is_none() {
                    let wrong = (exit != 0).then(|| format!("a daemon that hangs makes {who} answer {exit}: {reason}"));
                    self.check("a daemon that hangs fails no monitor", hurt || task.thorough, wrong);
                }
            }
            Action::Stop => {
                let left = self.left_of_targets(node);
                let wrong = if exit == 0 { !left.is_empty() } else { left.is_empty() && !task.faulted };
                let how = || format!("{who} answers {exit} ({reason}), and leaves {left:?}");
                self.check("a stop of targets fails if it leaves something", self.nodes[node].forgets, wrong.then(how));
            }
            Action::Start | Action::Reload if exit == 0 => {
                let excused = hurt || self.has_cause(node, self.now) || self.daemon_hampers(node, task.begun);
                let unfinished = (!reason.is_empty()).then(|| format!("{who} is not finished: {reason}"));
                let wrong =
                    unfinished.or_else(|| self.incomplete(node).map(|how| format!("{who} is content, and {how}")));
                self.check("targets have what is configured", excused, wrong);
            }
            _ => {}
        }
    }

    /// What contradicts the answer of a monitor.
    fn untrue(&mut self, node: usize, exit: u8) -> Option<String> {
        let up = |n: usize| {
            let number = self.value(node, &self.at(node, n, "rel_tgt_id"));
            number == Some((100 * (node + 1) + n + 1).to_string()) && self.is_on(node, &self.at(node, n, "enabled"))
        };
        let up: Vec<bool> = (0..PORTS).map(up).collect();
        let lives = self.daemon_lives(node);
        let fits = match exit {
            0 => lives && !up.contains(&false),
            7 => !up.contains(&true),
            _ => true,
        };
        (!fits).then(|| format!("the targets are up: {up:?}, and the daemon: {lives}"))
    }

    /// What a stop must not leave.
    fn left_of_targets(&mut self, node: usize) -> Vec<String> {
        let mut left = Vec::new();
        for n in 0..PORTS {
            let (target, enabled) = (self.target(node, n), self.at(node, n, "enabled"));
            let mut groups = self.names(node, &self.at(node, n, "ini_groups"), Kind::Dir);
            if n == 0 && self.nodes[node].daemon.found {
                groups.retain(|name| name != "backup");
                left.extend(groups.into_iter().chain(self.is_on(node, &enabled).then_some(enabled)));
            } else if self.exists(node, &enabled) {
                left.push(target);
            }
        }
        left
    }

    /// What is not as it is configured.
    fn incomplete(&mut self, node: usize) -> Option<String> {
        let targets = self.iscsi?;
        let down = self.untrue(node, 0);
        let off = (!self.is_on(node, "targets/iscsi/enabled")).then(|| "the driver is not enabled".to_owned());
        down.or(off).or_else(|| (0..PORTS).find_map(|n| self.target_differs(node, n, targets)))
    }

    fn target_differs(&mut self, node: usize, n: usize, targets: Targets) -> Option<String> {
        let mut named: BTreeSet<String> = targets.groups().iter().map(|(name, _)| (*name).to_owned()).collect();
        named.extend((n == 0 && self.nodes[node].daemon.found).then(|| "backup".to_owned()));
        let groups: BTreeSet<String> =
            self.names(node, &self.at(node, n, "ini_groups"), Kind::Dir).into_iter().collect();
        if groups != named && !(self.nodes[node].forgets && groups.is_superset(&named)) {
            return Some(format!("target {n} has the groups {groups:?}"));
        }
        let strings = |words: Vec<&str>| words.into_iter().map(str::to_owned).collect::<BTreeSet<_>>();
        for (group, hosts) in targets.groups() {
            let found = self.hosts_in(node, n, group);
            if found != strings(hosts) {
                return Some(format!("group {group} of target {n} has {found:?}"));
            }
        }
        let users = targets.users().iter().map(|(name, secret)| format!("{name} {secret}")).collect();
        let portals = strings(PORTALS[targets.portals].0.split(',').collect());
        let own = targets.outgoing().into_iter().collect();
        for (kind, wanted) in [("IncomingUser", users), ("OutgoingUser", own), ("allowed_portal", portals)] {
            let files = self.files(node, n, kind);
            let found: BTreeSet<_> =
                files.iter().filter_map(|file| self.value(node, &self.at(node, n, file))).collect();
            if found != wanted {
                return Some(format!("target {n} has as {kind} {found:?}"));
            }
        }
        let attributes = ATTRIBUTES[targets.attributes].split(',').filter_map(|pair| pair.split_once('='));
        let mut attributes = attributes.chain(targets.alias.then_some(("alias", "rack 7")));
        let differs =
            attributes.find(|(name, value)| self.value(node, &self.at(node, n, name)).as_deref() != Some(*value));
        differs.map(|(name, _)| format!("target {n} has another {name}"))
    }

    /// At rest every target has everything, also the LUNs, and lets in exactly the right hosts.
    pub(in crate::simulate) fn targets_at_rest(&mut self, cluster: &Cluster) {
        let Some(targets) = self.iscsi else { return };
        let exports: Vec<_> = self.groups.iter().flat_map(|group| cluster.exports(group)).collect();
        for (node, name) in (0..self.nodes.len()).zip(NODES) {
            let wrong = self.incomplete(node).map(|how| format!("at rest on {name} {how}"));
            self.check("at rest targets have what is configured", false, wrong);
            for n in 0..PORTS {
                let lun =
                    |lun: u32| ["esx1", "esx2"].map(|of| self.at(node, n, &format!("ini_groups/{of}/luns/{lun}")));
                let missing = exports.iter().flat_map(|export| lun(export.lun)).find(|lun| !self.exists(node, lun));
                let wrong = missing.map(|lun| format!("at rest {lun} is missing on {name}"));
                self.check("at rest every target has every LUN", false, wrong);
                let (target, right) = (self.target(node, n), targets.host());
                let machine = &mut self.nodes[node].machine;
                machine.iscsi_logout(&target, &right.name);
                let strangers = Targets::strangers(&right).map(|host| machine.iscsi_login(&target, &host).is_ok());
                let welcome = machine.iscsi_login(&target, &right);
                let wrong = strangers.contains(&true) || welcome.is_err();
                let how = || format!("at rest {target} lets in strangers {strangers:?}, and a host: {welcome:?}");
                self.check("at rest a target lets in its hosts, and nobody else", false, wrong.then(how));
            }
        }
    }
}
