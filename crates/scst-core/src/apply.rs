//! Carries a plan out: one write or one wait per step, in order. Every action that has a plan calls [`apply`].
//!
//! A step has succeeded when the kernel acknowledges it, or when its effect is seen (`outcome`). The second matters for
//! a command that was queued (EAGAIN after 15 s), or refused because it had been carried out before.

mod blocks;
mod effect;
mod ini_group;
mod outcome;
mod sessions;

use std::collections::{BTreeMap, BTreeSet};

use crate::deadline::Deadline;
use crate::error::Error;
use crate::observe::Observer;
use crate::plan::{Change, Step};
use crate::scst::device::Block;
use crate::scst::device_group;
use crate::scst::names::DeviceName;
use crate::scst::target::LunTable;
use crate::state::LunAddress;
use crate::sysfs::{Sysfs, wait_until};

/// What happens to the rest of a plan after a step has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterFailure {
    /// The plan ends, but for the steps that give back what it took ([`Step::always`]). For start, promote and demote.
    End,
    /// The next step is tried all the same, unless it needs the one that failed ([`Step::needs`]). For stop, for
    /// undoing a start, and for what changes under hosts (reload, notify, repairs by a monitor): each step is worth
    /// something by itself.
    GoOn,
}

/// A step that failed, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .step.failed(.error))]
pub struct Failed {
    /// The step.
    pub step: Step,
    /// Why it failed.
    pub error: Error,
}

/// What became of the steps of a plan. A step that was left out is in none of the lists.
#[derive(Debug, Clone, Default)]
pub struct Applied {
    /// The steps that succeeded.
    pub done: Vec<Step>,
    /// The steps that failed.
    pub failed: Vec<Failed>,
    /// The steps whose failure is only worth a warning ([`Step::may_fail_with`]).
    pub warnings: Vec<Failed>,
    /// The devices of which a helper process is about to give the last block back, once the commands in flight have
    /// ended.
    pub returning: BTreeSet<DeviceName>,
}

impl Applied {
    /// Whether hosts lack something that they had and are meant to have: a step of `plan` took it away, and the step
    /// that gives it back did not succeed.
    pub fn took_from_hosts(&self, plan: &[Step]) -> bool {
        let begun = |step: &Step| self.done.contains(step) || self.failed.iter().any(|failed| failed.step == *step);
        let taken: BTreeSet<_> = plan.iter().filter(|step| begun(step)).flat_map(Step::takes).collect();
        let left = plan.iter().filter(|step| !self.done.contains(step));
        !taken.is_empty() && left.filter_map(Step::gives).any(|given| taken.contains(&given))
    }
}

impl Failed {
    /// Whether the daemon did not answer: the kernel waits for it for 30 s, and answers EBUSY then. EBUSY for a target
    /// that is to be deleted means something else, a session.
    pub fn is_unanswered(&self) -> bool {
        let goes = matches!(&self.step, Step::Target { change: Change::Delete, .. });
        matches!(self.error, Error::Hung { .. } | Error::NotSeen { .. })
            || (self.error.errno() == Some(nix::errno::Errno::EBUSY) && !goes)
    }
}

/// Carries `steps` out, in order, until `deadline`; blocks are given back until its last end ([`Deadline::last`]).
/// Neighbouring steps that enable or disable ports are written at the same moment ([`Step::side_by_side`]). A step that
/// succeeded is logged.
pub fn apply(steps: &[Step], sysfs: &Sysfs, deadline: &Deadline, after: AfterFailure) -> Applied {
    let mut applied = Applied::default();
    // How often a device was blocked when its drain had ended.
    let mut drained = BTreeMap::new();
    let mut rest = steps;
    while let Some((step, tail)) = rest.split_first() {
        let batch = 1 + if step.side_by_side() { tail.iter().take_while(|s| s.side_by_side()).count() } else { 0 };
        let (now, later) = rest.split_at(batch);
        rest = later;
        let broken = !applied.failed.is_empty();
        // What a daemon has not answered once it will not answer now, and there is other work.
        let unanswered = |failed: &Failed| step.asks_daemon() && failed.step.asks_daemon() && failed.is_unanswered();
        let unsafe_now = || applied.failed.iter().any(|failed| step.needs(&failed.step) || unanswered(failed));
        let daemons = deadline.share(1, 3);
        let in_time = if step.asks_daemon() && after == AfterFailure::GoOn { &daemons } else { deadline };
        let observer = Observer { sysfs, deadline: in_time };
        let skip = broken && (after == AfterFailure::End || unsafe_now() || deadline.last().expired());
        if skip && !step.always() {
            continue;
        }
        let results = match step {
            _ if batch > 1 => together(now, observer),
            Step::AwaitDrained { device } => {
                let seen = blocks::await_drained(step, device, observer);
                vec![seen.map(|count| _ = drained.insert(device, count))]
            }
            // Also when nothing failed: a signal or the end of the time may come just before it.
            Step::Unblock { device, before, returning } => {
                let last = deadline.last();
                let known = drained.get(device).map(|count| Block { count: *count, pending: false });
                let given = blocks::unblock(step, known, *before, *returning, Observer { sysfs, deadline: &last });
                if given == Ok(blocks::Given::Later) {
                    applied.returning.insert(device.clone());
                }
                vec![given.map(drop)]
            }
            // To the end of the time: nothing comes after it but other targets.
            Step::Target { driver, port, change: Change::Delete } if driver.has_daemon() => {
                vec![sessions::delete_target(step, *driver, port, Observer { sysfs, deadline })]
            }
            _ => vec![one(step, observer)],
        };
        for (step, result) in now.iter().zip(results) {
            match result {
                Ok(()) => {
                    if step.is_notable() {
                        tracing::info!("{step}");
                    } else {
                        tracing::debug!("{step}");
                    }
                    applied.done.push(step.clone());
                }
                Err(error) => {
                    let harmless = outcome::is_harmless(step, &error, observer);
                    let failed = Failed { step: step.clone(), error };
                    if harmless { &mut applied.warnings } else { &mut applied.failed }.push(failed);
                }
            }
        }
    }
    applied
}

/// Carries out one step until the deadline.
fn one(step: &Step, observer: Observer<'_>) -> Result<(), Error> {
    if observer.deadline.cancelled() {
        return Err(Error::Cancelled { what: step.to_string() });
    }
    refuse_local(step, observer)?;
    match step {
        // A part of the time: a LUN that is still there then may have come meanwhile, and there must be time to unmap it.
        Step::AwaitUnmapped { device } => {
            let share = observer.deadline.share(1, 8);
            return wait_until(&format!("the last LUN of device {device} going"), &share, || {
                Ok(observer.mapped(device)?.is_empty().then_some(()))
            });
        }
        Step::AwaitLockspace { device } => {
            return wait_until(&format!("the lockspace of device {device} appearing"), observer.deadline, || {
                Ok((observer.is_joined(device)? == Some(true)).then_some(()))
            });
        }
        Step::Target { driver, port, change: Change::CloseSessions } => {
            return sessions::end_all(*driver, port, observer);
        }
        Step::DelIniGroup { driver, port, group } => return ini_group::delete(step, *driver, port, group, observer),
        Step::ClearTable { table, luns } => return clear_table(step, table, luns, observer),
        _ => {}
    }
    outcome::write(step, observer)
}

/// Refuses a step for another machine's port that would act on one of ours. It looks at the moment of writing, because
/// the kernel decides by the targets of all its drivers whether an added name is a local or a remote member.
fn refuse_local(step: &Step, observer: Observer<'_>) -> Result<(), Error> {
    let (path, refused) = match step {
        Step::SetPeerState { group, node, .. } => {
            let local = observer.members(group, node)?.iter().all(|(_, local)| *local);
            (device_group::target_group(group, node), local)
        }
        Step::SetMemberId { group, node, port, .. } => {
            let local = observer.members(group, node)?.iter().any(|(name, local)| name == port && *local);
            (format!("{}/{port}", device_group::target_group(group, node)), local)
        }
        _ => return Ok(()),
    };
    if refused { Err(Error::NotRemote { path: observer.sysfs.full(&path) }) } else { Ok(()) }
}

/// Unmaps all LUNs of a table at once. If somebody has mapped another one there since the plan was made, ours are
/// unmapped one by one.
fn clear_table(
    step: &Step,
    table: &LunTable,
    luns: &BTreeMap<u32, DeviceName>,
    observer: Observer<'_>,
) -> Result<(), Error> {
    let now = observer.luns_in_table(table)?;
    if now.iter().all(|lun| luns.contains_key(lun)) {
        return if now.is_empty() { Ok(()) } else { outcome::write(step, observer) };
    }
    let ours = luns.iter().filter(|(lun, _)| now.contains(lun)).map(|(lun, device)| {
        let at = LunAddress { table: table.clone(), lun: *lun };
        one(&Step::DelLun { at, device: device.clone() }, observer)
    });
    // Every one is tried, the first failure is answered.
    ours.fold(Ok(()), Result::and)
}

/// Steps for different hardware, written at the same moment.
fn together(steps: &[Step], observer: Observer<'_>) -> Vec<Result<(), Error>> {
    let Observer { sysfs, deadline } = observer;
    if deadline.cancelled() {
        return steps.iter().map(|step| Err(Error::Cancelled { what: step.to_string() })).collect();
    }
    let writes: Vec<_> = steps.iter().filter_map(Step::command).collect();
    let apart = steps.iter().any(Step::asks_daemon).then(|| sysfs.apart());
    let answers = apart.as_ref().unwrap_or(sysfs).write_together(&writes, deadline);
    steps.iter().zip(answers).map(|(step, answer)| outcome::of(step, answer, observer)).collect()
}
