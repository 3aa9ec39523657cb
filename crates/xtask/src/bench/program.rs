//! The programs themselves: how large they are, and how long they take to begin.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::call::Agent;
use super::statistics::median;
use super::table::{Chapter, Row, duration, number};

/// What comes on top of one and a half times `/bin/true`.
const MORE: Duration = Duration::from_micros(500);

/// The chapter, medians of `runs`.
pub(super) fn chapter(programs: &Path, runs: usize) -> Result<Chapter, Box<dyn Error>> {
    let mut rows = Vec::new();
    for agent in Agent::ALL {
        let program = agent.program();
        let bytes = fs::metadata(programs.join(program))?.len();
        rows.push(Row::shown(format!("{program}: bytes"), number(bytes)));
        let (mut own, mut other) = (Vec::new(), Vec::new());
        // By turns, so that what else the machine does meets both.
        for _ in 0..runs {
            own.push(once(&programs.join(program), &["meta-data"])?);
            other.push(once(Path::new("/bin/true"), &[])?);
        }
        let (own, other) = (median(own), median(other));
        let target = format!("1.5 × {} + 0.5 ms", duration(other));
        rows.push(Row::time(format!("{program}: meta-data"), target, other.mul_f64(1.5) + MORE, own));
    }
    let runs = number(runs as u64);
    let note = format!("Static and stripped; from start to end of a process, medians of {runs}, against /bin/true.");
    Ok(Chapter::new("Programs", &note, &rows))
}

/// How long a program takes that prints to nowhere.
fn once(program: &Path, arguments: &[&str]) -> Result<Duration, Box<dyn Error>> {
    let mut command = Command::new(program);
    command.args(arguments).env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let began = Instant::now();
    let status = command.status()?;
    let took = began.elapsed();
    if status.success() { Ok(took) } else { Err(format!("{} ended with {status}", program.display()).into()) }
}
