//! The keys of a target: what its sessions are negotiated from and the daemon's own limits (`iscsi-scst/usr/param.c`).
//!
//! A number is read as C reads one, from the front: `32x` is 32, `x` is 0, `-1` is the largest there is.

use super::super::Errno;
use super::super::words::{Words, same_word};

/// The longest a data segment can be: what the kernel offers the daemon.
const LONGEST_SEGMENT: u32 = 1 << 20;
const DIGEST_NONE: u32 = 1;
const DIGEST_CRC32C: u32 = 2;

/// What a key can be.
#[derive(Debug, Clone, Copy)]
enum Range {
    Number(u32, u32),
    Bool,
    Digest,
    /// Taken and passed over.
    Ignored,
}

/// One key.
#[derive(Debug, Clone)]
struct Key {
    name: &'static str,
    default: u32,
    range: Range,
    /// It is an attribute of the target; the others can be given with `add_target` only.
    shown: bool,
}

const fn shown(name: &'static str, default: u32, range: Range) -> Key {
    Key { name, default, range, shown: true }
}

const fn hidden(name: &'static str, default: u32, range: Range) -> Key {
    Key { name, default, range, shown: false }
}

const KEYS: [Key; 25] = [
    shown("QueuedCommands", 32, Range::Number(1, 2048)),
    shown("RspTimeout", 90, Range::Number(2, 65535)),
    shown("NopInInterval", 30, Range::Number(0, 65535)),
    shown("NopInTimeout", 30, Range::Number(2, 65535)),
    shown("MaxSessions", 0, Range::Number(0, 65535)),
    shown("InitialR2T", 0, Range::Bool),
    shown("ImmediateData", 1, Range::Bool),
    hidden("MaxConnections", 1, Range::Number(1, 1)),
    shown("MaxRecvDataSegmentLength", LONGEST_SEGMENT, Range::Number(512, LONGEST_SEGMENT)),
    shown("MaxXmitDataSegmentLength", LONGEST_SEGMENT, Range::Number(512, LONGEST_SEGMENT)),
    shown("MaxBurstLength", LONGEST_SEGMENT, Range::Number(512, LONGEST_SEGMENT)),
    shown("FirstBurstLength", 65536, Range::Number(512, LONGEST_SEGMENT)),
    hidden("DefaultTime2Wait", 0, Range::Number(0, 0)),
    hidden("DefaultTime2Retain", 0, Range::Number(0, 0)),
    shown("MaxOutstandingR2T", 32, Range::Number(1, 65535)),
    hidden("DataPDUInOrder", 0, Range::Bool),
    hidden("DataSequenceInOrder", 0, Range::Bool),
    hidden("ErrorRecoveryLevel", 0, Range::Number(0, 0)),
    shown("HeaderDigest", DIGEST_NONE, Range::Digest),
    shown("DataDigest", DIGEST_NONE, Range::Digest),
    shown("RDMAExtensions", 0, Range::Bool),
    hidden("OFMarker", 0, Range::Bool),
    hidden("IFMarker", 0, Range::Bool),
    hidden("OFMarkInt", 2048, Range::Ignored),
    hidden("IFMarkInt", 2048, Range::Ignored),
];

/// The values of all keys of one target.
#[derive(Debug, Clone)]
pub(super) struct Keys([u32; KEYS.len()]);

impl Keys {
    /// As a target begins.
    pub(super) fn new() -> Self {
        Self(KEYS.map(|key| key.default))
    }

    /// The keys that are attributes.
    pub(super) fn attributes() -> impl Iterator<Item = &'static str> {
        KEYS.into_iter().filter(|key| key.shown).map(|key| key.name)
    }

    /// Where the key of that name, in any case, is.
    pub(super) fn find(name: &[u8]) -> Option<usize> {
        KEYS.iter().position(|key| same_word(name, key.name))
    }

    /// A key's value.
    pub(super) fn get(&self, name: &str) -> u32 {
        Self::find(name.as_bytes()).map_or(0, |at| self.0[at])
    }

    /// A key's value as text, and whether it is the default.
    pub(super) fn show(&self, at: usize) -> (String, bool) {
        (text(&KEYS[at], self.0[at]), self.0[at] == KEYS[at].default)
    }

    /// Takes the one word that is left as a key's value. EINVAL outside its range, and for a second word.
    pub(super) fn set(&mut self, at: usize, words: &mut Words<'_>) -> Result<(), Errno> {
        let word = words.word();
        if !words.word().is_empty() {
            return Err(Errno::EINVAL);
        }
        if let Some(value) = parsed(KEYS[at].range, word)? {
            self.0[at] = value;
        }
        Ok(())
    }
}

fn text(key: &Key, value: u32) -> String {
    match key.range {
        Range::Number(..) | Range::Ignored => value.to_string(),
        Range::Bool => if value == 0 { "No" } else { "Yes" }.to_owned(),
        Range::Digest => digest_text(value),
    }
}

/// The digests a set names.
fn digest_text(value: u32) -> String {
    let named = [(DIGEST_NONE, "None"), (DIGEST_CRC32C, "CRC32C")];
    named.iter().filter(|(bit, _)| value & bit != 0).map(|(_, name)| *name).collect::<Vec<_>>().join(",")
}

fn parsed(range: Range, word: &[u8]) -> Result<Option<u32>, Errno> {
    match range {
        Range::Number(least, most) => {
            let value = number(word);
            if (least..=most).contains(&value) { Ok(Some(value)) } else { Err(Errno::EINVAL) }
        }
        Range::Bool => match word {
            b"Yes" => Ok(Some(1)),
            b"No" => Ok(Some(0)),
            _ => Err(Errno::EINVAL),
        },
        Range::Digest => {
            let begins = |text: &[u8], name: &str| text.get(..name.len()).is_some_and(|head| same_word(head, name));
            let mut value = 0;
            for name in word.split(|b| *b == b',') {
                value |= match name {
                    name if begins(name, "None") => DIGEST_NONE,
                    name if begins(name, "CRC32C") => DIGEST_CRC32C,
                    _ => return Err(Errno::EINVAL),
                };
            }
            Ok(Some(value))
        }
        Range::Ignored => Ok(None),
    }
}

/// `strtol(word, NULL, 0)` as an unsigned number of 32 bit: what does not belong to the number is passed over.
fn number(word: &[u8]) -> u32 {
    let (negative, digits) = match word {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, word),
    };
    let (base, digits) = match digits {
        [b'0', b'x' | b'X', rest @ ..] if rest.first().is_some_and(u8::is_ascii_hexdigit) => (16, rest),
        [b'0', ..] => (8, digits),
        _ => (10, digits),
    };
    let values = digits.iter().map_while(|b| char::from(*b).to_digit(base));
    let value = values.fold(0_i64, |sum, digit| sum.saturating_mul(base.into()).saturating_add(digit.into()));
    let value = if negative { value.saturating_neg() } else { value };
    u32::try_from(value & 0xffff_ffff).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(name: &str, value: &str) -> Result<String, Errno> {
        let mut keys = Keys::new();
        let at = Keys::find(name.as_bytes()).expect("a key");
        keys.set(at, &mut Words::new(value.as_bytes()))?;
        Ok(keys.show(at).0)
    }

    #[test]
    fn numbers_are_read_from_the_front() {
        for (text, value) in [("32x", 32), ("x", 0), ("", 0), ("0x10", 16), ("010", 8), ("0x", 0), ("4294967297", 1)] {
            assert_eq!(number(text.as_bytes()), value, "{text}");
        }
        assert_eq!(number(b"-1"), u32::MAX);
        assert_eq!(number(b"99999999999999999999"), u32::MAX);
    }

    #[test]
    fn ranges_differ_and_only_some_begin_at_nothing() {
        assert_eq!(set("NopInInterval", "x\n").as_deref(), Ok("0"));
        assert_eq!(set("NopInTimeout", "x\n"), Err(Errno::EINVAL));
        assert_eq!(set("queuedcommands", "2048").as_deref(), Ok("2048"));
        assert_eq!(set("QueuedCommands", "2049"), Err(Errno::EINVAL));
        assert_eq!(set("MaxBurstLength", "1048577"), Err(Errno::EINVAL));
        assert_eq!(set("QueuedCommands", "1 2"), Err(Errno::EINVAL));
    }

    #[test]
    fn digests_are_shown_in_one_order() {
        assert_eq!(set("DataDigest", "crc32c,NONE").as_deref(), Ok("None,CRC32C"));
        assert_eq!(set("DataDigest", ""), Err(Errno::EINVAL));
        assert_eq!(set("ImmediateData", "yes"), Err(Errno::EINVAL));
    }
}
