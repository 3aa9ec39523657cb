//! What can be seen of a configuration of the cluster without any node: mistakes in it that the agents cannot see, each of them by itself.

mod constraints;
mod exports;
mod operations;
mod reservations;

use scst_core::cluster::{Configuration, Element, Refused, Topology};
use scst_core::scst::host_id::ClusterId;
use scst_core::scst::names::Driver;
use serde::Serialize;

use crate::{scst_aluadg, scst_qla2xtgt, scst_target};

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    /// As it should be.
    Fine,
    /// Not looked at, or of no concern here.
    Unknown,
    /// It may be meant so.
    Attention,
    /// It is a mistake.
    Wrong,
}

/// Something about the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) level: Level,
    /// What it is about.
    pub(super) about: String,
    /// How it is.
    pub(super) text: String,
    /// What to do; empty where nothing is to be done.
    pub(super) cure: String,
}

impl Finding {
    pub(super) fn new(level: Level, about: impl ToString, text: impl ToString, cure: impl ToString) -> Self {
        Self { level, about: about.to_string(), text: text.to_string(), cure: cure.to_string() }
    }
}

/// A configuration with everything that the checks look at.
#[derive(Debug)]
pub(super) struct Cib {
    pub(super) configuration: Configuration,
    /// The document.
    pub(super) root: Element,
}

impl Cib {
    /// Reads a document: a whole CIB or its configuration part.
    ///
    /// # Errors
    ///
    /// Why it is none.
    pub(super) fn parse(xml: &str) -> Result<Self, String> {
        let configuration = scst_core::cluster::parse_configuration(xml)?;
        let root = Element::parse(xml)?;
        if root.descendants("resources").is_empty() {
            return Err("it has no element resources".to_owned());
        }
        Ok(Self { configuration, root })
    }

    /// The cluster, where the configuration says what it is called.
    pub(super) fn cluster(&self) -> Option<ClusterId> {
        let options = self.root.descendants("crm_config").into_iter().flat_map(|config| config.descendants("nvpair"));
        let options: Vec<&Element> = options.collect();
        let of = |name: &str| options.iter().find(|pair| pair.get("name") == Some(name))?.get("value");
        of(scst_core::cluster::CLUSTER_NAME).map(|name| ClusterId::new(name, of(scst_core::cluster::MARK)))
    }

    /// The ids of the resources of an agent.
    fn of_agent(&self, agent: &str) -> impl Iterator<Item = &scst_core::cluster::Configured> {
        let agent = agent.to_owned();
        self.configuration.resources.iter().filter(move |resource| resource.agent == agent)
    }

    /// The resources that set targets up, each with its driver.
    fn of_targets(&self) -> impl Iterator<Item = (Driver, &scst_core::cluster::Configured)> {
        let fibre = self.of_agent(scst_qla2xtgt::table::TABLE.name).map(|resource| (Driver::Qla2x00t, resource));
        let any = self.of_agent(scst_target::table::TABLE.name);
        let any = any.filter_map(|resource| Some((Driver::parse(resource.params.get("tgtdriver")?).ok()?, resource)));
        fibre.chain(any)
    }

    /// A resource and the clones and groups around it, outermost first.
    fn way(&self, id: &str) -> Vec<&Element> {
        fn walk<'x>(element: &'x Element, id: &str, way: &mut Vec<&'x Element>) -> bool {
            for child in &element.children {
                way.push(child);
                let here = child.name == "primitive" && child.get("id") == Some(id);
                if here || (["clone", "master", "group"].contains(&child.name.as_str()) && walk(child, id, way)) {
                    return true;
                }
                way.pop();
            }
            false
        }
        let mut way = Vec::new();
        self.root.descendants("resources").into_iter().any(|resources| walk(resources, id, &mut way));
        way
    }

    /// The names under which constraints may mean a resource: its own, and those of what it stands in.
    fn names(&self, id: &str) -> Vec<String> {
        self.way(id).into_iter().filter_map(|element| element.get("id").map(str::to_owned)).collect()
    }
}

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
                Ok(_) => found.push(Finding::new(
                    Level::Fine,
                    about,
                    format!("targetports has numbers for its ports of {driver}"),
                    "",
                )),
                Err(Refused { failure, .. }) => {
                    found.push(Finding::new(Level::Wrong, about, failure.reason, failure.hint.unwrap_or_default()));
                }
            }
        }
        if nodes.0.iter().filter(|node| node.targetports.is_some()).count() < 2 {
            let text = format!("fewer than two nodes have targetports with ports of {driver}");
            found.push(Finding::new(
                Level::Attention,
                "nodes",
                text,
                "scst-ha discover --set on each node that is to serve",
            ));
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
        return vec![Finding::new(
            Level::Wrong,
            "fencing",
            "is switched off: two nodes may come to write one disk",
            cure,
        )];
    }
    if devices == 0 {
        return vec![Finding::new(Level::Wrong, "fencing", "there is no fence device: Pacemaker starts nothing", cure)];
    }
    vec![Finding::new(Level::Fine, "fencing", format!("is on, with {devices} devices"), "")]
}

#[cfg(test)]
mod tests;
