//! The ALUA states of a device group on all nodes, sampled while something happens.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::running::{Cluster, Outcome};

/// The time from one sample to the next.
const STEP: Duration = Duration::from_millis(50);

/// What the kernels showed at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sample {
    /// Since sampling began.
    pub(super) at: Duration,
    /// By node, in the order of the cluster's: the states of all nodes' target groups as that node's kernel shows them.
    pub(super) seen_by: Vec<Vec<String>>,
}

impl Sample {
    /// The state of each node's own ports, which is what its hosts follow.
    pub(super) fn own(&self) -> Vec<&str> {
        self.seen_by.iter().enumerate().map(|(node, states)| states[node].as_str()).collect()
    }
}

/// Sampling that goes on.
pub(super) struct Sampling {
    end: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Sample>>,
}

impl Cluster {
    /// Begins to sample the states of a device group. All nodes must have power.
    pub(super) fn sample(&self, group: &str) -> Outcome<Sampling> {
        let nodes = self.nodes();
        let file = |by: &super::rig::Node, of: &str| {
            let path = format!("/sys/kernel/scst_tgt/device_groups/{group}/target_groups/{of}/state");
            by.path(&path).ok_or_else(|| format!("{} has no power", by.name()))
        };
        let all = |by: &super::rig::Node| nodes.iter().map(|of| file(by, of.name())).collect::<Result<Vec<_>, _>>();
        let files = nodes.iter().map(|by| all(by)).collect::<Result<Vec<_>, _>>()?;
        let end = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&end);
        let thread = std::thread::spawn(move || {
            let (began, mut samples) = (Instant::now(), Vec::new());
            while !until.load(Ordering::Relaxed) {
                if let Some(seen_by) = sampled(&files) {
                    samples.push(Sample { at: began.elapsed(), seen_by });
                }
                std::thread::sleep(STEP);
            }
            samples
        });
        Ok(Sampling { end, thread })
    }
}

/// The states at one moment: read twice, and `None` if they changed in between, for files are read one after the other.
fn sampled(files: &[Vec<PathBuf>]) -> Option<Vec<Vec<String>>> {
    let read = || -> Vec<Vec<String>> { files.iter().map(|of| of.iter().map(state).collect()).collect() };
    let first = read();
    (first == read()).then_some(first)
}

fn state(file: &PathBuf) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines().next().unwrap_or("nothing").to_owned()
}

impl Sampling {
    /// The samples until now.
    pub(super) fn end(self) -> Outcome<Vec<Sample>> {
        self.end.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| "the sampling of states has panicked".into())
    }
}

/// Fails if more than one node was active at any moment, or if nothing was sampled.
pub(super) fn never_two_active(what: &str, samples: &[Sample]) -> Outcome<()> {
    if samples.len() < 2 {
        return Err(format!("{what}: only {} samples", samples.len()).into());
    }
    let two = samples.iter().filter(|sample| sample.own().iter().filter(|state| **state == "active").count() > 1);
    let two: Vec<Duration> = two.map(|sample| sample.at).collect();
    match (two.first(), two.last()) {
        (Some(first), Some(last)) => Err(format!(
            "{what}: two nodes were active from {} to {} ms, in {} of {} samples",
            first.as_millis(),
            last.as_millis(),
            two.len(),
            samples.len()
        )
        .into()),
        _ => Ok(()),
    }
}

/// Fails if at any moment all nodes said standby of themselves: hosts follow what each port says of its own target group, and then fail all
/// their paths instead of waiting. What the node that is being promoted says of its peers is written just before its own state.
pub(super) fn never_all_standby(what: &str, samples: &[Sample]) -> Outcome<()> {
    match samples.iter().find(|sample| sample.own().iter().all(|state| *state == "standby")) {
        Some(sample) => Err(format!("{what}: all paths standby after {} ms: {sample:?}", sample.at.as_millis()).into()),
        None => Ok(()),
    }
}
