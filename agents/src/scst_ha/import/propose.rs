//! From a configuration of SCST to one of the agents: a pure function.
//!
//! Hosts know a disk by identifiers that SCST makes of its name, a port by its number, a group of commands by its I/O group. What
//! can be said so that hosts keep seeing the same is said; what cannot is named with what hosts notice.

mod devices;
mod exports;
mod initiators;
mod names;
mod ports;
mod users;

use std::collections::{BTreeMap, BTreeSet};

use scst_core::scst::names::{GroupName, HandlerName};

use super::attributes::{DEVICE, TARGET, TARGET_GROUP, unsaid};
use super::proposal::{Place, Proposal, Resource};
use super::source::{Device, Source, Target};

pub(super) use self::users::commands;

/// How many devices a group can have.
const MAX_DEVICES: usize = 256;

/// Makes the configuration.
pub(super) fn propose(source: &Source, place: &Place) -> Proposal {
    let mut proposal = Proposal::default();
    source.left_out.iter().for_each(|text| proposal.remark(false, "source", text));
    for (name, value) in source.attributes.iter().filter(|(name, value)| *name != "setup_id" && !value.is_empty()) {
        proposal.remark(false, "SCST", format!("{name}={value} is of the whole machine, and no resource sets it"));
    }
    let served = ports::served(source, &mut proposal);
    ports::nodes(source, place, &served, &mut proposal);
    initiators::resources(source, place, &served, &mut proposal);
    for target in &served {
        let about = format!("port {}", target.name);
        if !initiators::says_attributes(&proposal, target) {
            let comment = target.attributes.get("comment").filter(|comment| !comment.trim().is_empty());
            comment
                .into_iter()
                .for_each(|text| proposal.remark(false, &about, format!("comment={text} cannot be said")));
            let texts = unsaid(&TARGET, &target.attributes, place.written);
            texts.into_iter().for_each(|text| proposal.remark(true, &about, text));
        }
        for group in &target.groups {
            let about = format!("initiator group {} of port {}", group.name, target.name);
            let texts = unsaid(&TARGET, &group.attributes, place.written);
            texts.into_iter().for_each(|text| proposal.remark(true, &about, text));
        }
    }
    for group in &source.groups {
        for target_group in &group.target_groups {
            let about = format!("target group {} of device group {}", target_group.name, group.name);
            let texts = unsaid(&TARGET_GROUP, &target_group.attributes, place.written);
            texts.into_iter().for_each(|text| proposal.remark(false, &about, text));
        }
    }
    exports::defaults(&served, &mut proposal);
    let mut taken = BTreeSet::new();
    let mut grouped = BTreeSet::new();
    for group in source.groups.iter().filter(|group| !group.devices.is_empty()) {
        let name = names::group(&group.name, &mut taken);
        if name.as_str() != group.name {
            proposal.remark(false, format!("device group {}", group.name), format!("becomes {name}"));
        }
        grouped.extend(group.devices.iter().map(String::as_str));
        let members: Vec<&str> = group.devices.iter().map(String::as_str).collect();
        group_resource(source, place, &served, &name, &members, &mut proposal);
    }
    let single: Vec<&str> = source.devices.iter().map(|device| device.name.as_str()).collect();
    let single: Vec<&str> = single.into_iter().filter(|name| !grouped.contains(name)).collect();
    if !single.is_empty() {
        let name = names::group("dg", &mut taken);
        let before = proposal.resources.len();
        group_resource(source, place, &served, &name, &single, &mut proposal);
        if proposal.resources.len() > before {
            let text =
                "its devices were in no device group: hosts are told of ALUA states that they were not told before";
            proposal.remark(true, format!("device group {name}"), text);
        }
    }
    proposal.remarks.sort();
    proposal.remarks.dedup();
    proposal.remarks.reverse();
    proposal
}

/// The resource of one device group.
fn group_resource(
    source: &Source,
    place: &Place,
    served: &[&Target],
    name: &GroupName,
    members: &[&str],
    proposal: &mut Proposal,
) {
    let drivers = exports::drivers(served, members);
    let Some(driver) = drivers.first().copied() else {
        for member in members {
            proposal.remark(
                false,
                format!("device {member}"),
                "no initiator group of a port sees it: left out, a device needs an export",
            );
        }
        return;
    };
    for other in &drivers[1..] {
        let text = format!(
            "hosts at targets of {other} lose it: a resource serves one driver, {driver} here. A second resource needs other devices"
        );
        proposal.remark(true, format!("device group {name}"), text);
    }
    let devices: BTreeMap<&str, &Device> = source.devices.iter().map(|device| (device.name.as_str(), device)).collect();
    let (mut params, mut virtnames) = (Vec::new(), BTreeSet::new());
    let mut sharing = (Vec::new(), Vec::new());
    for member in members {
        let about = format!("device {member}");
        let Some(device) = devices.get(member).copied() else {
            proposal.remark(false, &about, "is in the device group, and nothing makes it");
            continue;
        };
        let index = params.len();
        if index >= MAX_DEVICES {
            let text = format!("hosts lose it: a group has {MAX_DEVICES} devices at most. Make a second group");
            proposal.remark(true, &about, text);
            continue;
        }
        let exports = exports::of(served, driver, device, proposal);
        let Ok(handler) = HandlerName::parse(&device.handler) else {
            let text = format!("is served by {}, which no agent does: hosts lose it", device.handler);
            proposal.remark(!exports.is_empty(), &about, text);
            continue;
        };
        if exports.is_empty() {
            proposal.remark(false, &about, "no initiator group of a port sees it: left out, a device needs an export");
            continue;
        }
        let new = names::device(name, member, &mut virtnames);
        match devices::text(device, handler, &new, source, place, proposal) {
            Some(text) => params.push((format!("device{index}"), format!("{text},{}", exports.join(",")))),
            None => continue,
        }
        if device.attributes.get("cluster_mode").is_some_and(|mode| !["", "0"].contains(&mode.trim())) {
            sharing.0.push(*member);
        } else {
            sharing.1.push(*member);
        }
        for text in unsaid(&DEVICE, &device.attributes, place.written) {
            proposal.remark(true, &about, text);
        }
    }
    if params.is_empty() {
        return;
    }
    let mut fixed =
        vec![("groupname", name.to_string()), ("tgtdriver", driver.to_string()), ("reload", "0".to_owned())];
    if !sharing.0.is_empty() {
        fixed.push(("reservations", "shared".to_owned()));
        shares(name, &sharing.1, proposal);
    }
    let fixed = fixed.into_iter().map(|(name, value)| (name.to_owned(), value));
    proposal.resources.push(Resource {
        id: format!("scst_dg_{name}"),
        clone: format!("ms_scst_dg_{name}"),
        agent: crate::scst_aluadg::table::TABLE.name,
        params: fixed.into_iter().chain(params).collect(),
    });
}

/// What is to be known of a group whose devices share their reservations with other nodes.
fn shares(name: &GroupName, alone: &[&str], proposal: &mut Proposal) {
    let about = format!("device group {name}");
    let text = "reservations=shared needs DLM before it and where it runs, as a clone of ocf:pacemaker:controld: operations.md, \"Reservations\"";
    proposal.remark(false, &about, text);
    for device in alone {
        let text = "shares its persistent reservations with the other nodes from now on (cluster_mode), as the others of its group";
        proposal.remark(false, format!("device {device}"), text);
    }
}

#[cfg(test)]
mod of_targets;
#[cfg(test)]
mod round_trip;
#[cfg(test)]
mod tests;
