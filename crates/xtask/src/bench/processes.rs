//! How many processes a program starts, itself and its threads not counted: seen by ptrace(2), so that none is missed.

use std::error::Error;
use std::ffi::OsString;
use std::process::{Command, Stdio};

use nix::errno::Errno;
use nix::libc::{PTRACE_EVENT_FORK, PTRACE_EVENT_VFORK};
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// Runs a command to its end; answers how many processes came of it.
///
/// The calling thread must have no other child: its end would be taken for one of the command's.
pub(super) fn count(command: &Command) -> Result<u64, Box<dyn Error>> {
    // A shell that stops itself is traced from before the program begins, and then is the program.
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", r#"kill -STOP $$; exec "$@""#, "sh"]).arg(command.get_program()).args(command.get_args());
    let set = |(name, value): (_, Option<_>)| Some((OsString::from(name), OsString::from(value?)));
    shell.env_clear().envs(command.get_envs().filter_map(set)).current_dir("/");
    let child = shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let program = Pid::from_raw(child.id().cast_signed());
    if !matches!(waitpid(program, Some(WaitPidFlag::WUNTRACED))?, WaitStatus::Stopped(..)) {
        return Err("a shell that should have stopped itself has ended".into());
    }
    // Whatever goes wrong here, all of them end with this process.
    let follow = Options::PTRACE_O_TRACEFORK | Options::PTRACE_O_TRACEVFORK | Options::PTRACE_O_TRACECLONE;
    ptrace::seize(program, follow | Options::PTRACE_O_EXITKILL)?;
    kill(program, Signal::SIGCONT)?;
    let mut started = 0;
    loop {
        let (pid, signal) = match waitpid(None, Some(WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD)) {
            Err(Errno::ECHILD) => return Ok(started),
            Ok(WaitStatus::PtraceEvent(pid, _, event)) => {
                started += u64::from([PTRACE_EVENT_FORK, PTRACE_EVENT_VFORK].contains(&event));
                (pid, None)
            }
            // The stop that a signal made, which goes on its way.
            Ok(WaitStatus::Stopped(pid, signal)) => (pid, Some(signal)),
            Ok(_) => continue,
            Err(errno) => return Err(errno.into()),
        };
        match ptrace::cont(pid, signal) {
            // A thread that was killed meanwhile is reported by the next wait.
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_are_counted() {
        for (script, started) in
            [("exit 7", 0), ("/bin/true; /bin/true | /bin/true; exit 3", 3), ("(/bin/true; :); :", 2)]
        {
            let mut command = Command::new("/bin/sh");
            command.args(["-c", script]).env("PATH", "/usr/bin:/bin");
            assert_eq!(count(&command).unwrap(), started, "{script}");
        }
    }
}
