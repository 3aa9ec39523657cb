//! The dispatch of the device group agent.

use scst_core::cluster::{MARK, Survey};
use scst_core::ocf::action::Action;
use scst_core::ocf::exit::{ExitCode, Failure};
use scst_core::ocf::param::AgentTable;
use scst_core::ocf::run::{Agent, Context};
use scst_core::state_file::Remembered;

use super::instance::{self, missing_backing};
use super::lockspace::{self, Reservations};
use super::params::Params;
use super::table::TABLE;
use super::{agreement, demote, monitor, notify, promote, start, stop};
use crate::host::{Host, refuse_two_per_node, refuse_two_promoted, validate};

/// The agent.
#[derive(Debug)]
pub struct Aluadg;

impl Agent for Aluadg {
    fn metadata(&self) -> &'static AgentTable {
        TABLE
    }

    fn run(&self, action: Action, context: &Context) -> Result<ExitCode, Failure> {
        let mut host = Host::new(context, TABLE.name);
        if let Some(answer) = instance::of_another(&mut host, action) {
            return answer;
        }
        match action {
            Action::Start => start::start(&host),
            Action::Stop => stop::stop(&host),
            Action::Monitor => monitor::monitor(&host),
            Action::Promote => promote::promote(&host),
            Action::Demote => demote::demote(&host),
            Action::Notify => Ok(notify::notify(&host)),
            Action::Reload => start::reload(&host),
            Action::ValidateAll => validate_all(&host),
            Action::MetaData | Action::Usage => {
                Err(Failure::new(ExitCode::Unimplemented, format!("{action} is not carried out here")))
            }
        }
    }
}

fn validate_all(host: &Host<'_>) -> Result<ExitCode, Failure> {
    let (params, findings) = Params::parse(&host.context.env);
    let advice = params.iter().flat_map(Params::advice);
    validate(&findings.into_iter().chain(advice).collect::<Vec<_>>())?;
    refuse_two_per_node(&host.context.env)?;
    refuse_two_promoted(&host.context.env)?;
    if let Some(params) = params.filter(|_| host.context.env.check_level() >= 10) {
        params.beyond_shell_agents().iter().for_each(|advice| tracing::warn!("{advice}"));
        missing_backing(host, &params, false)?;
        let local = host.node_name(&Remembered::Nothing)?;
        let survey = host.survey(&agreement::attribute(&params.group))?;
        identifiable(&params, &survey);
        if Reservations::are_shared(&host.context.env) {
            lockspace::runs(host)?;
            if !survey.fences() {
                tracing::error!(
                    "reservations=shared with stonith-enabled=false: DLM waits for ever for a node that was lost"
                );
            }
        }
        let topology = Host::topology_of(&survey.nodes, &local, params.driver)?;
        host.local_ports(params.driver, &topology, params.missing_ports)?;
    }
    Ok(ExitCode::Success)
}

/// Says what may be wrong with identifiers that are made of the cluster's name.
fn identifiable(params: &Params, survey: &Survey) {
    if !params.devices.iter().any(|device| device.naa_auto) {
        return;
    }
    match (survey.cluster(), survey.common_name()) {
        (None, _) => {
            tracing::error!("naa_id=auto is made of the cluster's name, which is not known: such devices are left out");
        }
        (_, Some(name)) => tracing::warn!(
            "naa_id=auto: other clusters are likely to be called {name} as well, and their disks the same; set the cluster's property {MARK} \
             to a text of its own before hosts use a disk"
        ),
        _ => {}
    }
}
