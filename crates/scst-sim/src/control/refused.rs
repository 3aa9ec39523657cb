//! Why a command of the control file is not carried out.

use std::str::FromStr;

use nix::errno::Errno;

/// A command that was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Refused {
    /// What a writer of `ctl` is answered.
    pub errno: Errno,
    /// Why, in a sentence.
    pub reason: String,
}

impl Refused {
    pub(super) fn syntax(reason: impl Into<String>) -> Self {
        Self { errno: Errno::EINVAL, reason: reason.into() }
    }
}

pub(super) fn failed(what: &str, errno: Errno) -> Refused {
    Refused { errno, reason: format!("{what}: {errno}") }
}

pub(super) fn number<N: FromStr>(text: &str) -> Result<N, Refused> {
    text.parse().map_err(|_| Refused::syntax(format!("{text:?} is not a number that can be used here")))
}
