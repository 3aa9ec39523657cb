//! `cargo xtask bench`: what the agents cost, against what they may cost.
//!
//! Counts do not depend on the machine, and one that misses its target makes this fail; times are told and judged in the table,
//! and fail nothing. Everything happens on mounted, simulated kernels (`node`); the chapters are one file each.

mod build;
mod call;
mod document;
mod failover;
mod floor;
mod monitor;
mod node;
mod others;
mod plan;
mod processes;
mod program;
mod size;
mod start;
mod statistics;
mod table;

use std::error::Error;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::{Args, ValueEnum};

pub(crate) use self::floor::bare as bare_writes;
pub(crate) use self::plan::large_plan;
use self::table::Chapter;
use crate::style::Style;
use crate::{mounts, release, workspace};

/// What to measure.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The chapters to measure; without any, all, and docs/benchmarks.md is written
    #[arg(value_enum)]
    chapters: Vec<Part>,
    /// Also measures the agents of the same names in this directory, on the same mount
    #[arg(long, value_name = "DIR")]
    against: Option<PathBuf>,
    /// How often each time is measured; the median is told
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Smaller configurations, and docs/benchmarks.md stays as it is
    #[arg(long)]
    quick: bool,
    /// Everything is built already, the agents are here
    #[arg(long, hide = true, value_name = "DIR")]
    agents: Option<PathBuf>,
}

/// A chapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Files, processes and instructions of monitors
    Monitor,
    /// Writes and reads of starts
    Start,
    /// How start, reload and stop grow
    Growth,
    /// Actions against a bare program that makes the same writes
    Floor,
    /// Two nodes change places
    Failover,
    /// The largest plan
    Plan,
    /// The programs' size and start-up
    Programs,
    /// Other agents, if there are any
    Others,
}

/// Builds, becomes root if need be, measures, prints, and writes the document.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    if let Some(reason) = workspace::cannot_mount() {
        return Err(reason.into());
    }
    let Some(agents) = &options.agents else {
        let agents = release::build()?;
        let mut tools = Command::new(build::tools()?);
        // On success this does not return.
        let error = tools.args(build::arguments(options, &agents)?).exec();
        return Err(format!("what measures cannot be run: {error}").into());
    };
    if !workspace::is_root() {
        let arguments = build::arguments(options, agents)?;
        return workspace::become_root(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    }
    mounts::hide()?;
    measure(options, agents)
}

fn measure(options: &Options, agents: &Path) -> Result<ExitCode, Box<dyn Error>> {
    let Options { chapters: chosen, against, runs, quick, .. } = options;
    let (runs, quick) = ((*runs).max(1), *quick);
    let mut chapters = Vec::new();
    for part in Part::value_variants() {
        if !chosen.is_empty() && !chosen.contains(part) {
            continue;
        }
        let chapter = match part {
            Part::Monitor => monitor::chapter(agents)?,
            Part::Start => start::chapter(agents, quick)?,
            Part::Growth => start::growth(agents, quick)?,
            Part::Floor => floor::chapter(agents, runs, quick)?,
            Part::Failover => failover::chapter(agents, if quick { runs } else { 4 * runs })?,
            Part::Plan => plan::chapter(runs)?,
            Part::Programs => program::chapter(agents, if quick { 20 } else { 60 } * runs)?,
            Part::Others => match against {
                Some(others) => others::chapter(agents, others, runs, quick)?,
                None => continue,
            },
        };
        println!("{chapter}");
        chapters.push(chapter);
    }
    if chosen.is_empty() && !quick {
        let mut command = format!("cargo xtask bench --runs {runs}");
        if against.is_some() {
            command.push_str(" --against DIR");
        }
        let path = workspace::root().join("docs/benchmarks.md");
        fs::write(&path, document::text(&chapters, &command)?)?;
        println!("docs/benchmarks.md is written");
    }
    Ok(judge(&chapters))
}

/// Says what is missed. Only what was counted fails.
fn judge(chapters: &[Chapter]) -> ExitCode {
    let style = Style::detect();
    let all = |of: fn(&Chapter) -> &Vec<String>| chapters.iter().flat_map(of).collect::<Vec<_>>();
    let (counts, times) = (all(|chapter| &chapter.missed.0), all(|chapter| &chapter.missed.1));
    for missed in &times {
        println!("{}", style.yellow(&format!("slower or larger than it should be: {missed}")));
    }
    for missed in &counts {
        println!("{}", style.red(&format!("not as it must be: {missed}")));
    }
    if counts.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
