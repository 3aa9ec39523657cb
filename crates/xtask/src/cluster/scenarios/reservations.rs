//! Persistent reservations that the nodes share: DLM before the group, and a node without it.
//!
//! `dlm_controld` cannot run in the namespaces of the rig: the simulated kernel has a lock manager of its own on each node, of which the agents see
//! the same directories.

use super::super::chapter::Chapter;
use super::super::config::{Device, dummy};
use super::super::running::{Cluster, Outcome, until};
use super::planned::{promoted_on, set};

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
    let group = dummy();
    let role = |value: &str| {
        cluster.run(&[
            "crm_resource",
            "--resource",
            &group.clone_id(),
            "--meta",
            "--set-parameter",
            "target-role",
            "--parameter-value",
            value,
        ])
    };
    role("Stopped")?;
    cluster.status_is("stopped", |status| !status.roles.keys().any(|(resource, _)| resource == group.resource))?;
    cluster.idle()?;
    cluster.run(&["crm_resource", "--resource", &group.clone_id(), "--meta", "--delete-parameter", "target-role"])?;
    cluster.status_is("started and promoted", |status| status.promoted(group.resource).is_some())?;
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
    set(cluster, group.resource, "device7", &format!("{device},filename={STORE}"))?;
    cluster.idle()?;
    set(cluster, group.resource, "reservations", "shared")?;
    cluster.idle()?;
    // Found without it: it waits for a restart.
    joined_on(cluster, &[])?;
    restarted(cluster)?;
    joined_on(cluster, &NODES)?;
    for node in NODES {
        promoted_quietly(cluster, node)?;
        joined_on(cluster, &NODES)?;
    }
    Ok(())
}

/// Moves the role. The standard view does not know of the device.
fn promoted_quietly(cluster: &Cluster, node: &str) -> Outcome<()> {
    let group = dummy();
    cluster.idle()?;
    if cluster.status()?.promoted(group.resource).as_deref() != Some(node) {
        cluster.run(&["crm_resource", "--resource", &group.clone_id(), "--move", "--promoted", "--node", node])?;
    }
    cluster.status_is("promoted there", |status| status.promoted(group.resource).as_deref() == Some(node))?;
    cluster.idle()?;
    cluster.run(&["crm_resource", "--resource", &group.clone_id(), "--clear"])?;
    cluster.idle()
}

fn without(cluster: &Cluster) -> Outcome<()> {
    let group = dummy().resource;
    let promoted = cluster.status()?.promoted(group).ok_or("not one is promoted")?;
    let other = NODES.into_iter().find(|node| *node != promoted).ok_or("two nodes")?.to_owned();
    cluster.run(&["crm_standby", "--node", &other, "--update", "on"])?;
    cluster.status_is("in standby", |status| !status.roles.keys().any(|(_, node)| *node == other))?;
    cluster.idle()?;
    joined_on(cluster, &[promoted.as_str()])?;
    cluster.node(&other).control("dlm stop")?;
    cluster.run(&["crm_standby", "--node", &other, "--delete"])?;
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
        cluster.run(&["crm_resource", "--resource", group, "--delete-parameter", name])?;
        cluster.idle()?;
    }
    restarted(cluster)?;
    joined_on(cluster, &[])?;
    promoted_on(cluster, "alpha")
}
