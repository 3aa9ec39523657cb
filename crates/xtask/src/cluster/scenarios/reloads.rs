//! Changes of the configuration one upon the other, while a reload is under way.
//!
//! Pacemaker notes a reload as a start, so it takes a promoted instance that was reloaded for an unpromoted one until its next monitor has answered. That
//! monitor belongs to the same transition, which a second change ends: the scheduler then chooses whom to promote as if nobody were.

use super::super::chapter::Chapter;
use super::super::config::{Device, dummy};
use super::super::running::{Cluster, Outcome, until};
use super::super::states::never_two_active;
use super::planned::{promoted_on, restarted_by_name};

pub(crate) const CHAPTER: Chapter = Chapter {
    name: "reloads",
    begin: Cluster::standard,
    scenarios: &[
        ("a second change before the next monitor, alpha promoted: never two active", alpha_promoted),
        ("a second change before the next monitor, beta promoted: never two active", beta_promoted),
        ("the same right after a move, both with the higher score: never two active", after_moves),
        ("another group name restarts, where Pacemaker does one thing at a time", restarted),
    ],
};

/// With equal scores the scheduler takes one of two nodes first, whichever that is; the scenario is played with each of them promoted.
fn alpha_promoted(cluster: &mut Cluster) -> Outcome<()> {
    stays_promoted(cluster, "alpha")
}

fn beta_promoted(cluster: &mut Cluster) -> Outcome<()> {
    stays_promoted(cluster, "beta")
}

fn stays_promoted(cluster: &mut Cluster, promoted: &str) -> Outcome<()> {
    promoted_on(cluster, promoted)?;
    let group = dummy().resource;
    cluster.status_is("the other one has the lower score, by its next monitor", |status| {
        ["alpha", "beta"].into_iter().all(|node| node == promoted || status.score(group, node) == Some("5"))
    })?;
    let moment = cluster.moment();
    changed_twice(cluster, promoted)?;
    let status = cluster.settles()?;
    if status.promoted(group).as_deref() != Some(promoted) {
        return Err(format!("the role has moved\n{status}").into());
    }
    let done = cluster.changes_since(&moment)?;
    let roles: Vec<&String> = done.iter().filter(|done| !done.starts_with("reload")).collect();
    if roles.is_empty() || roles == [&format!("promote {group} {promoted}")] {
        return Ok(());
    }
    Err(format!("changed twice with {promoted} promoted: done was {roles:?}").into())
}

/// Here the scheduler may choose the other node. The one that serves hears of it before, and gives way.
fn after_moves(cluster: &mut Cluster) -> Outcome<()> {
    for promoted in ["alpha", "beta"] {
        promoted_on(cluster, promoted)?;
        changed_twice(cluster, promoted)?;
    }
    Ok(())
}

/// Changes one reloadable parameter, and a second one while the first is being reloaded on the promoted node.
fn changed_twice(cluster: &mut Cluster, promoted: &str) -> Outcome<()> {
    let group = dummy().resource;
    let device = Device { virtname: "added", lun: 3 };
    // A reload that takes its time, so that the second change comes into it.
    cluster.node(promoted).control("slow path=*/handlers/vdisk_nullio/mgmt data=add_device* takes=1500ms times=1")?;
    let sampling = cluster.sample(dummy().name)?;
    cluster.set(group, "device7", &device.parameter())?;
    until("a reload that is under way", || {
        let reloads = cluster.node(promoted).find_process(|words| words.contains("scst_aluadg\0reload-agent"));
        Ok(reloads.is_none().then(|| "it has not begun".to_owned()))
    })?;
    cluster.set(group, "reload", &format!("second, {promoted}"))?;
    let rested = cluster.idle();
    never_two_active(&format!("changed twice with {promoted} promoted"), &sampling.end()?)?;
    rested?;
    // A node that was demoted last has not been told of the device: Pacemaker compares with nothing there.
    cluster.unset(group, "device7")?;
    cluster.settles().map(drop)
}

/// A restart of both instances, of which the promoted one is demoted, then the other stopped, then that one: whatever ends the transition in between,
/// and a changed score does, makes Pacemaker forget that the demoted instance has to be restarted.
fn restarted(cluster: &mut Cluster) -> Outcome<()> {
    let limit = ["crm_attribute", "--type", "crm_config", "--name", "batch-limit"];
    for promoted in ["alpha", "beta"] {
        promoted_on(cluster, promoted)?;
        // The restart would pass by an instance whose last action is a demotion, so the other one is started anew. A refresh would serve as well, but
        // leaves records of failed probes, and Pacemaker ends the transition in the middle of the restart when it deletes them.
        let other = if promoted == "alpha" { "beta" } else { "alpha" };
        cluster.stand_by(other)?;
        cluster.settles()?;
        cluster.end_standby(other)?;
        cluster.settles()?;
        cluster.run(&[&limit[..], &["--update", "1"]].concat())?;
        restarted_by_name(cluster)?;
        cluster.run(&[&limit[..], &["--delete"]].concat())?;
    }
    Ok(())
}
