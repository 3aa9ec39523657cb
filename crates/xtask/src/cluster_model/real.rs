//! The simulator's machine of a node, and its tree in the same lines as that of the small kernel, to compare the two.

use std::collections::BTreeSet;

use scst_core::scst::names::TargetName;
use scst_sim::host::{EntryKind, FileEntry, Files};
use scst_sim::model::{FcPort, Kind, Machine, ScstVersion, Written};

use super::kernel::Kernel;
use super::site::{GROUP, HOSTS, Site};

const SCST: &str = "kernel/scst_tgt";
const PORTS: usize = 3;

/// A node that has just booted, as [`Nodes::booted`](super::nodes::Nodes::booted) has it.
pub(super) fn booted(node: usize, files: Files, disk: &str) -> Machine {
    let disk = FileEntry { path: disk.to_owned(), kind: EntryKind::Block, size: Some(1 << 20), ..FileEntry::default() };
    files.declare(&disk).expect("an absolute path");
    let mut machine = Machine::new(ScstVersion::V3_11, Box::new(files));
    for (n, host) in (0..PORTS).zip(1..) {
        let wwpn = Site::port(node, n).to_string();
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
    let mut real = Real(&mut machine);
    for n in 0..PORTS {
        let made = real.write(&format!("{}/ini_groups/mgmt", port(node, n)), &format!("create {HOSTS}"));
        assert!(made, "an initiator group can be made");
    }
    assert!(real.write(&format!("{}/rel_tgt_id", port(node, 0)), &format!("{}01", node + 1)), "a port takes an id");
    machine
}

/// The machine of one node, with modules, ports and the target agent's initiator group.
pub(super) struct Real<'a>(pub(super) &'a mut Machine);

impl Real<'_> {
    /// Whether the machine takes a command.
    pub(super) fn write(&mut self, path: &str, value: &str) -> bool {
        let Ok(handle) = self.0.open(path.as_bytes(), false, true) else { return false };
        match self.0.write(&handle, value.as_bytes()) {
            Written::Done(result) => result.is_ok(),
            Written::Waiting(ticket) => loop {
                if let Some(result) = self.0.poll(ticket) {
                    return result.is_ok();
                }
                let next = self.0.next_event().expect("a command that waits for nothing outside ends");
                self.0.advance(next);
            },
        }
    }

    fn read(&mut self, path: &str) -> String {
        let handle = self.0.open(path.as_bytes(), true, false).unwrap_or_else(|error| panic!("{path}: {error}"));
        let content = self.0.read(&handle).unwrap_or_else(|error| panic!("{path}: {error}"));
        String::from_utf8_lossy(&content).lines().next().unwrap_or_default().to_owned()
    }

    /// The names in a directory with this kind; none where there is no directory.
    fn names(&self, path: &str, wanted: Kind) -> Vec<String> {
        let entries = self.0.list(path.as_bytes()).unwrap_or_default();
        let named = entries.into_iter().filter(|(_, kind)| *kind == wanted);
        named.map(|(name, _)| String::from_utf8_lossy(&name).into_owned()).collect()
    }

    /// Everything of the tree that the small kernel has, a line each.
    pub(super) fn tree(&mut self, node: usize) -> BTreeSet<String> {
        let mut lines = BTreeSet::new();
        for device in self.names(&format!("{SCST}/devices"), Kind::Dir) {
            let at = format!("{SCST}/devices/{device}");
            let (open, blocks) = (self.read(&format!("{at}/active")), self.read(&format!("{at}/block")));
            let blocks = blocks.split(' ').next().unwrap_or_default();
            let read_only = self.read(&format!("{at}/read_only"));
            lines.insert(format!("device {device} active {open} blocks {blocks} read_only {read_only}"));
        }
        for n in 0..PORTS {
            let at = port(node, n);
            lines.insert(format!("port {n} id {}", self.read(&format!("{at}/rel_tgt_id"))));
            let luns = format!("{at}/ini_groups/{HOSTS}/luns");
            for lun in self.names(&luns, Kind::Dir) {
                let device = self.0.readlink(format!("{luns}/{lun}/device").as_bytes()).expect("a LUN has a device");
                let device = String::from_utf8_lossy(&device);
                lines.insert(format!("port {n} lun {lun} {}", device.rsplit('/').next().unwrap_or_default()));
            }
        }
        for group in self.names(&format!("{SCST}/device_groups"), Kind::Dir) {
            let at = format!("{SCST}/device_groups/{group}");
            lines.insert(format!("group {group}"));
            for device in self.names(&format!("{at}/devices"), Kind::Link) {
                lines.insert(format!("group {group} device {device}"));
            }
            for node in self.names(&format!("{at}/target_groups"), Kind::Dir) {
                let at = format!("{at}/target_groups/{node}");
                let (id, state) = (self.read(&format!("{at}/group_id")), self.read(&format!("{at}/state")));
                lines.insert(format!("target group {node} id {id} {state}"));
                for (kind, word) in [(Kind::Link, "local"), (Kind::Dir, "remote")] {
                    for port in self.names(&at, kind) {
                        let id = self.read(&format!("{at}/{port}/rel_tgt_id"));
                        lines.insert(format!("target group {node} {word} {port} id {id}"));
                    }
                }
            }
        }
        lines
    }
}

fn port(node: usize, n: usize) -> String {
    format!("{SCST}/targets/qla2x00t/{}", Site::port(node, n))
}

/// The same lines of the small kernel.
pub(super) fn tree(kernel: &Kernel, node: usize) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for (name, device) in &kernel.storage.devices {
        let open = u8::from(device.active != Some(false));
        let read_only = u8::from(device.read_only());
        lines.insert(format!("device {name} active {open} blocks {} read_only {read_only}", device.block.count));
    }
    let place = |port: &TargetName| (0..PORTS).find(|n| Site::port(node, *n) == *port);
    for (port, id) in &kernel.ports {
        lines.insert(format!("port {} id {id}", place(port).expect("a port of this node")));
    }
    for (at, lun) in &kernel.storage.luns {
        let n = place(&at.table.port).expect("a port of this node");
        lines.insert(format!("port {n} lun {} {}", at.lun, lun.device));
    }
    if let Some(group) = &kernel.storage.group {
        lines.insert(format!("group {GROUP}"));
        lines.extend(group.devices.iter().map(|device| format!("group {GROUP} device {device}")));
        for (node, there) in &group.target_groups {
            lines.insert(format!("target group {node} id {} {}", there.group_id, there.state));
            for (port, member) in &there.members {
                let word = if member.local { "local" } else { "remote" };
                lines.insert(format!("target group {node} {word} {port} id {}", member.rel_tgt_id));
            }
        }
    }
    lines
}
