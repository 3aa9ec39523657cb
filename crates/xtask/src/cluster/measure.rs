//! How long a failover takes: from the command, or the loss of power, until the new node's kernel says `active`.
//!
//! What happens in that time is read from the executors' logs of both nodes: while at least one action of an agent runs the time is ours, else Pacemaker's.
//! Nothing here passes or fails.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::config::dummy;
use super::history::clock;
use super::running::{Cluster, Outcome, Plan};
use super::scenarios::promoted_and_other;

/// One failover, in milliseconds.
#[derive(Debug, Clone, Copy)]
struct Taken {
    all: u64,
    ours: u64,
    /// No node was active.
    pause: u64,
    /// The kernels of both nodes said standby, so that hosts had no path that they would wait for.
    standby: u64,
}

/// How a role gets to the other node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Move,
    PowerLoss,
}

/// Measures, and prints medians.
pub(super) fn measure(agents: &str, runs: usize) -> Result<ExitCode, Box<dyn Error>> {
    let mut cluster = Cluster::boot(Plan { fencing: true, agents: Some(agents.into()), ..Plan::standard() })?;
    cluster.settles()?;
    for (way, name) in [(Way::Move, "crm_resource --move"), (Way::PowerLoss, "power loss, with fencing")] {
        let mut taken = Vec::new();
        for _ in 0..runs {
            taken.push(failover(&mut cluster, way)?);
        }
        println!("{name}, until the new node is active; median of {runs} (least to most):");
        for (what, part) in [
            ("in all", (|taken| taken.all) as fn(&Taken) -> u64),
            ("Pacemaker's part", |taken| taken.all - taken.ours),
            ("the agents' part", |taken| taken.ours),
            ("no node active", |taken| taken.pause),
            ("both standby", |taken| taken.standby),
        ] {
            let mut times: Vec<u64> = taken.iter().map(part).collect();
            times.sort_unstable();
            println!("  {what:<18}{:>6} ms ({} to {})", times[times.len() / 2], times[0], times[times.len() - 1]);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// One failover there; the way back to rest is not measured.
fn failover(cluster: &mut Cluster, way: Way) -> Outcome<Taken> {
    let (promoted, other) = promoted_and_other(cluster)?;
    let clone = dummy().clone_id();
    let state = |node: &str| {
        let path = format!("/sys/kernel/scst_tgt/device_groups/dummy/target_groups/{node}/state");
        cluster.node(node).path(&path).ok_or("no power")
    };
    let (before, after) = (state(&promoted)?, state(&other)?);
    let moment = cluster.moment();
    cluster.stay_down.store(true, Ordering::Relaxed);
    let (began, started) = (now(), Instant::now());
    let mut command = None;
    match way {
        Way::Move => {
            let words = ["crm_resource", "--resource", &clone, "--move", "--promoted", "--node", &other];
            command = Some(cluster.any()?.command(&words)?.stdout(std::process::Stdio::null()).spawn()?);
        }
        Way::PowerLoss => cluster.node(&promoted).cut_power()?,
    }
    let shows = |file: &Path, state: &str| fs::read_to_string(file).is_ok_and(|text| text.starts_with(state));
    let (mut gone, mut standby) = (None, Duration::ZERO);
    let mut last = Instant::now();
    while !shows(&after, "active") {
        if gone.is_none() && !shows(&before, "active") {
            gone = Some(Instant::now());
        }
        if shows(&before, "standby") && shows(&after, "standby") {
            standby += last.elapsed();
        }
        last = Instant::now();
        if started.elapsed() > Duration::from_mins(1) {
            return Err(format!("{other} is not active within a minute").into());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let all = u64::try_from(started.elapsed().as_millis())?;
    let pause = u64::try_from(gone.map_or(Duration::ZERO, |gone| gone.elapsed()).as_millis())?;
    let standby = u64::try_from(standby.as_millis())?;
    if let Some(mut command) = command {
        command.wait()?;
    }
    cluster.status_is("promoted there", |status| status.promoted(dummy().resource).as_ref() == Some(&other))?;
    cluster.settles()?;
    let ours = busy(&cluster.logged_since(&moment)?, began, began + all);
    match way {
        Way::Move => cluster.run(&["crm_resource", "--resource", &clone, "--clear"]).map(drop)?,
        Way::PowerLoss => cluster.node(&promoted).boot()?,
    }
    cluster.status_is("both run", |status| status.with_role(dummy().resource, "Unpromoted").len() == 1)?;
    cluster.settles()?;
    Ok(Taken { all, ours, pause, standby })
}

/// The time of day in milliseconds, as the logs have it: UTC.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or_default() % (24 * 60 * 60 * 1000)
}

/// How long between two times at least one action of an agent ran.
fn busy(log: &[String], from: u64, to: u64) -> u64 {
    let mut changes: Vec<(u64, i32)> = Vec::new();
    for line in log {
        let Some(at) = clock(line) else { continue };
        let of_agents = line.contains("rsc:scst_") || line.contains(" scst_");
        if of_agents && line.contains("(log_execute)") {
            changes.push((at.clamp(from, to), 1));
        } else if of_agents && line.contains("(log_finished)") {
            changes.push((at.clamp(from, to), -1));
        }
    }
    changes.sort_by_key(|(at, change)| (*at, -change));
    let (mut running, mut since, mut busy) = (0, from, 0);
    for (at, change) in changes {
        if running > 0 {
            busy += at - since;
        }
        running += change;
        since = at;
    }
    busy
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_in_which_two_actions_run_counts_once() {
        let line = |at: &str, what: &str| format!("Nov 21 00:00:00.{at} alpha pacemaker-execd [45] {what}");
        let log = [
            line("100", "(log_execute) info: executing - rsc:scst_dg action:notify call_id:1"),
            line("120", "(log_execute) info: executing - rsc:scst_dg action:notify call_id:2"),
            line("150", "(log_finished) info: scst_dg notify (call 1, PID 1) exited with status 0"),
            line("160", "(log_finished) info: scst_dg notify (call 2, PID 2) exited with status 0"),
            line("300", "(log_execute) info: executing - rsc:scst_dg action:promote call_id:3"),
            line("400", "(log_finished) info: scst_dg promote (call 3, PID 3) exited with status 0"),
        ];
        assert_eq!(busy(&log, 50, 320), 60 + 20);
    }
}
