//! Commands that a logged-in host sends to a LUN, in the foreground and in the background.

use std::time::Duration;

use super::player::{Misfit, PATIENCE, Player, name_of};
use super::recording::Env;
use super::surface::Surface;
use crate::model::Errno;

/// How recordings say RESERVATION CONFLICT.
pub(super) const CONFLICT: &str = "status 18 host 00";

/// And CHECK CONDITION.
pub(super) fn check((key, code, qualifier): (u8, u8, u8)) -> String {
    format!("check {key:x}/{code:02x}/{qualifier:02x}")
}

/// Whose LUN a step is about.
pub(super) struct Lun {
    pub(super) driver: String,
    pub(super) target: String,
    pub(super) initiator: String,
    pub(super) number: u32,
}

impl Lun {
    pub(super) fn of(env: &Env) -> Result<Self, Misfit> {
        let lun = env.lun.as_deref().unwrap_or_default();
        let parts = || {
            let (port, rest) = lun.split_once(' ')?;
            let (initiator, number) = rest.rsplit_once(' ')?;
            let (driver, target) = port.split_once('/')?;
            let number = number.parse().ok()?;
            Some(Self { driver: driver.into(), target: target.into(), initiator: initiator.into(), number })
        };
        parts().ok_or_else(|| Misfit::new("DRIVER/TARGET INITIATOR LUN", lun))
    }
}

impl<S: Surface> Player<S> {
    /// A command in the background.
    pub(super) fn io_start(&mut self, env: &Env) -> Result<Result<(), Errno>, Misfit> {
        let id = env.id.clone().unwrap_or_default();
        Ok(match self.send(env)? {
            Ok(io) => {
                self.commands.insert(id, Some(io));
                Ok(())
            }
            Err(errno) => Err(errno),
        })
    }

    /// The answer to a command in the background, if it comes in time. A recorder asks for it once.
    pub(super) fn io_wait(&mut self, env: &Env, wanted: &str) -> Result<String, Misfit> {
        let id = env.id.clone().unwrap_or_default();
        let Some(&command) = self.commands.get(&id) else {
            return Err(Misfit::new(wanted, "no command of that name"));
        };
        let Some(io) = command else { return Ok("already over".to_owned()) };
        let within = Duration::from_secs_f64(env.within.unwrap_or_default());
        if !self.answered(io, within) {
            return Ok("STILL_WAITING".to_owned());
        }
        self.commands.insert(id, None);
        Ok("good".to_owned())
    }

    /// A command whose answer is waited for.
    pub(super) fn scsi(&mut self, env: &Env, wanted: &str) -> Result<String, Misfit> {
        let command = env.cmd.as_deref().unwrap_or_default();
        let (reads, writes) = match command.split_whitespace().next() {
            Some("tur") => (false, false),
            Some("read") => (true, false),
            Some("write" | "sync") => (true, true),
            // What these answer is not modelled, and they change nothing.
            Some("vpd" | "inq5") => return Ok(wanted.to_owned()),
            _ => return Err(Misfit::new("a command this player knows", command)),
        };
        let Lun { driver, target, initiator, number } = Lun::of(env)?;
        let attention =
            self.surface.machine(|machine| machine.take_reservation_attention(&driver, &target, &initiator, number));
        let refused = self
            .surface
            .machine(|machine| machine.is_reserved_against(&driver, &target, &initiator, number, writes))
            .map(|refused| refused && reads);
        match (attention, refused) {
            (Err(errno), _) | (_, Err(errno)) => return Ok(name_of(errno)),
            (Ok(Some((code, qualifier))), _) => return Ok(check((6, code, qualifier))),
            (_, Ok(true)) => return Ok(CONFLICT.to_owned()),
            _ => {}
        }
        let io = match self.send(env)? {
            Ok(io) => io,
            Err(errno) => return Ok(name_of(errno)),
        };
        Ok(if self.answered(io, PATIENCE) { "good" } else { "no answer" }.to_owned())
    }

    fn send(&mut self, env: &Env) -> Result<Result<u64, Errno>, Misfit> {
        let Lun { driver, target, initiator, number } = Lun::of(env)?;
        Ok(self.surface.machine(|machine| machine.start_io(&driver, &target, &initiator, number, Some(Duration::ZERO))))
    }

    /// Lets up to `within` pass until the command is answered.
    fn answered(&mut self, io: u64, within: Duration) -> bool {
        let limit = self.surface.machine(|machine| machine.now()) + within;
        loop {
            self.surface.pass(Duration::ZERO);
            if self.surface.machine(|machine| machine.io_done(io)) {
                return true;
            }
            if !self.surface.pass_to_next_event(limit) {
                let now = self.surface.machine(|machine| machine.now());
                self.surface.pass(limit.saturating_sub(now));
                return self.surface.machine(|machine| machine.io_done(io));
            }
        }
    }
}
