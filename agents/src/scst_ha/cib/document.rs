//! The type [`Cib`]: a configuration of the cluster with the document that it stands in, and where a resource is in it.

use scst_core::cluster::{Configuration, Element};
use scst_core::scst::host_id::ClusterId;
use scst_core::scst::names::Driver;

use crate::{scst_qla2xtgt, scst_target};

/// A configuration with everything that the checks look at.
#[derive(Debug)]
pub(in crate::scst_ha) struct Cib {
    pub(in crate::scst_ha) configuration: Configuration,
    /// The document.
    pub(in crate::scst_ha) root: Element,
}

impl Cib {
    /// Reads a document: a whole CIB or its configuration part.
    ///
    /// # Errors
    ///
    /// Why it is none.
    pub(in crate::scst_ha) fn parse(xml: &str) -> Result<Self, String> {
        let configuration = scst_core::cluster::parse_configuration(xml)?;
        let root = Element::parse(xml)?;
        if root.descendants("resources").is_empty() {
            return Err("it has no element resources".to_owned());
        }
        Ok(Self { configuration, root })
    }

    /// The cluster, where the configuration says what it is called.
    pub(in crate::scst_ha) fn cluster(&self) -> Option<ClusterId> {
        let options = self.root.descendants("crm_config").into_iter().flat_map(|config| config.descendants("nvpair"));
        let options: Vec<&Element> = options.collect();
        let of = |name: &str| options.iter().find(|pair| pair.get("name") == Some(name))?.get("value");
        of(scst_core::cluster::CLUSTER_NAME).map(|name| ClusterId::new(name, of(scst_core::cluster::MARK)))
    }

    /// The ids of the resources of an agent.
    pub(super) fn of_agent(&self, agent: &str) -> impl Iterator<Item = &scst_core::cluster::Configured> {
        let agent = agent.to_owned();
        self.configuration.resources.iter().filter(move |resource| resource.agent == agent)
    }

    /// The resources that set targets up, each with its driver.
    pub(super) fn of_targets(&self) -> impl Iterator<Item = (Driver, &scst_core::cluster::Configured)> {
        let fibre = self.of_agent(scst_qla2xtgt::table::TABLE.name).map(|resource| (Driver::Qla2x00t, resource));
        let any = self.of_agent(scst_target::table::TABLE.name);
        let any = any.filter_map(|resource| Some((Driver::parse(resource.params.get("tgtdriver")?).ok()?, resource)));
        fibre.chain(any)
    }

    /// A resource and the clones and groups around it, outermost first.
    pub(super) fn way(&self, id: &str) -> Vec<&Element> {
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
    pub(super) fn names(&self, id: &str) -> Vec<String> {
        self.way(id).into_iter().filter_map(|element| element.get("id").map(str::to_owned)).collect()
    }
}
