//! Initiator groups: `ini_groups/mgmt`, `ini_groups/<g>` and its `initiators/mgmt`
//! (`scst_process_ini_group_mgmt_store`, `scst_process_acg_ini_mgmt_store`).

use std::collections::{BTreeMap, BTreeSet};

use super::Errno;
use super::command::Outcome;
use super::lun::drained;
use super::machine::Machine;
use super::state::{Acg, AcgId, AddrMethod, Initiator, Name, SessId, TgtId, directory_name};
use super::words::{Words, same_word};

pub(super) const USAGE: &str = "Commands: create GROUP, del GROUP\n";
pub(super) const INITIATORS_USAGE: &str = "Commands: add INITIATOR, del INITIATOR, move INITIATOR GROUP, clear\nNames may hold * and ?, a leading ! negates.\n";

impl Machine {
    /// A fresh group of a port; without a name its default group.
    pub(super) fn new_acg(&mut self, target: TgtId, name: Option<&[u8]>) -> AcgId {
        let id = AcgId(self.new_id());
        let acg = Acg {
            target,
            name: name.map(<[u8]>::to_vec),
            addr_method: AddrMethod::Peripheral,
            io_grouping_type: super::port_attrs::IO_GROUPING_AUTO,
            cpu_mask: super::port_attrs::ALL_CPUS,
            black_hole: 0,
            dedicated_threads: false,
            luns: BTreeMap::new(),
            initiators: Vec::new(),
            sessions: BTreeSet::new(),
        };
        self.scst.acgs.insert(id, acg);
        id
    }

    /// A write to `ini_groups/mgmt`.
    pub(super) fn ini_groups_command(&mut self, target: TgtId, text: &[u8]) -> Outcome {
        let mut words = Words::new(text);
        let verb = words.word();
        let create = same_word(verb, "create");
        if !create && !same_word(verb, "del") {
            return Outcome::Done(Err(Errno::EINVAL));
        }
        let Some(port) = self.scst.targets.get(&target) else { return Outcome::Done(Ok(())) };
        let name = words.word();
        if name.is_empty() {
            return Outcome::Done(Err(Errno::EINVAL));
        }
        let shown = directory_name(name);
        let existing = port.ini_groups.get(&shown).copied();
        if create {
            if existing.is_some() || shown == b"mgmt" {
                return Outcome::Done(Err(Errno::EEXIST));
            }
            if self.is_copy_manager(target) {
                return Outcome::Done(Err(Errno::EINVAL));
            }
            self.create_ini_group(target, name, shown);
            return Outcome::Done(Ok(()));
        }
        let same_name = |acg: &AcgId| self.scst.acgs.get(acg).is_some_and(|a| a.name.as_deref() == Some(name));
        match existing.filter(same_name) {
            Some(acg) => self.delete_ini_group(target, acg, &shown),
            None => Outcome::Done(Err(Errno::EINVAL)),
        }
    }

    fn create_ini_group(&mut self, target: TgtId, name: &[u8], shown: Name) {
        let acg = self.new_acg(target, Some(name));
        if let Some(port) = self.scst.targets.get_mut(&target) {
            port.ini_groups.insert(shown, acg);
        }
    }

    /// EBUSY with a session, unless the module was told to close sessions.
    fn delete_ini_group(&mut self, target: TgtId, acg: AcgId, shown: &[u8]) -> Outcome {
        let sessions: Vec<SessId> =
            self.scst.acgs.get(&acg).map(|a| a.sessions.iter().copied().collect()).unwrap_or_default();
        if !sessions.is_empty() && !self.scst.forcibly_close_sessions {
            return Outcome::Done(Err(Errno::EBUSY));
        }
        for session in sessions {
            self.close_session(session);
        }
        let removed = self.clear_luns(acg);
        self.scst.acgs.remove(&acg);
        if let Some(port) = self.scst.targets.get_mut(&target) {
            port.ini_groups.remove(shown);
        }
        drained(removed)
    }

    /// A write to `initiators/mgmt`.
    pub(super) fn initiators_command(&mut self, acg: AcgId, text: &[u8]) -> Result<(), Errno> {
        let mut words = Words::new(text);
        let verb = words.word();
        let is = |word| same_word(verb, word);
        if !["add", "del", "clear", "move"].into_iter().any(is) {
            return Err(Errno::EINVAL);
        }
        let Some(group) = self.scst.acgs.get(&acg) else { return Ok(()) };
        let target = group.target;
        if is("clear") {
            if let Some(group) = self.scst.acgs.get_mut(&acg) {
                group.initiators.clear();
            }
            self.reassign_sessions(target);
            return Ok(());
        }
        let name = words.word();
        if name.is_empty() {
            return Err(Errno::EINVAL);
        }
        if is("add") {
            self.add_initiator(acg, name)?;
        } else if is("del") {
            self.remove_initiator(acg, name)?;
        } else {
            self.move_initiator(acg, name, words.word())?;
        }
        self.reassign_sessions(target);
        Ok(())
    }

    /// EEXIST for the same name, or one the directory has already.
    fn add_initiator(&mut self, acg: AcgId, name: &[u8]) -> Result<(), Errno> {
        let id = self.new_id();
        let group = self.scst.acgs.get_mut(&acg).ok_or(Errno::EINVAL)?;
        if name == b"mgmt" || group.initiators.iter().any(|i| i.name == name) {
            return Err(Errno::EEXIST);
        }
        group.initiators.push(Initiator { id, name: name.to_vec() });
        Ok(())
    }

    fn remove_initiator(&mut self, acg: AcgId, name: &[u8]) -> Result<(), Errno> {
        let group = self.scst.acgs.get_mut(&acg).ok_or(Errno::EINVAL)?;
        let at = group.initiators.iter().position(|i| i.name == name).ok_or(Errno::EINVAL)?;
        group.initiators.remove(at);
        Ok(())
    }

    fn move_initiator(&mut self, acg: AcgId, name: &[u8], group: &[u8]) -> Result<(), Errno> {
        let from = self.scst.acgs.get(&acg).ok_or(Errno::EINVAL)?;
        if group.is_empty() || !from.initiators.iter().any(|i| i.name == name) {
            return Err(Errno::EINVAL);
        }
        let port = self.scst.targets.get(&from.target).ok_or(Errno::EINVAL)?;
        let to = *port.ini_groups.get(&directory_name(group)).ok_or(Errno::EINVAL)?;
        let to_group = self.scst.acgs.get(&to).filter(|a| a.name.as_deref() == Some(group)).ok_or(Errno::EINVAL)?;
        if to_group.initiators.iter().any(|i| i.name == name) {
            return Err(Errno::EEXIST);
        }
        self.remove_initiator(acg, name)?;
        self.add_initiator(to, name)
    }
}
