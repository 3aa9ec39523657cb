//! What a start or a reload would do with a changed configuration, for `scst-ha plan`: the plan of that action, which
//! is not carried out.

use scst_core::cluster::Topology;
use scst_core::ocf::exit::Failure;

use super::convergence::{Convergence, Goal};
use super::ours::Ours;
use super::run::Run;
use crate::host::{Planned, refuse_errors};

/// Something of ours is up: the action is a reload, otherwise a start.
///
/// # Errors
///
/// One of the ports cannot be read.
pub fn runs(run: &Run<'_>) -> Result<bool, Failure> {
    let (observer, remembered) = (run.host.observer(), run.host.state_files.read(None));
    let ours = Ours::find(run, &remembered);
    let likely = ours.names(&ours.candidates(observer)?, None);
    Ok(ours.are_up(&ours.ports_to_remove(observer, &likely)?))
}

/// The plan of a reload, or of a start where nothing is up. `users`: the users of the configuration and those that are here are
/// known, and are planned as well.
///
/// # Errors
///
/// Why the action would be refused, or what could not be read.
pub fn planned(run: &Run<'_>, topology: &Topology, users: bool) -> Result<Planned, Failure> {
    let host = &run.host;
    let (params, findings) = run.params();
    refuse_errors(&findings)?;
    let params = params.unwrap_or_default();
    params.check_count()?;
    let remembered = host.state_files.read(None);
    let ours = Ours { node_id: Some(topology.local.id), ..Ours::find(run, &remembered) };
    let running = ours.are_up(&ours.listed_ports(host.observer(), topology)?);
    if !running {
        ours.refuse_held(&topology.local.listed())?;
    }
    let goal = if running { Goal::Reloaded } else { Goal::Started };
    let mut convergence = Convergence::of_cluster(run, &ours, (params, &findings), topology, goal)?;
    if !running {
        convergence.take_down_unlisted()?;
        convergence.suppose_missing_ports();
    }
    convergence.read_settings(host.deadline())?;
    let mut steps = convergence.steps();
    steps.retain(|step| users || !step.is_of_a_user());
    if !running {
        steps.extend(convergence.enable_driver(host.deadline())?);
    }
    let mut remarks: Vec<String> = convergence.local.sentences().collect();
    remarks.extend(findings.iter().map(ToString::to_string));
    remarks.extend(convergence.kept_by_mistake().map(str::to_owned));
    remarks.extend(convergence.out_of_order());
    Ok(Planned { running, steps, remarks, refused: None })
}
