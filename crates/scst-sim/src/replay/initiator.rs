//! Commands that a logged-in host sends to a LUN, in the foreground and in the background.

use std::time::Duration;

use super::player::{Misfit, PATIENCE, Player, name_of};
use super::recording::Env;
use super::surface::Surface;
use crate::model::{Errno, Machine, ScsiCommand};

/// How recordings say RESERVATION CONFLICT.
pub(super) const CONFLICT: &str = "status 18 host 00";

/// And CHECK CONDITION.
pub(super) fn check((key, code, qualifier): (u8, u8, u8)) -> String {
    format!("check {key:x}/{code:02x}/{qualifier:02x}")
}

impl<S: Surface> Player<S> {
    /// Asks the machine about the LUN of a step: driver, target, initiator, number.
    pub(super) fn at_lun<T>(
        &mut self,
        env: &Env,
        ask: impl FnOnce(&mut Machine, &str, &str, &str, u32) -> T,
    ) -> Result<T, Misfit> {
        let lun = env.lun.as_deref().unwrap_or_default();
        let parts = || {
            let (port, rest) = lun.split_once(' ')?;
            let (initiator, number) = rest.rsplit_once(' ')?;
            let (driver, target) = port.split_once('/')?;
            Some((driver, target, initiator, number.parse().ok()?))
        };
        let (driver, target, initiator, number) =
            parts().ok_or_else(|| Misfit::new("DRIVER/TARGET INITIATOR LUN", lun))?;
        Ok(self.surface.machine(|machine| ask(machine, driver, target, initiator, number)))
    }

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
        Ok(match self.answered(io, within) {
            Some(reply) => {
                self.commands.insert(id, None);
                reply
            }
            None => "STILL_WAITING".to_owned(),
        })
    }

    /// A command whose answer is waited for.
    pub(super) fn scsi(&mut self, env: &Env, wanted: &str) -> Result<String, Misfit> {
        let command = env.cmd.as_deref().unwrap_or_default();
        // What these answer is not modelled, and they change nothing.
        if matches!(command.split_whitespace().next(), Some("vpd" | "inq5")) {
            return Ok(wanted.to_owned());
        }
        let io = match self.send(env)? {
            Ok(io) => io,
            Err(errno) => return Ok(name_of(errno)),
        };
        Ok(self.answered(io, PATIENCE).unwrap_or_else(|| "no answer".to_owned()))
    }

    fn send(&mut self, env: &Env) -> Result<Result<u64, Errno>, Misfit> {
        let command = match (&env.cmd, &env.kind, env.lba) {
            (Some(command), ..) => command.clone(),
            (None, Some(kind), Some(lba)) => format!("{kind} {lba}"),
            (None, None, _) if env.what == "mode_cache" => "caching".to_owned(),
            (None, kind, _) => kind.clone().unwrap_or_default(),
        };
        let command: ScsiCommand =
            command.parse().map_err(|problem: String| Misfit::new("a command this player knows", problem))?;
        self.at_lun(env, |machine, driver, target, initiator, number| {
            machine.start_command(driver, target, initiator, number, command, Some(Duration::ZERO))
        })
    }

    /// The disks that the host has found, by LUN, with the product each of them is.
    pub(super) fn disks(&mut self, env: &Env) -> Result<String, Misfit> {
        let port = env.tgt.as_deref().unwrap_or_default();
        let session = env.ini.as_deref().unwrap_or_default();
        let (driver, target) = port.split_once('/').ok_or_else(|| Misfit::new("DRIVER/TARGET", port))?;
        let found = self.surface.machine(|machine| machine.found_disks(driver, target, session));
        Ok(found.map_or_else(name_of, |found| {
            format!("{:?}", found.iter().map(|(lun, product)| format!("{lun} {product}")).collect::<Vec<_>>())
        }))
    }

    /// The size of the disk that the host made of a LUN, as the host knows it.
    pub(super) fn initiator_sectors(&mut self, env: &Env) -> Result<String, Misfit> {
        let sectors = self.at_lun(env, Machine::disk_sectors)?;
        Ok(sectors.map_or_else(name_of, |sectors| sectors.to_string()))
    }

    /// The host reads the size of a disk again.
    pub(super) fn initiator_rescan(&mut self, env: &Env) -> Result<Result<(), Errno>, Misfit> {
        self.at_lun(env, Machine::rescan_disk)
    }

    /// Lets up to `within` pass until the command is answered.
    fn answered(&mut self, io: u64, within: Duration) -> Option<String> {
        let limit = self.surface.machine(|machine| machine.now()) + within;
        loop {
            self.surface.pass(Duration::ZERO);
            let reply = self.reply(io);
            if reply.is_some() {
                return reply;
            }
            if !self.surface.pass_to_next_event(limit) {
                let now = self.surface.machine(|machine| machine.now());
                self.surface.pass(limit.saturating_sub(now));
                return self.reply(io);
            }
        }
    }

    fn reply(&mut self, io: u64) -> Option<String> {
        self.surface.machine(|machine| machine.reply(io).map(ToString::to_string))
    }
}
