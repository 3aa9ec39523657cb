//! Actions against the floor: a bare program that makes the same writes, one after another, on the same mount.
//!
//! The writes are those that the simulator recorded of the agent's own run. The bare program opens, writes and closes; it
//! looks at nothing, checks nothing, and remembers nothing.

use std::error::Error;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use scst_sim::mount::WriteRecord;

use super::call::{Agent, Call};
use super::node::Cluster;
use super::size::{Size, size};
use super::statistics::median;
use super::table::{Chapter, Row, duration, number};
use crate::workspace;

/// What a start may take of the floor's time.
const TIMES: f64 = 1.5;

/// Actions, medians of `runs`, and the floor of each.
pub(super) fn chapter(programs: &Path, runs: usize, quick: bool) -> Result<Chapter, Box<dyn Error>> {
    let large = if quick { size(32, 2, 8) } else { size(256, 2, 8) };
    let call = |agent, action| Call::new(agent, action);
    let start = call(Agent::Group, "start");
    let promote = call(Agent::Group, "promote");
    let mut rows = Vec::new();
    for (size, before, call, targeted) in [
        (large, Vec::new(), start.clone(), true),
        (large, vec![start.clone()], promote.clone(), false),
        (large, vec![start.clone(), promote], call(Agent::Group, "demote"), false),
        (large, vec![start.clone()], call(Agent::Group, "stop"), false),
        (size(1, 2, 1), vec![], start, false),
    ] {
        let pair = measure(programs, size, &before, &call, runs)?;
        let writes = number(pair.writes as u64);
        let what = format!("{} of {size}, writes: {writes}", call.action);
        let lookups = number(pair.lookups);
        rows.push(Row::shown(format!("{what}: bare program"), format!("{}, {lookups} look-ups", duration(pair.floor))));
        let limit = pair.floor.mul_f64(TIMES);
        let own = Row::time(format!("{what}: agent"), format!("{TIMES} × bare program"), limit, pair.agent);
        let times = |agent: Duration, floor: Duration| agent.as_secs_f64() / floor.as_secs_f64();
        let (all, fastest) = (times(pair.agent, pair.floor), times(pair.fastest.0, pair.fastest.1));
        let measured = format!("{} ({all:.2} ×, fastest {fastest:.2} ×)", duration(pair.agent));
        rows.push(if targeted { Row { measured, ..own } } else { Row::shown(own.what, measured) });
    }
    let note = format!(
        "Medians of {runs} runs from a process's start to its end, each in a fresh fixture, agent and bare program by turns; \
         and how the fastest of both compare."
    );
    Ok(Chapter::new("Against the floor", &note, &rows))
}

/// Medians of an action and of its writes alone.
struct Pair {
    writes: usize,
    agent: Duration,
    floor: Duration,
    /// The shortest times of both, which other work on the machine touched least.
    fastest: (Duration, Duration),
    /// Components of paths that were looked up for the bare program.
    lookups: u64,
}

fn measure(programs: &Path, size: Size, before: &[Call], call: &Call, runs: usize) -> Result<Pair, Box<dyn Error>> {
    let (mut agent, mut floor, mut writes, mut lookups) = (Vec::new(), Vec::new(), 0, 0);
    for _ in 0..runs {
        let cluster = prepared(programs, size, before)?;
        agent.push(cluster.succeed(0, programs, call)?.took);
        let made = cluster.node(0).mount().writes();
        writes = made.len();
        let list = tempfile::NamedTempFile::new()?;
        fs::write(list.path(), as_list(&made)?)?;
        drop(cluster);
        let cluster = prepared(programs, size, before)?;
        let mut bare = Command::new(workspace::own_binary()?);
        bare.arg("bare-writes").arg(cluster.node(0).mount().dir()).arg(list.path());
        let run = cluster.node(0).run(bare)?.ended("the bare program", 0)?;
        let again = cluster.node(0).mount().writes();
        let same = |(one, other): (&WriteRecord, &WriteRecord)| {
            one.path == other.path && one.data == other.data && one.result == other.result
        };
        if again.len() != made.len() || !made.iter().zip(&again).all(same) {
            return Err(format!("the bare program's writes are not those of {} of {size}", call.action).into());
        }
        floor.push(run.took);
        lookups = run.counts.lookups;
    }
    let shortest = |times: &[Duration]| times.iter().min().copied().unwrap_or_default();
    let fastest = (shortest(&agent), shortest(&floor));
    Ok(Pair { writes, agent: median(agent), floor: median(floor), fastest, lookups })
}

/// A fixture in which these calls were made already.
fn prepared(programs: &Path, size: Size, before: &[Call]) -> Result<Cluster, Box<dyn Error>> {
    let cluster = Cluster::new(size)?;
    cluster.ports(0, programs)?;
    for call in before {
        cluster.succeed(0, programs, call)?;
    }
    Ok(cluster)
}

/// The writes as the bare program reads them: paths and texts, with a zero byte after each.
fn as_list(writes: &[WriteRecord]) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut list = Vec::new();
    for write in writes {
        if !matches!(write.result, Some(Ok(_))) || write.data.contains(&0) {
            return Err(format!("a write to {} was not simply taken", write.path.escape_ascii()).into());
        }
        for part in [&write.path, &write.data] {
            list.extend_from_slice(part);
            list.push(0);
        }
    }
    Ok(list)
}

/// The bare program.
pub(crate) fn bare(root: &Path, list: &Path) -> Result<ExitCode, Box<dyn Error>> {
    let list = fs::read(list)?;
    let mut parts = list.split(|byte| *byte == 0);
    while let (Some(path), Some(data)) = (parts.next(), parts.next()) {
        let path: PathBuf = root.join(std::ffi::OsStr::from_bytes(path));
        // One write(2): a command that was written in part would be two.
        let written = OpenOptions::new().write(true).open(&path)?.write(data)?;
        if written != data.len() {
            return Err(format!("{} took {written} of {} bytes", path.display(), data.len()).into());
        }
    }
    Ok(ExitCode::SUCCESS)
}
