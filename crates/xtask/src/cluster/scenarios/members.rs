//! Nodes whose names begin alike, and one that joins later.

use super::super::chapter::Chapter;
use super::super::config::{Cib, Machine, PORTS, dummy};
use super::super::rig::{Member, write_members};
use super::super::running::{Cluster, Outcome, Plan, member};
use super::planned::promoted_on;

pub(crate) const CHAPTER: Chapter = Chapter {
    name: "members",
    begin,
    scenarios: &[("a name that is the beginning of another's", alike), ("a third node joins, and is promoted", joined)],
};

fn begin() -> Outcome<Cluster> {
    let machines = vec![
        Machine::new("san1", 1, &["21:00:00:24:ff:60:d0:10", "21:00:00:24:ff:60:d0:11"]),
        Machine::new("san10", 2, &["21:00:00:1b:32:0b:52:75", "21:01:00:1b:32:2b:52:75"]),
    ];
    Cluster::boot(Plan { machines, ..Plan::standard() })
}

/// A node in standby is shown as unavailable by all others, and by no other name.
fn stood_by(cluster: &Cluster, node: &str) -> Outcome<()> {
    let standby = |word: &str| cluster.run(&["crm_attribute", "--node", node, "--name", "standby", "--update", word]);
    standby("on")?;
    cluster.status_is("nothing runs there", |status| !status.roles.keys().any(|(_, on)| on == node))?;
    cluster.settles()?;
    standby("off")?;
    cluster.status_is("it runs there again", |status| status.role(dummy().resource, node).is_some())?;
    cluster.settles()?;
    Ok(())
}

fn alike(cluster: &mut Cluster) -> Outcome<()> {
    for node in ["san1", "san10"] {
        promoted_on(cluster, node)?;
    }
    for node in ["san1", "san10"] {
        stood_by(cluster, node)?;
    }
    Ok(())
}

fn joined(cluster: &mut Cluster) -> Outcome<()> {
    let third = Machine::new("san", 7, &["50:01:43:80:0a:0b:0c:01"]);
    let members: Vec<Member> = cluster.machines.iter().chain([&third]).map(member).collect();
    for node in cluster.nodes() {
        write_members(&node.directory(), &members)?;
    }
    cluster.run(&["corosync-cfgtool", "-R"])?;
    let own = [third.clone()];
    let entry = Cib { machines: &own, config: None, fencing: false, filler: 0 };
    let nodes = entry.nodes();
    let node = nodes.trim().trim_start_matches("<nodes>").trim_end_matches("</nodes>").trim();
    cluster.run(&["cibadmin", "--create", "--scope", "nodes", "--xml-text", node])?;
    cluster.add(third, &members, &entry.document(), false)?;
    // Those that run learn of the new ports when they are told to look again.
    cluster.set(dummy().resource, "reload", "third")?;
    cluster.settles()?;
    cluster.node("san").boot()?;
    cluster.status_is("the third runs", |status| {
        status.role(PORTS, "san").is_some() && status.role(dummy().resource, "san") == Some("Unpromoted")
    })?;
    cluster.settles()?;
    promoted_on(cluster, "san")?;
    stood_by(cluster, "san1")?;
    cluster.node("san").cut_power()?;
    cluster.status_is("another one promoted", |status| {
        status.promoted(dummy().resource).is_some_and(|node| node != "san")
    })?;
    cluster.idle()?;
    cluster.node("san").boot()?;
    cluster.status_is("the third is back", |status| status.role(dummy().resource, "san") == Some("Unpromoted"))
}
