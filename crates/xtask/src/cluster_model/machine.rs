//! The small kernel against the simulator's machine, which was recorded from real kernels: every step of long drawn lives of a
//! node, and steps drawn out of place, must be answered alike by both and leave the same tree.

use scst_core::plan::Step;
use scst_sim::host::{EntryKind, FileEntry, Files};
use scst_sim::model::Machine;

use super::call::Call;
use super::kernel::Kernel;
use super::life::{attributes, call};
use super::nodes::Nodes;
use super::real::{Real, booted, tree};
use super::site::{Attributes, DISK, Site};
use super::walk::Lot;

/// A machine with the directory that SCST keeps reservations in.
fn machine(node: usize) -> Machine {
    let files = Files::new();
    let reservations = FileEntry { path: "/var/lib/scst/pr".to_owned(), kind: EntryKind::Dir, ..FileEntry::default() };
    files.declare(&reservations).expect("an absolute path");
    booted(node, files, DISK)
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
fn both(kernel: &mut Kernel, machine: &mut Machine, node: usize, step: &Step) -> bool {
    let mut real = Real(machine);
    let before = tree(kernel, node);
    let (taken, answered) = match step.command() {
        None => (true, true),
        Some((path, value)) => (kernel.step(step).is_some(), real.write(&path, &value)),
    };
    assert_eq!(taken, answered, "whether {step} is taken (small kernel, machine), after\n{before:#?}");
    assert_eq!(tree(kernel, node), real.tree(node), "after {step} of\n{before:#?}");
    taken
}

#[test]
fn every_step_does_to_the_machine_what_it_does_to_the_small_kernel() {
    let mut steps = 0;
    for (seed, node, shell) in [(1, 0, false), (2, 2, false), (3, 1, true)] {
        let mut lot = Lot::new(seed);
        let mut nodes = Nodes::new(Site::new(3), None);
        let mut state = nodes.booted(node, shell);
        let mut machine = machine(node);
        let mut kernel = nodes.run(node, state, Call::Age, Attributes::default()).state.kernel;
        for _ in 0..120 {
            let (call, attributes) = (call(&mut lot), attributes(&mut lot));
            let run = nodes.run(node, state, call, attributes);
            assert_eq!(run.wrong, None, "{call:?}");
            for step in &run.steps {
                assert!(both(&mut kernel, &mut machine, node, step), "{call:?} is refused {step}");
                steps += 1;
            }
            assert_eq!(kernel, run.state.kernel, "{call:?}");
            state = nodes.call(node, state, call, attributes).state;
        }
        assert_eq!(machine.unknowns(), [], "everything is known to the machine");
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
    let mut machine = machine(node);
    let mut nodes = nodes_of_three();
    let booted = nodes.booted(node, false);
    let mut kernel = nodes.run(node, booted, Call::Age, Attributes::default()).state.kernel;
    for _ in 0..1_000 {
        let place = lot.below(u64::try_from(known.len()).expect("a length"));
        let step = &known[usize::try_from(place).expect("below a length")];
        if is_held_back(&kernel, step) {
            continue;
        }
        *if both(&mut kernel, &mut machine, node, step) { &mut taken } else { &mut refused } += 1;
    }
    assert!(taken > 200 && refused > 200, "{taken} taken, {refused} refused");
}
