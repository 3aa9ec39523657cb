//! Steps that happen outside SCST's sysfs: files, loop devices, modules, the iSCSI daemon, commands of an initiator.

use std::time::Duration;

use super::player::{Misfit, PATIENCE, Player, name_of};
use super::recording::Env;
use super::surface::{How, Surface};
use super::tree::{is_scsi_address, read_whole};
use crate::model::{Errno, FileKind, Host, Machine};

impl<S: Surface> Player<S> {
    /// Carries out an `env` step and compares its result.
    pub(super) fn env(&mut self, env: &Env) -> Result<(), Misfit> {
        if let Some(result) = self.iscsi_step(env) {
            // Whoever waited for the daemon may go on.
            self.surface.pass(Duration::ZERO);
            return result;
        }
        let wanted = env.result.to_string();
        let got = self.env_result(env, &wanted)?;
        if got == wanted { Ok(()) } else { Err(Misfit::new(wanted, got)) }
    }

    fn env_result(&mut self, env: &Env, wanted: &str) -> Result<String, Misfit> {
        let path = &self.real(env.path.as_deref().unwrap_or_default());
        let device = env.dev.as_deref().unwrap_or_default();
        let args = env.args.as_deref().unwrap_or_default();
        let size = env.size.unwrap_or_default();
        let environment = self.environment.clone();
        let result = match env.what.as_str() {
            "mkfile" => environment.mkfile(path, size),
            "truncate" => environment.truncate(path, size),
            "unlink" => environment.unlink(path),
            "mkfifo" => environment.mkfifo(path),
            "open_fifo_writer" => environment.open_fifo_writer(path),
            "rename" => {
                environment.rename(env.src.as_deref().unwrap_or_default(), env.dst.as_deref().unwrap_or_default())
            }
            "dm" | "dm_gone" => return Ok(self.device_mapper(env)),
            "losetup" => environment.losetup(device, path, args, self.held_open(device)),
            "losetup_d" => environment.losetup_detach(device, self.held_open(device)),
            "losetup_grow" => environment.losetup_grow(device),
            "drbd_make" => {
                let named = |field: &Option<String>| field.clone().unwrap_or_default();
                environment.drbd_make(&named(&env.res), env.minor.unwrap_or_default(), &named(&env.disk))
            }
            "drbdadm" => {
                let held = environment.drbd_device(args).is_some_and(|path| self.held_open(&path));
                return Ok(environment.drbdadm(args, held));
            }
            "drbd_state" => return Ok(environment.drbd_state(env.minor.unwrap_or_default())),
            "open" => return Ok(self.try_to_open(path, env.flags.as_deref().unwrap_or_default())),
            "sys_bytes" => {
                return Ok(environment.file(path.as_bytes()).map_or_else(name_of, |file| file.size.to_string()));
            }
            "exists" => return Ok(environment.file(path.as_bytes()).is_ok().to_string()),
            "cat" => return Ok(environment.block_limit(path).map_or_else(name_of, |limit| format!("{limit}\n"))),
            "null_blk" => environment.null_blk(args),
            "scsi_debug" => {
                let made = self.modprobe("scsi_debug", args).and_then(|()| environment.scsi_debug(args));
                // Such a recording names the disk, and not its address.
                self.address = self.plugged.take();
                made.map(|name| self.disk = Some(name))
            }
            "sd_delete" => {
                if let Some(address) = self.address.take() {
                    self.surface.machine(|machine| machine.unplug_scsi_disk(&address));
                }
                environment.vanish(path)
            }
            "fc_hosts" => return Ok(format!("{:?}", self.fc_hosts())),
            "in_file" => return Ok(environment.has_data(path, env.offset.unwrap_or_default()).to_string()),
            "disks" => return self.disks(env),
            "initiator_sectors" => return self.initiator_sectors(env),
            "initiator_rescan" => self.initiator_rescan(env)?,
            "scstd" => {
                let running = env.start.unwrap_or(true);
                self.surface.machine(|machine| machine.iscsi_daemon(running))
            }
            "ls" => {
                return Ok(environment.ls(path).map_or_else(name_of, |names| format!("{names:?}")));
            }
            "modprobe" => {
                return Ok(exit_word(self.modprobe(env.module.as_deref().unwrap_or_default(), args)));
            }
            "rmmod" | "unload" => {
                return Ok(exit_word(self.rmmod(env.module.as_deref().unwrap_or_default())));
            }
            "pr" => return self.persistent_reserve(env),
            "filesum" => return Ok(self.file_sum(path)),
            "sh" => return self.shell(env.cmd.as_deref().unwrap_or_default()),
            "corosync" => {
                let running = env.on.unwrap_or_default();
                self.surface.machine(|machine| machine.lock_manager(running))
            }
            "lockspaces" => {
                let names = self.surface.machine(Machine::lockspaces);
                return Ok(format!("{names:?}"));
            }
            "io_start" => self.io_start(env)?,
            "io_wait" => return self.io_wait(env, wanted),
            "scsi" | "mode_cache" => return self.scsi(env, wanted),
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
            "null_blk" => self.environment.null_blk(args),
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
        let disks = self.environment.disks_of(&module);
        if disks.iter().any(|path| self.held_open(path)) {
            return Err(Errno::EBUSY);
        }
        if module != "null_blk" {
            self.surface.machine(|machine| machine.rmmod(&module))?;
        }
        for path in disks {
            self.environment.vanish(&path)?;
        }
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

    /// Name, state and speed of the machine's Fibre Channel hosts.
    fn fc_hosts(&mut self) -> Vec<String> {
        let top = "class/fc_host";
        let hosts = self.surface.machine(|machine| machine.list(top.as_bytes())).unwrap_or_default();
        let mut text = |host: &str, attribute: &str| {
            let content = read_whole(&mut self.surface, &format!("{top}/{host}/{attribute}"), How::default());
            String::from_utf8_lossy(&content.unwrap_or_default()).trim_end().to_owned()
        };
        let mut described = Vec::new();
        for (host, _) in hosts {
            let host = String::from_utf8_lossy(&host).into_owned();
            let parts = ["port_name", "port_state", "speed"].map(|attribute| text(&host, attribute));
            described.push(parts.join(" "));
        }
        described
    }

    /// SCST has the file or device at a path open.
    fn held_open(&mut self, path: &str) -> bool {
        let file = self.environment.file(path.as_bytes());
        file.is_ok_and(|file| self.surface.machine(|machine| machine.holds_open(&file.identity)))
    }

    fn device_mapper(&mut self, env: &Env) -> String {
        let name = env.name.as_deref().unwrap_or_default();
        let held = self.held_open(&format!("/dev/mapper/{name}"));
        let action = env.action.as_deref().unwrap_or("remove");
        let done = self.environment.device_mapper(action, name, env.table.as_deref().unwrap_or_default(), held);
        self.surface.pass(Duration::ZERO);
        exit_word(done)
    }

    /// open(2) of a block device by somebody else.
    fn try_to_open(&mut self, path: &str, flags: &str) -> String {
        let file = match self.environment.file(path.as_bytes()) {
            Ok(file) => file,
            Err(errno) => return name_of(errno),
        };
        let exclusively = flags.split('|').any(|flag| flag == "O_EXCL");
        if let Err(errno) = file.opening(!flags.starts_with("O_RDONLY")) {
            return name_of(errno);
        }
        let held = exclusively && self.surface.machine(|machine| machine.holds(&file.identity));
        if held { "EBUSY" } else { "ok" }.to_owned()
    }

    /// Tries to open a block device with `O_EXCL`, which fails while SCST holds it that way.
    fn opened_exclusively(&mut self, path: &str) -> String {
        let file = match self.environment.file(path.as_bytes()) {
            Ok(file) if file.kind == FileKind::Block => file,
            Ok(_) => return name_of(Errno::ENOTBLK),
            Err(errno) => return name_of(errno),
        };
        let held = self.surface.machine(|machine| machine.holds(&file.identity));
        if held { "EBUSY" } else { "free" }.to_owned()
    }

    /// The initiator that is logged in sends one read to its LUN 0.
    fn reader_start(&mut self) -> Result<(), Errno> {
        let takes = self.environment.disk_latency();
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
    for driver in names(machine, top).into_iter().filter(|driver| driver != "copy_manager") {
        for target in names(machine, &format!("{top}/{driver}")) {
            if let Some(session) = names(machine, &format!("{top}/{driver}/{target}/sessions")).into_iter().next() {
                return Some((driver, target, session));
            }
        }
    }
    None
}

/// How a command line tool of the system ends.
fn exit_word(result: Result<(), Errno>) -> String {
    result.map_or_else(|_| "rc1".to_owned(), |()| "ok".to_owned())
}
