//! What a start or a reload would do with a changed configuration, for `scst-ha plan`: the plan of that action, which
//! is not carried out.

use scst_core::cluster::Topology;
use scst_core::ocf::exit::Failure;
use scst_core::plan::Step;
use scst_core::plan::storage::converge;
use scst_core::scst::alua::AluaState;
use scst_core::scst::host_id::ClusterId;
use scst_core::state::Storage;

use super::checked::{Checked, checked, mistakes};
use super::convergence::Convergence;
use super::instance::Instance;
use super::wanted::{self, States};
use super::{lips, stores};
use crate::host::Host;

/// What an action would do.
#[derive(Debug)]
pub struct Planned {
    /// Something of the group is here: the action is a reload, otherwise a start.
    pub running: bool,
    /// The group is served here.
    pub serving: bool,
    /// The steps, in their order.
    pub steps: Vec<Step>,
    /// What the action would only report, a sentence each.
    pub remarks: Vec<String>,
    /// The object of somebody else for which the action would be refused.
    pub refused: Option<Failure>,
}

/// The plan of a reload, or of a start where nothing is here. `cluster` is the one of the configuration, where that names it.
///
/// # Errors
///
/// Why the action would be refused, or what could not be read.
pub fn planned(host: &Host<'_>, topology: &Topology, cluster: Option<ClusterId>) -> Result<Planned, Failure> {
    let Checked { params, findings } = checked(host)?;
    let instance = Instance::find(host).ok_or_else(|| Failure::configured("groupname is required and not set"))?;
    let found = instance.storage(host, host.observer())?;
    let running = found.group.is_some() || !found.devices.is_empty();
    let serving = found.state(&topology.local.name).is_some_and(AluaState::is_open);
    let mut convergence = Convergence::new(host, &params, &instance, topology.clone(), cluster)?;
    let mut remarks = [&convergence.missing[..], &convergence.unmatched].concat();
    remarks.extend(findings.iter().map(ToString::to_string));
    let wanted = if running {
        stores::missing(&params, &convergence.facts.stores, serving)?;
        let (wanted, spared) =
            convergence.reloaded(&instance, &found, &mistakes(&findings, &params, &instance.configured(host)), false);
        remarks.extend(spared);
        wanted
    } else {
        convergence.scope.recreate = true;
        let mut wanted = wanted::storage(
            &convergence.params,
            &convergence.topology,
            &convergence.local,
            States::Started(None),
            &Storage::default(),
        );
        convergence.measure(&found, &mut wanted);
        wanted
    };
    let refused = convergence.conflict(&found, &wanted)?;
    let plan = converge(&convergence.scope, &found, &wanted);
    convergence.first_device(&plan)?;
    remarks.extend(plan.warnings);
    remarks.extend(plan.errors);
    let mut steps = plan.steps;
    if running {
        steps = instance.shortened(host, steps);
    } else {
        steps.extend(lips::planned(&convergence, &steps, host.deadline())?);
    }
    Ok(Planned { running, serving, steps, remarks, refused })
}
