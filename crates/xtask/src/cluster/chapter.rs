//! A chapter of scenarios, and playing it.

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use super::running::{Cluster, Outcome};

/// Begins a line about a scenario that passed.
pub(super) const PASSED: &str = "+ ";
/// Begins a line about a scenario that failed.
pub(super) const FAILED: &str = "- ";

/// A cluster, and the scenarios that happen in it, in their order.
pub(super) struct Chapter {
    pub(super) name: &'static str,
    /// Brings the cluster up.
    pub(super) begin: fn() -> Outcome<Cluster>,
    pub(super) scenarios: &'static [Scenario],
}

/// A sentence, and what it says: something that happens in a cluster at rest, after which it must be at rest again.
pub(super) type Scenario = (&'static str, fn(&mut Cluster) -> Outcome<()>);

impl Chapter {
    /// The scenarios whose name contains a text.
    pub(super) fn chosen(&self, only: &str) -> Vec<&Scenario> {
        self.scenarios.iter().filter(|(name, _)| format!("{}: {name}", self.name).contains(only)).collect()
    }

    /// Plays the chosen scenarios. After one that failed, the cluster is in no state for the next.
    pub(super) fn play(&self, only: &str) -> Result<ExitCode, Box<dyn Error>> {
        let started = Instant::now();
        let mut cluster = (self.begin)()?;
        cluster.settles()?;
        println!("up in {:.1} s", started.elapsed().as_secs_f64());
        for (name, run) in self.chosen(only) {
            let started = Instant::now();
            let told = run(&mut cluster).and_then(|()| cluster.settles());
            let took = started.elapsed().as_secs_f64();
            if let Err(error) = told {
                println!("{FAILED}{name} ({took:.1} s): {error}");
                keep_logs(&cluster, self.name);
                return Ok(ExitCode::FAILURE);
            }
            println!("{PASSED}{name} ({took:.1} s)");
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Copies the nodes' logs out of the rig, which goes with this process.
fn keep_logs(cluster: &Cluster, chapter: &str) {
    let Ok(place) = crate::workspace::binary(&format!("cluster-logs-{chapter}")) else { return };
    let _ = std::fs::remove_dir_all(&place);
    for node in cluster.nodes() {
        let kept = copy(&node.directory().join("log"), &place.join(node.name()));
        match kept {
            Ok(()) => println!("logs of {} in {}", node.name(), place.join(node.name()).display()),
            Err(error) => println!("logs of {} cannot be kept: {error}", node.name()),
        }
    }
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()))?;
        } else {
            std::fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}
