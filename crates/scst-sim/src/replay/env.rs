//! Steps that happen outside SCST's sysfs: files, loop devices, modules, the iSCSI daemon, commands of an initiator.

use std::time::Duration;

use super::player::{Misfit, PATIENCE, Player, name_of};
use super::recording::{Env, EnvResult};
use super::surface::Surface;
use super::tree::is_scsi_address;
use crate::model::{Errno, FileKind, Host, Machine};

impl<S: Surface> Player<S> {
    /// Carries out an `env` step and compares its result.
    pub(super) fn env(&mut self, env: &Env) -> Result<(), Misfit> {
        if let Some(result) = self.iscsi_step(env) {
            // Whoever waited for the daemon may go on.
            self.surface.pass(Duration::ZERO);
            return result;
        }
        let wanted = match &env.result {
            EnvResult::Word(word) => word.clone(),
            EnvResult::Names(names) => format!("{names:?}"),
            EnvResult::Exit { rc, .. } => format!("exit {rc}"),
        };
        let got = self.env_result(env, &wanted)?;
        if got == wanted { Ok(()) } else { Err(Misfit::new(wanted, got)) }
    }

    fn env_result(&mut self, env: &Env, wanted: &str) -> Result<String, Misfit> {
        let path = env.path.as_deref().unwrap_or_default();
        let device = env.dev.as_deref().unwrap_or_default();
        let args = env.args.as_deref().unwrap_or_default();
        let size = env.size.unwrap_or_default();
        let world = self.world.clone();
        let result = match env.what.as_str() {
            "mkfile" => world.mkfile(path, size),
            "truncate" => world.truncate(path, size),
            "unlink" => world.unlink(path),
            "mkfifo" => world.mkfifo(path),
            "open_fifo_writer" => world.open_fifo_writer(path),
            "rename" => world.rename(env.src.as_deref().unwrap_or_default(), env.dst.as_deref().unwrap_or_default()),
            "dm" => {
                let named = |field: &Option<String>| field.clone().unwrap_or_default();
                world.device_mapper(&named(&env.action), &named(&env.name), &named(&env.table))
            }
            "losetup" => world.losetup(device, path, args),
            "losetup_d" => world.losetup_detach(device),
            "losetup_grow" => world.losetup_grow(device),
            "scstd" => {
                let running = env.start.unwrap_or(true);
                self.surface.machine(|machine| machine.iscsi_daemon(running))
            }
            "ls" => {
                return Ok(world.ls(path).map_or_else(name_of, |names| format!("{names:?}")));
            }
            "modprobe" => {
                return Ok(exit_word(self.modprobe(env.module.as_deref().unwrap_or_default(), args)));
            }
            "rmmod" => {
                return Ok(exit_word(self.rmmod(env.module.as_deref().unwrap_or_default())));
            }
            "pr" => return self.persistent_reserve(env),
            "filesum" => return Ok(self.file_sum(path)),
            "sh" => return self.shell(env.cmd.as_deref().unwrap_or_default()),
            "corosync" => {
                let running = env.on.unwrap_or_default();
                self.surface.machine(|machine| machine.lock_manager(running));
                Ok(())
            }
            "lockspaces" => {
                let names = self.surface.machine(|machine| machine.lockspaces());
                return Ok(format!("{names:?}"));
            }
            "io_start" => self.io_start(env)?,
            "io_wait" => return self.io_wait(env, wanted),
            "scsi" => return self.scsi(env, wanted),
            "opened_exclusively" => return Ok(self.opened_exclusively(path)),
            "reader_start" => self.reader_start(),
            "reader_done" => {
                return Ok(if self.reader_done(wanted == "True") { "True" } else { "False" }.into());
            }
            "reader_rc" => {
                return Ok(if self.reader_done(true) { "0" } else { "not done" }.into());
            }
            unknown => {
                return Err(Misfit::new("an operation this player knows", format!("env \"{unknown}\"")));
            }
        };
        // Files changed: a command waiting for them may go on.
        self.surface.pass(Duration::ZERO);
        Ok(result.map_or_else(name_of, |()| "ok".to_owned()))
    }

    fn modprobe(&mut self, module: &str, args: &str) -> Result<(), Errno> {
        let module = module.replace('-', "_");
        match module.as_str() {
            "null_blk" => self.world.null_blk(args),
            // The initiator's side: the disks it makes of LUNs are not part of this machine.
            "sd_mod" => Ok(()),
            _ => {
                let before = self.scsi_devices();
                self.surface.machine(|machine| machine.modprobe(&module, args))?;
                let plugged = self.scsi_devices().into_iter().find(|name| !before.contains(name));
                if module == "scsi_debug" {
                    self.plugged = plugged;
                }
                Ok(())
            }
        }
    }

    fn rmmod(&mut self, module: &str) -> Result<(), Errno> {
        let module = module.replace('-', "_");
        self.surface.machine(|machine| machine.rmmod(&module))?;
        if module == "scsi_debug" {
            self.plugged = None;
        }
        Ok(())
    }

    fn scsi_devices(&mut self) -> Vec<String> {
        let devices = self.surface.machine(|machine| machine.list(b"kernel/scst_tgt/devices")).unwrap_or_default();
        devices
            .into_iter()
            .map(|(name, _)| String::from_utf8_lossy(&name).into_owned())
            .filter(|name| is_scsi_address(name))
            .collect()
    }

    /// Tries to open a block device with `O_EXCL`, which fails while SCST holds it that way.
    fn opened_exclusively(&mut self, path: &str) -> String {
        let file = match self.world.file(path.as_bytes()) {
            Ok(file) if file.kind == FileKind::Block => file,
            Ok(_) => return name_of(Errno::ENOTBLK),
            Err(errno) => return name_of(errno),
        };
        let held = self.surface.machine(|machine| machine.holds(&file.identity));
        if held { "EBUSY" } else { "free" }.to_owned()
    }

    /// The initiator that is logged in sends one read to its LUN 0.
    fn reader_start(&mut self) -> Result<(), Errno> {
        let takes = self.world.disk_latency();
        let io = self.surface.machine(|machine| {
            let (driver, target, session) = logged_in(machine).ok_or(Errno::ENODEV)?;
            machine.start_io(&driver, &target, &session, 0, Some(takes))
        })?;
        self.readers.push(io);
        Ok(())
    }

    /// Whether the last read has been answered; where it should have been, the recorder had waited for it.
    fn reader_done(&mut self, wait: bool) -> bool {
        let Some(&io) = self.readers.last() else {
            return false;
        };
        let limit = self.surface.machine(|machine| machine.now()) + PATIENCE;
        loop {
            if self.surface.machine(|machine| machine.io_done(io)) {
                return true;
            }
            if !wait || !self.surface.pass_to_next_event(limit) {
                return false;
            }
        }
    }
}

/// Driver, target and session of the first initiator that is logged in.
fn logged_in(machine: &mut Machine) -> Option<(String, String, String)> {
    let names = |machine: &mut Machine, path: &str| -> Vec<String> {
        let entries = machine.list(path.as_bytes()).unwrap_or_default();
        entries.into_iter().map(|(name, _)| String::from_utf8_lossy(&name).into_owned()).collect()
    };
    let top = "kernel/scst_tgt/targets";
    for driver in names(machine, top) {
        for target in names(machine, &format!("{top}/{driver}")) {
            if let Some(session) = names(machine, &format!("{top}/{driver}/{target}/sessions")).into_iter().next() {
                return Some((driver, target, session));
            }
        }
    }
    None
}

/// How a command line tool of the module loader ends.
fn exit_word(result: Result<(), Errno>) -> String {
    result.map_or_else(|_| "rc1".to_owned(), |()| "ok".to_owned())
}
