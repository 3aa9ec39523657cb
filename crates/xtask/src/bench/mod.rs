//! `cargo xtask bench`: what the agents cost. It reports and judges nothing: what must hold on every machine, counts, is held by
//! `tests/budgets.rs`.

mod bare;
mod call;
mod measurements;
mod node;
mod plan;
mod processes;
mod size;
mod table;

use std::error::Error;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::Args;
use clap::builder::PossibleValuesParser;

pub(crate) use self::bare::writes as bare_writes;
pub(crate) use self::plan::large_plan;
use self::table::{Rows, table};
use crate::{metadata, mounts, release, workspace};

/// The document, which holds the tables between marks.
const DOCUMENT: &str = "docs/benchmarks.md";

/// One thing that is measured, and its table.
struct Measurement {
    name: &'static str,
    title: &'static str,
    note: &'static str,
    heads: &'static [&'static str],
    /// Of the programs in a directory, so many times.
    rows: fn(&Path, usize) -> Rows,
}

const MEASUREMENTS: [Measurement; 5] = [
    Measurement {
        name: "monitor",
        title: "Monitor",
        note: "A recurring monitor of level 0: kernel files (attributes, directories, links) that it opens, writes, processes that it starts.",
        heads: &["monitor", "size", "files", "writes", "processes", "time"],
        rows: measurements::monitor,
    },
    Measurement {
        name: "actions",
        title: "Actions against a bare writer",
        note: "The device group's agent, from the start of its process to its end, and a bare program that makes the same writes and nothing else.",
        heads: &["action", "size", "writes", "reads", "agent", "bare writer", "times bare"],
        rows: measurements::actions,
    },
    Measurement {
        name: "failover",
        title: "Fail-over",
        note: "Two nodes change places; no command is pending in the devices. Writes are those of all calls on a node, notifications included. \
               The last column adds up all calls of both nodes, which a cluster makes side by side.",
        heads: &["size", "writes, leaving", "writes, taking over", "pre-demote, demote", "promote", "all calls"],
        rows: measurements::failover,
    },
    Measurement {
        name: "plan",
        title: "The largest plan",
        note: "All that the agents can number, in scst-core alone: from nothing to everything, and where everything is there. The memory is the \
               most that the process had: wanted state, found state and plan.",
        heads: &["size", "LUNs", "steps", "time", "steps, nothing to do", "time, nothing to do", "memory"],
        rows: plan::rows,
    },
    Measurement {
        name: "programs",
        title: "Programs",
        note: "Static and stripped; from start to end of a process that prints its meta-data, or its version, to nowhere.",
        heads: &["program", "bytes", "start-up", "/bin/true"],
        rows: measurements::programs,
    },
];

/// What to measure.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// What to measure; without any, everything, and the tables of docs/benchmarks.md are written anew
    #[arg(value_parser = PossibleValuesParser::new(MEASUREMENTS.map(|measurement| measurement.name)))]
    measurements: Vec<String>,
    /// How often each time is measured at the least; the median is reported
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Everything is built already, the agents are here
    #[arg(long, hide = true, value_name = "DIR")]
    agents: Option<PathBuf>,
}

/// Builds, becomes root if need be, measures and prints.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    if let Some(reason) = workspace::cannot_mount() {
        return Err(reason.into());
    }
    let Some(agents) = &options.agents else {
        let agents = release::build()?;
        let mut measures = Command::new(tools()?);
        measures.arg("bench").args(&options.measurements).arg("--runs").arg(options.runs.to_string());
        // On success this does not return.
        let error = measures.arg("--agents").arg(agents).exec();
        return Err(format!("what measures cannot be run: {error}").into());
    };
    if !workspace::is_root() {
        let own: Vec<String> = std::env::args().skip(1).collect();
        return workspace::become_root(&own.iter().map(String::as_str).collect::<Vec<_>>());
    }
    mounts::hide()?;
    let (runs, load) = (options.runs.max(1), load()?);
    let mut tables = String::new();
    for Measurement { name, title, note, heads, rows } in MEASUREMENTS {
        if options.measurements.is_empty() || options.measurements.iter().any(|chosen| chosen == name) {
            let text = format!("\n## {title}\n\n{note}\n\n{}", table(heads, &rows(agents, runs)?));
            print!("{text}");
            tables.push_str(&text);
        }
    }
    if options.measurements.is_empty() {
        let file = workspace::root().join(DOCUMENT);
        let circumstances = table(&["measured", "on"], &circumstances(runs, &load)?);
        let text = format!("{circumstances}{tables}");
        let text = metadata::between(&fs::read_to_string(&file)?, DOCUMENT, "tables", "bench", &text)?;
        fs::write(&file, text)?;
        println!("\n{DOCUMENT} is written");
    }
    Ok(ExitCode::SUCCESS)
}

/// Builds this program and the simulator for release, in a directory apart; answers the program.
///
/// They have no need of the optimisation across crates that the agents get, and take minutes with it.
fn tools() -> Result<PathBuf, Box<dyn Error>> {
    let directory = workspace::target_directory()?.join("bench");
    let mut cargo = workspace::cargo();
    cargo.args(["build", "--release", "--package", "xtask", "--package", "scst-sim", "--bins", "--target-dir"]);
    cargo.arg(&directory).env("CARGO_PROFILE_RELEASE_LTO", "off").env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
    let status = cargo.status().map_err(|error| format!("cargo cannot be run: {error}"))?;
    if status.success() {
        return Ok(directory.join("release/xtask"));
    }
    Err(format!("cargo build ended with {status}").into())
}

/// Where and how it was measured.
fn circumstances(runs: usize, load_before: &str) -> Rows {
    let info = fs::read_to_string("/proc/cpuinfo")?;
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let processors = std::thread::available_parallelism()?;
    // This program may have changed since without a difference to the numbers.
    let git = |words: &[&str]| said("git", &[words, &["agents", "crates/scst-core", "crates/scst-sim"]].concat());
    let changes = if git(&["status", "--porcelain", "--"]).is_empty() { "" } else { " with changes" };
    let row = |what: &str, value: String| vec![what.to_owned(), value];
    Ok(vec![
        row("machine", format!("{processors} × {}", model.map_or("an unnamed processor", |(_, model)| model))),
        row("kernel", said("uname", &["-sr"])),
        row("load", format!("{load_before} before, {} after (of one minute; what measures is part of it)", load()?)),
        row("commit", format!("{}{changes}, the last of what is measured", git(&["log", "-1", "--format=%h", "--"]))),
        row("compiler", said("rustc", &["--version"])),
        row("SCST", "3.11.0-pre, simulated".to_owned()),
        row("times", format!("medians of at least {runs} runs")),
    ])
}

fn load() -> Result<String, Box<dyn Error>> {
    Ok(fs::read_to_string("/proc/loadavg")?.split(' ').next().unwrap_or_default().to_owned())
}

/// The first line that a program prints of the repository; empty without one.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(workspace::root()).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().next().unwrap_or_default().to_owned()
}
