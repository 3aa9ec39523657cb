//! The plan for ports, which every action of the agents that bring ports up follows.
//!
//! The order: make missing targets, disable what goes down, settings and initiator groups, numbers, enable; targets
//! that are deleted go last.

use std::collections::BTreeMap;

use super::settings::settings;
use super::{Change, Step};
use crate::scst::names::{Driver, InitiatorGroup, TargetName};
use crate::scst::values::AttributeValue;
use crate::state::{IniGroup, Port, Ports};

/// The steps that turn `found` into `wanted`. A port that `wanted` does not name is not touched, nor is one that
/// `found` does not have, unless the driver makes its targets by command. An initiator group that `found` leaves out is
/// somebody else's, and stays.
pub fn plan(driver: Driver, found: &Ports, wanted: &Ports) -> Vec<Step> {
    let fresh = Port { enabled: driver.always_enabled(), ..Port::default() };
    let made: Vec<_> = wanted
        .iter()
        .filter(|(name, wanted)| driver.makes_targets() && !wanted.deleted && !found.contains_key(*name))
        .map(|(name, _)| name)
        .collect();
    let pairs: Vec<_> = wanted
        .iter()
        .filter_map(|(name, wanted)| {
            let found = found.get(name).or_else(|| made.contains(&name).then_some(&fresh))?;
            Some(Pair { driver, name, found, wanted })
        })
        .collect();
    let mut steps: Vec<Step> = made.into_iter().map(|name| change(driver, name, Change::Add)).collect();
    // A port that goes down does so before its groups change, so that no host sees half of them.
    steps.extend(pairs.iter().filter(|pair| pair.goes_down()).map(Pair::disable));
    // A host whose session is closed is back at once where the target still answers.
    let closes = |pair: &&Pair<'_>| driver.has_daemon() && (pair.goes_down() || pair.wanted.deleted);
    steps.extend(pairs.iter().filter(closes).map(|pair| change(driver, pair.name, Change::CloseSessions)));
    for pair in &pairs {
        settings(driver, pair.name, &pair.found.settings, &pair.wanted.settings, &mut steps);
        pair.groups(&mut steps);
    }
    // Ids are exchanged only while every port concerned is down: an enabled port's id must differ from all others.
    let renumbered = |pair: &&Pair<'_>| pair.renumbered();
    steps.extend(
        pairs
            .iter()
            .filter(renumbered)
            .filter(|p| p.found.enabled && p.wanted.enabled && !driver.always_enabled())
            .map(Pair::disable),
    );
    steps.extend(pairs.iter().filter(renumbered).map(|pair| Step::SetPortId {
        driver,
        port: pair.name.clone(),
        id: pair.wanted.rel_tgt_id,
    }));
    let enabled = |p: &&Pair<'_>| p.wanted.enabled && (!p.found.enabled || p.renumbered()) && !driver.always_enabled();
    steps.extend(pairs.iter().filter(enabled).map(|p| Step::Enable { driver, port: p.name.clone() }));
    steps.extend(pairs.iter().filter(|pair| pair.wanted.deleted).map(|pair| change(driver, pair.name, Change::Delete)));
    steps
}

fn change(driver: Driver, port: &TargetName, change: Change) -> Step {
    Step::Target { driver, port: port.clone(), change }
}

struct Pair<'a> {
    driver: Driver,
    name: &'a TargetName,
    found: &'a Port,
    wanted: &'a Port,
}

impl Pair<'_> {
    fn goes_down(&self) -> bool {
        self.found.enabled && !self.wanted.enabled && !self.driver.always_enabled()
    }

    /// A port that is always enabled takes no number back.
    fn renumbered(&self) -> bool {
        let taken_back = self.driver.always_enabled() && self.wanted.rel_tgt_id == 0;
        self.found.rel_tgt_id != self.wanted.rel_tgt_id && !self.wanted.deleted && !taken_back
    }

    fn disable(&self) -> Step {
        Step::Disable { driver: self.driver, port: self.name.clone() }
    }

    fn groups(&self, steps: &mut Vec<Step>) {
        let (driver, port) = (self.driver, self.name);
        // Of groups that match one initiator the kernel takes the one that came first: their numbers tell the order that is meant.
        let mut ordered: Vec<_> = self.wanted.groups.iter().collect();
        ordered.sort_by_key(|(_, group)| group.io_grouping.parse::<u32>().unwrap_or(0));
        for (name, wanted) in ordered {
            let fresh = IniGroup { io_grouping: "auto".into(), ..IniGroup::default() };
            let found = self.found.groups.get(name).unwrap_or_else(|| {
                steps.push(Step::CreateIniGroup { driver, port: port.clone(), group: name.clone() });
                &fresh
            });
            if found.io_grouping != wanted.io_grouping {
                // What the kernel showed, and nobody could write, is not put back.
                let number = AttributeValue::parse(&wanted.io_grouping).ok().filter(|_| !wanted.io_grouping.is_empty());
                let set = |number| Step::SetIoGrouping { driver, port: port.clone(), group: name.clone(), number };
                steps.extend(number.map(set));
            }
            // Before any initiator leaves its old group, so that its sessions never pass through the default group.
            steps.extend(wanted.initiators.difference(&found.initiators).map(|initiator| Step::AddInitiator {
                driver,
                port: port.clone(),
                group: name.clone(),
                initiator: initiator.clone(),
            }));
        }
        for (name, wanted) in &self.wanted.groups {
            let Some(found) = self.found.groups.get(name) else { continue };
            steps.extend(found.initiators.difference(&wanted.initiators).map(|initiator| Step::DelInitiator {
                driver,
                port: port.clone(),
                group: name.clone(),
                initiator: initiator.clone(),
            }));
        }
        for (name, found) in self.unwanted() {
            let (port, group) = (port.clone(), name.clone());
            // Also when none is seen: a name that cannot be listed keeps its session in the group.
            steps.push(Step::ClearInitiators { driver, port: port.clone(), group: group.clone() });
            if found.has_luns {
                steps.push(Step::ClearLuns { driver, port: port.clone(), group: group.clone() });
            }
            steps.push(Step::DelIniGroup { driver, port, group });
        }
    }

    fn unwanted(&self) -> BTreeMap<&InitiatorGroup, &IniGroup> {
        self.found.groups.iter().filter(|(name, _)| !self.wanted.groups.contains_key(*name)).collect()
    }
}
