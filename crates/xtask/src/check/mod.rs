//! `cargo xtask test`: everything that CI runs, part by part, the search beside the cluster, ending at the first part that fails.

pub(crate) mod packages;
mod part;
mod run;

use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Instant;

use clap::{Args, ValueEnum};

pub(crate) use self::part::Part;
use self::run::{Beside, Tally};
use crate::style::{BOLD, RED, Style};
use crate::{dist, workspace};

/// What to run.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The parts to run; without any, all
    #[arg(value_enum)]
    parts: Vec<Part>,
    /// Leaves out what mounts, needs packages or takes minutes: mount, real, demo, package, e2e, metadata, search, cluster
    #[arg(long, conflicts_with = "parts")]
    fast: bool,
    /// Never installs a package, even if one is missing
    #[arg(long)]
    no_install: bool,
}

/// Runs the parts that were asked for.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    let style = Style::detect();
    let chosen = |part: &Part| match options.parts.as_slice() {
        [] => !options.fast || (part.is_light() && *part != Part::Search),
        parts => parts.contains(part),
    };
    let parts: Vec<Part> = Part::value_variants().iter().copied().filter(chosen).collect();
    if parts.iter().any(|part| !part.is_light()) {
        if let Some(reason) = workspace::cannot_mount() {
            return Err(reason.into());
        }
        if !workspace::is_root() && !workspace::has_program("sudo") {
            return Err("mounting needs root, and there is no sudo: run this as root, or with --fast".into());
        }
    }
    if !options.no_install {
        packages::install(&parts)?;
    }
    let mut tally = Tally::default();
    let mut times = Vec::new();
    let mut failed = None;
    let mut beside = None;
    for part in parts.iter().copied() {
        println!("\n{}", style.paint(BOLD, &format!("== {}", part.name())));
        let started = Instant::now();
        if part == Part::Search && parts.contains(&Part::Cluster) {
            println!("goes on beside the next part");
            beside = Some(Beside::start(search()?)?);
            continue;
        }
        let right = run_part(part, &mut tally)?;
        times.push(format!("{} {:.0} s", part.name(), started.elapsed().as_secs_f64()));
        if !right {
            failed = Some(part);
            break;
        }
    }
    if let Some(beside) = beside.filter(|_| failed.is_none()) {
        println!("\n{}", style.paint(BOLD, &format!("== {}, to its end", Part::Search.name())));
        let started = Instant::now();
        failed = (!beside.finish(&mut tally)?).then_some(Part::Search);
        times.push(format!("{} {:.0} s more", Part::Search.name(), started.elapsed().as_secs_f64()));
    }
    println!("\n{}", times.join(", "));
    if let Some(part) = failed {
        println!("{}", style.paint(RED, &format!("part {} failed", part.name())));
        // A part without tests that fails counts as one that did.
        tally.failed = tally.failed.max(1);
    }
    println!("{} passed, {} failed", tally.passed, tally.failed);
    Ok(if failed.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn run_part(part: Part, tally: &mut Tally) -> Result<bool, Box<dyn Error>> {
    let mut run = |command: Command| tally.run(command);
    match part {
        Part::Format => run(cargo(&["fmt", "--all", "--check"])),
        Part::Clippy => run(cargo(&["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"])),
        Part::Unit => {
            Ok(run(cargo(&["test", "--workspace", "--lib", "--bins"]))?
                && run(cargo(&["test", "--workspace", "--doc"]))?)
        }
        Part::Replay => replay(tally, &[]),
        Part::Mount => replay(tally, &["--mount"]),
        Part::Simulate => itself(&["simulate", "--from", "1", "--histories", "300"], tally),
        Part::Real => itself_as_root(
            &["simulate", "--real", "--built", "--from", "13", "--histories", "4", "--events", "6"],
            tally,
        ),
        Part::Demo => Ok(itself(&["demo"], tally)? && itself(&["demo", "iscsi"], tally)?),
        // Only root can install it; what makes it stays the caller's.
        Part::Package => {
            dist::Format::Deb.tool()?;
            itself_as_root(&["dist", "--quick"], tally)
        }
        Part::Search => run(search()?),
        Part::Cluster => Ok(itself(&["cluster"], tally)? && itself(&["ocf-tester", "--check"], tally)?),
        Part::E2e => run(as_root(cargo(&["test", "--workspace", "--test", "*", "--", "--skip", "metadata::"]))?),
        Part::Metadata => run(as_root(cargo(&["test", "--workspace", "--test", "e2e", "metadata::"]))?),
    }
}

/// Runs another of these commands, in a process of its own.
fn itself(arguments: &[&str], tally: &mut Tally) -> Result<bool, Box<dyn Error>> {
    workspace::build_binaries()?;
    let mut itself = Command::new(std::env::current_exe()?);
    itself.args(arguments).arg("--built");
    tally.run(itself)
}

/// The first seed of the search where no repository tells the commit.
const WITHOUT_REPOSITORY: u64 = 2_337_113_000;

/// Histories that no other commit plays, and each run of this one the same.
fn search() -> Result<Command, Box<dyn Error>> {
    let mut command = Command::new("nice");
    command.args(["-n", "19"]).arg(std::env::current_exe()?).args(["simulate", "--jobs", "1", "--seconds", "180"]);
    let tree = Command::new("git").args(["rev-parse", "HEAD^{tree}"]).current_dir(workspace::root()).output();
    let tree = tree.ok().and_then(|output| String::from_utf8(output.stdout).ok()).unwrap_or_default();
    let digits = tree.get(..8).and_then(|digits| u64::from_str_radix(digits, 16).ok());
    command.args(["--from", &digits.unwrap_or(WITHOUT_REPOSITORY).to_string()]);
    Ok(command)
}

/// Runs another of these commands as root.
fn itself_as_root(arguments: &[&str], tally: &mut Tally) -> Result<bool, Box<dyn Error>> {
    workspace::build_binaries()?;
    let itself = std::env::current_exe()?;
    let mut command = Command::new(if workspace::is_root() { itself.as_os_str() } else { "sudo".as_ref() });
    if !workspace::is_root() {
        // sudo has a search path of its own, whatever it preserves; packages need Cargo's.
        let path = std::env::var("PATH").unwrap_or_default();
        command.args(["--preserve-env", "env", &format!("PATH={path}")]).arg(&itself);
    }
    command.args(arguments);
    tally.run(command)
}

fn cargo(arguments: &[&str]) -> Command {
    let mut command = workspace::cargo();
    command.args(arguments);
    command
}

/// Lets Cargo run the tests it built as root; what is built stays the caller's.
fn as_root(mut command: Command) -> Result<Command, Box<dyn Error>> {
    if !workspace::is_root() {
        // The scenarios build the simulator themselves. Built before, they find nothing to do, and root leaves no file behind.
        let simulator = cargo(&["build", "--quiet", "--package", "scst-sim", "--bin", "scst-sim"]).status()?;
        if !simulator.success() {
            return Err("the simulator cannot be built".into());
        }
        let triple = workspace::host_triple()?.to_uppercase().replace('-', "_");
        // sudo has a search path of its own, whatever it preserves; the scenarios need Cargo's.
        let path = std::env::var("PATH").unwrap_or_default();
        command.env(format!("CARGO_TARGET_{triple}_RUNNER"), format!("sudo --preserve-env env PATH={path}"));
    }
    Ok(command)
}

/// Plays all recordings, of both releases.
fn replay(tally: &mut Tally, options: &[&str]) -> Result<bool, Box<dyn Error>> {
    workspace::build_binaries()?;
    let simulator = workspace::binary("scst-sim")?;
    let mounts = !options.is_empty();
    let mut command = if mounts && !workspace::is_root() {
        let mut sudo = Command::new("sudo");
        sudo.arg(simulator);
        sudo
    } else {
        Command::new(simulator)
    };
    let root = workspace::root();
    command.current_dir(&root).arg("replay").args(options);
    for directory in ["tests/data/recordings", "tests/data/recordings/3.7"] {
        for name in recordings(&root.join(directory))? {
            // Relative, so that the output says no more than a reader needs.
            command.arg(Path::new(directory).join(name));
        }
    }
    tally.run(command)
}

/// The names of the recordings in a directory, in their order.
fn recordings(directory: &Path) -> Result<Vec<OsString>, Box<dyn Error>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        if Path::new(&name).extension().is_some_and(|extension| extension == "jsonl") {
            names.push(name);
        }
    }
    names.sort();
    if names.is_empty() {
        return Err(format!("there is no recording in {}", directory.display()).into());
    }
    Ok(names)
}
