//! The part of a monitor with `OCF_CHECK_LEVEL=10`: compares everything that is configured with what is there.

use scst_core::ocf::exit::{ExitCode, Failure};
use scst_core::plan::{Change, Step};

use super::convergence::Convergence;
use super::ours::Ours;
use super::run::Run;
use crate::host::log_findings;

/// Level 10: what is missing makes the instance fail, what merely differs is told.
pub(super) fn thorough(run: &Run<'_>, ours: &Ours<'_>) -> Result<ExitCode, Failure> {
    let host = &run.host;
    let (params, findings) = run.params();
    log_findings(&findings);
    let Some(mut convergence) = Convergence::of_state_file(run, ours, (params, &findings))? else {
        return Ok(ExitCode::Success);
    };
    // A daemon that hangs must not make the monitor outlive its time.
    let until = host.deadline().share(1, 4);
    convergence.read_settings(&until)?;
    convergence.out_of_order().iter().for_each(|sentence| tracing::warn!("differs from the configuration: {sentence}"));
    let mut missing = None;
    if convergence.enable_driver(&until)?.is_some() {
        missing = Some(format!("driver {} is not enabled: no host can log in", run.driver));
    }
    for step in convergence.differences() {
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
