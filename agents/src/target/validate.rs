//! validate-all: checks the parameters, and at level 10 also whether this node has the ports.

use scst_core::ocf::exit::{ExitCode, Failure};
use scst_core::state_file::Remembered;

use super::{Run, daemon};
use crate::host::validate;

pub(super) fn validate_all(run: &Run<'_>) -> Result<ExitCode, Failure> {
    let host = &run.host;
    let (params, findings) = run.params();
    validate(&findings)?;
    let params = params.unwrap_or_default();
    params.check_count()?;
    if host.context.env.check_level() >= 10 {
        let topology = host.topology(run.driver, &Remembered::Nothing)?;
        let local = run.local_ports(&topology, params.missing_ports)?;
        daemon::check(run, &params.daemon)?;
        for (port, _) in &local.ports {
            let shown = host.observer().attribute_names(run.driver, port)?;
            let unknown = params.settings.attributes.keys().find(|name| !shown.iter().any(|shown| shown == *name));
            if let Some(name) = unknown.filter(|_| !shown.is_empty()) {
                return Err(Failure::installed(format!("attributes: this kernel has no {name}")));
            }
        }
    }
    Ok(ExitCode::Success)
}
