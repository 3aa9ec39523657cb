//! validate-all: the parameters, and at level 10 this node as well.

use scst_core::ocf::exit::{ExitCode, Failure};
use scst_core::state_file::Remembered;

use super::Run;
use crate::host::validate;

pub(super) fn validate_all(run: &Run<'_>) -> Result<ExitCode, Failure> {
    let host = &run.host;
    let (params, findings) = run.params();
    validate(&findings)?;
    let params = params.unwrap_or_default();
    params.check_count()?;
    if host.context.env.check_level() >= 10 {
        let topology = host.topology(run.driver, &Remembered::Nothing)?;
        host.local_ports(run.driver, &topology, params.missing_ports)?;
    }
    Ok(ExitCode::Success)
}
