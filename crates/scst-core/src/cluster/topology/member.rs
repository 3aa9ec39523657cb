//! Makes a [`Member`] of one node's entry in the CIB, or says why it has no numbers: a failure for the local node, a
//! warning for a peer.

use super::numbers::{MAX_COUNT, MAX_ID, Member, Port, entries, numbered};
use super::repeated::{Repeated, of_another_driver};
use crate::cluster::{ClusterNode, Nodes, TARGETPORTS};
use crate::ocf::exit::Failure;
use crate::scst::names::{Driver, NameError, NodeName, TargetName};

/// The local node must be a member of the cluster that can serve targets.
pub(super) fn local_node<'a>(nodes: &'a Nodes, local: &str) -> Result<&'a ClusterNode, Failure> {
    let node = nodes.node(local).ok_or_else(|| {
        Failure::installed(format!("node {local} is not in the CIB, so it has no {TARGETPORTS}"))
            .with_hint("compare the node names of the cluster with this node's name")
    })?;
    if node.remote {
        return Err(Failure::installed(format!("node {local} is a remote node, which cannot serve targets")));
    }
    Ok(node)
}

/// The local node must have numbers, or nothing can be started here.
pub(super) fn local_member(
    node: &ClusterNode,
    driver: Driver,
    repeated: &Repeated<'_>,
    warnings: &mut Vec<String>,
) -> Result<Member, Failure> {
    let name = &node.name;
    // Named whatever else is wrong: often the reason of it.
    let names = names(node, driver, warnings);
    repeated.refuse(name, warnings)?;
    if entries(node).next().is_none() {
        return Err(Failure::installed(format!("node {name} has no {TARGETPORTS} attribute"))
            .with_hint(format!("crm_attribute --node {name} --name {TARGETPORTS} --update PORT,PORT")));
    }
    let unusable = |error: &NameError| Failure::args(format!("node name {name} cannot name a target group: {error}"));
    let checked = NodeName::parse(name).map_err(|error| unusable(&error))?;
    let id = small_id(node).ok_or_else(|| {
        Failure::args(format!("node {name} has the id {}, target ids exist for 1 to {MAX_ID}", node.id))
            .with_hint("give the node a nodeid from 1 to 654 in corosync.conf")
    })?;
    let count = entries(node).count();
    if count > MAX_COUNT {
        return Err(Failure::args(format!("node {name} lists {count} ports, target ids exist for {MAX_COUNT}"))
            .with_hint(format!("shorten {TARGETPORTS} of this node")));
    }
    let ports = ports(names, id);
    if ports.is_empty() {
        return Err(Failure::installed(format!("{TARGETPORTS} of node {name} has no port of driver {driver}")));
    }
    Ok(Member { name: checked, id, ports })
}

/// A peer without numbers is left out: this node can serve without publishing the other's paths.
pub(super) fn peer_member(
    node: &ClusterNode,
    driver: Driver,
    repeated: &Repeated<'_>,
    warnings: &mut Vec<String>,
) -> Option<Member> {
    let name = &node.name;
    let count = entries(node).count();
    if count == 0 {
        return None;
    }
    let checked = match NodeName::parse(name) {
        Ok(checked) => checked,
        Err(error) => {
            warnings.push(format!("node {name} is left out, its name cannot name a target group: {error}"));
            return None;
        }
    };
    let Some(id) = small_id(node) else {
        warnings
            .push(format!("node {name} is left out: it has the id {}, target ids exist for 1 to {MAX_ID}", node.id));
        return None;
    };
    if count > MAX_COUNT {
        warnings.push(format!("node {name} is left out: it lists {count} ports, target ids exist for {MAX_COUNT}"));
        return None;
    }
    let mut names = names(node, driver, warnings);
    names.retain(|(_, name)| !repeated.has(name.as_str()));
    // A target group without a port would count as local, so a peer without one has none.
    let ports = ports(names, id);
    (!ports.is_empty()).then_some(Member { name: checked, id, ports })
}

/// The node's id, if numbers exist for it.
fn small_id(node: &ClusterNode) -> Option<u16> {
    node.id.parse().ok().filter(|id| (1..=MAX_ID).contains(id))
}

/// The names of this driver in a node's list, each with its place there (from 1). What is a name of no driver is warned about.
fn names(node: &ClusterNode, driver: Driver, warnings: &mut Vec<String>) -> Vec<(usize, TargetName)> {
    let mut names = Vec::new();
    for (place, entry) in entries(node).enumerate() {
        match TargetName::parse(driver, entry) {
            Ok(name) if driver.takes(entry) => names.push((place + 1, name)),
            Ok(_) => {}
            // A node may have ports of several drivers in its list; only what is a port of none is a mistake.
            Err(_) if of_another_driver(entry) => {}
            Err(error) => {
                let name = &node.name;
                warnings.push(format!("entry {entry:?} of {TARGETPORTS} of node {name} is ignored: {error}"));
            }
        }
    }
    names
}

/// The names with the numbers of their places.
fn ports(names: Vec<(usize, TargetName)>, id: u16) -> Vec<Port> {
    let numbered = |(place, name)| Some(Port { name, rel_tgt_id: numbered(id, place)? });
    names.into_iter().filter_map(numbered).collect()
}
