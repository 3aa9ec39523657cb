//! The types [`Answer`] and [`ExitCode`], which an action ends with, and with [`Failure`] the reason that Pacemaker shows.
//!
//! The codes are those of the OCF resource agent API 1.1. Pacemaker 2.1 keeps the first 128 bytes of the last
//! `ocf-exit-reason:` line of stderr, so a reason starts with cause and object; advice goes to the log as the hint.

use std::fmt;

pub use super::failure::{Failure, Kind};

/// The exit codes of the resource agent API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// Done; for monitor: running, and unpromoted where roles exist.
    Success = 0,
    /// Failed, and no better code exists.
    Generic = 1,
    /// The configuration cannot work on this node.
    Args = 2,
    /// The action is unknown.
    Unimplemented = 3,
    /// Privileges are missing.
    Permission = 4,
    /// A module, port, program or backing file is missing on this node.
    Installed = 5,
    /// The configuration is wrong on every node: the cluster stops the resource everywhere.
    Configured = 6,
    /// Monitor: cleanly stopped.
    NotRunning = 7,
    /// Monitor: running and promoted.
    Promoted = 8,
    /// Monitor: promoted and broken.
    FailedPromoted = 9,
}

impl ExitCode {
    /// The number the process ends with.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The name OCF gives the code.
    pub fn name(self) -> &'static str {
        match self {
            Self::Success => "OCF_SUCCESS",
            Self::Generic => "OCF_ERR_GENERIC",
            Self::Args => "OCF_ERR_ARGS",
            Self::Unimplemented => "OCF_ERR_UNIMPLEMENTED",
            Self::Permission => "OCF_ERR_PERM",
            Self::Installed => "OCF_ERR_INSTALLED",
            Self::Configured => "OCF_ERR_CONFIGURED",
            Self::NotRunning => "OCF_NOT_RUNNING",
            Self::Promoted => "OCF_RUNNING_PROMOTED",
            Self::FailedPromoted => "OCF_FAILED_PROMOTED",
        }
    }
}

impl fmt::Display for ExitCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.number(), self.name())
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        code.number().into()
    }
}

/// How an action ended that has not failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It did what it was asked for. For monitor the code says what runs.
    Done(ExitCode),
    /// A reload that let everything run on and left undone what the failure says. It ends with exit code 0, because
    /// Pacemaker would stop what runs for any other; the reason is shown all the same.
    LeftUndone(Failure),
}

impl Answer {
    /// The exit code.
    pub fn code(&self) -> ExitCode {
        match self {
            Self::Done(code) => *code,
            Self::LeftUndone(_) => ExitCode::Success,
        }
    }

    /// What was left undone.
    pub fn left_undone(&self) -> Option<&Failure> {
        match self {
            Self::Done(_) => None,
            Self::LeftUndone(failure) => Some(failure),
        }
    }
}

impl From<ExitCode> for Answer {
    fn from(code: ExitCode) -> Self {
        Self::Done(code)
    }
}

/// Replaces characters that could end a line or control a terminal by a blank, and several blanks by one.
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.trim().chars() {
        // U+2028 and U+2029 end a line for some viewers although they are no control characters.
        let c = if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') { ' ' } else { c };
        if !(c == ' ' && line.ends_with(' ')) {
            line.push(c);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_reason_is_one_line_whatever_it_was_built_from() {
        let failure = Failure::generic("port 21:00 :\nenable\r\n failed\u{1b}[31m\u{2028}x");
        assert_eq!(failure.reason, "port 21:00 : enable failed [31m x");
    }

    #[test]
    fn codes_have_the_numbers_of_the_interface() {
        let numbers: Vec<u8> = [
            ExitCode::Success,
            ExitCode::Generic,
            ExitCode::Args,
            ExitCode::Unimplemented,
            ExitCode::Permission,
            ExitCode::Installed,
            ExitCode::Configured,
            ExitCode::NotRunning,
            ExitCode::Promoted,
            ExitCode::FailedPromoted,
        ]
        .into_iter()
        .map(ExitCode::number)
        .collect();
        assert_eq!(numbers, (0..10).collect::<Vec<u8>>());
        assert_eq!(ExitCode::NotRunning.to_string(), "7 (OCF_NOT_RUNNING)");
    }

    proptest! {
        #[test]
        fn no_text_yields_a_second_line(text in any::<String>()) {
            let line = one_line(&text);
            prop_assert!(!line.chars().any(char::is_control));
            prop_assert_eq!(one_line(&line), line.trim_end().to_owned());
        }
    }
}
