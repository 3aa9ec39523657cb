//! The machines of a history, their cluster's memory, and what goes wrong.
//!
//! Every node is the simulator's machine, with ports, disks and hosts. Beside what the cluster configures, each has things that
//! belong to nobody here: another initiator group with a LUN, another device, another device group.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::stat::makedev;
use scst_core::ocf::action::Action;
use scst_core::system::{Ended, StoreKind};
use scst_sim::host::{EntryKind, FileEntry, Files};
use scst_sim::model::{FcPort, FileKind, Host as _, Kind, Machine, ScstVersion, Ticket, Written};
use scst_sim::stand_in::cib::CibFile;
use scst_sim::stand_in::{self, World as StandIns};

use super::lot::Lot;
use super::stage::TaskId;

/// Names of nodes; a node's id is its place, from 1.
pub(super) const NODES: [&str; 4] = ["alpha", "beta", "gamma", "delta"];

/// Disks of a group.
const DISKS: usize = 3;

/// The major number of all disks.
const MAJOR: u64 = 4000;

/// Ports of a node.
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

/// What goes wrong in an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The kernel answers with this errno and does nothing.
    Fails(Errno),
    /// The operation never ends.
    Hangs,
    /// SIGKILL before the operation.
    KillBefore,
    /// SIGKILL after the operation.
    KillAfter,
    /// SIGTERM before the operation.
    Term,
}

impl Fault {
    pub(super) const ALL: [Self; 8] = [
        Self::Fails(Errno::EIO),
        Self::Fails(Errno::EBUSY),
        Self::Fails(Errno::ENOENT),
        Self::Fails(Errno::EINVAL),
        Self::Hangs,
        Self::KillBefore,
        Self::KillAfter,
        Self::Term,
    ];
}

/// One machine.
pub(super) struct Node {
    pub(super) machine: Machine,
    files: Files,
    /// How often it has booted.
    pub(super) boot: u32,
    /// When it booted last.
    booted: Duration,
    pub(super) powered: bool,
    /// Cut off from the others, which have not fenced it.
    pub(super) cut: bool,
    /// Operations of actions that sleep in its kernel.
    pub(super) waiting: Vec<(TaskId, Ticket)>,
    /// The agents' own files below `/run`.
    pub(super) run: BTreeMap<PathBuf, String>,
    /// The files among them that are locks, and who has each; 0: nobody.
    pub(super) locks: BTreeMap<PathBuf, TaskId>,
    /// Nothing can be written below `/run`.
    pub(super) full: Option<Errno>,
    /// When the last action ended in which something went wrong.
    pub(super) faulted: Duration,
    /// The own state of each group as it was when the last write ended.
    pub(super) states: BTreeMap<String, String>,
    /// Commands of hosts in flight: the machine's id and the device group that they went to.
    pub(super) commands: Vec<Command>,
}

/// A command of a host.
#[derive(Debug, Clone)]
pub(super) struct Command {
    /// The machine's number for it.
    pub(super) id: u64,
    pub(super) group: String,
    /// It met a blocked device, which holds it back.
    held: bool,
    /// Its disk does not answer it before that ends.
    hangs: bool,
}

/// A call of an agent.
#[cfg(test)]
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) node: &'static str,
    pub(super) resource: String,
    /// The action; of a notification also its type and operation.
    pub(super) what: String,
    /// The lists of the transition, as the environment has them.
    pub(super) lists: Vec<(String, String)>,
}

impl Node {
    /// What is at the path of a store.
    pub(super) fn store(&self, path: &Path) -> Result<StoreKind, Errno> {
        let found = self.files.file(path.as_os_str().as_encoded_bytes())?;
        Ok(match found.kind {
            FileKind::Block => {
                let place = path.to_str().and_then(|path| path.rsplit('#').next()?.parse().ok()).unwrap_or_default();
                StoreKind::Disk(makedev(MAJOR, place))
            }
            FileKind::Regular => StoreKind::File(found.size),
            _ => StoreKind::Other,
        })
    }
}

/// Everything.
pub(super) struct World {
    pub(super) now: Duration,
    pub(super) lot: Lot,
    pub(super) nodes: Vec<Node>,
    pub(super) cib: CibFile,
    /// The device groups.
    pub(super) groups: Vec<String>,
    /// What goes wrong in the next action of this kind on this node, at which operation.
    armed: Option<(usize, Option<Action>, u32, Fault)>,
    /// Something went wrong or came between since everybody was last seen to say the truth.
    pub(super) disturbed: bool,
    /// A notification was lost, failed, or may have given up behind a hanging action of its group: what nobody was told of stays as it
    /// was told before, until the next notification or start.
    pub(super) untold: bool,
    /// A notification of the transition under way was lost, or failed.
    pub(super) unheard: bool,
    /// The history is over without a verdict: what happened cannot be survived, and is documented so.
    pub(super) over: Option<&'static str>,
    /// Writes to kernel files so far.
    pub(super) writes: u64,
    /// Every call of an agent, for comparison with recorded ones.
    #[cfg(test)]
    pub(super) calls: Vec<Call>,
    /// What happened, a line each.
    pub(super) history: Vec<String>,
    /// The first invariant that was violated, and how.
    pub(super) violation: Option<String>,
    /// Actions and faults by kind, for the report.
    pub(super) counts: BTreeMap<String, u64>,
    version: ScstVersion,
}

impl World {
    pub(super) fn new(seed: u64, count: usize, groups: &[&str], version: ScstVersion) -> std::io::Result<Self> {
        let ids: Vec<String> = (1..=count).map(|id| id.to_string()).collect();
        let nodes: Vec<(&str, &str)> = NODES.iter().copied().zip(ids.iter().map(String::as_str)).collect();
        let cib = CibFile::in_memory(&nodes);
        let mut world = Self {
            now: Duration::from_secs(1000),
            lot: Lot::new(seed),
            nodes: Vec::new(),
            cib,
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            armed: None,
            disturbed: false,
            untold: false,
            unheard: false,
            over: None,
            writes: 0,
            #[cfg(test)]
            calls: Vec::new(),
            history: Vec::new(),
            violation: None,
            counts: BTreeMap::new(),
            version,
        };
        for (node, name) in NODES.iter().enumerate().take(count) {
            let ports: Vec<String> = (0..PORTS).map(|n| port(node, n)).collect();
            world.cib.set_node_attribute(name, "targetports", Some(&ports.join(",")))?;
            let files = Files::new();
            world.nodes.push(Node {
                machine: Machine::new(version, Box::new(files.clone())),
                files,
                boot: 0,
                booted: Duration::ZERO,
                powered: false,
                cut: false,
                waiting: Vec::new(),
                run: BTreeMap::new(),
                locks: BTreeMap::new(),
                full: None,
                faulted: Duration::ZERO,
                states: BTreeMap::new(),
                commands: Vec::new(),
            });
            world.boot(node);
        }
        Ok(world)
    }

    /// Time since a node booted.
    pub(super) fn uptime(&self, node: usize) -> Duration {
        self.now.saturating_sub(self.nodes[node].booted)
    }

    /// A node comes up, with nothing below `/run`, and the things that are not the cluster's.
    pub(super) fn boot(&mut self, node: usize) {
        let files = Files::new();
        for (path, kind) in [("/var/lib/scst/pr", EntryKind::Dir), ("/dev/other", EntryKind::Block)] {
            files.declare(&entry(path, kind)).expect("an absolute path");
        }
        for (place, group) in self.groups.iter().enumerate() {
            for disk in 0..DISKS {
                let number = Some(format!("{MAJOR}:{}", DISKS * place + disk));
                let disk = FileEntry { number, ..entry(&disk_of(group, disk), EntryKind::Block) };
                files.declare(&disk).expect("an absolute path");
            }
        }
        let mut machine = Machine::new(self.version, Box::new(files.clone()));
        for (n, host) in (0..PORTS).zip(1..) {
            let wwpn = port(node, n);
            machine.plug(FcPort {
                host,
                wwnn: format!("20{}", &wwpn[2..]),
                wwpn,
                state: "Online".to_owned(),
                speed: "16 Gbit".to_owned(),
                target_capable: true,
                gen32: false,
            });
        }
        for module in ["scst", "scst_vdisk", "scst_disk", "qla2x00tgt"] {
            machine.modprobe(module, "").expect("a known module");
        }
        let there = &mut self.nodes[node];
        there.run.clear();
        there.locks.clear();
        there.full = None;
        there.machine = machine;
        there.files = files;
        there.boot += 1;
        there.booted = self.now;
        there.powered = true;
        there.cut = false;
        there.waiting.clear();
        there.states.clear();
        there.commands.clear();
        self.command(node, "handlers/vdisk_nullio/mgmt", "add_device other_disk");
        self.command(node, "device_groups/mgmt", "create other");
        let table = format!("targets/qla2x00t/{}/ini_groups", port(node, 0));
        self.command(node, &format!("{table}/mgmt"), "create backup");
        self.command(node, &format!("{table}/backup/luns/mgmt"), "add other_disk 0");
        self.happened(format!("{} boots", NODES[node]));
    }

    /// A command that nobody's action gives.
    fn command(&mut self, node: usize, path: &str, value: &str) {
        let machine = &mut self.nodes[node].machine;
        let path = format!("{SCST}/{path}");
        let handle = machine.open(path.as_bytes(), false, true).unwrap_or_else(|error| panic!("{path}: {error}"));
        let answer = machine.write(&handle, value.as_bytes());
        assert!(matches!(answer, Written::Done(Ok(_))), "{value} to {path}: {answer:?}");
    }

    /// The first line of an attribute, if it is there.
    pub(super) fn value(&mut self, node: usize, path: &str) -> Option<String> {
        let machine = &mut self.nodes[node].machine;
        let handle = machine.open(format!("{SCST}/{path}").as_bytes(), true, false).ok()?;
        let text = machine.read(&handle).ok()?;
        Some(String::from_utf8_lossy(&text).lines().next().unwrap_or_default().to_owned())
    }

    /// The names in a directory; none where there is no such directory.
    pub(super) fn names(&self, node: usize, path: &str, kind: Kind) -> Vec<String> {
        let entries = self.nodes[node].machine.list(format!("{SCST}/{path}").as_bytes()).unwrap_or_default();
        let named = entries.into_iter().filter(|(_, found)| *found == kind);
        named.map(|(name, _)| String::from_utf8_lossy(&name).into_owned()).collect()
    }

    pub(super) fn exists(&self, node: usize, path: &str) -> bool {
        self.nodes[node].machine.lookup(format!("{SCST}/{path}").as_bytes()).is_ok()
    }

    /// What a node's hosts are told of `of` in a group.
    pub(super) fn state(&mut self, node: usize, group: &str, of: usize) -> Option<String> {
        self.value(node, &format!("device_groups/{group}/target_groups/{}/state", NODES[of]))
    }

    /// The clock goes on to `to`, and with it every kernel.
    pub(super) fn advance(&mut self, to: Duration) {
        self.now = self.now.max(to);
        for node in 0..self.nodes.len() {
            let uptime = self.uptime(node);
            self.nodes[node].machine.advance(uptime);
        }
    }

    /// When a kernel does something by itself next.
    pub(super) fn next_event(&self) -> Option<Duration> {
        let next = |node: &Node| Some(node.booted + node.machine.next_event()?);
        self.nodes.iter().filter(|node| node.powered).filter_map(next).min()
    }

    /// An action's process is gone: what waited in the kernel for it gets its signal.
    pub(super) fn process_ended(&mut self, task: TaskId) {
        for node in &mut self.nodes {
            for (_, ticket) in node.waiting.extract_if(.., |(other, _)| *other == task) {
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

    /// An action did not end before its time-out.
    pub(super) fn outlived(&mut self, node: usize, label: &str) {
        self.violated(format!("{label} on {} does not end before its time-out", NODES[node]));
    }

    /// Lets something go wrong in the next action of a node.
    pub(super) fn arm(&mut self, node: usize, action: Option<Action>, operation: u32, fault: Fault) {
        self.armed = Some((node, action, operation, fault));
    }

    pub(super) fn disarm(&mut self) {
        self.armed = None;
    }

    /// What goes wrong in an action that begins now.
    pub(super) fn armed(&mut self, node: usize, action: Action) -> Option<(u32, Fault)> {
        let (_, _, operation, fault) =
            self.armed.take_if(|(at, of, ..)| *at == node && of.is_none_or(|of| of == action))?;
        Some((operation, fault))
    }

    pub(super) fn count(&mut self, what: String) {
        *self.counts.entry(what).or_default() += 1;
    }

    pub(super) fn count_fault(&mut self, fault: Fault) {
        self.disturbed = true;
        self.untold |= fault == Fault::Hangs;
        self.count(format!("fault {fault:?}"));
    }

    /// Whether anything can be written below a node's `/run`.
    pub(super) fn may_write(&self, node: usize) -> Result<(), Errno> {
        self.nodes[node].full.map_or(Ok(()), Err)
    }

    /// Whether there is a reason for an action to fail on this node that began at `begun`, beside what went wrong in it.
    pub(super) fn has_cause(&self, node: usize, begun: Duration) -> bool {
        let node = &self.nodes[node];
        node.full.is_some() || begun <= node.faulted || node.commands.iter().any(|command| command.hangs)
    }

    /// A host sends a command to a disk of a group, on a node that has it open.
    pub(super) fn host_command(&mut self, node: usize, group: &str, takes: Option<Duration>) {
        let target = port(node, 0);
        let machine = &mut self.nodes[node].machine;
        let sessions = format!("{SCST}/targets/qla2x00t/{target}/sessions/{HOST}");
        if machine.lookup(sessions.as_bytes()).is_err() && machine.login("qla2x00t", &target, HOST).is_err() {
            return;
        }
        let table = format!("targets/qla2x00t/{target}/ini_groups/esx1/luns");
        let prefix = format!("{group}_");
        for lun in self.names(node, &table, Kind::Dir) {
            let link = format!("{SCST}/{table}/{lun}/device");
            let device = self.nodes[node].machine.readlink(link.as_bytes()).unwrap_or_default();
            let device = String::from_utf8_lossy(&device).rsplit('/').next().unwrap_or_default().to_owned();
            let Ok(number) = lun.parse() else { continue };
            if !device.starts_with(&prefix) {
                continue;
            }
            let held =
                self.value(node, &format!("devices/{device}/block")).is_some_and(|block| !block.starts_with("0 "));
            if let Ok(id) = self.nodes[node].machine.start_io("qla2x00t", &target, HOST, number, takes) {
                let command = Command { id, group: group.to_owned(), held, hangs: takes.is_none() };
                self.nodes[node].commands.push(command);
                self.count("command of a host".to_owned());
            }
            return;
        }
    }

    /// The disks answer what they have not answered.
    pub(super) fn disks_answer(&mut self) {
        for node in 0..self.nodes.len() {
            for command in std::mem::take(&mut self.nodes[node].commands) {
                self.nodes[node].machine.finish_io(command.id);
            }
        }
    }

    /// The commands that the disks of a group are working on.
    pub(super) fn in_flight(&mut self, node: usize, group: &str) -> usize {
        let there = &mut self.nodes[node];
        there.commands.retain(|command| !there.machine.io_done(command.id));
        there.commands.iter().filter(|command| command.group == group && !command.held).count()
    }

    /// A program of the cluster, run on a node.
    pub(super) fn program(&mut self, node: usize, name: &str, arguments: &[&str]) -> Ended {
        self.count(format!("program {name}"));
        if name == "modprobe" {
            let failure = self.nodes[node].machine.modprobe(arguments[0], "").err();
            let failure = failure.map(|_| "exit code 1".to_owned());
            return Ended { failure, stdout: Vec::new(), stderr: Vec::new() };
        }
        let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
        let world = StandIns {
            cib: Some(self.cib.clone()),
            node: NODES[node].to_owned(),
            sysfs: PathBuf::from("/sys"),
            resource: None,
        };
        let answer = stand_in::answer(name, &arguments, &world);
        let failure = (answer.code != 0).then(|| format!("exit code {}", answer.code));
        Ended { failure, stdout: answer.out.into_bytes(), stderr: answer.err.into_bytes() }
    }
}

fn entry(path: &str, kind: EntryKind) -> FileEntry {
    FileEntry { path: path.to_owned(), kind, size: Some(1 << 30), ..FileEntry::default() }
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
