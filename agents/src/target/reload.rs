//! reload: changes initiator groups, initiators, attributes, portals and users; ports stay enabled, with their numbers.

use scst_core::apply::AfterFailure;
use scst_core::ocf::exit::{Answer, ExitCode, Failure};
use scst_core::plan::Step;
use scst_core::state_file::StateFile;

use super::convergence::{Convergence, Goal};
use super::foreign;
use super::ours::Ours;
use super::run::{LOCK, Run};
use super::wanted::group_names;
use crate::host::{
    Host, first_failure, nothing_left, refuse_errors, reload_incomplete, reload_not_begun, reload_refused,
};

pub(super) fn reload(run: &Run<'_>) -> Result<Answer, Failure> {
    let host = &run.host;
    let _lock = host.lock(LOCK)?;
    let remembered = host.state_files.read(None);
    let ours = Ours::find(run, &remembered);
    let likely = ours.names(&ours.candidates(host.observer())?, None);
    let not_running = || Failure::not_running("not running, nothing to reload");
    if !ours.are_up(&ours.ports_to_remove(host.observer(), &likely)?) {
        return Err(not_running());
    }
    let (params, findings) = run.params();
    if let Err(failure) = refuse_errors(&findings) {
        return Ok(reload_refused(failure));
    }
    let asked = host.topology(run.driver, &remembered);
    let (topology, unasked) = match Host::or_recorded(asked, &remembered, "ports are taken from the state file") {
        Ok(known) => known,
        Err(failure) => return reload_not_begun(failure),
    };
    if ours.recorded().is_none() && !likely.iter().any(|name| topology.local.lists(name)) {
        return Err(not_running());
    }
    let configuration = (params.unwrap_or_default(), findings.as_slice());
    let mut convergence = match Convergence::of_cluster(run, &ours, configuration, &topology, Goal::Reloaded) {
        Err(failure) => return reload_not_begun(failure),
        Ok(convergence) => convergence,
    };
    let file = convergence.state_file(&topology.local);
    if let Err(error) = convergence.read_settings(&host.deadline().share(1, 2)) {
        // A daemon that hangs is no reason to restart what runs.
        let noted = host.remember(&StateFile { unfinished: true, ..file });
        return reload_incomplete(error.into(), noted);
    }
    let steps = convergence.steps();
    if let Some(sentence) = convergence.kept_by_mistake() {
        tracing::error!("{sentence}");
    }
    tell(&steps);
    convergence.out_of_order().iter().for_each(|sentence| tracing::warn!("{sentence}"));
    foreign::warn(run, &ours, &convergence.found, &convergence.params.groups);
    // Whoever comes after a kill goes on.
    host.remember(&StateFile { unfinished: !steps.is_empty(), ..file.clone() });
    let applied = host.apply(&steps, AfterFailure::GoOn);
    if host.dry_run() {
        return Ok(ExitCode::Success.into());
    }
    let left = match first_failure(&applied) {
        Some(failure) if applied.took_from_hosts(&steps) => return Err(failure),
        Some(failure) => Err(failure),
        None if steps.is_empty() => Ok(convergence.found.clone()),
        None => convergence.observe_again(host.deadline()).map_err(Failure::from),
    };
    match left.and_then(|now| nothing_left(&convergence.steps_from(&now)).map(|()| now)) {
        Err(failure) => {
            let noted = host.remember(&StateFile { unfinished: true, ..file });
            reload_incomplete(failure, noted)
        }
        Ok(now) => {
            host.remember(&StateFile { ini_groups: group_names(&now), ..file });
            Ok(unasked.map_or(ExitCode::Success.into(), Answer::LeftUndone))
        }
    }
}

/// Logs what a reload does not change for hosts that are logged in.
fn tell(steps: &[Step]) {
    let later = |step: &Step| matches!(step, Step::Target { change, .. } if change.holds_for_next_login());
    if steps.iter().any(later) {
        tracing::info!("users, portals and attributes of iSCSI hold for the next login of each host");
    }
}

/// Goes on with a reload that could not do everything. The ports are those of the state file: the cluster is not asked.
pub(super) fn finish_reload(run: &Run<'_>, ours: &Ours<'_>, file: &StateFile) -> Result<(), Failure> {
    let host = &run.host;
    // Whoever holds the lock is at work, perhaps at this.
    if host.state_files.locked(LOCK) {
        return Ok(());
    }
    let _lock = host.lock(LOCK)?;
    let (params, findings) = run.params();
    let Some(mut convergence) = Convergence::of_state_file(run, ours, (params, &findings))? else { return Ok(()) };
    // A monitor that does not answer in time makes the instance fail, and a daemon that hangs is asked at every one.
    let until = host.deadline().share(1, if run.driver.has_daemon() { 10 } else { 3 });
    convergence.read_settings(&until)?;
    let applied = host.apply_until(&convergence.steps(), AfterFailure::GoOn, &until);
    if let Some(failure) = first_failure(&applied) {
        return Err(failure);
    }
    let mut groups = group_names(&convergence.wanted);
    if convergence.removes_nothing {
        groups.extend(ours.groups_of(&convergence.found));
    }
    let order = ours.order(&convergence.found, &convergence.wanted);
    host.remember(&StateFile { ini_groups: groups, order, unfinished: false, ..file.clone() });
    Ok(())
}
