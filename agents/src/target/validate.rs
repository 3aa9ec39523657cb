//! validate-all: checks the parameters, and at level 10 also whether this node has the ports.

use scst_core::ocf::exit::{ExitCode, Failure};
use scst_core::state_file::Remembered;

use super::run::Run;
use super::{daemon, settings};
use crate::host::{Module, validate};

pub(super) fn validate_all(run: &Run<'_>) -> Result<ExitCode, Failure> {
    let host = &run.host;
    let (params, findings) = run.params();
    validate(&findings)?;
    let params = params.unwrap_or_default();
    params.check_count()?;
    if host.context.env.check_level() >= 10 {
        let topology = host.topology(run.driver, &Remembered::Nothing)?;
        let local = run.local_ports(&topology, params.missing_ports)?;
        host.find_modules(&[Module::scst(), Module::driver(run.driver)])?;
        daemon::check(run, &params.daemon)?;
        settings::refuse_unknown(run, &local.ports, &params.settings)?;
    }
    Ok(ExitCode::Success)
}
