//! The commands that make and change block devices: losetup, dmsetup, drbdadm, modprobe of the kernel's test disks.

use std::time::Duration;

use super::disk::{Disk, Drbd, Kind, LOGICAL_BLOCK};
use super::{Environment, Node, clean};
use crate::model::{Errno, Health, Limits};

/// Sectors of 512 bytes at the end of a DRBD 8.4 device's disk, of which 8 for each part of 128 MiB are its bitmap.
const DRBD_SECTORS: u64 = 72;
const DRBD_BITMAP: u64 = 8;
const DRBD_BITMAP_COVERS: u64 = 1 << 18;

/// The transfer length in blocks that a `scsi_debug` disk does best with.
const SCSI_DEBUG_OPTIMAL: u64 = 1024;

/// `NAME=NUMBER` among the arguments of a module.
fn argument(args: &str, name: &str) -> Result<Option<u64>, Errno> {
    let mut given = args.split_whitespace().rev().filter_map(|arg| arg.split_once('='));
    let value = given.find(|(key, _)| *key == name);
    value.map(|(_, value)| value.parse().map_err(|_| Errno::EINVAL)).transpose()
}

fn block_size(size: u64) -> Result<u32, Errno> {
    u32::try_from(size).map_err(|_| Errno::EINVAL)
}

impl Environment {
    /// Attaches a regular file to a loop device. `-b SIZE` among the arguments sets the logical block size; other
    /// arguments are refused with EINVAL. `held`: somebody has the loop device open.
    pub fn losetup(&self, device: &str, path: &str, args: &str, held: bool) -> Result<(), Errno> {
        let mut limits = Limits { discard: true, ..Limits::PLAIN };
        let mut words = args.split_whitespace();
        while let Some(word) = words.next() {
            match (word, words.next().and_then(|size| size.parse().ok())) {
                ("-b", Some(size)) => limits.logical_block = size,
                _ => return Err(Errno::EINVAL),
            }
        }
        let mut files = self.lock();
        let backing = *files.paths.get(&clean(path.as_bytes())).ok_or(Errno::ENOENT)?;
        let Some(&Node::Regular { size, .. }) = files.nodes.get(&backing) else { return Err(Errno::EINVAL) };
        let node = files.at_mut(device.as_bytes()).ok_or(Errno::ENOENT)?;
        let Node::Disk(Disk { kind: Kind::Loop { detaching }, lower, .. }) = node else { return Err(Errno::ENOTBLK) };
        if lower.is_some() && (held || !*detaching) {
            return Err(Errno::EBUSY);
        }
        let disk = Disk::detached_loop();
        // What the device does not have any more becomes a hole of its file.
        *node = Node::Disk(Disk { size, limits, lower: Some((backing, 0)), ..disk });
        Ok(())
    }

    /// Detaches a loop device; one that is in use goes on until nobody uses it any more.
    pub fn losetup_detach(&self, device: &str, held: bool) -> Result<(), Errno> {
        let mut files = self.lock();
        let id = *files.paths.get(device.as_bytes()).ok_or(Errno::ENOENT)?;
        let used = held
            || files
                .nodes
                .values()
                .any(|node| matches!(node, Node::Disk(disk) if disk.lower.is_some_and(|(lower, _)| lower == id)));
        match files.nodes.get_mut(&id) {
            Some(Node::Disk(disk)) if disk.lower.is_some() && matches!(disk.kind, Kind::Loop { .. }) => {
                if used {
                    disk.kind = Kind::Loop { detaching: true };
                } else {
                    *disk = Disk::detached_loop();
                }
                Ok(())
            }
            _ => Err(Errno::ENXIO),
        }
    }

    /// A loop device takes over the present size of its file.
    pub fn losetup_grow(&self, device: &str) -> Result<(), Errno> {
        let mut files = self.lock();
        let Some(Node::Disk(Disk { kind: Kind::Loop { .. }, lower: Some((backing, _)), .. })) =
            files.at(device.as_bytes())
        else {
            return Err(Errno::ENXIO);
        };
        let Some(&Node::Regular { size: now, .. }) = files.nodes.get(backing) else { return Err(Errno::ENOENT) };
        if let Some(Node::Disk(disk)) = files.at_mut(device.as_bytes()) {
            disk.size = now;
        }
        Ok(())
    }

    /// `dmsetup ACTION NAME`: create or reload with a table of one target, suspend, resume or remove. A device that is
    /// `held` open cannot be removed.
    pub fn device_mapper(&self, action: &str, name: &str, table: &str, held: bool) -> Result<(), Errno> {
        let path = format!("/dev/mapper/{name}").into_bytes();
        match action {
            "create" if self.lock().at(&path).is_some() => Err(Errno::EBUSY),
            "create" => {
                let disk = self.mapped(table)?;
                self.lock().add(path, Node::Disk(disk));
                Ok(())
            }
            "remove" if held => Err(Errno::EBUSY),
            "remove" => {
                let mut files = self.lock();
                let id = files.paths.remove(&path).ok_or(Errno::ENXIO)?;
                files.nodes.remove(&id);
                Ok(())
            }
            _ => {
                let new = if action == "reload" { Some(self.mapped(table)?) } else { None };
                let mut files = self.lock();
                let Some(Node::Disk(disk)) = files.at_mut(&path) else { return Err(Errno::ENXIO) };
                match (action, new) {
                    ("reload", Some(new)) => *disk = new,
                    ("suspend", _) => disk.health = Health::Hanging,
                    // What the table was before the device was suspended it is again.
                    ("resume", _) => disk.health = if disk.lower.is_some() { Health::Good } else { Health::Failing },
                    _ => return Err(Errno::EINVAL),
                }
                Ok(())
            }
        }
    }

    /// The device of a table with one target: `0 SECTORS linear DEVICE OFFSET` or `0 SECTORS error`.
    fn mapped(&self, table: &str) -> Result<Disk, Errno> {
        let bytes = |sectors: &str| {
            let sectors: u64 = sectors.parse().map_err(|_| Errno::EINVAL)?;
            sectors.checked_mul(u64::from(LOGICAL_BLOCK)).ok_or(Errno::EINVAL)
        };
        match table.split_whitespace().collect::<Vec<_>>()[..] {
            ["0", sectors, "linear", device, offset] => {
                let files = self.lock();
                let id = *files.paths.get(&clean(device.as_bytes())).ok_or(Errno::EINVAL)?;
                let Some(Node::Disk(lower)) = files.nodes.get(&id) else { return Err(Errno::EINVAL) };
                let size = bytes(sectors)?;
                if bytes(offset)?.saturating_add(size) > lower.size {
                    return Err(Errno::EINVAL);
                }
                Ok(Disk::above(Kind::Mapped, size, (id, lower), bytes(offset)?))
            }
            ["0", sectors, "error"] => {
                Ok(Disk { health: Health::Failing, ..Disk::plain(Kind::Mapped, bytes(sectors)?) })
            }
            _ => Err(Errno::EINVAL),
        }
    }

    /// Makes a DRBD device of a resource, secondary and inconsistent as with fresh metadata.
    pub fn drbd_make(&self, resource: &str, minor: u64, disk: &str) -> Result<(), Errno> {
        let mut files = self.lock();
        let id = *files.paths.get(&clean(disk.as_bytes())).ok_or(Errno::ENOENT)?;
        let Some(Node::Disk(lower)) = files.nodes.get(&id) else { return Err(Errno::ENOTBLK) };
        let sectors = lower.size / u64::from(LOGICAL_BLOCK);
        let own = DRBD_SECTORS + sectors.div_ceil(DRBD_BITMAP_COVERS) * DRBD_BITMAP;
        let size = sectors.checked_sub(own).ok_or(Errno::ENOSPC)? * u64::from(LOGICAL_BLOCK);
        let resource = resource.to_owned();
        let drbd = Drbd { resource, primary: false, attached: true, up_to_date: false };
        let device = Disk::above(Kind::Drbd(drbd), size, (id, lower), 0);
        files.add(format!("/dev/drbd{minor}"), Node::Disk(device));
        Ok(())
    }

    /// The path of the DRBD device that `drbdadm ARGUMENTS` speaks of.
    pub fn drbd_device(&self, args: &str) -> Option<String> {
        let resource = args.split_whitespace().last()?;
        let files = self.lock();
        let of_resource = |id| matches!(files.nodes.get(id), Some(Node::Disk(Disk { kind: Kind::Drbd(drbd), .. })) if drbd.resource == resource);
        let (path, _) = files.paths.iter().find(|(_, id)| of_resource(id))?;
        Some(String::from_utf8_lossy(path).into_owned())
    }

    /// `drbdadm ARGUMENTS`: its exit code and the kernel's words. `held` says whether the device is open.
    pub fn drbdadm(&self, args: &str, held: bool) -> String {
        let words: Vec<_> = args.split_whitespace().collect();
        let mut files = self.lock();
        let (Some(&verb), Some(&resource)) = (words.first(), words.last()) else { return "no words".to_owned() };
        let found = files.nodes.values_mut().find_map(|node| match node {
            Node::Disk(Disk { kind: Kind::Drbd(drbd), .. }) if drbd.resource == resource => Some(drbd),
            _ => None,
        });
        let Some(drbd) = found else { return format!("no resource {resource}") };
        match &words[..words.len() - 1] {
            ["secondary"] if held => {
                return "rc11 (-12) Device is held open by someone".to_owned();
            }
            ["secondary"] => drbd.primary = false,
            ["primary"] if !(drbd.primary || drbd.attached && drbd.up_to_date) => {
                return "rc17 (-2) Need access to UpToDate data".to_owned();
            }
            ["primary"] => drbd.primary = true,
            ["primary", "--force"] => {
                drbd.up_to_date |= drbd.attached;
                drbd.primary = true;
            }
            ["detach"] => drbd.attached = false,
            ["attach"] => drbd.attached = true,
            _ => return format!("not known: {verb}"),
        }
        "rc0".to_owned()
    }

    /// What `/proc/drbd` says of a device.
    pub fn drbd_state(&self, minor: u64) -> String {
        let files = self.lock();
        let Some(Node::Disk(Disk { kind: Kind::Drbd(drbd), .. })) = files.at(format!("/dev/drbd{minor}").as_bytes())
        else {
            return "no device".to_owned();
        };
        let role = if drbd.primary { "Primary" } else { "Secondary" };
        let disk = match (drbd.attached, drbd.up_to_date) {
            (false, _) => "Diskless",
            (true, true) => "UpToDate",
            (true, false) => "Inconsistent",
        };
        format!("WFConnection {role}/Unknown {disk}/DUnknown")
    }

    /// Loads a test disk driver. `null_blk` makes `nr_devices` disks of `gb` GiB with blocks of `bs` bytes that answer after
    /// `completion_nsec`.
    pub fn null_blk(&self, args: &str) -> Result<(), Errno> {
        let disks = argument(args, "nr_devices")?.unwrap_or(1);
        let block = block_size(argument(args, "bs")?.unwrap_or(u64::from(LOGICAL_BLOCK)))?;
        let size = argument(args, "gb")?.unwrap_or(250) << 30;
        let latency = Duration::from_nanos(argument(args, "completion_nsec")?.unwrap_or(10_000));
        let disk = Disk { limits: Limits::blocks(block), latency, ..Disk::plain(Kind::Test("null_blk"), size) };
        let mut files = self.lock();
        for minor in 0..disks {
            files.add(format!("/dev/nullb{minor}"), Node::Disk(disk.clone()));
        }
        Ok(())
    }

    /// `scsi_debug` makes one disk of `dev_size_mb` MiB with blocks of `sector_size` bytes, 2^`physblk_exp` of which make a
    /// physical one. Answers its name in `/dev`.
    pub fn scsi_debug(&self, args: &str) -> Result<String, Errno> {
        let block = argument(args, "sector_size")?.unwrap_or(u64::from(LOGICAL_BLOCK));
        let exponent = u32::try_from(argument(args, "physblk_exp")?.unwrap_or(0)).map_err(|_| Errno::EINVAL)?;
        let physical = block_size(block.checked_shl(exponent).ok_or(Errno::EINVAL)?)?;
        let size = argument(args, "dev_size_mb")?.unwrap_or(8) << 20;
        let optimal_io = block_size(block * SCSI_DEBUG_OPTIMAL)?;
        let limits = Limits { physical_block: physical, optimal_io, ..Limits::blocks(block_size(block)?) };
        let disk = Disk { limits, ..Disk::plain(Kind::Test("scsi_debug"), size) };
        let mut files = self.lock();
        let free = ('a'..='z').map(|letter| format!("sd{letter}"));
        let free = free.filter(|name| files.at(format!("/dev/{name}").as_bytes()).is_none());
        let name = free.into_iter().next().ok_or(Errno::ENOSPC)?;
        files.add(format!("/dev/{name}"), Node::Disk(disk));
        Ok(name)
    }

    /// A disk is gone; what is open of it fails.
    pub fn vanish(&self, path: &str) -> Result<(), Errno> {
        let mut files = self.lock();
        let id = files.paths.remove(&clean(path.as_bytes())).ok_or(Errno::ENOENT)?;
        if let Some(Node::Disk(disk)) = files.nodes.get_mut(&id) {
            disk.health = Health::Gone;
        }
        Ok(())
    }

    /// The number in `/sys/block/NAME/queue/LIMIT`.
    pub fn block_limit(&self, path: &str) -> Result<u32, Errno> {
        let (name, limit) =
            path.strip_prefix("/sys/block/").and_then(|rest| rest.split_once("/queue/")).ok_or(Errno::ENOENT)?;
        let files = self.lock();
        match (files.at(format!("/dev/{name}").as_bytes()), limit) {
            (Some(Node::Disk(disk)), "logical_block_size") => Ok(disk.limits.logical_block),
            (Some(Node::Disk(disk)), "physical_block_size") => {
                Ok(disk.limits.physical_block.max(disk.limits.logical_block))
            }
            _ => Err(Errno::ENOENT),
        }
    }

    /// The disks of a test disk driver, by path.
    pub fn disks_of(&self, module: &str) -> Vec<String> {
        let files = self.lock();
        let of_module =
            |id| matches!(files.nodes.get(id), Some(Node::Disk(Disk { kind: Kind::Test(own), .. })) if *own == module);
        let paths = files.paths.iter().filter(|(_, id)| of_module(id));
        paths.map(|(path, _)| String::from_utf8_lossy(path).into_owned()).collect()
    }
}
