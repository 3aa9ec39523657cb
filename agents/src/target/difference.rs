//! How ports that are up differ from their configuration, for `scst-ha status`: the plan of a start, which is not
//! carried out.

use scst_core::cluster::Topology;
use scst_core::ocf::exit::{Failure, Kind};
use scst_core::ocf::param::Finding;
use scst_core::plan::Step;

use super::convergence::{Convergence, Goal};
use super::ours::Ours;
use super::params::Params;
use super::run::Run;

/// The steps that a start would carry out, one sentence each; `None` when nothing of the resource is there. `users`:
/// the users of the configuration are known, and are compared as well.
///
/// # Errors
///
/// Why they cannot be compared: a port of the node does not exist or belongs to another resource, or something could
/// not be read.
pub fn difference(
    run: &Run<'_>,
    params: Params,
    findings: &[Finding],
    topology: &Topology,
    users: bool,
) -> Result<Option<Vec<String>>, Failure> {
    let host = &run.host;
    let remembered = host.state_files.read(None);
    let ours = Ours { node_id: Some(topology.local.id), ..Ours::find(run, &remembered) };
    ours.refuse_held(&topology.local.listed())?;
    let up = ours.listed_ports(host.observer(), topology)?;
    if !ours.are_up(&up) {
        return Ok(None);
    }
    let mut convergence = match Convergence::of_cluster(run, &ours, (params, findings), topology, Goal::Started) {
        // What runs goes on running with what it had.
        Err(refused) if refused.kind == Kind::Permanent => return Ok(Some(vec![refused.reason])),
        convergence => convergence?,
    };
    convergence.read_settings(host.deadline())?;
    let mut sentences: Vec<String> = convergence.local.sentences().collect();
    let compared = |step: &&Step| users || !step.is_of_a_user();
    sentences.extend(convergence.differences().iter().filter(compared).map(ToString::to_string));
    sentences.extend(convergence.out_of_order());
    let node = &topology.local.name;
    let dropped = up.iter().filter(|(name, port)| port.enabled && !convergence.found.contains_key(*name));
    sentences.extend(dropped.map(|(name, _)| format!("port {name} is up and not in targetports of node {node}")));
    Ok(Some(sentences))
}
