//! What a start or a reload would do with a changed configuration, for `scst-ha plan`: the plan of that action, which
//! is not carried out.

use scst_core::cluster::Topology;
use scst_core::ocf::exit::Failure;
use scst_core::scst::alua::AluaState;
use scst_core::scst::host_id::ClusterId;

use super::checked::{Checked, mistakes, parsed};
use super::convergence::{Convergence, Goal, Intent};
use super::instance::Instance;
use super::{lips, stores};
use crate::host::{Host, Planned};

/// Something of ours is here: the action is a reload, otherwise a start.
///
/// # Errors
///
/// The group or a device of it cannot be read.
pub fn runs(host: &Host<'_>) -> Result<bool, Failure> {
    let Some(instance) = Instance::find(host) else { return Ok(false) };
    Ok(!instance.storage(host, host.observer())?.is_empty())
}

/// The plan of a reload, or of a start where nothing is here. `cluster` is the one of the configuration, where that names it.
///
/// # Errors
///
/// Why the action would be refused, or what could not be read.
pub fn planned(host: &Host<'_>, topology: &Topology, cluster: Option<ClusterId>) -> Result<Planned, Failure> {
    let Checked { params, findings, stores } = parsed(host)?;
    let instance = Instance::find(host).ok_or_else(|| Failure::configured("groupname is required and not set"))?;
    let found = instance.storage(host, host.observer())?;
    let running = !found.is_empty();
    let serving = found.state(&topology.local.name).is_some_and(AluaState::is_open);
    let convergence = Convergence::of_cluster(host, &params, stores, &instance, (topology.clone(), cluster))?;
    let mut remarks = [&convergence.missing[..], &convergence.unmatched].concat();
    remarks.extend(findings.iter().map(ToString::to_string));
    let mistakes = mistakes(&findings, &params, &instance.configured(host));
    if let Err(failure) = stores::missing(&params, &convergence.facts.stores, serving) {
        if running {
            remarks.push("a monitor finishes the reload when the stores are there".to_owned());
        }
        return Ok(Planned { running, steps: Vec::new(), remarks, refused: Some(failure) });
    }
    let goal = if running { Goal::Reloaded(&mistakes) } else { Goal::Started(None) };
    let Intent { wanted, spared, plan } = convergence.intent(&instance, &found, goal);
    remarks.extend(spared);
    let refused = convergence.conflict(&found, &wanted)?;
    convergence.first_device(&plan)?;
    remarks.extend(plan.warnings);
    remarks.extend(plan.errors);
    let mut steps = plan.steps;
    if running {
        steps = instance.shortened(host, steps);
    } else {
        steps.extend(lips::planned(&convergence, &steps, host.deadline())?);
    }
    Ok(Planned { running, steps, remarks, refused })
}
