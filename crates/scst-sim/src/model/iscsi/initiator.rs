//! How an initiator connects.

use super::values::PORT;

/// An initiator: who connects, from where to which portal, with which secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IscsiInitiator {
    /// Its name.
    pub name: String,
    /// The address it comes from.
    pub from: String,
    /// The target's address it connects to, without a port.
    pub to: String,
    /// The port.
    pub port: u16,
    /// User and secret it proves itself with, if asked to.
    pub chap: Option<(String, String)>,
    /// User and secret by which the target is to prove itself.
    pub chap_in: Option<(String, String)>,
}

impl IscsiInitiator {
    /// An initiator on the machine itself, without secrets.
    pub fn local(name: &str) -> Self {
        let loopback = || "127.0.0.1".to_owned();
        Self {
            name: name.to_owned(),
            from: loopback(),
            to: loopback(),
            port: u16::try_from(PORT).unwrap_or_default(),
            chap: None,
            chap_in: None,
        }
    }
}
