//! `cargo xtask faults`: every action, every kernel operation in it, everything that can go wrong there.
//!
//! Each action is first carried out undisturbed, which tells its operations. Then it is carried out once for each of them and each
//! trouble, and everything that must hold afterwards is checked: the exit code and reason are true, the next monitor tells the
//! truth, a stop leaves nothing, a start gives the same picture as ever, the action repeated reaches its aim, and what
//! belongs to others is untouched.

mod case;
mod story;
mod trouble;
mod truth;
mod world;

use std::collections::BTreeMap;
use std::error::Error;
use std::io;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use clap::Args;
use scst_sim::faults::Op;

use self::case::{Bench, Case};
use self::story::{STORIES, Story};
use self::trouble::Trouble;
use crate::workspace;

/// What to try.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Only the writes, and of the troubles only four: what CI has time for
    #[arg(long)]
    quick: bool,
    /// Only cases whose name holds this, such as "demote: hang" or a whole name from a list of failures; may be repeated, all must match
    #[arg(long)]
    only: Vec<String>,
    /// How many cases at the same time; eight times as many where something hangs, because those wait most of the time
    #[arg(long, default_value_t = 6)]
    workers: usize,
    /// The binaries are built already
    #[arg(long, hide = true)]
    built: bool,
}

/// The troubles of the subset.
const QUICK: [Trouble; 4] =
    [Trouble::Once(nix::errno::Errno::EIO), Trouble::QueuedFails, Trouble::KilledAfter, Trouble::Terminated];

/// Tries everything and prints a table.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    if let Some(reason) = workspace::cannot_mount() {
        return Err(reason.into());
    }
    if !options.built {
        workspace::build_binaries()?;
    }
    let began = Instant::now();
    let cases = cases(options)?;
    println!("{} cases", cases.len());
    let (slow, quick): (Vec<Case>, Vec<Case>) = cases.iter().cloned().partition(|case| case.trouble == Trouble::Hang);
    let workers = options.workers.max(1);
    let mut failures = try_all(&quick, workers);
    failures.extend(try_all(&slow, 8 * workers));
    print_table(&cases, &failures);
    println!("{} cases, {} failed, {:.0} s", cases.len(), failures.len(), began.elapsed().as_secs_f64());
    Ok(if failures.is_empty() && !cases.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// All cases that were asked for, found out by carrying each action out undisturbed.
fn cases(options: &Options) -> io::Result<Vec<Case>> {
    let mut cases = Vec::new();
    let mut bench: Option<Bench> = None;
    for story in STORIES {
        let mut own = match bench.take() {
            Some(bench) if bench.agent() == story.agent => bench,
            _ => Bench::new(story.agent)?,
        };
        let spots = own.trace(story)?;
        println!("{:16} {:4} operations", story.name, spots.len());
        for spot in spots {
            let troubles = Trouble::ALL.into_iter().filter(|trouble| trouble.concerns(spot.op));
            let wanted = |trouble: &Trouble| !options.quick || (spot.op == Op::Write && QUICK.contains(trouble));
            let all = troubles.filter(wanted).map(|trouble| Case { story, spot: spot.clone(), trouble });
            cases.extend(all.filter(|case| {
                let name = case.to_string();
                options.only.iter().all(|part| name.contains(part))
            }));
        }
        bench = Some(own);
    }
    Ok(cases)
}

/// Tries cases side by side.
fn try_all(cases: &[Case], workers: usize) -> Vec<&Case> {
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let failures = Mutex::new(Vec::new());
    let work = || {
        let mut bench = None;
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            let wrong = attempt(&mut bench, case);
            let mut failures = failures.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(wrong) = wrong {
                println!("\ncargo xtask faults --only '{case}'\n    {}", wrong.trim_end().replace('\n', "\n    "));
                failures.push(case);
            }
            let done = done.fetch_add(1, Ordering::Relaxed) + 1;
            if done.is_multiple_of(100) || done == cases.len() {
                println!("{done} of {} cases, {} failed", cases.len(), failures.len());
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..workers.min(cases.len()) {
            scope.spawn(work);
        }
    });
    failures.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// One case; answers what is wrong. A world in which something went wrong is not used again.
fn attempt(bench: &mut Option<Bench>, case: &Case) -> Option<String> {
    let result = match bench.take() {
        Some(bench) if bench.agent() == case.story.agent => Ok(bench),
        _ => Bench::new(case.story.agent),
    };
    let outcome = result.and_then(|mut own| {
        let wrong = own.carry_out(case)?;
        if wrong.is_empty() {
            *bench = Some(own);
        }
        Ok(wrong)
    });
    match outcome {
        Ok(wrong) => (!wrong.is_empty()).then(|| wrong.join("\n")),
        Err(error) => Some(error.to_string()),
    }
}

/// Actions down, troubles across: cases, and failures where there are any.
fn print_table(cases: &[Case], failures: &[&Case]) {
    let count = |cases: &mut dyn Iterator<Item = &Case>| {
        let mut counts: BTreeMap<(&str, String), usize> = BTreeMap::new();
        for case in cases {
            *counts.entry((case.story.name, case.trouble.to_string())).or_default() += 1;
        }
        counts
    };
    let (all, failed) = (count(&mut cases.iter()), count(&mut failures.iter().copied()));
    print!("\n{:16}", "");
    for trouble in Trouble::ALL {
        print!(" {trouble:>12}");
    }
    println!();
    for Story { name, .. } in STORIES {
        print!("{name:16}");
        for trouble in Trouble::ALL {
            let key = (*name, trouble.to_string());
            let text = match (all.get(&key), failed.get(&key)) {
                (None, _) => "-".to_owned(),
                (Some(all), None) => all.to_string(),
                (Some(all), Some(failed)) => format!("{failed}!/{all}"),
            };
            print!(" {text:>12}");
        }
        println!();
    }
}
