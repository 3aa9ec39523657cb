//! The values of the daemon's files: how they are written and shown (`iscsi-scst/usr/event.c`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::super::Errno;
use super::super::port_attrs::keyed_bytes;
use super::super::words::{Words, same_word, trimmed};
use super::keys::Keys;
use super::{IscsiTarget, Settings};

/// Room for a name in the daemon, without the zero at its end.
pub(super) const NAME_LENGTH: usize = 255;
/// Room for the text of an answer, without that zero: what does not fit is not known to be kept either.
const ANSWER_LENGTH: usize = 511;
/// The port the daemon listens on.
pub(super) const PORT: u32 = 3260;

/// Where a target sends its initiators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Redirect {
    pub(super) address: Vec<u8>,
    pub(super) port: u32,
    permanent: bool,
}

impl Redirect {
    /// `ADDRESS[:PORT] temp|perm`, or nothing.
    fn parse(words: &mut Words<'_>) -> Result<Option<Self>, Errno> {
        let (place, kind) = (words.word(), words.word());
        if place.is_empty() {
            return Ok(None);
        }
        if kind.is_empty() || !words.word().is_empty() {
            return Err(Errno::EINVAL);
        }
        let bracket = place.iter().rposition(|b| *b == b']');
        let colon = match bracket {
            Some(end) => place[end..].iter().position(|b| *b == b':').map(|at| end + at),
            None => place.iter().rposition(|b| *b == b':'),
        };
        let (address, port) = match colon {
            Some(at) => (&place[..at], leading_number(&place[at + 1..])),
            None => (place, PORT),
        };
        let text = std::str::from_utf8(address).map_err(|_| Errno::EINVAL)?;
        let bare = text.trim_start_matches('[').split(']').next().unwrap_or_default();
        let is_address = text.parse::<Ipv4Addr>().is_ok() || bare.parse::<Ipv6Addr>().is_ok();
        if port == 0 || !is_address {
            return Err(Errno::EINVAL);
        }
        let permanent = same_word(kind, "perm");
        if !permanent && !same_word(kind, "temp") {
            return Err(Errno::EINVAL);
        }
        Ok(Some(Self { address: address.to_vec(), port, permanent }))
    }

    fn show(&self) -> Vec<u8> {
        let port = if self.port == PORT { String::new() } else { format!(":{}", self.port) };
        [&self.address[..], port.as_bytes(), if self.permanent { b" perm" } else { b" temp" }].concat()
    }
}

/// The number a text begins with; 0 where it begins with none.
fn leading_number(text: &[u8]) -> u32 {
    let digits = text.iter().map_while(|b| char::from(*b).to_digit(10));
    digits.fold(0, |sum: u32, digit| sum.saturating_mul(10).saturating_add(digit))
}

/// A value followed by the line end that the kernel adds to the daemon's.
pub(super) fn answered(value: &[u8], key: bool) -> Vec<u8> {
    [&keyed_bytes(value, key)[..], b"\n"].concat()
}

/// A value that the daemon gives without a line end where it is the default.
fn plain(value: &[u8], default: bool) -> Vec<u8> {
    if default { keyed_bytes(value, false) } else { answered(value, true) }
}

fn switch(words: &mut Words<'_>) -> Result<bool, Errno> {
    match words.word() {
        b"0" => Ok(false),
        b"1" => Ok(true),
        _ => Err(Errno::EINVAL),
    }
}

impl Settings {
    pub(super) fn show(&self, name: &str) -> Option<Vec<u8>> {
        Some(match name {
            "enabled" => answered(if self.enabled { b"1" } else { b"0" }, false),
            // A server can be given only while it answers, and there is none.
            "iSNSServer" => answered(b"", false),
            "internal_portal" => answered(&self.internal_portal, !self.internal_portal.is_empty()),
            "isns_entity_name" => plain(&self.isns_entity, true),
            "link_local" => answered(if self.link_local { b"1" } else { b"0" }, !self.link_local),
            _ => return None,
        })
    }

    pub(super) fn store(&mut self, name: &str, words: &mut Words<'_>) -> Option<Result<(), Errno>> {
        Some(match name {
            "enabled" => switch(words).map(|on| self.enabled = on),
            "link_local" => switch(words).map(|on| self.link_local = on),
            "iSNSServer" => isns_server(words),
            "internal_portal" => addresses(words).map(|all| self.internal_portal = all),
            "isns_entity_name" => {
                let name = words.word();
                self.isns_entity = name[..name.len().min(NAME_LENGTH)].to_vec();
                Ok(())
            }
            _ => return None,
        })
    }
}

/// Nothing, or a server that refuses the connection; a name would have to be looked up.
fn isns_server(words: &mut Words<'_>) -> Result<(), Errno> {
    let (server, access) = (words.word(), words.word());
    if server.is_empty() {
        return Ok(());
    }
    if !access.is_empty() && !same_word(access, "AccessControl") {
        return Err(Errno::EINVAL);
    }
    let is_address = std::str::from_utf8(server).is_ok_and(|text| text.parse::<IpAddr>().is_ok());
    Err(if is_address { Errno::ECONNREFUSED } else { Errno::ENOTSUP })
}

/// Addresses with blanks between them.
fn addresses(words: &mut Words<'_>) -> Result<Vec<u8>, Errno> {
    let all: Vec<&[u8]> = std::iter::from_fn(|| Some(words.word()).filter(|word| !word.is_empty())).collect();
    let is_address = |word: &&[u8]| std::str::from_utf8(word).is_ok_and(|text| text.parse::<IpAddr>().is_ok());
    if all.iter().all(is_address) { Ok(all.join(&b' ')) } else { Err(Errno::EINVAL) }
}

impl IscsiTarget {
    pub(super) fn show_value(&self, name: &str) -> Option<Vec<u8>> {
        if let Some(at) = Keys::find(name.as_bytes()) {
            let (value, default) = self.keys.show(at);
            return Some(plain(value.as_bytes(), default));
        }
        Some(match name {
            "alias" => plain(&self.alias, self.alias.is_empty()),
            "per_portal_acl" => answered(if self.per_portal_acl { b"1" } else { b"0" }, self.per_portal_acl),
            "redirect" => match &self.redirect {
                Some(redirect) => answered(&redirect.show(), true),
                None => keyed_bytes(b"", false),
            },
            _ => return None,
        })
    }

    pub(super) fn store_value(&mut self, name: &str, text: &[u8], words: &mut Words<'_>) -> Option<Result<(), Errno>> {
        if let Some(at) = Keys::find(name.as_bytes()) {
            return Some(self.keys.set(at, words));
        }
        Some(match name {
            "alias" => {
                let alias = trimmed(text);
                if alias.len() + "\n[key]\n".len() > ANSWER_LENGTH {
                    return Some(Err(Errno::ENOTSUP));
                }
                self.alias = alias.to_vec();
                Ok(())
            }
            "per_portal_acl" => switch(words).map(|on| self.per_portal_acl = on),
            "redirect" => Redirect::parse(words).map(|redirect| self.redirect = redirect),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redirect(text: &str) -> Result<Option<String>, Errno> {
        let parsed = Redirect::parse(&mut Words::new(text.as_bytes()))?;
        Ok(parsed.map(|redirect| String::from_utf8(redirect.show()).expect("text")))
    }

    #[test]
    fn a_redirection_is_an_address_and_a_word() {
        assert_eq!(redirect("\n"), Ok(None));
        assert_eq!(redirect("10.0.0.1:3260 TEMP"), Ok(Some("10.0.0.1 temp".to_owned())));
        assert_eq!(redirect("10.0.0.1:3261 perm\n"), Ok(Some("10.0.0.1:3261 perm".to_owned())));
        assert_eq!(redirect("[fe80::1]:3261 perm"), Ok(Some("[fe80::1]:3261 perm".to_owned())));
        for wrong in ["10.0.0.1", "10.0.0.1 other", "x temp", "temp", "10.0.0.1:0 temp", "10.0.0.1 temp x"] {
            assert_eq!(redirect(wrong), Err(Errno::EINVAL), "{wrong}");
        }
    }
}
