//! Hosts: initiators that write numbered blocks to what the nodes serve, and remember what was acknowledged.

use std::time::Duration;

use scst_sim::model::{Kind, ScsiCommand, ScsiReply, ScstVersion};

use super::world::{NODES, SCST, World};

/// Blocks of a store that hosts write.
pub(super) const BLOCKS: u64 = 4;

/// A command of a host.
#[derive(Debug, Clone)]
pub(super) struct Command {
    /// The machine's number for it.
    pub(super) id: u64,
    pub(super) group: String,
    device: String,
    /// It does not reach its disk before a block or a suspension ends.
    pub(super) held: bool,
    /// Its disk does not answer it before that ends.
    pub(super) hangs: bool,
    /// The store and the block that it is for; a device without a store has none.
    block: Option<(String, u64)>,
    /// The number it writes; else it reads.
    writes: Option<u64>,
    /// What was acknowledged before it was sent.
    floor: u64,
}

impl World {
    /// The LUNs of a group that the hosts of `esx1` see on a node, each with its device.
    pub(super) fn luns(&self, node: usize, group: &str) -> Vec<(u32, String)> {
        let table = format!("{}/esx1/luns", self.tables(node));
        let prefix = format!("{group}_");
        let seen = self.names(node, &table, Kind::Dir).into_iter().filter_map(|lun| {
            let link = format!("{SCST}/{table}/{lun}/device");
            let device = self.nodes[node].machine.readlink(link.as_bytes()).ok()?;
            let device = String::from_utf8_lossy(&device).rsplit('/').next()?.to_owned();
            Some((lun.parse().ok()?, device))
        });
        seen.filter(|(_, device)| device.starts_with(&prefix)).collect()
    }

    /// A host sends a command to a LUN of a node and takes what its disk answers within a second.
    fn answer(&mut self, node: usize, lun: u32, command: ScsiCommand) -> Option<ScsiReply> {
        let (driver, target, host) = (self.driver(), self.target(node, 0), self.host());
        let (now, machine) = (self.uptime(node), &mut self.nodes[node].machine);
        let id = machine.start_command(driver, &target, host, lun, command, Some(Duration::ZERO)).ok()?;
        machine.advance(now);
        self.nodes[node].machine.reply(id).cloned()
    }

    /// A host is logged in on a node, and has heard what the LUN has to tell. `Some(true)`: its commands are held back.
    pub(super) fn log_in(&mut self, node: usize, lun: u32) -> Option<bool> {
        let session = format!("targets/{}/{}/sessions/{}", self.driver(), self.target(node, 0), self.host());
        if !self.exists(node, &session) && !self.host_enters(node) {
            return None;
        }
        for _ in 0..6 {
            match self.answer(node, lun, ScsiCommand::TestUnitReady) {
                Some(ScsiReply::Check(sense)) if sense.0 == 6 => {}
                answer => return Some(answer.is_none()),
            }
        }
        Some(false)
    }

    /// A host sends a command to a disk of a group, on a node that has it open.
    pub(super) fn host_command(&mut self, node: usize, group: &str, takes: Option<Duration>) {
        let luns = self.luns(node, group);
        if luns.is_empty() {
            return;
        }
        let (lun, device) = self.lot.one_of(&luns).clone();
        let Some(held) = self.log_in(node, lun) else { return };
        let store = self.value(node, &format!("devices/{device}/filename"));
        let block = store.map(|store| (store, self.lot.below(4) as u64));
        let pending = |command: &Command| command.writes.is_some() && command.block == block;
        let busy = self.nodes.iter().any(|node| node.powered && node.commands.iter().any(pending));
        let floor = block.as_ref().and_then(|block| self.acknowledged.get(block)).copied().unwrap_or(0);
        let writes = block.is_some() && !busy && !self.lot.once_in(3);
        // A write that was not acknowledged is sent again.
        let writes = writes.then_some(floor + 1);
        let lba = block.as_ref().map_or(0, |(_, lba)| *lba);
        let command = if writes.is_some() { ScsiCommand::Write(lba) } else { ScsiCommand::Read(lba) };
        if let Some(((store, _), number)) = block.as_ref().zip(writes) {
            let shift = self.shift(store);
            self.nodes[node].disks.contents().sent.insert((node, store.clone(), lba << shift), number);
        }
        let (driver, target, host) = (self.driver(), self.target(node, 0), self.host());
        if let Ok(id) = self.nodes[node].machine.start_command(driver, &target, host, lun, command, takes) {
            let (what, of) = (writes.map_or("reads".to_owned(), |number| format!("writes {number} to")), NODES[node]);
            self.happened(format!("a host {what} block {lba} of {device} on {of}, LUN {lun}, in {takes:?}"));
            let hangs = takes.is_none();
            let command = Command { id, group: group.to_owned(), device, held, hangs, block, writes, floor };
            self.nodes[node].commands.push(command);
            self.count(format!("{} of a host", if writes.is_some() { "write" } else { "read" }));
        }
    }

    /// The bytes of a store's block, as a power of two.
    fn shift(&self, store: &str) -> u32 {
        self.stores.iter().find(|other| other.path == store).map_or(9, |store| store.shift)
    }

    /// Hosts take the answers to their commands.
    pub(super) fn collect(&mut self) {
        for (node, name) in (0..self.nodes.len()).zip(NODES) {
            if self.nodes[node].commands.is_empty() {
                continue;
            }
            let there = &mut self.nodes[node];
            if !there.powered {
                there.commands.clear();
                continue;
            }
            let ended: Vec<Command> =
                there.commands.extract_if(.., |command| there.machine.io_done(command.id)).collect();
            for command in ended {
                let good = matches!(self.nodes[node].machine.reply(command.id), Some(ScsiReply::Good(_)));
                let Some(block) = command.block.filter(|_| good) else { continue };
                if let Some(number) = command.writes {
                    self.happened(format!("{number} in block {} of {} is acknowledged by {}", block.1, block.0, name));
                    let known = self.acknowledged.entry(block).or_default();
                    *known = number.max(*known);
                } else {
                    self.not_older(node, &block, command.floor);
                }
            }
        }
    }

    /// A block reads at least the number that was acknowledged.
    fn not_older(&mut self, node: usize, block: &(String, u64), floor: u64) {
        let found = self.nodes[node].disks.contents().read(node, &block.0, block.1 << self.shift(&block.0));
        // The shell agent leaves files open in standby, and does not write through. Up to 3.7 nobody can close them.
        let stale = (self.shell || self.version == ScstVersion::V3_7) && block.0.starts_with("/srv");
        let ((store, lba), name, excused) = (block, NODES[node], self.split || stale);
        let how = || format!("block {lba} of {store} reads {found} on {name}, and {floor} was acknowledged");
        self.check("no acknowledged write is lost", excused, (found < floor).then(how));
    }

    /// A host reads a LUN of the serving node, and finds all that was acknowledged.
    pub(super) fn readable(&mut self, node: usize, lun: u32, device: &str) {
        let answer =
            if self.log_in(node, lun) == Some(false) { self.answer(node, lun, ScsiCommand::Read(0)) } else { None };
        let good = matches!(answer, Some(ScsiReply::Good(_)));
        let answer = answer.map_or_else(|| "nothing".to_owned(), |answer| answer.to_string());
        let how = format!("at rest a host that reads LUN {lun} ({device}) on {} is told: {answer}", NODES[node]);
        self.check("at rest hosts can read", false, (!good).then_some(how));
        let Some(store) = self.value(node, &format!("devices/{device}/filename")) else { return };
        for lba in 0..BLOCKS {
            let block = (store.clone(), lba);
            let floor = self.acknowledged.get(&block).copied().unwrap_or(0);
            self.not_older(node, &block, floor);
        }
    }

    /// The disks answer what they have not answered.
    pub(super) fn disks_answer(&mut self) {
        for there in &mut self.nodes {
            for command in &mut there.commands {
                command.hangs = false;
                there.machine.finish_io(command.id);
            }
        }
        self.collect();
    }

    /// A device of a node is in a device group.
    pub(super) fn is_member(&self, node: usize, group: &str, device: &str) -> bool {
        self.exists(node, &format!("device_groups/{group}/devices/{device}"))
    }

    /// How many commands the disks of a group are working on. A device that is deleted waits for its commands, and has left the group by
    /// then: it is not configured any more, so no other node serves it, and the disk is often removed because it hangs.
    pub(super) fn in_flight(&mut self, node: usize, group: &str) -> usize {
        self.collect();
        let counts = |command: &&Command| {
            command.group == group && !command.held && self.is_member(node, group, &command.device)
        };
        self.nodes[node].commands.iter().filter(counts).count()
    }
}
