//! Commands of initiators: in flight, held back by a block, put off while activity is suspended.

use std::collections::BTreeMap;
use std::time::Duration;

use super::backing::Opened;
use super::machine::Machine;
use super::scsi::{Admission, ScsiCommand, ScsiReply};
use super::state::{DevId, SessId};
use super::{Errno, Health, HostFile};

/// After that time a command is looked at again that came while its target group was between two states.
const LATER: Duration = Duration::from_millis(500);

/// A command of an initiator that has not been answered.
#[derive(Debug, Clone)]
struct Io {
    session: SessId,
    lun: u64,
    device: DevId,
    command: ScsiCommand,
    takes: Option<Duration>,
    stage: Stage,
    /// The file or disk it was sent to.
    store: Option<Opened>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Came while activity was suspended; not counted yet.
    PutOff,
    /// Counted, but its device is blocked.
    Held,
    /// It is looked at again at that time, because its target group was between two states.
    Later(Duration),
    /// The disk works on it; until when, if that is known.
    Running(Option<Duration>),
}

/// All commands of initiators.
#[derive(Debug, Clone, Default)]
pub(super) struct Ios {
    next: u64,
    all: BTreeMap<u64, Io>,
    replies: BTreeMap<u64, ScsiReply>,
}

impl Machine {
    /// A session reads the first block of a LUN whose disk needs `takes` (`None`: until [`Machine::finish_io`]). Answers an
    /// id. ENODEV without such a session, ENXIO without such a LUN.
    pub fn start_io(
        &mut self,
        driver: &str,
        target: &str,
        session: &str,
        lun: u32,
        takes: Option<Duration>,
    ) -> Result<u64, Errno> {
        self.start_command(driver, target, session, lun, ScsiCommand::Read(0), takes)
    }

    /// The same with any command. A command that its LUN answers without the disk takes no time.
    pub fn start_command(
        &mut self,
        driver: &str,
        target: &str,
        session: &str,
        lun: u32,
        command: ScsiCommand,
        takes: Option<Duration>,
    ) -> Result<u64, Errno> {
        let session = self.find_session(driver, target, session).ok_or(Errno::ENODEV)?;
        let lun = u64::from(lun);
        let seen = self.scst.sessions.get(&session).and_then(|s| s.luns.get(&lun)).ok_or(Errno::ENXIO)?;
        let device = seen.device;
        let id = self.ios.next;
        self.ios.next += 1;
        self.ios.all.insert(id, Io { session, lun, device, command, takes, stage: Stage::PutOff, store: None });
        self.release_held_io();
        Ok(id)
    }

    /// The answer to a command, if it has one.
    pub fn reply(&self, io: u64) -> Option<&ScsiReply> {
        self.ios.replies.get(&io)
    }

    /// Ends a command whose time was left open.
    pub fn finish_io(&mut self, io: u64) {
        if let Some(io) = self.ios.all.get_mut(&io) {
            io.takes = Some(Duration::ZERO);
            if let Stage::Running(ends) = &mut io.stage {
                *ends = Some(self.now);
            }
        }
        self.end_due_io();
        self.run();
    }

    /// The command has been answered to the initiator.
    pub fn io_done(&self, io: u64) -> bool {
        !self.ios.all.contains_key(&io)
    }

    /// Commands that nothing holds back any more go to their LUNs.
    pub(super) fn release_held_io(&mut self) {
        let suspended = self.scst.root.suspended > 0 || self.queue.suspending();
        for io in self.ios.all.values_mut() {
            if io.stage == Stage::PutOff && !suspended {
                io.stage = Stage::Held;
            }
        }
        let blocked = |io: &Io| self.scst.devices.get(&io.device).is_some_and(|d| d.blocking.count > 0);
        let free = |(_, io): &(&u64, &Io)| io.stage == Stage::Held && !blocked(io);
        let free: Vec<u64> = self.ios.all.iter().filter(free).map(|(id, _)| *id).collect();
        for id in free {
            self.reach_lun(id, false);
        }
    }

    /// A command reaches its LUN. `again` if it was put off once.
    fn reach_lun(&mut self, id: u64, again: bool) {
        let Some(Io { session, lun, device, command, takes, .. }) = self.ios.all.get(&id).cloned() else { return };
        let now = self.now;
        let admission = self.admit((session, lun, device), command, again);
        let Some(io) = self.ios.all.get_mut(&id) else { return };
        match admission {
            Admission::Later => io.stage = Stage::Later(now + LATER),
            Admission::Store => {
                let vdisk = self.scst.devices.get(&device).and_then(|d| d.vdisk.as_ref());
                io.store = vdisk.and_then(|vdisk| vdisk.open.clone());
                io.stage = Stage::Running(takes.map(|takes| now + takes));
            }
            Admission::Reply(reply) => self.end_io(id, reply),
        }
    }

    /// Answers the commands whose time has come.
    pub(super) fn end_due_io(&mut self) {
        let now = self.now;
        let due = |io: &Io| match io.stage {
            Stage::Later(until) => until <= now,
            Stage::Running(Some(ends)) => ends <= now && !self.hangs(io),
            _ => false,
        };
        let due: Vec<u64> = self.ios.all.iter().filter(|(_, io)| due(io)).map(|(id, _)| *id).collect();
        for id in due {
            let Some(io) = self.ios.all.get(&id) else { continue };
            if matches!(io.stage, Stage::Later(_)) {
                self.reach_lun(id, true);
            } else {
                let reply = self.reply_of_store(io.device, io.command, self.store_now(io).as_ref());
                self.end_io(id, reply);
            }
        }
    }

    fn end_io(&mut self, id: u64, reply: ScsiReply) {
        let Some(io) = self.ios.all.remove(&id) else { return };
        self.ios.replies.insert(id, reply);
        if !self.has_running_io(io.device) {
            self.settle_block(io.device);
        }
        if self.scst.sessions.get(&io.session).is_some_and(|s| s.closing) {
            self.close_session(io.session);
        }
    }

    /// The commands of a session that ends: those that no store works on are aborted, without an answer.
    pub(super) fn abort_io(&mut self, session: SessId) {
        let waits = |_: &u64, io: &mut Io| io.session == session && !matches!(io.stage, Stage::Running(_));
        for (_, io) in self.ios.all.extract_if(.., waits).collect::<Vec<_>>() {
            if !self.has_running_io(io.device) {
                self.settle_block(io.device);
            }
        }
    }

    /// The store a command was sent to, as it is now.
    fn store_now(&self, io: &Io) -> Option<HostFile> {
        let store = io.store.as_ref()?;
        Some(self.host.opened(&store.path, &store.file.identity).unwrap_or_else(|| store.file.clone()))
    }

    /// The store a command was sent to answers nothing for now.
    fn hangs(&self, io: &Io) -> bool {
        self.store_now(io).is_some_and(|file| file.health == Health::Hanging)
    }

    /// When the next command is answered.
    pub(super) fn next_io_event(&self) -> Option<Duration> {
        let ends = |io: &Io| match io.stage {
            Stage::Later(until) => Some(until),
            // What is overdue waits for its store, and nobody knows how long.
            Stage::Running(Some(ends)) if ends > self.now || !self.hangs(io) => Some(ends),
            _ => None,
        };
        self.ios.all.values().filter_map(ends).min()
    }

    /// A disk works on a command of the device.
    pub(super) fn has_running_io(&self, device: DevId) -> bool {
        self.ios.all.values().any(|io| io.device == device && matches!(io.stage, Stage::Running(_) | Stage::Later(_)))
    }

    /// A command of any initiator is counted, running or held back by a block.
    pub(super) fn has_io_in_flight(&self) -> bool {
        self.ios.all.values().any(|io| io.stage != Stage::PutOff)
    }

    /// The commands of a device.
    pub(super) fn io_of_device(&self, device: DevId) -> impl Iterator<Item = u64> {
        self.ios.all.iter().filter(move |(_, io)| io.device == device).map(|(id, _)| *id)
    }

    /// The commands of one LUN of a session, or of all.
    pub(super) fn io_of(&self, session: SessId, lun: Option<u64>) -> Vec<u64> {
        let wanted = |io: &Io| io.session == session && lun.is_none_or(|lun| io.lun == lun);
        self.ios.all.iter().filter(|(_, io)| wanted(io)).map(|(id, _)| *id).collect()
    }
}
