//! The thread behind a mount: waits for requests, for the machine's time and for changes made from outside.

use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::time::TimeSpec;

use super::core::{Answer, Core};
use crate::fuse::device::{Connection, buffer};
use crate::fuse::wire;
use crate::model::Errno;
use crate::served::Setup;

/// What the thread and its callers share.
pub(crate) struct Server {
    core: Mutex<Core>,
    /// Somebody changed the machine, or wants the thread to end.
    changed: EventFd,
    stopping: AtomicBool,
    /// Readable once the mount is gone.
    ended: EventFd,
}

impl Server {
    pub(crate) fn new(setup: Setup) -> Result<Self, Errno> {
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        Ok(Self {
            core: Mutex::new(Core::new(setup, since_1970.as_secs())),
            changed: EventFd::from_flags(flags)?,
            stopping: AtomicBool::new(false),
            ended: EventFd::from_flags(flags)?,
        })
    }

    /// Does something with everything up to date, and has the thread answer what became of it.
    pub(crate) fn with<R>(&self, change: impl FnOnce(&mut Core) -> R) -> R {
        let mut core = self.core.lock().unwrap_or_else(PoisonError::into_inner);
        core.pump();
        let result = change(&mut core);
        core.pump();
        drop(core);
        self.wake();
        result
    }

    /// Makes the thread end.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.wake();
    }

    fn wake(&self) {
        // A full counter is as readable as one more would make it.
        let _ = self.changed.write(1);
    }

    /// Readable once the mount is gone.
    pub(crate) fn ended(&self) -> &EventFd {
        &self.ended
    }

    /// Serves until the mount is gone or [`Server::stop`].
    pub(crate) fn serve(&self, connection: &Connection) {
        let mut buffer = buffer();
        while !self.stopping.load(Ordering::Acquire) && self.serve_once(connection, &mut buffer).is_ok() {
            self.sleep(connection);
        }
        let _ = self.ended.write(1);
    }

    /// Handles all requests there are. An error is the end of the connection.
    fn serve_once(&self, connection: &Connection, buffer: &mut [u8]) -> Result<(), Errno> {
        while let Some(message) = connection.receive(buffer)? {
            let mut core = self.core.lock().unwrap_or_else(PoisonError::into_inner);
            core.pump();
            let (head, ask) = wire::decode(message).ok_or(Errno::EPROTO)?;
            core.handle(head, ask);
            core.pump();
            let answers = core.take_answers();
            drop(core);
            send(connection, &answers)?;
        }
        let mut core = self.core.lock().unwrap_or_else(PoisonError::into_inner);
        core.pump();
        let answers = core.take_answers();
        drop(core);
        send(connection, &answers)
    }

    fn sleep(&self, connection: &Connection) {
        let idle = self.core.lock().unwrap_or_else(PoisonError::into_inner).idle_time();
        // An event that is due but does not happen must not keep the processor busy.
        let timeout = idle.map(|time| TimeSpec::from(time.max(Duration::from_micros(100))));
        let mut sources =
            [PollFd::new(connection.fd(), PollFlags::POLLIN), PollFd::new(self.changed.as_fd(), PollFlags::POLLIN)];
        // Whatever ends the sleep, EINTR included, the next round finds out what there is to do.
        let _ = ppoll(&mut sources, timeout, None);
        let _ = self.changed.read();
    }
}

fn send(connection: &Connection, answers: &[Answer]) -> Result<(), Errno> {
    answers.iter().try_for_each(|(unique, answer)| connection.answer(*unique, answer))
}
