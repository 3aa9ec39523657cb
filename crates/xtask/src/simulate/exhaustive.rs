//! Every fault at every operation of every action, one at a time, in a small cluster: two nodes, one group.
//!
//! For each event that makes Pacemaker call actions, each fault is put at each operation of each action in turn, until the action has no
//! further operation. What Pacemaker does then are the next actions; when the fault has ended, the cluster must come to rest.

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use scst_core::ocf::action::Action;
use scst_sim::model::ScstVersion;

use super::faults::Fault;
use super::pacemaker::Cluster;
use super::stage::Stage;
use super::world::{World, disk_of};
use super::{Played, recover};

/// Something that happens to a cluster at rest, of which `alpha` serves.
struct Event {
    name: &'static str,
    happens: fn(&mut Cluster),
    /// The actions that Pacemaker calls for it.
    actions: &'static [Action],
}

const EVENTS: [Event; 8] = [
    Event {
        name: "both nodes come up",
        happens: |_| {},
        actions: &[Action::Monitor, Action::Start, Action::Notify, Action::Promote],
    },
    Event {
        name: "the promoted role moves",
        happens: |cluster| cluster.prefer(1, Some(1)),
        actions: &[Action::Notify, Action::Demote, Action::Promote, Action::Monitor],
    },
    Event {
        name: "a host's command is slow while the promoted role moves",
        happens: |cluster| {
            cluster.stage.lock().world.host_command(0, "red", Some(Duration::from_secs(3)));
            cluster.prefer(1, Some(1));
        },
        actions: &[Action::Demote],
    },
    Event {
        name: "a disk hangs while the promoted role moves",
        happens: |cluster| {
            cluster.stage.lock().world.host_command(0, "red", None);
            cluster.prefer(1, Some(1));
        },
        actions: &[Action::Demote, Action::Stop],
    },
    Event {
        name: "the serving node goes to standby",
        happens: |cluster| cluster.set_standby(0, true),
        actions: &[Action::Notify, Action::Demote, Action::Stop, Action::Promote],
    },
    Event {
        name: "a device is added and a LUN moves",
        happens: |cluster| {
            cluster.configure(
                1,
                "device2",
                Some(format!("virtname=lu2,filename={},export0=esx1:9", disk_of("red", 2))),
            );
            cluster.configure(
                1,
                "device1",
                Some(format!("virtname=lu1,filename={},export0=esx1:8", disk_of("red", 1))),
            );
        },
        actions: &[Action::Reload, Action::Monitor],
    },
    Event {
        name: "the serving node loses power",
        happens: |cluster| cluster.lose(0, false),
        actions: &[Action::Notify, Action::Promote],
    },
    Event { name: "both are probed again", happens: Cluster::refresh, actions: &[Action::Monitor] },
];

/// One case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Case {
    event: usize,
    node: usize,
    action: Action,
    operation: u32,
    fault: Fault,
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { event, node, action, operation, fault } = self;
        write!(f, "{}: {fault:?} at operation {operation} of {action} on node {node}", EVENTS[*event].name)
    }
}

/// Plays one case; the second value says whether the action had that operation.
pub(super) fn play(case: Case, version: ScstVersion) -> Result<(Played, bool), Box<dyn Error>> {
    let stage = Stage::new(World::new(1, 2, &["red"], version)?);
    let mut cluster = Cluster::new(stage.clone(), &["red"], true);
    let arm = |action| stage.lock().world.arm(case.node, Some(action), case.operation, case.fault);
    if case.event == 0 {
        arm(case.action);
        cluster.settle();
    } else {
        cluster.settle();
        cluster.pass(Duration::from_secs(12));
        arm(case.action);
        (EVENTS[case.event].happens)(&mut cluster);
        cluster.settle();
        cluster.pass(Duration::from_secs(12));
    }
    let met = stage.lock().world.counts.keys().any(|what| what.starts_with("fault"));
    if met && stage.lock().world.violation.is_none() {
        recover(&mut cluster);
    }
    Ok((super::end(&stage), met))
}

/// What came of all cases.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) cases: u64,
    /// What was counted in them.
    pub(super) counts: BTreeMap<String, u64>,
    /// Those that violate an invariant.
    pub(super) failed: Vec<(Case, Played)>,
}

/// Plays all cases.
pub(super) fn run() -> Result<Outcome, Box<dyn Error>> {
    let mut all = Outcome::default();
    for version in [ScstVersion::V3_11, ScstVersion::V3_7] {
        for (event, there) in EVENTS.iter().enumerate() {
            println!("{version:?}: {}: {} cases before, {} failed", there.name, all.cases, all.failed.len());
            for (action, node) in there.actions.iter().flat_map(|action| [(*action, 0), (*action, 1)]) {
                'operations: for operation in 1.. {
                    for fault in Fault::ALL {
                        let case = Case { event, node, action, operation, fault };
                        let (played, met) = play(case, version)?;
                        if !met {
                            break 'operations;
                        }
                        all.cases += 1;
                        for (what, count) in &played.counts {
                            *all.counts.entry(what.clone()).or_default() += count;
                        }
                        if played.violation.is_some() {
                            all.failed.push((case, played));
                        }
                    }
                }
            }
        }
    }
    Ok(all)
}
