//! Makes a promotion wait for some seconds when the one before it has failed. Otherwise Pacemaker would restart and
//! promote the only candidate several times a second.

use scst_core::error::Error;
use scst_core::ocf::exit::Failure;
use scst_core::ocf::notify::Notify;
use scst_core::scst::names::GroupName;
use scst_core::sysfs::wait_until;

use super::instance::Instance;
use crate::host::Host;

/// How many seconds after a failed promotion the next one goes on at the earliest.
const HOLD_BACK: u64 = 15;

/// Waits until [`HOLD_BACK`] seconds have passed since the last failure, for half of the action's time at most. If
/// another node has served since, it does not wait, because hosts wait then.
pub(super) fn hold_back(host: &Host<'_>, instance: &Instance) -> Result<(), Failure> {
    if host.dry_run() {
        return Ok(());
    }
    let Some(at) = host.state_files.failure_kept(&instance.group) else { return Ok(()) };
    let lists = Notify::from_env(&host.context.env).lists.unwrap_or_default();
    let local = host.node_name_offline(&instance.remembered);
    let other = lists.promoted.iter().any(|node| local.as_ref().is_none_or(|local| local.as_str() != node));
    let again = at.saturating_add(HOLD_BACK);
    if !other && host.boot_seconds() < again {
        tracing::warn!("waiting a while: the last promotion failed, and the resource was restarted for it");
        let over = || Ok((host.boot_seconds() >= again).then_some(()));
        match wait_until("some time after a promotion that failed", &host.deadline().share(1, 2), over) {
            Ok(()) | Err(Error::NotSeen { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    keep(host, &instance.group, None);
    Ok(())
}

/// What a stop leaves behind of a promotion that failed; nothing if none did.
pub(super) fn keep_failure(host: &Host<'_>, instance: &Instance) {
    keep(host, &instance.group, instance.remembered.known().and_then(|file| file.failed));
}

fn keep(host: &Host<'_>, group: &GroupName, failure: Option<u64>) {
    if let Err(error) = host.state_files.keep_failure(group, failure) {
        tracing::warn!("when the last promotion failed is not remembered: {error}");
    }
}
