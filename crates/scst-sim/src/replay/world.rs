//! The host around a recorded kernel: files, loop devices, FIFOs and what holds them.
//!
//! A recording starts on a machine whose `/run/lab` is empty, whose `/var/lib/scst` has its two directories and whose
//! loop devices are all detached; its `env` steps change that. Nothing here touches the real machine, so that a replay
//! needs neither disks nor a tidy `/run`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::model::{Errno, FileKind, Health, Host, HostFile};

/// Loop devices a Debian kernel makes at boot.
const LOOP_DEVICES: u32 = 8;
const LOGICAL_BLOCK: u32 = 512;

/// The files of one virtual host. Clones are the same host.
#[derive(Clone, Default)]
pub struct World {
    files: Arc<Mutex<BTreeMap<Vec<u8>, Node>>>,
    /// What was written to regular files, as far as anybody reads it.
    written: Arc<Mutex<BTreeMap<Vec<u8>, Vec<u8>>>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    Dir,
    Char,
    Regular {
        size: u64,
    },
    Fifo {
        writer: bool,
    },
    Loop {
        backing: Option<Vec<u8>>,
        size: u64,
        logical_block: u32,
    },
    Disk {
        size: u64,
        latency: Duration,
    },
    /// A device-mapper device: a linear part of another one.
    Mapped {
        lower: Vec<u8>,
        size: u64,
        suspended: bool,
    },
}

impl World {
    /// The host as every recording finds it.
    pub fn new() -> Self {
        let world = Self::default();
        {
            let mut files = world.lock();
            for dir in [
                "/",
                "/dev",
                "/dev/mapper",
                "/run",
                "/run/lab",
                "/var",
                "/var/lib",
                "/var/lib/scst",
                "/var/lib/scst/pr",
                "/var/lib/scst/vdev_mode_pages",
            ] {
                files.insert(dir.into(), Node::Dir);
            }
            for device in ["/dev/null", "/dev/zero"] {
                files.insert(device.into(), Node::Char);
            }
            for minor in 0..LOOP_DEVICES {
                files.insert(format!("/dev/loop{minor}").into(), detached());
            }
        }
        world
    }

    /// Makes a regular file of `size` bytes, or gives an existing one that size.
    pub fn mkfile(&self, path: &str, size: u64) -> Result<(), Errno> {
        let mut files = self.lock();
        let path = in_directory(&files, path)?;
        match files.get(&path) {
            None | Some(Node::Regular { .. }) => {
                self.written().remove(&path);
                files.insert(path, Node::Regular { size });
                Ok(())
            }
            Some(Node::Dir) => Err(Errno::EISDIR),
            Some(_) => Err(Errno::EEXIST),
        }
    }

    /// Makes a FIFO nobody has opened.
    pub fn mkfifo(&self, path: &str) -> Result<(), Errno> {
        let mut files = self.lock();
        let path = in_directory(&files, path)?;
        if files.contains_key(&path) {
            return Err(Errno::EEXIST);
        }
        files.insert(path, Node::Fifo { writer: false });
        Ok(())
    }

    /// Opens a FIFO for writing: whoever waits in open(2) for the other end is let in.
    pub fn open_fifo_writer(&self, path: &str) -> Result<(), Errno> {
        match self.lock().get_mut(&clean(path.as_bytes())) {
            Some(Node::Fifo { writer }) => {
                *writer = true;
                Ok(())
            }
            Some(_) => Err(Errno::EINVAL),
            None => Err(Errno::ENOENT),
        }
    }

    /// `truncate(2)` of a regular file. A loop device on it keeps its size until [`World::losetup_grow`].
    pub fn truncate(&self, path: &str, to: u64) -> Result<(), Errno> {
        match self.lock().get_mut(&clean(path.as_bytes())) {
            Some(Node::Regular { size }) => {
                *size = to;
                Ok(())
            }
            Some(Node::Dir) => Err(Errno::EISDIR),
            Some(_) => Err(Errno::EINVAL),
            None => Err(Errno::ENOENT),
        }
    }

    /// `unlink(2)`.
    pub fn unlink(&self, path: &str) -> Result<(), Errno> {
        let mut files = self.lock();
        let path = clean(path.as_bytes());
        match files.get(&path) {
            Some(Node::Dir) => Err(Errno::EISDIR),
            Some(_) => {
                files.remove(&path);
                self.written().remove(&path);
                Ok(())
            }
            None => Err(Errno::ENOENT),
        }
    }

    /// `rename(2)` of a file or of a directory with everything below it.
    pub fn rename(&self, from: &str, to: &str) -> Result<(), Errno> {
        let mut files = self.lock();
        let from = clean(from.as_bytes());
        let to = in_directory(&files, to)?;
        if !files.contains_key(&from) {
            return Err(Errno::ENOENT);
        }
        let moved: Vec<_> = files.keys().filter(|path| within(path, &from)).cloned().collect();
        for path in moved {
            if let Some(node) = files.remove(&path) {
                let to = [&to, &path[from.len()..]].concat();
                let content = self.written().remove(&path);
                self.written().extend(content.map(|content| (to.clone(), content)));
                files.insert(to, node);
            }
        }
        Ok(())
    }

    /// The names in a directory, in byte order.
    pub fn ls(&self, path: &str) -> Result<Vec<String>, Errno> {
        let files = self.lock();
        let dir = clean(path.as_bytes());
        match files.get(&dir) {
            Some(Node::Dir) => Ok(files
                .keys()
                .filter(|path| parent(path) == Some(&dir[..]))
                .map(|path| String::from_utf8_lossy(&path[dir.len() + usize::from(dir != b"/")..]).into_owned())
                .collect()),
            Some(_) => Err(Errno::ENOTDIR),
            None => Err(Errno::ENOENT),
        }
    }

    /// Attaches a regular file to a loop device. `-b SIZE` among the arguments sets the logical block size; other
    /// arguments are refused with EINVAL.
    pub fn losetup(&self, device: &str, path: &str, args: &str) -> Result<(), Errno> {
        let mut logical_block = LOGICAL_BLOCK;
        let mut words = args.split_whitespace();
        while let Some(word) = words.next() {
            match (word, words.next().and_then(|size| size.parse().ok())) {
                ("-b", Some(size)) => logical_block = size,
                _ => return Err(Errno::EINVAL),
            }
        }
        let mut files = self.lock();
        let backing = clean(path.as_bytes());
        let size = match files.get(&backing) {
            Some(Node::Regular { size }) => *size,
            Some(_) => return Err(Errno::EINVAL),
            None => return Err(Errno::ENOENT),
        };
        match files.get_mut(device.as_bytes()) {
            Some(Node::Loop { backing: Some(_), .. }) => Err(Errno::EBUSY),
            Some(node @ Node::Loop { .. }) => {
                *node = Node::Loop { backing: Some(backing), size, logical_block };
                Ok(())
            }
            Some(_) => Err(Errno::ENOTBLK),
            None => Err(Errno::ENOENT),
        }
    }

    /// Detaches a loop device.
    pub fn losetup_detach(&self, device: &str) -> Result<(), Errno> {
        match self.lock().get_mut(device.as_bytes()) {
            Some(node @ Node::Loop { backing: Some(_), .. }) => {
                *node = detached();
                Ok(())
            }
            Some(_) => Err(Errno::ENXIO),
            None => Err(Errno::ENOENT),
        }
    }

    /// A loop device takes over the present size of its file.
    pub fn losetup_grow(&self, device: &str) -> Result<(), Errno> {
        let mut files = self.lock();
        let Some(Node::Loop { backing: Some(backing), .. }) = files.get(device.as_bytes()) else {
            return Err(Errno::ENXIO);
        };
        let Some(&Node::Regular { size: now }) = files.get(&backing.clone()) else {
            return Err(Errno::ENOENT);
        };
        if let Some(Node::Loop { size, .. }) = files.get_mut(device.as_bytes()) {
            *size = now;
        }
        Ok(())
    }

    /// `dmsetup ACTION NAME`: create or reload with a table of one linear target, suspend, resume or remove.
    pub fn device_mapper(&self, action: &str, name: &str, table: &str) -> Result<(), Errno> {
        let mut files = self.lock();
        let path = format!("/dev/mapper/{name}").into_bytes();
        let there = files.contains_key(&path);
        match action {
            "create" if there => return Err(Errno::EBUSY),
            "create" => {
                let (lower, size) = linear_target(table)?;
                files.insert(path, Node::Mapped { lower, size, suspended: false });
                return Ok(());
            }
            "remove" => return files.remove(&path).map(|_| ()).ok_or(Errno::ENXIO),
            _ => {}
        }
        let Some(Node::Mapped { lower, size, suspended }) = files.get_mut(&path) else { return Err(Errno::ENXIO) };
        match action {
            "reload" => (*lower, *size) = linear_target(table)?,
            "suspend" => *suspended = true,
            "resume" => *suspended = false,
            _ => return Err(Errno::EINVAL),
        }
        Ok(())
    }

    /// Loads the kernel's test disk driver: `nr_devices` disks of `gb` GiB that answer after `completion_nsec`.
    pub fn null_blk(&self, args: &str) -> Result<(), Errno> {
        let value = |name: &str| {
            args.split_whitespace()
                .filter_map(|arg| arg.split_once('='))
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value.parse::<u64>().map_err(|_| Errno::EINVAL))
                .transpose()
        };
        let disks = value("nr_devices")?.unwrap_or(1);
        let size = value("gb")?.unwrap_or(250) << 30;
        let latency = Duration::from_nanos(value("completion_nsec")?.unwrap_or(10_000));
        let mut files = self.lock();
        for minor in 0..disks {
            files.insert(format!("/dev/nullb{minor}").into(), Node::Disk { size, latency });
        }
        Ok(())
    }

    /// How long the slowest disk of the host takes for one command.
    pub fn disk_latency(&self) -> Duration {
        let slowest = |node: &Node| {
            if let Node::Disk { latency, .. } = node { Some(*latency) } else { None }
        };
        self.lock().values().filter_map(slowest).max().unwrap_or_default()
    }

    fn written(&self) -> MutexGuard<'_, BTreeMap<Vec<u8>, Vec<u8>>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Vec<u8>, Node>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Host for World {
    fn read_file(&self, path: &[u8]) -> Result<Vec<u8>, Errno> {
        let path = clean(path);
        match self.lock().get(&path) {
            Some(Node::Regular { .. }) => Ok(self.written().get(&path).cloned().unwrap_or_default()),
            Some(_) => Err(Errno::EINVAL),
            None => Err(Errno::ENOENT),
        }
    }

    fn write_file(&self, path: &[u8], content: &[u8]) -> Result<(), Errno> {
        let path = String::from_utf8_lossy(path).into_owned();
        self.mkfile(&path, content.len() as u64)?;
        self.written().insert(clean(path.as_bytes()), content.to_vec());
        Ok(())
    }

    fn remove_file(&self, path: &[u8]) -> Result<(), Errno> {
        self.unlink(&String::from_utf8_lossy(path))
    }

    fn file(&self, path: &[u8]) -> Result<HostFile, Errno> {
        let files = self.lock();
        let path = clean(path);
        let Some(node) = files.get(&path) else {
            let below_a_file = parent(&path).and_then(|dir| files.get(dir)).is_some_and(|node| *node != Node::Dir);
            return Err(if below_a_file { Errno::ENOTDIR } else { Errno::ENOENT });
        };
        let (kind, size, logical_block, held) = match *node {
            Node::Dir => (FileKind::Dir, 4096, LOGICAL_BLOCK, false),
            Node::Char => (FileKind::Char, 0, LOGICAL_BLOCK, false),
            Node::Regular { size } => (FileKind::Regular, size, LOGICAL_BLOCK, false),
            Node::Fifo { writer } => (FileKind::Fifo, 0, LOGICAL_BLOCK, writer),
            Node::Loop { size, logical_block, .. } => (FileKind::Block, size, logical_block, false),
            Node::Disk { size, .. } | Node::Mapped { size, .. } => (FileKind::Block, size, LOGICAL_BLOCK, false),
        };
        // A loop device on a file passes discards on to it as holes.
        let lowest = if let Node::Mapped { lower, .. } = node { files.get(lower).unwrap_or(node) } else { node };
        let discard = matches!(lowest, Node::Loop { backing: Some(_), .. });
        let hangs = matches!(node, Node::Mapped { suspended: true, .. });
        let health = if hangs { Health::Hanging } else { Health::Good };
        Ok(HostFile { logical_block, held, discard, health, ..HostFile::plain(kind, size, &path) })
    }
}

/// Device and size in bytes of a table with one linear target: `0 SECTORS linear DEVICE OFFSET`.
fn linear_target(table: &str) -> Result<(Vec<u8>, u64), Errno> {
    match table.split_whitespace().collect::<Vec<_>>()[..] {
        ["0", sectors, "linear", device, _] => {
            let sectors: u64 = sectors.parse().map_err(|_| Errno::EINVAL)?;
            Ok((clean(device.as_bytes()), sectors * u64::from(LOGICAL_BLOCK)))
        }
        _ => Err(Errno::EINVAL),
    }
}

fn detached() -> Node {
    Node::Loop { backing: None, size: 0, logical_block: LOGICAL_BLOCK }
}

/// The path without empty and `.` components.
fn clean(path: &[u8]) -> Vec<u8> {
    let mut cleaned = Vec::with_capacity(path.len());
    for part in path.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".") {
        cleaned.push(b'/');
        cleaned.extend_from_slice(part);
    }
    if cleaned.is_empty() { b"/".to_vec() } else { cleaned }
}

fn parent(path: &[u8]) -> Option<&[u8]> {
    let slash = path.iter().rposition(|byte| *byte == b'/')?;
    if path == b"/" { None } else { Some(if slash == 0 { b"/" } else { &path[..slash] }) }
}

fn within(path: &[u8], dir: &[u8]) -> bool {
    path.strip_prefix(dir).is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
}

/// The path cleaned, if the directory it lies in exists.
fn in_directory(files: &BTreeMap<Vec<u8>, Node>, path: &str) -> Result<Vec<u8>, Errno> {
    let path = clean(path.as_bytes());
    match parent(&path).map(|dir| files.get(dir)) {
        Some(Some(Node::Dir)) => Ok(path),
        Some(Some(_)) => Err(Errno::ENOTDIR),
        Some(None) => Err(Errno::ENOENT),
        None => Err(Errno::EEXIST),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_device_has_the_size_its_file_had() {
        let world = World::new();
        world.mkfile("/run/lab/b0", 4096).expect("a file");
        let size = || world.file(b"/dev/loop0").expect("a device").size;
        assert_eq!(size(), 0);
        world.losetup("/dev/loop0", "/run/lab/b0", "-b 4096").expect("attached");
        assert_eq!(world.losetup("/dev/loop0", "/run/lab/b0", ""), Err(Errno::EBUSY));
        world.truncate("/run/lab/b0", 8192).expect("grown");
        assert_eq!(size(), 4096);
        world.losetup_grow("/dev/loop0").expect("grown");
        assert_eq!(size(), 8192);
        assert_eq!(world.file(b"/dev/loop0").expect("a device").logical_block, 4096);
        world.losetup_detach("/dev/loop0").expect("detached");
        assert_eq!(size(), 0);
    }

    #[test]
    fn a_directory_is_renamed_with_what_is_in_it() {
        let world = World::new();
        world.rename("/var/lib/scst", "/var/lib/away").expect("renamed");
        assert_eq!(world.file(b"/var/lib/scst/pr"), Err(Errno::ENOENT));
        assert_eq!(world.ls("/var/lib/away").expect("a directory"), ["pr", "vdev_mode_pages"]);
    }

    #[test]
    fn paths_that_cannot_be() {
        let world = World::new();
        assert_eq!(world.mkfile("/run/nowhere/f", 1), Err(Errno::ENOENT));
        world.mkfile("/run/lab/f", 1).expect("a file");
        assert_eq!(world.file(b"/run/lab/f/g"), Err(Errno::ENOTDIR));
        assert_eq!(world.file(b"//run/./lab/f").expect("the same file").size, 1);
        assert_eq!(world.unlink("/run/lab"), Err(Errno::EISDIR));
        assert_eq!(world.losetup("/dev/loop0", "/run/lab/f", "--unknown 1"), Err(Errno::EINVAL));
    }

    #[test]
    fn a_fifo_knows_whether_somebody_writes() {
        let world = World::new();
        world.mkfifo("/run/lab/fifo").expect("a FIFO");
        assert!(!world.file(b"/run/lab/fifo").expect("a FIFO").held);
        world.open_fifo_writer("/run/lab/fifo").expect("opened");
        assert!(world.file(b"/run/lab/fifo").expect("a FIFO").held);
    }
}
