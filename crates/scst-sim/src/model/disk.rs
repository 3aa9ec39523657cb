//! The host's block devices: `dev/block/MAJOR:MINOR` with sizes and limits, which can be read without opening anything.
//!
//! As in a real `/sys` the entry of `dev/block` is a link to the directory of the disk or partition below `devices`;
//! a partition has its `queue` one level up, in the directory of its disk.

use super::machine::Machine;
use super::state::Name;
use super::tree::{AttrSpec, Entry, Node, RO};
use super::{Errno, HostDisk};

/// The unit of `size`, whatever the logical block size.
const SECTOR: u64 = 512;
/// Where disks without a bus are.
const DIRECTORY: &str = "devices/virtual/block";

const DISK: [AttrSpec; 2] = [("dev", RO), ("size", RO)];
pub(super) const QUEUE: [AttrSpec; 2] = [("logical_block_size", RO), ("physical_block_size", RO)];

fn number_of(disk: &HostDisk) -> Name {
    format!("{}:{}", disk.number.0, disk.number.1).into_bytes()
}

impl Machine {
    fn host_disk(&self, name: &str) -> Option<HostDisk> {
        self.host.disks().into_iter().find(|disk| disk.name == name)
    }

    /// What is in `/sys` itself and in the directories around disks.
    pub(super) fn host_entries(&self, node: &Node) -> Vec<(Name, Entry)> {
        let dir = |name: &str, node| (name.as_bytes().to_vec(), Entry::Dir(node));
        match node {
            Node::Top => vec![
                dir("class", Node::Class),
                dir("dev", Node::Dev),
                dir("devices", Node::HostDevices),
                dir("kernel", Node::Kernel),
                dir("module", Node::Modules),
            ],
            Node::Dev => vec![dir("block", Node::DevBlock)],
            Node::DevBlock => self.disk_links(),
            Node::HostDevices => vec![dir("virtual", Node::VirtualDevices)],
            Node::VirtualDevices => vec![dir("block", Node::VirtualBlock)],
            _ => self.whole_disks(),
        }
    }

    /// The links of `dev/block`.
    fn disk_links(&self) -> Vec<(Name, Entry)> {
        let target = |disk: &HostDisk| match &disk.whole {
            Some(whole) => format!("../../{DIRECTORY}/{whole}/{}", disk.name),
            None => format!("../../{DIRECTORY}/{}", disk.name),
        };
        let disks = self.host.disks();
        disks.iter().map(|disk| (number_of(disk), Entry::Link(target(disk).into_bytes()))).collect()
    }

    /// The directories of whole disks.
    fn whole_disks(&self) -> Vec<(Name, Entry)> {
        let mut names: Vec<_> = self.host.disks().into_iter().map(|disk| disk.whole.unwrap_or(disk.name)).collect();
        names.sort();
        names.dedup();
        names.into_iter().map(|name| (name.clone().into_bytes(), Entry::Dir(Node::Disk(name)))).collect()
    }

    /// A disk of which only a partition is known has nothing to say of itself.
    pub(super) fn disk_attributes(&self, name: &str) -> Vec<AttrSpec> {
        if self.host_disk(name).is_some() { DISK.to_vec() } else { Vec::new() }
    }

    /// The directories in the directory of a disk or partition.
    pub(super) fn disk_entries(&self, name: &str) -> Vec<(Name, Entry)> {
        if self.host_disk(name).is_some_and(|disk| disk.whole.is_some()) {
            return Vec::new();
        }
        let parts = self.host.disks().into_iter().filter(|disk| disk.whole.as_deref() == Some(name));
        let mut all: Vec<_> =
            parts.map(|disk| (disk.name.clone().into_bytes(), Entry::Dir(Node::Disk(disk.name)))).collect();
        all.push((b"queue".to_vec(), Entry::Dir(Node::DiskQueue(name.to_owned()))));
        all
    }

    pub(super) fn show_disk(&self, name: &str, attr: &str) -> Result<Vec<u8>, Errno> {
        let disk = self.host_disk(name).ok_or(Errno::ENOENT)?;
        match attr {
            "dev" => Ok([&number_of(&disk)[..], b"\n"].concat()),
            "size" => Ok(format!("{}\n", disk.size / SECTOR).into_bytes()),
            _ => Err(Errno::ENOENT),
        }
    }

    pub(super) fn show_queue(&self, name: &str, attr: &str) -> Result<Vec<u8>, Errno> {
        let part = || self.host.disks().into_iter().find(|disk| disk.whole.as_deref() == Some(name));
        let disk = self.host_disk(name).or_else(part).ok_or(Errno::ENOENT)?;
        match attr {
            "logical_block_size" => Ok(format!("{}\n", disk.limits.logical_block).into_bytes()),
            "physical_block_size" => Ok(format!("{}\n", disk.limits.physical_block).into_bytes()),
            _ => Err(Errno::ENOENT),
        }
    }
}
