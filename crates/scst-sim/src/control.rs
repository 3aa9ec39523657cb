//! `.sim`: the mount's own files, below the mount point but in no listing of it.
//!
//! `ctl` takes one command per write and, read, tells what the last one answered or why it was refused. `iscsi-daemon` is
//! the iSCSI daemon's: whoever opens it for writing is the daemon until he closes it or ends. The others are reports. What happens here is neither counted nor struck by faults.

mod command;
mod refused;
mod reserve;

use nix::errno::Errno;

pub(crate) use self::command::command;
pub use self::refused::Refused;

use self::command::unknowns;
use crate::model::{Attr, Kind};
use crate::served::{Served, WriteRecord};
use crate::tree;

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
    /// Held open for writing, it is the iSCSI daemon.
    IscsiDaemon,
    /// The state in short.
    Tree,
    /// What nobody knows the answer of.
    Unknowns,
    /// Writes in order.
    Writes,
}

const FILES: [(ControlFile, &str); 7] = [
    (ControlFile::Counters, "counters"),
    (ControlFile::Ctl, "ctl"),
    (ControlFile::Faults, "faults"),
    (ControlFile::IscsiDaemon, "iscsi-daemon"),
    (ControlFile::Tree, "tree"),
    (ControlFile::Unknowns, "unknowns"),
    (ControlFile::Writes, "writes"),
];

impl ControlFile {
    /// It can be opened for writing.
    pub(crate) fn takes_writers(self) -> bool {
        matches!(self, Self::Ctl | Self::IscsiDaemon)
    }
}

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
    let mode = if file(path)?.takes_writers() { 0o644 } else { 0o444 };
    Some(Attr { kind: Kind::File, mode, size: 4096, id: 0 })
}

/// The text of a control file.
pub(crate) fn content(served: &mut Served, file: ControlFile) -> Vec<u8> {
    match file {
        ControlFile::Ctl => served.last_reply.clone(),
        ControlFile::Counters => served.counters.to_string(),
        ControlFile::Faults => served.faults.to_string(),
        ControlFile::IscsiDaemon => served.daemon.to_string(),
        ControlFile::Tree => tree::snapshot_of(&mut tree::Inside(&mut served.machine))
            .unwrap_or_else(|error| format!("no snapshot: {error}\n")),
        ControlFile::Unknowns => unknowns(served),
        ControlFile::Writes => served.writes().iter().map(describe).collect(),
    }
    .into_bytes()
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

/// One write to `ctl`.
pub(crate) fn write(served: &mut Served, data: &[u8]) -> Result<(), Errno> {
    let text = String::from_utf8_lossy(data);
    match command(served, &text) {
        Ok(reply) => {
            served.last_reply = if reply.is_empty() { reply } else { reply + "\n" };
            Ok(())
        }
        Err(Refused { errno, reason }) => {
            served.last_reply = format!("{}: {reason}\n", text.trim());
            Err(errno)
        }
    }
}
