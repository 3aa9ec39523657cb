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

    /// The parameters of the device group's agent; with `changed`, the first device is another one.
    pub(super) fn devices(self, changed: bool) -> Vec<(String, String)> {
        let device = |device: usize| {
            let name = if changed && device == 0 { "other".to_owned() } else { format!("lu{device}") };
            (format!("device{device}"), format!("handler=vdisk_nullio,virtname={name},export0=all:{device}"))
        };
        (0..self.devices).map(device).collect()
    }

    /// The attributes, links and directories that a device group consists of when it is started, with one peer.
    ///
    /// Of a device: itself, its settings, its name in the group. Of a LUN: its directory, its device, its attribute and its name
    /// among the exports. Of a target group: itself, its state and its id; of a local port a link, of a remote one a
    /// directory with an id.
    pub(super) fn wanted(self) -> u64 {
        let (per_device, per_lun, target_group) = (1 + 4 + 1, 4, 3);
        let target_groups = 2 * target_group + self.ports + 2 * self.ports;
        (1 + target_groups + self.devices * per_device + self.luns() * per_lun) as u64
    }
}

impl Display for Size {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let many = |count: usize, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
        let Self { devices, ports, groups } = *self;
        write!(f, "{} × {} × {}", many(devices, "device"), many(ports, "port"), many(groups, "group"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_says_what_it_is_made_of() {
        assert_eq!(size(256, 8, 99).luns(), 202_752);
        assert_eq!(size(1, 2, 8).to_string(), "1 device × 2 ports × 8 groups");
        assert_eq!(size(0, 2, 2).initiators(), "esx0=50:01:43:80:03:b0:00:00;esx1=50:01:43:80:03:b0:00:01");
        let changed = size(2, 1, 1).devices(true);
        assert_eq!(changed[0].1, "handler=vdisk_nullio,virtname=other,export0=all:0");
        assert_eq!(changed[1], size(2, 1, 1).devices(false)[1]);
        assert_ne!(size(0, 1, 1).ports_of(1), size(0, 1, 1).ports_of(2));
    }
}
