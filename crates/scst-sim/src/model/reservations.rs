//! Persistent reservations of one device: registrations, the reservation, and the commands that change them (`scst_pres.c`).

use super::pr_command::{PrAnswer, PrCommand};
use super::state::SessId;

/// Where a session sees a device: session and LUN.
pub(super) type Nexus = (SessId, u64);

/// What no reservation has as its type.
const UNSPECIFIED: u8 = 0xff;
/// Types that all registrants hold together.
const ALL_REGISTRANTS: [u8; 2] = [7, 8];
/// Types of which registrants are told when they end.
const REGISTRANTS_ONLY: [u8; 2] = [5, 6];

/// A registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Registrant {
    /// The initiator's port, as SCSI names it.
    pub(super) transport_id: Vec<u8>,
    pub(super) rel_tgt_id: u16,
    pub(super) key: u64,
    /// Who uses it; `None` while that initiator is not logged in.
    pub(super) nexus: Option<Nexus>,
}

/// All there is to know of the persistent reservations of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reservations {
    pub(super) generation: u32,
    /// They are to survive a loss of power: kept in a file.
    pub(super) aptpl: bool,
    pub(super) reserved: bool,
    /// Type and scope; of the last reservation while there is none.
    pub(super) kind: u8,
    pub(super) scope: u8,
    pub(super) registrants: Vec<Registrant>,
    /// The place of the holder among the registrants; none where all hold it.
    pub(super) holder: Option<usize>,
    /// Unit attentions that have not been told.
    pub(super) attentions: Attentions,
}

impl Default for Reservations {
    fn default() -> Self {
        Self {
            generation: 0,
            aptpl: false,
            reserved: false,
            kind: UNSPECIFIED,
            scope: 0,
            registrants: Vec::new(),
            holder: None,
            attentions: Attentions::new(),
        }
    }
}

const INVALID_FIELD_IN_CDB: PrAnswer = PrAnswer::Check(5, 0x24, 0);
const INVALID_FIELD_IN_LIST: PrAnswer = PrAnswer::Check(5, 0x26, 0);
const INVALID_RELEASE: PrAnswer = PrAnswer::Check(5, 0x26, 4);

/// Unit attentions of others: RESERVATIONS PREEMPTED, RESERVATIONS RELEASED, REGISTRATIONS PREEMPTED.
const RESERVATIONS_PREEMPTED: (u8, u8) = (0x2a, 3);
const RESERVATIONS_RELEASED: (u8, u8) = (0x2a, 4);
const REGISTRATIONS_PREEMPTED: (u8, u8) = (0x2a, 5);

/// Unit attentions that a command has caused: for whom, code and qualifier.
pub(super) type Attentions = Vec<(Nexus, (u8, u8))>;

/// Two names of an initiator's port are one: names of iSCSI in any case, all else byte by byte.
fn same_port(a: &[u8], b: &[u8]) -> bool {
    const ISCSI: u8 = 5;
    match (a.first(), b.first()) {
        (Some(x), Some(y)) if x & 0xf == ISCSI && y & 0xf == ISCSI => a[1..].eq_ignore_ascii_case(&b[1..]),
        _ => a == b,
    }
}

impl Reservations {
    pub(super) fn find(&self, transport_id: &[u8], rel_tgt_id: u16) -> Option<usize> {
        let same = |r: &Registrant| r.rel_tgt_id == rel_tgt_id && same_port(&r.transport_id, transport_id);
        self.registrants.iter().position(same)
    }

    /// The registration that a nexus uses.
    fn of(&self, nexus: Nexus) -> Option<usize> {
        self.registrants.iter().position(|r| r.nexus == Some(nexus))
    }

    fn held_by_all(&self) -> bool {
        ALL_REGISTRANTS.contains(&self.kind)
    }

    pub(super) fn is_holder(&self, index: usize) -> bool {
        self.reserved && (self.held_by_all() || self.holder == Some(index))
    }

    pub(super) fn set_holder(&mut self, holder: Option<usize>, scope: u8, kind: u8) {
        (self.reserved, self.scope, self.kind) = (true, scope, kind);
        if !self.held_by_all() {
            self.holder = holder;
        }
    }

    fn clear_reservation(&mut self) {
        (self.reserved, self.scope, self.kind, self.holder) = (false, 0, UNSPECIFIED, None);
    }

    fn remove(&mut self, index: usize) {
        let held = self.is_holder(index);
        self.registrants.remove(index);
        self.holder = match self.holder {
            Some(holder) if holder == index => None,
            Some(holder) if holder > index => Some(holder - 1),
            holder => holder,
        };
        if held && (!self.held_by_all() || self.registrants.is_empty()) {
            self.clear_reservation();
        }
    }

    /// Nobody is registered any more.
    pub(super) fn remove_all(&mut self) {
        while !self.registrants.is_empty() {
            self.remove(0);
        }
    }

    /// A session sees the device from now on, or does not any more.
    pub(super) fn attach(&mut self, nexus: Nexus, transport_id: &[u8], rel_tgt_id: u16) {
        if let Some(index) = self.find(transport_id, rel_tgt_id).filter(|i| self.registrants[*i].nexus.is_none()) {
            self.registrants[index].nexus = Some(nexus);
        }
    }

    pub(super) fn detach(&mut self, nexus: Nexus) {
        self.attentions.retain(|(whose, _)| *whose != nexus);
        if let Some(index) = self.of(nexus) {
            self.registrants[index].nexus = None;
        }
    }

    /// A command that others than the holder may not send: one that reads, or one that writes.
    pub(super) fn refuses(&self, nexus: Nexus, writes: bool) -> bool {
        let registered = self.of(nexus);
        let exempt = match self.kind {
            1 | 3 => registered.is_some() && registered == self.holder,
            _ => registered.is_some(),
        };
        let reading_is_free = matches!(self.kind, 1 | 5 | 7);
        self.reserved && !exempt && (writes || !reading_is_free)
    }

    /// The unit attention that a nexus is to be told next.
    pub(super) fn take_attention(&mut self, nexus: Nexus) -> Option<(u8, u8)> {
        let index = self.attentions.iter().position(|(whose, _)| *whose == nexus)?;
        Some(self.attentions.remove(index).1)
    }

    /// Carries a command out for a nexus whose initiator's port and target port are given.
    pub(super) fn execute(
        &mut self,
        command: PrCommand,
        nexus: Nexus,
        transport_id: &[u8],
        rel_tgt_id: u16,
    ) -> PrAnswer {
        let (answer, told) = self.answer(command, nexus, transport_id, rel_tgt_id);
        self.attentions.extend(told);
        answer
    }

    fn answer(
        &mut self,
        command: PrCommand,
        nexus: Nexus,
        transport_id: &[u8],
        rel_tgt_id: u16,
    ) -> (PrAnswer, Attentions) {
        let quietly = |answer| (answer, Attentions::new());
        let own = self.of(nexus);
        match command {
            PrCommand::ReadKeys => {
                let keys = self.registrants.iter().map(|r| r.key).collect();
                quietly(PrAnswer::Keys(self.generation, keys))
            }
            PrCommand::ReadReservation => {
                let key = self.holder.map_or(0, |holder| self.registrants[holder].key);
                let reservation = self.reserved.then_some((key, self.scope, self.kind));
                quietly(PrAnswer::Reservation(self.generation, reservation))
            }
            PrCommand::Register { key, new, aptpl } => {
                let registered = own.map_or(0, |own| self.registrants[own].key);
                if key.is_some_and(|key| key != registered) {
                    return quietly(PrAnswer::Conflict);
                }
                let told = match own {
                    None if new != 0 => {
                        self.register(nexus, transport_id, rel_tgt_id, new);
                        Attentions::new()
                    }
                    Some(own) if new == 0 => self.unregister(own),
                    Some(own) => {
                        self.registrants[own].key = new;
                        Attentions::new()
                    }
                    None => Attentions::new(),
                };
                self.generation = self.generation.wrapping_add(1);
                self.aptpl = aptpl;
                (PrAnswer::Good, told)
            }
            PrCommand::Reserve { key, .. }
            | PrCommand::Release { key, .. }
            | PrCommand::Clear { key }
            | PrCommand::Preempt { key, .. } => match own {
                None => quietly(PrAnswer::Conflict),
                Some(own) => self.with_key(command, own, key),
            },
        }
    }

    /// A command that only a registrant may send.
    fn with_key(&mut self, command: PrCommand, own: usize, key: u64) -> (PrAnswer, Attentions) {
        let quietly = |answer| (answer, Attentions::new());
        match command {
            PrCommand::Reserve { kind, .. } | PrCommand::Preempt { kind, .. } if !matches!(kind, 1 | 3 | 5..=8) => {
                return quietly(INVALID_FIELD_IN_CDB);
            }
            PrCommand::Release { .. } if !self.reserved => return quietly(PrAnswer::Good),
            _ => {}
        }
        if self.registrants[own].key != key {
            return quietly(PrAnswer::Conflict);
        }
        match command {
            PrCommand::Reserve { kind, .. } if !self.reserved => {
                self.set_holder(Some(own), 0, kind);
                quietly(PrAnswer::Good)
            }
            PrCommand::Reserve { kind, .. } => {
                let same = self.is_holder(own) && (self.scope, self.kind) == (0, kind);
                quietly(if same { PrAnswer::Good } else { PrAnswer::Conflict })
            }
            PrCommand::Release { .. } if !self.is_holder(own) => quietly(PrAnswer::Good),
            PrCommand::Release { kind, .. } if (self.scope, self.kind) != (0, kind) => quietly(INVALID_RELEASE),
            PrCommand::Release { kind, .. } => {
                self.clear_reservation();
                let tells = REGISTRANTS_ONLY.contains(&kind) || ALL_REGISTRANTS.contains(&kind);
                let told = if tells { self.tell_all_but(Some(own), RESERVATIONS_RELEASED) } else { Attentions::new() };
                (PrAnswer::Good, told)
            }
            PrCommand::Clear { .. } => {
                let told = self.tell_all_but(Some(own), RESERVATIONS_PREEMPTED);
                self.remove_all();
                self.generation = self.generation.wrapping_add(1);
                (PrAnswer::Good, told)
            }
            PrCommand::Preempt { new, kind, .. } => self.preempt(own, new, kind),
            _ => quietly(PrAnswer::Good),
        }
    }

    fn register(&mut self, nexus: Nexus, transport_id: &[u8], rel_tgt_id: u16, key: u64) {
        // Somebody of the same name may be registered through another session: then it stays as it is.
        if self.find(transport_id, rel_tgt_id).is_none() {
            let transport_id = transport_id.to_vec();
            self.registrants.push(Registrant { transport_id, rel_tgt_id, key, nexus: Some(nexus) });
        }
    }

    fn unregister(&mut self, own: usize) -> Attentions {
        let (held, kind) = (self.is_holder(own), self.kind);
        self.remove(own);
        if held && !self.reserved && REGISTRANTS_ONLY.contains(&kind) {
            self.tell_all_but(None, RESERVATIONS_RELEASED)
        } else {
            Attentions::new()
        }
    }

    fn tell_all_but(&self, but: Option<usize>, attention: (u8, u8)) -> Attentions {
        let others = self.registrants.iter().enumerate().filter(|(index, _)| Some(*index) != but);
        others.filter_map(|(_, r)| Some((r.nexus?, attention))).collect()
    }

    /// Ends the registrations with a key; where it is the holder's, the reservation changes hands.
    fn preempt(&mut self, own: usize, victim: u64, kind: u8) -> (PrAnswer, Attentions) {
        let before = (self.reserved, self.kind, self.scope);
        let by_all = self.reserved && self.held_by_all();
        let holder_key = self.holder.map(|holder| self.registrants[holder].key);
        let takes_over = self.reserved && if by_all { victim == 0 } else { holder_key == Some(victim) };
        if self.reserved && !by_all && !takes_over && victim == 0 {
            return (INVALID_FIELD_IN_LIST, Attentions::new());
        }
        let everybody = by_all && victim == 0;
        let leaves = |r: &Registrant| everybody || r.key == victim;
        if !takes_over && !self.registrants.iter().any(leaves) {
            return (PrAnswer::Conflict, Attentions::new());
        }
        // Who names the own key stays, unless somebody else holds the reservation.
        let stays = !(self.reserved && !by_all && !takes_over);
        let mut told = Attentions::new();
        let mut own = Some(own);
        let mut index = 0;
        while index < self.registrants.len() {
            let is_own = own == Some(index);
            if !leaves(&self.registrants[index]) || (is_own && stays) {
                index += 1;
                continue;
            }
            if !is_own {
                told.extend(self.registrants[index].nexus.map(|nexus| (nexus, REGISTRATIONS_PREEMPTED)));
            }
            self.remove(index);
            own = match own {
                Some(at) if at == index => None,
                Some(at) if at > index => Some(at - 1),
                at => at,
            };
        }
        if takes_over {
            self.set_holder(own, 0, kind);
            if !by_all && (before.1, before.2) != (kind, 0) {
                told.extend(self.tell_all_but(own, RESERVATIONS_RELEASED));
            }
        }
        self.generation = self.generation.wrapping_add(1);
        (PrAnswer::Good, told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: Nexus = (SessId(1), 0);
    const BOB: Nexus = (SessId(2), 0);

    fn id(of: Nexus) -> Vec<u8> {
        [&[6, 0, 0, 0, u8::try_from(of.0.0).unwrap()][..], &[0; 19]].concat()
    }

    fn ask(all: &mut Reservations, whose: Nexus, command: PrCommand) -> PrAnswer {
        all.execute(command, whose, &id(whose), 1)
    }

    fn register(key: u64, new: u64) -> PrCommand {
        PrCommand::Register { key: Some(key), new, aptpl: false }
    }

    fn both() -> Reservations {
        let mut all = Reservations::default();
        assert_eq!(ask(&mut all, ANN, register(0, 1)), PrAnswer::Good);
        assert_eq!(ask(&mut all, BOB, register(0, 2)), PrAnswer::Good);
        all
    }

    #[test]
    fn a_registration_changes_with_its_key_only() {
        let mut all = both();
        assert_eq!(ask(&mut all, ANN, register(0, 3)), PrAnswer::Conflict);
        assert_eq!(ask(&mut all, ANN, register(1, 3)), PrAnswer::Good);
        assert_eq!(ask(&mut all, ANN, PrCommand::Register { key: None, new: 4, aptpl: false }), PrAnswer::Good);
        assert_eq!(ask(&mut all, ANN, PrCommand::ReadKeys), PrAnswer::Keys(4, vec![4, 2]));
        assert_eq!(ask(&mut all, ANN, register(4, 0)), PrAnswer::Good);
        assert_eq!(ask(&mut all, ANN, PrCommand::Reserve { key: 4, kind: 5 }), PrAnswer::Conflict);
    }

    #[test]
    fn who_may_read_and_write_depends_on_the_type() {
        let other = (SessId(3), 0);
        // Type, then who is refused to read and to write: holder, registrant, somebody else.
        for (kind, reads, writes) in [
            (1, [false, false, false], [false, true, true]),
            (3, [false, true, true], [false, true, true]),
            (5, [false, false, false], [false, false, true]),
            (6, [false, false, true], [false, false, true]),
            (7, [false, false, false], [false, false, true]),
            (8, [false, false, true], [false, false, true]),
        ] {
            let mut all = both();
            assert_eq!(ask(&mut all, ANN, PrCommand::Reserve { key: 1, kind }), PrAnswer::Good);
            assert_eq!([ANN, BOB, other].map(|whose| all.refuses(whose, false)), reads, "type {kind}");
            assert_eq!([ANN, BOB, other].map(|whose| all.refuses(whose, true)), writes, "type {kind}");
        }
        assert_eq!(ask(&mut both(), ANN, PrCommand::Reserve { key: 1, kind: 2 }), INVALID_FIELD_IN_CDB);
    }

    #[test]
    fn releasing_needs_the_same_type_and_tells_registrants() {
        let mut all = both();
        ask(&mut all, ANN, PrCommand::Reserve { key: 1, kind: 5 });
        assert_eq!(ask(&mut all, BOB, PrCommand::Release { key: 2, kind: 5 }), PrAnswer::Good);
        assert!(all.reserved, "only the holder releases");
        assert_eq!(ask(&mut all, ANN, PrCommand::Release { key: 1, kind: 3 }), INVALID_RELEASE);
        assert_eq!(ask(&mut all, ANN, PrCommand::Release { key: 1, kind: 5 }), PrAnswer::Good);
        assert!(!all.reserved);
        assert_eq!((all.take_attention(BOB), all.take_attention(ANN)), (Some(RESERVATIONS_RELEASED), None));
    }

    #[test]
    fn preempting_the_holder_takes_the_reservation_and_another_only_its_registration() {
        let mut all = both();
        ask(&mut all, ANN, PrCommand::Reserve { key: 1, kind: 3 });
        assert_eq!(ask(&mut all, BOB, PrCommand::Preempt { key: 2, new: 9, kind: 3 }), PrAnswer::Conflict);
        assert_eq!(ask(&mut all, BOB, PrCommand::Preempt { key: 2, new: 1, kind: 5 }), PrAnswer::Good);
        assert_eq!(all.take_attention(ANN), Some(REGISTRATIONS_PREEMPTED));
        assert_eq!(ask(&mut all, BOB, PrCommand::ReadReservation), PrAnswer::Reservation(3, Some((2, 0, 5))));
        assert_eq!(ask(&mut all, ANN, register(0, 1)), PrAnswer::Good);
        assert_eq!(ask(&mut all, BOB, PrCommand::Preempt { key: 2, new: 1, kind: 1 }), PrAnswer::Good);
        assert_eq!(ask(&mut all, BOB, PrCommand::ReadReservation), PrAnswer::Reservation(5, Some((2, 0, 5))));
        assert_eq!(ask(&mut all, BOB, PrCommand::ReadKeys), PrAnswer::Keys(5, vec![2]));
    }

    #[test]
    fn what_all_registrants_hold_ends_with_the_last_of_them() {
        let mut all = both();
        ask(&mut all, ANN, PrCommand::Reserve { key: 1, kind: 7 });
        assert_eq!(ask(&mut all, BOB, PrCommand::ReadReservation), PrAnswer::Reservation(2, Some((0, 0, 7))));
        ask(&mut all, ANN, register(1, 0));
        assert!(all.reserved);
        ask(&mut all, BOB, register(2, 0));
        assert!(!all.reserved);
    }
}
