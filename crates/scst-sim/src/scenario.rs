//! Scenario files: a machine described in TOML.
//!
//! ```toml
//! scst = "3.11"                       # or "3.7"
//! modules = ["scst", "scst_vdisk"]    # loaded at the start, each with its arguments
//! loadable = ["qla2x00tgt"]           # found by a later modprobe; absent: every module
//! var_lib = "state"                   # stands for /var/lib/scst; relative to this file
//! disks = ["2:0:0:0"]                 # SCSI disks of the machine, for pass-through
//! iscsi_daemon = true                 # iscsi-scstd runs; "hanging": it does after all else, but answers nobody; absent:
//!                                     # it does not
//! dlm = true                          # the cluster's lock manager runs; absent: it does not
//!
//! [[port]]
//! wwpn = "21:00:00:24:ff:60:d0:10"
//!
//! [[target]]
//! driver = "scst_local"
//! name = "local1"
//!
//! [[file]]                            # a file below a device: `regular`, `block`, `dir`, `char`, `fifo`, `missing`
//! path = "/dev/drbd0"
//! kind = "block"
//! number = "147:0"                    # listed as dev/block/147:0; absent: the number of the device node at the path, if any
//! mknod = true                        # the device node is made at the path, and removed while the disk is not present
//! size = 1073741824                   # this and the following can be changed by `ctl store PATH KEY=VALUE...`
//! logical_block = 4096                # absent: 512
//! physical_block = 4096               # absent: the logical one
//! discard = true                      # absent: it cannot discard
//! held = true                         # somebody else has it open exclusively
//! drbd = "secondary"                  # or "primary": a DRBD device; a secondary opens for nobody
//! open_error = "EIO"                  # opening it fails so; "none" ends that
//! health = "hanging"                  # or "good", "failing": what becomes of commands that reach it
//! present = false                     # it is not there yet; a disk that comes back is another disk than the opened one
//!
//! [[file]]
//! path = "/dev/sda1"
//! kind = "block"
//! number = "8:1"
//! partition_of = "sda"                # dev/block/8:1 is a partition: queue/ is in the directory above
//!
//! [[write]]
//! path = "kernel/scst_tgt/handlers/vdisk_nullio/mgmt"
//! data = "add_device d1"
//!
//! [[session]]
//! driver = "qla2x00t"
//! target = "21:00:00:24:ff:60:d0:10"
//! initiator = "50:01:43:80:03:b0:23:34"
//!                                     # over iSCSI also portal = "ADDRESS[:PORT]", from = "ADDRESS", user and secret,
//!                                     # user_in and secret_in (the target's proof)
//!
//! [[io]]
//! driver = "qla2x00t"
//! target = "21:00:00:24:ff:60:d0:10"
//! session = "50:01:43:80:03:b0:23:34"
//! lun = 0
//! takes = "4s"                        # absent: until finished by hand
//!
//! [[fault]]
//! op = "write"
//! path = "**/block"
//! at = 2
//! action = "fail"
//! errno = "EBUSY"
//!
//! [[slow]]                            # a command that takes its time inside SCST
//! path = "*/vdisk_blockio/mgmt"
//! data = "add_device *"               # absent: every command
//! takes = "20s"
//! holds_mutex = true                  # its writer gets EAGAIN after 15 s, others have to wait
//! times = 1                           # absent: each time
//! ```
//!
//! A regular file that is declared has a size and no content: below `/var/lib/scst/pr` it is a damaged file of reservations, so
//! that `d1` and `d1.1` declared there make `add_device d1` fail. With `var_lib` the files are real ones.
//!
//! Things happen in that order: ports, modules, targets, writes, sessions, I/O; what is slow or fails comes last and touches
//! none of it.

mod entries;

use std::collections::BTreeSet;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;

pub use self::entries::{ConnectEntry, PortEntry, SlowEntry};

use self::entries::{DaemonEntry, DaemonWord, Entries, Happens};
use crate::host::Files;
use crate::model::{DaemonSignal, Machine, ScstVersion};
use crate::served::{Pace, Setup};

/// A scenario as read, not yet a machine.
#[derive(Debug, Clone)]
pub struct Scenario {
    text: Text,
    entries: Entries,
}

/// Where the entries came from, for errors.
#[derive(Debug, Clone)]
struct Text {
    path: PathBuf,
    text: String,
}

/// A scenario that cannot be read or does not come true.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The file cannot be read.
    #[error("cannot read scenario {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Something in it is wrong.
    #[error("{}:{line}: {problem}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// Its line, from 1.
        line: usize,
        /// What.
        problem: String,
    },
}

impl Text {
    fn wrong(&self, at: Range<usize>, problem: impl Into<String>) -> ScenarioError {
        let line = 1 + self.text.bytes().take(at.start).filter(|byte| *byte == b'\n').count();
        ScenarioError::Wrong { path: self.path.clone(), line, problem: problem.into() }
    }
}

/// The releases scenarios may name.
pub fn version_named(name: &str) -> Result<ScstVersion, String> {
    match name {
        "3.7" => Ok(ScstVersion::V3_7),
        "3.11" => Ok(ScstVersion::V3_11),
        _ => Err(format!("SCST {name:?} is not recorded; 3.7 and 3.11 are")),
    }
}

impl Scenario {
    /// Reads a file.
    pub fn load(path: &Path) -> Result<Self, ScenarioError> {
        let text = fs::read_to_string(path);
        let text = text.map_err(|source| ScenarioError::Unreadable { path: path.to_owned(), source })?;
        Self::parse(path, &text)
    }

    /// Reads a text; `path` is what errors call it, and what relative paths in it start from.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ScenarioError> {
        let text = Text { path: path.to_owned(), text: text.to_owned() };
        match toml::from_str(&text.text) {
            Ok(entries) => Ok(Self { text, entries }),
            Err(error) => Err(text.wrong(error.span().unwrap_or(0..0), error.message())),
        }
    }

    /// A machine to begin with: two ports, all modules of a Fibre Channel target, nothing configured.
    pub fn built_in() -> Self {
        let text = include_str!("built_in.toml");
        Self::parse(Path::new("built_in.toml"), text).expect("the built-in scenario is tested")
    }

    /// The same machine with another release of SCST.
    #[must_use]
    pub fn with_version(mut self, version: Option<ScstVersion>) -> Self {
        if let Some(version) = version {
            let name = if version == ScstVersion::V3_7 { "3.7" } else { "3.11" };
            self.entries.scst = Some(Spanned::new(0..0, name.to_owned()));
        }
        self
    }

    /// Builds the machine.
    pub fn build(&self) -> Result<Setup, ScenarioError> {
        let entries = &self.entries;
        let version = match &entries.scst {
            Some(name) => version_named(name.get_ref()).map_err(|problem| self.text.wrong(name.span(), problem))?,
            None => ScstVersion::V3_11,
        };
        let files = match &entries.var_lib {
            Some(dir) => Files::new().with_var_lib(&self.text.path.parent().unwrap_or(Path::new("")).join(dir)),
            None => Files::new(),
        };
        for entry in &entries.file {
            files.declare(entry.get_ref()).map_err(|problem| self.text.wrong(entry.span(), problem))?;
        }
        let mut machine = Machine::new(version, Box::new(files.clone()));
        for disk in &entries.disks {
            machine.plug_scsi_disk(disk);
        }
        for (entry, host) in entries.port.iter().zip(0..) {
            let port = entry.get_ref().port(host);
            machine.plug(port.map_err(|problem| self.text.wrong(entry.span(), problem))?);
        }
        self.happen(&entries.modules, &mut machine)?;
        let daemon = entries.iscsi_daemon.as_ref().map(|entry| *entry.get_ref());
        if daemon.is_some_and(|daemon| daemon != DaemonEntry::Runs(false)) {
            let at = entries.iscsi_daemon.as_ref().map_or(0..0, Spanned::span);
            let started = machine.iscsi_daemon(true);
            started.map_err(|errno| self.text.wrong(at, format!("module iscsi_scst is not loaded: {errno}")))?;
        }
        machine.lock_manager(entries.dlm).map_err(|errno| self.text.wrong(0..0, format!("dlm: {errno}")))?;
        self.happen(&entries.target, &mut machine)?;
        self.happen(&entries.write, &mut machine)?;
        self.happen(&entries.session, &mut machine)?;
        self.happen(&entries.io, &mut machine)?;
        self.happen(&entries.slow, &mut machine)?;
        if let Some(DaemonEntry::Word(DaemonWord::Hanging)) = daemon {
            let hangs = machine.signal_iscsi_daemon(DaemonSignal::Stop);
            hangs.map_err(|errno| self.text.wrong(0..0, format!("the iSCSI daemon: {errno}")))?;
        }
        Ok(Setup {
            machine,
            files: Some(files),
            loadable: self.loadable(),
            faults: entries.fault.clone(),
            pace: Pace::Real,
        })
    }

    /// Lets the entries of one kind come true, in their order.
    fn happen(&self, entries: &[Spanned<impl Happens>], machine: &mut Machine) -> Result<(), ScenarioError> {
        for entry in entries {
            entry.get_ref().happen(machine).map_err(|problem| self.text.wrong(entry.span(), problem))?;
        }
        Ok(())
    }

    /// What a later modprobe finds: the modules named, and those that are loaded already.
    fn loadable(&self) -> Option<BTreeSet<String>> {
        let loaded = self.entries.modules.iter().filter_map(|module| module.get_ref().split(' ').next());
        let names = self.entries.loadable.as_ref()?.iter().map(String::as_str).chain(loaded);
        Some(names.map(|name| name.replace('-', "_")).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Scenario, String> {
        Scenario::parse(Path::new("x.toml"), text).map_err(|error| error.to_string())
    }

    fn build(text: &str) -> Result<Setup, String> {
        parse(text)?.build().map_err(|error| error.to_string())
    }

    #[test]
    fn the_built_in_machine_comes_true() {
        for version in [ScstVersion::V3_7, ScstVersion::V3_11] {
            let setup = Scenario::built_in().with_version(Some(version)).build().unwrap();
            let port = b"kernel/scst_tgt/targets/qla2x00t/21:00:00:24:ff:60:d0:10/enabled";
            assert!(setup.machine.lookup(port).is_ok());
        }
    }

    #[test]
    fn errors_name_file_and_line() {
        for (text, problem) in [
            ("\nmodule = []", "x.toml:2: unknown field `module`"),
            (
                "\n[[session]]\ndriver = \"a\"\ntarget = \"b\"\ninitiator = \"c\"\nfrom = \"d\"\nfrm = \"d\"",
                "x.toml:2: unknown field `frm`",
            ),
            ("[[port]]\nhost = 1\n", "x.toml:1: missing field `wwpn`"),
            ("scst = \"3.9\"", "x.toml:1: SCST \"3.9\" is not recorded"),
            ("\n[[port]]\nwwpn = \"1\"", "x.toml:2: \"1\" is not a world wide name"),
            ("modules = [\n  \"scst\",\n  \"nonsense\"]", "x.toml:3: cannot load module nonsense"),
            ("modules = [\"scst\"]\n[[write]]\npath = \"kernel/scst_tgt/none\"\ndata=\"\"", "x.toml:2: cannot write"),
            ("\n[[fault]]\nop = \"write\"\naction = \"fail\"", "x.toml:2: action fail takes errno"),
            ("[[file]]\npath = \"d\"\nkind = \"block\"", "x.toml:1: file \"d\" is not an absolute path"),
        ] {
            let error = build(text).err().unwrap_or_default();
            assert!(error.starts_with(problem), "{text:?}: {error}");
        }
    }

    #[test]
    fn every_kind_of_entry_comes_true() {
        let text = r#"
            scst = "3.11"
            modules = ["scst", "scst-vdisk", "scst_local", "ib_srpt", "iscsi-scst"]
            loadable = ["scst-disk"]
            disks = ["2:0:0:0"]
            iscsi_daemon = true
            target = [
              { driver = "scst_local", name = "l1" },
              { driver = "ib_srpt", name = "fe80:0000:0000:0000:0002:c903:000f:2a1b" },
              { driver = "iscsi", name = "iqn.2026-11.org.example:t" },
            ]
            file = [{ path = "/var/lib/scst/pr", kind = "dir" }]
            write = [
              { path = "kernel/scst_tgt/handlers/vdisk_nullio/mgmt", data = "add_device d1" },
              { path = "/kernel/scst_tgt/targets/scst_local/l1/luns/mgmt", data = "add d1 0" },
            ]
            session = [{ driver = "scst_local", target = "l1", initiator = "ini" }]
            io = [{ driver = "scst_local", target = "l1", session = "ini", lun = 0, takes = "4s" }]
            slow = [{ path = "*/mgmt", takes = "20s", times = 1 }]
            fault = [{ op = "list", action = "hang" }]
        "#;
        let setup = build(text).unwrap();
        for path in [
            "devices/2:0:0:0",
            "devices/d1",
            "targets/scst_local/l1/sessions/ini/lun0",
            "targets/ib_srpt/fe80:0000:0000:0000:0002:c903:000f:2a1b",
            "targets/iscsi/iqn.2026-11.org.example:t",
        ] {
            let found = setup.machine.lookup(format!("kernel/scst_tgt/{path}").as_bytes());
            assert!(found.is_ok(), "{path}: {found:?}");
        }
        assert_eq!(setup.machine.next_event(), Some(std::time::Duration::from_secs(4)));
        let loadable: Vec<_> = setup.loadable.unwrap().into_iter().collect();
        assert_eq!(loadable, ["ib_srpt", "iscsi_scst", "scst", "scst_disk", "scst_local", "scst_vdisk"]);
        assert_eq!(setup.faults.len(), 1);
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = Scenario::load(Path::new("/nowhere/x.toml")).unwrap_err();
        assert!(error.to_string().starts_with("cannot read scenario /nowhere/x.toml: "), "{error}");
    }
}
