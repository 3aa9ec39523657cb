//! How many processes a program starts, itself and its threads not counted: seen by ptrace(2), so that none is missed.

use std::error::Error;
use std::ffi::OsString;
use std::process::{Command, Stdio};

use nix::libc::{PTRACE_EVENT_FORK, PTRACE_EVENT_VFORK};
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// Runs a command to its end; answers how many processes came of it, and its exit code.
///
/// The calling thread must have no other child: its end would be taken for one of the command's.
pub(super) fn count(command: &Command) -> Result<(u64, Option<i32>), Box<dyn Error>> {
    // A shell that stops itself is traced from before the program begins, and then is the program.
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", r#"kill -STOP $$; exec "$@""#, "sh"]).arg(command.get_program()).args(command.get_args());
    shell.env_clear().current_dir("/");
    let set = |(name, value): (_, Option<_>)| Some((OsString::from(name), OsString::from(value?)));
    shell.envs(command.get_envs().filter_map(set));
    shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = shell.spawn()?;
    let program = Pid::from_raw(child.id().cast_signed());
    if !matches!(waitpid(program, Some(WaitPidFlag::WUNTRACED))?, WaitStatus::Stopped(..)) {
        return Err("a shell that should have stopped itself has ended".into());
    }
    let options = [
        Options::PTRACE_O_TRACEFORK,
        Options::PTRACE_O_TRACEVFORK,
        Options::PTRACE_O_TRACECLONE,
        Options::PTRACE_O_EXITKILL,
    ];
    ptrace::seize(program, options.into_iter().collect())?;
    kill(program, Signal::SIGCONT)?;
    let result = follow(program);
    if result.is_err() {
        // Nobody would let it run any more.
        let _ = kill(program, Signal::SIGKILL);
        let _ = waitpid(program, Some(WaitPidFlag::__WALL));
    }
    result
}

/// Lets a traced program and all that comes of it run, and counts.
fn follow(program: Pid) -> Result<(u64, Option<i32>), Box<dyn Error>> {
    let (mut started, mut code) = (0, None);
    loop {
        match waitpid(None, Some(WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD)) {
            Err(nix::errno::Errno::ECHILD) => return Ok((started, code)),
            Err(errno) => return Err(errno.into()),
            Ok(WaitStatus::PtraceEvent(pid, _, event)) => {
                started += u64::from([PTRACE_EVENT_FORK, PTRACE_EVENT_VFORK].contains(&event));
                go_on(pid, None)?;
            }
            // The stop that a signal made, which goes on its way.
            Ok(WaitStatus::Stopped(pid, signal)) => go_on(pid, Some(signal))?,
            Ok(WaitStatus::Exited(pid, status)) if pid == program => code = Some(status),
            Ok(_) => {}
        }
    }
}

/// Lets a traced thread run. One that was killed meanwhile is told by the next wait.
fn go_on(pid: Pid, signal: Option<Signal>) -> nix::Result<()> {
    match ptrace::cont(pid, signal) {
        Err(nix::errno::Errno::ESRCH) => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> (u64, Option<i32>) {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]).env("PATH", "/usr/bin:/bin");
        count(&command).unwrap()
    }

    #[test]
    fn processes_are_counted_and_the_code_is_the_programs() {
        assert_eq!(shell("exit 7"), (0, Some(7)));
        assert_eq!(shell("/bin/true; /bin/true | /bin/true; exit 3"), (3, Some(3)));
        assert_eq!(shell("(/bin/true; :); :"), (2, Some(0)));
    }
}
