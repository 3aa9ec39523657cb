//! Why an action did not reach its aim, and with which exit code it ends.

use std::fmt;

use nix::errno::Errno;

use super::exit::{ExitCode, one_line};
use crate::error::Error;

/// An action that did not reach its aim. The exit code is that of success where a failure would make the cluster stop what runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The exit code.
    pub code: ExitCode,
    /// One line for the administrator: cause and object first.
    pub reason: String,
    /// What to do about it, for the log.
    pub hint: Option<String>,
}

impl Failure {
    /// A failure with this code and reason. Control characters in the reason are made harmless: it is often built from what
    /// somebody else wrote, and a second line would replace the first in Pacemaker's eyes.
    pub fn new(code: ExitCode, reason: impl AsRef<str>) -> Self {
        Self { code, reason: one_line(reason.as_ref()), hint: None }
    }

    /// The same with advice for the log.
    #[must_use]
    pub fn with_hint(mut self, hint: impl AsRef<str>) -> Self {
        self.hint = Some(one_line(hint.as_ref()));
        self
    }

    /// Exit 1: failed for no reason that has a code of its own.
    pub fn generic(reason: impl AsRef<str>) -> Self {
        Self::new(ExitCode::Generic, reason)
    }

    /// Exit 2: impossible on this node.
    pub fn args(reason: impl AsRef<str>) -> Self {
        Self::new(ExitCode::Args, reason)
    }

    /// Exit 5: something is missing on this node.
    pub fn installed(reason: impl AsRef<str>) -> Self {
        Self::new(ExitCode::Installed, reason)
    }

    /// Exit 6: wrong on every node. Only for start and validate-all.
    pub fn configured(reason: impl AsRef<str>) -> Self {
        Self::new(ExitCode::Configured, reason)
    }

    /// Exit 7: the action needs a running instance, or monitor found none.
    pub fn not_running(reason: impl AsRef<str>) -> Self {
        Self::new(ExitCode::NotRunning, reason)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Failure {}

impl From<Error> for Failure {
    /// What the error means for a run that cannot go on: refused for want of privileges, or failed.
    fn from(error: Error) -> Self {
        let code = match error.errno() {
            Some(Errno::EACCES | Errno::EPERM) => ExitCode::Permission,
            _ => ExitCode::Generic,
        };
        let hint = match &error {
            Error::Hung { .. } => "the kernel goes on with the command; its log tells more",
            Error::Reservations { .. } => {
                "restore one of the two files, or delete both; without them the hosts' registrations and reservations are forgotten"
            }
            Error::NotSeen { .. } => "more time helps if the hardware is slow: the time-out of the operation",
            _ => "the kernel log may say more",
        };
        Self::new(code, error.to_string()).with_hint(hint)
    }
}
