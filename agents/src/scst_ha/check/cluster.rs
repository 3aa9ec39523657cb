//! The cluster: its configuration, and what this node does of it.

use super::View;
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
        found.push(Finding::new(
            Level::Attention,
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
            found.push(Finding::new(Level::Wrong, &about, fault, format!("scst-ha explain \"{fault}\"")));
        }
        if !group.resources.is_empty() {
            let running = group.role != crate::scst_ha::status::groups::Role::Stopped;
            found.push(compared(&about, running, group.differences.len(), group.left_out));
        }
    }
    for unread in &view.status.unread {
        found.push(Finding::new(Level::Wrong, "SCST", format!("could not be read: {unread}"), "dmesg"));
    }
    let version = format!("these are of version {}; those of other nodes are not looked at", env!("CARGO_PKG_VERSION"));
    found.push(Finding::new(Level::Unknown, "agents", version, ""));
    found
}

fn compared(about: &str, running: bool, differences: usize, left_out: bool) -> Finding {
    match (running, differences, left_out) {
        (_, 0, true) => {
            Finding::new(Level::Attention, about, "something that is configured is left out", "scst-ha status")
        }
        (true, 0, false) => Finding::new(Level::Fine, about, "is as configured", ""),
        (false, 0, false) => Finding::new(Level::Unknown, about, "does not run on this node", ""),
        (_, count, _) => Finding::new(
            Level::Attention,
            about,
            format!("differs from its configuration in {count} places"),
            "scst-ha status",
        ),
    }
}
