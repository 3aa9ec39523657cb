//! Carries a plan out: one write or one wait per step, in order.
//!
//! A step is done when the kernel says so, or when its effect is seen. The second matters for a command that was queued
//! (answered EAGAIN after 15 s) or refused because it has been done already: what counts is what is there.

use std::collections::{BTreeMap, BTreeSet};

use nix::errno::Errno;

use crate::deadline::Deadline;
use crate::error::{ErrnoName, Error, Verb};
use crate::observe::Observer;
use crate::plan::{Change, Step};
use crate::scst::device::Block;
use crate::scst::iscsi::{Secret, UserKind, UserName};
use crate::scst::names::{DeviceName, Driver, EntryName, InitiatorGroup, TargetName};
use crate::scst::target::LunTable;
use crate::scst::{self, device, device_group, target};
use crate::state::{LunAddress, Settings};
use crate::sysfs::{Answer, Sysfs, wait_until};

/// What a failed step means for those after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterFailure {
    /// The plan ends, but for the steps that give back what it took.
    End,
    /// The next step is tried all the same: leaving as little as possible is the aim.
    GoOn,
}

/// A step that was not done, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .step.failed(.error))]
pub struct Failed {
    /// The step.
    pub step: Step,
    /// What the kernel said.
    pub error: Error,
}

/// What became of a plan.
#[derive(Debug, Clone, Default)]
pub struct Applied {
    /// The steps done.
    pub done: Vec<Step>,
    /// The steps that were not done though they should have been.
    pub failed: Vec<Failed>,
    /// Steps whose failure does not matter.
    pub warnings: Vec<Failed>,
    /// Devices whose block a process waits in the kernel to give back.
    pub returning: BTreeSet<DeviceName>,
}

impl Applied {
    /// Something is gone that hosts had and are meant to have: a step of `plan` took it away, and the one that gives it back was not done.
    pub fn took_from_hosts(&self, plan: &[Step]) -> bool {
        let begun = |step: &Step| self.done.contains(step) || self.failed.iter().any(|failed| failed.step == *step);
        let left = plan.iter().filter(|step| !self.done.contains(step));
        left.into_iter().any(|given| plan.iter().any(|taken| taken.makes_room_for(given) && begun(taken)))
    }
}

impl Failed {
    /// The kernel waited for a daemon, or waits yet: for 30 s it does, and answers EBUSY then. EBUSY of a target that is to go tells of
    /// a session.
    pub fn is_unanswered(&self) -> bool {
        let goes = matches!(&self.step, Step::Target { change: Change::Delete, .. });
        matches!(self.error, Error::Hung { .. }) || (self.error.errno() == Some(Errno::EBUSY) && !goes)
    }
}

/// Carries `steps` out.
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
        let (end, daemons) = (deadline, deadline.share(1, 3));
        let deadline = if step.asks_daemon() && after == AfterFailure::GoOn { &daemons } else { end };
        let skip = broken && (after == AfterFailure::End || unsafe_now() || end.last().expired());
        if skip && !step.always() {
            continue;
        }
        let results = match step {
            _ if batch > 1 => together(now, sysfs, deadline),
            Step::AwaitDrained { device } => {
                let seen = await_drained(step, device, Observer { sysfs, deadline });
                vec![seen.map(|count| _ = drained.insert(device, count))]
            }
            // Also when nothing failed: a signal or the end of the time may come just before it.
            Step::Unblock { device, before, returning } => {
                let last = deadline.last();
                let known = drained.get(device).map(|count| Block { count: *count, pending: false });
                let given = unblock(step, known, *before, *returning, Observer { sysfs, deadline: &last });
                if given == Ok(Given::Later) {
                    applied.returning.insert(device.clone());
                }
                vec![given.map(drop)]
            }
            _ => vec![one(step, sysfs, deadline)],
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
                    let failed = Failed { step: step.clone(), error };
                    if is_harmless(&failed, sysfs, deadline) { &mut applied.warnings } else { &mut applied.failed }
                        .push(failed);
                }
            }
        }
    }
    applied
}

/// A failure that is worth a warning. An attribute counts as one that this kernel does not have only when its directory
/// does not name it either.
fn is_harmless(Failed { step, error }: &Failed, sysfs: &Sysfs, deadline: &Deadline) -> bool {
    if !step.may_fail_with(error) {
        return false;
    }
    match step {
        Step::SetAttribute { .. } | Step::Close { .. } => {
            let (path, _) = step.command().unwrap_or_default();
            sysfs.is_absent(&path, deadline).unwrap_or(false)
        }
        _ => true,
    }
}

/// Waits for the commands in flight to end; answers how often the device is blocked then.
fn await_drained(step: &Step, device: &DeviceName, observer: Observer<'_>) -> Result<u32, Error> {
    if observer.deadline.cancelled() {
        return Err(Error::Cancelled { what: step.to_string() });
    }
    let mut hung = None;
    let what = format!("the end of the commands in flight of device {device}");
    let seen = wait_until(&what, observer.deadline, || {
        let block = observer.block(device).inspect_err(|error| hung = Some(error.clone()))?.unwrap_or_default();
        hung = None;
        Ok((!block.pending).then_some(block.count))
    });
    match (seen, hung) {
        // Nobody knows whether anything was in flight to the end: what is told is the look that was not answered.
        (Err(Error::NotSeen { .. }), Some(hung)) => Err(hung),
        (seen, _) => seen,
    }
}

/// One step, waited for until the deadline.
fn one(step: &Step, sysfs: &Sysfs, deadline: &Deadline) -> Result<(), Error> {
    if deadline.cancelled() {
        return Err(Error::Cancelled { what: step.to_string() });
    }
    let observer = Observer { sysfs, deadline };
    refuse_local(step, observer)?;
    match step {
        Step::AwaitUnmapped { device } => {
            return wait_until(&format!("the last LUN of device {device} going"), deadline, || {
                Ok(observer.mapped(device)?.is_empty().then_some(()))
            });
        }
        Step::AwaitLockspace { device } => {
            return wait_until(&format!("the lockspace of device {device} appearing"), deadline, || {
                Ok((observer.is_joined(device)? == Some(true)).then_some(()))
            });
        }
        Step::DelIniGroup { driver, port, group } => return delete_ini_group(step, *driver, port, group, observer),
        Step::Target { driver, port, change: Change::CloseSessions } => return end_sessions(*driver, port, observer),
        Step::ClearTable { table, luns } => return clear_table(step, table, luns, observer),
        _ => {}
    }
    let answer = write(step, sysfs, deadline);
    settle(step, answer, sysfs, deadline)
}

/// Looks again, at the moment of writing, whether what is meant for another machine's port would meet one of ours: the
/// kernel decides by all its drivers' targets which of the two an added name becomes.
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

fn write(step: &Step, sysfs: &Sysfs, deadline: &Deadline) -> Result<Answer, Error> {
    let apart = step.asks_daemon().then(|| sysfs.apart());
    let secret = step.secret().map(Secret::reveal);
    match step.command() {
        Some((path, value)) => apart.as_ref().unwrap_or(sysfs).write_secret(&path, &value, secret, deadline),
        None => Ok(Answer::Done),
    }
}

/// Turns the kernel's answer into the outcome of the step.
fn settle(step: &Step, answer: Result<Answer, Error>, sysfs: &Sysfs, deadline: &Deadline) -> Result<(), Error> {
    let observer = Observer { sysfs, deadline };
    match answer {
        // A port reads enabled only when its hardware is up.
        Ok(Answer::Done) if matches!(step, Step::Enable { .. } | Step::Disable { .. }) => {
            wait_until(&format!("the effect of \"{step}\""), deadline, || Ok(seen(step, observer)?.then_some(())))
        }
        Ok(Answer::Done) => Ok(()),
        Ok(Answer::Queued) => await_queued(step, observer),
        // Nobody has looked whether it is done already.
        Err(error) if step.asks_daemon() && error.errno() == Some(Errno::EBUSY) => Err(error),
        Err(error @ Error::Kernel { .. }) => {
            // Refused because it is done already: an earlier run, or the other half of a repeated command.
            match seen(step, observer) {
                Ok(true) if step.can_be_seen() => {
                    tracing::debug!("{step}: {error}, but it is so already");
                    Ok(())
                }
                _ => Err(error),
            }
        }
        Err(error) => Err(error),
    }
}

/// Waits for the effect of a command that the kernel goes on with. The last result tells early that it failed: it can be
/// read only when nothing is queued any more.
fn await_queued(step: &Step, observer: Observer<'_>) -> Result<(), Error> {
    let Observer { sysfs, deadline } = observer;
    let mut idle = 0;
    wait_until(&format!("the effect of \"{step}\", which the kernel queued,"), deadline, || {
        // A device shows up while it is still being added, and can vanish again.
        let settled =
            || !matches!(step, Step::AddDevice { .. }) || sysfs.last_result(&scst::last_result(), deadline).is_some();
        if seen(step, observer)? && settled() {
            return Ok(Some(()));
        }
        match sysfs.last_result(&scst::last_result(), deadline) {
            Some(Err(errno)) => {
                idle += 1;
                if idle >= 2 {
                    let (path, value) = step.command().unwrap_or_default();
                    return Err(Error::Kernel {
                        verb: Verb::Write,
                        path: sysfs.full(&path),
                        value: Some(value),
                        errno: ErrnoName(errno),
                    });
                }
            }
            _ => idle = 0,
        }
        Ok(None)
    })
}

/// What became of our blocks of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Given {
    /// The kernel shows no more blocks than those of others.
    Back,
    /// A process waits in the kernel to give the last one back.
    Later,
}

/// Gives blocks back until the kernel shows no more than `before`, looking again after each write: nobody counts writes.
///
/// While commands in flight are still waited for, the kernel makes the write that takes the last block away wait for them too, and a
/// waiting writer of `block` cannot be killed: a process with such a thread does not end before they do, and with SCST 3.11 a signal makes
/// the write go for nothing. So it is then made by a process of its own, which is left behind and gets no signal of ours; and not where
/// one waits already, because the second could take a block that somebody else has taken meanwhile.
fn unblock(
    step: &Step,
    known: Option<Block>,
    before: u32,
    returning: bool,
    observer: Observer<'_>,
) -> Result<Given, Error> {
    let Observer { sysfs, deadline } = observer;
    let Step::Unblock { device, .. } = step else { return Ok(Given::Back) };
    let (path, value) = step.command().unwrap_or_default();
    let mut known = known;
    loop {
        let now = match known.take() {
            Some(known) => Some(known),
            None => observer.block(device)?,
        };
        let Some(now) = now.filter(|now| now.count > before) else { return Ok(Given::Back) };
        let last = now.count == 1;
        if !now.pending {
            settle(step, write(step, sysfs, deadline), sysfs, deadline)?;
        } else if last && returning {
            return Ok(Given::Later);
        } else {
            sysfs.write_apart(&path, &value)?;
            if last {
                return Ok(Given::Later);
            }
        }
        // Carried out at once, whoever wrote it.
        let fewer = wait_until(&format!("device {device} being blocked less often"), deadline, || {
            Ok(observer.block(device)?.is_none_or(|then| then.count < now.count).then_some(()))
        });
        fewer?;
    }
}

/// Unmaps all LUNs of a table at once. Somebody may have mapped one there since the plan was made: then ours go one by one.
fn clear_table(
    step: &Step,
    table: &LunTable,
    luns: &BTreeMap<u32, DeviceName>,
    observer: Observer<'_>,
) -> Result<(), Error> {
    let Observer { sysfs, deadline } = observer;
    let now = observer.luns_in_table(table)?;
    if now.iter().all(|lun| luns.contains_key(lun)) {
        return if now.is_empty() { Ok(()) } else { settle(step, write(step, sysfs, deadline), sysfs, deadline) };
    }
    let ours = luns.iter().filter(|(lun, _)| now.contains(lun)).map(|(lun, device)| {
        let at = LunAddress { table: table.clone(), lun: *lun };
        one(&Step::DelLun { at, device: device.clone() }, sysfs, deadline)
    });
    // Every one is tried, the first failure is answered.
    ours.fold(Ok(()), Result::and)
}

/// Steps for different hardware, written at the same moment.
fn together(steps: &[Step], sysfs: &Sysfs, deadline: &Deadline) -> Vec<Result<(), Error>> {
    if deadline.cancelled() {
        return steps.iter().map(|step| Err(Error::Cancelled { what: step.to_string() })).collect();
    }
    let writes: Vec<_> = steps.iter().filter_map(Step::command).collect();
    let apart = steps.iter().any(Step::asks_daemon).then(|| sysfs.apart());
    let answers = apart.as_ref().unwrap_or(sysfs).write_together(&writes, deadline);
    steps.iter().zip(answers).map(|(step, answer)| settle(step, answer, sysfs, deadline)).collect()
}

/// The kernel refuses with EBUSY while a session is in the group. Clearing the initiators moves sessions out at once, so
/// what is left is an initiator that is just logging in, or one the kernel cannot move: after half of the time its
/// session is closed.
fn delete_ini_group(
    step: &Step,
    driver: Driver,
    port: &TargetName,
    group: &InitiatorGroup,
    observer: Observer<'_>,
) -> Result<(), Error> {
    let Observer { sysfs, deadline } = observer;
    let since = deadline.now();
    let patience = deadline.remaining() / 2;
    let mut closed = false;
    let mut last = None;
    let result = wait_until(&format!("{group} of port {port} being free of sessions"), deadline, || {
        let answer = write(step, sysfs, deadline);
        match settle(step, answer, sysfs, deadline) {
            Err(error) if error.errno() == Some(Errno::EBUSY) => last = Some(error),
            // The time is over as well: what is told is the write that hangs, not sessions that nobody saw.
            Err(error @ Error::Hung { .. }) => last = Some(error),
            result => return result.map(Some),
        }
        if !closed && deadline.now().saturating_sub(since) >= patience {
            closed = true;
            close_sessions(driver, port, group, observer);
        }
        Ok(None)
    });
    match (result, last) {
        (Err(Error::NotSeen { .. }), Some(last)) => Err(last),
        (result, _) => result,
    }
}

/// Logs everybody out of a target, and waits until nobody is there.
fn end_sessions(driver: Driver, port: &TargetName, observer: Observer<'_>) -> Result<(), Error> {
    wait_until(&format!("the end of the sessions of target {port}"), observer.deadline, || {
        let sessions = observer.sessions(driver, port)?;
        for session in &sessions {
            log_out(driver, port, session, observer);
        }
        Ok(sessions.is_empty().then_some(()))
    })
}

/// Ends a session. One that ends by itself at the same moment is no failure.
fn log_out(driver: Driver, port: &TargetName, session: &EntryName, observer: Observer<'_>) {
    let path = format!("{}/{session}/force_close", target::sessions(driver, port));
    if let Err(error) = observer.sysfs.write(&path, "1", observer.deadline).map(drop)
        && !error.is_absent()
    {
        tracing::warn!("session {session} of port {port}: {error}");
    }
}

/// Logs out who is still in an initiator group. Who leaves by itself at the same moment is no failure: what counts is
/// whether the group can be deleted then.
fn close_sessions(driver: Driver, port: &TargetName, group: &InitiatorGroup, observer: Observer<'_>) {
    let sessions = observer.sessions_in(driver, port, group).unwrap_or_else(|error| {
        tracing::warn!("sessions of initiator group {group} of port {port}: {error}");
        Vec::new()
    });
    for session in sessions {
        tracing::warn!("closing session {session}, which keeps initiator group {group} of port {port}");
        log_out(driver, port, &session, observer);
    }
}

impl Step {
    /// The step leaves something behind by which its success can be told from outside.
    fn can_be_seen(&self) -> bool {
        !matches!(self, Self::Block { .. } | Self::ResyncSize { .. } | Self::IssueLip { .. })
    }
}

/// Whether the effect of a step is there.
fn seen(step: &Step, observer: Observer<'_>) -> Result<bool, Error> {
    let Observer { sysfs, deadline } = observer;
    let dir = |path: &str| Ok::<_, Error>(sysfs.optional_list(path, deadline)?.is_some());
    let value = |wanted: &str| {
        let Some((path, _)) = step.command() else { return Ok(false) };
        Ok(sysfs.optional_value(&path, deadline)?.is_some_and(|value| value == wanted))
    };
    match step {
        Step::CreateIniGroup { driver, port, group } => dir(&target::ini_group(*driver, port, group)),
        Step::DelIniGroup { driver, port, group } => Ok(!dir(&target::ini_group(*driver, port, group))?),
        Step::AddInitiator { driver, port, group, initiator } => {
            has_initiator(*driver, port, group, initiator.as_str(), observer)
        }
        Step::DelInitiator { driver, port, group, initiator } => {
            Ok(!has_initiator(*driver, port, group, initiator.as_str(), observer)?)
        }
        Step::ClearInitiators { driver, port, group } => {
            let path = format!("{}/initiators", target::ini_group(*driver, port, group));
            let entries = sysfs.optional_list(&path, deadline)?.unwrap_or_default();
            Ok(entries.iter().all(|entry| entry.name == "mgmt"))
        }
        Step::ClearLuns { driver, port, group } => Ok(observer.luns_in_use(*driver, port, group)?.is_empty()),
        Step::SetIoGrouping { number, .. } => value(number.as_str()),
        Step::Target { driver, port, change } => changed(*driver, port, change, observer),
        Step::EnableDriver { driver } => Ok(observer.driver_enabled(*driver)? == Some(true)),
        Step::SetPortId { id, .. } | Step::SetMemberId { id, .. } | Step::SetGroupId { id, .. } => {
            value(&id.to_string())
        }
        Step::Enable { .. } | Step::Open { .. } => value("1"),
        Step::Disable { .. } | Step::Close { .. } => value("0"),
        Step::AddDevice { handler, device, parameters } => {
            let path = device::device(device);
            let link = sysfs.optional_link(&format!("{path}/handler"), deadline)?;
            let filename =
                parameters.iter().find(|(name, _)| *name == "filename").map(|(_, filename)| filename.as_str());
            let found = sysfs.optional_value(&format!("{path}/filename"), deadline)?;
            Ok(link.is_some_and(|link| link.ends_with(&format!("/{handler}"))) && found.as_deref() == filename)
        }
        Step::DelDevice { device, .. } => Ok(!dir(&device::device(device))?),
        Step::SetAttribute { value: wanted, .. } => value(wanted.as_str()),
        Step::CreateGroup { group } => dir(&device_group::group(group)),
        Step::DelGroup { group } => Ok(!dir(&device_group::group(group))?),
        Step::Join { group, device } => Ok(observer.group_devices(group)?.contains(device)),
        Step::Leave { group, device } => Ok(!observer.group_devices(group)?.contains(device)),
        Step::CreateTargetGroup { group, node } => dir(&device_group::target_group(group, node)),
        Step::DelTargetGroup { group, node } => Ok(!dir(&device_group::target_group(group, node))?),
        Step::AddMember { group, node, port } => {
            Ok(observer.members(group, node)?.iter().any(|(name, _)| name == port))
        }
        Step::DelMember { group, node, port } => {
            Ok(observer.members(group, node)?.iter().all(|(name, _)| name != port))
        }
        Step::SetState { state, .. } | Step::SetPeerState { state, .. } => value(state.as_str()),
        Step::AddLun { at, device } => {
            let link = sysfs.optional_link(&format!("{}/{}/device", at.table.dir(), at.lun), deadline)?;
            Ok(link.is_some_and(|link| link.ends_with(&format!("/{device}"))))
        }
        Step::DelLun { at, .. } => Ok(!dir(&format!("{}/{}", at.table.dir(), at.lun))?),
        Step::ClearTable { table, luns } => {
            Ok(observer.luns_in_table(table)?.iter().all(|lun| !luns.contains_key(lun)))
        }
        Step::Block { device, before } => counted(device, observer, |count| count > *before),
        Step::Unblock { device, before, .. } => counted(device, observer, |count| count <= *before),
        Step::AwaitUnmapped { .. }
        | Step::AwaitDrained { .. }
        | Step::AwaitLockspace { .. }
        | Step::ResyncSize { .. }
        | Step::IssueLip { .. } => Ok(true),
    }
}

/// Whether a change of a target has come about.
fn changed(driver: Driver, port: &TargetName, change: &Change, observer: Observer<'_>) -> Result<bool, Error> {
    let there = || Ok::<_, Error>(observer.port(driver, port)?.is_some());
    let user = |kind: &UserKind, user: &UserName| {
        let Settings { incoming, outgoing, .. } = observer.settings(driver, port, [])?;
        let found = match kind {
            UserKind::Incoming => incoming.get(user).cloned(),
            UserKind::Outgoing => outgoing.filter(|(name, _)| name == user).map(|(_, credential)| credential),
        };
        Ok::<_, Error>(found.map(|credential| credential.secret))
    };
    match change {
        Change::Add => there(),
        Change::Delete => Ok(!there()?),
        Change::CloseSessions => Ok(observer.sessions(driver, port)?.is_empty()),
        Change::SetAttribute { attribute, value } => {
            let found = observer.settings(driver, port, [attribute])?;
            Ok(found.attributes.get(attribute).is_some_and(|found| found == value.as_str()))
        }
        Change::AddPortal { portal } => Ok(observer.settings(driver, port, [])?.portals.contains(portal)),
        Change::DelPortal { portal } => Ok(!observer.settings(driver, port, [])?.portals.contains(portal)),
        Change::AddUser { kind, user: name, secret } | Change::SetUser { kind, user: name, secret, .. } => {
            Ok(user(kind, name)?.as_ref() == Some(secret))
        }
        Change::DelUser { kind, user: name } => Ok(user(kind, name)?.is_none()),
    }
}

fn has_initiator(
    driver: Driver,
    port: &TargetName,
    group: &InitiatorGroup,
    initiator: &str,
    observer: Observer<'_>,
) -> Result<bool, Error> {
    let path = format!("{}/initiators", target::ini_group(driver, port, group));
    let entries = observer.sysfs.optional_list(&path, observer.deadline)?.unwrap_or_default();
    Ok(entries.iter().any(|entry| entry.name == initiator))
}

fn counted(device: &DeviceName, observer: Observer<'_>, test: impl Fn(u32) -> bool) -> Result<bool, Error> {
    Ok(test(observer.block(device)?.unwrap_or_default().count))
}
