//! The configuration as far as it can be refused without a look at SCST, and the mistakes that do not refuse it.

use std::collections::{BTreeMap, BTreeSet};

use scst_core::ocf::exit::Failure;
use scst_core::ocf::param::{Finding, Severity};
use scst_core::scst::names::DeviceName;

use super::params::Params;
use super::stores;
use super::wanted::Mistakes;
use crate::host::{Host, refuse_errors, refuse_two_per_node, refuse_two_promoted};

/// A configuration that can be started, and what is odd in it.
pub(super) struct Checked {
    pub(super) params: Params,
    pub(super) findings: Vec<Finding>,
}

/// The parameters, the clone's limits and the backing files: what can be refused without looking at SCST.
pub(super) fn checked(host: &Host<'_>) -> Result<Checked, Failure> {
    let env = &host.context.env;
    let (params, findings) = Params::parse(env);
    refuse_errors(&findings)?;
    refuse_two_per_node(env)?;
    refuse_two_promoted(env)?;
    if env.notify_enabled() == Some(false) {
        tracing::warn!("the clone does not have notify=true: hosts learn late what the other nodes do");
    }
    let params = params.ok_or_else(|| Failure::configured("no usable configuration"))?;
    stores::missing(host, &params, false)?;
    Ok(Checked { params, findings })
}

/// What an operator mistyped in a configuration that is not bad as a whole: such a device is left out of a start, but a
/// reload must not take it from its hosts.
pub(super) fn mistakes(findings: &[Finding], params: &Params, configured: &BTreeSet<DeviceName>) -> Mistakes {
    let faults = || findings.iter().filter(|finding| finding.severity >= Severity::Warning);
    let used: BTreeMap<String, &DeviceName> =
        params.devices.iter().map(|device| (format!("device{}", device.index), &device.name)).collect();
    let names = used.values().copied().collect::<BTreeSet<_>>();
    let exports = faults().filter(|fault| fault.position.as_ref().is_some_and(|at| at.starts_with("export")));
    let left_out: BTreeSet<&String> = faults()
        .map(|fault| &fault.parameter)
        .filter(|name| name.starts_with("device") && !used.contains_key(*name))
        .collect();
    let devices: BTreeSet<_> = configured.iter().filter(|name| !names.contains(name)).cloned().collect();
    Mistakes {
        unnamed: left_out.len() > devices.len(),
        devices,
        exports: exports.filter_map(|fault| used.get(&fault.parameter)).map(|name| (*name).clone()).collect(),
    }
}
