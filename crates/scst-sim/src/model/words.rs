//! The grammar of SCST's management files (`scst_get_next_lexem`, `scst_get_next_token_str` in `scst_lib.c`).
//!
//! A command is C text: it ends at the first NUL byte. Words are separated by runs of white space or `=`;
//! parameters are first cut at `;` or newline.

/// The kernel's `isspace`: ASCII white space and, as in Latin-1, the no-break space.
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | b' ' | 0xa0)
}

/// The kernel's `tolower`, which knows the letters of Latin-1.
pub(super) fn lower(byte: u8) -> u8 {
    match byte {
        b'A'..=b'Z' | 0xc0..=0xd6 | 0xd8..=0xde => byte + 32,
        other => other,
    }
}

/// `strcasecmp(a, b) == 0`.
pub(super) fn same_word(a: &[u8], b: &str) -> bool {
    a.len() == b.len() && a.iter().zip(b.bytes()).all(|(x, y)| lower(*x) == lower(y))
}

/// What C sees of a buffer: everything before the first NUL.
pub(super) fn c_text(data: &[u8]) -> &[u8] {
    data.split(|b| *b == 0).next().unwrap_or(data)
}

/// The text before the first newline.
pub(super) fn first_line(text: &[u8]) -> &[u8] {
    text.split(|b| *b == b'\n').next().unwrap_or(text)
}

/// The text without white space at either end.
pub(super) fn trimmed(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|b| !is_space(*b)).unwrap_or(text.len());
    let end = text.iter().rposition(|b| !is_space(*b)).map_or(start, |p| p + 1);
    &text[start..end.max(start)]
}

/// Reads words and parameters off a command from left to right.
#[derive(Debug, Clone)]
pub(super) struct Words<'a> {
    rest: &'a [u8],
    ended: bool,
}

impl<'a> Words<'a> {
    /// Starts at the beginning of a command.
    pub(super) fn new(command: &'a [u8]) -> Self {
        Self { rest: c_text(command), ended: false }
    }

    /// The next word; empty at the end. One separator behind it is used up.
    pub(super) fn word(&mut self) -> &'a [u8] {
        let separates = |b: &u8| is_space(*b) || *b == b'=';
        let start = self.rest.iter().position(|b| !separates(b)).unwrap_or(self.rest.len());
        let text = &self.rest[start..];
        let len = text.iter().position(separates).unwrap_or(text.len());
        self.rest = text.get(len + 1..).unwrap_or_default();
        &text[..len]
    }

    /// Everything that has not been read.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next parameter, without its `;` or newline. An empty one ends the list, whatever follows.
    pub(super) fn parameter(&mut self) -> Option<Words<'a>> {
        if self.ended {
            return None;
        }
        let len = self.rest.iter().position(|b| matches!(b, b';' | b'\n'));
        let text = &self.rest[..len.unwrap_or(self.rest.len())];
        match len {
            Some(len) => self.rest = &self.rest[len + 1..],
            None => self.ended = true,
        }
        (!text.is_empty()).then(|| Words::new(text))
    }
}

/// How initiator names of a group match an initiator: no case, `*`, `?`, and `!` before the part to negate.
pub(super) fn matches_initiator(pattern: &[u8], name: &[u8]) -> bool {
    matches_from(pattern, name, true)
}

/// The same without negation: `*` and `?` only, and case does not matter.
pub(super) fn matches_glob(pattern: &[u8], text: &[u8]) -> bool {
    matches_from(pattern, text, false)
}

fn matches_from(pattern: &[u8], name: &[u8], may_negate: bool) -> bool {
    let (mut p, mut n) = (0, 0);
    // Where to take up again when a `*` has to swallow one byte more.
    let mut retry: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'!') if may_negate => return !matches_from(&pattern[p + 1..], &name[n..], false),
            Some(b'*') => {
                p += 1;
                if p == pattern.len() {
                    return true;
                }
                retry = Some((p, n + 1));
            }
            Some(c) if *c == b'?' || lower(*c) == lower(name[n]) => {
                p += 1;
                n += 1;
            }
            _ => match retry {
                Some((pattern_at, name_at)) => {
                    (p, n) = (pattern_at, name_at);
                    retry = Some((pattern_at, name_at + 1));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_end_at_blanks_and_equal_signs() {
        let mut words = Words::new(b"  add_device=d one\ttwo\n");
        let all: Vec<_> = std::iter::from_fn(|| Some(words.word()).filter(|w| !w.is_empty())).collect();
        assert_eq!(all, [&b"add_device"[..], b"d", b"one", b"two"]);
    }

    #[test]
    fn an_empty_parameter_ends_the_list() {
        let mut words = Words::new(b"a=1;b=2;;c=3\n");
        assert_eq!(words.parameter().unwrap().word(), b"a");
        assert_eq!(words.parameter().unwrap().word(), b"b");
        assert!(words.parameter().is_none());
    }

    #[test]
    fn a_parameter_of_blanks_is_there_but_has_no_word() {
        let mut words = Words::new(b"a=1; ");
        assert!(words.parameter().is_some());
        assert_eq!(words.parameter().unwrap().word(), b"");
    }

    #[test]
    fn initiators_match_by_wildcards_without_case() {
        assert!(matches_initiator(b"21:00:*", b"21:00:00:24"));
        assert!(matches_initiator(b"*24:FF:*:01", b"21:24:ff:24:ff:00:01"));
        assert!(matches_initiator(b"50:0?", b"50:0a"));
        assert!(!matches_initiator(b"50:0?", b"50:0"));
        assert!(matches_initiator(b"!iqn*", b"21:00"));
        assert!(!matches_initiator(b"!iqn*", b"IQN.x"));
        assert!(!matches_initiator(b"", b"x"));
    }
}
