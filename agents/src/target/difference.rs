//! How ports that are up differ from their configuration, for `scst-ha status`: the plan of a start, which is not
//! carried out.

use scst_core::cluster::Topology;
use scst_core::ocf::exit::Failure;
use scst_core::plan::{Step, ports::plan};

use super::Run;
use super::ours::Ours;
use super::params::Params;
use super::wanted;

/// The steps that a start would carry out, one sentence each; `None` when nothing of the resource is there. `users`:
/// the users of the configuration are known, and are compared as well.
///
/// # Errors
///
/// Why they cannot be compared: a port of the node does not exist or belongs to another resource, or something could
/// not be read.
pub fn difference(
    run: &Run<'_>,
    params: &Params,
    topology: &Topology,
    users: bool,
) -> Result<Option<Vec<String>>, Failure> {
    let host = &run.host;
    let record = host.state_files.read(None);
    let ours = Ours { node_id: Some(topology.local.id), ..Ours::find(run, &record) };
    ours.refuse_held(&topology.local.listed())?;
    let up = ours.ports_to_remove(host.observer(), &ours.names(&ours.candidates(host.observer())?, Some(topology)))?;
    if !ours.are_up(&up) {
        return Ok(None);
    }
    let local = run.local_ports(topology, params.missing_ports)?;
    let params = params.clone().after(&record);
    let wanted = wanted::started(&params, topology.local.id, &local.ports)?;
    let names: Vec<_> = local.ports.iter().map(|(name, _)| name.clone()).collect();
    let found = ours.ports(host.observer(), &names, |group| ours.configured.contains(group))?;
    let found = ours.with_settings(host.observer(), found, &wanted)?;
    let mut sentences: Vec<String> = local.sentences().collect();
    let compared = |step: &&Step| users || !matches!(step, Step::Target { change, .. } if change.is_of_a_user());
    sentences.extend(plan(run.driver, &found, &wanted).iter().filter(compared).map(ToString::to_string));
    let node = &topology.local.name;
    let dropped = up.iter().filter(|(name, port)| port.enabled && !found.contains_key(*name));
    sentences.extend(dropped.map(|(name, _)| format!("port {name} is up and not in targetports of node {node}")));
    Ok(Some(sentences))
}
