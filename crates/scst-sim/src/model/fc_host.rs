//! Fibre Channel ports of the machine: `class/fc_host/host<N>`, and the target ports that come with them.

use super::machine::Machine;
use super::state::{DrvId, Flavour, PortKind};
use super::tree::{AttrSpec, RO, WO};
use super::{Errno, FcPort};

pub(super) const ATTRIBUTES: [AttrSpec; 8] = [
    ("issue_lip", WO),
    ("node_name", RO),
    ("port_name", RO),
    ("port_state", RO),
    ("port_type", RO),
    ("speed", RO),
    ("supported_speeds", RO),
    ("symbolic_name", RO),
];

/// The driver of target-capable ports.
pub(super) const DRIVER: &str = "qla2x00t";

const STAND_IN_SPEED: &str = "8 Gbit";

/// A world wide name as `fc_host` writes it.
fn hexadecimal(name: &str) -> String {
    format!("0x{}\n", name.replace(':', ""))
}

impl Machine {
    /// Puts a port into the machine. A target-capable one is a port of `qla2x00t` as soon as that driver is loaded.
    pub fn plug(&mut self, port: FcPort) {
        self.fc_ports.retain(|p| p.host != port.host && p.wwpn != port.wwpn);
        let driver = self.scst.drivers.iter_mut().find(|d| d.name == DRIVER);
        let driver = driver.map(|d| {
            d.flavour = Flavour::Hardware;
            d.id
        });
        if let Some(driver) = driver {
            self.add_fc_target(driver, &port);
        }
        self.fc_ports.push(port);
        self.fc_ports.sort_by_key(|p| p.host);
    }

    /// Takes the port out; its target goes as with `del_target`.
    pub fn unplug(&mut self, wwpn: &str) {
        self.fc_ports.retain(|p| p.wwpn != wwpn);
        if let Some(target) = self.find_target(DRIVER, wwpn) {
            self.delete_target(target);
            self.run();
        }
    }

    /// A hardware port of another driver (`ib_srpt`, `fcst`) with that name comes into the machine.
    pub fn plug_target(&mut self, driver: &str, name: &str) {
        let port = (driver.to_owned(), name.as_bytes().to_vec());
        if !self.other_ports.contains(&port) {
            self.other_ports.push(port);
        }
        if let Some(driver) = self.scst.driver(driver.as_bytes()).map(|d| d.id) {
            self.add_other_targets(driver);
        }
    }

    /// The ports that are there when a hardware driver is loaded.
    pub(super) fn add_hardware_targets(&mut self, driver: DrvId) {
        if self.scst.driver_by_id(driver).is_some_and(|d| d.name == DRIVER) {
            for port in self.fc_ports.clone() {
                self.add_fc_target(driver, &port);
            }
        }
        self.add_other_targets(driver);
    }

    fn add_fc_target(&mut self, driver: DrvId, port: &FcPort) {
        if port.target_capable {
            let kind = PortKind::Fc {
                host: port.host,
                node_name: port.wwnn.clone(),
                gen32: port.gen32,
                explicit_confirmation: false,
            };
            // A port of that name which is there already stays.
            let _target = self.create_target(driver, port.wwpn.as_bytes(), kind);
        }
    }

    fn add_other_targets(&mut self, driver: DrvId) {
        let Some(name) = self.scst.driver_by_id(driver).map(|d| d.name) else { return };
        for (of, port) in self.other_ports.clone() {
            if of == name {
                // A port of that name which is there already stays.
                let _target = self.create_target(driver, &port, PortKind::Plain);
            }
        }
    }

    /// Changes the text of a port's `port_state`, such as `Online` or `Linkdown`.
    pub fn set_port_state(&mut self, wwpn: &str, state: &str) {
        if let Some(port) = self.fc_ports.iter_mut().find(|p| p.wwpn == wwpn) {
            state.clone_into(&mut port.state);
        }
    }

    /// The Fibre Channel host of a port that the stand-in made.
    pub(super) fn add_stand_in_host(&mut self, host: u32, name: &str) {
        self.fc_ports.push(FcPort {
            host,
            wwpn: name.to_owned(),
            wwnn: name.to_owned(),
            state: "Online".to_owned(),
            speed: STAND_IN_SPEED.to_owned(),
            target_capable: false,
            gen32: false,
        });
    }

    /// The link of a port that the stand-in made comes up or goes down.
    pub(super) fn set_stand_in_link(&mut self, name: &[u8], up: bool) {
        let (state, speed) = if up { ("Online", STAND_IN_SPEED) } else { ("Linkdown", "unknown") };
        if let Some(port) = self.fc_ports.iter_mut().find(|port| port.wwpn.as_bytes() == name) {
            state.clone_into(&mut port.state);
            speed.clone_into(&mut port.speed);
        }
    }

    /// How often `issue_lip` of a host was written.
    pub fn lips(&self, host: u32) -> u32 {
        self.lips.get(&host).copied().unwrap_or(0)
    }

    pub(super) fn show_fc_host(&self, host: u32, attr: &str) -> Result<Vec<u8>, Errno> {
        let port = self.fc_ports.iter().find(|p| p.host == host).ok_or(Errno::ENOENT)?;
        Ok(match attr {
            "node_name" => hexadecimal(&port.wwnn),
            "port_name" => hexadecimal(&port.wwpn),
            "port_state" => format!("{}\n", port.state),
            "port_type" => "NPort (fabric via point-to-point)\n".to_owned(),
            "speed" => format!("{}\n", port.speed),
            "supported_speeds" if port.gen32 => "8 Gbit, 16 Gbit, 32 Gbit\n".to_owned(),
            "supported_speeds" => "4 Gbit, 8 Gbit, 16 Gbit\n".to_owned(),
            "symbolic_name" => format!("simulated port {}\n", port.wwpn),
            _ => return Err(Errno::ENOENT),
        }
        .into_bytes())
    }

    pub(super) fn store_fc_host(&mut self, host: u32, attr: &str) -> Result<(), Errno> {
        if attr != "issue_lip" {
            return Err(Errno::ENOTSUP);
        }
        *self.lips.entry(host).or_default() += 1;
        Ok(())
    }
}
