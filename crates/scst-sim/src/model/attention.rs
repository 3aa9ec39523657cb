//! Unit attentions: what a LUN has to tell a session before it takes another command (`scst_gen_aen_or_ua`, `scst_set_UA`).
//!
//! A stand-in made of `scst_local` tells most of it by events of its own instead, unless the port's `aen_disabled` is 1.

use super::machine::Machine;
use super::scsi::Sense;
use super::state::{AcgId, DevId, Flavour, SessId, TgId};

impl Machine {
    /// Everybody who sees the device is told that its capacity changed.
    pub(super) fn capacity_changed(&mut self, device: DevId) {
        for (session, lun) in self.seen_by(device) {
            self.tell(session, lun, Sense::CAPACITY_CHANGED);
        }
    }

    /// Everybody who sees devices of the group through a port of the target group is told that their state changed.
    pub(super) fn state_changed(&mut self, tg: TgId) {
        let Some(group) = self.scst.target_groups.get(&tg) else { return };
        let Some(devices) = self.scst.groups.get(&group.group).map(|dg| dg.devices.clone()) else { return };
        let ports: Vec<_> = group.members.values().filter_map(|member| member.target).collect();
        let seen: Vec<_> = devices.into_iter().flat_map(|device| self.seen_by(device)).collect();
        for (session, lun) in seen {
            if self.scst.sessions.get(&session).is_some_and(|session| ports.contains(&session.target)) {
                self.tell(session, lun, Sense::STATE_CHANGED);
            }
        }
    }

    /// The sessions of a group are told that another device may be behind a LUN.
    pub(super) fn inquiry_changed(&mut self, acg: AcgId, lun: u64) {
        let sessions = self.scst.acgs.get(&acg).map(|acg| acg.sessions.clone()).unwrap_or_default();
        for session in sessions {
            self.tell(session, lun, Sense::INQUIRY_CHANGED);
        }
    }

    fn seen_by(&self, device: DevId) -> Vec<(SessId, u64)> {
        self.scst.devices.get(&device).map(|device| device.seen_by.iter().copied().collect()).unwrap_or_default()
    }

    /// Tells a session of a LUN: by an event where its driver has such, else by a unit attention.
    pub(super) fn tell(&mut self, session: SessId, lun: u64, sense: Sense) {
        if !self.takes_events(session) {
            self.set_attention(session, lun, sense);
        }
    }

    /// The driver of the session has asynchronous events, and the port does not forbid them. The copy manager needs none.
    pub(super) fn takes_events(&self, session: SessId) -> bool {
        let target = self.scst.sessions.get(&session).and_then(|session| self.scst.targets.get(&session.target));
        target.is_some_and(|target| {
            let flavour = self.scst.driver_by_id(target.driver).map(|driver| driver.flavour);
            !target.aen_disabled && flavour != Some(Flavour::Hardware)
        })
    }

    /// A unit attention that waits for the next command; the same one waits once only.
    pub(super) fn set_attention(&mut self, session: SessId, lun: u64, sense: Sense) {
        let lun = self.scst.sessions.get_mut(&session).and_then(|session| session.luns.get_mut(&lun));
        if let Some(lun) = lun.filter(|lun| !lun.attentions.contains(&sense)) {
            lun.attentions.push_back(sense);
        }
    }

    /// A LUN is a new one for the session.
    pub(super) fn renew(&mut self, session: SessId, lun: u64) {
        let lun = self.scst.sessions.get_mut(&session).and_then(|session| session.luns.get_mut(&lun));
        if let Some(lun) = lun {
            lun.attentions = [Sense::RESET].into();
        }
    }

    /// The oldest unit attention of a LUN, which is told now.
    pub(super) fn take_attention(&mut self, session: SessId, lun: u64) -> Option<Sense> {
        let seen = self.scst.sessions.get_mut(&session)?.luns.get_mut(&lun)?;
        let (device, waiting) = (seen.device, seen.attentions.pop_front());
        waiting.or_else(|| {
            let held = &mut self.scst.devices.get_mut(&device)?.reservations;
            held.take_attention((session, lun)).map(|(code, qualifier)| Sense(6, code, qualifier))
        })
    }
}
