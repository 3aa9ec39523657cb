//! Carries out the two steps for a blocked device that are more than one write: waiting for its commands in flight, and
//! giving blocks back.

use super::outcome;
use crate::error::Error;
use crate::observe::Observer;
use crate::plan::Step;
use crate::scst::device::Block;
use crate::scst::names::DeviceName;
use crate::sysfs::wait_until;

/// Waits for the commands in flight to end, and gives the number of blocks on the device then.
pub(super) fn await_drained(step: &Step, device: &DeviceName, observer: Observer<'_>) -> Result<u32, Error> {
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
    // Nobody knows whether anything was in flight to the end: what is told is the look that was not answered.
    outcome::or_last(seen, hung)
}

/// What became of our blocks of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Given {
    /// The kernel shows no more blocks than those of others.
    Back,
    /// A process waits in the kernel to give the last one back.
    Later,
}

/// Gives blocks back until the kernel shows no more than `before`. After each write it looks again, because a write may
/// give nothing back.
///
/// While commands in flight are still waited for, the kernel makes the write that takes the last block away wait for them too, and a
/// waiting writer of `block` cannot be killed: a process with such a thread does not end before they do, and with SCST 3.11 a signal makes
/// the write go for nothing. So it is then made by a process of its own, which is left behind and gets no signal of ours; and not where
/// one waits already, because the second could take a block that somebody else has taken meanwhile.
pub(super) fn unblock(
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
            outcome::write(step, observer)?;
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
