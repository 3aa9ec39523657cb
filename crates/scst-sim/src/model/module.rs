//! Kernel modules: what loading and unloading them brings and takes.

use std::collections::BTreeMap;

use super::iscsi::IscsiDriver;
use super::machine::Machine;
use super::state::{DevId, Flavour, Scst, TgtId};
use super::trace::Trace;
use super::tree::{AttrSpec, RO};
use super::{Errno, fc_host, handler};

/// A loaded module.
#[derive(Debug, Clone)]
pub(super) struct Module {
    pub(super) id: u64,
    parameters: BTreeMap<&'static str, String>,
}

/// A module: what it needs, and its parameters with their defaults.
struct Spec {
    name: &'static str,
    needs: &'static [&'static str],
    parameters: &'static [(&'static str, &'static str)],
}

const fn spec(name: &'static str, needs: &'static [&'static str]) -> Spec {
    Spec { name, needs, parameters: &[] }
}

const MODULES: [Spec; 11] = [
    Spec { name: "scst", needs: &[], parameters: &[("auto_cm_assignment", "Y"), ("forcibly_close_sessions", "N")] },
    spec("scst_vdisk", &["scst"]),
    spec("scst_disk", &["scst"]),
    Spec { name: "qla2xxx_scst", needs: &[], parameters: &[("qlini_mode", "exclusive")] },
    Spec { name: "qla2x00tgt", needs: &["scst"], parameters: &[("ports", "")] },
    spec("scst_local", &["scst"]),
    spec("iscsi_scst", &["scst"]),
    spec("ib_srpt", &["scst"]),
    spec("fcst", &["scst"]),
    spec("scsi_debug", &[]),
    spec("sd_mod", &[]),
];

/// The target driver a module brings.
fn driver_of(module: &str) -> Option<&'static str> {
    Some(match module {
        "qla2x00tgt" => fc_host::DRIVER,
        "scst_local" => "scst_local",
        "iscsi_scst" => "iscsi",
        "ib_srpt" => "ib_srpt",
        "fcst" => "fcst",
        _ => return None,
    })
}

/// The disk that the kernel's SCSI test driver makes.
const SCSI_DEBUG_DISK: &str = "2:0:0:0";

impl Machine {
    /// Whether the model has a module of this name, spelled with `_`.
    pub fn knows_module(name: &str) -> bool {
        MODULES.iter().any(|spec| spec.name == name)
    }

    /// Loads a module (`scst`, `scst_vdisk`, `qla2x00tgt`, ...) with its arguments; dependencies as modprobe loads them.
    /// Names may be written with `-` or `_`. A loaded module stays as it is. ENOTSUP for a module the model does not know.
    pub fn modprobe(&mut self, module: &str, args: &str) -> Result<(), Errno> {
        let name = module.replace('-', "_");
        let Some(spec) = MODULES.iter().find(|spec| spec.name == name) else {
            self.note_unknown(b"module", &format!("modprobe {module}"));
            return Err(Errno::ENOTSUP);
        };
        if self.modules.contains_key(spec.name) {
            return Ok(());
        }
        for needed in spec.needs {
            self.modprobe(needed, "")?;
        }
        if spec.name == "qla2x00tgt" && !self.fc_ports.is_empty() {
            self.modprobe("qla2xxx_scst", "")?;
        }
        let given = |name: &str| {
            let pairs = args.split_whitespace().filter_map(|arg| arg.split_once('='));
            pairs.rev().find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
        };
        let value = |name: &str, default: &str| match (given(name), default) {
            (Some(value), "Y" | "N") => if value.starts_with(['1', 'y', 'Y']) { "Y" } else { "N" }.to_owned(),
            (value, _) => value.unwrap_or_else(|| default.to_owned()),
        };
        let parameters = spec.parameters.iter().map(|(name, default)| (*name, value(name, default))).collect();
        let module = Module { id: self.new_id(), parameters };
        self.modules.insert(spec.name, module);
        self.start(spec.name);
        Ok(())
    }

    fn start(&mut self, module: &'static str) {
        match module {
            "scst" => self.start_scst(),
            "scst_vdisk" => handler::VDISK.iter().for_each(|(name, _)| self.register_handler(name)),
            "scst_disk" => handler::PASS_THROUGH.iter().for_each(|name| self.register_handler(name)),
            "scsi_debug" => self.plug_scsi_disk(SCSI_DEBUG_DISK),
            _ => {
                if let Some(driver) = driver_of(module) {
                    self.start_driver(module, driver);
                }
            }
        }
    }

    fn start_scst(&mut self) {
        let yes = |name: &str| {
            self.modules.get("scst").and_then(|m| m.parameters.get(name)).is_some_and(|value| value == "Y")
        };
        let (auto_cm_assignment, forcibly_close_sessions) = (yes("auto_cm_assignment"), yes("forcibly_close_sessions"));
        let id = self.new_id();
        self.scst = Scst { loaded: true, id, auto_cm_assignment, forcibly_close_sessions, ..Scst::absent() };
        self.queue.forget_results();
        self.start_copy_manager();
        self.list_scsi_disks();
    }

    /// `qla2x00t` without any Fibre Channel port in the machine is the stand-in made of `scst_local`.
    fn start_driver(&mut self, module: &str, driver: &'static str) {
        let (flavour, own): (_, &[&str]) = match module {
            "iscsi_scst" => (Flavour::Iscsi, &["d_read", "d_write", "conn", "conn_dbg", "iov", "pdu", "net_page"]),
            "qla2x00tgt" if self.fc_ports.is_empty() => (Flavour::Local, &[]),
            "scst_local" => (Flavour::Local, &[]),
            _ => (Flavour::Hardware, &[]),
        };
        let can_disable = module != "scst_local";
        let id = self.register_driver(driver, flavour, can_disable, Trace::new(own));
        if flavour == Flavour::Hardware {
            self.add_hardware_targets(id);
        } else if let Some(ports) = self.modules.get(module).and_then(|module| module.parameters.get("ports").cloned())
        {
            self.add_stand_in_ports(id, &ports);
        }
    }

    /// Unloads a module. ENOENT if it is not loaded, EBUSY while another needs it; ENOTSUP with commands of initiators in
    /// flight or unfinished writes, which would make the kernel hang.
    pub fn rmmod(&mut self, module: &str) -> Result<(), Errno> {
        let name = module.replace('-', "_");
        let Some(spec) = MODULES.iter().find(|spec| spec.name == name && self.modules.contains_key(spec.name)) else {
            return Err(Errno::ENOENT);
        };
        let loaded = |other: &&Spec| self.modules.contains_key(other.name);
        let needed = MODULES.iter().filter(loaded).any(|other| other.needs.contains(&spec.name));
        let under_fc = spec.name == "qla2xxx_scst" && self.modules.contains_key("qla2x00tgt");
        let mut daemons = self.scst.drivers.iter().filter_map(|d| d.iscsi.as_ref());
        let held = spec.name == "iscsi_scst" && daemons.any(IscsiDriver::is_held);
        if needed || under_fc || held {
            return Err(Errno::EBUSY);
        }
        let stuck = self.scst.devices.values().any(|d| d.stuck);
        if self.queue.is_busy()
            || self.asked.is_busy()
            || self.has_io_in_flight()
            || (stuck && spec.name == "scst_vdisk")
        {
            self.note_unknown(b"module", &format!("rmmod {module} with work in progress"));
            return Err(Errno::ENOTSUP);
        }
        self.stop(spec.name);
        self.modules.remove(spec.name);
        Ok(())
    }

    fn stop(&mut self, module: &str) {
        match module {
            "scst" => {
                let groups: Vec<_> = self.scst.groups.keys().copied().collect();
                for group in groups {
                    self.delete_group(group);
                }
                self.scst = Scst::absent();
            }
            "scst_vdisk" => {
                let of_vdisk = |(id, d): (&DevId, &super::state::Device)| d.vdisk.as_ref().map(|_| *id);
                let devices: Vec<DevId> = self.scst.devices.iter().filter_map(of_vdisk).collect();
                for device in devices {
                    let outcome = self.remove_device(device);
                    self.in_background(outcome);
                }
                self.scst.handlers.retain(|h| handler::vdisk_kind(h.name).is_none());
            }
            "scst_disk" => {
                for device in self.scst.devices.values_mut().filter(|d| d.vdisk.is_none()) {
                    device.handler = None;
                    device.linked = false;
                    device.max_tgt_dev_commands = 0;
                }
                self.scst.handlers.retain(|h| handler::vdisk_kind(h.name).is_some());
            }
            "scsi_debug" => self.unplug_scsi_disk(SCSI_DEBUG_DISK),
            _ => {
                if let Some(driver) = driver_of(module) {
                    self.unregister_driver(driver);
                }
            }
        }
    }

    pub(super) fn unregister_driver(&mut self, name: &str) {
        let targets: Vec<TgtId> =
            self.scst.driver(name.as_bytes()).map(|d| d.targets.values().copied().collect()).unwrap_or_default();
        for target in targets {
            self.delete_target(target);
        }
        self.scst.drivers.retain(|d| d.name != name);
    }

    pub(super) fn module_parameters(&self, module: &str) -> Vec<AttrSpec> {
        self.modules.get(module).map(|m| m.parameters.keys().map(|name| (*name, RO)).collect()).unwrap_or_default()
    }

    pub(super) fn show_module_parameter(&self, module: &str, name: &str) -> Result<Vec<u8>, Errno> {
        let value = self.modules.get(module).and_then(|m| m.parameters.get(name)).ok_or(Errno::ENOENT)?;
        Ok(format!("{value}\n").into_bytes())
    }
}
