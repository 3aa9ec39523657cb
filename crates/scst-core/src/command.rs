//! Running another program, with a time limit: Pacemaker's commands (`crate::cluster`), modprobe, the iSCSI daemon. It
//! is looked for in absolute directories only.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use crate::ocf::env::Env;
use crate::ocf::exit::one_line;
use crate::system::{Ended, System};

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

/// What a command printed on its standard error, as the end of a sentence.
fn detail(stderr: &str) -> String {
    if stderr.is_empty() { String::new() } else { format!(": {stderr}") }
}

/// Where programs are looked for.
#[derive(Debug, Clone)]
pub struct Tools {
    system: Arc<dyn System>,
    directories: Vec<PathBuf>,
}

impl Tools {
    /// `HA_SBIN_DIR` if it is set, then `PATH`, then where Debian and others keep what an administrator runs.
    pub fn from_env(system: Arc<dyn System>, env: &Env) -> Self {
        let mut directories: Vec<PathBuf> = env.sbin_dir().into_iter().collect();
        directories.extend(env.search_path());
        directories.extend(["/usr/sbin".into(), "/sbin".into()]);
        // A relative directory would find whatever lies where the agent happens to stand.
        directories.retain(|directory| directory.is_absolute());
        Self { system, directories }
    }

    /// Runs a command for at most `limit`, and gives what it printed on its standard output (the first 64 MiB).
    ///
    /// # Errors
    ///
    /// [`CommandError::NotFound`] where no directory has the command, [`CommandError::NotStarted`] where the system
    /// does not execute it, [`CommandError::TimedOut`] where it was killed after `limit`, [`CommandError::Failed`] for
    /// every exit code but 0, [`CommandError::Unreadable`] where its output is not UTF-8.
    pub fn run(&self, command: &str, arguments: &[&str], limit: Duration) -> Result<String, CommandError> {
        self.run_by(command, limit, |program| self.system.run_program(program, arguments, limit))
    }

    /// Runs a command that starts a daemon and ends. The daemon gets neither our parameters nor the signals that we
    /// have blocked.
    ///
    /// # Errors
    ///
    /// As for [`Tools::run`]: the command itself has to end within `limit`, the daemon that it leaves behind has not.
    pub fn start_daemon(&self, command: &str, limit: Duration) -> Result<(), CommandError> {
        self.run_by(command, limit, |program| self.system.run_daemon(program, limit)).map(drop)
    }

    /// Whether one of the directories has the command.
    pub fn has(&self, command: &str) -> bool {
        self.system.find_program(&self.directories, command).is_some()
    }

    fn run_by(
        &self,
        command: &str,
        limit: Duration,
        run: impl FnOnce(&Path) -> io::Result<Ended>,
    ) -> Result<String, CommandError> {
        let name = || command.to_owned();
        let program = self
            .system
            .find_program(&self.directories, command)
            .ok_or_else(|| CommandError::NotFound { command: name() })?;
        let Ended { failure, stdout, stderr } = run(&program).map_err(|error| match error.kind() {
            io::ErrorKind::TimedOut => CommandError::TimedOut { command: name(), limit },
            _ => CommandError::NotStarted { command: name(), error: error.to_string() },
        })?;
        if let Some(status) = failure {
            let stderr = one_line(&String::from_utf8_lossy(&stderr));
            return Err(CommandError::Failed { command: name(), status, stderr });
        }
        String::from_utf8(stdout).map_err(|_| CommandError::unreadable(command, "it is not UTF-8"))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::time::Instant;

    use super::*;
    use crate::system::Machine;

    /// A directory with one program, and the tools that find it there.
    fn tools(script: &str) -> (tempfile::TempDir, Tools) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("crm_probe");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let env = Env::from_pairs([("HA_SBIN_DIR", directory.path())]);
        (directory, Tools::from_env(Machine::system(), &env))
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
