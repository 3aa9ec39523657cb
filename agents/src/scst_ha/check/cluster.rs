//! The cluster: its configuration, and what this node does of it.

use std::collections::BTreeSet;

use super::view::View;
use crate::scst_aluadg::agreement::Told;
use crate::scst_ha::cib::{self, Finding, Level};

/// Everything about the cluster.
pub(super) fn findings(view: &View<'_>) -> Vec<Finding> {
    let Some(cib) = &view.cib else {
        let text = view.status.cluster.clone().unwrap_or_else(|| "its configuration is not understood".to_owned());
        return vec![Finding::new(
            Level::Unknown,
            "cluster",
            text,
            "run it where Pacemaker runs, or see scst-ha plan --cib FILE",
        )];
    };
    let mut found = cib::findings(cib);
    if cib.configuration.resources.is_empty() {
        found.push(Finding::attention(
            "cluster",
            "no resource of these agents is configured",
            "README.md, \"Configure\"; scst-ha import",
        ));
    }
    for resource in &view.status.port_resources {
        found.push(compared(
            &format!("resource {}", resource.id),
            resource.running,
            resource.differences.len(),
            resource.left_out,
        ));
    }
    for group in &view.status.groups {
        let about = format!("device group {}", group.name);
        for fault in &group.faults {
            found.push(Finding::wrong(&about, fault, format!("scst-ha explain \"{fault}\"")));
        }
        if !group.resources.is_empty() {
            let running = group.role != crate::scst_ha::status::group::Role::Stopped;
            found.push(compared(&about, running, group.differences.len(), group.left_out));
        }
    }
    for unread in &view.status.unread {
        found.push(Finding::wrong("SCST", format!("could not be read: {unread}"), "dmesg"));
    }
    found.extend(versions(view));
    found
}

fn compared(about: &str, running: bool, differences: usize, left_out: bool) -> Finding {
    match (running, differences, left_out) {
        (_, 0, true) => Finding::attention(about, "something that is configured is left out", "scst-ha status"),
        (true, 0, false) => Finding::fine(about, "is as configured"),
        (false, 0, false) => Finding::unknown(about, "does not run on this node"),
        (_, count, _) => {
            Finding::attention(about, format!("differs from its configuration in {count} places"), "scst-ha status")
        }
    }
}

/// The agents of the nodes, as far as these have told of their devices with them. Nothing in the cluster knows what is installed.
fn versions(view: &View<'_>) -> Vec<Finding> {
    let own = env!("CARGO_PKG_VERSION");
    let rows = || view.status.groups.iter().flat_map(|group| &group.agreement);
    let here = |node: &str| view.status.node.as_deref() == Some(node);
    let nodes = view.cib.iter().flat_map(|cib| &cib.configuration.nodes.0);
    let mut found = vec![Finding::fine("agents", format!("these are of version {own}"))];
    for node in nodes.filter(|node| !here(&node.name) && !node.remote && node.targetports.is_some()) {
        let name = &node.name;
        let told: Vec<&Told> = rows().filter(|told| told.node == *name).collect();
        let other: BTreeSet<&str> =
            told.iter().filter_map(|told| told.agent.as_deref()).filter(|agent| *agent != own).collect();
        found.push(if told.iter().all(|told| told.agent.is_none()) {
            let text = format!(
                "the version on node {name} is not known: no instance there has told it. It is told with a group's devices, which an instance does \
                 that runs on both nodes"
            );
            Finding::new(Level::Unknown, "agents", text, format!("scst-ha --version on {name}"))
        } else if other.is_empty() {
            Finding::fine("agents", format!("those of node {name} are of this version"))
        } else {
            let other = other.into_iter().collect::<Vec<_>>().join(", ");
            let text = format!("those of node {name} were of version {other} when they last told of their devices, these are of {own}");
            Finding::attention("agents", text, "install one version on all nodes; a start tells it")
        });
    }
    found
}
