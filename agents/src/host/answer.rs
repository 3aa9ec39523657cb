//! Makes the answer of an action of what became of its plan: the failure of the first failed step, and the answers of a
//! reload that did not do everything; and what an action would do.

use scst_core::apply::Applied;
use scst_core::ocf::exit::{Answer, ExitCode, Failure, Kind, one_line};
use scst_core::plan::Step;

/// What an action would do, for `scst-ha plan`.
#[derive(Debug)]
pub struct Planned {
    /// Something of ours is here: the action is a reload, otherwise a start.
    pub running: bool,
    /// The steps, in their order.
    pub steps: Vec<Step>,
    /// What the action would only report, a sentence each.
    pub remarks: Vec<String>,
    /// Why the action would be refused, where that is known beside what is running.
    pub refused: Option<Failure>,
}

/// The answer of a reload that changes nothing, because a start would refuse the configuration: success, because
/// Pacemaker answers a failed reload with a restart, and the reason all the same, which Pacemaker keeps with the result.
pub fn reload_refused(failure: Failure) -> Answer {
    tracing::error!("nothing reloaded, everything keeps running as it was");
    Answer::LeftUndone(failure)
}

/// The answer of a reload that ended before its first step: [`reload_refused`], but where the cluster or the kernel
/// could not be asked.
///
/// # Errors
///
/// The failure, where it is temporary.
pub fn reload_not_begun(failure: Failure) -> Result<Answer, Failure> {
    match failure.kind {
        Kind::Temporary => Err(failure),
        Kind::Permanent => Ok(reload_refused(failure)),
    }
}

/// The answer of a reload that took nothing from hosts and could not do everything: success, because Pacemaker would
/// stop what runs for it and fence the node where the same reason keeps it from stopping. The reason all the same, as
/// an error. `noted` says whether the state file has it: only by that a monitor knows that it has to finish a reload.
///
/// # Errors
///
/// The failure, where it is not noted.
pub fn reload_incomplete(failure: Failure, noted: bool) -> Result<Answer, Failure> {
    if !noted {
        tracing::error!("the reload is not finished, and no state file says so to the next monitor");
        return Err(failure);
    }
    tracing::error!("the reload is not finished, and took nothing from hosts: the next monitor or reload goes on");
    Ok(Answer::LeftUndone(failure))
}

/// Succeeds if `steps`, the plan from what was observed after an action to what was wanted, is empty.
///
/// # Errors
///
/// Exit 1 naming the first step: somebody else changed what the action has just set.
pub fn nothing_left(steps: &[Step]) -> Result<(), Failure> {
    match steps.first() {
        None => Ok(()),
        Some(step) => Err(Failure::generic(format!("state differs after all steps succeeded: {step}"))
            .with_hint("another program changes the same objects")),
    }
}

/// The names of those that hold an object up, as the end of an exit reason.
pub fn held_by(holders: &[impl ToString]) -> String {
    let holders: Vec<String> = holders.iter().map(ToString::to_string).collect();
    if holders.is_empty() { String::new() } else { format!(" (held by {})", holders.join(", ")) }
}

/// The first failure of a plan, if any; further ones are logged. A device that stays blocked comes before everything: its hosts
/// wait until somebody does something about it.
pub fn first_failure(applied: &Applied) -> Option<Failure> {
    let blocked = applied.failed.iter().position(|failed| matches!(failed.step, Step::Unblock { .. }));
    let at = blocked.unwrap_or(0);
    let first = applied.failed.get(at)?;
    for (_, failed) in applied.failed.iter().enumerate().filter(|(other, _)| *other != at) {
        tracing::error!("{failed}");
    }
    let failure = Failure { reason: one_line(&first.to_string()), ..Failure::from(first.error.clone()) };
    Some(if first.is_unanswered() && first.step.asks_daemon() {
        failure.with_hint("the daemon behind the targets does not answer: it is stopped, or hangs; end it (SIGKILL), and start the resource anew")
    } else if first.step.asks_daemon() && failure.code == ExitCode::Permission {
        // Not for good: the daemon is started by the next start.
        failure.temporary().with_hint("the daemon behind the targets has ended")
    } else {
        failure
    })
}
