//! From the shell agents to these, node by node, under a cluster that goes on.
//!
//! A stand-in made the history in the CIB and the trees in the kernels: it claims OCF 1.0, offers `reload`, marks `groupname` alone as unique, and has
//! the shell agents' scores.

use std::fs;

use super::super::chapter::Chapter;
use super::super::config::{Device, PORTS, dummy};
use super::super::running::{Cluster, Outcome, Plan, install, until};
use super::planned::{done_since, promoted_and_other, role_moved};
use crate::workspace;

pub(crate) const CHAPTER: Chapter = Chapter {
    name: "upgrade",
    begin,
    scenarios: &[
        ("the other node's agents are exchanged, and the role moves there", first),
        ("the second node's agents are exchanged", second),
        ("moved, reloaded and failed over by the new agents, with no unasked failback", afterwards),
    ],
};

fn begin() -> Outcome<Cluster> {
    let stand_in = workspace::root().join("tests/data/cluster/stand-in");
    let mut cluster = Cluster::boot(Plan { agents: Some(stand_in), ..Plan::standard() })?;
    cluster.config.own_scores = false;
    Ok(cluster)
}

/// Exchanges the agents of a node; that alone may lead to no action, also not when the cluster thinks again.
fn exchanged(cluster: &mut Cluster, node: &str) -> Outcome<()> {
    cluster.settles()?;
    let moment = cluster.moment();
    let place = cluster.node(node).directory().join("agents");
    for agent in ["scst_qla2xtgt", "scst_aluadg"] {
        install(&workspace::binary(agent)?, &place, agent)?;
    }
    // An empty record is what the stand-in left; the first monitor of the new agent knows more.
    let record = cluster.node(node).path(&format!("/run/resource-agents/scst_qla2xtgt-{PORTS}.state"));
    let record = record.ok_or("no power")?;
    until("a monitor by the new agent", || {
        Ok(fs::read_to_string(&record)?.is_empty().then(|| "the record is still empty".to_owned()))
    })?;
    // The property means nothing, and makes the scheduler look at everything.
    cluster.run(&["crm_attribute", "--type", "crm_config", "--name", "exchanged", "--update", node])?;
    done_since(cluster, &moment, &format!("the agents of {node} exchanged"), &[])
}

fn first(cluster: &mut Cluster) -> Outcome<()> {
    let (_, other) = promoted_and_other(cluster)?;
    exchanged(cluster, &other)?;
    role_moved(cluster)
}

fn second(cluster: &mut Cluster) -> Outcome<()> {
    let (_, other) = promoted_and_other(cluster)?;
    exchanged(cluster, &other)
}

fn afterwards(cluster: &mut Cluster) -> Outcome<()> {
    role_moved(cluster)?;
    let group = dummy().resource;
    let (promoted, other) = promoted_and_other(cluster)?;
    cluster.node(&promoted).cut_power()?;
    cluster.status_is("the survivor promoted", |status| status.promoted(group).as_ref() == Some(&other))?;
    cluster.settles()?;
    cluster.node(&promoted).boot()?;
    cluster.status_is("the lost node is back", |status| {
        status.role(group, &promoted) == Some("Unpromoted") && status.promoted(group).as_ref() == Some(&other)
    })?;
    cluster.settles()?;
    let device = Device { virtname: "added", lun: 3 };
    let moment = cluster.moment();
    cluster.set(group, "device7", &device.parameter())?;
    cluster.config.groups[0].devices.push(device);
    cluster.settles()?;
    let done = cluster.changes_since(&moment)?;
    if done.len() == 2 && done.iter().all(|done| done.starts_with("reload")) {
        Ok(())
    } else {
        Err(format!("a new device: {done:?}").into())
    }
}
