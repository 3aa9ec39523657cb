//! Reload: a changed configuration becomes effective without touching what has not changed.

use scst_core::cluster::Survey;
use scst_core::deadline::Deadline;
use scst_core::error::Error;
use scst_core::observe::Observer;
use scst_core::ocf::exit::{Answer, ExitCode, Failure, Kind};
use scst_core::plan::Plan;
use scst_core::scst::alua::AluaState;
use scst_core::state::Storage;

use super::agreement;
use super::checked::{Checked, mistakes, parsed};
use super::convergence::{Convergence, Goal, Intent, log_remarks};
use super::instance::Instance;
use super::lockspace;
use super::same_disk;
use super::score::Score;
use super::sharing::Reservations;
use super::stores;
use crate::host::{Host, first_failure, reload_incomplete, reload_not_begun, reload_refused};

/// Makes a changed configuration effective without touching what has not changed.
pub(super) fn reload(host: &Host<'_>) -> Result<Answer, Failure> {
    let Some(mut instance) = Instance::find(host) else {
        return Err(Failure::not_running("not running, nothing to reload"));
    };
    let _lock = instance.lock(host)?;
    instance.refresh(host);
    let found = instance.storage(host, host.observer())?;
    if found.is_empty() {
        return Err(Failure::not_running("not running, nothing to reload"));
    }
    let local = host.node_name(&instance.remembered)?;
    let state = found.state(&local);
    let mut took = false;
    let configuration = parsed(host);
    let outcome = match rearrange(host, &mut instance, found, configuration, Nodes::Asked, host.deadline(), &mut took) {
        // Without hosts that miss anything there is no reason to stop what runs.
        Err(failure) if failure.kind == Kind::Temporary && !took && !host.dry_run() => {
            let noted = instance.update(host, |file| file.unfinished = true);
            reload_incomplete(failure, noted)
        }
        outcome => outcome,
    };
    // Whatever came of it, and also where nothing was changed: Pacemaker notes a reload that succeeds as a start.
    instance.set_score(host, &local, Score::of(state));
    outcome
}

/// Goes on with a reload that could not do everything, as far as the cluster need not be asked for it.
///
/// # Errors
///
/// Exit 1: hosts miss something that they are meant to have, because the change could not be made whole. That the reload is still not
/// finished without that is logged: the next monitor goes on.
pub(super) fn finish(host: &Host<'_>, instance: &mut Instance) -> Result<(), Failure> {
    let owes = owes(instance, host.observer()).unwrap_or_else(|error| {
        tracing::warn!("whether a device has come late is not known: {error}");
        false
    });
    // Whoever holds the lock is at work, perhaps at this.
    if !owes || host.state_files.locked(instance.group.as_str()) {
        return Ok(());
    }
    let mut took = false;
    match go_on(host, instance, &mut took) {
        Err(failure) if took => Err(Failure { code: ExitCode::Generic, ..failure }),
        Ok(Answer::LeftUndone(failure)) | Err(failure) => {
            tracing::warn!("the last reload is still not finished: {failure}");
            Ok(())
        }
        Ok(Answer::Done(_)) => Ok(()),
    }
}

/// Whether the last reload has something to do: it is unfinished, or a device that it did not find has come, because
/// the kernel has carried out what an earlier action had asked for.
fn owes(instance: &Instance, observer: Observer<'_>) -> Result<bool, Error> {
    let Some(file) = instance.remembered.known() else { return Ok(false) };
    for device in file.adding.iter().filter(|_| !file.unfinished) {
        if observer.block(device)?.is_some() {
            return Ok(true);
        }
    }
    Ok(file.unfinished)
}

fn go_on(host: &Host<'_>, instance: &mut Instance, took: &mut bool) -> Result<Answer, Failure> {
    // Before the lock: a store that does not answer keeps nobody else waiting.
    let configuration = parsed(host);
    if let Ok(checked) = &configuration
        && let Err(failure) = stores::missing(&checked.params, &checked.stores, false)
    {
        return Ok(Answer::LeftUndone(failure));
    }
    let _lock = instance.lock(host)?;
    instance.refresh(host);
    let found = instance.storage(host, host.observer())?;
    if !owes(instance, host.observer())? || found.group.is_none() {
        return Ok(ExitCode::Success.into());
    }
    // A monitor that does not answer in time makes the instance fail.
    let until = host.deadline().share(1, 3);
    rearrange(host, instance, found, configuration, Nodes::Recorded, &until, took)
}

/// Where a reload knows the nodes and their ports from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nodes {
    /// From the cluster.
    Asked,
    /// This node from its state file, and of the others nothing: their target groups stay as they are.
    Recorded,
}

/// What a reload does to an instance that is there, until `until`. `took`: hosts miss something that they are meant to have.
fn rearrange(
    host: &Host<'_>,
    instance: &mut Instance,
    mut found: Storage,
    configuration: Result<Checked, Failure>,
    nodes: Nodes,
    until: &Deadline,
    took: &mut bool,
) -> Result<Answer, Failure> {
    let Checked { params, findings, stores } = match configuration {
        Ok(checked) => checked,
        Err(failure) => return reload_not_begun(failure),
    };
    let mut survey = Survey::default();
    let mut ask = || {
        let local = host.node_name(&instance.remembered)?;
        survey = host.survey(&agreement::attribute(&instance.group))?;
        Host::topology_of(&survey.nodes, &local, params.driver)
    };
    let (topology, unasked) = match nodes {
        Nodes::Recorded => match Host::recorded_topology(&instance.remembered) {
            Some(recorded) => (recorded, None),
            None => return Ok(ExitCode::Success.into()),
        },
        Nodes::Asked => match Host::or_recorded(ask(), &instance.remembered, "target groups stay as they are") {
            Ok(known) => known,
            Err(failure) => return reload_not_begun(failure),
        },
    };
    let alone = nodes == Nodes::Recorded || unasked.is_some();
    let nodes_and_cluster = (topology, survey.cluster());
    let convergence = match Convergence::of_cluster(host, &params, stores, instance, nodes_and_cluster) {
        Err(failure) => return reload_not_begun(failure),
        Ok(convergence) => convergence,
    };
    convergence.log_unmatched();
    let serving = found.state(&convergence.topology.local.name).is_some_and(AluaState::is_open);
    if let Err(failure) = stores::missing(&params, &convergence.facts.stores, serving) {
        // A store comes, or comes back, without another change of the configuration: the next monitor looks again. Where that cannot be
        // noted nobody does, and there is still no reason to stop what runs.
        if host.dry_run() {
            return Ok(reload_refused(failure));
        }
        let noted = instance.update(host, |file| file.unfinished = true);
        return reload_incomplete(failure, noted).or_else(|failure| Ok(reload_refused(failure)));
    }
    if Reservations::are_shared(&host.context.env)
        && let Err(failure) = lockspace::runs(host)
    {
        return Ok(reload_refused(failure));
    }
    instance.release(host, &mut found)?;
    let mistakes = mistakes(&findings, &params, &instance.configured(host));
    let goal = if alone { Goal::ReloadedAlone(&mistakes) } else { Goal::Reloaded(&mistakes) };
    let Intent { wanted, spared, plan } = convergence.intent(instance, &found, goal);
    for sentence in spared {
        tracing::error!("{sentence}");
    }
    if let Some(conflict) = convergence.conflict(&found, &wanted)? {
        return Ok(reload_refused(conflict));
    }
    let shown = agreement::planned(&convergence.params, &found, &wanted, serving);
    let local = convergence.topology.local.name.clone();
    if let Err(conflict) = agreement::compare(&local, &shown, &survey.told, None) {
        tracing::error!("{conflict}");
    }
    log_remarks(&plan);
    if let Err(failure) = convergence.first_device(&plan) {
        return Ok(reload_refused(failure));
    }
    let after_failure = same_disk::after_failure(host, &convergence.params.devices, &found, &wanted)?;
    convergence.remember(instance, &found, &wanted, |file| file.unfinished |= !plan.steps.is_empty());
    let plan = Plan { steps: instance.shortened(host, plan.steps), ..plan };
    let applied = host.apply_until(&plan.steps, after_failure, until);
    if host.dry_run() {
        return Ok(ExitCode::Success.into());
    }
    if let Some(failure) = first_failure(&applied) {
        *took = applied.took_from_hosts(&plan.steps);
        return Err(failure);
    }
    convergence.verify(&plan, &found, &wanted, until)?;
    convergence.forget_leftovers(instance, &wanted);
    convergence.keep_cluster();
    // A monitor that goes on with a reload starts no process.
    match nodes {
        Nodes::Asked => agreement::correct(host, &instance.group, &local, &shown),
        Nodes::Recorded => tracing::warn!(
            "the last reload is finished, and asked the cluster for nothing: where nodes or ports have changed as well, change the \
             parameter reload once more"
        ),
    }
    instance.update(host, |file| file.unfinished = false);
    if serving {
        stores::remember(host, &params, &convergence.facts.stores);
    }
    Ok(unasked.map_or(ExitCode::Success.into(), Answer::LeftUndone))
}
