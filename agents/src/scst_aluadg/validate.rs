//! validate-all: what is wrong in the configuration; at level 10 also whether this node has the ports and stores.

use scst_core::cluster::{MARK, Survey};
use scst_core::ocf::exit::{ExitCode, Failure};
use scst_core::state_file::Remembered;

use super::lockspace;
use super::params::Params;
use super::sharing::Reservations;
use super::{agreement, stores};
use crate::host::{Host, refuse_two_per_node, refuse_two_promoted, validate};

/// Says what is wrong.
pub(super) fn validate_all(host: &Host<'_>) -> Result<ExitCode, Failure> {
    let (params, findings) = Params::parse(&host.context.env);
    let advice = params.iter().flat_map(Params::advice);
    validate(&findings.into_iter().chain(advice).collect::<Vec<_>>())?;
    refuse_two_per_node(&host.context.env)?;
    refuse_two_promoted(&host.context.env)?;
    if let Some(params) = params.filter(|_| host.context.env.check_level() >= 10) {
        params.beyond_shell_agents().iter().for_each(|advice| tracing::warn!("{advice}"));
        stores::missing(&params, &stores::by_path(host, &params)?, false)?;
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
