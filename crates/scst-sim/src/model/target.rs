//! Ports: making and deleting them, `enabled`, `rel_tgt_id` and their other attributes (`scst_sysfs.c`, `scst_lib.c`).

use super::Errno;
use super::command::{Command, Outcome, Store};
use super::iscsi::{Ask, IscsiTarget};
use super::machine::Machine;
use super::numbers::{int, unsigned};
use super::port_attrs::{SHARED, keyed, keyed_bytes};
use super::state::{AcgId, DrvId, Flavour, Name, PortKind, Target, TgtId, directory_name};
use super::tree::{AttrSpec, Entry, Node, RO, RW, WO};
use super::words::c_text;

/// Counters of a port and of each of its sessions.
pub(super) const IO_COUNTERS: [&str; 11] = [
    "bidi_cmd_count",
    "bidi_io_count_kb",
    "bidi_unaligned_cmd_count",
    "none_cmd_count",
    "read_cmd_count",
    "read_io_count_kb",
    "read_unaligned_cmd_count",
    "unknown_cmd_count",
    "write_cmd_count",
    "write_io_count_kb",
    "write_unaligned_cmd_count",
];

/// The SCSI standard the stand-in driver claims unless told otherwise.
pub(super) const SCSI_TRANSPORT_VERSION: u16 = 0x0be0;

impl Machine {
    /// Makes a port. EEXIST if its directory has that name already, be it as an attribute.
    pub(super) fn create_target(&mut self, driver: DrvId, name: &[u8], kind: PortKind) -> Result<TgtId, Errno> {
        let shown = directory_name(name);
        if self.child(&Node::Driver(driver), &shown).is_some() {
            return Err(Errno::EEXIST);
        }
        let id = TgtId(self.new_id());
        let default_acg = self.new_acg(id, None);
        let target = Target {
            driver,
            name: name.to_vec(),
            kind,
            enabled: false,
            rel_tgt_id: 0,
            default_acg,
            ini_groups: std::collections::BTreeMap::new(),
            sessions: std::collections::BTreeMap::new(),
            comment: Vec::new(),
            forward_src: false,
            forward_dst: false,
            aen_disabled: false,
        };
        self.scst.targets.insert(id, target);
        if let Some(driver) = self.scst.driver_mut(driver) {
            driver.targets.insert(shown, id);
        }
        Ok(id)
    }

    /// Deletes a port with everything below it; target groups lose it.
    pub(super) fn delete_target(&mut self, id: TgtId) {
        let Some(target) = self.scst.targets.get(&id) else { return };
        let sessions: Vec<_> = target.sessions.values().copied().collect();
        let groups: Vec<AcgId> = target.ini_groups.values().copied().chain([target.default_acg]).collect();
        let (driver, shown) = (target.driver, directory_name(&target.name));
        if let PortKind::Local { host: Some(host), .. } = target.kind {
            self.fc_ports.retain(|port| port.host != host);
        }
        for session in sessions {
            self.end_session(session);
        }
        for acg in groups {
            let removed = self.clear_luns(acg);
            self.drain_in_background(removed);
            self.scst.acgs.remove(&acg);
        }
        self.remove_member_everywhere(id);
        if let Some(driver) = self.scst.driver_mut(driver) {
            driver.targets.remove(&shown);
        }
        self.scst.targets.remove(&id);
    }

    /// Drivers without `enabled` count as enabled always.
    pub(super) fn is_enabled(&self, target: &Target) -> bool {
        target.enabled || !self.scst.driver_by_id(target.driver).is_some_and(|d| d.can_disable)
    }

    /// No other enabled port of any driver has the id.
    fn is_unique(&self, id: u16, own: TgtId) -> bool {
        !self.scst.targets.iter().any(|(other, t)| *other != own && t.rel_tgt_id == id && self.is_enabled(t))
    }

    /// Writing the id to the port would compare it with others'.
    pub(super) fn compares_rel_tgt_id(&self, target: TgtId, id: u64) -> bool {
        self.scst.targets.get(&target).is_some_and(|t| self.is_enabled(t) && u64::from(t.rel_tgt_id) != id)
    }

    /// A write to `rel_tgt_id`. On an enabled port the comparison comes before the range, and uses the low 16 bits.
    pub(super) fn set_rel_tgt_id(&mut self, target: TgtId, id: u64) -> Result<(), Errno> {
        let low = u16::try_from(id & 0xffff).unwrap_or_default();
        if self.compares_rel_tgt_id(target, id) && !self.is_unique(low, target) {
            return Err(Errno::EBADSLT);
        }
        let enabled = self.scst.targets.get(&target).is_some_and(|t| self.is_enabled(t));
        if u64::from(low) != id || (low == 0 && enabled) {
            return Err(Errno::EINVAL);
        }
        if let Some(port) = self.scst.targets.get_mut(&target) {
            port.rel_tgt_id = low;
        }
        Ok(())
    }

    /// The next id of the counter that no enabled port has.
    fn generate_rel_tgt_id(&mut self, target: TgtId) -> Result<u16, Errno> {
        for _ in 0..u16::MAX {
            let id = self.scst.next_rel_tgt_id;
            self.scst.next_rel_tgt_id = id.checked_add(1).unwrap_or(1);
            if self.is_unique(id, target) {
                return Ok(id);
            }
        }
        Err(Errno::EBADSLT)
    }

    /// A write to `enabled`.
    pub(super) fn enable_target(&mut self, id: TgtId, on: bool) -> Outcome {
        match self.ready_to_enable(id, on) {
            Ok(true) => self.ask_daemon(Ask::Enable(id, on)).into(),
            Ok(false) => {
                self.switch_target(id, on);
                Outcome::Done(Ok(()))
            }
            Err(errno) => Outcome::Done(Err(errno)),
        }
    }

    /// What SCST does before it asks the driver: a relative target port id. True if the driver's daemon has to be asked.
    fn ready_to_enable(&mut self, id: TgtId, on: bool) -> Result<bool, Errno> {
        let Some(target) = self.scst.targets.get(&id) else { return Err(Errno::ENODEV) };
        let rel_tgt_id = target.rel_tgt_id;
        let repeats_badly = target.enabled == on && matches!(target.kind, PortKind::Fc { gen32: true, .. });
        let asks = matches!(target.kind, PortKind::Iscsi(_));
        if on && rel_tgt_id == 0 {
            let generated = self.generate_rel_tgt_id(id)?;
            if let Some(target) = self.scst.targets.get_mut(&id) {
                target.rel_tgt_id = generated;
            }
        } else if on && !self.is_unique(rel_tgt_id, id) {
            return Err(Errno::EBADSLT);
        }
        if repeats_badly { Err(Errno::EINVAL) } else { Ok(asks) }
    }

    fn switch_target(&mut self, id: TgtId, on: bool) {
        let Some(target) = self.scst.targets.get_mut(&id) else { return };
        target.enabled = on;
        let (driver, sessions) = (target.driver, target.sessions.values().copied().collect::<Vec<_>>());
        let hardware = self.scst.driver_by_id(driver).is_some_and(|d| d.flavour == Flavour::Hardware);
        if !on && hardware {
            for session in sessions {
                self.close_session(session);
            }
        }
    }

    // ---- the directory -------------------------------------------------------------------

    pub(super) fn target_attributes(&self, id: TgtId) -> Vec<AttrSpec> {
        let Some(target) = self.scst.targets.get(&id) else { return Vec::new() };
        let mut all = SHARED.to_vec();
        all.extend([("comment", RW), ("forward_dst", RW), ("forward_src", RW), ("forwarding", RW), ("rel_tgt_id", RW)]);
        all.extend(IO_COUNTERS.map(|c| (c, RO)));
        if self.features.aen_disabled {
            all.extend([("aen_disabled", RW), ("sg_tablesize", RO)]);
        }
        if self.scst.driver_by_id(target.driver).is_some_and(|d| d.can_disable) {
            all.push(("enabled", RW));
        }
        match &target.kind {
            PortKind::CopyManager => all.extend([("dif_capabilities", RO), ("dif_checks_failed", RW)]),
            PortKind::Local { .. } => all.extend([("phys_transport_version", RW), ("scsi_transport_version", RW)]),
            PortKind::Iscsi(_) => all.extend(IscsiTarget::attributes()),
            PortKind::Fc { gen32, .. } => {
                all.extend([("abort_isp", WO), ("explicit_confirmation", RW), ("hw_target", RO), ("node_name", RO)]);
                if !gen32 {
                    all.push(("port_name", RO));
                }
            }
            PortKind::Plain => {}
        }
        all
    }

    pub(super) fn target_entries(&self, id: TgtId) -> Vec<(Name, Entry)> {
        let Some(target) = self.scst.targets.get(&id) else { return Vec::new() };
        let mut all = vec![
            (b"ini_groups".to_vec(), Entry::Dir(Node::IniGroups(id))),
            (b"luns".to_vec(), Entry::Dir(Node::Luns(target.default_acg))),
            (b"sessions".to_vec(), Entry::Dir(Node::Sessions(id))),
        ];
        match &target.kind {
            PortKind::Fc { host, .. } | PortKind::Local { host: Some(host), .. } => {
                all.push((b"host".to_vec(), self.link(&Node::Target(id), &Node::FcHost(*host))));
            }
            PortKind::Iscsi(iscsi) => all.extend(iscsi.files()),
            _ => {}
        }
        all
    }

    pub(super) fn show_target(&self, id: TgtId, attr: &str) -> Result<Vec<u8>, Errno> {
        let target = self.scst.targets.get(&id).ok_or(Errno::ENOENT)?;
        let flag = |on: bool| keyed(u8::from(on), on);
        Ok(match attr {
            "aen_disabled" => flag(target.aen_disabled),
            "comment" if target.comment.is_empty() => Vec::new(),
            "comment" => keyed_bytes(&target.comment, true),
            "dif_capabilities" => super::copy_manager::DIF_CAPABILITIES.into(),
            "dif_checks_failed" => super::copy_manager::DIF_CHECKS.into(),
            "enabled" => keyed(u8::from(target.enabled), false),
            "forward_dst" | "forwarding" => flag(target.forward_dst),
            "forward_src" => flag(target.forward_src),
            "rel_tgt_id" => keyed(target.rel_tgt_id, target.rel_tgt_id != 0),
            "sg_tablesize" => keyed(65535, false),
            _ if IO_COUNTERS.contains(&attr) => keyed(0, false),
            _ if SHARED.iter().any(|(shared, _)| *shared == attr) => self.show_group(target.default_acg, attr)?,
            _ => match &target.kind {
                PortKind::Iscsi(iscsi) => iscsi.show(attr).ok_or(Errno::ENOENT)?,
                kind => show_kind(kind, &target.name, attr).ok_or(Errno::ENOENT)?,
            },
        })
    }

    pub(super) fn store_target(&mut self, id: TgtId, name: &[u8], attr: &str, data: &[u8]) -> Store {
        let Some(target) = self.scst.targets.get_mut(&id) else { return Store::Done(Err(Errno::ENODEV)) };
        let text = c_text(data);
        let switch = match data.first() {
            Some(b'0') => Ok(false),
            Some(b'1') => Ok(true),
            _ => Err(Errno::EINVAL),
        };
        let set = |place: &mut bool, value: Result<bool, Errno>| Store::Done(value.map(|value| *place = value));
        match attr {
            "enabled" => {
                switch.map_or_else(|errno| Store::Done(Err(errno)), |on| Store::Queue(Command::Enable(id, on)))
            }
            "rel_tgt_id" => match unsigned(text) {
                Ok(number) => Store::Queue(Command::RelTgtId(id, number)),
                Err(_) => Store::Done(Err(Errno::EINVAL)),
            },
            "aen_disabled" => set(&mut target.aen_disabled, switch),
            "forward_dst" | "forwarding" => set(&mut target.forward_dst, switch),
            "forward_src" => {
                let value = int(text).and_then(|n| if (0..=1).contains(&n) { Ok(n == 1) } else { Err(Errno::EINVAL) });
                set(&mut target.forward_src, value)
            }
            "comment" => {
                let newline = usize::from(data.ends_with(b"\n"));
                target.comment = text[..text.len().saturating_sub(newline)].to_vec();
                Store::Done(Ok(()))
            }
            "dif_checks_failed" => Store::Done(Ok(())),
            _ if SHARED.iter().any(|(shared, _)| *shared == attr) => {
                let acg = target.default_acg;
                self.store_group(acg, attr, data)
            }
            _ if matches!(target.kind, PortKind::Iscsi(_)) => {
                let ask = Ask::Store(target.driver, Some(id), name.to_vec(), text.to_vec());
                Store::Wait(Command::Daemon(ask))
            }
            _ => Store::Done(match &mut target.kind {
                PortKind::Local { scsi_transport_version, phys_transport_version, .. } => {
                    let version = unsigned(text).map(|v| u16::try_from(v & 0xffff).unwrap_or_default());
                    let place =
                        if attr == "scsi_transport_version" { scsi_transport_version } else { phys_transport_version };
                    version.map(|v| *place = v)
                }
                PortKind::Fc { explicit_confirmation, .. } if attr == "explicit_confirmation" => {
                    switch.map(|on| *explicit_confirmation = on)
                }
                PortKind::Fc { .. } if attr == "abort_isp" => Ok(()),
                _ => Err(Errno::ENOTSUP),
            }),
        }
    }
}

fn show_kind(kind: &PortKind, name: &[u8], attr: &str) -> Option<Vec<u8>> {
    match (kind, attr) {
        (PortKind::Local { scsi_transport_version: v, .. }, "scsi_transport_version") => {
            Some(keyed(format_args!("{v:#x}"), *v != SCSI_TRANSPORT_VERSION))
        }
        (PortKind::Local { phys_transport_version: v, .. }, "phys_transport_version") => {
            Some(keyed(format_args!("{v:#x}"), *v != 0))
        }
        (PortKind::Fc { .. }, "hw_target") => Some(keyed(1, false)),
        (PortKind::Fc { node_name, .. }, "node_name") => Some(keyed(node_name, false)),
        (PortKind::Fc { .. }, "port_name") => Some(keyed_bytes(name, false)),
        (PortKind::Fc { explicit_confirmation: on, .. }, "explicit_confirmation") => Some(keyed(u8::from(*on), *on)),
        _ => None,
    }
}
