//! A device group as `status` shows it: plain data.

use serde::Serialize;

use crate::scst_aluadg::agreement::Told;

/// What a device group does on this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::scst_ha) enum Role {
    /// Its hosts are served here.
    Promoted,
    /// It is ready to serve them.
    Unpromoted,
    /// Between the two.
    Transitioning,
    /// Nothing of it is here.
    #[default]
    Stopped,
    /// Some of it is here.
    Partial,
}

impl Role {
    pub(in crate::scst_ha) const ALL: [Self; 5] =
        [Self::Promoted, Self::Unpromoted, Self::Transitioning, Self::Partial, Self::Stopped];

    /// As programs read it.
    pub(in crate::scst_ha) fn label(self) -> &'static str {
        self.label_and_word().0
    }

    /// As the text shows it.
    pub(in crate::scst_ha) fn word(self) -> &'static str {
        self.label_and_word().1
    }

    fn label_and_word(self) -> (&'static str, &'static str) {
        match self {
            Self::Promoted => ("promoted", "promoted"),
            Self::Unpromoted => ("unpromoted", "unpromoted"),
            Self::Transitioning => ("transitioning", "between two states"),
            Self::Stopped => ("stopped", "stopped"),
            Self::Partial => ("partial", "half there"),
        }
    }
}

/// A device group.
#[derive(Debug, Default, Serialize)]
pub(in crate::scst_ha) struct Group {
    pub(in crate::scst_ha) name: String,
    /// The resources that configure it; normally one.
    pub(in crate::scst_ha) resources: Vec<String>,
    pub(in crate::scst_ha) role: Role,
    pub(in crate::scst_ha) target_groups: Vec<TargetGroup>,
    pub(in crate::scst_ha) devices: Vec<Device>,
    pub(in crate::scst_ha) luns: Vec<Lun>,
    pub(in crate::scst_ha) in_flight: Vec<InFlight>,
    /// What the nodes have told each other of the devices.
    pub(in crate::scst_ha) agreement: Vec<Told>,
    /// What is not as it must be, whatever is configured.
    pub(in crate::scst_ha) faults: Vec<String>,
    /// What a reload would do, or would name.
    pub(in crate::scst_ha) differences: Vec<String>,
    /// Something that is configured was left out; the remarks name it.
    pub(in crate::scst_ha) left_out: bool,
    /// What else is to be known.
    pub(in crate::scst_ha) remarks: Vec<String>,
}

/// The ports of one node.
#[derive(Debug, Serialize)]
pub(in crate::scst_ha) struct TargetGroup {
    pub(in crate::scst_ha) node: String,
    /// It is this node's.
    pub(in crate::scst_ha) local: bool,
    pub(in crate::scst_ha) group_id: u32,
    pub(in crate::scst_ha) state: &'static str,
    /// What the cluster says that the node does; nothing where it could not be asked.
    pub(in crate::scst_ha) cluster: Option<&'static str>,
    pub(in crate::scst_ha) ports: Vec<Member>,
}

/// A port of a target group.
#[derive(Debug, Serialize)]
pub(in crate::scst_ha) struct Member {
    pub(in crate::scst_ha) port: String,
    /// The kernel takes it for a port of this machine.
    pub(in crate::scst_ha) local: bool,
    pub(in crate::scst_ha) rel_tgt_id: u32,
}

/// A device.
#[derive(Debug, Serialize)]
#[allow(clippy::struct_excessive_bools, reason = "each is something that the kernel says by itself")]
pub(in crate::scst_ha) struct Device {
    pub(in crate::scst_ha) name: String,
    /// Nothing for a handler that no agent uses.
    pub(in crate::scst_ha) handler: Option<&'static str>,
    pub(in crate::scst_ha) filename: Option<String>,
    /// Its backing store is open, where the kernel says so.
    pub(in crate::scst_ha) open: Option<bool>,
    /// The capacity that hosts are told, in bytes.
    pub(in crate::scst_ha) size: Option<u64>,
    /// It is in the device group.
    pub(in crate::scst_ha) member: bool,
    /// How often it is blocked.
    pub(in crate::scst_ha) blocked: u32,
    /// Commands in flight are being waited for.
    pub(in crate::scst_ha) pending: bool,
    /// What hosts tell it by: `naa.` or `eui.` and digits.
    pub(in crate::scst_ha) known_as: Option<String>,
    /// The product that hosts are shown.
    pub(in crate::scst_ha) product: Option<String>,
    /// The serial number that hosts are shown.
    pub(in crate::scst_ha) serial: Option<String>,
    /// Its persistent reservations are shared with other nodes.
    pub(in crate::scst_ha) shared: bool,
    /// Hosts have registered for persistent reservations of it, where the kernel says so.
    pub(in crate::scst_ha) registered: bool,
}

/// Where hosts see a device.
#[derive(Debug, Serialize)]
pub(in crate::scst_ha) struct Lun {
    pub(in crate::scst_ha) driver: String,
    pub(in crate::scst_ha) port: String,
    /// The initiator group; none for the default group.
    pub(in crate::scst_ha) group: Option<String>,
    #[serde(rename = "lun")]
    pub(in crate::scst_ha) number: u32,
    pub(in crate::scst_ha) device: String,
    pub(in crate::scst_ha) read_only: bool,
}

/// Commands of a session that have not ended yet.
#[derive(Debug, Serialize)]
pub(in crate::scst_ha) struct InFlight {
    pub(in crate::scst_ha) initiator: String,
    pub(in crate::scst_ha) port: String,
    pub(in crate::scst_ha) lun: u32,
    pub(in crate::scst_ha) device: String,
    pub(in crate::scst_ha) commands: u32,
}
