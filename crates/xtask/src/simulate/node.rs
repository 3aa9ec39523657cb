//! One machine of the cluster: its kernel, its stores and the agents' own files, and how it boots.
//!
//! Beside what the cluster configures, each has things that belong to nobody here: another initiator group with a LUN, another
//! device, another device group, a port in nobody's list.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::stat::makedev;
use scst_core::error::Verb;
use scst_core::system::StoreKind;
use scst_sim::host::{EntryKind, FileEntry, Files};
use scst_sim::model::{FcPort, FileKind, Host as _, Kind, Machine, Ticket, Written};
use scst_sim::tree::snapshot_in;

use super::faults::Lasting;
use super::hosts::Command;
use super::iscsi::Daemon;
use super::stage::TaskId;
use super::stores::{Contents, Disks};
use super::world::{MAJOR, NODES, PORTS, SCST, World, port};

/// Where SCST keeps reservations.
const RESERVATIONS: &str = "/var/lib/scst/pr";

/// One machine.
#[expect(clippy::struct_excessive_bools, reason = "what is the matter with a machine, each by itself")]
pub(super) struct Node {
    pub(super) machine: Machine,
    /// Its view of the stores.
    pub(super) disks: Disks,
    /// The stores that are away, do not open, do not answer, or fail.
    pub(super) sick: BTreeSet<String>,
    /// How often it has booted.
    pub(super) boot: u32,
    /// When it booted last.
    pub(super) booted: Duration,
    pub(super) powered: bool,
    /// Cut off from the others, which have not fenced it.
    pub(super) cut: bool,
    /// Operations of actions that sleep in its kernel.
    pub(super) waiting: Vec<(TaskId, Ticket)>,
    /// The agents' own files.
    pub(super) run: BTreeMap<PathBuf, String>,
    /// The files among them that are locks, and who has each; 0: nobody.
    pub(super) locks: BTreeMap<PathBuf, TaskId>,
    /// A command may be slow, so that there is no time for a short action.
    pub(super) slow: bool,
    /// It still runs the shell agent of device groups.
    pub(super) shell: bool,
    /// What goes wrong for a while, and until when.
    pub(super) lasting: Option<(Lasting, Duration)>,
    /// Nothing can be written below `/run`.
    pub(super) full: Option<Errno>,
    /// Writing below `/run` has failed, so that its agents may not know what they made.
    pub(super) forgets: bool,
    /// Operations that fail until all faults end.
    pub(super) broken: Vec<(Verb, PathBuf, Errno)>,
    /// Writes to its kernel files so far.
    pub(super) writes: u64,
    /// When the last action ended in which something went wrong.
    pub(super) faulted: Duration,
    /// When an action took it out of service last.
    pub(super) left: Duration,
    /// The size of each device, as its kernel told it after the last action.
    pub(super) told: BTreeMap<String, u64>,
    /// The daemon of its iSCSI targets.
    pub(super) daemon: Daemon,
    /// Commands of hosts in flight: the machine's id and the device group that they went to.
    pub(super) commands: Vec<Command>,
}

impl Node {
    /// One that is switched off.
    pub(super) fn new(machine: Machine, disks: Disks) -> Self {
        Self {
            machine,
            disks,
            sick: BTreeSet::new(),
            boot: 0,
            booted: Duration::ZERO,
            powered: false,
            cut: false,
            waiting: Vec::new(),
            run: BTreeMap::new(),
            locks: BTreeMap::new(),
            slow: false,
            shell: false,
            lasting: None,
            full: None,
            forgets: false,
            broken: Vec::new(),
            writes: 0,
            faulted: Duration::ZERO,
            left: Duration::ZERO,
            told: BTreeMap::new(),
            daemon: Daemon::default(),
            commands: Vec::new(),
        }
    }

    /// The same machine with its stores, which goes its own way from now on.
    pub(super) fn fork(&self, contents: &Arc<Mutex<Contents>>) -> Self {
        let disks = self.disks.fork(contents);
        Self {
            machine: self.machine.fork(Box::new(disks.clone())),
            disks,
            sick: self.sick.clone(),
            waiting: self.waiting.clone(),
            run: self.run.clone(),
            locks: self.locks.clone(),
            broken: self.broken.clone(),
            told: self.told.clone(),
            commands: self.commands.clone(),
            ..*self
        }
    }

    /// What distinguishes it from a machine in another state; times do not.
    pub(super) fn fingerprint(&mut self) -> String {
        let tree = snapshot_in(&mut self.machine).expect("a machine that can be read");
        let mut files = String::new();
        for (path, text) in &self.run {
            for line in text.lines() {
                let aged = ["peer", "moving", "failed"].iter().any(|word| line.starts_with(word));
                files += line.rsplit_once(' ').filter(|_| aged).map_or(line, |(what, _)| what);
            }
            files += &path.to_string_lossy();
        }
        let commands: Vec<_> = self.commands.iter().map(|command| (&command.group, command.hangs)).collect();
        let broken: BTreeSet<_> =
            self.broken.iter().map(|(verb, path, _)| format!("{verb:?}{}", path.display())).collect();
        format!("{tree}{files}{commands:?}{broken:?}{:?}{}{}", self.full, self.powered, self.cut)
    }

    /// What is at the path of a store; `opens`: it is opened, for writing or only to read.
    pub(super) fn store(&self, path: &Path, opens: Option<bool>) -> Result<StoreKind, Errno> {
        let found = self.disks.file(path.as_os_str().as_encoded_bytes())?;
        if let Some(writable) = opens {
            found.opening(writable)?;
        }
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

impl World {
    /// A node comes up, with nothing below `/run`, and the things that are not the cluster's.
    pub(super) fn boot(&mut self, node: usize) {
        let files = Files::new();
        let reservations = FileEntry { path: RESERVATIONS.to_owned(), kind: EntryKind::Dir, ..FileEntry::default() };
        files.declare(&reservations).expect("an absolute path");
        for store in &self.stores {
            files.declare(&store.entry()).expect("an absolute path");
        }
        let disks = Disks { files, ..self.nodes[node].disks.clone() };
        disks.contents().forget(node);
        let mut machine = Machine::new(self.version, Box::new(disks.clone()));
        for (n, host) in (0..=PORTS).zip(1..) {
            machine.plug(FcPort::online(host, port(node, n)));
        }
        for module in ["scst", "scst_vdisk", "scst_disk", "qla2x00tgt"] {
            machine.modprobe(module, "").expect("a known module");
        }
        let there = &mut self.nodes[node];
        there.run.retain(|path, _| !path.starts_with("/run"));
        *there = Node {
            boot: there.boot + 1,
            booted: self.now,
            powered: true,
            run: std::mem::take(&mut there.run),
            shell: there.shell,
            writes: there.writes,
            faulted: there.faulted,
            left: there.left,
            ..Node::new(machine, disks)
        };
        self.dlm_starts(node);
        self.command(node, "handlers/vdisk_nullio/mgmt", "add_device other_disk");
        self.command(node, "device_groups/mgmt", "create other");
        let table = format!("targets/qla2x00t/{}/ini_groups", port(node, 0));
        self.command(node, &format!("{table}/mgmt"), "create backup");
        self.command(node, &format!("{table}/backup/luns/mgmt"), "add other_disk 0");
        // A port that the cluster does not list, with a number that its agents could have given.
        let unlisted = format!("targets/qla2x00t/{}", port(node, PORTS));
        self.command(node, &format!("{unlisted}/rel_tgt_id"), &(100 * (node + 1) + 50).to_string());
        self.command(node, &format!("{unlisted}/enabled"), "1");
        if node == 1 && !self.shell {
            // The kernel makes other identifiers of a device's name here, which the shell agent leaves as they are.
            self.command(node, "setup_id", "0x77");
        }
        self.happened(format!("{} boots", NODES[node]));
        self.boot_iscsi(node);
    }

    /// A command that nobody's action gives.
    pub(super) fn command(&mut self, node: usize, path: &str, value: &str) {
        let answer = self.commanded(node, path, value);
        assert!(matches!(answer, Written::Done(Ok(_))), "{value} to {path}: {answer:?}");
    }

    pub(super) fn commanded(&mut self, node: usize, path: &str, value: &str) -> Written {
        let machine = &mut self.nodes[node].machine;
        let handle = machine.open(format!("{SCST}/{path}").as_bytes(), false, true);
        handle.map_or_else(|errno| Written::Done(Err(errno)), |handle| machine.write(&handle, value.as_bytes()))
    }

    /// What an attribute says, if it is there.
    pub(super) fn text(&mut self, node: usize, path: &str) -> Option<String> {
        let machine = &mut self.nodes[node].machine;
        let handle = machine.open(format!("{SCST}/{path}").as_bytes(), true, false).ok()?;
        machine.read(&handle).ok().map(|text| String::from_utf8_lossy(&text).into_owned())
    }

    /// The first line of it.
    pub(super) fn value(&mut self, node: usize, path: &str) -> Option<String> {
        self.text(node, path).map(|text| text.lines().next().unwrap_or_default().to_owned())
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
}
