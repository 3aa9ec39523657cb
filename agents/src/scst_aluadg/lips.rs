//! Plans and issues loop initialisations after new LUNs were mapped, so that Fibre Channel hosts look at the LUNs of a
//! port again.

use std::collections::BTreeSet;

use scst_core::apply::AfterFailure;
use scst_core::deadline::Deadline;
use scst_core::error::Error;
use scst_core::ocf::exit::Failure;
use scst_core::plan::Step;
use scst_core::scst::names::{Driver, TargetName};

use super::convergence::Convergence;

/// One loop initialisation per enabled FC port whose LUNs changed, so that initiators look again.
pub(super) fn planned(convergence: &Convergence<'_>, steps: &[Step], deadline: &Deadline) -> Result<Vec<Step>, Error> {
    if convergence.scope.driver != Driver::Qla2x00t || !convergence.params.lip {
        return Ok(Vec::new());
    }
    let changed: BTreeSet<&TargetName> = steps
        .iter()
        .filter_map(|step| match step {
            Step::AddLun { at, .. } | Step::DelLun { at, .. } => Some(&at.table.port),
            _ => None,
        })
        .collect();
    let observer = convergence.host.observer_until(deadline);
    let mut lips = Vec::new();
    for port in changed {
        if !observer.port(convergence.scope.driver, port)?.is_some_and(|port| port.enabled) {
            continue;
        }
        if let Some(host) = observer.fc_host(port)? {
            lips.push(Step::IssueLip { port: port.clone(), host });
        } else {
            tracing::warn!("port {port} has no fc_host: no loop initialisation");
        }
    }
    Ok(lips)
}

/// Issues them after the plan has been carried out.
pub(super) fn issue(convergence: &Convergence<'_>, steps: &[Step]) {
    // A courtesy must not take the time of the rest.
    let deadline = convergence.host.deadline().share(1, 4);
    match planned(convergence, steps, &deadline) {
        Ok(lips) => _ = convergence.host.apply_until(&lips, AfterFailure::GoOn, &deadline),
        Err(error) => tracing::warn!("no loop initialisation: {error}"),
    }
}

/// Prints them in a dry run.
pub(super) fn print(convergence: &Convergence<'_>, steps: &[Step]) -> Result<(), Failure> {
    let lips = planned(convergence, steps, convergence.host.deadline())?;
    convergence.host.apply(&lips, AfterFailure::GoOn);
    Ok(())
}
