//! Target drivers: `targets/<driver>` and its `mgmt` (`scst_process_tgtt_mgmt_store`, `scst_local.c`).

use std::collections::BTreeMap;

use super::Errno;
use super::command::{Command, Outcome, Store};
use super::iscsi::{Ask, IscsiDriver};
use super::machine::Machine;
use super::numbers::unsigned;
use super::port_attrs::keyed;
use super::state::{Driver, DrvId, Flavour, PortKind, TgtId, directory_name};
use super::target::SCSI_TRANSPORT_VERSION;
use super::trace::Trace;
use super::tree::{AttrSpec, RO, RW};
use super::words::{Words, same_word};

impl Machine {
    pub(super) fn register_driver(
        &mut self,
        name: &'static str,
        flavour: Flavour,
        can_disable: bool,
        trace: Trace,
    ) -> DrvId {
        let id = DrvId(self.new_id());
        let iscsi = (flavour == Flavour::Iscsi).then(IscsiDriver::new);
        let can_disable = can_disable && flavour != Flavour::CopyManager;
        self.scst.drivers.push(Driver {
            id,
            name,
            flavour,
            can_disable,
            targets: BTreeMap::new(),
            trace,
            iscsi,
            allow_not_connected_copy: false,
            logins: 0,
        });
        id
    }

    /// The 32 Gb generation's driver makes virtual ports, so it has `mgmt`.
    fn has_virtual_ports(&self, driver: &Driver) -> bool {
        driver.name == super::fc_host::DRIVER && self.fc_ports.iter().any(|p| p.gen32)
    }

    pub(super) fn driver_attributes(&self, id: DrvId) -> Vec<AttrSpec> {
        let Some(driver) = self.scst.driver_by_id(id) else { return Vec::new() };
        let trace = ("trace_level", RW);
        match driver.flavour {
            Flavour::CopyManager => vec![("allow_not_connected_copy", RW), ("dif_capabilities", RO)],
            Flavour::Local => vec![("mgmt", RW), ("stats", RO), trace, ("version", RO)],
            Flavour::Iscsi => {
                let mut all = vec![("mgmt", RW), ("open_state", RO), trace, ("version", RO)];
                all.extend(driver.iscsi.as_ref().map(IscsiDriver::attributes).unwrap_or_default());
                all
            }
            Flavour::Hardware if self.has_virtual_ports(driver) => vec![("mgmt", RW), trace, ("version", RO)],
            Flavour::Hardware => vec![trace, ("version", RO)],
        }
    }

    pub(super) fn show_driver(&self, id: DrvId, attr: &str) -> Result<Vec<u8>, Errno> {
        let driver = self.scst.driver_by_id(id).ok_or(Errno::ENOENT)?;
        Ok(match attr {
            "allow_not_connected_copy" => {
                keyed(u8::from(driver.allow_not_connected_copy), driver.allow_not_connected_copy)
            }
            "dif_capabilities" => super::copy_manager::DIF_CAPABILITIES.into(),
            "mgmt" => format!(
                "Commands: add_target TARGET [parameters], del_target TARGET\n\n\
                 Parameters are NAME=VALUE, with ';' between them.\n\n\
                 The following parameters available: {}\n",
                match driver.flavour {
                    Flavour::Hardware => "node_name, parent_host",
                    _ => "session_name, transport_id",
                }
            )
            .into_bytes(),
            "stats" => b"0 commands\n".to_vec(),
            "trace_level" => driver.trace.show(),
            "version" => keyed(self.features.release, false),
            "open_state" => keyed(self.daemon_state(id), false),
            _ => return Err(Errno::ENOENT),
        })
    }

    pub(super) fn store_driver(&mut self, id: DrvId, name: &[u8], attr: &str, text: &[u8]) -> Store {
        let Some(driver) = self.scst.driver_mut(id) else { return Store::Done(Err(Errno::ENODEV)) };
        match attr {
            "allow_not_connected_copy" => {
                Store::Done(unsigned(text).map(|on| driver.allow_not_connected_copy = on != 0))
            }
            "mgmt" => Store::Queue(Command::Driver(id, text.to_vec())),
            "trace_level" => Store::Done(driver.trace.store(text)),
            _ if driver.iscsi.is_some() => {
                Store::Wait(Command::Daemon(Ask::Store(id, None, name.to_vec(), text.to_vec())))
            }
            _ => Store::Done(Err(Errno::ENOTSUP)),
        }
    }

    /// A write to a driver's `mgmt`.
    pub(super) fn driver_command(&mut self, id: DrvId, text: &[u8]) -> Outcome {
        let Some(flavour) = self.scst.driver_by_id(id).map(|d| d.flavour) else { return Ok(()).into() };
        let mut words = Words::new(text);
        let verb = words.word();
        let name = words.word();
        if same_word(verb, "add_target") && !name.is_empty() {
            match flavour {
                Flavour::Iscsi => self.add_iscsi_target(id, name, words.rest()).into(),
                Flavour::Local => self.add_local_target(id, name, words).into(),
                // Virtual ports need the fabric's help.
                Flavour::CopyManager | Flavour::Hardware => Err(Errno::ENOTSUP).into(),
            }
        } else if same_word(verb, "del_target") && !name.is_empty() {
            if !words.word().is_empty() {
                return Err(Errno::EINVAL).into();
            }
            match (flavour, self.port_of(id, name)) {
                (Flavour::Iscsi, _) => self.delete_iscsi_target(id, name).into(),
                (_, None) => Err(Errno::ENOENT).into(),
                (Flavour::Hardware, _) => Err(Errno::ENOTSUP).into(),
                (_, Some(target)) => {
                    self.delete_target(target);
                    Ok(()).into()
                }
            }
        } else if same_word(verb, "add_target") || same_word(verb, "del_target") {
            Err(Errno::EINVAL).into()
        } else {
            match flavour {
                Flavour::Local => self.local_command(id, verb, name, words.word()).into(),
                Flavour::Iscsi => self.iscsi_command(id, text).into(),
                Flavour::CopyManager | Flavour::Hardware => Err(Errno::EINVAL).into(),
            }
        }
    }

    /// The port of a driver by its own name.
    pub(super) fn port_of(&self, driver: DrvId, name: &[u8]) -> Option<TgtId> {
        let target = *self.scst.driver_by_id(driver)?.targets.get(&directory_name(name))?;
        self.scst.targets.get(&target).filter(|t| t.name == name).map(|_| target)
    }

    /// EFAULT for a name that is taken; a port with a bad parameter goes again.
    fn add_local_target(&mut self, driver: DrvId, name: &[u8], words: Words<'_>) -> Result<(), Errno> {
        let kind = local_port(None);
        let target = self.create_target(driver, name, kind).map_err(|_| Errno::EFAULT)?;
        let result = self.apply_local_parameters(target, words);
        if result.is_err() {
            self.delete_target(target);
        }
        result
    }

    fn apply_local_parameters(&mut self, target: TgtId, mut words: Words<'_>) -> Result<(), Errno> {
        while let Some(mut parameter) = words.parameter() {
            let (name, value) = (parameter.word(), parameter.word());
            if name.is_empty() {
                break;
            }
            let known = same_word(name, "session_name");
            if !known || value.is_empty() || !parameter.word().is_empty() {
                return Err(Errno::EINVAL);
            }
            self.log_in(target, value)?;
        }
        Ok(())
    }

    /// The ports that the stand-in for a hardware driver makes when it is loaded, each with a Fibre Channel host.
    pub(super) fn add_stand_in_ports(&mut self, driver: DrvId, names: &str) {
        for name in names.split(',').filter(|name| !name.is_empty()) {
            let host = self.fc_ports.iter().map(|port| port.host + 1).max().unwrap_or(0);
            if self.create_target(driver, name.as_bytes(), local_port(Some(host))).is_ok() {
                self.add_stand_in_host(host, name);
            }
        }
    }

    /// `add_session` and `del_session`; any other verb with a port and a word does nothing.
    fn local_command(&mut self, driver: DrvId, verb: &[u8], name: &[u8], session: &[u8]) -> Result<(), Errno> {
        let target = self.port_of(driver, name).ok_or(Errno::EINVAL)?;
        if session.is_empty() {
            return Err(Errno::EINVAL);
        }
        if same_word(verb, "add_session") {
            self.log_in(target, session)?;
        } else if same_word(verb, "del_session") {
            let port = self.scst.targets.get(&target).ok_or(Errno::EINVAL)?;
            // The list of sessions is in the order of their logins.
            let of_initiator = port
                .sessions
                .values()
                .filter(|s| self.scst.sessions.get(s).is_some_and(|s| s.initiator == session && !s.closing));
            let first = of_initiator.min().copied().ok_or(Errno::EINVAL)?;
            self.close_session(first);
        } else if same_word(verb, "port_state") {
            let up = same_word(session, "online");
            self.set_stand_in_link(name, up);
        }
        Ok(())
    }
}

/// A port of `scst_local` or a stand-in made of it, with the SCSI host it has if it was made at load.
fn local_port(host: Option<u32>) -> PortKind {
    PortKind::Local { scsi_transport_version: SCSI_TRANSPORT_VERSION, phys_transport_version: 0, host }
}
