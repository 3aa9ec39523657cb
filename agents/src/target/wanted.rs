//! Makes the wanted state of this node's ports of the configuration: one for a start, one for a reload, one for a stop.
//! The plan's input.

use std::collections::{BTreeMap, BTreeSet};

use scst_core::cluster::io_group;
use scst_core::ocf::exit::Failure;
use scst_core::scst::names::{InitiatorGroup, TargetName};
use scst_core::state::{IniGroup, Port, Ports};

use super::params::Params;

/// Every port up with its number, every group with its I/O group and exactly its initiators.
///
/// # Errors
///
/// Exit 2 when this node's id leaves no numbers for all groups.
pub fn started(params: &Params, node_id: u16, ports: &[(TargetName, u16)]) -> Result<Ports, Failure> {
    params.check_count()?;
    let mut groups = BTreeMap::new();
    for (index, (name, initiators)) in params.groups.iter().enumerate() {
        let number = io_group(node_id, index + 1).ok_or_else(|| {
            Failure::args(format!("initiator group {name} has no I/O group number on node id {node_id}"))
        })?;
        let group = IniGroup {
            io_grouping: number.to_string(),
            initiators: initiators.iter().cloned().collect(),
            has_luns: false,
        };
        groups.insert(name.clone(), group);
    }
    let settings = &params.settings;
    let port = |id: u16| Port {
        enabled: true,
        rel_tgt_id: id.into(),
        groups: groups.clone(),
        settings: settings.clone(),
        deleted: false,
    };
    Ok(ports.iter().map(|(name, id)| (name.clone(), port(*id))).collect())
}

/// Groups and settings as configured, the ports themselves as they are found.
pub fn reloaded(started: Ports, found: &Ports) -> Ports {
    let as_found = |(name, wanted): (TargetName, Port)| {
        let found = found.get(&name)?;
        Some((name, Port { enabled: found.enabled, rel_tgt_id: found.rel_tgt_id, ..wanted }))
    };
    started.into_iter().filter_map(as_found).collect()
}

/// No group of ours left, the ports that are ours down, and the targets that were made gone.
pub fn stopped(found: &Ports, down: impl Fn(&TargetName, &Port) -> bool, made: impl Fn(&TargetName) -> bool) -> Ports {
    let stop = |(name, port): (&TargetName, &Port)| {
        let enabled = port.enabled && !down(name, port);
        (name.clone(), Port { enabled, groups: BTreeMap::default(), deleted: made(name), ..port.clone() })
    };
    found.iter().map(stop).collect()
}

/// The initiator groups of all these ports.
pub fn group_names(ports: &Ports) -> BTreeSet<InitiatorGroup> {
    ports.values().flat_map(|port| port.groups.keys().cloned()).collect()
}
