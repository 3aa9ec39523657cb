//! The destinations of the log's lines (stderr, syslog, files), written to without waiting for whoever reads them.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use nix::libc::{O_NOCTTY, O_NONBLOCK};

/// One line for one destination.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    Stderr(String),
    Syslog(String),
    Logfile(String),
    Debuglog(String),
    Trace(String),
}

impl Line {
    /// Delivers a line; what cannot be delivered is lost.
    pub(super) fn send(&self, socket: &Path, logfile: Option<&Path>, debuglog: Option<&Path>, trace: Option<&File>) {
        let delivered = match self {
            Self::Stderr(text) => std::io::stderr().lock().write_all(text.as_bytes()),
            Self::Syslog(text) => send_datagram(socket, text),
            Self::Logfile(text) => logfile.map_or(Ok(()), |path| append(path, text)),
            Self::Debuglog(text) => debuglog.map_or(Ok(()), |path| append(path, text)),
            Self::Trace(text) => trace.map_or(Ok(()), |mut file| file.write_all(text.as_bytes())),
        };
        // There is no place left to complain to, and no reason to fail.
        drop(delivered);
    }
}

/// The number of a syslog facility; none for `none` and for a word that is no facility.
pub(super) fn facility(name: &str) -> Option<u8> {
    const NAMES: [&str; 12] =
        ["kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp"];
    let number = NAMES.iter().position(|known| *known == name).and_then(|at| u8::try_from(at).ok());
    let local = || name.strip_prefix("local")?.parse::<u8>().ok().filter(|n| *n < 8).map(|n| n + 16);
    number.or_else(local)
}

/// Sends one datagram and does not wait for a daemon that does not read.
fn send_datagram(socket: &Path, text: &str) -> std::io::Result<()> {
    let sender = UnixDatagram::unbound()?;
    sender.set_nonblocking(true)?;
    sender.send_to(text.as_bytes(), socket).map(drop)
}

/// Appends one line with one write. A FIFO without a reader, or a terminal, must not hold up the run or become its own.
fn append(path: &Path, text: &str) -> std::io::Result<()> {
    open(path)?.write_all(text.as_bytes())
}

pub(super) fn open(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().append(true).create(true).custom_flags(O_NONBLOCK | O_NOCTTY).open(path)
}
