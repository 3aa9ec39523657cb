//! The part of a monitor with `OCF_CHECK_LEVEL=10`: compares everything that is configured with what is there.

use scst_core::ocf::exit::{ExitCode, Failure};
use scst_core::plan::{Change, Step, ports::plan};
use scst_core::state_file::Remembered;

use super::ours::Ours;
use super::{Run, wanted};
use crate::host::log_findings;

/// Level 10: what is missing makes the instance fail, what merely differs is told.
pub(super) fn thorough(run: &Run<'_>, ours: &Ours<'_>, record: &Remembered) -> Result<ExitCode, Failure> {
    let host = &run.host;
    let (params, findings) = run.params();
    let params = params.map(|params| params.after(record));
    log_findings(&findings);
    let (Some(params), Some(ports), Some(id)) = (params, ours.recorded(), host.node_id_offline(record)) else {
        return Ok(ExitCode::Success);
    };
    let names: Vec<_> = ports.iter().map(|(name, _)| name.clone()).collect();
    let found = ours.ports(host.observer(), &names, |group| ours.configured.contains(group))?;
    let wanted = wanted::reloaded(wanted::started(&params, id, ports)?, &found);
    // A daemon that hangs must not make the monitor outlive its time.
    let until = host.deadline().share(1, 4);
    let found = ours.with_settings(host.observer_until(&until), found, &wanted)?;
    let mut missing = None;
    if host.observer_until(&until).driver_enabled(run.driver)? == Some(false) {
        missing = Some(format!("driver {} is not enabled: no host can log in", run.driver));
    }
    for step in plan(run.driver, &found, &wanted) {
        match &step {
            Step::CreateIniGroup { port, group, .. } => {
                missing.get_or_insert(format!("initiator group {group} of port {port} is missing"));
            }
            Step::AddInitiator { port, group, initiator, .. } => {
                missing.get_or_insert(format!("initiator {initiator} is missing in group {group} of port {port}"));
            }
            Step::Target { change: Change::AddUser { .. } | Change::AddPortal { .. }, .. } => {
                missing.get_or_insert(format!("missing: {step}"));
            }
            other => tracing::warn!("differs from the configuration: {other}"),
        }
    }
    missing.map_or(Ok(ExitCode::Success), |missing| Err(Failure::generic(missing)))
}
