//! The same actions by other agents of the same names, on the same mount.
//!
//! Other agents need not know `SCST_SYSFS_ROOT`, so for the time of a run the mounted machine is bound over `/sys`, and the node's own
//! directory over `/var/lib/scst` where there is one. All this happens in a mount namespace that only this process has.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use nix::mount::{MntFlags, MsFlags, mount, umount2};

use super::call::{Agent, Call};
use super::node::{Cluster, Run};
use super::processes;
use super::size::size;
use super::statistics::median;
use super::table::{Chapter, duration, number};

/// What is compared, in the order of a life; the code that the action must end with.
const LIFE: [(&str, Agent, &str, i32); 9] = [
    ("ports: start", Agent::Ports, "start", 0),
    ("ports: monitor", Agent::Ports, "monitor", 0),
    ("group: start", Agent::Group, "start", 0),
    ("group: monitor in standby", Agent::Group, "monitor", 0),
    ("group: promote", Agent::Group, "promote", 0),
    ("group: monitor promoted", Agent::Group, "monitor", 8),
    ("group: demote", Agent::Group, "demote", 0),
    ("group: stop", Agent::Group, "stop", 0),
    ("ports: stop", Agent::Ports, "stop", 0),
];

/// What an action took: times of all runs, what it asked for, processes; or why there is no number.
type Measured = Result<Cost, String>;

#[derive(Debug, Clone, Default)]
struct Cost {
    times: Vec<Duration>,
    opened: u64,
    writes: u64,
    processes: u64,
}

/// The chapter.
pub(super) fn chapter(own: &Path, others: &Path, runs: usize, quick: bool) -> Result<Chapter, Box<dyn Error>> {
    let mut cells = Vec::new();
    let sizes: &[usize] = if quick { &[1, 4] } else { &[1, 16, 64] };
    for devices in sizes {
        let ours = lives(own, own, *devices, runs)?;
        let theirs = lives(others, own, *devices, runs)?;
        for (((name, ..), ours), theirs) in LIFE.iter().zip(&ours).zip(&theirs) {
            let ratio = match (ours, theirs) {
                (Ok(ours), Ok(theirs)) => {
                    let times = median(theirs.times.clone()).as_secs_f64() / median(ours.times.clone()).as_secs_f64();
                    format!("{times:.1}")
                }
                _ => String::new(),
            };
            cells.push(vec![format!("{name}, devices: {devices}"), words(ours), words(theirs), ratio]);
        }
    }
    let note = "Medians from a process's start to its end; kernel files opened, writes, and processes started. Two ports, two \
                initiator groups. The cluster's commands are stand-ins that answer at once. Where one of their two agents is not there, ours \
                does its work; an action that failed has no number.";
    Ok(Chapter::other("Against the other agents", note, vec!["action", "ours", "theirs", "times ours"], cells))
}

fn words(measured: &Measured) -> String {
    match measured {
        Ok(Cost { times, opened, writes, processes }) => format!(
            "{}, {} files, {} writes, {} processes",
            duration(median(times.clone())),
            number(*opened),
            number(*writes),
            number(*processes)
        ),
        Err(reason) => reason.replace('|', "/"),
    }
}

/// The actions of several lives. What failed once is not measured, nor what builds on it.
fn lives(programs: &Path, own: &Path, devices: usize, runs: usize) -> Result<Vec<Measured>, Box<dyn Error>> {
    let mut costs: Vec<Measured> = LIFE.iter().map(|_| Ok(Cost::default())).collect();
    let runs = runs.max(1);
    // One life more, in which processes are counted: a program is slower while that is done.
    for run in 0..=runs {
        let cluster = Cluster::new(size(devices, 2, 2))?;
        let bound = Bound::over(&cluster)?;
        live(&cluster, programs, own, run == runs, &mut costs)?;
        drop(bound);
    }
    Ok(costs)
}

fn live(
    cluster: &Cluster,
    programs: &Path,
    own: &Path,
    traced: bool,
    costs: &mut [Measured],
) -> Result<(), Box<dyn Error>> {
    for ((_, agent, action, code), cost) in LIFE.iter().zip(costs) {
        let program = programs.join(agent.program());
        let call = Call::new(*agent, action);
        if !program.exists() {
            // Ours does it, for the other agent's actions need it done.
            cluster.run(0, own, &call)?;
            *cost = Err("is not there".to_owned());
        }
        let Ok(cost_so_far) = cost else { continue };
        if traced {
            let command = cluster.command(0, &program, &[action], &call);
            match processes::count(&command) {
                Ok((started, ended)) if ended == Some(*code) => cost_so_far.processes = started,
                Ok((_, ended)) => *cost = Err(format!("traced, ended with {ended:?}, {code} wanted")),
                Err(error) => *cost = Err(format!("cannot be traced: {error}")),
            }
            continue;
        }
        let run: Run = cluster.run(0, programs, &call)?;
        if run.code == Some(*code) {
            cost_so_far.times.push(run.took);
            cost_so_far.opened = run.opened();
            cost_so_far.writes = run.counts.writes;
        } else {
            *cost = Err(format!("{}, {code} wanted", run.failure()));
        }
    }
    Ok(())
}

/// A machine bound over `/sys` and `/var/lib/scst`, until this is dropped.
struct Bound(Vec<&'static str>);

impl Bound {
    fn over(cluster: &Cluster) -> Result<Self, Box<dyn Error>> {
        let mut bound = Self(Vec::new());
        let node = cluster.node(0);
        for (from, to) in [(node.mount().dir(), "/sys"), (node.var_lib().as_path(), "/var/lib/scst")] {
            if Path::new(to).exists() {
                mount(Some(from), to, None::<&str>, MsFlags::MS_BIND, None::<&str>)?;
                bound.0.push(to);
            }
        }
        Ok(bound)
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        for place in &self.0 {
            if let Err(errno) = umount2(*place, MntFlags::MNT_DETACH) {
                eprintln!("{place} stays what it was for the measurement: {errno}");
            }
        }
    }
}
