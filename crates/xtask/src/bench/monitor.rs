//! What monitors cost: files, processes, instructions.

use std::error::Error;
use std::fs;
use std::path::Path;

use super::call::{Agent, Call};
use super::node::Cluster;
use super::processes;
use super::size::{Size, size};
use super::table::{Chapter, Row};
use crate::workspace;

/// Few and many LUNs and initiator groups, few and many devices and ports.
const SIZES: [Size; 4] = [size(1, 1, 1), size(3, 2, 16), size(16, 2, 2), size(64, 4, 2)];

/// What a monitor may make the processor do.
const INSTRUCTIONS: u64 = 1_500_000;

/// The monitors of every size.
pub(super) fn chapter(programs: &Path) -> Result<Chapter, Box<dyn Error>> {
    let mut rows = Vec::new();
    for size in SIZES {
        let cluster = Cluster::new(size)?;
        cluster.ports(0, programs)?;
        cluster.succeed(0, programs, &Call::new(Agent::Group, "start"))?;
        let ports = size.ports as u64;
        rows.extend(monitor(&cluster, programs, Agent::Ports, &format!("ports, {size}"), 3 * ports + 4, 0)?);
        rows.extend(monitor(&cluster, programs, Agent::Group, &format!("standby, {size}"), 8, 0)?);
        cluster.succeed(0, programs, &Call::new(Agent::Group, "promote"))?;
        let budget = 8 + size.devices as u64;
        rows.extend(monitor(&cluster, programs, Agent::Group, &format!("promoted, {size}"), budget, 8)?);
    }
    let note = "Kernel files (attributes, directories, links) opened, processes started and instructions spent by a \
                monitor of level 0.";
    Ok(Chapter::new("Monitor", note, &rows))
}

fn monitor(
    cluster: &Cluster,
    programs: &Path,
    agent: Agent,
    what: &str,
    budget: u64,
    code: i32,
) -> Result<Vec<Row>, Box<dyn Error>> {
    let call = Call::new(agent, "monitor");
    let run = cluster.run(0, programs, &call)?.ended(what, code)?;
    let program = programs.join(agent.program());
    let (started, ended) = processes::count(&cluster.command(0, &program, &["monitor"], &call))?;
    if ended != Some(code) {
        return Err(format!("{what}, traced, ended with {ended:?}").into());
    }
    let mut rows = vec![
        Row::count(format!("{what}: files"), budget, run.opened(), ""),
        Row::exact(format!("{what}: writes"), 0, run.counts.writes),
        Row::exact(format!("{what}: processes"), 0, started),
    ];
    let what = format!("{what}: instructions");
    rows.push(match instructions(cluster, &program, &call, code)? {
        // Threads that wait for each other do not do so equally long each time.
        Ok(count) => Row::count(what, INSTRUCTIONS, count, "").uncounted(),
        Err(reason) => Row::shown(what, reason),
    });
    Ok(rows)
}

/// The instructions of a call, or why there is no number.
fn instructions(
    cluster: &Cluster,
    program: &Path,
    call: &Call,
    code: i32,
) -> Result<Result<u64, String>, Box<dyn Error>> {
    if !workspace::has_program("valgrind") {
        return Ok(Err("there is no valgrind".to_owned()));
    }
    let profile = tempfile::NamedTempFile::new()?;
    let file = format!("--callgrind-out-file={}", profile.path().display());
    let program = program.to_string_lossy();
    let arguments = ["--quiet", "--tool=callgrind", &file, &program, call.verb()];
    let run = cluster.node(0).run(cluster.command(0, Path::new("valgrind"), &arguments, call))?;
    if run.code != Some(code) {
        return Ok(Err(format!("valgrind {}", run.failure())));
    }
    let text = fs::read_to_string(profile.path())?;
    let count = text.lines().find_map(|line| line.strip_prefix("summary: ").or_else(|| line.strip_prefix("totals: ")));
    match count.and_then(|count| count.trim().parse().ok()) {
        Some(count) => Ok(Ok(count)),
        None => Ok(Err("callgrind tells no sum".to_owned())),
    }
}
