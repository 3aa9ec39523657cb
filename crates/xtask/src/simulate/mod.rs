//! `cargo xtask simulate`: whole clusters in one process, running the agents' own code.
//!
//! One to four nodes, each with the simulator's kernel (`world`), live under a Pacemaker (`pacemaker`) on a clock that only the simulation
//! moves. The actions are the product's, each a coroutine that runs or waits for its turn (`stage`), and reach nothing but this
//! world (`outside`). What happens to the cluster (`events`) is drawn from a seed, so that one seed is one history. After every write and
//! at rest the invariants are looked at (`invariants`).

mod coverage;
mod ended;
mod events;
mod exhaustive;
mod faults;
mod history;
mod hosts;
mod invariants;
mod iscsi;
mod kept;
mod kernel;
mod lot;
mod mishaps;
mod moves;
mod node;
mod outside;
mod pacemaker;
mod real;
#[cfg(test)]
mod recorded;
mod reservations;
mod search;
mod shell;
mod stage;
mod stores;
mod tape;
mod task;
mod world;

use std::error::Error;
use std::num::NonZero;
use std::os::unix::process::CommandExt as _;
use std::process::ExitCode;
use std::time::Instant;

use self::history::play;
use self::kept::Kept;
use self::search::{Total, search};
use crate::workspace;

/// How far to go.
#[derive(Debug, Clone, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub(crate) struct Options {
    /// Play this one history and print it
    #[arg(long)]
    seed: Option<u64>,

    /// Of that history only these events, such as 3,7,9a, as a violation is reported with them
    #[arg(long, requires = "seed", conflicts_with = "events")]
    keep: Option<Kept>,

    /// For how long, in seconds
    #[arg(long, default_value_t = 180)]
    seconds: u64,

    /// So many histories, however long that takes
    #[arg(long, conflicts_with = "seconds")]
    histories: Option<u64>,

    /// How many events a history has
    #[arg(long, default_value_t = 40)]
    events: u64,

    /// Small spaces completely: every sequence of events, and every fault at every operation of every action
    #[arg(long, conflicts_with_all = ["seed", "seconds", "events", "from", "jobs", "real"])]
    exhaustive: bool,

    /// How many events a sequence has with --exhaustive
    #[arg(long, default_value_t = 4, requires = "exhaustive")]
    depth: usize,

    /// The first seed; by default it is made of the time
    #[arg(long)]
    from: Option<u64>,

    /// Goes on after a violation, until the time is over, and reports every one
    #[arg(long, conflicts_with_all = ["seed", "exhaustive", "real"])]
    all: bool,

    /// How many histories are played at the same time; by default as many as there are processors
    #[arg(long)]
    jobs: Option<NonZero<usize>>,

    /// Has the real binaries do every action again, on mounted machines: needs root and /dev/fuse
    #[arg(long, conflicts_with = "jobs")]
    real: bool,

    /// The binaries are built already
    #[arg(long, hide = true)]
    built: bool,

    /// This is built for speed already
    #[arg(long, hide = true)]
    fast: bool,
}

/// Plays histories until the time is over or an invariant is violated.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    if options.real {
        if let Some(reason) = workspace::cannot_mount() {
            return Err(reason.into());
        }
        if !options.built {
            workspace::build_binaries()?;
        }
    } else if !options.fast {
        return Err(faster().into());
    }
    // A violated invariant may be a panic of the product, which is reported with its history.
    std::panic::set_hook(Box::new(|panic| {
        if !generator::is_generator() {
            eprintln!("{panic}");
        }
    }));
    if options.exhaustive {
        return exhaustive::run(options.depth);
    }
    let mut total = Total::default();
    if let Some(seed) = options.seed {
        let kept = options.keep.clone().unwrap_or_else(|| Kept::first(options.events));
        let played = play(seed, &kept, options.real)?;
        played.print();
        total.take(seed, played, options.real)?;
        return Ok(total.exit());
    }
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    let first = options.from.unwrap_or(clock.as_secs());
    println!("seeds from {first}");
    let started = Instant::now();
    search(options, first, &mut total)?;
    total.print(started.elapsed());
    for (seed, kept) in &total.violated {
        let kept = kept.shortest(|fewer| play(*seed, fewer, false).map(|played| played.violation.is_some()))?;
        play(*seed, &kept, false)?.print();
        println!("again: cargo xtask simulate --seed {seed} --keep {kept}");
    }
    Ok(total.exit())
}

/// Goes on in a program that is built for speed; answers why that could not be.
fn faster() -> String {
    let mut cargo = workspace::cargo();
    cargo
        .args(["run", "--quiet", "--profile", "simulate", "--package", "xtask", "--"])
        .args(std::env::args_os().skip(1));
    format!("cargo cannot be run: {}", cargo.arg("--fast").exec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_histories_violate_no_invariant() {
        for seed in 1..=16 {
            let played = play(seed, &Kept::first(40), false).unwrap();
            assert_eq!(played.violation, None, "cargo xtask simulate --seed {seed}");
        }
    }

    #[test]
    fn one_seed_is_one_history() {
        for seed in [1, 2] {
            let play = || play(seed, &Kept::first(12), false).unwrap();
            let (once, again) = (play(), play());
            assert!(once.history.len() > 50, "{:#?}", once.history);
            assert_eq!(once.history, again.history);
            assert_eq!(once.coverage.counts, again.coverage.counts);
        }
    }
}
