//! Sessions: who is logged in where, which group they are in, and their directories (`scst_targ.c`, `scst_find_acg`).

use super::Errno;
use super::command::Store;
use super::iscsi::IscsiInitiator;
use super::lun::drained;
use super::machine::Machine;
use super::scsi::Sense;
use super::state::{AcgId, DrvId, Flavour, Name, SessId, Session, TgtId, directory_name};
use super::target::IO_COUNTERS;
use super::tree::{AttrSpec, Entry, Node, RO, RW, WO};
use super::words::matches_initiator;

impl Machine {
    /// An initiator logs in to a target; answers the name of the session directory. ENODEV without such a target,
    /// ECONNREFUSED where a real port would not answer, EFAULT if a LUN cannot be attached.
    pub fn login(&mut self, driver: &str, target: &str, initiator: &str) -> Result<String, Errno> {
        if driver == "iscsi" && self.find_target(driver, target).is_some() {
            return self.iscsi_login(target, &IscsiInitiator::local(initiator)).map_err(|_| Errno::ECONNREFUSED);
        }
        let target = self.find_target(driver, target).ok_or(Errno::ENODEV)?;
        if !self.takes_logins(target) {
            return Err(Errno::ECONNREFUSED);
        }
        let session = self.log_in(target, initiator.as_bytes())?;
        let name = self.scst.sessions.get(&session).map(|s| s.name.clone()).unwrap_or_default();
        Ok(String::from_utf8_lossy(&name).into_owned())
    }

    /// A session logs out, as soon as its commands are answered. ENODEV without such a session.
    pub fn logout(&mut self, driver: &str, target: &str, session: &str) -> Result<(), Errno> {
        let session = self.find_session(driver, target, session).ok_or(Errno::ENODEV)?;
        self.hosts.forget(session);
        self.close_session(session);
        Ok(())
    }

    /// The port of that driver; by its name or the name of its directory.
    pub(super) fn find_target(&self, driver: &str, target: &str) -> Option<TgtId> {
        let name = directory_name(target.as_bytes());
        self.scst.driver(driver.as_bytes())?.targets.get(&name).copied()
    }

    /// The session of that directory.
    pub(super) fn find_session(&self, driver: &str, target: &str, session: &str) -> Option<SessId> {
        let target = self.find_target(driver, target)?;
        self.scst.targets.get(&target)?.sessions.get(session.as_bytes()).copied()
    }

    /// A real port that is off does not let anybody in. The stand-ins do.
    fn takes_logins(&self, target: TgtId) -> bool {
        let Some(port) = self.scst.targets.get(&target) else { return false };
        let Some(driver) = self.scst.driver_by_id(port.driver) else { return false };
        match driver.flavour {
            Flavour::CopyManager | Flavour::Iscsi => false,
            Flavour::Local => true,
            Flavour::Hardware => port.enabled,
        }
    }

    /// Makes a session with everything its group has. EFAULT if a LUN cannot be attached.
    pub(super) fn log_in(&mut self, target: TgtId, initiator: &[u8]) -> Result<SessId, Errno> {
        let acg = self.group_for(target, initiator);
        let name = self.session_name(target, initiator);
        let id = SessId(self.new_id());
        let transport_id = self.name_initiator_port(target, initiator);
        let session = Session {
            target,
            acg,
            name: name.clone(),
            initiator: initiator.to_vec(),
            transport_id,
            luns: std::collections::BTreeMap::new(),
            disks: std::collections::BTreeMap::new(),
            closing: false,
            iscsi: None,
        };
        self.scst.sessions.insert(id, session);
        let luns = self.luns_of(acg);
        for (number, device) in luns {
            if self.attach_session(id, number, device).is_err() {
                self.drop_luns(id);
                self.scst.sessions.remove(&id);
                return Err(Errno::EFAULT);
            }
        }
        if let Some(target) = self.scst.targets.get_mut(&target) {
            target.sessions.insert(name, id);
        }
        if let Some(acg) = self.scst.acgs.get_mut(&acg) {
            acg.sessions.insert(id);
        }
        self.find_disks(id);
        Ok(id)
    }

    fn luns_of(&self, acg: AcgId) -> Vec<(u64, super::state::DevId)> {
        self.scst.acgs.get(&acg).map(|a| a.luns.iter().map(|(n, l)| (*n, l.device)).collect()).unwrap_or_default()
    }

    /// The initiator's name, with `_1`, `_2`, ... if that is taken.
    fn session_name(&self, target: TgtId, initiator: &[u8]) -> Name {
        let base = directory_name(initiator);
        let Some(target) = self.scst.targets.get(&target) else { return base };
        let mut name = base.clone();
        let mut number = 0;
        while target.sessions.contains_key(&name) {
            number += 1;
            name = [&base[..], format!("_{number}").as_bytes()].concat();
        }
        name
    }

    /// The first group, in the order of creation, with a name that matches; else the default group.
    pub(super) fn group_for(&self, target: TgtId, initiator: &[u8]) -> AcgId {
        let Some(target) = self.scst.targets.get(&target) else { return AcgId(0) };
        let mut groups: Vec<AcgId> = target.ini_groups.values().copied().collect();
        groups.sort_unstable();
        let has_name = |acg: &AcgId| {
            let names = self.scst.acgs.get(acg).into_iter().flat_map(|a| &a.initiators);
            names.into_iter().any(|i| matches_initiator(&i.name, initiator))
        };
        groups.into_iter().find(has_name).unwrap_or(target.default_acg)
    }

    /// Moves every session of a port to the group its initiator belongs to now.
    pub(super) fn reassign_sessions(&mut self, target: TgtId) {
        let Some(port) = self.scst.targets.get(&target) else { return };
        let sessions: Vec<SessId> = port.sessions.values().copied().collect();
        for id in sessions {
            let Some(session) = self.scst.sessions.get(&id).filter(|s| !s.closing) else { continue };
            let from = session.acg;
            let to = self.group_for(target, &session.initiator.clone());
            if from != to {
                self.move_session(id, from, to);
            }
        }
    }

    /// A LUN of the same number and device in both groups stays open; for the session it is a new one, as all of the other
    /// group are. One that cannot be attached is left out.
    fn move_session(&mut self, id: SessId, from: AcgId, to: AcgId) {
        let wanted = self.luns_of(to);
        let Some(session) = self.scst.sessions.get_mut(&id) else { return };
        session.acg = to;
        let seen: Vec<(u64, super::state::DevId)> = session.luns.iter().map(|(n, l)| (*n, l.device)).collect();
        for (number, device) in &seen {
            if !wanted.contains(&(*number, *device)) {
                self.detach_session(id, *number);
                self.detach(*device);
            }
        }
        for (number, device) in wanted {
            if seen.contains(&(number, device)) {
                self.renew(id, number);
            } else {
                // The kernel logs the failure and goes on.
                let _left_out = self.attach_session(id, number, device);
            }
            if seen.iter().any(|(other, _)| *other == number) {
                self.tell(id, number, Sense::INQUIRY_CHANGED);
            }
        }
        if let Some(acg) = self.scst.acgs.get_mut(&from) {
            acg.sessions.remove(&id);
        }
        if let Some(acg) = self.scst.acgs.get_mut(&to) {
            acg.sessions.insert(id);
        }
        if self.takes_events(id) {
            self.find_disks(id);
        }
    }

    /// Ends a session now or, with commands in flight, as soon as they are answered.
    pub(super) fn close_session(&mut self, id: SessId) {
        if self.io_of(id, None).is_empty() {
            self.end_session(id);
        } else if let Some(session) = self.scst.sessions.get_mut(&id) {
            session.closing = true;
        }
    }

    /// Removes a session and lets go of its devices.
    pub(super) fn end_session(&mut self, id: SessId) {
        self.abort_io(id);
        self.drop_luns(id);
        let Some(session) = self.scst.sessions.remove(&id) else { return };
        self.hosts.lose(id, self.now);
        if let Some(target) = self.scst.targets.get_mut(&session.target) {
            target.sessions.retain(|_, s| *s != id);
        }
        if let Some(acg) = self.scst.acgs.get_mut(&session.acg) {
            acg.sessions.remove(&id);
        }
    }

    fn drop_luns(&mut self, id: SessId) {
        let numbers: Vec<u64> =
            self.scst.sessions.get(&id).map(|s| s.luns.keys().copied().collect()).unwrap_or_default();
        for number in numbers {
            if let Some(device) = self.detach_session(id, number) {
                self.detach(device);
            }
        }
    }

    /// Removes LUNs without making anybody wait for their commands.
    pub(super) fn drain_in_background(&mut self, removed: super::lun::Removed) {
        self.in_background(drained(removed));
    }

    // ---- the directory -------------------------------------------------------------------

    fn session_driver(&self, id: SessId) -> Option<(DrvId, Flavour)> {
        let target = self.scst.targets.get(&self.scst.sessions.get(&id)?.target)?;
        Some((target.driver, self.scst.driver_by_id(target.driver)?.flavour))
    }

    pub(super) fn session_attributes(&self, id: SessId) -> Vec<AttrSpec> {
        let mut all: Vec<AttrSpec> = vec![("active_commands", RO), ("commands", RO), ("initiator_name", RO)];
        all.extend(IO_COUNTERS.map(|c| (c, RW)));
        match self.session_driver(id).map(|(_, flavour)| flavour) {
            Some(Flavour::CopyManager) => all.push(("dif_checks_failed", RW)),
            Some(Flavour::Local) => all.extend([("force_close", WO), ("host_no", RO), ("transport_id", RW)]),
            Some(Flavour::Iscsi) => {
                all.push(("force_close", WO));
                all.extend(super::iscsi::SESSION);
            }
            Some(Flavour::Hardware) => all.push(("force_close", WO)),
            None => {}
        }
        all
    }

    pub(super) fn session_entries(&self, id: SessId) -> Vec<(Name, Entry)> {
        let Some(session) = self.scst.sessions.get(&id) else { return Vec::new() };
        let mut all = vec![
            (b"latency".to_vec(), Entry::Dir(Node::Latency(id))),
            (b"luns".to_vec(), self.link(&Node::Session(id), &Node::Luns(session.acg))),
        ];
        all.extend(session.luns.keys().map(|n| (format!("lun{n}").into_bytes(), Entry::Dir(Node::SessionLun(id, *n)))));
        match self.session_driver(id).map(|(_, flavour)| flavour) {
            Some(Flavour::Local) => {
                // The SCSI host that the stand-in makes for each session; it is not part of this tree.
                let host = format!("../../../../../../../class/scsi_host/host{}", id.0);
                all.push((b"host".to_vec(), Entry::Link(host.into_bytes())));
            }
            Some(Flavour::Iscsi) => all.extend(
                session.iscsi.as_ref().map(|iscsi| (iscsi.from.clone().into_bytes(), Entry::Dir(Node::Connection(id)))),
            ),
            _ => {}
        }
        all
    }

    pub(super) fn show_session(&self, id: SessId, attr: &str) -> Result<Vec<u8>, Errno> {
        let session = self.scst.sessions.get(&id).ok_or(Errno::ENOENT)?;
        Ok(match attr {
            "initiator_name" => [&session.initiator[..], b"\n"].concat(),
            "commands" | "active_commands" => format!("{}\n", self.io_of(id, None).len()).into_bytes(),
            "dif_checks_failed" => super::copy_manager::DIF_CHECKS.into(),
            "host_no" | "sid" => format!("{}\n", id.0).into_bytes(),
            "thread_pid" => b"0 \n".to_vec(),
            "transport_id" => b"no transport id\n".to_vec(),
            _ if IO_COUNTERS.contains(&attr) => b"0\n".to_vec(),
            _ => session.iscsi.as_ref().and_then(|iscsi| iscsi.show(attr)).ok_or(Errno::ENOENT)?,
        })
    }

    pub(super) fn show_connection(&self, id: SessId, attr: &str) -> Result<Vec<u8>, Errno> {
        let session = self.scst.sessions.get(&id).ok_or(Errno::ENOENT)?;
        session.iscsi.as_ref().and_then(|iscsi| iscsi.show_connection(attr)).ok_or(Errno::ENOENT)
    }

    pub(super) fn show_session_lun(&self, id: SessId, number: u64, attr: &str) -> Vec<u8> {
        match attr {
            "active_commands" => format!("{}\n", self.io_of(id, Some(number)).len()).into_bytes(),
            "thread_index" => b"-1\n".to_vec(),
            _ => b"0\n".to_vec(),
        }
    }

    /// Counters are zeroed by any write, `force_close` logs the session out.
    pub(super) fn store_session(&mut self, id: SessId, attr: &str) -> Store {
        if attr == "force_close" {
            self.close_session(id);
        }
        Store::Done(Ok(()))
    }
}
