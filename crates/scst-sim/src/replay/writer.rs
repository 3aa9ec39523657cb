//! A write in a process of its own, which can be signalled and killed.
//!
//! The process is this program again: it opens the file, writes what it reads from standard input with one write(2) and
//! prints what that answered. A handler without `SA_RESTART` makes SIGUSR1 end the call and not the process.

use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal as Number, kill, sigaction};
use nix::unistd::Pid;

use super::surface::{Ending, Signal};
use crate::model::Errno;

/// The hidden command of the program that does this.
pub const COMMAND: &str = "replay-writer";

/// A writing process.
#[derive(Debug)]
pub(super) struct Writer {
    child: Child,
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
        Ok(Self { child, ended: None })
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
                Ok(count) if count >= 0 => Ending::Returned(Ok(usize::try_from(count).unwrap_or_default())),
                Ok(errno) => match Errno::from_raw(i32::try_from(-errno).unwrap_or_default()) {
                    Errno::EINTR => Ending::Interrupted,
                    errno => Ending::Returned(Err(errno)),
                },
                // Without an answer it was killed.
                Err(_) if !status.success() => Ending::Killed,
                Err(_) => Ending::Returned(Err(Errno::EIO)),
            });
        }
        self.ended
    }

    /// Sends the process a signal.
    pub(super) fn signal(&self, signal: Signal) {
        let number = match signal {
            Signal::User1 => Number::SIGUSR1,
            Signal::Kill => Number::SIGKILL,
        };
        if let Ok(pid) = i32::try_from(self.child.id()) {
            // It may have ended by itself.
            let _ = kill(Pid::from_raw(pid), number);
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if self.ended().is_none() {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

/// What the process does: prints the bytes written, or the errno as a negative number.
pub fn write_once(path: &Path) -> io::Result<()> {
    catch_user_signal()?;
    let mut data = Vec::new();
    io::stdin().read_to_end(&mut data)?;
    let result = OpenOptions::new().write(true).open(path).and_then(|mut file| file.write(&data));
    match result {
        Ok(count) => println!("{count}"),
        Err(error) => println!("-{}", error.raw_os_error().unwrap_or(Errno::EIO as i32)),
    }
    Ok(())
}

extern "C" fn pass_over(_: std::ffi::c_int) {}

#[allow(unsafe_code, reason = "a signal handler cannot be set otherwise; this one does nothing at all")]
fn catch_user_signal() -> io::Result<()> {
    let action = SigAction::new(SigHandler::Handler(pass_over), SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler is an empty function, so it may run at any point of the program.
    unsafe { sigaction(Number::SIGUSR1, &action) }?;
    Ok(())
}
