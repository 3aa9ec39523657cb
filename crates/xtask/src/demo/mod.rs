//! `cargo xtask demo`: two nodes, a simulated SCST on each, and the real agents called as Pacemaker calls them.
//!
//! The scenario (`scenario.toml`) says what happens and, for each call, what both kernels must show afterwards; `machine` is a node
//! with its mounted SCST, `pacemaker` the environment of a call, `kernel` what is read back, `report` what is printed.

mod kernel;
mod machine;
mod pacemaker;
mod report;
mod scenario;

use std::error::Error;
use std::process::ExitCode;
use std::thread;
use std::time::Instant;

use scst_sim::stand_in;
use scst_sim::stand_in::cib::CibFile;

use self::machine::{Called, Fixture, Machine};
use self::report::Report;
use self::scenario::{Act, Call, FIBRE_CHANNEL, Fabric, ISCSI, NODES, Transition, acts};
use crate::{mounts, workspace};

/// Builds, becomes root if need be, and plays the scenario.
pub(crate) fn run(iscsi: bool, built: bool) -> Result<ExitCode, Box<dyn Error>> {
    if let Some(reason) = workspace::cannot_mount() {
        return Err(reason.into());
    }
    if !built {
        workspace::build_binaries()?;
    }
    if !workspace::is_root() {
        let fabric: &[&str] = if iscsi { &["iscsi"] } else { &[] };
        return workspace::become_root(&[&["demo", "--built"], fabric].concat());
    }
    mounts::hide()?;
    play(if iscsi { &ISCSI } else { &FIBRE_CHANNEL })
}

fn play(fabric: &'static Fabric) -> Result<ExitCode, Box<dyn Error>> {
    let directory = tempfile::Builder::new().prefix("scst-demo-").tempdir()?;
    let commands = directory.path().join("bin");
    stand_in::install(&commands, &workspace::binary("scst-sim")?)?;
    let cib = CibFile::create(directory.path().join("cib.xml"), &NODES.map(|node| (node.name, node.id)))?;
    for node in &fabric.nodes {
        cib.set_node_attribute(node.name, "targetports", Some(&node.targetports()))?;
    }
    let fixture = Fixture { directory: directory.path(), commands: &commands, cib: &cib, fabric };
    let mut machines = [Machine::new(&fabric.nodes[0], fixture)?, Machine::new(&fabric.nodes[1], fixture)?];
    let mut report = Report::new();
    report.opening(fabric);
    let started = Instant::now();
    for (number, act) in (1..).zip(&acts()?) {
        play_act(number, act, &mut machines, &mut report)?;
    }
    for machine in &machines {
        report.unknown(machine.name(), &machine.unknowns());
    }
    Ok(if report.closing(started.elapsed()) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn play_act(
    number: usize,
    act: &Act,
    machines: &mut [Machine<'_>; 2],
    report: &mut Report,
) -> Result<(), Box<dyn Error>> {
    report.act(number, act);
    for (machine, power) in machines.iter_mut().zip(act.power) {
        machine.set_power(power)?;
    }
    for transition in &act.transitions {
        for call in &transition.calls {
            let called = play_call(call, transition, machines)?;
            let seen = [machines[0].kernel().states(), machines[1].kernel().states()];
            report.call(call, &called, &seen);
        }
    }
    for (machine, wanted) in machines.iter().zip(act.ports) {
        report.ports(machine.name(), &machine.kernel().ports(), &wanted.lines(machine.fabric(), machine.node()));
    }
    Ok(())
}

/// Calls the agent on all nodes of a call at the same time, as the cluster does.
fn play_call(call: &Call, transition: &Transition, machines: &[Machine<'_>; 2]) -> Result<Vec<Called>, Box<dyn Error>> {
    let chosen = machines.iter().filter(|machine| call.nodes.split(' ').any(|name| name == machine.name()));
    thread::scope(|scope| {
        let running: Vec<_> = chosen.map(|machine| scope.spawn(|| machine.call(call, transition))).collect();
        running.into_iter().map(|call| Ok(call.join().map_err(|_| "a call of an agent panicked")??)).collect()
    })
}
