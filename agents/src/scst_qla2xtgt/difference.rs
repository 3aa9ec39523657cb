//! What ports that are up have in common with their configuration, for those who show it: the plan of a start, made and not
//! carried out.

use std::collections::BTreeSet;

use scst_core::cluster::Topology;
use scst_core::ocf::exit::Failure;
use scst_core::plan::ports::plan;
use scst_core::scst::names::InitiatorGroup;

use super::ours::{DRIVER, Ours};
use super::params::Params;
use super::wanted;
use crate::host::Host;

/// What a start would do, one sentence each; `None` when nothing of the resource is there.
///
/// # Errors
///
/// Why nothing can be compared: a port of the node does not exist, or something could not be read.
pub fn difference(host: &Host<'_>, params: &Params, topology: &Topology) -> Result<Option<Vec<String>>, Failure> {
    let record = host.store.read(None);
    let configured: BTreeSet<InitiatorGroup> = params.groups.iter().map(|(group, _)| group.clone()).collect();
    let ours = Ours { record: &record, configured, node_id: Some(topology.local.id) };
    let up = ours.found(host.observer())?;
    if !up.values().any(|port| (port.enabled && ours.numbered(port)) || !port.groups.is_empty()) {
        return Ok(None);
    }
    let ports = host.local_ports(DRIVER, topology)?;
    let wanted = wanted::started(params, topology.local.id, &ports)?;
    let names: Vec<_> = ports.iter().map(|(name, _)| name.clone()).collect();
    let concerns = |group: &InitiatorGroup| ours.owns(group) || ours.configured.contains(group);
    let found = host.observer().ports(DRIVER, &names, concerns)?;
    let mut sentences: Vec<String> = plan(DRIVER, &found, &wanted).iter().map(ToString::to_string).collect();
    let node = &topology.local.name;
    let dropped = up.iter().filter(|(name, port)| port.enabled && !found.contains_key(*name));
    sentences.extend(dropped.map(|(name, _)| format!("port {name} is up and not in targetports of node {node}")));
    Ok(Some(sentences))
}
