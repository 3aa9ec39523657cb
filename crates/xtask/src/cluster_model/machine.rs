//! The small kernel against the simulator's machine, which was recorded from real kernels: every step of long drawn lives of a
//! node, and steps drawn out of place, must be answered alike by both and leave the same tree.

use std::collections::BTreeSet;

use scst_core::plan::Step;
use scst_sim::host::{EntryKind, FileEntry, Files};
use scst_sim::model::{FcPort, Kind, Machine, ScstVersion, Written};

use super::call::{Call, Masks, Op, Roles};
use super::kernel::Kernel;
use super::nodes::Nodes;
use super::site::{ATTRIBUTES, Attributes, DISK, GROUP, HOSTS, Site};
use super::walk::Lot;

const SCST: &str = "kernel/scst_tgt";
const PORTS: usize = 3;

/// The machine of one node, with modules, ports and the target agent's initiator group.
struct Real(Machine);

impl Real {
    fn booted(node: usize) -> Self {
        let files = Files::new();
        for (path, kind) in [(DISK, EntryKind::Block), ("/var/lib/scst/pr", EntryKind::Dir)] {
            let entry = FileEntry {
                path: path.to_owned(),
                kind,
                size: 1 << 20,
                logical_block: 512,
                held: false,
                discard: false,
                open_error: None,
                identity: None,
            };
            files.declare(&entry).expect("an absolute path");
        }
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
        for module in ["scst", "scst_vdisk", "qla2x00tgt"] {
            machine.modprobe(module, "").expect("a known module");
        }
        let mut real = Self(machine);
        for n in 0..PORTS {
            let made = real.write(&format!("{}/ini_groups/mgmt", port(node, n)), &format!("create {HOSTS}"));
            assert!(made, "an initiator group can be made");
        }
        assert!(real.write(&format!("{}/rel_tgt_id", port(node, 0)), &format!("{}01", node + 1)));
        real
    }

    /// Whether the machine takes a command.
    fn write(&mut self, path: &str, value: &str) -> bool {
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

    fn tree(&mut self, node: usize) -> BTreeSet<String> {
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
fn tree(kernel: &Kernel, node: usize) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for (name, device) in &kernel.storage.devices {
        let open = u8::from(device.active != Some(false));
        let read_only = u8::from(device.read_only());
        lines.insert(format!("device {name} active {open} blocks {} read_only {read_only}", device.block.count));
    }
    let place = |port: &scst_core::scst::names::TargetName| (0..PORTS).find(|n| Site::port(node, *n) == *port);
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

/// What an agent refuses by itself, before the kernel hears of it: a state or an id for what turns out to be local.
fn is_held_back(kernel: &Kernel, step: &Step) -> bool {
    let target_group = |node| kernel.storage.group.as_ref().and_then(|group| group.target_groups.get(node));
    match step {
        Step::SetPeerState { node, .. } => target_group(node).is_some_and(|group| !group.has_remote()),
        Step::SetMemberId { node, port, .. } => {
            target_group(node).and_then(|group| group.members.get(port)).is_some_and(|member| member.local)
        }
        _ => false,
    }
}

/// One step, carried out by both.
#[track_caller]
fn both(kernel: &mut Kernel, real: &mut Real, node: usize, step: &Step) -> bool {
    let before = tree(kernel, node);
    let (taken, answered) = match step.command() {
        None => (true, true),
        Some((path, value)) => (kernel.step(step).is_some(), real.write(&path, &value)),
    };
    assert_eq!(taken, answered, "whether {step} is taken (small kernel, machine), after\n{before:#?}");
    assert_eq!(tree(kernel, node), real.tree(node), "after {step} of\n{before:#?}");
    taken
}

/// A transition of which nothing makes sense but the words.
fn masks(lot: &mut Lot) -> Masks {
    let mut set = || u8::try_from(lot.below(16)).expect("four bits");
    Masks { active: set(), promoted: set(), demote: set(), stop: set(), start: set(), promote: set() }
}

/// Any run of the agent, sensible or not.
fn call(lot: &mut Lot) -> Call {
    let masks = masks(lot);
    match lot.below(12) {
        0 => Call::Start(None),
        1 => Call::Start(Some(masks)),
        2 => Call::Promote(masks),
        3 => Call::PromoteFails(masks),
        4 => Call::Demote,
        5 => Call::Stop,
        6 => Call::Reload,
        7 => Call::Monitor(Roles { running: masks.active, promoted: masks.promoted, changing: 0 }),
        8 => Call::Age,
        _ => {
            let op = Op::ALL[usize::try_from(lot.below(4)).expect("below 4")];
            Call::Notify(lot.below(2) == 1, op, masks)
        }
    }
}

fn attributes(lot: &mut Lot) -> Attributes {
    let count = u64::try_from(ATTRIBUTES.len()).expect("few");
    Attributes::default().map(|_| u8::try_from(lot.below(count)).expect("few"))
}

#[test]
fn every_step_does_to_the_machine_what_it_does_to_the_small_kernel() {
    let mut steps = 0;
    for (seed, node, shell) in [(1, 0, false), (2, 2, false), (3, 1, true)] {
        let mut lot = Lot::new(seed);
        let mut nodes = Nodes::new(Site::new(3), None);
        let mut state = nodes.booted(node, shell);
        let mut real = Real::booted(node);
        let mut kernel = nodes.run(node, state, Call::Age, Attributes::default()).state.kernel;
        for _ in 0..120 {
            let (call, attributes) = (call(&mut lot), attributes(&mut lot));
            let run = nodes.run(node, state, call, attributes);
            assert_eq!(run.wrong, None, "{call:?}");
            for step in &run.steps {
                assert!(both(&mut kernel, &mut real, node, step), "{call:?} is refused {step}");
                steps += 1;
            }
            assert_eq!(kernel, run.state.kernel, "{call:?}");
            state = nodes.call(node, state, call, attributes).state;
        }
        assert_eq!(real.0.unknowns(), [], "everything is known to the machine");
    }
    assert!(steps > 1_000, "{steps} steps");
}

#[test]
fn a_step_out_of_place_is_refused_by_both_or_by_none() {
    let node = 0;
    let nodes_of_three = || Nodes::new(Site::new(3), None);
    let mut lot = Lot::new(4);
    // Steps of all kinds, of the lives of another node state each.
    let mut known = Vec::new();
    let mut nodes = nodes_of_three();
    let mut state = nodes.booted(node, false);
    for _ in 0..200 {
        let (call, attributes) = (call(&mut lot), attributes(&mut lot));
        known.extend(nodes.run(node, state, call, attributes).steps);
        state = nodes.call(node, state, call, attributes).state;
    }
    let (mut taken, mut refused) = (0, 0);
    let mut real = Real::booted(node);
    let mut nodes = nodes_of_three();
    let booted = nodes.booted(node, false);
    let mut kernel = nodes.run(node, booted, Call::Age, Attributes::default()).state.kernel;
    for _ in 0..1_000 {
        let place = lot.below(u64::try_from(known.len()).expect("a length"));
        let step = &known[usize::try_from(place).expect("below a length")];
        if is_held_back(&kernel, step) {
            continue;
        }
        *if both(&mut kernel, &mut real, node, step) { &mut taken } else { &mut refused } += 1;
    }
    assert!(taken > 200 && refused > 200, "{taken} taken, {refused} refused");
}
