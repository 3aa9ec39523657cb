//! `cargo xtask cluster`: the agents under a real Pacemaker, each node with its own simulated SCST.
//!
//! The scenarios are grouped in chapters; a chapter is one cluster, which its scenarios use one after the other. Each chapter is a process of its own in
//! its own namespaces (`rig`), some side by side. `running`, `administrator` and `config` are what a scenario works with, `status`, `history` and `runs` what the cluster
//! says and does, `view` and `states` what the kernels show and must show. Every scenario ends the same way: nothing failed, and the right view on every node.

mod administrator;
mod chapter;
mod config;
mod history;
mod measure;
pub(crate) mod ocf_tester;
mod rig;
mod running;
mod runs;
mod scenarios;
mod states;
mod status;
mod view;

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::process::{ExitCode, Stdio};
use std::sync::Mutex;
use std::time::Instant;

use clap::Args;

use self::chapter::Chapter;
use self::scenarios::CHAPTERS;
use crate::check::{Part, packages};
use crate::style::{GREEN, RED, Style};
use crate::workspace;

/// Chapters that run side by side: most of their time is Pacemaker's waiting.
const SIDE_BY_SIDE: usize = 2;

/// What to run.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Options {
    /// Only scenarios whose name, with that of the chapter, contains this
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
    /// Prints the names of the scenarios and runs none
    #[arg(long)]
    list: bool,
    /// Runs them on this release of Debian, 12 or 13; another than this machine's is made once, by debootstrap, in the target directory
    #[arg(long, value_name = "NUMBER", value_parser = ["12", "13"])]
    debian: Option<String>,
    /// Measures failovers instead, each way so many times, with agents built for release
    #[arg(long, value_name = "RUNS", num_args = 0..=1, default_missing_value = "11")]
    measure: Option<usize>,
    /// The binaries are built already
    #[arg(long, hide = true)]
    built: bool,
    /// The directory of the agents to measure
    #[arg(long, hide = true)]
    agents: Option<String>,
    /// A chapter, run by the first process of new namespaces
    #[arg(long, hide = true)]
    chapter: Option<String>,
    /// A node, booted by the first process of new namespaces
    #[arg(long, hide = true, requires = "address")]
    node: Option<String>,
    /// The node's address
    #[arg(long, hide = true)]
    address: Option<String>,
}

/// Runs the scenarios, or, called by itself, one chapter or one node.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    if let (Some(node), Some(address)) = (&options.node, &options.address) {
        rig::boot::boot(node, address)?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(name) = &options.chapter {
        options.debian.as_deref().map_or(Ok(()), rig::enter)?;
        rig::enclose()?;
        return match &options.agents {
            Some(agents) => measure::measure(agents, name.parse()?),
            None => scenarios::named(name)?.play(&options.only),
        };
    }
    if let Some(runs) = options.measure {
        return measured(options, runs.max(1));
    }
    let chosen: Vec<(&Chapter, usize)> = CHAPTERS
        .iter()
        .map(|chapter| (chapter, chapter.chosen(&options.only).len()))
        .filter(|(_, count)| *count > 0)
        .collect();
    if options.list {
        for (chapter, _) in &chosen {
            for (name, _) in chapter.chosen(&options.only) {
                println!("{}: {name}", chapter.name);
            }
        }
        return Ok(ExitCode::SUCCESS);
    }
    if chosen.is_empty() {
        return Err(format!("no scenario is called {:?}", options.only).into());
    }
    if let Some(reason) = workspace::cannot_mount() {
        return Err(reason.into());
    }
    if !options.built {
        workspace::build_binaries()?;
    }
    if !workspace::is_root() {
        return workspace::become_root(&options.words(&["--built", "--only", &options.only]));
    }
    options.provide()?;
    Ok(play(&chosen, options))
}

impl Options {
    /// A call of this command with these arguments on the same release.
    fn words<'a>(&'a self, further: &[&'a str]) -> Vec<&'a str> {
        let release = self.debian.iter().flat_map(|number| ["--debian", number]);
        std::iter::once("cluster").chain(release).chain(further.iter().copied()).collect()
    }

    /// Makes the release that was asked for.
    fn provide(&self) -> Result<(), Box<dyn Error>> {
        let packages = packages::of(Part::Cluster);
        self.debian.as_ref().map_or(Ok(()), |number| rig::provide(number, &packages))
    }
}

/// Builds for release and measures. Root only: what is built belongs to whoever asked.
fn measured(options: &Options, runs: usize) -> Result<ExitCode, Box<dyn Error>> {
    if !workspace::is_root() {
        return Err("measuring needs root".into());
    }
    options.provide()?;
    workspace::build_binaries()?;
    let agents = crate::release::build()?;
    let agents = agents.to_str().ok_or("the directory of the build is not text")?;
    let runs = runs.to_string();
    let mut inside = rig::enclosed(&options.words(&["--chapter", &runs, "--agents", agents]))?.spawn()?;
    // Taken, or waiting would close it, which ends the other side.
    let _alive = inside.stdin.take();
    Ok(if inside.wait()?.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Plays the chapters and prints what came of them.
fn play(chosen: &[(&Chapter, usize)], options: &Options) -> ExitCode {
    let started = Instant::now();
    let left = Mutex::new(chosen.iter());
    let tally = Mutex::new((0, 0));
    let total: usize = chosen.iter().map(|(_, count)| count).sum();
    println!("running {total} scenarios");
    std::thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE.min(chosen.len()) {
            scope.spawn(|| {
                loop {
                    let next = left.lock().ok().and_then(|mut left| left.next());
                    let Some((chapter, count)) = next else { break };
                    let passed = run_chapter(chapter, options).unwrap_or_else(|error| {
                        println!("{}: {error}", chapter.name);
                        0
                    });
                    if let Ok(mut tally) = tally.lock() {
                        tally.0 += passed;
                        // A scenario that was not told to its end has failed.
                        tally.1 += count.saturating_sub(passed);
                    }
                }
            });
        }
    });
    let (passed, failed) = tally.into_inner().unwrap_or((0, total));
    let word = if failed == 0 { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {word}. {passed} passed; {failed} failed; finished in {:.0} s",
        started.elapsed().as_secs_f64()
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs a chapter in new namespaces; how many of its scenarios passed.
fn run_chapter(chapter: &Chapter, options: &Options) -> Result<usize, Box<dyn Error>> {
    let style = Style::detect();
    let mut child = rig::enclosed(&options.words(&["--chapter", chapter.name, "--only", &options.only]))?
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("unshare cannot be run: {error}"))?;
    let mut passed = 0;
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).lines() {
            let line = line?;
            let line = if let Some(scenario) = line.strip_prefix(chapter::PASSED) {
                passed += 1;
                format!("{} {scenario}", style.paint(GREEN, "ok"))
            } else if let Some(scenario) = line.strip_prefix(chapter::FAILED) {
                format!("{} {scenario}", style.paint(RED, "FAILED"))
            } else {
                line
            };
            println!("{:<12} {line}", chapter.name);
        }
    }
    child.wait()?;
    Ok(passed)
}
