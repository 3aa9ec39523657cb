//! Everything that a history consists of: the machines, the clock, the cluster's memory, and what has happened.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use scst_core::system::Ended;
use scst_sim::host::Files;
use scst_sim::model::{LockManager, Machine, ScstVersion, Ticket};
use scst_sim::stand_in::cib::CibFile;
use scst_sim::stand_in::{self, Environment as StandIns};

use super::coverage::Coverage;
use super::faults::Armed;
use super::iscsi::Targets;
use super::lot::Lot;
use super::node::Node;
use super::stores::{Disks, Layer, Store};
use super::task::TaskId;

/// Names of nodes; a node's id is its place, from 1.
pub(super) const NODES: [&str; 4] = ["alpha", "beta", "gamma", "delta"];

/// Disks of a group.
pub(super) const DISKS: usize = 3;

/// The major number of all disks.
pub(super) const MAJOR: u64 = 4000;

/// Ports of a node that are the cluster's; there is one more.
pub(super) const PORTS: usize = 2;

/// A host, of the initiator group `esx1`.
pub(super) const HOST: &str = "50:01:43:80:03:b0:23:34";

/// SCST below `/sys`.
pub(super) const SCST: &str = "kernel/scst_tgt";

/// What does not belong to the cluster on every node.
pub(super) const FOREIGN: [&str; 4] = [
    "devices/other_disk",
    "device_groups/other",
    "targets/qla2x00t/PORT/ini_groups/backup",
    "targets/qla2x00t/PORT/ini_groups/backup/luns/0",
];

/// Everything.
#[expect(clippy::struct_excessive_bools, reason = "what has happened to the cluster, each by itself")]
pub(super) struct World {
    pub(super) now: Duration,
    pub(super) lot: Lot,
    pub(super) nodes: Vec<Node>,
    pub(super) cib: CibFile,
    /// The device groups.
    pub(super) groups: Vec<String>,
    /// When a store grew last.
    pub(super) grew: Duration,
    /// All stores of the groups.
    pub(super) stores: Vec<Store>,
    /// The last number that was acknowledged, by store and block.
    pub(super) acknowledged: BTreeMap<(String, u64), u64>,
    /// The groups have files beside their disks.
    pub(super) files: bool,
    /// The targets are those of iSCSI, and this is configured of them.
    pub(super) iscsi: Option<Targets>,
    /// The lock manager of the cluster.
    pub(super) dlm: LockManager,
    /// The nodes on which an action must refuse something that is configured.
    pub(super) misconfigured: BTreeSet<usize>,
    /// What was configured may not be in force before somebody reloads: it was wrong, or the shell agent did nothing for it.
    pub(super) owes_reload: bool,
    /// A node has run the shell agent, whose stop leaves what is not configured any more.
    pub(super) shell: bool,
    /// Two parts of the cluster have served the same stores, which nobody could prevent without fencing.
    pub(super) split: bool,
    /// What goes wrong next.
    pub(super) armed: Option<Armed>,
    /// Something went wrong or came between since everybody was last seen to say the truth.
    pub(super) disturbed: bool,
    /// A notification was lost, failed, or may have given up behind a hanging action of its group: what nobody was told of stays as it
    /// was told before, until the next notification or start.
    pub(super) untold: bool,
    /// A notification of the transition under way was lost, or failed.
    pub(super) unheard: bool,
    /// The history is over without a verdict: what happened cannot be survived, and is documented so.
    pub(super) over: Option<&'static str>,
    /// What happened, a line each.
    pub(super) history: Vec<String>,
    /// The first invariant that was violated, and how.
    pub(super) violation: Option<String>,
    /// What actions came through, for the report.
    pub(super) coverage: Coverage,
    pub(super) version: ScstVersion,
}

impl World {
    pub(super) fn new(seed: u64, count: usize, groups: &[&str], version: ScstVersion) -> std::io::Result<Self> {
        let nodes: Vec<(&str, &str)> = NODES.into_iter().zip(["1", "2", "3", "4"]).take(count).collect();
        let cib = CibFile::in_memory(&nodes);
        let mut world = Self {
            now: Duration::from_secs(1000),
            lot: Lot::new(seed),
            nodes: Vec::new(),
            cib,
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            grew: Duration::ZERO,
            stores: groups.iter().enumerate().flat_map(|(place, group)| stores_of(place, group)).collect(),
            acknowledged: BTreeMap::new(),
            files: false,
            iscsi: None,
            dlm: LockManager::default(),
            misconfigured: BTreeSet::new(),
            owes_reload: false,
            shell: false,
            split: false,
            armed: None,
            disturbed: false,
            untold: false,
            unheard: false,
            over: None,
            history: Vec::new(),
            violation: None,
            coverage: Coverage::default(),
            version,
        };
        let contents = Arc::default();
        for (node, name) in NODES.iter().enumerate().take(count) {
            world.cib.set_node_attribute(name, "targetports", Some(&world.listed(node, &[0, 1])))?;
            let disks = Disks { files: Files::new(), node, contents: Arc::clone(&contents) };
            world.nodes.push(Node::new(Machine::new(version, Box::new(disks.clone())), disks));
            world.boot(node);
        }
        Ok(world)
    }

    /// The same machines and cluster, which go their own way from now on, with nothing counted yet.
    pub(super) fn fork(&self) -> Self {
        let contents = self.nodes.first().map(|node| node.disks.contents().clone()).unwrap_or_default();
        let contents = Arc::new(Mutex::new(contents));
        let dlm = self.dlm.fork();
        let mut nodes: Vec<Node> = self.nodes.iter().map(|node| node.fork(&contents)).collect();
        for node in &mut nodes {
            node.machine.change_lock_manager(&dlm);
        }
        Self {
            lot: self.lot.clone(),
            nodes,
            dlm,
            misconfigured: self.misconfigured.clone(),
            stores: self.stores.clone(),
            acknowledged: self.acknowledged.clone(),
            cib: self.cib.fork().expect("a CIB in memory"),
            groups: self.groups.clone(),
            history: self.history.clone(),
            violation: self.violation.clone(),
            coverage: Coverage::default(),
            ..*self
        }
    }

    /// A node's list of its ports. One node has them as its firmware shows them.
    pub(super) fn listed(&self, node: usize, ports: &[usize]) -> String {
        let firmware = node == 1 && self.iscsi.is_none();
        let spelled = |name: String| if firmware { format!("0x{}", name.replace(':', "")) } else { name };
        let names: Vec<String> = ports.iter().map(|n| spelled(self.target(node, *n))).collect();
        names.join(",")
    }

    /// Time since a node booted.
    pub(super) fn uptime(&self, node: usize) -> Duration {
        self.now.saturating_sub(self.nodes[node].booted)
    }

    /// The clock goes on to `to`, and with it every kernel.
    pub(super) fn advance(&mut self, to: Duration) {
        self.now = self.now.max(to);
        for node in 0..self.nodes.len() {
            let uptime = self.uptime(node);
            if self.nodes[node].powered {
                self.nodes[node].machine.advance(uptime);
            }
        }
        self.daemons_go_on();
        self.collect();
    }

    /// When a kernel does something by itself next.
    pub(super) fn next_event(&self) -> Option<Duration> {
        let next = |node: &Node| node.machine.next_event().map(|next| node.booted + next);
        self.nodes.iter().filter(|node| node.powered).flat_map(|node| [next(node), node.daemon.next]).flatten().min()
    }

    /// An action's process is gone: what waited in the kernel for it gets its signal.
    pub(super) fn process_ended(&mut self, task: TaskId) {
        for node in &mut self.nodes {
            // A process of its own that waits for the daemon has blocked all signals.
            let deaf = |ticket: &Ticket| task == 0 && node.machine.waits_for_daemon(*ticket);
            let gone =
                node.waiting.extract_if(.., |(other, ticket)| *other == task && !deaf(ticket)).collect::<Vec<_>>();
            for (_, ticket) in gone {
                node.machine.interrupt(ticket);
            }
        }
    }

    pub(super) fn happened(&mut self, line: impl std::fmt::Display) {
        let at = self.now.as_secs_f64();
        self.history.push(format!("{at:10.3} {line}"));
    }

    pub(super) fn violated(&mut self, how: String) {
        if self.violation.is_none() {
            self.happened(format!("VIOLATED: {how}"));
            self.violation = Some(how);
        }
    }

    /// What is wrong violates the invariant, unless there is an excuse.
    pub(super) fn check(&mut self, invariant: &'static str, excused: bool, wrong: Option<String>) {
        let counts = self.coverage.invariants.entry(invariant).or_default();
        counts[usize::from(excused)] += 1;
        counts[2] += u64::from(excused && wrong.is_some());
        if let Some(how) = wrong.filter(|_| !excused) {
            self.violated(how);
        }
    }

    /// The history ends here.
    pub(super) fn is_over(&self) -> bool {
        self.violation.is_some() || self.over.is_some()
    }

    pub(super) fn count(&mut self, what: String) {
        *self.coverage.counts.entry(what).or_default() += 1;
    }

    /// A program of the cluster, run on a node.
    pub(super) fn program(&mut self, node: usize, name: &str, arguments: &[&str]) -> Ended {
        self.count(format!("program {name}"));
        let ran = match name {
            "modprobe" => Some(self.nodes[node].machine.modprobe(arguments[0], "")),
            "iscsi-scstd" => Some(self.daemon_starts(node)),
            _ => None,
        };
        if let Some(ran) = ran {
            let failure = ran.err().map(|_| "exit code 1".to_owned());
            return Ended { failure, stdout: Vec::new(), stderr: Vec::new() };
        }
        let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
        let (cib, node) = (Some(self.cib.clone()), NODES[node].to_owned());
        let world = StandIns { cib, node, sysfs: "/sys".into(), resource: None };
        let answer = stand_in::answer(name, &arguments, &world);
        let failure = (answer.code != 0).then(|| format!("exit code {}", answer.code));
        Ended { failure, stdout: answer.out.into_bytes(), stderr: answer.err.into_bytes() }
    }
}

/// The n-th port of a node.
pub(super) fn port(node: usize, n: usize) -> String {
    format!("21:00:00:00:00:00:{:02x}:{:02x}", node + 1, n)
}

/// The n-th disk of a group, which all nodes share. The name ends with its minor number.
pub(super) fn disk_of(group: &str, n: usize) -> String {
    let place = usize::from(group == "blue");
    format!("/dev/{group}#{}", DISKS * place + n)
}

/// The disks of a group, and a file.
fn stores_of(place: usize, group: &str) -> Vec<Store> {
    let store =
        |path, minor| Store { path, group: group.to_owned(), layer: Layer::Shared, minor, size: 1 << 30, shift: 9 };
    let disks = (0..DISKS).map(|n| store(disk_of(group, n), Some(DISKS * place + n)));
    disks.chain([store(format!("/srv/{group}"), None)]).collect()
}
