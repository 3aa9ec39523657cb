//! What a start asks of the kernel, and how that grows.

use std::error::Error;
use std::path::Path;
use std::process::Stdio;

use super::call::{Agent, Call};
use super::node::Cluster;
use super::size::{Size, size};
use super::statistics::Line;
use super::table::{Chapter, Row, number};

/// What a dry run says besides the steps: it is done by others than the tree.
const ELSEWHERE: [&str; 3] = ["load module ", "create directory ", "set the promotion score "];

/// Writes and reads of a start and of a second one.
pub(super) fn chapter(programs: &Path, quick: bool) -> Result<Chapter, Box<dyn Error>> {
    let mut rows = Vec::new();
    let large = if quick { size(16, 2, 8) } else { size(256, 2, 8) };
    for size in [size(1, 2, 1), size(3, 2, 16), large] {
        let cluster = Cluster::new(size)?;
        cluster.ports(0, programs)?;
        let call = Call::new(Agent::Group, "start");
        let program = programs.join(Agent::Group.program());
        let mut dry = cluster.command(0, &program, &["--dry-run", "start"], &call);
        let plan = String::from_utf8(dry.stdin(Stdio::null()).output()?.stdout)?;
        let steps = plan.lines().filter(|line| !ELSEWHERE.iter().any(|words| line.starts_with(words))).count() as u64;
        let start = cluster.succeed(0, programs, &call)?;
        let again = cluster.succeed(0, programs, &call)?;
        let reads = |run: &super::node::Run| run.opened() - run.counts.writes;
        rows.extend([
            Row::exact(format!("{size}: writes, of the plan's {} steps", number(steps)), steps, start.counts.writes),
            Row::count(format!("{size}: reads"), 2 * size.wanted(), reads(&start), ""),
            Row::exact(format!("{size}: writes of a second start"), 0, again.counts.writes),
            Row::count(format!("{size}: reads of a second start"), 2 * size.wanted(), reads(&again), ""),
        ]);
    }
    let note = "Reads are attributes, directories and links opened; the limit is twice the number of attributes, links and \
                directories that the started group consists of.";
    Ok(Chapter::new("Start", note, &rows))
}

/// An axis: its name, its sizes, and which of their numbers it is.
type Axis = (&'static str, Vec<Size>, fn(Size) -> usize);

/// How start, reload and stop grow with devices, ports and initiator groups.
pub(super) fn growth(programs: &Path, quick: bool) -> Result<Chapter, Box<dyn Error>> {
    let devices: &[usize] = if quick { &[1, 4, 16, 64] } else { &[1, 2, 4, 8, 16, 32, 64, 128, 256] };
    let groups: &[usize] = if quick { &[1, 9, 33] } else { &[1, 3, 9, 17, 33, 66, 99] };
    let axes: [Axis; 3] = [
        ("device", devices.iter().map(|count| size(*count, 2, 2)).collect(), |size| size.devices),
        ("port", (1..=8).map(|count| size(3, count, 2)).collect(), |size| size.ports),
        ("initiator group", groups.iter().map(|count| size(2, 2, *count)).collect(), |size| size.groups),
    ];
    let mut rows = Vec::new();
    for (name, sizes, number) in axes {
        let mut lives = Vec::new();
        for size in &sizes {
            lives.push(life(programs, *size)?);
        }
        for (index, (action, _)) in lives[0].iter().enumerate() {
            let points = sizes.iter().zip(&lives);
            let points = points.map(|(size, life)| (float(number(*size) as u64), float(life[index].1)));
            let line = Line::through(&points.collect::<Vec<_>>());
            let range = format!("{}…{}", number(sizes[0]), number(sizes[sizes.len() - 1]));
            rows.push(vec![
                action.to_string(),
                format!("{range} {name}s"),
                format!("{:.2}", line.slope),
                format!("{:.2}", line.intercept),
                format!("{:.2}", line.deviation),
            ]);
        }
    }
    let bent: Vec<String> =
        rows.iter().filter(|row| row[4] != "0.00").map(|row| format!("growth of {} with {}", row[0], row[1])).collect();
    let note = "Reads, writes, lists and links together, and the straight line through all sizes. The target is a line: no \
                deviation.";
    let heads = vec!["action", "over", "per one more", "with none", "largest deviation"];
    let chapter = Chapter::other("Growth", note, heads, rows);
    Ok(Chapter { missed: (bent, Vec::new()), ..chapter })
}

/// A count, small enough to be exact.
fn float(count: u64) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}

/// What is asked of the kernel in the life of both resources.
fn life(programs: &Path, size: Size) -> Result<Vec<(&'static str, u64)>, Box<dyn Error>> {
    let cluster = Cluster::new(size)?;
    let mut asked = Vec::new();
    let calls = [
        ("ports start", Call::new(Agent::Ports, "start")),
        ("group start", Call::new(Agent::Group, "start")),
        ("group promote", Call::new(Agent::Group, "promote")),
        ("group reload", Call::new(Agent::Group, "reload").changed()),
        ("group demote", Call::new(Agent::Group, "demote").changed()),
        ("group stop", Call::new(Agent::Group, "stop").changed()),
        ("ports reload", Call::new(Agent::Ports, "reload")),
        ("ports stop", Call::new(Agent::Ports, "stop")),
    ];
    for (name, call) in calls {
        asked.push((name, cluster.succeed(0, programs, &call)?.asked()));
    }
    Ok(asked)
}
