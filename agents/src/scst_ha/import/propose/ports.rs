//! The nodes and their ports.

use std::collections::BTreeMap;

use super::super::proposal::{Node, Place, Proposal};
use super::super::source::{Source, Target};

/// The targets that the configuration takes over: those that answer hosts, of drivers that the agents know.
pub(super) fn served<'a>(source: &'a Source, proposal: &mut Proposal) -> Vec<&'a Target> {
    let mut served = Vec::new();
    for target in &source.targets {
        let about = format!("port {}", target.name);
        let Some(driver) = target.known_driver() else {
            proposal.remark(
                !target.groups.is_empty(),
                &about,
                format!("no agent serves the driver {}: left out", target.driver),
            );
            continue;
        };
        let enabled = target.attributes.get("enabled").is_some_and(|value| value.starts_with('1'));
        if !enabled && !driver.always_enabled() {
            proposal.remark(false, &about, "is not enabled: left out");
            continue;
        }
        served.push(target);
    }
    served
}

/// A peer: its id, and its ports with their numbers.
type Peer = (Option<u32>, BTreeMap<String, Option<u32>>);

/// The nodes, each with its ports in the order of their numbers.
pub(super) fn nodes(source: &Source, place: &Place, served: &[&Target], proposal: &mut Proposal) {
    let local = served.iter().map(|target| (target.name.clone(), relative_id(target.attributes.get("rel_tgt_id"))));
    let own = source.groups.iter().flat_map(|group| &group.target_groups);
    let own = own.filter(|group| group.targets.iter().any(|(target, _)| source.has_target(target)));
    let mut ids: Vec<u32> = own.filter_map(|group| group.attributes.get("group_id")?.trim().parse().ok()).collect();
    ids.dedup();
    let told = place.ids.get(&place.node).copied();
    let id = told.or(if let [id] = ids.as_slice() { Some(*id) } else { None }).filter(|id| *id > 0);
    if let (Some(told), Some(other)) = (told, ids.iter().find(|id| Some(**id) != told)) {
        let text = format!("its target group has the id {other} and gets {told}: hosts see another target port group");
        proposal.remark(true, format!("node {}", place.node), text);
    }
    add(place.node.clone(), id, local.collect(), proposal);
    let mut peers: BTreeMap<&str, Peer> = BTreeMap::new();
    for group in source.groups.iter().flat_map(|group| &group.target_groups) {
        if group.targets.is_empty() || group.targets.iter().any(|(target, _)| source.has_target(target)) {
            if !group.targets.is_empty() && group.name != place.node {
                let text = format!("it is called {} in its target group, which becomes {}", group.name, place.node);
                proposal.remark(false, format!("node {}", place.node), text);
            }
            continue;
        }
        let (id, ports) = peers.entry(&group.name).or_default();
        *id = id.or(group.attributes.get("group_id").and_then(|id| id.trim().parse().ok()));
        ports.extend(group.targets.iter().map(|(target, id)| (target.clone(), relative_id(id.as_ref()))));
    }
    for (name, (id, ports)) in peers {
        let told = place.ids.get(name).copied();
        if !place.ids.is_empty() && told.is_none() {
            let text =
                "is a target group of that name and no node of the cluster: give its ports to the node that has them";
            proposal.remark(true, format!("node {name}"), text);
        }
        add(name.to_owned(), told.or(id), ports.into_iter().collect(), proposal);
    }
}

fn relative_id(text: Option<&String>) -> Option<u32> {
    text.and_then(|text| text.trim().parse().ok()).filter(|id| *id > 0)
}

fn add(name: String, id: Option<u32>, mut ports: Vec<(String, Option<u32>)>, proposal: &mut Proposal) {
    // Those without a number come last, in the order in which they were found.
    ports.sort_by_key(|(_, number)| number.unwrap_or(u32::MAX));
    for ((port, number), place) in ports.iter().zip(1..) {
        let new = id.map(|id| id * 100 + place);
        if let (Some(number), Some(new)) = (number, new.filter(|new| Some(*new) != *number)) {
            let text = format!("its relative target id {number} becomes {new}: hosts take it for another port");
            proposal.remark(true, format!("port {port}"), text);
        }
    }
    if id.is_none() {
        proposal.remark(false, format!("node {name}"), "its id is not known: numbers of ports may become others");
    }
    if !ports.is_empty() {
        proposal.nodes.push(Node { name, id, targetports: ports.into_iter().map(|(port, _)| port).collect() });
    }
}
