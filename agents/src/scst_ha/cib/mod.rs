//! What can be seen of a configuration of the cluster without any node: mistakes in it that the agents cannot see, each of them by itself.

mod constraints;
mod document;
mod exports;
mod finding;
mod operations;
mod reservations;

pub(super) use self::document::Cib;
pub(super) use self::finding::{Finding, Level};

use scst_core::cluster::{Refused, Topology};
use scst_core::scst::names::Driver;

use crate::scst_aluadg;

/// Everything that is to be said of it.
pub(super) fn findings(cib: &Cib) -> Vec<Finding> {
    let mut found = nodes(cib);
    found.extend(exports::findings(cib));
    found.extend(constraints::findings(cib));
    found.extend(reservations::findings(cib));
    found.extend(operations::findings(cib));
    found.extend(fencing(cib));
    found
}

/// The lists of ports: whether each node that has one has numbers for it.
fn nodes(cib: &Cib) -> Vec<Finding> {
    let drivers = cib
        .of_agent(scst_aluadg::table::TABLE.name)
        .filter_map(|resource| Driver::parse(resource.params.get("tgtdriver")?).ok());
    let ports = cib.of_targets().map(|(driver, _)| driver);
    let drivers: std::collections::BTreeSet<Driver> = drivers.chain(ports).collect();
    let mut found = Vec::new();
    let nodes = &cib.configuration.nodes;
    for driver in drivers {
        for node in nodes.0.iter().filter(|node| !node.remote && node.targetports.is_some()) {
            let about = format!("node {}", node.name);
            match Topology::build(nodes, &node.name, driver) {
                Ok(_) => found.push(Finding::fine(about, format!("targetports has numbers for its ports of {driver}"))),
                Err(Refused { failure, .. }) => {
                    found.push(Finding::wrong(about, failure.reason, failure.hint.unwrap_or_default()));
                }
            }
        }
        if nodes.0.iter().filter(|node| node.targetports.is_some()).count() < 2 {
            let text = format!("fewer than two nodes have targetports with ports of {driver}");
            found.push(Finding::attention("nodes", text, "scst-ha discover --set on each node that is to serve"));
        }
    }
    found
}

/// Fencing, without which a node that is cut off goes on writing.
fn fencing(cib: &Cib) -> Vec<Finding> {
    if cib.configuration.resources.is_empty() {
        return Vec::new();
    }
    let off = cib.root.descendants("crm_config").into_iter().any(|config| {
        config
            .descendants("nvpair")
            .iter()
            .any(|pair| pair.get("name") == Some("stonith-enabled") && pair.get("value") == Some("false"))
    });
    let devices =
        cib.root.descendants("primitive").iter().filter(|primitive| primitive.get("class") == Some("stonith")).count();
    let cure = "give every node a fence device and set stonith-enabled=true: operations.md, \"Fencing first\"";
    if off {
        return vec![Finding::wrong("fencing", "is switched off: two nodes may come to write one disk", cure)];
    }
    if devices == 0 {
        return vec![Finding::wrong("fencing", "there is no fence device: Pacemaker starts nothing", cure)];
    }
    vec![Finding::fine("fencing", format!("is on, with {devices} devices"))]
}

#[cfg(test)]
mod tests;
