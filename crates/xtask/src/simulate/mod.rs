//! `cargo xtask simulate`: whole clusters in one process, running the agents' own code.
//!
//! One to four nodes, each with the simulator's kernel (`world`), live under a Pacemaker (`pacemaker`) on a clock that only the simulation
//! moves. The actions are the product's, each in a thread of which one runs at a time (`stage`), and reach nothing but this
//! world (`outside`). What happens to the cluster (`events`) is drawn from a seed, so that one seed is one history. After every write and
//! at rest the invariants are looked at (`invariants`).

mod events;
mod exhaustive;
mod faults;
mod hosts;
mod invariants;
mod lot;
mod node;
mod outside;
mod pacemaker;
#[cfg(test)]
mod recorded;
mod stage;
mod stores;
mod world;

use std::collections::BTreeMap;
use std::error::Error;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use scst_sim::model::ScstVersion;

use self::lot::Lot;
use self::pacemaker::Cluster;
use self::stage::Stage;
use self::stores::Layer;
use self::world::World;

/// How far to go.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// Play this one history and print it
    #[arg(long)]
    seed: Option<u64>,

    /// For how long, in seconds
    #[arg(long, default_value_t = 180)]
    seconds: u64,

    /// So many histories, however long that takes
    #[arg(long, conflicts_with = "seconds")]
    histories: Option<u64>,

    /// How many events a history has
    #[arg(long, default_value_t = 40)]
    events: usize,

    /// Every fault at every operation of every action, one at a time, in a small cluster
    #[arg(long, conflicts_with_all = ["seed", "seconds", "events", "from"])]
    exhaustive: bool,

    /// The first seed; by default it is made of the time
    #[arg(long)]
    from: Option<u64>,

    /// The binaries are built already
    #[arg(long, hide = true)]
    built: bool,
}

/// One history, played.
struct Played {
    violation: Option<String>,
    history: Vec<String>,
    counts: BTreeMap<String, u64>,
}

/// Plays histories until the time is over or an invariant is violated.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    // A violated invariant may be a panic of the product, which is reported with its history.
    std::panic::set_hook(Box::new(|_| {}));
    if let Some(seed) = options.seed {
        let played = play(seed, options.events)?;
        played.history.iter().for_each(|line| println!("{line}"));
        return Ok(match played.violation {
            None => ExitCode::SUCCESS,
            Some(how) => {
                println!("violated: {how}");
                ExitCode::FAILURE
            }
        });
    }
    if options.exhaustive {
        return exhaust();
    }
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    let first = options.from.unwrap_or(clock.as_secs());
    println!("seeds from {first}");
    let started = Instant::now();
    let mut counts = BTreeMap::<String, u64>::new();
    let mut histories = 0_u64;
    let mut failed = None;
    let goes_on = |played: u64| match options.histories {
        Some(histories) => played < histories,
        None => started.elapsed() < Duration::from_secs(options.seconds),
    };
    while goes_on(histories) && failed.is_none() {
        let seed = first + histories;
        let played = play(seed, options.events)?;
        histories += 1;
        for (what, count) in played.counts {
            *counts.entry(what).or_default() += count;
        }
        if played.violation.is_some() {
            failed = Some((seed, shortest(seed, options.events)?));
        }
    }
    print_counts(&counts);
    let actions: u64 = counts.iter().filter(|(what, _)| what.starts_with("action")).map(|(_, count)| count).sum();
    let took = started.elapsed().as_secs_f64();
    println!("{histories} histories, {actions} actions in {took:.1} s");
    Ok(match failed {
        None => ExitCode::SUCCESS,
        Some((seed, (events, played))) => {
            played.history.iter().for_each(|line| println!("{line}"));
            println!("violated: {}", played.violation.unwrap_or_default());
            println!("again: cargo xtask simulate --seed {seed} --events {events}");
            ExitCode::FAILURE
        }
    })
}

/// The least number of events after which this seed violates an invariant, and that history.
fn shortest(seed: u64, events: usize) -> Result<(usize, Played), Box<dyn Error>> {
    for fewer in 1..events {
        let played = play(seed, fewer)?;
        if played.violation.is_some() {
            return Ok((fewer, played));
        }
    }
    Ok((events, play(seed, events)?))
}

/// One history.
fn play(seed: u64, events: usize) -> Result<Played, Box<dyn Error>> {
    let mut lot = Lot::new(seed ^ 0x5157_11a7_e000);
    let nodes = 2 + lot.below(2);
    let fencing = !lot.once_in(4);
    let version = if lot.once_in(4) { ScstVersion::V3_7 } else { ScstVersion::V3_11 };
    let groups: &[&str] = if lot.once_in(2) { &["red"] } else { &["red", "blue"] };
    let mut world = World::new(seed, nodes, groups, version)?;
    for group in groups {
        world.lay(group, *lot.one_of(&[Layer::Shared, Layer::Shared, Layer::Drbd, Layer::Volumes]));
    }
    let stage = Stage::new(world);
    let mut cluster = Cluster::new(stage.clone(), groups, fencing);
    cluster.settle();
    cluster.eventful = true;
    for _ in 0..events {
        if is_over(&stage) {
            break;
        }
        events::at_rest(&mut cluster);
        cluster.settle();
        stage.lock().world.undisturbed(&cluster);
    }
    if !is_over(&stage) {
        recover(&mut cluster);
    }
    Ok(end(&stage))
}

fn is_over(scene: &Stage) -> bool {
    let state = scene.lock();
    state.world.violation.is_some() || state.world.over.is_some()
}

/// What is left of a history that is over.
fn end(scene: &Stage) -> Played {
    scene.kill_all(None);
    let mut state = scene.lock();
    let world = &mut state.world;
    if let Some(why) = world.over {
        world.count(format!("history without a verdict: {why}"));
    }
    Played {
        violation: world.violation.take(),
        history: std::mem::take(&mut world.history),
        counts: std::mem::take(&mut world.counts),
    }
}

/// Plays every case of the small cluster.
fn exhaust() -> Result<ExitCode, Box<dyn Error>> {
    let started = Instant::now();
    let exhaustive::Outcome { cases, counts, failed } = exhaustive::run()?;
    print_counts(&counts);
    for (case, played) in failed.iter().take(5) {
        println!("--- {case}");
        played.history.iter().for_each(|line| println!("{line}"));
    }
    for (case, played) in &failed {
        println!("{case}: {}", played.violation.as_deref().unwrap_or_default());
    }
    println!("{cases} cases, {} violate an invariant, {:.1} s", failed.len(), started.elapsed().as_secs_f64());
    Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print_counts(counts: &BTreeMap<String, u64>) {
    for (what, count) in counts {
        println!("{count:>9} {what}");
    }
}

/// Everything that goes wrong ends; then the cluster must come to what is configured.
fn recover(cluster: &mut Cluster) {
    cluster.eventful = false;
    let (count, sick) = {
        let mut state = cluster.stage.lock();
        state.world.disarm();
        let sick = state.world.heal_stores();
        state.world.disks_answer();
        state.world.nodes.iter_mut().for_each(|node| node.full = None);
        state.world.happened("all faults end".to_owned());
        (state.world.nodes.len(), sick)
    };
    for group in sick {
        cluster.restart(&group);
    }
    for node in 0..count {
        cluster.standby.remove(&node);
        let off = {
            let mut state = cluster.stage.lock();
            let there = &mut state.world.nodes[node];
            let off = !there.powered || there.cut;
            there.powered &= !there.cut;
            off
        };
        if off {
            cluster.boot(node);
        }
    }
    cluster.settle();
    cluster.refresh();
    cluster.settle();
    cluster.pass(Duration::from_secs(90));
    cluster.settle();
    if !is_over(&cluster.stage) {
        let stage = cluster.stage.clone();
        stage.lock().world.at_rest(cluster);
    }
}
