//! Running another program: found without trusting the caller's directory, with a time limit, reaped.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use thiserror::Error;

use crate::ocf::env::Env;
use crate::ocf::exit::one_line;

/// More output than the largest CIB; what comes after is not read.
const MAX_OUTPUT: u64 = 64 << 20;

/// A program could not be run, or its answer could not be understood.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CommandError {
    /// The program is not installed.
    #[error("{command} not found")]
    NotFound {
        /// The program.
        command: String,
    },
    /// The program could not be started.
    #[error("{command} could not be started: {error}")]
    NotStarted {
        /// The program.
        command: String,
        /// The system's answer.
        error: String,
    },
    /// The program ended with an error.
    #[error("{command} ended with {status}{}", detail(.stderr))]
    Failed {
        /// The program.
        command: String,
        /// Exit code or signal.
        status: String,
        /// What it said, on one line.
        stderr: String,
    },
    /// The program did not end in time and was killed.
    #[error("{command} did not answer within {} ms", .limit.as_millis())]
    TimedOut {
        /// The program.
        command: String,
        /// The time it had.
        limit: Duration,
    },
    /// The program's answer is not what it should be.
    #[error("the answer of {command} was not understood: {reason}")]
    Unreadable {
        /// The program.
        command: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl CommandError {
    pub(crate) fn unreadable(command: &str, reason: &str) -> Self {
        Self::Unreadable { command: command.to_owned(), reason: one_line(reason) }
    }
}

/// What a command said, as the end of a sentence.
fn detail(stderr: &str) -> String {
    if stderr.is_empty() { String::new() } else { format!(": {stderr}") }
}

/// Where programs are looked for.
#[derive(Debug, Clone)]
pub struct Tools {
    directories: Vec<PathBuf>,
}

impl Tools {
    /// `HA_SBIN_DIR` if it is set, then `PATH`, then where Debian and others keep what an administrator runs.
    pub fn from_env(env: &Env) -> Self {
        let mut directories: Vec<PathBuf> = env.sbin_dir().into_iter().collect();
        directories.extend(env.search_path());
        directories.extend(["/usr/sbin".into(), "/sbin".into()]);
        // A relative directory would find whatever lies where the agent happens to stand.
        directories.retain(|directory| directory.is_absolute());
        Self { directories }
    }

    /// The program's path.
    fn find(&self, command: &str) -> Option<PathBuf> {
        self.directories.iter().map(|directory| directory.join(command)).find(|path| is_program(path))
    }

    /// Runs a command for at most `limit` and gives what it printed. Its own process group is ours, so that a SIGKILL by
    /// Pacemaker's time-out ends it as well.
    pub fn run(&self, command: &str, arguments: &[&str], limit: Duration) -> Result<String, CommandError> {
        let name = || command.to_owned();
        let program = self.find(command).ok_or_else(|| CommandError::NotFound { command: name() })?;
        let started = Instant::now();
        let mut child = Command::new(&program)
            .args(arguments)
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| CommandError::NotStarted { command: name(), error: error.to_string() })?;
        let output = collect(child.stdout.take());
        let errors = collect(child.stderr.take());
        let left = || limit.saturating_sub(started.elapsed());
        let answer = output.recv_timeout(left()).ok();
        let Some((bytes, status)) = answer.zip(wait(&mut child, left())) else {
            // The result of kill is of no interest: it fails only if the child has ended meanwhile.
            let _ = child.kill();
            let _ = child.wait();
            return Err(CommandError::TimedOut { command: name(), limit });
        };
        if !status.success() {
            let stderr = errors.recv_timeout(left()).unwrap_or_default();
            let stderr = one_line(&String::from_utf8_lossy(&stderr));
            return Err(CommandError::Failed { command: name(), status: ended(status), stderr });
        }
        String::from_utf8(bytes).map_err(|_| CommandError::unreadable(command, "it is not UTF-8"))
    }
}

/// Waits until a child that has closed its output has ended, which is normally at once.
fn wait(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let end = Instant::now() + limit;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if Instant::now() < end => std::thread::sleep(Duration::from_millis(1)),
            Ok(None) | Err(_) => return None,
        }
    }
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

/// Reads a pipe to its end in a thread of its own, so that neither pipe can fill up while the other is read, and so that
/// a reader which never sees the end holds up nobody.
fn collect(pipe: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(pipe) = pipe {
            // A broken pipe leaves what was read until then; the exit code says the rest.
            let _ = pipe.take(MAX_OUTPUT).read_to_end(&mut bytes);
        }
        // Nobody listens after a time-out.
        let _ = sender.send(bytes);
    });
    receiver
}

fn ended(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => status.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A directory with one program, and the tools that find it there.
    fn tools(script: &str) -> (tempfile::TempDir, Tools) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("crm_probe");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let env = Env::from_pairs([("HA_SBIN_DIR", directory.path())]);
        (directory, Tools::from_env(&env))
    }

    fn run(script: &str, limit: Duration) -> Result<String, CommandError> {
        let (_directory, tools) = tools(script);
        // A file that another thread of this test was just writing cannot be executed: its fork holds it open.
        for _ in 0..50 {
            match tools.run("crm_probe", &["one", "two words"], limit) {
                Err(CommandError::NotStarted { error, .. }) if error.contains("busy") => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                other => return other,
            }
        }
        panic!("the script stayed busy");
    }

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn the_answer_is_what_the_command_printed() {
        assert_eq!(run("printf '%s|%s|' \"$@\"; echo noise >&2", LONG).unwrap(), "one|two words|");
    }

    #[test]
    fn more_output_than_a_pipe_holds_is_read_on_both_pipes() {
        let text = run("head -c 1500000 /dev/zero | tr '\\0' x; head -c 300000 /dev/zero >&2", LONG).unwrap();
        assert_eq!(text.len(), 1_500_000);
    }

    #[test]
    fn a_failure_names_command_code_and_what_it_said() {
        let error = run("echo 'Could not connect:'; echo ' no cluster ' >&2; exit 102", LONG).unwrap_err();
        assert_eq!(error.to_string(), "crm_probe ended with exit code 102: no cluster");
        let error = run("kill -9 $$", LONG).unwrap_err();
        assert_eq!(error.to_string(), "crm_probe ended with signal 9");
    }

    #[test]
    fn a_command_that_hangs_is_killed_in_time() {
        let started = Instant::now();
        let error = run("exec sleep 60", Duration::from_millis(200)).unwrap_err();
        assert!(started.elapsed() < Duration::from_secs(5));
        assert_eq!(error.to_string(), "crm_probe did not answer within 200 ms");
        // The same for one that closes its output and stays.
        let error = run("exec >/dev/null 2>&1; exec sleep 60", Duration::from_millis(200)).unwrap_err();
        assert!(matches!(error, CommandError::TimedOut { .. }));
    }

    #[test]
    fn a_missing_command_is_named() {
        let (_directory, tools) = tools("true");
        let error = tools.run("crm_nothing", &[], LONG).unwrap_err();
        assert_eq!(error.to_string(), "crm_nothing not found");
    }
}
