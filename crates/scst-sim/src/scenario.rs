//! Scenario files: a machine described in TOML.
//!
//! ```toml
//! scst = "3.11"                       # or "3.7"
//! modules = ["scst", "scst_vdisk"]    # loaded at the start, each with its arguments
//! loadable = ["qla2x00tgt"]           # found by a later modprobe; absent: every module
//! var_lib = "state"                   # stands for /var/lib/scst; relative to this file
//!
//! [[port]]
//! wwpn = "21:00:00:24:ff:60:d0:10"
//!
//! [[target]]
//! driver = "scst_local"
//! name = "local1"
//!
//! [[file]]
//! path = "/dev/drbd0"
//! kind = "block"
//! size = 1073741824
//!
//! [[write]]
//! path = "kernel/scst_tgt/handlers/vdisk_nullio/mgmt"
//! data = "add_device d1"
//!
//! [[session]]
//! driver = "qla2x00t"
//! target = "21:00:00:24:ff:60:d0:10"
//! initiator = "50:01:43:80:03:b0:23:34"
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
//! Things happen in that order: ports, modules, targets, writes, sessions, I/O; what is slow or fails comes last and touches
//! none of it.

mod entries;

use std::collections::BTreeSet;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;

pub use self::entries::{PortEntry, SlowEntry};

use self::entries::{Entries, IoEntry, SessionEntry, TargetEntry, WriteEntry};
use crate::host::Files;
use crate::model::{Errno, Machine, ScstVersion, Written};
use crate::mount::{Pace, Setup};
use crate::words::duration;

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
        let Entries { scst, modules, loadable, var_lib, port, target, file, write, session, io, slow, fault } =
            &self.entries;
        let wrong = |at: Range<usize>, problem: String| self.text.wrong(at, problem);

        let version = match scst {
            Some(name) => version_named(name.get_ref()).map_err(|problem| wrong(name.span(), problem))?,
            None => ScstVersion::V3_11,
        };
        let files = match var_lib {
            Some(dir) => Files::new().with_var_lib(&self.text.path.parent().unwrap_or(Path::new("")).join(dir)),
            None => Files::new(),
        };
        for entry in file {
            files.declare(entry.get_ref()).map_err(|problem| wrong(entry.span(), problem))?;
        }
        let mut machine = Machine::new(version, Box::new(files.clone()));
        for (entry, host) in port.iter().zip(0..) {
            machine.plug(entry.get_ref().port(host).map_err(|problem| wrong(entry.span(), problem))?);
        }
        for entry in modules {
            let (name, arguments) = entry.get_ref().split_once(' ').unwrap_or((entry.get_ref(), ""));
            machine
                .modprobe(&name.replace('-', "_"), arguments)
                .map_err(|errno| wrong(entry.span(), format!("cannot load module {name}: {errno}")))?;
        }
        for entry in target {
            let TargetEntry { driver, name } = entry.get_ref();
            let path = format!("kernel/scst_tgt/targets/{driver}/mgmt");
            write_now(&mut machine, &path, &format!("add_target {name}"))
                .map_err(|errno| wrong(entry.span(), format!("cannot add target {name} to {driver}: {errno}")))?;
        }
        for entry in write {
            let WriteEntry { path, data } = entry.get_ref();
            write_now(&mut machine, path, data)
                .map_err(|errno| wrong(entry.span(), format!("cannot write {data:?} to {path}: {errno}")))?;
        }
        for entry in session {
            let SessionEntry { driver, target, initiator } = entry.get_ref();
            machine
                .login(driver, target, initiator)
                .map_err(|errno| wrong(entry.span(), format!("{initiator} cannot log in to {target}: {errno}")))?;
        }
        for entry in io {
            let IoEntry { driver, target, session, lun, takes } = entry.get_ref();
            let takes = takes.as_deref().map(duration).transpose().map_err(|problem| wrong(entry.span(), problem))?;
            machine
                .start_io(driver, target, session, *lun, takes)
                .map_err(|errno| wrong(entry.span(), format!("{session} cannot use LUN {lun} of {target}: {errno}")))?;
        }
        for entry in slow {
            machine.slow_down(entry.get_ref().slow().map_err(|problem| wrong(entry.span(), problem))?);
        }
        let normal = |name: &String| name.replace('-', "_");
        Ok(Setup {
            machine,
            files: Some(files),
            loadable: loadable.as_ref().map(|names| names.iter().map(normal).collect::<BTreeSet<_>>()),
            faults: fault.clone(),
            pace: Pace::Real,
        })
    }
}

/// Writes and lets time pass until the write is answered.
fn write_now(machine: &mut Machine, path: &str, data: &str) -> Result<(), Errno> {
    let file = machine.open(path.trim_start_matches('/').as_bytes(), false, true)?;
    let ticket = match machine.write(&file, data.as_bytes()) {
        Written::Done(result) => return result.map(drop),
        Written::Waiting(ticket) => ticket,
    };
    loop {
        if let Some(result) = machine.poll(ticket) {
            return result.map(drop);
        }
        // Nothing left that could end it: the writer would sleep for ever.
        let event = machine.next_event().ok_or(Errno::EDEADLK)?;
        machine.advance(event);
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
    fn a_missing_file_is_named() {
        let error = Scenario::load(Path::new("/nowhere/x.toml")).unwrap_err();
        assert!(error.to_string().starts_with("cannot read scenario /nowhere/x.toml: "), "{error}");
    }
}
