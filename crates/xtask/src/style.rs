//! Colours for a terminal, and none for anything else (<https://no-color.org>).

use std::env::var_os;
use std::io::{IsTerminal, stdout};

/// Whether to colour.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    colour: bool,
}

impl Style {
    /// What standard output can show.
    pub(crate) fn detect() -> Self {
        let refused = var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = var_os("TERM").is_some_and(|value| value == "dumb");
        Self { colour: stdout().is_terminal() && !refused && !dumb }
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    pub(crate) fn red(self, text: &str) -> String {
        self.paint("1;31", text)
    }

    pub(crate) fn green(self, text: &str) -> String {
        self.paint("32", text)
    }

    pub(crate) fn yellow(self, text: &str) -> String {
        self.paint("33", text)
    }

    pub(crate) fn magenta(self, text: &str) -> String {
        self.paint("35", text)
    }

    pub(crate) fn cyan(self, text: &str) -> String {
        self.paint("36", text)
    }
}
