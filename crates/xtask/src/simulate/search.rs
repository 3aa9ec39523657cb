//! Many histories: those that are played, what came of them, and the first that violates an invariant.

use std::collections::BTreeMap;
use std::error::Error;
use std::num::NonZero;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::coverage::Coverage;
use super::history::{Played, play};
use super::kept::Kept;
use super::{Options, real};

/// Plays histories on every processor, until it is enough or, unless all are wanted, one of them is not as it must be.
pub(super) fn search(options: &Options, first: u64, total: &mut Total) -> Result<(), Box<dyn Error>> {
    let jobs = match options.jobs {
        _ if options.real => NonZero::<usize>::MIN,
        Some(jobs) => jobs,
        None => thread::available_parallelism()?,
    };
    let end = Instant::now() + Duration::from_secs(options.seconds);
    let (next, over) = (AtomicU64::new(0), AtomicBool::new(false));
    let goes_on = |played: u64| match options.histories {
        Some(histories) => played < histories,
        None => Instant::now() < end,
    };
    thread::scope(|scope| {
        let (tell, told) = mpsc::channel();
        for _ in 0..jobs.get() {
            let (tell, next, over) = (tell.clone(), &next, &over);
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if !goes_on(number) {
                        break;
                    }
                    let seed = first + number;
                    if tell.send((seed, play(seed, &Kept::first(options.events), options.real))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(tell);
        for (seed, played) in told {
            total.take(seed, played?, options.real)?;
            over.fetch_or(!total.is_sound() && !options.all, Ordering::Relaxed);
        }
        Ok(())
    })
}

/// What came of all histories.
#[derive(Default)]
pub(super) struct Total {
    histories: u64,
    coverage: Coverage,
    /// Calls that the real binaries made again.
    real: usize,
    /// The real binaries did something else.
    differ: bool,
    /// The histories that violate an invariant, by seed, with the events that were played of them.
    pub(super) violated: BTreeMap<u64, Kept>,
}

impl Total {
    /// Takes in a history.
    pub(super) fn take(&mut self, seed: u64, played: Played, real: bool) -> Result<(), Box<dyn Error>> {
        self.histories += 1;
        if played.violation.is_some() {
            self.violated.insert(seed, Kept::first(played.events as u64));
        }
        self.coverage.add(played.coverage);
        let Some(tape) = played.tape else {
            if real {
                println!(
                    "seed {seed}: left out, a mounted machine has no daemon of iSCSI that dies and hangs with the history"
                );
            }
            return Ok(());
        };
        let (calls, differ) = real::compare(seed, &tape)?;
        self.real += calls;
        self.differ |= differ;
        Ok(())
    }

    /// No invariant is violated, and the real binaries do the same.
    fn is_sound(&self) -> bool {
        self.violated.is_empty() && !self.differ
    }

    pub(super) fn exit(&self) -> ExitCode {
        if self.is_sound() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    pub(super) fn print(&self, took: Duration) {
        self.coverage.print();
        let actions = self.coverage.counts.iter().filter(|(what, _)| what.starts_with("action"));
        let actions: u64 = actions.map(|(_, count)| count).sum();
        let took = took.as_secs_f64();
        println!("{} histories, {actions} actions in {took:.1} s", self.histories);
        if self.real > 0 {
            println!("{} calls by the real binaries", self.real);
        }
    }
}
