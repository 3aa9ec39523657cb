//! What only targets of iSCSI have: portals, users of CHAP, and the daemon that holds them
//! (`iscsi-scst/kernel/config.c`).

use std::fmt;

use super::initiator::meet;
use super::name_grammar::{readable, some_without};
use super::names::{EntryName, NameError};
use super::target;
use crate::scst::names::Driver;

/// The file that says whether the driver's daemon runs: `open`, `closing`, `closed`. The kernel answers it without the
/// daemon.
pub fn open_state(driver: Driver) -> String {
    format!("{}/open_state", target::driver(driver))
}

/// One word of a command of the daemon.
fn word(text: &str, more: impl Fn(char) -> bool) -> Result<String, NameError> {
    some_without(text, 255, |c| !c.is_ascii_graphic() || matches!(c, '=' | ';' | '"' | '\'') || more(c))
        .map(str::to_owned)
}

/// An address by which a target may be reached, or a pattern of addresses (`allowed_portal`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Portal(String);

impl Portal {
    /// A configured address or pattern, `!` before it for "not". It has no port: the daemon has one for all, and an
    /// address with one would never match.
    ///
    /// # Errors
    ///
    /// The text is neither an address nor a pattern of addresses; an address with a port is neither.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let name = text.strip_prefix('!').unwrap_or(text);
        if name.parse::<std::net::IpAddr>().is_ok() {
            return Ok(Self(text.to_owned()));
        }
        let portal = Self::seen(text)?;
        let pattern = name.contains(['*', '?']) && name.chars().all(|c| c.is_ascii_hexdigit() || ".:*?".contains(c));
        if !pattern || (name.contains('.') && name.contains(':')) {
            return Err(NameError::Form("an address or a pattern of addresses, without a port"));
        }
        Ok(portal)
    }

    /// A portal that the kernel showed.
    ///
    /// # Errors
    ///
    /// The text is empty, longer than 255 bytes, or has a blank, `=`, `;`, a quote or a character that is not visible
    /// ASCII.
    pub fn seen(text: &str) -> Result<Self, NameError> {
        word(text, |_| false).map(Self)
    }

    /// Whether initiators may arrive at this address, as far as this portal goes (`wildcmp` in `iscsi-scst/usr/misc.c`).
    pub fn allows(&self, address: &str) -> bool {
        let matches =
            |pattern: &str| meet(pattern.to_ascii_lowercase().as_bytes(), address.to_ascii_lowercase().as_bytes());
        self.0.strip_prefix('!').map_or_else(|| matches(&self.0), |not| !matches(not))
    }
}

/// The name of a user of CHAP.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserName(String);

impl UserName {
    /// A word without blank, `=`, `;` and quotes.
    ///
    /// # Errors
    ///
    /// As for [`Portal::seen`].
    pub fn parse(text: &str) -> Result<Self, NameError> {
        word(text, |_| false).map(Self)
    }
}

readable!(Portal, UserName);

/// A secret of CHAP. It prints as three asterisks, whatever prints it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// What is printed in its place.
    pub const MASK: &'static str = "***";

    /// 12 to 256 visible characters without `=`, `;` and quotes. The error does not show any of it.
    ///
    /// # Errors
    ///
    /// The text has another length, or another character.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if !(12..=256).contains(&text.len()) {
            return Err(NameError::Form("a secret of 12 to 256 characters"));
        }
        let bad = |c: char| !c.is_ascii_graphic() || matches!(c, '=' | ';' | '"' | '\'');
        if text.contains(bad) {
            return Err(NameError::Form("a secret without blank, =, ; and quotes"));
        }
        Ok(Self(text.to_owned()))
    }

    /// A secret that the kernel showed, whatever it is: it is compared, and never written again.
    pub fn seen(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// A text without this secret, for messages.
    pub fn mask(&self, text: &str) -> String {
        text.replace(&self.0, Self::MASK)
    }

    /// The text, for the write to the kernel alone.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::MASK)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::MASK)
    }
}

/// What a user of a target is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserKind {
    /// Initiators prove themselves by it; a target has any number.
    Incoming,
    /// The target proves itself by it. A target has one, and a second one breaks the first.
    Outgoing,
}

impl UserKind {
    /// Both kinds.
    pub const ALL: [Self; 2] = [Self::Incoming, Self::Outgoing];

    /// The word of a command, and the beginning of the name of the file that shows it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Incoming => "IncomingUser",
            Self::Outgoing => "OutgoingUser",
        }
    }
}

impl fmt::Display for UserKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Incoming => "incoming user",
            Self::Outgoing => "outgoing user",
        })
    }
}

/// The secret of a user, and the file that shows it. Two are equal if the secrets are.
#[derive(Debug, Clone)]
pub struct Credential {
    /// The secret.
    pub secret: Secret,
    /// The file that shows it. Only found.
    pub file: Option<EntryName>,
}

impl PartialEq for Credential {
    fn eq(&self, other: &Self) -> bool {
        self.secret == other.secret
    }
}

impl Eq for Credential {}

/// Whether the name of a file in a target's directory is of this kind, with or without a number behind it.
pub fn is_file_of(name: &str, word: &str) -> bool {
    name.get(..word.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(word))
        && name[word.len()..].bytes().all(|b| b.is_ascii_digit())
}

/// The word of a command for portals, and the beginning of the name of the file that shows one.
pub const PORTAL: &str = "allowed_portal";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_portal_is_an_address_or_a_pattern_without_a_port() {
        for text in ["10.0.1.11", "10.0.1.*", "fe80::1", "2001:db8:*", "!10.0.*", "*", "::ffff:10.0.0.1"] {
            assert_eq!(Portal::parse(text).map(|portal| portal.to_string()), Ok(text.to_owned()));
        }
        for text in
            ["", "10.0.1.11:3260", "[fe80::1]:3260", "[fe80::1]", "10.0.1.*:3260", "host", "10.0.1", "10.0.1.1 "]
        {
            assert!(Portal::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_portal_allows_what_it_matches() {
        let allows = |portal: &str, address: &str| Portal::parse(portal).unwrap().allows(address);
        assert!(allows("10.0.1.*", "10.0.1.11") && allows("!10.0.2.*", "10.0.1.11") && allows("FE80::1", "fe80::1"));
        assert!(
            !allows("10.0.1.*", "10.0.2.11") && !allows("!10.0.1.11", "10.0.1.11") && !allows("10.0.1.1", "10.0.1.11")
        );
    }

    #[test]
    fn a_secret_is_never_printed() {
        let secret = Secret::parse("longsecret1234").unwrap();
        assert_eq!(
            (secret.to_string(), format!("{secret:?}"), secret.reveal()),
            ("***".into(), "***".into(), "longsecret1234")
        );
        for text in [
            "short",
            "eleven12345",
            &"x".repeat(257),
            "has a blank in it",
            "has=equals=sign",
            "has;semicolon",
            "quote\"quote\"",
        ] {
            let error = Secret::parse(text).unwrap_err().to_string();
            assert!(!error.contains(text), "{error}");
        }
    }

    #[test]
    fn files_are_told_by_their_beginning() {
        assert!(is_file_of("IncomingUser", "IncomingUser") && is_file_of("incominguser12", "IncomingUser"));
        assert!(!is_file_of("IncomingUserX", "IncomingUser") && !is_file_of("Incoming", "IncomingUser"));
    }
}
