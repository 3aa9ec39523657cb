//! Nodes that are lost without a word: power, the link between them, both with and without fencing.

use std::sync::atomic::Ordering;

use super::super::chapter::Chapter;
use super::super::config::dummy;
use super::super::running::{Cluster, Outcome, Plan, until};
use super::super::view;
use super::planned::promoted_and_other;

pub(crate) const UNFENCED: Chapter = Chapter {
    name: "unfenced",
    begin: Cluster::standard,
    scenarios: &[
        ("power loss of the promoted node, and its return", promoted_lost),
        ("power loss of the other node, and its return", other_lost),
        ("power loss in the middle of a promotion", lost_while_promoting),
        ("a partition, in which both are promoted, and its end", split),
    ],
};

pub(crate) const FENCED: Chapter = Chapter {
    name: "fenced",
    begin: || Cluster::boot(Plan { fencing: true, ..Plan::standard() }),
    scenarios: &[
        ("power loss of the promoted node, and its return", promoted_lost),
        ("power loss of the other node, and its return", other_lost),
        ("power loss in the middle of a promotion", lost_while_promoting),
        ("a partition, which one node survives", partition),
    ],
};

/// Switches a node on, and waits until it runs everything; the role stays where it is.
fn comes_back(cluster: &mut Cluster, lost: &str, promoted: &str) -> Outcome<()> {
    let group = dummy().resource;
    cluster.stay_down.store(false, Ordering::Relaxed);
    cluster.node(lost).boot()?;
    cluster.status_is("the lost node is back, unpromoted", |status| {
        status.role(group, lost) == Some("Unpromoted") && status.promoted(group).as_deref() == Some(promoted)
    })?;
    cluster.settles()?;
    Ok(())
}

fn promoted_lost(cluster: &mut Cluster) -> Outcome<()> {
    let (promoted, other) = promoted_and_other(cluster)?;
    let group = dummy().resource;
    cluster.stay_down.store(true, Ordering::Relaxed);
    cluster.node(&promoted).cut_power()?;
    cluster.status_is("the survivor promoted", |status| status.promoted(group).as_ref() == Some(&other))?;
    cluster.settles()?;
    comes_back(cluster, &promoted, &other)
}

fn other_lost(cluster: &mut Cluster) -> Outcome<()> {
    let (promoted, other) = promoted_and_other(cluster)?;
    cluster.stay_down.store(true, Ordering::Relaxed);
    cluster.node(&other).cut_power()?;
    cluster.status_is("the loss seen", |status| !status.online.contains(&other))?;
    // Without fencing nobody tells the promoted one that its peer has gone: it keeps its last word about it, which is "standby", until the peer is back.
    // Hosts notice that by themselves, for the paths are dead. With fencing it is told.
    cluster.idle()?;
    let status = cluster.status()?;
    let status = if status.role("fence", &promoted).is_some() { cluster.settles()? } else { status };
    if status.promoted(dummy().resource).as_ref() != Some(&promoted) {
        return Err(format!("the role has moved\n{status}").into());
    }
    comes_back(cluster, &other, &promoted)
}

/// The node that is being promoted loses its power while its kernel is at it.
fn lost_while_promoting(cluster: &mut Cluster) -> Outcome<()> {
    let (promoted, other) = promoted_and_other(cluster)?;
    let group = dummy();
    cluster.stay_down.store(true, Ordering::Relaxed);
    let slow = format!("slow path=*/target_groups/{other}/state data=active* takes=1000s times=1");
    cluster.node(&other).control(&slow)?;
    cluster.move_to(&group, &other)?;
    until("a promotion that is under way", || {
        let promoting = cluster.node(&other).find_process(|words| words.contains("scst_aluadg\0promote"));
        let peer = view::found(&cluster.node(&promoted)).unwrap_or_default();
        let between = format!("target group {other} id");
        let told = peer.lines().any(|line| line.contains(&between) && line.contains("transitioning"));
        Ok((promoting.is_none() || !told).then(|| format!("{promoting:?}\n{peer}")))
    })?;
    cluster.node(&other).cut_power()?;
    cluster.clear(&group)?;
    cluster.status_is("the first one promoted again", |status| {
        status.promoted(group.resource).as_ref() == Some(&promoted)
    })?;
    cluster.settles()?;
    comes_back(cluster, &other, &promoted)
}

fn partition(cluster: &mut Cluster) -> Outcome<()> {
    let (promoted, _) = promoted_and_other(cluster)?;
    let group = dummy().resource;
    cluster.stay_down.store(true, Ordering::Relaxed);
    cluster.node(&promoted).set_link(false)?;
    until("one survivor", || {
        let on: Vec<String> =
            cluster.nodes().into_iter().filter(|node| node.is_on()).map(|node| node.name().to_owned()).collect();
        Ok((on.len() != 1).then(|| on.join(" ")))
    })?;
    let survivor = cluster.any()?.name().to_owned();
    cluster.status_is("the survivor promoted", |status| status.promoted(group).as_ref() == Some(&survivor))?;
    cluster.settles()?;
    let lost = if survivor == "alpha" { "beta" } else { "alpha" };
    // The node that was unplugged may be the survivor.
    cluster.node(&survivor).set_link(true)?;
    comes_back(cluster, lost, &survivor)
}

fn split(cluster: &mut Cluster) -> Outcome<()> {
    let (promoted, other) = promoted_and_other(cluster)?;
    let group = dummy().resource;
    cluster.node(&promoted).set_link(false)?;
    until("both promoted, each alone", || {
        for name in [&promoted, &other] {
            let status = cluster.status_of(name)?;
            if status.promoted(group).as_ref() != Some(name) || status.online != [name.clone()] {
                return Ok(Some(format!("{name} says\n{status}")));
            }
        }
        Ok(None)
    })?;
    cluster.node(&promoted).set_link(true)?;
    cluster.status_is("one cluster again, with one promoted", |status| {
        status.online.len() == 2 && status.promoted(group).is_some() && status.with_role(group, "Unpromoted").len() == 1
    })?;
    cluster.settles()?;
    Ok(())
}
