//! Persistent reservations that the nodes share: DLM before the group, and a node without it.
//!
//! `dlm_controld` cannot run in the namespaces of the rig: the simulated kernel has a lock manager of its own on each node, of which the agents see
//! the same directories.

use super::super::chapter::Chapter;
use super::super::config::{Device, dummy};
use super::super::running::{Cluster, Outcome, until};
use super::planned::{promoted_after, promoted_on};

pub(crate) const CHAPTER: Chapter = Chapter {
    name: "reservations",
    begin: Cluster::standard,
    scenarios: &[(
        "shared with a restart, kept over a move, a node without DLM stays out, and local again",
        shared_and_local,
    )],
};

/// The store of the device, on each node.
const STORE: &str = "/run/reserved";

const DEVICE: Device = Device { virtname: "shared", lun: 3 };

const NODES: [&str; 2] = ["alpha", "beta"];

/// The lock manager counts the node by its id in the cluster.
fn dlm_starts(cluster: &Cluster, node: &str) -> Outcome<()> {
    let machine = cluster.machines.iter().find(|machine| machine.name == node).ok_or("no such node")?;
    cluster.node(node).control(&format!("dlm start {}", machine.id))
}

/// Whether a node has the lockspace of the device.
fn joined(cluster: &Cluster, node: &str) -> Outcome<bool> {
    let entries = cluster.node(node).path("/sys/kernel/dlm").ok_or("no power")?;
    let names: Vec<String> = std::fs::read_dir(entries)
        .into_iter()
        .flatten()
        .map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()))
        .collect::<Result<_, _>>()?;
    Ok(names.iter().any(|name| name.starts_with("scst-") && name.ends_with("dummy_shared")))
}

fn joined_on(cluster: &Cluster, nodes: &[&str]) -> Outcome<()> {
    until("lockspaces where the group runs, and nowhere else", || {
        for node in NODES {
            if joined(cluster, node)? != nodes.contains(&node) {
                return Ok(Some(format!("lockspace on {node}: {}", joined(cluster, node)?)));
            }
        }
        Ok(None)
    })
}

/// Stops the group on both nodes and starts it again.
fn restarted(cluster: &Cluster) -> Outcome<()> {
    cluster.stop_group()?;
    cluster.idle()?;
    cluster.start_group()?;
    cluster.idle()
}

fn shared_and_local(cluster: &mut Cluster) -> Outcome<()> {
    shared(cluster)?;
    without(cluster)?;
    local(cluster)
}

fn shared(cluster: &Cluster) -> Outcome<()> {
    let group = dummy();
    for node in NODES {
        dlm_starts(cluster, node)?;
        cluster.node(node).run(&["truncate", "--size", "1M", STORE])?;
    }
    let device = DEVICE.parameter().replace("vdisk_nullio", "vdisk_fileio").replace(",dummy=1", "");
    cluster.set(group.resource, "device7", &format!("{device},filename={STORE}"))?;
    cluster.idle()?;
    cluster.set(group.resource, "reservations", "shared")?;
    cluster.idle()?;
    // Found without it: it waits for a restart.
    joined_on(cluster, &[])?;
    restarted(cluster)?;
    joined_on(cluster, &NODES)?;
    for node in NODES {
        promoted_after(cluster, node, Cluster::idle)?;
        joined_on(cluster, &NODES)?;
    }
    Ok(())
}

fn without(cluster: &Cluster) -> Outcome<()> {
    let group = dummy().resource;
    let promoted = cluster.status()?.promoted(group).ok_or("not one is promoted")?;
    let other = NODES.into_iter().find(|node| *node != promoted).ok_or("two nodes")?.to_owned();
    cluster.stand_by(&other)?;
    cluster.idle()?;
    joined_on(cluster, &[promoted.as_str()])?;
    cluster.node(&other).control("dlm stop")?;
    cluster.end_standby(&other)?;
    cluster.status_is("a reason that names DLM, and the other node serves", |status| {
        let failed = |failure: &String| failure.contains(&other) && failure.contains("DLM does not run on this node");
        status.failures.iter().any(failed) && status.promoted(group).as_deref() == Some(promoted.as_str())
    })?;
    cluster.idle()?;
    dlm_starts(cluster, &other)?;
    cluster.run(&["crm_resource", "--cleanup", "--resource", group, "--node", &other])?;
    cluster.status_is("it runs", |status| status.role(group, &other) == Some("Unpromoted"))?;
    cluster.idle()?;
    joined_on(cluster, &NODES)
}

fn local(cluster: &Cluster) -> Outcome<()> {
    let group = dummy().resource;
    for name in ["reservations", "device7"] {
        cluster.unset(group, name)?;
        cluster.idle()?;
    }
    restarted(cluster)?;
    joined_on(cluster, &[])?;
    promoted_on(cluster, "alpha")
}
