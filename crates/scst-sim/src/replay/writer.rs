//! A write in a process of its own, which can be signalled and killed.
//!
//! The process is this program again: it opens the file, writes what it reads from standard input with one write(2) and
//! prints what that answered, or that SIGUSR1 came meanwhile. The handler without `SA_RESTART` makes the signal end the call
//! where the kernel lets it, and never the process.

use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal as Number, kill, sigaction};
use nix::unistd::Pid;

use super::surface::{Ending, Signal};
use crate::model::Errno;

/// The hidden command of the program that does this.
pub const COMMAND: &str = "replay-writer";

/// What the process prints when it was signalled while it wrote.
const INTERRUPTED: &str = "interrupted";

/// A writing process.
#[derive(Debug)]
pub(super) struct Writer {
    child: Child,
    signalled: bool,
    ended: Option<Ending>,
}

impl Writer {
    /// Starts `program` to write the data.
    pub(super) fn start(program: &Path, path: &Path, data: &[u8]) -> io::Result<Self> {
        let mut child =
            Command::new(program).arg(COMMAND).arg(path).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(data)?;
        }
        Ok(Self { child, signalled: false, ended: None })
    }

    /// How the write ended, if it has.
    pub(super) fn ended(&mut self) -> Option<Ending> {
        if self.ended.is_none()
            && let Ok(Some(status)) = self.child.try_wait()
        {
            let mut answer = String::new();
            if let Some(mut stdout) = self.child.stdout.take() {
                let _ = stdout.read_to_string(&mut answer);
            }
            self.ended = Some(match answer.trim().parse::<i64>() {
                _ if answer.trim() == INTERRUPTED => Ending::Interrupted,
                Ok(count) if count >= 0 => Ending::Returned(Ok(usize::try_from(count).unwrap_or_default())),
                Ok(errno) => Ending::Returned(Err(Errno::from_raw(i32::try_from(-errno).unwrap_or_default()))),
                // Without an answer it was killed.
                Err(_) if !status.success() => Ending::Killed,
                Err(_) => Ending::Returned(Err(Errno::EIO)),
            });
        }
        self.ended
    }

    /// Sends the process a signal. False if it had got one before: of a further one no waiting write hears.
    pub(super) fn signal(&mut self, signal: Signal) -> bool {
        let number = match signal {
            Signal::User1 => Number::SIGUSR1,
            Signal::Kill => Number::SIGKILL,
        };
        if let Ok(pid) = i32::try_from(self.child.id()) {
            // It may have ended by itself.
            let _ = kill(Pid::from_raw(pid), number);
        }
        !std::mem::replace(&mut self.signalled, true)
    }

    /// Kills the process without waiting for its end: a write that minds no signal ends with the mount only.
    pub(super) fn kill(&mut self) {
        if self.ended().is_none() {
            let _ = self.child.kill();
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.kill();
        let _ = self.child.wait();
    }
}

/// What the process does: prints the bytes written, the errno as a negative number, or that a signal came.
pub fn write_once(path: &Path) -> io::Result<()> {
    catch_user_signal()?;
    let mut data = Vec::new();
    io::stdin().read_to_end(&mut data)?;
    let result = OpenOptions::new().write(true).open(path).and_then(|mut file| file.write(&data));
    match result {
        _ if SIGNALLED.load(Ordering::SeqCst) => println!("{INTERRUPTED}"),
        Ok(count) => println!("{count}"),
        Err(error) => println!("-{}", error.raw_os_error().unwrap_or(Errno::EIO as i32)),
    }
    Ok(())
}

/// A caught signal has come.
static SIGNALLED: AtomicBool = AtomicBool::new(false);

extern "C" fn note(_: std::ffi::c_int) {
    SIGNALLED.store(true, Ordering::SeqCst);
}

#[allow(unsafe_code, reason = "a signal handler cannot be set otherwise; this one sets a flag only")]
fn catch_user_signal() -> io::Result<()> {
    let action = SigAction::new(SigHandler::Handler(note), SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler stores to an atomic only, so it may run at any point of the program.
    unsafe { sigaction(Number::SIGUSR1, &action) }?;
    Ok(())
}
