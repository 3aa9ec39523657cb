//! stop: ports down, then the groups that are ours, then the targets that we made. It validates nothing.

use scst_core::apply::AfterFailure;
use scst_core::ocf::exit::{ExitCode, Failure};
use scst_core::plan::ports::plan;
use scst_core::scst::names::{EntryName, TargetName};
use scst_core::state::{Port, Ports};

use super::ours::Ours;
use super::run::{LOCK, Run};
use super::wanted;
use crate::host::{first_failure, held_by};

pub(super) fn stop(run: &Run<'_>) -> Result<ExitCode, Failure> {
    let host = &run.host;
    let _lock = host.lock_to_stop(LOCK)?;
    let remembered = host.state_files.read(None);
    let ours = Ours::find(run, &remembered);
    let candidates = ours.candidates(host.observer())?;
    let recorded = ours.recorded().is_some();
    let ask = !recorded && !candidates.is_empty();
    let names = ours.names(&candidates, ask.then(|| run.listed(&remembered)).flatten().as_ref());
    let mut found = ours.ports_to_remove(host.observer(), &names)?;
    let down = |_: &TargetName, port: &Port| recorded || ours.numbered(port);
    let remove = |found: &Ports| plan(run.driver, found, &wanted::stopped(found, down, |name| ours.made(name)));
    let applied = loop {
        let applied = host.apply(&remove(&found), AfterFailure::GoOn);
        if host.dry_run() {
            return Ok(ExitCode::Success);
        }
        // Even a step that failed may have come about, and a step that succeeded may have been undone by somebody else. The
        // time may be over by now; what is left must be known all the same.
        let deadline = host.deadline().last();
        let now = match (ours.ports_to_remove(host.observer_until(&deadline), &names), first_failure(&applied)) {
            (Err(_), Some(failure)) => return Err(failure),
            (now, _) => now?,
        };
        let left = remove(&now);
        let Some(step) = left.first() else { break applied };
        // The kernel carries out what an action that was killed had given to it, also after that action and after the last look.
        if has_more(&now, &found) && !host.deadline().expired() {
            tracing::warn!("still to be done: {step}: it has come since stop looked, and goes as well");
            found = now;
            continue;
        }
        let failure = first_failure(&applied).unwrap_or_else(|| Failure::generic(format!("still to be done: {step}")));
        let holders = held_by(&holders(run, &now));
        return Err(Failure { reason: format!("{}{holders}", failure.reason), ..failure });
    };
    for failed in &applied.failed {
        tracing::warn!("stopped all the same: {failed}");
    }
    host.forget(None);
    Ok(ExitCode::Success)
}

/// A port or an initiator group is there that was not found before, or a port has come up.
fn has_more(now: &Ports, before: &Ports) -> bool {
    now.iter().any(|(name, port)| {
        let known = before.get(name);
        known.is_none_or(|known| {
            (port.enabled && !known.enabled) || port.groups.keys().any(|group| !known.groups.contains_key(group))
        })
    })
}

/// Who is still logged in to what is left.
fn holders(run: &Run<'_>, left: &Ports) -> Vec<EntryName> {
    let host = &run.host;
    let deadline = host.deadline().last();
    let observer = host.observer_until(&deadline);
    let groups = left.iter().flat_map(|(port, content)| content.groups.keys().map(move |group| (port, group)));
    groups.flat_map(|(port, group)| observer.sessions_in(run.driver, port, group).unwrap_or_default()).collect()
}
