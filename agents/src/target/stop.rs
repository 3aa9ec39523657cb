//! stop: ports down, then the groups that are ours, then the targets that we made. It validates nothing.

use scst_core::apply::AfterFailure;
use scst_core::ocf::exit::{ExitCode, Failure};
use scst_core::plan::ports::plan;
use scst_core::scst::names::TargetName;
use scst_core::state::{Port, Ports};

use super::ours::Ours;
use super::run::{LOCK, Run};
use super::{daemon, wanted};
use crate::host::Removal;

pub(super) fn stop(run: &Run<'_>) -> Result<ExitCode, Failure> {
    let host = &run.host;
    let _lock = host.lock_to_stop(LOCK)?;
    let remembered = host.state_files.read(None);
    let ours = Ours::find(run, &remembered);
    let candidates = ours.candidates(host.observer())?;
    let recorded = ours.recorded().is_some();
    let ask = !recorded && !candidates.is_empty();
    let names = ours.names(&candidates, ask.then(|| run.listed(&remembered)).flatten().as_ref());
    let found = ours.ports_to_remove(host.observer(), &names)?;
    let down = |_: &TargetName, port: &Port| recorded || ours.numbered(port);
    let steps = |found: &Ports| plan(run.driver, found, &wanted::stopped(found, down, |name| ours.made(name)));
    let removal = Removal {
        remove: &|found| host.apply(&steps(found), AfterFailure::GoOn),
        observe: &|observer| ours.ports_to_remove(observer, &names),
        remains: &|left| steps(left).first().map(|step| format!("still to be done: {step}")),
        has_more,
        holders: &|left| holders(run, &ours, left),
    };
    let applied = match removal.carry_out(host, found, None) {
        Err(failure) if daemon::ended(run) => {
            tracing::warn!("the daemon of driver {} has ended meanwhile: {failure}", run.driver);
            removal.carry_out(host, ours.ports_to_remove(host.observer(), &names)?, None)?
        }
        carried_out => carried_out?,
    };
    if host.dry_run() {
        return Ok(ExitCode::Success);
    }
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

/// Who is still logged in to what is left: to a group of ours, or anywhere to a target that we made.
fn holders(run: &Run<'_>, ours: &Ours<'_>, left: &Ports) -> Vec<String> {
    let host = &run.host;
    let deadline = host.deadline().last();
    let observer = host.observer_until(&deadline);
    let mut sessions = Vec::new();
    for (port, content) in left {
        if ours.made(port) {
            sessions.extend(observer.sessions(run.driver, port).unwrap_or_default());
        } else {
            let of = |group| observer.sessions_in(run.driver, port, group).unwrap_or_default();
            sessions.extend(content.groups.keys().flat_map(of));
        }
    }
    sessions.iter().map(ToString::to_string).collect()
}
