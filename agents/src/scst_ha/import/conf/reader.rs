//! A file line by line and character by character: comments, backslashes, braces.

use std::borrow::Cow;

use super::words::{of_users, old_format, shown};
use super::{Block, Conf};

/// Blocks that stand deeper in each other than this are passed over: scstadmin knows four levels.
const MAX_DEPTH: usize = 32;

/// Reads a file.
///
/// # Errors
///
/// That it is of the format before SCST 2.0, which only scstadmin can convert.
pub fn parse(bytes: &[u8]) -> Result<Conf, String> {
    let mut reader = Reader::default();
    let mut rest = bytes;
    if let Some(behind) = bytes.strip_prefix(b"\xef\xbb\xbf") {
        // scstadmin takes the mark for the beginning of the first word, which it then does not know.
        reader.conf.warn(1, "a byte order mark stands before the first word, which scstadmin does not know then");
        rest = behind;
        reader.line.push('\u{feff}');
    }
    let mut number = 0;
    while !rest.is_empty() && !reader.ended {
        number += 1;
        let (line, ended) = match rest.iter().position(|byte| *byte == b'\n') {
            Some(end) => {
                let line = &rest[..end];
                rest = &rest[end + 1..];
                (line, true)
            }
            None => (std::mem::take(&mut rest), false),
        };
        let line = String::from_utf8_lossy(line);
        if matches!(line, Cow::Owned(_)) {
            reader.conf.warn(number, "it is not UTF-8; what is not is shown as \u{fffd}");
        }
        reader.line(&line, number, ended)?;
    }
    Ok(reader.end(number))
}

/// A block that is open: the words before its brace, and what stands around it.
#[derive(Debug)]
struct Open {
    words: String,
    line: usize,
    around: Block,
}

/// The state between two characters.
#[derive(Debug, Default)]
struct Reader {
    conf: Conf,
    open: Vec<Open>,
    /// Blocks too deep to be kept.
    too_deep: usize,
    /// What is being filled.
    here: Block,
    /// The statement that has not ended yet.
    line: String,
    /// A statement of users stands on this line before: what follows may be the rest of a secret.
    users: Option<&'static str>,
    /// A brace too many has ended the file.
    ended: bool,
}

impl Reader {
    fn line(&mut self, line: &str, number: usize, ended: bool) -> Result<(), String> {
        let line = self.without_comment(line, number);
        if let Some(word) = old_format(line) {
            return Err(format!(
                "line {number}: [{word} …] is the format before SCST 2.0: have scstadmin read it, and import what the kernel has then"
            ));
        }
        let line = self.without_backslashes(line, number);
        let mut rest = line.as_ref();
        self.users = None;
        while let Some(at) = rest.find(['{', '}']) {
            self.line.push_str(&rest[..at]);
            self.users = self.users.or_else(|| of_users(&self.line));
            if rest[at..].starts_with('{') {
                self.begin(number);
            } else {
                self.close(number);
                if self.ended {
                    return Ok(());
                }
            }
            rest = &rest[at + 1..];
        }
        if self.users.is_some() && of_users(rest).is_none() && !rest.trim().is_empty() {
            self.conf.warn(number, "what stands behind users and a brace on one line is lost");
            rest = "";
        }
        self.line.push_str(rest);
        if ended {
            let words = std::mem::take(&mut self.line);
            self.conf.state(&mut self.here, &words, Block::default(), number);
        }
        Ok(())
    }

    /// Up to the first `#` without a backslash before it; the character before goes as well, unless it begins the line.
    fn without_comment<'a>(&mut self, line: &'a str, number: usize) -> &'a str {
        if line.starts_with('#') {
            return "";
        }
        if !line.contains('#') {
            return line;
        }
        let mut before: Option<(usize, char)> = None;
        for (at, letter) in line.char_indices() {
            if let Some((start, lost)) = before.filter(|(_, lost)| letter == '#' && *lost != '\\') {
                if !lost.is_whitespace() {
                    let lost = if of_users(line).is_some() { String::new() } else { format!(" {lost:?}") };
                    self.conf.warn(number, &format!("the character{lost} before the # goes with the comment"));
                }
                return &line[..start];
            }
            before = Some((at, letter));
        }
        line
    }

    /// Each backslash goes, and the character behind it stays.
    fn without_backslashes<'a>(&mut self, line: &'a str, number: usize) -> Cow<'a, str> {
        if !line.contains('\\') {
            return line.into();
        }
        let users = of_users(&line.replace('\\', "")).is_some();
        let mut text = String::with_capacity(line.len());
        let mut letters = line.chars();
        while let Some(letter) = letters.next() {
            match (letter, if letter == '\\' { letters.next() } else { None }) {
                ('\\', Some(kept)) => {
                    if users {
                        self.conf.warn(number, "a backslash goes");
                    } else if matches!(kept, '{' | '}' | '"') {
                        self.conf.warn(
                            number,
                            &format!("the backslash before {kept} goes, and {kept} means what it means without"),
                        );
                    } else if !matches!(kept, '#' | '\\') {
                        self.conf.warn(number, &format!("the backslash before {kept:?} goes"));
                    }
                    text.push(kept);
                }
                (letter, _) => text.push(letter),
            }
        }
        text.into()
    }

    fn begin(&mut self, number: usize) {
        let words = std::mem::take(&mut self.line);
        if words.matches('"').count() % 2 == 1 {
            self.conf.warn(number, "a brace begins a block inside quotes as well");
        }
        if self.open.len() >= MAX_DEPTH {
            if self.too_deep == 0 {
                self.conf.warn(number, "blocks stand too deep in each other, they are passed over");
            }
            self.too_deep += 1;
            return;
        }
        // What is empty or the word 0 is false to Perl.
        if words.trim().is_empty() || words == "0" {
            self.conf.warn(
                number,
                "a block without words before its brace, on the same line, is lost with everything in it",
            );
        }
        let around = std::mem::take(&mut self.here);
        self.open.push(Open { words, line: number, around });
    }

    fn close(&mut self, number: usize) {
        let words = std::mem::take(&mut self.line);
        if !words.trim().is_empty() {
            let shown = shown(self.users.unwrap_or(&words));
            self.conf.warn(number, &format!("{shown} stands before a closing brace on the same line, and is lost"));
        }
        if self.too_deep > 0 {
            self.too_deep -= 1;
            return;
        }
        let Some(Open { words, line, around }) = self.open.pop() else {
            self.conf.warn(number, "a closing brace without a block: everything behind it is lost");
            self.ended = true;
            return;
        };
        let child = std::mem::replace(&mut self.here, around);
        self.finish(&words, child, line);
    }

    fn finish(&mut self, words: &str, child: Block, line: usize) {
        if words != "0" {
            self.conf.state(&mut self.here, words, child, line);
        }
    }

    fn end(mut self, number: usize) -> Conf {
        if !self.ended && !self.line.trim().is_empty() {
            let text = format!("{} is lost, because no newline ends the last line", shown(&self.line));
            self.conf.warn(number, &text);
        }
        while let Some(Open { words, line, around }) = self.open.pop() {
            self.conf.warn(line, &format!("the block {} is not closed; it ends with the file", shown(&words)));
            let child = std::mem::replace(&mut self.here, around);
            self.finish(&words, child, line);
        }
        self.conf.root = self.here;
        self.conf
    }
}
