//! Initiator groups that others made on targets of ours.
//!
//! They are nobody's business but theirs, with one exception: of two groups that match an initiator the kernel takes the one that was made
//! first, so a host can see the LUNs of a group that this resource neither knows nor removes.

use scst_core::error::Error;
use scst_core::observe::Unlistable;
use scst_core::scst::names::InitiatorGroup;
use scst_core::state::Ports;

use super::groups::Groups;
use super::ours::Ours;
use super::run::Run;

/// Warns of every group of others on these ports that matches initiators of the configuration. What cannot be read of them is no reason to
/// fail: the kernel can list initiators that no path names.
pub(super) fn warn(run: &Run<'_>, ours: &Ours<'_>, ports: &Ports, configured: &Groups) {
    // The agent for Fibre Channel alone counts its reads.
    if run.agent.driver.is_some() {
        return;
    }
    if let Err(error) = look(run, ours, ports, configured) {
        tracing::warn!("initiator groups that are not of this resource are not compared: {error}");
    }
}

fn look(run: &Run<'_>, ours: &Ours<'_>, ports: &Ports, configured: &Groups) -> Result<(), Error> {
    let until = run.host.deadline().share(1, 8);
    for name in ports.keys() {
        let theirs = |group: &InitiatorGroup| !ours.owns(name, group) && !ours.configured.contains(group);
        let observer = run.host.observer_until(&until);
        let found = observer.ports(run.driver, std::slice::from_ref(name), theirs, Unlistable::Refused)?;
        for (group, content) in found.values().flat_map(|port| &port.groups) {
            let meets = |(_, own): &&(InitiatorGroup, Vec<_>)| {
                content.initiators.iter().any(|theirs| own.iter().any(|own| theirs.overlaps(own)))
            };
            for (own, _) in configured.iter().filter(meets) {
                tracing::warn!(
                    "initiator group {group} of port {name}, which is not of this resource, matches initiators of {own}: \
                     the one that was made first counts"
                );
            }
        }
    }
    Ok(())
}
