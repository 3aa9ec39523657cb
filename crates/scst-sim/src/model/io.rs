//! Commands of initiators: in flight, held back by a block, put off while activity is suspended.

use std::collections::BTreeMap;
use std::time::Duration;

use super::backing::Opened;
use super::machine::Machine;
use super::state::{DevId, SessId};
use super::{Errno, Health};

/// A command of an initiator that has not been answered.
#[derive(Debug, Clone)]
struct Io {
    session: SessId,
    lun: u64,
    device: DevId,
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
    /// The disk works on it; until when, if that is known.
    Running(Option<Duration>),
}

/// All commands of initiators.
#[derive(Debug, Default)]
pub(super) struct Ios {
    next: u64,
    all: BTreeMap<u64, Io>,
}

impl Machine {
    /// A session sends one command to a LUN whose disk needs `takes` (`None`: until [`Machine::finish_io`]). Answers an id.
    /// ENODEV without such a session, ENXIO without such a LUN.
    pub fn start_io(
        &mut self,
        driver: &str,
        target: &str,
        session: &str,
        lun: u32,
        takes: Option<Duration>,
    ) -> Result<u64, Errno> {
        let session = self.find_session(driver, target, session).ok_or(Errno::ENODEV)?;
        let lun = u64::from(lun);
        let seen = self.scst.sessions.get(&session).and_then(|s| s.luns.get(&lun)).ok_or(Errno::ENXIO)?;
        let device = seen.device;
        let id = self.ios.next;
        self.ios.next += 1;
        self.ios.all.insert(id, Io { session, lun, device, takes, stage: Stage::PutOff, store: None });
        self.release_held_io();
        Ok(id)
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

    /// Commands that nothing holds back any more go to their disks.
    pub(super) fn release_held_io(&mut self) {
        let suspended = self.scst.root.suspended > 0 || self.queue.suspending();
        let now = self.now;
        for io in self.ios.all.values_mut() {
            if io.stage == Stage::PutOff && !suspended {
                io.stage = Stage::Held;
            }
            let device = self.scst.devices.get(&io.device);
            if io.stage == Stage::Held && device.is_none_or(|d| d.blocking.count == 0) {
                io.store = device.and_then(|d| d.vdisk.as_ref()?.open.clone());
                io.stage = Stage::Running(io.takes.map(|takes| now + takes));
            }
        }
    }

    /// Answers the commands whose time has come.
    pub(super) fn end_due_io(&mut self) {
        let now = self.now;
        let due = |io: &Io| matches!(io.stage, Stage::Running(Some(ends)) if ends <= now) && !self.hangs(io);
        let due: Vec<u64> = self.ios.all.iter().filter(|(_, io)| due(io)).map(|(id, _)| *id).collect();
        let ended: Vec<Io> = due.iter().filter_map(|id| self.ios.all.remove(id)).collect();
        for io in ended {
            if !self.has_running_io(io.device) {
                self.settle_block(io.device);
            }
            if self.scst.sessions.get(&io.session).is_some_and(|s| s.closing) {
                self.close_session(io.session);
            }
        }
    }

    /// The store a command was sent to answers nothing for now.
    fn hangs(&self, io: &Io) -> bool {
        let file = io.store.as_ref().and_then(|store| self.host.opened(&store.path, &store.file.identity));
        file.is_some_and(|file| file.health == Health::Hanging)
    }

    /// When the next command is answered.
    pub(super) fn next_io_event(&self) -> Option<Duration> {
        let ends = |io: &Io| if let Stage::Running(ends) = io.stage { ends } else { None };
        // What is overdue waits for its store, and nobody knows how long.
        let known = |io: &&Io| ends(io).is_some_and(|ends| ends > self.now) || !self.hangs(io);
        self.ios.all.values().filter(known).filter_map(ends).min()
    }

    /// A disk works on a command of the device.
    pub(super) fn has_running_io(&self, device: DevId) -> bool {
        self.ios.all.values().any(|io| io.device == device && matches!(io.stage, Stage::Running(_)))
    }

    /// A command of any initiator is counted, running or held back by a block.
    pub(super) fn has_io_in_flight(&self) -> bool {
        self.ios.all.values().any(|io| io.stage != Stage::PutOff)
    }

    /// The commands of one LUN of a session, or of all.
    pub(super) fn io_of(&self, session: SessId, lun: Option<u64>) -> Vec<u64> {
        let wanted = |io: &Io| io.session == session && lun.is_none_or(|lun| io.lun == lun);
        self.ios.all.iter().filter(|(_, io)| wanted(io)).map(|(id, _)| *id).collect()
    }
}
