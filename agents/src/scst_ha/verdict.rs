//! The type [`Verdict`]: how a run of the tool ended, and its exit code.

use std::process::ExitCode;

/// How a run ended. The numbers are in the help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Everything was shown, and nothing differs.
    Right,
    /// Something differs from the configuration.
    Differs,
    /// Something could not be read or done.
    Failed,
}

impl From<Verdict> for ExitCode {
    fn from(verdict: Verdict) -> Self {
        Self::from(match verdict {
            Verdict::Right => 0,
            Verdict::Failed => 1,
            // 2 is a wrong command line.
            Verdict::Differs => 3,
        })
    }
}
