//! Brings an instance up, for start: the whole device group converges to the configuration, or everything goes back to
//! what it was.

use std::collections::BTreeMap;

use scst_core::apply::AfterFailure;
use scst_core::ocf::exit::Failure;
use scst_core::ocf::notify::{Lists, Notify};
use scst_core::plan::Step;
use scst_core::plan::storage::converge;
use scst_core::scst::alua::AluaState;
use scst_core::scst::names::NodeName;
use scst_core::state::Storage;
use scst_core::state_file::Remembered;

use super::agreement;
use super::convergence::{Convergence, Goal, Intent, log_remarks, log_warnings};
use super::instance::Instance;
use super::lips;
use super::lockspace;
use super::params::Params;
use super::score::Score;
use super::sharing::Reservations;
use super::stores;
use crate::backing::Store;
use crate::host::{Host, Module, first_failure};

/// Everything of start that comes between parameters and lock and the score; promote of a stopped instance does the same. `stores` is what
/// was found of the backing stores when they were checked: one that does not answer a second later would be served with other blocks. Answers
/// this node's name, and which score it has earned.
pub(super) fn bring_up(
    host: &Host<'_>,
    params: &Params,
    stores: BTreeMap<String, Store>,
    instance: &mut Instance,
) -> Result<(NodeName, Score), Failure> {
    let local = host.node_name(&instance.remembered)?;
    let survey = host.survey(&agreement::attribute(&instance.group))?;
    let topology = Host::topology_of(&survey.nodes, &local, params.driver)?;
    let disk = Module::handler("scst_disk", "dev_disk");
    host.load_modules(&[Module::scst(), disk, Module::handler("scst_vdisk", "vdisk_blockio")])?;
    if Reservations::are_shared(&host.context.env) && !host.dry_run() {
        lockspace::runs(host)?;
    }
    host.make_dir(&host.context.env.var_lib().join("pr"))?;
    let convergence = Convergence::of_cluster(host, params, stores, instance, (topology, survey.cluster()))?;
    convergence.log_unmatched();
    let mut found = instance.storage(host, host.observer())?;
    let state = found.state(&local);
    let serving = state.is_some_and(AluaState::is_open) && !instance.half_started();
    let score = if serving { Score::Promoted } else { Score::Unpromoted };
    instance.release(host, &mut found)?;
    if serving {
        stores::missing(params, &convergence.facts.stores, true)?;
    }
    let notify = Notify::from_env(&host.context.env);
    // The target groups of peers that a dead start left have a state that nobody wrote: they count as created now.
    let nobody = Lists::default();
    let lists = notify.lists.as_ref().or_else(|| instance.half_started().then_some(&nobody));
    let goal = if serving { Goal::Serving } else { Goal::Started(lists) };
    let Intent { wanted, plan, .. } = convergence.intent(instance, &found, goal);
    if let Some(conflict) = convergence.conflict(&found, &wanted)? {
        return Err(conflict);
    }
    let shown = agreement::planned(&convergence.params, &found, &wanted, serving);
    if let Err(conflict) = agreement::compare(&local, &shown, &survey.told, notify.lists.as_ref()) {
        if !serving {
            return Err(conflict);
        }
        tracing::error!("{conflict}");
    }
    log_remarks(&plan);
    convergence.first_device(&plan)?;
    let before = instance.remembered.clone();
    // Before the first step, so that a run that is killed leaves a stop that knows what to look for.
    let starting = !serving && !plan.steps.is_empty();
    convergence.remember(instance, &found, &wanted, |file| file.starting |= starting);
    // A quarter of the time is kept for taking everything back, also when the last look does not end.
    let until = host.deadline().share(3, 4);
    let applied = host.apply_until(&plan.steps, AfterFailure::End, &until);
    if host.dry_run() {
        lips::print(&convergence, &plan.steps)?;
        return Ok((local, score));
    }
    let unshared = applied.failed.iter().find_map(|failed| match &failed.step {
        Step::AwaitLockspace { device } => Some(lockspace::unseen(device, &failed.error)),
        _ => None,
    });
    let outcome = match unshared.or_else(|| first_failure(&applied)) {
        Some(failure) => Err(failure),
        None => convergence.verify(&plan, &found, &wanted, &until).and_then(|()| {
            lockspace::members(host, &convergence.topology, notify.lists.as_ref(), &convergence.params.devices)
        }),
    };
    if let Err(failure) = outcome {
        undo(&convergence, instance, &found, &before);
        return Err(failure);
    }
    lips::issue(&convergence, &plan.steps);
    convergence.forget_leftovers(instance, &wanted);
    convergence.keep_cluster();
    agreement::publish(host, &instance.group, &local, &shown);
    agreement::remember_registered(host, &instance.group, &local, &survey.told);
    instance.update(host, |file| {
        file.starting = false;
        file.unfinished = false;
        file.moving = None;
    });
    Ok((local, score))
}

/// Takes back what a failed start created. What cannot be taken back stays known by the state file, so that stop finds it.
fn undo(convergence: &Convergence<'_>, instance: &mut Instance, before: &Storage, remembered: &Remembered) {
    let host = convergence.host;
    let deadline = host.deadline().last();
    let observer = host.observer_until(&deadline);
    let mut before = before.clone();
    let release = observer.scst_version().ok().flatten();
    convergence.facts.forget_made(&mut before, release.as_deref());
    // A start that died left the states that the kernel gives to new target groups: nobody has decided them.
    if remembered.known().is_some_and(|file| file.starting) {
        nobody_serves(&mut before, &convergence.topology.local.name);
    }
    let before = &before;
    let undone = instance.storage(host, observer).and_then(|now| {
        let plan = converge(&convergence.scope, &now, before);
        log_warnings(&plan);
        let applied = host.apply_until(&plan.steps, AfterFailure::GoOn, &deadline);
        for failed in &applied.failed {
            tracing::error!("undoing the start: {failed}");
        }
        Ok(converge(&convergence.scope, &instance.storage(host, observer)?, before).steps.is_empty())
    });
    if !matches!(undone, Ok(true)) {
        return;
    }
    host.restore(Some(&instance.group), remembered);
    instance.remembered = remembered.clone();
}

/// Takes back what a target group says of serving: this node is in standby, and of the others nothing is known.
fn nobody_serves(storage: &mut Storage, local: &NodeName) {
    for (node, group) in storage.group.iter_mut().flat_map(|group| &mut group.target_groups) {
        if group.state.is_open() {
            group.state = if node == local { AluaState::Standby } else { AluaState::Unavailable };
        }
    }
}
