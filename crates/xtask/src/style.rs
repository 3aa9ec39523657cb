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

    /// A text in one of these colours.
    pub(crate) fn paint(self, colour: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

pub(crate) const BOLD: &str = "1";
pub(crate) const DIM: &str = "2";
pub(crate) const RED: &str = "1;31";
pub(crate) const GREEN: &str = "32";
pub(crate) const YELLOW: &str = "33";
pub(crate) const MAGENTA: &str = "35";
pub(crate) const CYAN: &str = "36";
