//! A node as `scst-ha status --json` showed it: its machine, and the configuration that the cluster had then.

use std::path::Path;
use std::sync::Arc;

use scst_core::cluster::{ClusterNode, Configuration, Configured, Nodes};
use scst_core::ocf::exit::Failure;
use serde::{Deserialize, Serialize};

use crate::scst_ha::files;
use crate::scst_ha::node::Node;
use crate::scst_ha::output::JSON_VERSION;
use crate::scst_ha::snapshot::{Replay, Snapshot};

/// What a plan begins with.
#[derive(Debug)]
pub(super) struct Past {
    pub(super) node: String,
    pub(super) old: Configuration,
    pub(super) machine: Node,
    /// The machine, where it is one that was.
    pub(super) replay: Option<Arc<Replay>>,
}

/// The part of a status that a plan needs.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::scst_ha) struct State {
    /// The nodes of the cluster.
    nodes: Vec<StateNode>,
    /// Its resources, without parameters that are secret.
    resources: Vec<StateResource>,
    /// What was seen of the machine.
    machine: Snapshot,
}

#[derive(Debug, Serialize, Deserialize)]
struct StateNode {
    name: String,
    id: String,
    targetports: Option<String>,
    remote: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct StateResource {
    id: String,
    agent: String,
    params: std::collections::BTreeMap<String, String>,
}

/// A file's outermost part.
#[derive(Debug, Deserialize)]
struct File {
    version: u32,
    node: Option<String>,
    state: Option<State>,
}

impl State {
    /// Of what the cluster has configured and what was seen.
    pub(in crate::scst_ha) fn new(configuration: &Configuration, machine: Snapshot) -> Self {
        let node = |node: &ClusterNode| StateNode {
            name: node.name.clone(),
            id: node.id.clone(),
            targetports: node.targetports.clone(),
            remote: node.remote,
        };
        let resource = |resource: &Configured| StateResource {
            id: resource.id.clone(),
            agent: resource.agent.clone(),
            params: resource
                .params
                .iter()
                .filter(|(name, _)| !is_secret(name))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
        };
        Self {
            nodes: configuration.nodes.0.iter().map(node).collect(),
            resources: configuration.resources.iter().map(resource).collect(),
            machine,
        }
    }

    fn configuration(&self) -> Configuration {
        let node = |node: &StateNode| ClusterNode {
            name: node.name.clone(),
            id: node.id.clone(),
            targetports: node.targetports.clone(),
            remote: node.remote,
        };
        let resource = |resource: &StateResource| Configured {
            id: resource.id.clone(),
            agent: resource.agent.clone(),
            params: resource.params.clone(),
            left_out: Vec::new(),
        };
        Configuration {
            nodes: Nodes(self.nodes.iter().map(node).collect()),
            resources: self.resources.iter().map(resource).collect(),
            // What the nodes tell each other is no part of a plan.
            told: std::collections::BTreeMap::new(),
        }
    }
}

/// A parameter that is never printed.
fn is_secret(name: &str) -> bool {
    ["secret", "password", "user", "chap"].iter().any(|word| name.to_ascii_lowercase().contains(word))
}

/// Reads a state file.
///
/// # Errors
///
/// That it is none, or one of another version.
pub(super) fn read(path: &Path, node: &Node) -> Result<Past, Failure> {
    let bytes = files::read(path, &node.deadline)?;
    let no_state = |why: String| {
        Failure::generic(format!("{} is no state of a node: {why}", path.display()))
            .with_hint("`scst-ha status --json` prints one")
    };
    let version = serde_json::from_slice::<serde_json::Value>(&bytes).map_err(|error| no_state(error.to_string()))?;
    let version = version.get("version").and_then(serde_json::Value::as_u64);
    if version != Some(u64::from(JSON_VERSION)) {
        let said = version.map_or("none".to_owned(), |version| version.to_string());
        return Err(no_state(format!("its version is {said}, and this program reads {JSON_VERSION}")));
    }
    let file: File = serde_json::from_slice(&bytes).map_err(|error| no_state(error.to_string()))?;
    debug_assert_eq!(file.version, JSON_VERSION);
    let (Some(name), Some(state)) = (file.node, file.state) else {
        return Err(no_state("the node did not know its name in the cluster".to_owned()));
    };
    let old = state.configuration();
    let places = state.machine.places.clone();
    let replay = Arc::new(Replay::new(state.machine));
    let machine = Node::replaying(Arc::clone(&replay), places);
    Ok(Past { node: name, old, machine, replay: Some(replay) })
}
