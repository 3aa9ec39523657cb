//! The type [`Failure`]: why an action did not succeed, and with which exit code it ends. Here also every [`Error`] of
//! the kernel gets its code.

use std::fmt;

use nix::errno::Errno;

use super::exit::{ExitCode, one_line};
use crate::error::Error;

/// What a failure says of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The action is refused until somebody changes the configuration, or the node.
    Permanent,
    /// The cluster, the kernel or a store did not answer, or answered an error: that says nothing of the configuration,
    /// and the same action may succeed later.
    Temporary,
}

/// Why an action did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The exit code.
    pub code: ExitCode,
    /// Whether the same action may succeed later.
    pub kind: Kind,
    /// One line for the administrator: cause and object first, because Pacemaker 2.1 shows only the first 128 bytes.
    pub reason: String,
    /// What to do about it, one line for the log.
    pub hint: Option<String>,
}

impl Failure {
    /// A permanent failure with this code and reason. The reason becomes one line ([`one_line`]): it often contains text
    /// from elsewhere, and Pacemaker would take the last of several lines for the reason.
    pub fn new(code: ExitCode, reason: impl AsRef<str>) -> Self {
        Self { code, kind: Kind::Permanent, reason: one_line(reason.as_ref()), hint: None }
    }

    /// The same failure as a temporary one, with exit code 1.
    #[must_use]
    pub fn temporary(self) -> Self {
        Self { code: ExitCode::Generic, kind: Kind::Temporary, ..self }
    }

    /// The same with advice for the log.
    #[must_use]
    pub fn with_hint(mut self, hint: impl AsRef<str>) -> Self {
        self.hint = Some(one_line(hint.as_ref()));
        self
    }

    /// Exit 1, temporary: failed, for a reason that has no code of its own.
    pub fn generic(reason: impl AsRef<str>) -> Self {
        Self::new(ExitCode::Generic, reason).temporary()
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
    /// The failure of a run that this error ends: exit 4 for EACCES and EPERM, else exit 1 and temporary, with a hint
    /// for the operator.
    fn from(error: Error) -> Self {
        let hint = match &error {
            Error::Hung { .. } => "the kernel goes on with the command; its log tells more",
            Error::Reservations { .. } => {
                "restore one of the two files, or delete both; without them the hosts' registrations and reservations are forgotten"
            }
            Error::NotSeen { .. } => "more time helps if the hardware is slow: the time-out of the operation",
            _ => "the kernel log may say more",
        };
        let failure = Self::new(ExitCode::Permission, error.to_string()).with_hint(hint);
        match error.errno() {
            // Whoever is denied a file is denied it for good.
            Some(Errno::EACCES | Errno::EPERM) => failure,
            _ => failure.temporary(),
        }
    }
}
