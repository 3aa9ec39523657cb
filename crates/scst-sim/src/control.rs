//! `.sim`: the mount's own files, below the mount point but in no listing of it.
//!
//! `ctl` takes one command per write and, read, tells what the last one answered or why it was refused; the others are
//! reports. What happens here is neither counted nor struck by faults.

use std::fmt::Write as _;

use nix::errno::Errno;

use crate::faults::Fault;
use crate::host::FileEntry;
use crate::model::{Attr, Kind};
use crate::mount::{Core, WriteRecord};
use crate::scenario::{PortEntry, SlowEntry};
use crate::tree;
use crate::words;

/// Name of the directory.
pub const DIR: &str = ".sim";

/// The files of the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ControlFile {
    /// Takes commands.
    Ctl,
    /// Operations per process and path.
    Counters,
    /// Armed faults.
    Faults,
    /// The state in short.
    Tree,
    /// What nobody knows the answer of.
    Unknowns,
    /// Writes in order.
    Writes,
}

const FILES: [(ControlFile, &str); 6] = [
    (ControlFile::Counters, "counters"),
    (ControlFile::Ctl, "ctl"),
    (ControlFile::Faults, "faults"),
    (ControlFile::Tree, "tree"),
    (ControlFile::Unknowns, "unknowns"),
    (ControlFile::Writes, "writes"),
];

/// The control file at a path relative to the mount point.
pub(crate) fn file(path: &[u8]) -> Option<ControlFile> {
    let name = path.strip_prefix(DIR.as_bytes())?.strip_prefix(b"/")?;
    FILES.iter().find_map(|(file, own)| (own.as_bytes() == name).then_some(*file))
}

/// The entries of the directory, if the path is the directory's.
pub(crate) fn list(path: &[u8]) -> Option<Vec<(Vec<u8>, Kind)>> {
    let entries = || FILES.iter().map(|(_, name)| (name.as_bytes().to_vec(), Kind::File)).collect();
    (path == DIR.as_bytes()).then(entries)
}

/// What `lstat(2)` answers for a path that belongs here.
pub(crate) fn attr(path: &[u8]) -> Option<Attr> {
    if list(path).is_some() {
        return Some(Attr { kind: Kind::Dir, mode: 0o755, size: 0, id: 0 });
    }
    let mode = if file(path)? == ControlFile::Ctl { 0o644 } else { 0o444 };
    Some(Attr { kind: Kind::File, mode, size: 4096, id: 0 })
}

/// The text of a control file.
pub(crate) fn content(core: &mut Core, file: ControlFile) -> Vec<u8> {
    match file {
        ControlFile::Ctl => core.last_reply.clone(),
        ControlFile::Counters => core.counters.to_string(),
        ControlFile::Faults => core.faults.to_string(),
        ControlFile::Tree => tree::picture_of(&mut tree::Inside(&mut core.machine))
            .unwrap_or_else(|error| format!("no picture: {error}\n")),
        ControlFile::Unknowns => unknowns(core),
        ControlFile::Writes => core.writes().iter().map(describe).collect(),
    }
    .into_bytes()
}

fn unknowns(core: &Core) -> String {
    let line = |unknown: crate::model::Unknown| format!("{}: {}\n", unknown.path.escape_ascii(), unknown.what);
    core.unknowns().into_iter().map(line).collect()
}

/// `PID NAME PATH "DATA" RESULT`, where the result is `ok`, an errno, a short count or `waiting`.
fn describe(WriteRecord { process, path, data, result }: &WriteRecord) -> String {
    let result = match result {
        None => "waiting".to_owned(),
        Some(Ok(count)) if *count == data.len() => "ok".to_owned(),
        Some(Ok(count)) => format!("{count} of {}", data.len()),
        Some(Err(errno)) => format!("{errno:?}"),
    };
    let (path, data) = (path.escape_ascii(), data.escape_ascii());
    format!("{} {} {path} \"{data}\" {result}\n", process.pid, process.name)
}

/// A command that was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Refused {
    /// What a writer of `ctl` is answered.
    pub errno: Errno,
    /// Why, in a sentence.
    pub reason: String,
}

impl Refused {
    fn syntax(reason: impl Into<String>) -> Self {
        Self { errno: Errno::EINVAL, reason: reason.into() }
    }
}

/// One write to `ctl`.
pub(crate) fn write(core: &mut Core, data: &[u8]) -> Result<(), Errno> {
    let text = String::from_utf8_lossy(data);
    match command(core, &text) {
        Ok(reply) => {
            core.last_reply = if reply.is_empty() { reply } else { reply + "\n" };
            Ok(())
        }
        Err(Refused { errno, reason }) => {
            core.last_reply = format!("{}: {reason}\n", text.trim());
            Err(errno)
        }
    }
}

const HELP: &str = "\
modprobe MODULE [ARGUMENT...]
rmmod MODULE
plug wwpn=WWPN [host=N] [wwnn=WWNN] [speed=TEXT] [state=TEXT] [target_capable=true|false] [gen32=true|false]
unplug WWPN
login DRIVER TARGET INITIATOR
logout DRIVER TARGET SESSION
io start DRIVER TARGET SESSION LUN [DURATION]
io finish ID
io done ID
file path=PATH kind=KIND [size=BYTES] [logical_block=BYTES] [held=true] [discard=true] [open_error=ERRNO] [identity=NAME]
fault op=OP action=ACTION [path=GLOB] [process=GLOB] [pid=PID] [at=K] [repeat=true] [errno=E] [after=DURATION] [signal=S] \
[when=before|after]
slow path=GLOB takes=DURATION [data=GLOB] [holds_mutex=true] [times=N]
disarm
release
skip DURATION
reset-counters
help";

/// Carries out one command; answers what it says.
pub(crate) fn command(core: &mut Core, line: &str) -> Result<String, Refused> {
    let line = line.trim();
    let (verb, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let words = words::split(rest);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let failed = |what: &str, errno: Errno| Refused { errno, reason: format!("{what}: {errno}") };
    let done = String::new;
    match (verb, words.as_slice()) {
        ("modprobe", [module, arguments @ ..]) => {
            let name = module.replace('-', "_");
            if core.loadable.as_ref().is_some_and(|loadable| !loadable.contains(&name)) {
                return Err(failed("no such module here", Errno::ENOENT));
            }
            let loaded = core.machine.modprobe(&name, &arguments.join(" "));
            loaded.map(|()| done()).map_err(|errno| failed("cannot load", errno))
        }
        ("rmmod", [module]) => {
            let unloaded = core.machine.rmmod(&module.replace('-', "_"));
            unloaded.map(|()| done()).map_err(|errno| failed("cannot unload", errno))
        }
        ("plug", [_, ..]) => {
            let port: PortEntry = words::parse(rest).map_err(Refused::syntax)?;
            let taken = |host| core.machine.lookup(format!("class/fc_host/host{host}").as_bytes()).is_ok();
            let free = (0..u32::MAX).find(|host| !taken(*host)).unwrap_or(0);
            core.machine.plug(port.port(free).map_err(Refused::syntax)?);
            Ok(done())
        }
        ("unplug", [wwpn]) => {
            core.machine.unplug(wwpn);
            Ok(done())
        }
        ("login", [driver, target, initiator]) => {
            core.machine.login(driver, target, initiator).map_err(|errno| failed("login refused", errno))
        }
        ("logout", [driver, target, session]) => {
            let gone = core.machine.logout(driver, target, session);
            gone.map(|()| done()).map_err(|errno| failed("cannot log out", errno))
        }
        ("io", words) => io(core, words),
        ("file", [_, ..]) => {
            let entry: FileEntry = words::parse(rest).map_err(Refused::syntax)?;
            let files = core.files.as_ref();
            let files = files.ok_or_else(|| failed("this machine's files cannot be declared", Errno::ENOTSUP))?;
            files.declare(&entry).map(|()| done()).map_err(Refused::syntax)
        }
        ("fault", [_, ..]) => {
            let fault: Fault = words::parse(rest).map_err(Refused::syntax)?;
            core.faults.arm(fault);
            Ok(done())
        }
        ("slow", [_, ..]) => {
            let slow: SlowEntry = words::parse(rest).map_err(Refused::syntax)?;
            core.machine.slow_down(slow.slow().map_err(Refused::syntax)?);
            Ok(done())
        }
        ("disarm", []) => {
            core.faults.disarm();
            core.machine.slow_down_nothing();
            Ok(done())
        }
        ("release", []) => Ok(core.release().to_string()),
        ("skip", [duration]) => {
            core.skip(words::duration(duration).map_err(Refused::syntax)?);
            Ok(done())
        }
        ("reset-counters", []) => {
            core.reset_counters();
            Ok(done())
        }
        ("unknowns", []) => Ok(unknowns(core)),
        ("help", []) => Ok(HELP.to_owned()),
        _ => {
            let mut reason = format!("{verb:?} with {} words is no command; these are:", words.len());
            let _ = write!(reason, "\n{HELP}");
            Err(Refused::syntax(reason))
        }
    }
}

/// The commands about SCSI commands of initiators.
fn io(core: &mut Core, words: &[&str]) -> Result<String, Refused> {
    let number = |text: &str| text.parse().map_err(|_| Refused::syntax(format!("{text:?} is not a number")));
    match words {
        ["start", driver, target, session, lun, takes @ ..] if takes.len() < 2 => {
            let lun = lun.parse().map_err(|_| Refused::syntax(format!("{lun:?} is not a LUN")))?;
            let takes = takes.first().map(|text| words::duration(text)).transpose().map_err(Refused::syntax)?;
            let started = core.machine.start_io(driver, target, session, lun, takes);
            let refused = |errno| Refused { errno, reason: format!("cannot send a command: {errno}") };
            started.map(|id| id.to_string()).map_err(refused)
        }
        ["finish", id] => {
            core.machine.finish_io(number(id)?);
            Ok(String::new())
        }
        ["done", id] => Ok(if core.machine.io_done(number(id)?) { "yes" } else { "no" }.to_owned()),
        _ => Err(Refused::syntax("io takes start, finish or done")),
    }
}
