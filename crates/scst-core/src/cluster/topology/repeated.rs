//! Ports that the nodes' lists name twice: a failure where the local node lists one, otherwise a warning, and the port
//! is left out.

use std::collections::BTreeMap;

use super::numbers::entries;
use crate::cluster::{Nodes, TARGETPORTS};
use crate::ocf::exit::Failure;
use crate::scst::names::{Driver, TargetName};

/// The names that stand in more than one place of the lists of all nodes. One port cannot have two numbers, nor two nodes. What
/// is a name of no driver is no port, however often it keeps a place.
pub(super) struct Repeated<'a> {
    driver: Driver,
    /// By the form under which equal names are equal: the nodes that list it, one for each place, and a spelling.
    names: BTreeMap<String, (Vec<&'a str>, &'a str)>,
}

impl<'a> Repeated<'a> {
    pub(super) fn find(nodes: &'a Nodes, driver: Driver) -> Self {
        let mut names: BTreeMap<String, (Vec<&str>, &str)> = BTreeMap::new();
        for node in nodes.0.iter().filter(|node| !node.remote) {
            for entry in entries(node) {
                let Some(key) = key(driver, entry) else { continue };
                let (places, spelling) = names.entry(key).or_default();
                places.push(&node.name);
                *spelling = entry;
            }
        }
        names.retain(|_, (places, _)| places.len() > 1);
        Self { driver, names }
    }

    pub(super) fn has(&self, entry: &str) -> bool {
        key(self.driver, entry).is_some_and(|key| self.names.contains_key(&key))
    }

    /// Says in whose lists each of the names stands that `of` accepts by the names of the nodes.
    pub(super) fn sentences(&self, of: impl Fn(&[&str]) -> bool) -> Vec<String> {
        let listed = self.names.values().filter(|(places, _)| of(places));
        listed
            .map(|(places, port)| {
                let mut nodes = places.clone();
                nodes.dedup();
                if let [node] = nodes.as_slice() {
                    format!("port {port} is listed twice in {TARGETPORTS} of node {node}")
                } else {
                    format!("port {port} is listed in {TARGETPORTS} of node {}", nodes.join(" and of node "))
                }
            })
            .collect()
    }

    /// The local node cannot start with them.
    pub(super) fn refuse(&self, local: &str, warnings: &mut Vec<String>) -> Result<(), Failure> {
        let mut sentences = self.sentences(|places| places.contains(&local)).into_iter();
        let Some(first) = sentences.next() else { return Ok(()) };
        warnings.extend(sentences);
        Err(Failure::args(first)
            .with_hint("every port belongs into the attribute of one node, once; correct it and clean up the resource"))
    }

    /// What does not concern the local node is no reason to keep it from serving.
    pub(super) fn elsewhere(&self, local: &str) -> impl Iterator<Item = String> {
        let sentences = self.sentences(|places| !places.contains(&local)).into_iter();
        sentences.map(|sentence| format!("{sentence}: it is left out of every target group"))
    }
}

/// The form under which names of one port are equal; `None` for what is a name of no driver.
fn key(driver: Driver, entry: &str) -> Option<String> {
    let name = TargetName::parse(driver, entry).ok().map(|name| name.key());
    name.or_else(|| of_another_driver(entry).then(|| entry.to_ascii_lowercase()))
}

/// Whether the entry is a name of one of the drivers that have a grammar of their own.
pub(super) fn of_another_driver(entry: &str) -> bool {
    [Driver::Qla2x00t, Driver::Iscsi, Driver::IbSrpt].into_iter().any(|driver| TargetName::parse(driver, entry).is_ok())
}
