//! Hosts: initiators that send commands to what the nodes serve.

use std::time::Duration;

use scst_sim::model::Kind;

use super::world::{HOST, SCST, World, port};

/// A command of a host.
#[derive(Debug, Clone)]
pub(super) struct Command {
    /// The machine's number for it.
    pub(super) id: u64,
    pub(super) group: String,
    /// It met a blocked device, which holds it back.
    pub(super) held: bool,
    /// Its disk does not answer it before that ends.
    pub(super) hangs: bool,
}

impl World {
    /// A host sends a command to a disk of a group, on a node that has it open.
    pub(super) fn host_command(&mut self, node: usize, group: &str, takes: Option<Duration>) {
        let target = port(node, 0);
        let machine = &mut self.nodes[node].machine;
        let sessions = format!("{SCST}/targets/qla2x00t/{target}/sessions/{HOST}");
        if machine.lookup(sessions.as_bytes()).is_err() && machine.login("qla2x00t", &target, HOST).is_err() {
            return;
        }
        let table = format!("targets/qla2x00t/{target}/ini_groups/esx1/luns");
        let prefix = format!("{group}_");
        for lun in self.names(node, &table, Kind::Dir) {
            let link = format!("{SCST}/{table}/{lun}/device");
            let device = self.nodes[node].machine.readlink(link.as_bytes()).unwrap_or_default();
            let device = String::from_utf8_lossy(&device).rsplit('/').next().unwrap_or_default().to_owned();
            let Ok(number) = lun.parse() else { continue };
            if !device.starts_with(&prefix) {
                continue;
            }
            let held =
                self.value(node, &format!("devices/{device}/block")).is_some_and(|block| !block.starts_with("0 "));
            if let Ok(id) = self.nodes[node].machine.start_io("qla2x00t", &target, HOST, number, takes) {
                let command = Command { id, group: group.to_owned(), held, hangs: takes.is_none() };
                self.nodes[node].commands.push(command);
                self.count("command of a host".to_owned());
            }
            return;
        }
    }

    /// The disks answer what they have not answered.
    pub(super) fn disks_answer(&mut self) {
        for node in 0..self.nodes.len() {
            for command in std::mem::take(&mut self.nodes[node].commands) {
                self.nodes[node].machine.finish_io(command.id);
            }
        }
    }

    /// The commands that the disks of a group are working on.
    pub(super) fn in_flight(&mut self, node: usize, group: &str) -> usize {
        let there = &mut self.nodes[node];
        there.commands.retain(|command| !there.machine.io_done(command.id));
        there.commands.iter().filter(|command| command.group == group && !command.held).count()
    }
}
