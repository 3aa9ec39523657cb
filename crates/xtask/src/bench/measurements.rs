//! What is measured of the agents on mounted, simulated kernels: monitors, actions against a bare writer, fail-over; and of the programs.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::bare;
use super::call::{Call, group, ports};
use super::node::Cluster;
use super::processes;
use super::size::{Size, size};
use super::table::{Rows, duration, median, number};

/// Few and many LUNs and initiator groups, few and many devices and ports.
const MONITORED: [Size; 4] = [size(1, 1, 1), size(3, 2, 16), size(16, 2, 2), size(64, 4, 2)];

/// Monitors of every size: of the ports, of a device group in standby, of a promoted one.
pub(super) fn monitor(programs: &Path, runs: usize) -> Rows {
    let mut rows = Vec::new();
    for size in MONITORED {
        let cluster = Cluster::new(programs, size, &[group("start")])?;
        for (what, call) in [("ports", ports("monitor")), ("standby", group("monitor")), ("promoted", group("monitor"))]
        {
            if what == "promoted" {
                cluster.call(0, &group("promote"))?;
            }
            let processes = processes::count(&cluster.command(0, &call))?;
            let mut times = Vec::new();
            let mut last = cluster.call(0, &call)?;
            for _ in 0..runs {
                last = cluster.call(0, &call)?;
                times.push(last.took);
            }
            let counts = [last.opened(), last.counts.writes, processes].map(number);
            rows.push([vec![what.to_owned(), size.to_string()], counts.into(), vec![duration(median(times))]].concat());
        }
    }
    Ok(rows)
}

/// The large node.
const LARGE: Size = size(256, 2, 8);

/// Actions, each in a fresh cluster, and a bare program that makes the same writes: by turns, so that what else the machine does meets both.
pub(super) fn actions(programs: &Path, runs: usize) -> Rows {
    let (start, promote) = (group("start"), group("promote"));
    let mut rows = Vec::new();
    for (size, before, call) in [
        (LARGE, vec![], start),
        (LARGE, vec![start], promote),
        (LARGE, vec![start, promote], group("demote")),
        (LARGE, vec![start], group("stop")),
        (size(1, 2, 1), vec![], start),
    ] {
        let (mut own, mut floor, mut counts) = (Vec::new(), Vec::new(), [0; 2]);
        for _ in 0..runs {
            let cluster = Cluster::new(programs, size, &before)?;
            let run = cluster.call(0, &call)?;
            counts = [run.counts.writes, run.opened() - run.counts.writes];
            own.push(run.took);
            let made = cluster.mount(0).writes();
            drop(cluster);
            floor.push(bare::run(&Cluster::new(programs, size, &before)?, &made)?);
        }
        let (own, floor) = (median(own), median(floor));
        let times = format!("{:.2}", own.as_secs_f64() / floor.as_secs_f64());
        let counts = counts.map(number);
        rows.push(
            [
                vec![call.action.to_owned(), size.to_string()],
                counts.into(),
                vec![duration(own), duration(floor), times],
            ]
            .concat(),
        );
    }
    Ok(rows)
}

/// Two nodes change places, back and forth, with the notifications that Pacemaker sends.
pub(super) fn failover(programs: &Path, runs: usize) -> Rows {
    let mut rows = Vec::new();
    for size in [size(1, 2, 2), size(16, 2, 2), size(64, 2, 2)] {
        let cluster = Cluster::new(programs, size, &[group("start"), group("promote")])?;
        for call in [ports("start"), group("start")] {
            cluster.call(1, &call)?;
        }
        let (mut writes, mut times) = ([0; 2], [const { Vec::new() }; 3]);
        for run in 0..4 * runs {
            let (written, took) = change(&cluster, run % 2)?;
            writes = [0, 1].map(|role: usize| writes[role].max(written[role]));
            times.iter_mut().zip(took).for_each(|(times, time)| times.push(time));
        }
        let times = times.map(|times| duration(median(times)));
        rows.push([vec![size.to_string()], writes.map(number).into(), times.into()].concat());
    }
    Ok(rows)
}

/// The promoted node `from` and the other one change places. Answers the writes of either, all notifications included, and three times: of the
/// notification before the demotion with the demotion, of the promotion, and of all calls.
fn change(cluster: &Cluster, from: usize) -> Result<([u64; 2], [Duration; 3]), Box<dyn Error>> {
    let to = 1 - from;
    let (mut writes, mut times) = ([0; 2], [Duration::ZERO; 3]);
    for (action, nodes) in [
        ("pre-demote", &[from, to][..]),
        ("demote", &[from]),
        ("post-demote", &[from, to]),
        ("pre-promote", &[from, to]),
        ("promote", &[to]),
        ("post-promote", &[from, to]),
    ] {
        for node in nodes {
            let run = cluster.call(*node, &Call { demoted: Some(from), ..group(action) })?;
            writes[usize::from(*node == to)] += run.counts.writes;
            times[2] += run.took;
            match action {
                "pre-demote" | "demote" if *node == from => times[0] += run.took,
                "promote" => times[1] += run.took,
                _ => {}
            }
        }
    }
    Ok((writes, times))
}

/// How large the programs are, and how long one takes that prints its meta-data to nowhere; the tool prints its version.
pub(super) fn programs(programs: &Path, runs: usize) -> Rows {
    let mut rows = Vec::new();
    for (name, argument) in [
        ("scst_qla2xtgt", "meta-data"),
        ("scst_target", "meta-data"),
        ("scst_aluadg", "meta-data"),
        ("scst-ha", "--version"),
    ] {
        let program = programs.join(name);
        let (mut own, mut other) = (Vec::new(), Vec::new());
        for _ in 0..60 * runs {
            own.push(once(&program, &[argument])?);
            other.push(once(Path::new("/bin/true"), &[])?);
        }
        let size = number(fs::metadata(&program)?.len());
        rows.push(vec![name.to_owned(), size, duration(median(own)), duration(median(other))]);
    }
    Ok(rows)
}

fn once(program: &Path, arguments: &[&str]) -> Result<Duration, Box<dyn Error>> {
    let mut command = Command::new(program);
    command.args(arguments).env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let began = Instant::now();
    let status = command.status()?;
    let took = began.elapsed();
    if status.success() { Ok(took) } else { Err(format!("{} ended with {status}", program.display()).into()) }
}
