//! Which hosts see which device where.

use std::collections::{BTreeMap, BTreeSet};

use scst_core::scst::names::Driver;

use super::super::proposal::Proposal;
use super::super::source::{Device, Lun, Target};
use super::names;

/// The highest LUN that the kernel has.
const MAX_LUN: u32 = 16383;

/// Every LUN of these targets that an initiator group sees.
fn luns<'a>(served: &'a [&Target]) -> impl Iterator<Item = (&'a Target, &'a str, &'a Lun)> {
    served.iter().flat_map(|target| {
        target
            .groups
            .iter()
            .flat_map(move |group| group.luns.iter().map(move |lun| (*target, group.name.as_str(), lun)))
    })
}

/// The drivers that export any of the devices, the one with the most LUNs first.
pub(super) fn drivers(served: &[&Target], devices: &[&str]) -> Vec<Driver> {
    let devices: BTreeSet<&str> = devices.iter().copied().collect();
    let mut counts: BTreeMap<Driver, usize> = BTreeMap::new();
    for (target, ..) in luns(served).filter(|(.., lun)| devices.contains(&lun.device.as_str())) {
        *counts.entry(target.known_driver().unwrap_or(Driver::Qla2x00t)).or_default() += 1;
    }
    let mut drivers: Vec<(Driver, usize)> = counts.into_iter().collect();
    drivers.sort_by_key(|(driver, count)| (std::cmp::Reverse(*count), *driver));
    drivers.into_iter().map(|(driver, _)| driver).collect()
}

/// The exports of a device: the keys `exportN`. What differs from port to port is named.
pub(super) fn of(served: &[&Target], driver: Driver, device: &Device, proposal: &mut Proposal) -> Vec<String> {
    let about = format!("device {}", device.name);
    let targets: Vec<&Target> = served.iter().copied().filter(|target| target.known_driver() == Some(driver)).collect();
    let mut seen: BTreeMap<(String, u32), BTreeSet<&str>> = BTreeMap::new();
    for (target, group, lun) in luns(&targets).filter(|(_, _, lun)| lun.device == device.name) {
        let Some(number) = number(&lun.number) else {
            proposal.remark(
                true,
                &about,
                format!("hosts lose it at LUN {:?}, which is no number up to {MAX_LUN}", lun.number),
            );
            continue;
        };
        if lun.read_only && device.attributes.get("read_only").is_none_or(|value| value != "1") {
            let text = format!(
                "hosts of {group} could write to it at LUN {number}, which was read only there: left out at that LUN"
            );
            proposal.remark(true, &about, text);
            continue;
        }
        seen.entry((names::initiator_group(group).to_string(), number)).or_default().insert(&target.name);
    }
    for ((group, number), ports) in &seen {
        for target in targets.iter().filter(|target| !ports.contains(target.name.as_str())) {
            let has = target.groups.iter().any(|known| names::initiator_group(&known.name).as_str() == group);
            let other = luns(&[target]).any(|(_, known, lun)| {
                names::initiator_group(known).as_str() == group && self::number(&lun.number) == Some(*number)
            });
            let text = match (has, other) {
                (_, true) => format!(
                    "LUN {number} of {group} is another device on port {}: the resource does not start",
                    target.name
                ),
                (true, false) => format!("hosts of {group} see it at LUN {number} on port {} as well", target.name),
                (false, false) => continue,
            };
            proposal.remark(true, &about, text);
        }
    }
    // A place holder for whoever asks is what `all` is for.
    let all: BTreeSet<String> = targets
        .iter()
        .flat_map(|target| target.groups.iter().map(|group| names::initiator_group(&group.name).to_string()))
        .collect();
    let dummy = device.attributes.get("dummy").is_some_and(|value| value == "1");
    let numbers: BTreeSet<u32> = seen.keys().map(|(_, number)| *number).collect();
    if let (true, [number]) = (dummy && seen.len() == all.len(), numbers.into_iter().collect::<Vec<_>>().as_slice()) {
        return vec![format!("export0=all:{number}")];
    }
    if seen.len() > 256 {
        proposal.remark(true, &about, format!("{} exports, of which 256 can be said", seen.len()));
    }
    let said = seen.into_keys().take(256).enumerate();
    said.map(|(index, (group, number))| format!("export{index}={group}:{number}")).collect()
}

/// LUNs of hosts that are in no initiator group.
pub(super) fn defaults(served: &[&Target], proposal: &mut Proposal) {
    for target in served {
        for lun in &target.luns {
            let text = format!(
                "hosts in no initiator group lose LUN {} (device {}): put them into one, by `initiators`, and export it to that; \
                 a last group rest=* of scst_target takes all that are in none",
                lun.number, lun.device
            );
            proposal.remark(true, format!("port {}", target.name), text);
        }
    }
}

/// A LUN as the kernel reads it: decimal, octal behind a 0, hexadecimal behind 0x.
fn number(text: &str) -> Option<u32> {
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None if text.len() > 1 && text.starts_with('0') => (&text[1..], 8),
        None => (text, 10),
    };
    u32::from_str_radix(digits, radix).ok().filter(|number| *number <= MAX_LUN)
}
