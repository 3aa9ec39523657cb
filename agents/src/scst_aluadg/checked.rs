//! Checks the configuration for start, promote, reload and `planned`, as far as that is possible without a look at
//! SCST: what refuses the action, and which mistakes do not.

use std::collections::{BTreeMap, BTreeSet};

use scst_core::ocf::exit::Failure;
use scst_core::ocf::param::{Effect, Finding};
use scst_core::scst::names::DeviceName;

use super::device::DEVICE;
use super::params::Params;
use super::stores;
use super::wanted::Mistakes;
use crate::backing::Store;
use crate::host::{Host, refuse_errors, refuse_two_per_node, refuse_two_promoted};

/// A configuration that can be started, and what is odd in it.
pub(super) struct Checked {
    pub(super) params: Params,
    pub(super) findings: Vec<Finding>,
    /// What is found of the backing stores, by their path.
    pub(super) stores: BTreeMap<String, Store>,
}

/// The parameters, the clone's limits and the backing files: what can be refused without looking at SCST.
pub(super) fn checked(host: &Host<'_>) -> Result<Checked, Failure> {
    let checked = parsed(host)?;
    stores::missing(&checked.params, &checked.stores, false)?;
    Ok(checked)
}

/// The same where stores may be absent: the caller judges what was found of them.
pub(super) fn parsed(host: &Host<'_>) -> Result<Checked, Failure> {
    let env = &host.context.env;
    let (params, findings) = Params::parse(env);
    refuse_errors(&findings)?;
    refuse_two_per_node(env)?;
    refuse_two_promoted(env)?;
    if env.notify_enabled() == Some(false) {
        tracing::warn!("the clone does not have notify=true: hosts learn late what the other nodes do");
    }
    let params = params.ok_or_else(|| Failure::configured("no usable configuration"))?;
    let stores = stores::by_path(host, &params)?;
    Ok(Checked { params, findings, stores })
}

/// What an operator mistyped in a configuration that is not bad as a whole: such a device is left out of a start, but a
/// reload must not take it from its hosts.
pub(super) fn mistakes(findings: &[Finding], params: &Params, configured: &BTreeSet<DeviceName>) -> Mistakes {
    let used: BTreeMap<String, &DeviceName> =
        params.devices.iter().map(|device| (device.parameter(), &device.name)).collect();
    let names = used.values().copied().collect::<BTreeSet<_>>();
    let of = |effect| findings.iter().filter(move |finding| finding.effect == effect);
    // `deviceI` for `device1` is a device, too, that somebody meant.
    let mistyped = of(Effect::Ignored).filter(|finding| finding.parameter.starts_with(DEVICE));
    let left_out: BTreeSet<&String> = of(Effect::LeftOut).chain(mistyped).map(|finding| &finding.parameter).collect();
    let devices: BTreeSet<_> = configured.iter().filter(|name| !names.contains(name)).cloned().collect();
    Mistakes {
        unnamed: left_out.len() > devices.len(),
        devices,
        exports: of(Effect::PartLeftOut)
            .filter_map(|finding| used.get(&finding.parameter))
            .map(|name| (*name).clone())
            .collect(),
    }
}
