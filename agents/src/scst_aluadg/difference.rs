//! How a device group that runs differs from its configuration, for `scst-ha status`: the plan of a reload, which is
//! not carried out.

use scst_core::cluster::Topology;
use scst_core::ocf::exit::Failure;
use scst_core::ocf::param::Finding;
use scst_core::scst::alua::AluaState;
use scst_core::state::Storage;

use super::checked::mistakes;
use super::convergence::{Convergence, Goal, Intent};
use super::instance::Instance;
use super::params::Params;
use super::stores;
use crate::host::Host;

/// The steps that a reload would carry out where `found` is there, and what it would only report, one sentence each. Of
/// `found` only our own devices count, as in a reload.
///
/// # Errors
///
/// Why they cannot be compared: a port of the node does not exist, or something could not be read.
pub fn difference(
    host: &Host<'_>,
    params: &Params,
    findings: &[Finding],
    topology: &Topology,
    mut found: Storage,
) -> Result<Vec<String>, Failure> {
    let Some(instance) = Instance::find(host) else { return Ok(Vec::new()) };
    let configured = instance.configured(host);
    found.devices.retain(|device, _| configured.contains(device) || instance.owns(device));
    found.luns.retain(|_, lun| found.devices.contains_key(&lun.device));
    let stores = stores::by_path(host, params)?;
    let convergence = Convergence::of_cluster(host, params, stores, &instance, (topology.clone(), None))?;
    let mut sentences = [&convergence.missing[..], &convergence.unmatched].concat();
    let serving = found.state(&topology.local.name).is_some_and(AluaState::is_open);
    for (device, path, store) in stores::needed(params, &convergence.facts.stores, serving) {
        sentences.extend(stores::unusable(device, path, store));
    }
    let mistakes = mistakes(findings, params, &configured);
    let Intent { wanted, spared, plan } = convergence.intent(&instance, &found, Goal::Reloaded(&mistakes));
    sentences.extend(spared);
    sentences.extend(convergence.conflict(&found, &wanted)?.map(|conflict| conflict.reason));
    sentences.extend(plan.steps.iter().map(ToString::to_string));
    sentences.extend(plan.warnings);
    sentences.extend(plan.errors);
    Ok(sentences)
}
