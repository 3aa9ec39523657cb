//! The regular expressions that recordings carry for volatile paths and for paths a tree left out.
//!
//! They are few and short, and use Python's syntax with a look-ahead, which the usual crates leave out; so this is a
//! small backtracking matcher: literals, `.`, classes, `\d \w \s`, groups, `|`, `? * +`, anchors, `(?:` `(?=` `(?!`.
//! Anything else is an error, not a guess.

use thiserror::Error;

/// A pattern that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("pattern \"{pattern}\": {problem}")]
pub struct BadPattern {
    pattern: String,
    problem: &'static str,
}

/// A compiled pattern, searched for anywhere in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    branches: Branches,
}

type Branches = Vec<Vec<Piece>>;

#[derive(Debug, Clone, PartialEq, Eq)]
struct Piece {
    what: What,
    least: usize,
    most: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    Any,
    Set { ranges: Vec<(char, char)>, negated: bool },
    Start,
    End,
    Group(Branches),
    Ahead { branches: Branches, wanted: bool },
}

impl Pattern {
    /// Reads a pattern.
    pub fn new(pattern: &str) -> Result<Self, BadPattern> {
        let mut parser = Parser { chars: pattern.chars().collect(), at: 0 };
        let bad = |problem| BadPattern { pattern: pattern.to_owned(), problem };
        let branches = parser.branches().map_err(bad)?;
        if parser.at < parser.chars.len() {
            return Err(bad("a closing parenthesis without its opening one"));
        }
        Ok(Self { branches })
    }

    /// The pattern occurs somewhere in the text.
    pub fn is_found_in(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        (0..=text.len()).any(|at| match_branches(&self.branches, &text, at, &mut |_| true))
    }
}

struct Parser {
    chars: Vec<char>,
    at: usize,
}

impl Parser {
    fn next(&mut self) -> Option<char> {
        let next = self.chars.get(self.at).copied();
        self.at += 1;
        next
    }

    fn take(&mut self, text: &str) -> bool {
        let found = text.chars().enumerate().all(|(i, c)| self.chars.get(self.at + i) == Some(&c));
        if found {
            self.at += text.chars().count();
        }
        found
    }

    fn branches(&mut self) -> Result<Branches, &'static str> {
        let mut branches = vec![Vec::new()];
        while let Some(&next) = self.chars.get(self.at) {
            if next == ')' {
                break;
            }
            if self.take("|") {
                branches.push(Vec::new());
            } else {
                let piece = self.piece()?;
                branches.last_mut().into_iter().for_each(|branch| branch.push(piece.clone()));
            }
        }
        Ok(branches)
    }

    fn piece(&mut self) -> Result<Piece, &'static str> {
        let what = self.what()?;
        let (least, most) = if self.take("?") {
            (0, 1)
        } else if self.take("*") {
            (0, usize::MAX)
        } else if self.take("+") {
            (1, usize::MAX)
        } else {
            (1, 1)
        };
        if matches!(self.chars.get(self.at), Some('?' | '*' | '+' | '{')) {
            return Err("a repetition this matcher does not know");
        }
        Ok(Piece { what, least, most })
    }

    fn what(&mut self) -> Result<What, &'static str> {
        match self.next().ok_or("it ends too early")? {
            '.' => Ok(What::Any),
            '^' => Ok(What::Start),
            '$' => Ok(What::End),
            '[' => self.class(),
            '\\' => Ok(What::Set { ranges: self.escaped()?, negated: false }),
            '(' => {
                let ahead = if self.take("?!") {
                    Some(false)
                } else if self.take("?=") {
                    Some(true)
                } else if self.take("?") && !self.take(":") {
                    return Err("a group this matcher does not know");
                } else {
                    None
                };
                let branches = self.branches()?;
                if !self.take(")") {
                    return Err("a group that is not closed");
                }
                Ok(match ahead {
                    Some(wanted) => What::Ahead { branches, wanted },
                    None => What::Group(branches),
                })
            }
            '?' | '*' | '+' | '{' => Err("a repetition of nothing"),
            literal => Ok(What::Set { ranges: vec![(literal, literal)], negated: false }),
        }
    }

    fn escaped(&mut self) -> Result<Vec<(char, char)>, &'static str> {
        Ok(match self.next().ok_or("it ends with a backslash")? {
            'd' => vec![('0', '9')],
            'w' => vec![('0', '9'), ('A', 'Z'), ('a', 'z'), ('_', '_')],
            's' => vec![('\t', '\r'), (' ', ' ')],
            letter if letter.is_ascii_alphanumeric() => {
                return Err("an escape this matcher does not know");
            }
            literal => vec![(literal, literal)],
        })
    }

    fn class(&mut self) -> Result<What, &'static str> {
        const OPEN: &str = "a class that is not closed";
        let negated = self.take("^");
        let mut ranges = Vec::new();
        loop {
            match self.next().ok_or(OPEN)? {
                ']' if !ranges.is_empty() => return Ok(What::Set { ranges, negated }),
                '\\' => ranges.extend(self.escaped()?),
                first => {
                    let is_range = self.chars.get(self.at) == Some(&'-') && self.chars.get(self.at + 1) != Some(&']');
                    let last = if is_range {
                        self.at += 1;
                        self.next().ok_or(OPEN)?
                    } else {
                        first
                    };
                    ranges.push((first, last));
                }
            }
        }
    }
}

/// Tries the branches at `at`; `then` says whether the rest of the pattern matches from where a branch ended.
fn match_branches(branches: &Branches, text: &[char], at: usize, then: &mut dyn FnMut(usize) -> bool) -> bool {
    branches.iter().any(|branch| match_pieces(branch, text, at, then))
}

fn match_pieces(pieces: &[Piece], text: &[char], at: usize, then: &mut dyn FnMut(usize) -> bool) -> bool {
    match pieces.split_first() {
        None => then(at),
        Some((piece, rest)) => match_piece(piece, 0, text, at, &mut |at| match_pieces(rest, text, at, then)),
    }
}

/// Tries one more of the piece first (greedy), then to go on without it.
fn match_piece(piece: &Piece, have: usize, text: &[char], at: usize, then: &mut dyn FnMut(usize) -> bool) -> bool {
    let one_more = have < piece.most
        && match_what(&piece.what, text, at, &mut |end| {
            // A repetition that took nothing would repeat for ever.
            let progress = end > at || have < piece.least;
            progress && match_piece(piece, have + 1, text, end, then)
        });
    one_more || (have >= piece.least && then(at))
}

fn match_what(what: &What, text: &[char], at: usize, then: &mut dyn FnMut(usize) -> bool) -> bool {
    match what {
        What::Any => text.get(at).is_some_and(|c| *c != '\n') && then(at + 1),
        What::Set { ranges, negated } => {
            text.get(at).is_some_and(|c| ranges.iter().any(|(first, last)| (first..=last).contains(&c)) != *negated)
                && then(at + 1)
        }
        What::Start => at == 0 && then(at),
        What::End => at == text.len() && then(at),
        What::Group(branches) => match_branches(branches, text, at, then),
        What::Ahead { branches, wanted } => match_branches(branches, text, at, &mut |_| true) == *wanted && then(at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pattern: &str, text: &str) -> bool {
        Pattern::new(pattern).expect("a pattern this matcher knows").is_found_in(text)
    }

    #[test]
    fn a_pattern_is_searched_for_anywhere_unless_it_is_anchored() {
        assert!(found("/latency/", "targets/t/sessions/s/latency/x"));
        assert!(found("^version$", "version"));
        assert!(!found("^version$", "targets/qla2x00t/version"));
        assert!(found("exported", "d1/exported/export0"));
    }

    #[test]
    fn optional_parts_groups_and_classes() {
        assert!(found("^trace_m?cmds$", "trace_cmds"));
        assert!(found("^trace_m?cmds$", "trace_mcmds"));
        assert!(found("^sgv(/|$)", "sgv"));
        assert!(found("^sgv(/|$)", "sgv/global_stats"));
        assert!(!found("^sgv(/|$)", "sgv2"));
        let counter = "^targets/[^/]+/[^/]+/(unknown|write|read|bidi|none)_[a-z_]+$";
        assert!(found(counter, "targets/qla2x00t/50:01/read_io_count_kb"));
        assert!(!found(counter, "targets/qla2x00t/50:01/luns/read_only"));
        assert!(found(r"/lun\d+/(thread_pid|active_commands)$", "sessions/i/lun12/thread_pid"));
        assert!(!found(r"/lun\d+/thread_pid$", "sessions/i/lun/thread_pid"));
        assert!(found("^(a*)*b$", "aaab"));
    }

    #[test]
    fn a_look_ahead_takes_nothing() {
        let pattern = "^devices/d1/(?!exported|handler)";
        assert!(found(pattern, "devices/d1/block"));
        assert!(!found(pattern, "devices/d1/exported/export0"));
        assert!(found("a(?=b)b", "ab"));
    }

    #[test]
    fn what_it_does_not_know_is_an_error() {
        for pattern in ["a{2}", "a+?", "(?<n>a)", r"\b", "(a", "a)", "[a", "*"] {
            assert!(Pattern::new(pattern).is_err(), "{pattern}");
        }
    }
}
