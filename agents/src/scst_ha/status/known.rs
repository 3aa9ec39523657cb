//! The type [`Known`]: what the cluster says of nodes and resources, as far as it was asked and answered.

use scst_core::cluster::{Configuration, Configured, Refused, Topology};
use scst_core::ocf::exit::Failure;
use scst_core::scst::names::{Driver, NodeName};

/// What the cluster says, as far as it was asked and answered.
pub(super) struct Known {
    pub(super) local: Option<NodeName>,
    pub(super) configuration: Configuration,
}

impl Known {
    /// The resources of an agent.
    pub(super) fn of_agent<'a>(&'a self, agent: &'a str) -> impl Iterator<Item = &'a Configured> + 'a {
        self.configuration.resources.iter().filter(move |resource| resource.agent == agent)
    }

    /// The numbers of all nodes, and what was left out of them.
    pub(super) fn topology(&self, driver: Driver) -> Option<(Result<Topology, Failure>, Vec<String>)> {
        Some(match Topology::build(&self.configuration.nodes, self.local.as_ref()?.as_str(), driver) {
            Ok((topology, warnings)) => (Ok(topology), warnings),
            Err(Refused { failure, warnings }) => (Err(failure), warnings),
        })
    }
}
