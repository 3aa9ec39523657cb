//! How large a configuration is, and the parameters that make a node of that size serve.

use std::fmt::{self, Display, Formatter};

/// Ports of a node, initiator groups on each of them, devices exported to all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) devices: usize,
    pub(super) ports: usize,
    pub(super) groups: usize,
}

/// Devices, ports, groups.
pub(super) const fn size(devices: usize, ports: usize, groups: usize) -> Size {
    Size { devices, ports, groups }
}

impl Size {
    /// The ports of a node with this id, which has as many as every other.
    pub(super) fn ports_of(self, node: u32) -> Vec<String> {
        (0..self.ports).map(|port| format!("21:00:00:24:ff:60:{node:02x}:{port:02x}")).collect()
    }

    /// How many LUNs that makes on a node.
    pub(super) fn luns(self) -> usize {
        self.devices * self.ports * self.groups
    }

    /// The parameter of the ports' agent: groups of one initiator.
    pub(super) fn initiators(self) -> String {
        let group = |group| format!("esx{group}=50:01:43:80:03:b0:{:02x}:{:02x}", group / 256, group % 256);
        (0..self.groups).map(group).collect::<Vec<_>>().join(";")
    }

    /// The parameters of the device group's agent that name its devices.
    pub(super) fn devices(self) -> impl Iterator<Item = (String, String)> {
        let device = |number: usize| format!("handler=vdisk_nullio,virtname=lu{number},export0=all:{number}");
        (0..self.devices).map(move |number| (format!("device{number}"), device(number)))
    }
}

impl Display for Size {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} × {} × {}", self.devices, self.ports, self.groups)
    }
}
