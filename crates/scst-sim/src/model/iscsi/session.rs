//! A session of a target: what was negotiated and between which addresses.

use super::super::tree::{AttrSpec, RO};
use super::keys::Keys;

/// The attributes a session has besides those of every driver.
pub(in super::super) const SESSION: [AttrSpec; 12] = [
    ("DataDigest", RO),
    ("FirstBurstLength", RO),
    ("HeaderDigest", RO),
    ("ImmediateData", RO),
    ("InitialR2T", RO),
    ("MaxBurstLength", RO),
    ("MaxOutstandingR2T", RO),
    ("MaxRecvDataSegmentLength", RO),
    ("MaxXmitDataSegmentLength", RO),
    ("reinstating", RO),
    ("sid", RO),
    ("thread_pid", RO),
];
/// The attributes of a connection.
pub(in super::super) const CONNECTION: [AttrSpec; 5] =
    [("cid", RO), ("ip", RO), ("state", RO), ("target_ip", RO), ("transport", RO)];

/// What open-iscsi asks for unless told otherwise.
const INITIATORS_BURST: u32 = 16_776_192;
const INITIATORS_FIRST_BURST: u32 = 262_144;
const INITIATORS_SEGMENT: u32 = 262_144;
const INITIATORS_R2T: u32 = 1;

/// What the two sides have agreed on.
#[derive(Debug, Clone)]
pub(in super::super) struct Negotiated {
    /// The address the initiator comes from, which names its connection.
    pub(in super::super) from: String,
    /// The address of the target it came to.
    to: String,
    values: Vec<(&'static str, String)>,
}

impl Negotiated {
    /// A session as it begins: later changes of the target's keys are for later sessions.
    pub(super) fn new(keys: &Keys, from: &str, to: &str) -> Self {
        let yes = |on: bool| if on { "Yes" } else { "No" }.to_owned();
        let least = |name: &str, most: u32| keys.get(name).min(most).to_string();
        let values = vec![
            // The initiator offers no digests, and asks for neither R2T first nor against immediate data.
            ("DataDigest", "None".to_owned()),
            ("HeaderDigest", "None".to_owned()),
            ("InitialR2T", yes(keys.get("InitialR2T") != 0)),
            ("ImmediateData", yes(keys.get("ImmediateData") != 0)),
            ("FirstBurstLength", least("FirstBurstLength", INITIATORS_FIRST_BURST)),
            ("MaxBurstLength", least("MaxBurstLength", INITIATORS_BURST)),
            ("MaxOutstandingR2T", least("MaxOutstandingR2T", INITIATORS_R2T)),
            ("MaxRecvDataSegmentLength", keys.get("MaxRecvDataSegmentLength").to_string()),
            ("MaxXmitDataSegmentLength", least("MaxXmitDataSegmentLength", INITIATORS_SEGMENT)),
            ("reinstating", "0".to_owned()),
        ];
        Self { from: from.to_owned(), to: to.to_owned(), values }
    }

    /// The content of a session's own attributes.
    pub(in super::super) fn show(&self, attr: &str) -> Option<Vec<u8>> {
        self.values.iter().find(|(name, _)| *name == attr).map(|(_, value)| format!("{value}\n").into_bytes())
    }

    /// The content of its connection's attributes; most of these have no line end.
    pub(in super::super) fn show_connection(&self, attr: &str) -> Option<Vec<u8>> {
        Some(match attr {
            "cid" => b"0".to_vec(),
            "state" => b"established idle ".to_vec(),
            "transport" => b"iSCSI-TCP\n".to_vec(),
            "ip" => self.from.clone().into_bytes(),
            "target_ip" => self.to.clone().into_bytes(),
            _ => return None,
        })
    }
}
