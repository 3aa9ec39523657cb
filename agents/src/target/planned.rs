//! What a start or a reload would do with a changed configuration, for `scst-ha plan`: the plan of that action, which
//! is not carried out.

use scst_core::cluster::Topology;
use scst_core::ocf::exit::Failure;
use scst_core::ocf::param::Severity;
use scst_core::plan::Step;
use scst_core::plan::ports::plan;

use super::ours::Ours;
use super::reload::known_ports;
use super::{Run, wanted};
use crate::host::refuse_errors;

/// What an action would do.
#[derive(Debug)]
pub struct Planned {
    /// The ports are up: the action is a reload, otherwise a start.
    pub running: bool,
    /// The steps, in their order.
    pub steps: Vec<Step>,
    /// What the action would only report, a sentence each.
    pub remarks: Vec<String>,
}

/// The plan of a reload, or of a start where nothing is up.
///
/// # Errors
///
/// Why the action would be refused, or what could not be read.
pub fn planned(run: &Run<'_>, topology: &Topology) -> Result<Planned, Failure> {
    let host = &run.host;
    let (params, findings) = run.params();
    refuse_errors(&findings)?;
    let record = host.state_files.read(None);
    let params = params.unwrap_or_default().after(&record);
    let ours = Ours { node_id: Some(topology.local.id), ..Ours::find(run, &record) };
    ours.refuse_held(&topology.local.listed())?;
    let up = ours.ports_to_remove(host.observer(), &ours.names(&ours.candidates(host.observer())?, Some(topology)))?;
    let running = ours.are_up(&up);
    let local = match run.local_ports(topology, params.missing_ports) {
        // Before the first start the driver may not be loaded, and then there is no port.
        Err(_) if !running && !host.observer().scst_loaded()? => topology.local.listed().into(),
        local => local?,
    };
    let local = if running { known_ports(&ours, local) } else { local };
    let started = wanted::started(&params, topology.local.id, &local.ports)?;
    let names: Vec<_> = local.ports.iter().map(|(name, _)| name.clone()).collect();
    let mut found = ours.ports(host.observer(), &names, |group| ours.configured.contains(group))?;
    let mut remarks: Vec<String> = local.sentences().chain(findings.iter().map(ToString::to_string)).collect();
    let wanted = if running {
        wanted::reloaded(started, &found)
    } else if run.driver.makes_targets() {
        started
    } else {
        // Ports that are still to appear are as the driver makes them.
        let fresh = scst_core::state::Port::default();
        for name in &names {
            found.entry(name.clone()).or_insert_with(|| fresh.clone());
        }
        started
    };
    let found = ours.with_settings(host.observer(), found, &wanted)?;
    let mut steps = plan(run.driver, &found, &wanted);
    let all = steps.len();
    if running && findings.iter().any(|finding| finding.severity >= Severity::Warning) {
        steps.retain(|step| !step.takes_from_hosts());
    }
    if steps.len() < all {
        remarks.push("initiators has a mistake: nothing is removed until it is corrected".to_owned());
    }
    Ok(Planned { running, steps, remarks })
}
