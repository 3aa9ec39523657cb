//! What open-iscsi keeps of targets, and the initiators that log in by it.

use std::collections::BTreeMap;

use crate::model::IscsiInitiator;

/// The second guest's initiator, its address, and the address of the recorded machine.
pub(super) const FAR: (&str, &str, &str) = ("iqn.2026-01.org.example:far", "10.99.0.26", "10.99.0.25");
/// The initiator on the recorded machine itself.
pub(super) const NEAR: (&str, &str, &str) = ("iqn.2026-01.org.example:host1", "127.0.0.1", "127.0.0.1");
pub(super) const PORT: u16 = 3260;

/// What open-iscsi keeps of targets, by target and portal.
pub(super) type Records = BTreeMap<(String, String), Record>;

/// How to log in to one of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Record {
    pub(super) sessions: usize,
    pub(super) chap: Option<(String, String)>,
    pub(super) chap_in: Option<(String, String)>,
}

/// An initiator that connects to a portal as a record says.
pub(super) fn initiator((name, from, to): (&str, &str, &str), portal: &str, record: &Record) -> IscsiInitiator {
    let (address, port) =
        portal.rsplit_once(':').map_or((portal, None), |(address, port)| (address, port.parse().ok()));
    IscsiInitiator {
        name: name.to_owned(),
        from: from.to_owned(),
        to: if address.is_empty() { to } else { address }.to_owned(),
        port: port.unwrap_or(PORT),
        chap: record.chap.clone(),
        chap_in: record.chap_in.clone(),
    }
}
