//! The names of initiators: what an initiator group holds, a name or a pattern.

use std::fmt;

use super::driver::Driver;
use super::name_grammar::{MAX_COMPONENT, NameError, readable, word};

/// An initiator's name inside an initiator group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InitiatorName(String);

impl InitiatorName {
    /// A configured Fibre Channel initiator, in any of the spellings of [`super::names::TargetName::parse`].
    ///
    /// # Errors
    ///
    /// The text is no WWPN.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        Driver::Qla2x00t.spelled(word(text, MAX_COMPONENT)?).map(Self)
    }

    /// A configured initiator of `driver`, in lower case: a name, or a pattern with `*` and `?`, each also negated by a leading `!`.
    /// For an iSCSI target with `per_portal_acl`, `#` and a portal's address may follow the initiator's name.
    ///
    /// # Errors
    ///
    /// The text is no word of a command (see [`super::names::TargetName::seen`]), or is no pattern and has not the form of this
    /// driver's names.
    pub fn of_driver(driver: Driver, text: &str) -> Result<Self, NameError> {
        let lower = word(text, MAX_COMPONENT)?.to_ascii_lowercase();
        let (negation, name) = lower.strip_prefix('!').map_or(("", lower.as_str()), |name| ("!", name));
        if name.is_empty() {
            return Err(NameError::Empty);
        }
        if name.contains(['*', '?']) {
            return Ok(Self(lower));
        }
        match name.split_once('#').filter(|_| driver == Driver::Iscsi) {
            Some((name, portal)) => Ok(Self(format!("{negation}{}#{portal}", driver.spelled(name)?))),
            None => driver.spelled(name).map(|name| Self(format!("{negation}{name}"))),
        }
    }

    /// A name that the kernel listed; wildcards and other drivers' names are possible there.
    ///
    /// # Errors
    ///
    /// The text is no word of a command: the kernel lists initiators that no command of ours could name.
    pub fn seen(text: &str) -> Result<Self, NameError> {
        word(text, MAX_COMPONENT).map(|text| Self(text.to_owned()))
    }

    /// Whether an initiator can exist that the kernel takes for both (`wildcmp` in `scst_targ.c`, without regard to
    /// case). What the patterns alone do not decide counts as possible.
    pub fn overlaps(&self, other: &Self) -> bool {
        let (a, b) = (self.0.to_ascii_lowercase(), other.0.to_ascii_lowercase());
        let is_name = |text: &str| !text.contains(['*', '?']);
        match (a.strip_prefix('!'), b.strip_prefix('!')) {
            (None, None) => meet(a.as_bytes(), b.as_bytes()),
            (Some(not), None) if is_name(&b) => !meet(not.as_bytes(), b.as_bytes()),
            (None, Some(not)) if is_name(&a) => !meet(not.as_bytes(), a.as_bytes()),
            (Some(not), None) => not != b && not != "*",
            (None, Some(not)) => not != a && not != "*",
            (Some(a), Some(b)) => a != "*" && b != "*",
        }
    }
}

/// Whether two patterns match one text.
pub(super) fn meet(a: &[u8], b: &[u8]) -> bool {
    // `reached[j]`: the part of `a` so far and the first `j` characters of `b` match one text.
    let mut reached: Vec<bool> = (0..=b.len()).map(|j| b[..j].iter().all(|c| *c == b'*')).collect();
    for c in a {
        let mut next = vec![*c == b'*' && reached[0]];
        for (j, d) in b.iter().enumerate() {
            next.push(match (c, d) {
                (b'*', _) | (_, b'*') => reached[j + 1] || next[j],
                _ => reached[j] && (c == d || *c == b'?' || *d == b'?'),
            });
        }
        reached = next;
    }
    reached[b.len()]
}

readable!(InitiatorName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initiators_of_every_driver_are_names_or_patterns() {
        let read = |driver, text| InitiatorName::of_driver(driver, text).map(|name| name.to_string()).ok();
        for (driver, text, name) in [
            (Driver::Qla2x00t, "5001438003B02334", Some("50:01:43:80:03:b0:23:34")),
            (Driver::Qla2x00t, "50:01:43:*", Some("50:01:43:*")),
            (Driver::Qla2x00t, "50:01:43", None),
            (Driver::Iscsi, "iqn.1993-08.org.Debian:01:a_b", Some("iqn.1993-08.org.debian:01:a_b")),
            (Driver::Iscsi, "!iqn.1993-08.org.debian:*", Some("!iqn.1993-08.org.debian:*")),
            (Driver::Iscsi, "iqn.1993-08.org.debian:01#10.0.1.11", Some("iqn.1993-08.org.debian:01#10.0.1.11")),
            (Driver::Iscsi, "debian", None),
            (Driver::Iscsi, "!", None),
            (Driver::Iscsi, "iqn.1993-08.org.debian:a/*", None),
            (Driver::IbSrpt, "0002:C903:0005:F34F", Some("0002:c903:0005:f34f")),
            (Driver::ScstLocal, "Any", Some("any")),
        ] {
            assert_eq!(read(driver, text).as_deref(), name, "{driver} {text}");
        }
    }

    #[test]
    fn names_and_patterns_meet_as_the_kernel_compares_them() {
        let overlap = |a: &str, b: &str| {
            let [a, b] = [a, b].map(|text| InitiatorName::seen(text).unwrap());
            assert_eq!(a.overlaps(&b), b.overlaps(&a), "{a} {b}");
            a.overlaps(&b)
        };
        for (a, b) in
            [("iqn.A", "iqn.a"), ("a*", "*b"), ("a?c", "ab*"), ("*", "x"), ("!a", "b"), ("!a*", "*"), ("!a", "!b")]
        {
            assert!(overlap(a, b), "{a} {b}");
        }
        for (a, b) in [("a", "b"), ("a*", "b*"), ("a?", "a"), ("a*c", "ab"), ("!a*", "ab"), ("!*", "x"), ("!a*", "a*")]
        {
            assert!(!overlap(a, b), "{a} {b}");
        }
    }
}
