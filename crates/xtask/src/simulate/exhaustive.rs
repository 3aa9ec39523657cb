//! Small spaces, completely: two nodes, one group, one device.
//!
//! **Transitions**: every sequence of so many events, without a fault; at the end of each sequence the cluster must come to rest.
//! States are equal if kernels, files of the agents, the cluster's belief and its configuration are; how old they are does not count.
//!
//! **Faults**: every fault at every operation of every kind of action that Pacemaker calls for an event, one at a time, and after each every
//! next event, once for all faults that leave equal states. A kind of action is told apart by agent, action, notification and whether the node
//! serves; it is taken from the first event that has it. Of the looks of a wait, which are one and the same read, the first three count.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use scst_core::error::Verb;
use scst_core::ocf::action::Action;
use scst_sim::model::ScstVersion;

use super::coverage::{Coverage, Kind};
use super::events::{Event, boot, event};
use super::faults::Fault;
use super::history::{self, Played, conclude};
use super::pacemaker::Cluster;
use super::stage::Stage;
use super::tape::Call;
use super::world::{World, disk_of};

/// How long nothing happens at the end: what monitors put right after 20 s is right then.
const QUIET: Duration = Duration::from_secs(45);

/// What sequences are made of: node 0 serves at first.
const TRANSITIONS: [Event; 14] = [
    event("alpha is preferred", |cluster| cluster.prefer(1, Some(0))),
    event("beta is preferred", |cluster| cluster.prefer(1, Some(1))),
    event("alpha goes to standby", |cluster| cluster.set_standby(0, true)),
    event("beta goes to standby", |cluster| cluster.set_standby(1, true)),
    event("alpha is online", |cluster| cluster.set_standby(0, false)),
    event("beta is online", |cluster| cluster.set_standby(1, false)),
    event("alpha loses power", |cluster| lose(cluster, 0)),
    event("beta loses power", |cluster| lose(cluster, 1)),
    event("who is off boots", boot),
    event("a device comes", |cluster| change(cluster, 9)),
    event("the device goes", |cluster| cluster.configure(1, "device1", None)),
    event("both are probed again", Cluster::refresh),
    event("all instances restart", |cluster| cluster.restart(Some("red"))),
    event("12 s pass", |cluster| cluster.pass(Duration::from_secs(12))),
];

/// Where a fault happens.
const EVENTS: [Event; 10] = [
    event("both nodes come up", |_| {}),
    event("12 s pass", |cluster| cluster.pass(Duration::from_secs(12))),
    event("the promoted role moves", |cluster| cluster.prefer(1, Some(1))),
    event("a device comes and a LUN moves", |cluster| {
        change(cluster, 9);
        let device = format!("virtname=lu0,handler=vdisk_blockio,filename={},export0=esx1:8", disk_of("red", 0));
        cluster.configure(1, "device0", Some(device));
    }),
    event("the serving node goes to standby", |cluster| cluster.set_standby(0, true)),
    event("the other node goes to standby", |cluster| cluster.set_standby(1, true)),
    event("the serving node loses power", |cluster| lose(cluster, 0)),
    event("both are probed again", Cluster::refresh),
    event("a host's command is slow while the promoted role moves", |cluster| {
        cluster.world().host_command(0, "red", Some(Duration::from_secs(3)));
        cluster.prefer(1, Some(1));
    }),
    event("a disk hangs while the promoted role moves", |cluster| {
        cluster.world().host_command(0, "red", None);
        cluster.prefer(1, Some(1));
    }),
];

/// What comes next.
const NEXT: [Event; 8] = [
    event("all faults end", |_| {}),
    event("30 s pass", |cluster| cluster.pass(Duration::from_secs(30))),
    event("alpha is preferred", |cluster| cluster.prefer(1, Some(0))),
    event("alpha goes to standby", |cluster| cluster.set_standby(0, true)),
    event("beta goes to standby", |cluster| cluster.set_standby(1, true)),
    event("the word reload changes", |cluster| cluster.configure(1, "reload", Some("2".to_owned()))),
    event("alpha loses power", |cluster| lose(cluster, 0)),
    event("both are probed again", Cluster::refresh),
];

fn change(cluster: &mut Cluster, lun: u32) {
    let device = format!("virtname=lu1,handler=vdisk_blockio,filename={},export0=esx1:{lun}", disk_of("red", 1));
    cluster.configure(1, "device1", Some(device));
}

/// A node loses power, unless it is the last one.
fn lose(cluster: &mut Cluster, node: usize) {
    let both = cluster.world().nodes.iter().all(|node| node.powered);
    if both {
        cluster.lose(node, false);
    }
}

/// What came of all cases.
#[derive(Default)]
struct Outcome {
    cases: u64,
    /// Faults that an action met.
    faults: u64,
    /// The states that the cluster was in after them.
    states: BTreeSet<u64>,
    coverage: Coverage,
    /// Those that violate an invariant, by name.
    failed: Vec<(String, Played)>,
}

impl Outcome {
    /// A cluster whose story is over is looked at.
    fn take(&mut self, cluster: &Cluster, name: impl FnOnce() -> String) {
        let mut played = history::end(&cluster.stage);
        self.coverage.add(std::mem::take(&mut played.coverage));
        if played.violation.is_some() {
            let name = name();
            println!("violated: {name}: {}", played.violation.as_deref().unwrap_or_default());
            self.failed.push((name, played));
        }
    }
}

/// Two nodes, which have not come up yet.
fn fresh(version: ScstVersion) -> Result<Cluster, Box<dyn Error>> {
    let stage = Stage::new(World::new(1, 2, &["red"], version)?);
    let mut cluster = Cluster::new(stage, &["red"], true);
    cluster.resources[1].params.remove("device1");
    Ok(cluster)
}

/// Two nodes at rest, one of which serves.
fn serving(version: ScstVersion) -> Result<Cluster, Box<dyn Error>> {
    let mut cluster = fresh(version)?;
    cluster.settle();
    cluster.pass(Duration::from_secs(12));
    Ok(cluster)
}

/// Plays everything, with sequences of this many events.
pub(super) fn run(depth: usize) -> Result<ExitCode, Box<dyn Error>> {
    let begun = Instant::now();
    let mut all = Outcome::default();
    for (version, depth) in [(ScstVersion::V3_11, depth), (ScstVersion::V3_7, depth.saturating_sub(1))] {
        let started = Instant::now();
        let before = all.cases;
        let states = sequences(&serving(version)?, depth, &mut all);
        println!(
            "{version:?}: all sequences of up to {depth} out of {} events: {states} states, {} transitions between them, {:.0} s",
            TRANSITIONS.len(),
            all.cases - before,
            started.elapsed().as_secs_f64()
        );
        faults(version, &mut all)?;
    }
    all.coverage.print();
    for (case, played) in all.failed.iter().take(5) {
        println!("--- {case}");
        played.print();
    }
    let (cases, faults, failed) = (all.cases, all.faults, all.failed.len());
    let took = begun.elapsed().as_secs_f64();
    println!("{cases} cases, {faults} faults, {failed} violate an invariant, {took:.1} s");
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Every sequence of events from this cluster on. Sequences that have come to equal states go on as one.
fn sequences(from: &Cluster, depth: usize, all: &mut Outcome) -> usize {
    let mut states = BTreeSet::from([from.fingerprint()]);
    let mut latest = vec![(from.fork(), Vec::new())];
    for _ in 0..depth {
        let mut next = Vec::new();
        for (from, names) in std::mem::take(&mut latest) {
            for event in &TRANSITIONS {
                let mut names: Vec<&str> = names.clone();
                names.push(event.name);
                let cluster = after(from.fork(), event);
                // Nothing goes wrong here: everybody must say the truth at once.
                cluster.world().undisturbed(&cluster, &["red".to_owned()]);
                all.cases += 1;
                if !cluster.world().is_over() && states.insert(cluster.fingerprint()) {
                    let mut end = cluster.fork();
                    conclude(&mut end, QUIET);
                    all.take(&end, || names.join(", "));
                    next.push((cluster.fork(), names.clone()));
                }
                all.take(&cluster, || names.join(", "));
            }
        }
        latest = next;
    }
    states.len()
}

/// Every fault at every operation of every kind of action.
fn faults(version: ScstVersion, all: &mut Outcome) -> Result<(), Box<dyn Error>> {
    let mut done = BTreeSet::<(Kind, bool, bool)>::new();
    for (number, event) in EVENTS.iter().enumerate() {
        let started = Instant::now();
        let before = all.cases;
        let from = if number == 0 { fresh(version)? } else { serving(version)? };
        // Commands of hosts make another action of a demotion.
        let special = event.name.contains("while");
        let cluster = from.fork();
        cluster.stage.lock().tape = Some(Vec::new());
        let mut calls = after(cluster, event).stage.lock().tape.take().unwrap_or_default();
        calls.sort_by_key(|call| call.id);
        for call in calls {
            let wanted = !special || matches!(call.action, Action::Demote | Action::Stop);
            if wanted && done.insert((call.kind.clone(), call.node == 0, special)) {
                operations(&from, event, &call, version == ScstVersion::V3_11, all);
            }
        }
        let took = started.elapsed().as_secs_f64();
        let (cases, faults, states) = (all.cases - before, all.faults, all.states.len());
        println!("{version:?}: {}: {cases} cases, {took:.0} s; so far {faults} faults, {states} states", event.name);
    }
    Ok(())
}

/// A cluster after an event.
fn after(mut cluster: Cluster, event: &Event) -> Cluster {
    (event.happens)(&mut cluster);
    cluster.settle();
    cluster
}

/// The operations of an action that read once more what it has read three times: the looks of a wait, of which there are thousands where a
/// wait ends by its time-out.
fn looks_again(call: &Call) -> BTreeSet<usize> {
    let mut read = BTreeMap::<&Path, u32>::new();
    let mut again = BTreeSet::new();
    for (number, operation) in (1..).zip(&call.operations).filter(|(_, operation)| operation.verb == Verb::Read) {
        let times = read.entry(&operation.path).or_default();
        *times += 1;
        again.extend((*times > 3).then_some(number));
    }
    again
}

/// Every fault at every operation of one action.
fn operations(from: &Cluster, event: &Event, call: &Call, every_next: bool, all: &mut Outcome) {
    let waits = looks_again(call);
    for operation in (1..).filter(|operation| !waits.contains(operation)) {
        let mut exists = false;
        for fault in Fault::ALL {
            let name =
                || format!("{}: {fault:?} at operation {operation} of {} on node {}", event.name, call.kind, call.node);
            let cluster = from.fork();
            cluster.stage.lock().aim = Some((call.id, operation, fault));
            let cluster = after(cluster, event);
            let met = cluster.world().coverage.counts.keys().any(|what| what.starts_with("fault"));
            exists |= met;
            all.faults += u64::from(met);
            if met && (cluster.world().is_over() || all.states.insert(cluster.fingerprint())) {
                let next = if every_next { &NEXT[..] } else { &NEXT[..2] };
                for then in next {
                    if cluster.world().is_over() {
                        break;
                    }
                    let mut next = after(cluster.fork(), then);
                    if !next.world().is_over() {
                        conclude(&mut next, QUIET);
                    }
                    all.cases += 1;
                    all.take(&next, || format!("{}, then {}", name(), then.name));
                }
                all.take(&cluster, name);
            }
        }
        if !exists {
            return;
        }
    }
}
