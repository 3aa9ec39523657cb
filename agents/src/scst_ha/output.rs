//! What goes to standard output: text for people, with colours and folded lines on a terminal only, or JSON for programs.

use std::io::{ErrorKind, IsTerminal as _, Write as _};

use scst_core::ocf::exit::{Failure, one_line};
use serde::Serialize;

/// The version of everything that is printed as JSON. It rises when a field goes or changes its meaning; a new field leaves it.
pub(super) const JSON_VERSION: u32 = 1;

/// Prints text to the end. A reader that has seen enough is no failure.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::generic(format!("cannot print: {error}"))),
        _ => Ok(()),
    }
}

/// Data with its version.
#[derive(Serialize)]
struct Versioned<'a, T> {
    version: u32,
    #[serde(flatten)]
    data: &'a T,
}

/// Prints data for programs.
pub(super) fn print_json(data: &impl Serialize) -> Result<(), Failure> {
    print(&(json(data)? + "\n"))
}

/// Data for programs, with its version.
pub(super) fn json(data: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string_pretty(&Versioned { version: JSON_VERSION, data })
        .map_err(|error| Failure::generic(format!("cannot print: {error}")))
}

/// How strongly something is to be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    /// All is well.
    Good,
    /// It should be looked at.
    Attention,
    /// It is wrong.
    Bad,
    /// A heading.
    Strong,
    /// Of little weight.
    Faint,
}

/// Where text goes to: whether it takes colours, and how wide it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) terminal: bool,
    pub(super) colours: bool,
    /// In characters; nothing where lines are not folded.
    pub(super) width: Option<usize>,
}

impl Page {
    /// A pipe or a file: plain, in lines as long as they are.
    pub(super) const PLAIN: Self = Self { terminal: false, colours: false, width: None };

    /// Standard output. `ask` is asked for the size of the terminal, as `stty size` prints it, if it is one.
    pub(super) fn stdout(ask: impl FnOnce() -> Option<String>) -> Self {
        if !std::io::stdout().is_terminal() {
            return Self::PLAIN;
        }
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let colours = variable("NO_COLOR").is_none() && variable("TERM").is_none_or(|terminal| terminal != "dumb");
        let columns = variable("COLUMNS").and_then(|columns| columns.parse().ok());
        let width = columns.or_else(|| ask()?.split_whitespace().nth(1)?.parse().ok());
        Self { terminal: true, colours, width: width.filter(|width| *width >= MIN_WIDTH) }
    }

    /// Somebody looks at it.
    pub(super) fn is_terminal(self) -> bool {
        self.terminal
    }

    /// A text in a tone.
    pub(super) fn paint(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Good => "32",
            Tone::Attention => "33",
            Tone::Bad => "31",
            Tone::Strong => "1",
            Tone::Faint => "2",
        };
        if self.colours { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// Sentences as one paragraph behind an indent, folded where the page ends.
    pub(super) fn paragraph(self, indent: &str, text: &str) -> String {
        let text = one_line(text);
        let Some(width) = self.width else { return format!("{indent}{text}\n") };
        fold(&text, width.saturating_sub(indent.chars().count()).max(MIN_WIDTH / 2))
            .into_iter()
            .map(|line| format!("{indent}{line}\n"))
            .collect()
    }
}

/// A terminal narrower than this, in characters, is taken for one that does not know its size.
const MIN_WIDTH: usize = 30;

/// Breaks a text at blanks into lines of at most so many characters; a longer word has a line of its own.
pub(super) fn fold(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = vec![String::new()];
    let mut used = 0;
    for word in text.split(' ') {
        let length = word.chars().count();
        if used > 0 && used + 1 + length > width {
            lines.push(String::new());
            used = 0;
        }
        let line = lines.last_mut().expect("there is always a line");
        if used > 0 {
            line.push(' ');
            used += 1;
        }
        line.push_str(word);
        used += length;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_folded_at_blanks() {
        assert_eq!(fold("one two three", 7), ["one two", "three"]);
        assert_eq!(fold("a-word-that-is-long b", 5), ["a-word-that-is-long", "b"]);
        assert_eq!(fold("", 5), [""]);
        let page = Page { width: Some(30), ..Page::PLAIN };
        assert_eq!(
            page.paragraph("    ", "aaaaaaaaaaaaaaa bbbbbbbbbbbbbbb c"),
            "    aaaaaaaaaaaaaaa\n    bbbbbbbbbbbbbbb c\n"
        );
        assert_eq!(Page::PLAIN.paragraph("  ", "a\nb"), "  a b\n");
    }

    #[test]
    fn only_a_terminal_has_colours() {
        assert_eq!(Page::PLAIN.paint(Tone::Bad, "x"), "x");
        assert_eq!(Page { colours: true, ..Page::PLAIN }.paint(Tone::Bad, "x"), "\u{1b}[31mx\u{1b}[0m");
    }

    #[test]
    fn data_has_its_version_first() {
        #[derive(Serialize)]
        struct Data {
            a: u8,
        }
        assert_eq!(json(&Data { a: 1 }).unwrap(), "{\n  \"version\": 1,\n  \"a\": 1\n}");
    }
}
