//! A node as `scst-ha status --json` showed it: its machine, and the configuration that the cluster had then.

use std::path::Path;
use std::sync::Arc;

use scst_core::cluster::{ClusterNode, Configuration, Configured, Nodes};
use scst_core::ocf::exit::Failure;
use serde::{Deserialize, Serialize};

use crate::scst_ha::files;
use crate::scst_ha::node::Node;
use crate::scst_ha::output::JSON_VERSION;
use crate::scst_ha::secrets::is_secret;
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
    nodes: Vec<ClusterNode>,
    /// Its resources, without parameters that are secret.
    resources: Vec<Configured>,
    /// What was seen of the machine.
    machine: Snapshot,
}

/// What every file says, whatever its version.
#[derive(Debug, Deserialize)]
struct Versioned {
    version: Option<u32>,
}

/// A file's outermost part.
#[derive(Debug, Deserialize)]
struct File {
    node: Option<String>,
    state: Option<State>,
}

impl State {
    /// Of what the cluster has configured and what was seen.
    pub(in crate::scst_ha) fn new(configuration: &Configuration, machine: Snapshot) -> Self {
        let resource = |resource: &Configured| {
            let mut shown = resource.clone();
            shown.params.retain(|name, _| !is_secret(name));
            shown
        };
        let resources = configuration.resources.iter().map(resource).collect();
        Self { nodes: configuration.nodes.0.clone(), resources, machine }
    }

    fn configuration(&self) -> Configuration {
        // What the nodes tell each other is no part of a plan.
        Configuration {
            nodes: Nodes(self.nodes.clone()),
            resources: self.resources.clone(),
            told: std::collections::BTreeMap::new(),
        }
    }
}

/// Reads a state file.
///
/// # Errors
///
/// That it is none, or one of another version.
pub(super) fn read(path: &Path, node: &Node) -> Result<Past, Failure> {
    parse(&files::read(path, &node.deadline)?).map_err(|why| {
        Failure::generic(format!("{} is no state of a node: {why}", path.display()))
            .with_hint("`scst-ha status --json` prints one")
    })
}

fn parse(bytes: &[u8]) -> Result<Past, String> {
    // The rest is passed over: it is large, and of another version it is another thing.
    let Versioned { version } = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if version != Some(JSON_VERSION) {
        let said = version.map_or("none".to_owned(), |version| version.to_string());
        return Err(format!("its version is {said}, and this program reads {JSON_VERSION}"));
    }
    let file: File = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let (Some(name), Some(state)) = (file.node, file.state) else {
        return Err("the node did not know its name in the cluster".to_owned());
    };
    let old = state.configuration();
    let places = state.machine.places.clone();
    let replay = Arc::new(Replay::new(state.machine));
    let machine = Node::replaying(Arc::clone(&replay), places);
    Ok(Past { node: name, old, machine, replay: Some(replay) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample() -> String {
        let xml = include_str!("../../../../tests/data/cib/sample.xml");
        let configuration = scst_core::cluster::parse_configuration(xml).unwrap();
        let state = serde_json::to_value(State::new(&configuration, Snapshot::default())).unwrap();
        serde_json::json!({ "version": JSON_VERSION, "node": "alpha", "state": state }).to_string()
    }

    #[test]
    fn what_was_configured_comes_back_but_for_what_is_secret() {
        let past = parse(sample().as_bytes()).unwrap();
        assert_eq!((past.node.as_str(), past.old.resources.len(), past.old.nodes.0.len()), ("alpha", 2, 2));
    }

    proptest! {
        /// A file that was cut, or garbled in one place, is refused or read.
        #[test]
        fn a_garbled_state_panics_nowhere(at: prop::sample::Index, cut in 0..60_usize, text in "[{}\\[\\]\",:0-9a-z]{0,6}|.{0,4}", rest: bool) {
            let whole = sample();
            let at = at.index(whole.len());
            let end = (at + cut).min(whole.len());
            let bytes = [&whole.as_bytes()[..at], text.as_bytes(), if rest { &whole.as_bytes()[end..] } else { &[] }].concat();
            if let Ok(past) = parse(&bytes) {
                prop_assert!(past.replay.is_some());
            }
        }
    }
}
