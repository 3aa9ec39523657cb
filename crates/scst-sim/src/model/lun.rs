//! LUNs of a port or an initiator group: `luns/mgmt` and `luns/<N>` (`__scst_process_luns_mgmt_store`, `scst_acg_add_lun`).

use super::Errno;
use super::command::{Outcome, Rest};
use super::machine::Machine;
use super::numbers::unsigned;
use super::scsi::Sense;
use super::state::{AcgId, DevId, Lun, SessId, SessionLun};
use super::words::{Words, same_word};

pub(super) const USAGE: &str = "Commands: add DEVICE LUN [parameters], del LUN, replace DEVICE LUN [parameters],\n\
    replace_no_ua DEVICE LUN [parameters], clear\n\n\
    The following parameters available: read_only\n";

/// The first words `luns/mgmt` knows.
pub(super) const VERBS: &[&str] = &["add", "del", "replace", "replace_no_ua", "clear"];

/// The largest LUN number.
const MAX_LUN: u64 = 0x3fff;

/// What is left of removed LUNs: commands still to be answered, and devices to let go of afterwards, once per session.
#[derive(Debug, Clone, Default)]
pub(super) struct Removed {
    pub(super) commands: Vec<u64>,
    pub(super) devices: Vec<DevId>,
}

impl Machine {
    /// `luns/<N>/read_only`: 1 for read-only devices too.
    pub(super) fn show_lun(&self, acg: AcgId, number: u64) -> Result<Vec<u8>, Errno> {
        let lun = self.scst.acgs.get(&acg).and_then(|a| a.luns.get(&number)).ok_or(Errno::ENOENT)?;
        let read_only = lun.read_only || self.scst.devices.get(&lun.device).is_some_and(|d| d.read_only);
        Ok(if read_only { b"1\n[key]\n".to_vec() } else { b"0\n".to_vec() })
    }

    /// A write to `luns/mgmt`.
    pub(super) fn luns_command(&mut self, acg: AcgId, text: &[u8]) -> Outcome {
        let mut words = Words::new(text);
        let verb = words.word();
        let is = |word| same_word(verb, word);
        let done = |result: Result<(), Errno>| Outcome::Done(result);
        if !self.scst.acgs.contains_key(&acg) {
            // The group went away while the command waited: the kernel answers ok.
            return done(Ok(()));
        }
        if is("add") {
            done(self.parse_lun(&mut words).and_then(|(device, number, read_only)| {
                if self.scst.acgs.get(&acg).is_some_and(|a| a.luns.contains_key(&number)) {
                    return Err(Errno::EEXIST);
                }
                self.check_copy_manager(acg, device, read_only)?;
                self.add_lun(acg, device, number, read_only)
            }))
        } else if is("replace") || is("replace_no_ua") {
            match self.parse_lun(&mut words) {
                Ok((device, number, read_only)) => {
                    let outcome = self.replace_lun(acg, device, number, read_only);
                    if is("replace") && !matches!(outcome, Outcome::Done(Err(_))) {
                        self.inquiry_changed(acg, number);
                    }
                    outcome
                }
                Err(errno) => done(Err(errno)),
            }
        } else if is("del") {
            let number = unsigned(words.word());
            match number {
                Err(errno) => done(Err(errno)),
                Ok(_) if !words.word().is_empty() => done(Err(Errno::EINVAL)),
                Ok(number) => match self.remove_lun(acg, number) {
                    Some(removed) => drained(removed),
                    None => done(Err(Errno::EINVAL)),
                },
            }
        } else if is("clear") {
            if words.word().is_empty() { drained(self.clear_luns(acg)) } else { done(Err(Errno::EINVAL)) }
        } else {
            done(Err(Errno::EINVAL))
        }
    }

    /// Device, LUN number and parameters; the device is looked for first.
    fn parse_lun(&self, words: &mut Words<'_>) -> Result<(DevId, u64, bool), Errno> {
        let device = self.scst.device_named(words.word()).ok_or(Errno::EINVAL)?;
        let number = unsigned(words.word())?;
        if number > MAX_LUN {
            return Err(Errno::EINVAL);
        }
        let mut read_only = false;
        while let Some(mut parameter) = words.parameter() {
            let (name, value) = (parameter.word(), parameter.word());
            if name.is_empty() || value.is_empty() || !parameter.word().is_empty() {
                return Err(Errno::EINVAL);
            }
            let value = unsigned(value)?;
            if !same_word(name, "read_only") {
                return Err(Errno::EINVAL);
            }
            read_only = value != 0;
        }
        Ok((device, number, read_only))
    }

    /// The copy manager does not take read-only LUNs by hand.
    fn check_copy_manager(&self, acg: AcgId, device: DevId, read_only: bool) -> Result<(), Errno> {
        let of_copy_manager = self.scst.acgs.get(&acg).is_some_and(|a| self.is_copy_manager(a.target));
        let read_only = read_only || self.scst.devices.get(&device).is_some_and(|d| d.read_only);
        if of_copy_manager && read_only { Err(Errno::EINVAL) } else { Ok(()) }
    }

    /// Makes a LUN that is not there yet. Sessions of the group attach the device: the errno of opening its disk.
    pub(super) fn add_lun(&mut self, acg: AcgId, device: DevId, number: u64, read_only: bool) -> Result<(), Errno> {
        let sessions: Vec<SessId> =
            self.scst.acgs.get(&acg).map(|a| a.sessions.iter().copied().collect()).unwrap_or_default();
        for (attached, session) in sessions.iter().enumerate() {
            if let Err(errno) = self.attach_session(*session, number, device) {
                for session in &sessions[..attached] {
                    self.detach_session(*session, number);
                    self.detach(device);
                }
                return Err(errno);
            }
        }
        let id = self.new_id();
        let Some(dev) = self.scst.devices.get_mut(&device) else { return Err(Errno::EINVAL) };
        let export = dev.next_export;
        dev.next_export += 1;
        dev.exports.insert(export, (acg, number));
        if let Some(acg) = self.scst.acgs.get_mut(&acg) {
            acg.luns.insert(number, Lun { id, device, read_only, export });
        }
        for session in sessions {
            if self.takes_events(session) {
                self.find_disks(session);
            }
        }
        Ok(())
    }

    /// A session gets to see a LUN.
    pub(super) fn attach_session(&mut self, session: SessId, number: u64, device: DevId) -> Result<(), Errno> {
        self.attach(device)?;
        let id = self.new_id();
        if let Some(session) = self.scst.sessions.get_mut(&session) {
            session.luns.insert(number, SessionLun { id, device, attentions: [Sense::RESET].into() });
        }
        if let Some(seen) = self.scst.devices.get_mut(&device) {
            seen.seen_by.insert((session, number));
        }
        self.attach_reservations(session, number, device);
        Ok(())
    }

    /// A session does not see a LUN any more. Answers the device, which is to be detached when its commands are answered.
    pub(super) fn detach_session(&mut self, session: SessId, number: u64) -> Option<DevId> {
        let device = self.scst.sessions.get_mut(&session)?.luns.remove(&number)?.device;
        if let Some(seen) = self.scst.devices.get_mut(&device) {
            seen.seen_by.remove(&(session, number));
        }
        self.detach_reservations(session, number, device);
        Some(device)
    }

    /// Takes a LUN away, if there is one.
    pub(super) fn remove_lun(&mut self, acg: AcgId, number: u64) -> Option<Removed> {
        let group = self.scst.acgs.get_mut(&acg)?;
        let lun = group.luns.remove(&number)?;
        let sessions: Vec<SessId> = group.sessions.iter().copied().collect();
        if let Some(device) = self.scst.devices.get_mut(&lun.device) {
            device.exports.remove(&lun.export);
        }
        let mut removed = Removed::default();
        for session in sessions {
            if let Some(device) = self.detach_session(session, number) {
                removed.commands.extend(self.io_of(session, Some(number)));
                removed.devices.push(device);
            }
        }
        Some(removed)
    }

    /// Takes all LUNs of a group away.
    pub(super) fn clear_luns(&mut self, acg: AcgId) -> Removed {
        let numbers: Vec<u64> = self.scst.acgs.get(&acg).map(|a| a.luns.keys().copied().collect()).unwrap_or_default();
        let mut all = Removed::default();
        for number in numbers {
            if let Some(removed) = self.remove_lun(acg, number) {
                all.commands.extend(removed.commands);
                all.devices.extend(removed.devices);
            }
        }
        all
    }

    /// `replace`: the new device is attached before the old one is let go of. If that fails the old LUN is lost and its
    /// device keeps a reference for ever, as in the kernel.
    fn replace_lun(&mut self, acg: AcgId, device: DevId, number: u64, read_only: bool) -> Outcome {
        let removed = self.remove_lun(acg, number).unwrap_or_default();
        let allowed = self.check_copy_manager(acg, device, read_only);
        if let Err(errno) = allowed.and_then(|()| self.add_lun(acg, device, number, read_only)) {
            for device in removed.devices {
                if let Some(device) = self.scst.devices.get_mut(&device) {
                    device.stuck = true;
                }
            }
            return Outcome::Done(Err(errno));
        }
        if self.scst.root.async_lun_replace {
            self.in_background(drained(removed));
            return Outcome::Done(Ok(()));
        }
        drained(removed)
    }
}

/// Waits for the commands of removed LUNs, then lets go of their devices.
pub(super) fn drained(removed: Removed) -> Outcome {
    Outcome::Drain(removed.commands, Rest::Detach(removed.devices))
}
