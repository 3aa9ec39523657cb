//! The part of a monitor with `OCF_CHECK_LEVEL=10`: compares everything that is configured with what is there.

use scst_core::ocf::exit::{ExitCode, Failure};
use scst_core::plan::Step;
use scst_core::scst::names::{NodeName, TargetName};

use super::checked::mistakes;
use super::convergence::{Convergence, Goal, Intent};
use super::instance::Instance;
use super::params::Params;
use super::{agreement, lockspace, missing, stores};
use crate::host::{Host, log_findings};
use crate::missing_ports::MissingPorts;

/// Fails where something is missing; what only a reload or a restart would change is logged.
pub(super) fn thorough(host: &Host<'_>, instance: &Instance, local: &NodeName) -> Result<(), Failure> {
    let (params, findings) = Params::parse(&host.context.env);
    log_findings(&findings);
    let found = instance.storage(host, host.observer())?;
    let (Some(params), Some(group)) = (params, found.group.as_ref()) else { return Ok(()) };
    let own = group.target_groups.get(local);
    let ports = instance.ports(own);
    let present = host.observer().port_names(params.driver)?;
    // A port of this machine that is only a name there counts as remote: the kernel does not take the group for ours.
    let right = |port: &TargetName| {
        let member = own.and_then(|own| own.members.get(port));
        member.is_some_and(|member| member.local || !present.contains(port))
    };
    // A target that was made goes with its daemon. Its resource makes it again, and this group is restarted for that; a restart before
    // finds no target, fails, and bans the group from the node.
    let made = params.driver.makes_targets();
    let may_be_missing =
        |port: &TargetName| !present.contains(port) && (made || params.missing_ports == MissingPorts::Warn);
    for (port, _) in ports.iter().filter(|(port, _)| may_be_missing(port)) {
        match params.missing_ports {
            MissingPorts::Warn => tracing::warn!("port {port} does not exist"),
            MissingPorts::Fail => tracing::error!("port {port} does not exist: its resource has to bring it up"),
        }
    }
    if let Some((port, _)) = ports.iter().find(|(port, _)| !right(port) && !may_be_missing(port)) {
        return Err(Failure::generic(format!("port {port} is missing in target group {local}")));
    }
    let promoted = own.is_some_and(|own| own.state.is_open());
    let stores = stores::by_path(host, &params)?;
    let broken = |why| Failure::new(if promoted { ExitCode::FailedPromoted } else { ExitCode::Generic }, why);
    if let Some(wrong) = stores::compare(&params, &stores, &found, promoted) {
        return Err(broken(wrong));
    }
    if let Some(lost) = lockspace::lost(host, instance, group.devices.iter())? {
        return Err(broken(lost));
    }
    let convergence = Convergence::of_group(host, &params, stores, instance, (local, own))?;
    if let Err(conflict) = agreement::thorough(host, instance, local, &convergence.params, &found, promoted) {
        // Hosts of a node that serves see what they have seen all the time.
        if !promoted {
            return Err(Failure { code: ExitCode::Generic, ..conflict });
        }
        tracing::error!("{conflict}");
    }
    // Without any of them nothing can be mapped.
    if made && !ports.is_empty() && ports.iter().all(|(port, _)| !present.contains(port)) {
        return Ok(());
    }
    let left_out = missing::left_out(&convergence, &findings);
    let mistakes = mistakes(&findings, &params, &instance.configured(host));
    let Intent { plan, .. } = convergence.intent(instance, &found, Goal::ReloadedAlone(&mistakes));
    plan.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    let refused = plan.left_out.keys().map(|device| format!("device {device} is missing"));
    let mut missing = left_out.into_iter().chain(refused).next();
    for step in &plan.steps {
        match step {
            Step::AddDevice { device, .. } => _ = missing.get_or_insert(format!("device {device} is missing")),
            Step::Join { device, .. } => {
                _ = missing.get_or_insert(format!("device {device} is not in device group {}", instance.group));
            }
            Step::AddLun { at, device } if !found.luns.contains_key(at) => {
                _ = missing.get_or_insert(format!("LUN {} of {} with device {device} is missing", at.lun, at.table));
            }
            other => tracing::warn!("differs from the configuration: {other}"),
        }
    }
    missing.map_or(Ok(()), |missing| Err(Failure::generic(missing)))
}
