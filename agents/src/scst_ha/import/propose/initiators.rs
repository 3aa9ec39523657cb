//! The resources that set targets up, one per driver: who is in which initiator group, and what else targets have.

use scst_core::scst::attribute::{self, ALIAS};
use scst_core::scst::iscsi::Portal;
use scst_core::scst::names::{Driver, InitiatorName};

use super::super::attributes::{TARGET, unsaid};
use super::super::proposal::{Place, Proposal, Resource};
use super::super::source::{IniGroup, Source, Target};
use super::{names, users};
use crate::{scst_qla2xtgt, scst_target};

/// A resource for each driver that has targets.
pub(super) fn resources(source: &Source, place: &Place, served: &[&Target], proposal: &mut Proposal) {
    let mut drivers: Vec<Driver> = served.iter().filter_map(|target| target.known_driver()).collect();
    drivers.sort_unstable();
    drivers.dedup();
    for driver in drivers {
        let targets: Vec<&Target> =
            served.iter().copied().filter(|target| target.known_driver() == Some(driver)).collect();
        resource(source, place, driver, &targets, proposal);
    }
}

/// Whether the resource of this target carries its attributes.
pub(super) fn says_attributes(proposal: &Proposal, target: &Target) -> bool {
    proposal.resources.iter().any(|resource| {
        resource.agent == scst_target::table::TABLE.name
            && resource.params.iter().any(|(name, value)| name == "tgtdriver" && *value == target.driver)
    })
}

fn resource(source: &Source, place: &Place, driver: Driver, targets: &[&Target], proposal: &mut Proposal) {
    let groups = groups(place, targets, proposal);
    if groups.is_empty() {
        let text = "there is no initiator group: no host would see anything";
        proposal.remark(true, format!("driver {driver}"), text);
        return;
    }
    // The agent for Fibre Channel takes no patterns, and no attributes.
    let plain = |initiator: &InitiatorName| InitiatorName::parse(initiator.as_str()).is_ok();
    let only_ports = driver == Driver::Qla2x00t
        && groups.iter().flat_map(|group| &group.initiators).all(plain)
        && targets.iter().all(|target| unsaid(&TARGET, &target.attributes, false).is_empty());
    let word = |group: &Group| {
        let names: Vec<&str> = group.initiators.iter().map(InitiatorName::as_str).collect();
        format!("{}={}", group.name, names.join(","))
    };
    let words: Vec<String> = groups.iter().map(word).collect();
    let initiators = ("initiators".to_owned(), words.join(";"));
    if only_ports {
        proposal.resources.push(Resource {
            id: "scst_qla".to_owned(),
            clone: "cl_scst_qla".to_owned(),
            agent: scst_qla2xtgt::table::TABLE.name,
            params: vec![initiators],
        });
        return;
    }
    let mut params = vec![("tgtdriver".to_owned(), driver.to_string()), initiators];
    settings(driver, targets, place.written, &mut params, proposal);
    if driver == Driver::Iscsi {
        users::add(source, driver, targets, &mut params, proposal);
    }
    let id = format!("scst_{}", driver.dir().trim_start_matches("scst_"));
    let clone = format!("cl_{id}");
    proposal.resources.push(Resource { id, clone, agent: scst_target::table::TABLE.name, params });
}

/// An initiator group of all targets of a driver.
struct Group {
    name: String,
    /// The name that it had.
    old: String,
    /// Its number says which place it has among the groups that have one: the agents gave it.
    numbered: bool,
    initiators: Vec<InitiatorName>,
}

fn groups(place: &Place, targets: &[&Target], proposal: &mut Proposal) -> Vec<Group> {
    let id = proposal.nodes.iter().find(|node| node.name == place.node).and_then(|node| node.id);
    let mut groups: Vec<(String, Vec<&IniGroup>)> = Vec::new();
    for group in targets.iter().flat_map(|target| &target.groups) {
        let name = names::initiator_group(&group.name).to_string();
        match groups.iter_mut().find(|(known, _)| *known == name) {
            Some((_, same)) => same.push(group),
            None => groups.push((name, vec![group])),
        }
    }
    // I/O groups are numbered by the place in the list.
    let numbered = |groups: &[&IniGroup]| {
        let number: Option<u32> =
            groups.iter().find_map(|group| group.attributes.get("io_grouping_type")?.trim().parse().ok());
        number.filter(|number| id.is_some_and(|id| number / 100 == id))
    };
    // Without numbers they come in the order of their names, in which scstadmin makes them.
    groups.sort_by_cached_key(|(_, same)| (numbered(same).unwrap_or(u32::MAX), same[0].name.clone()));
    let named = groups.into_iter().zip(1_u32..);
    let group = |((name, same), place): ((String, Vec<&IniGroup>), u32)| Group {
        numbered: numbered(&same).is_some(),
        ..group(id, targets, name, &same, place, proposal)
    };
    let groups: Vec<Group> = named.map(group).collect();
    overlaps(place, &groups, proposal);
    groups
}

/// Of two groups that match one initiator the kernel takes the one that was made first, and it does not show which one that is.
fn overlaps(place: &Place, groups: &[Group], proposal: &mut Proposal) {
    for (at, second) in groups.iter().enumerate() {
        for first in &groups[..at] {
            let matched = |own: &&InitiatorName| first.initiators.iter().any(|name| both_match(name, own));
            let Some(initiator) = second.initiators.iter().find(matched) else { continue };
            let (said, hosts_notice) = if place.written && first.old > second.old {
                ("from now on; scstadmin makes groups in the order of their names, so that it came behind", true)
            } else if place.written {
                ("and is the one that counts", false)
            } else if first.numbered && second.numbered {
                continue;
            } else {
                (
                    "from now on; which of the two groups was made first, and counted so far, the kernel does not show: \
                     see to their order in `initiators`",
                    true,
                )
            };
            let text =
                format!("initiator {initiator} is matched by group {} as well, which comes first {said}", first.name);
            proposal.remark(hosts_notice, format!("initiator group {}", second.name), text);
        }
    }
}

/// Whether an initiator can exist that both match. Most are names, which are the same or not.
fn both_match(one: &InitiatorName, other: &InitiatorName) -> bool {
    let is_name = |name: &InitiatorName| !name.as_str().contains(['*', '?', '!']);
    if is_name(one) && is_name(other) { one == other } else { one.overlaps(other) }
}

fn group(
    id: Option<u32>,
    targets: &[&Target],
    name: String,
    same: &[&IniGroup],
    place: u32,
    proposal: &mut Proposal,
) -> Group {
    let about = format!("initiator group {name}");
    if let Some(group) = same.iter().find(|group| group.name != *name) {
        let text = format!("is spelled {} now: the old one must be gone before the ports start", group.name);
        proposal.remark(false, &about, text);
    }
    let old = same[0].attributes.get("io_grouping_type").map_or("auto", |value| value.trim());
    if let Some(new) = id.map(|id| id * 100 + place).filter(|new| new.to_string() != old) {
        proposal.remark(false, &about, format!("its I/O group {old} becomes {new}: commands are ordered within it"));
    }
    let read = |text: &str| {
        let driver = targets.first().and_then(|target| target.known_driver()).unwrap_or(Driver::Qla2x00t);
        InitiatorName::of_driver(driver, text)
            .and_then(|name| if name.as_str().contains(',') { InitiatorName::parse("") } else { Ok(name) })
    };
    let mut initiators: Vec<InitiatorName> = Vec::new();
    for initiator in same.iter().flat_map(|group| &group.initiators) {
        match read(initiator) {
            Ok(name) if !initiators.contains(&name) => initiators.push(name),
            Ok(_) => {}
            Err(error) => {
                let text = format!("initiator {initiator:?} cannot be said, {error}: it loses its LUNs");
                proposal.remark(true, &about, text);
            }
        }
    }
    let differs = |group: &&IniGroup| {
        let known = |wanted: &InitiatorName| {
            group.initiators.iter().any(|known| read(known).is_ok_and(|known| known == *wanted))
        };
        !initiators.iter().all(known)
    };
    if same.iter().any(differs) || same.len() < targets.len() {
        let text = "it is not the same on every port, and becomes so: hosts see its LUNs on all of them";
        proposal.remark(true, &about, text);
    }
    Group { name, old: same[0].name.clone(), numbered: false, initiators }
}

/// Portals and attributes: all targets of the resource have those of the first one.
fn settings(
    driver: Driver,
    targets: &[&Target],
    written: bool,
    params: &mut Vec<(String, String)>,
    proposal: &mut Proposal,
) {
    let Some((first, others)) = targets.split_first() else { return };
    let alias =
        |target: &Target| target.attributes.get(ALIAS.name).map(|text| text.trim().to_owned()).unwrap_or_default();
    if driver == Driver::Iscsi {
        let portals: Vec<&String> = first.portals.iter().filter(|portal| Portal::parse(portal).is_ok()).collect();
        for lost in first.portals.iter().filter(|portal| Portal::parse(portal).is_err()) {
            let text = format!("its portal {lost:?} cannot be said: hosts do not reach it there");
            proposal.remark(true, format!("port {}", first.name), text);
        }
        if !portals.is_empty() {
            params.push(("portals".to_owned(), portals.into_iter().cloned().collect::<Vec<_>>().join(",")));
        }
        if !alias(first).is_empty() {
            params.push((ALIAS.name.to_owned(), alias(first)));
        }
    }
    let said = attributes(driver, first, written, proposal);
    for other in others {
        let others = attributes(driver, other, written, proposal);
        if other.portals != first.portals || alias(other) != alias(first) || others != said {
            let text = format!("gets the portals and attributes of {}, which has others", first.name);
            proposal.remark(true, format!("port {}", other.name), text);
        }
    }
    if !said.is_empty() {
        params.push(("attributes".to_owned(), said.join(",")));
    }
}

/// What the parameter `attributes` says of a target: what is not as it is by itself.
fn attributes(driver: Driver, target: &Target, written: bool, proposal: &mut Proposal) -> Vec<String> {
    let mut said = Vec::new();
    let common = unsaid(&TARGET, &target.attributes, written);
    for attribute in attribute::ALL.iter().filter(|attribute| attribute.is_of(driver)) {
        let Some(text) = target.attributes.get(attribute.name).map(|text| text.trim()) else { continue };
        // Those that every target has: what the table of attributes takes for the kernel's own.
        let own = match attribute.name {
            "comment" | "io_grouping_type" => attribute.default == Some(text),
            name if !attribute.iscsi => !common.iter().any(|sentence| sentence.starts_with(&format!("{name}="))),
            _ => attribute
                .default
                .is_some_and(|default| attribute.parse(text).is_ok_and(|value| value.as_str() == default)),
        };
        if own || text.is_empty() {
            continue;
        }
        match attribute.parse(text) {
            // What ends a pair in the parameter.
            Ok(value)
                if !value.as_str().contains(['=', ';'])
                    && (attribute.name != "comment" || !value.as_str().contains(',')) =>
            {
                said.push(format!("{}={value}", attribute.name));
            }
            _ => {
                let text = format!("{}={text} cannot be said: it goes back to what it is by itself", attribute.name);
                proposal.remark(true, format!("port {}", target.name), text);
            }
        }
    }
    // What no resource can say at all.
    let can_be_said = attribute::ALL.iter().chain([ALIAS]).filter(|known| known.is_of(driver));
    let can_be_said: Vec<String> = can_be_said.map(|known| format!("{}=", known.name)).collect();
    for sentence in common.iter().filter(|sentence| can_be_said.iter().all(|known| !sentence.starts_with(known))) {
        proposal.remark(true, format!("port {}", target.name), sentence);
    }
    said
}
