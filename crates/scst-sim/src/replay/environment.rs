//! The host around a recorded kernel: files, block devices, FIFOs and what holds them.
//!
//! A recording starts on a machine whose `/run/lab` is empty, whose `/var/lib/scst` has its two directories and whose
//! loop devices are all detached; its `env` steps change that. Nothing here touches the real machine, so that a replay
//! needs neither disks nor a tidy `/run`.
//!
//! A path leads to a node; what is open stays a node when its path is gone or leads to another one.

mod disk;
mod disks;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use self::disk::{Disk, Id};
use crate::model::{Errno, FileKind, Health, Host, HostFile, Limits};

/// Loop devices a Debian kernel makes at boot.
const LOOP_DEVICES: u32 = 8;

/// The files of one virtual host. Clones are the same host.
#[derive(Clone, Default)]
pub struct Environment {
    files: Arc<Mutex<Files>>,
}

#[derive(Default)]
struct Files {
    paths: BTreeMap<Vec<u8>, Id>,
    nodes: BTreeMap<Id, Node>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    Dir,
    Char,
    Regular {
        size: u64,
        /// What was written to it, as far as anybody reads it.
        content: Vec<u8>,
        /// Where hosts' blocks were written.
        data: BTreeSet<u64>,
    },
    Fifo {
        writer: bool,
    },
    Disk(Disk),
}

impl Files {
    fn at(&self, path: &[u8]) -> Option<&Node> {
        self.nodes.get(self.paths.get(path)?)
    }

    fn at_mut(&mut self, path: &[u8]) -> Option<&mut Node> {
        self.nodes.get_mut(self.paths.get(path)?)
    }

    /// A new node at a path, whatever was there before.
    fn add(&mut self, path: impl Into<Vec<u8>>, node: Node) {
        let id = self.nodes.keys().next_back().map_or(1, |last| last + 1);
        self.nodes.insert(id, node);
        self.paths.insert(path.into(), id);
    }

    /// The path cleaned, if the directory it lies in exists.
    fn in_directory(&self, path: &str) -> Result<Vec<u8>, Errno> {
        let path = clean(path.as_bytes());
        match parent(&path).map(|dir| self.at(dir)) {
            Some(Some(Node::Dir)) => Ok(path),
            Some(Some(_)) => Err(Errno::ENOTDIR),
            Some(None) => Err(Errno::ENOENT),
            None => Err(Errno::EEXIST),
        }
    }

    fn file(&self, id: Id) -> Option<HostFile> {
        let plain = |kind, size| HostFile::plain(kind, size, id.to_string().as_bytes());
        Some(match self.nodes.get(&id)? {
            Node::Dir => plain(FileKind::Dir, 4096),
            Node::Char => plain(FileKind::Char, 0),
            Node::Regular { size, .. } => plain(FileKind::Regular, *size),
            Node::Fifo { writer } => HostFile { held: *writer, ..plain(FileKind::Fifo, 0) },
            Node::Disk(disk) => HostFile {
                limits: Limits {
                    physical_block: disk.limits.physical_block.max(disk.limits.logical_block),
                    ..disk.limits
                },
                secondary: disk.is_secondary(),
                health: self.health(disk),
                ..plain(FileKind::Block, disk.size)
            },
        })
    }

    /// A block reaches a node and, of a disk, what is below it.
    fn write_through(&mut self, id: Id, offset: u64) {
        match self.nodes.get_mut(&id) {
            Some(Node::Regular { data, .. }) => {
                data.insert(offset);
            }
            Some(Node::Disk(Disk { lower: Some((lower, start)), .. })) => {
                let (lower, below) = (*lower, *start + offset);
                self.write_through(lower, below);
            }
            _ => {}
        }
    }

    /// How a disk is, with all that is below it.
    fn health(&self, disk: &Disk) -> Health {
        match (disk.health, disk.lower.and_then(|(lower, _)| self.nodes.get(&lower))) {
            (Health::Good, Some(Node::Disk(lower))) => self.health(lower),
            (own, _) => own,
        }
    }
}

impl Environment {
    /// The host as every recording finds it.
    pub fn new() -> Self {
        let environment = Self::default();
        {
            let mut files = environment.lock();
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
                files.add(dir, Node::Dir);
            }
            for device in ["/dev/null", "/dev/zero"] {
                files.add(device, Node::Char);
            }
            for minor in 0..LOOP_DEVICES {
                files.add(format!("/dev/loop{minor}"), Node::Disk(Disk::detached_loop()));
            }
        }
        environment
    }

    /// Makes a regular file of `size` bytes, or gives an existing one that size.
    pub fn mkfile(&self, path: &str, size: u64) -> Result<(), Errno> {
        let mut files = self.lock();
        let path = files.in_directory(path)?;
        match files.at_mut(&path) {
            None => {
                files.add(path, regular(size));
                Ok(())
            }
            Some(node @ Node::Regular { .. }) => {
                *node = regular(size);
                Ok(())
            }
            Some(Node::Dir) => Err(Errno::EISDIR),
            Some(_) => Err(Errno::EEXIST),
        }
    }

    /// Makes a FIFO nobody has opened.
    pub fn mkfifo(&self, path: &str) -> Result<(), Errno> {
        let mut files = self.lock();
        let path = files.in_directory(path)?;
        if files.at(&path).is_some() {
            return Err(Errno::EEXIST);
        }
        files.add(path, Node::Fifo { writer: false });
        Ok(())
    }

    /// Opens a FIFO for writing: whoever waits in open(2) for the other end is let in.
    pub fn open_fifo_writer(&self, path: &str) -> Result<(), Errno> {
        match self.lock().at_mut(&clean(path.as_bytes())) {
            Some(Node::Fifo { writer }) => {
                *writer = true;
                Ok(())
            }
            Some(_) => Err(Errno::EINVAL),
            None => Err(Errno::ENOENT),
        }
    }

    /// `truncate(2)` of a regular file. A loop device on it keeps its size until [`Environment::losetup_grow`].
    pub fn truncate(&self, path: &str, to: u64) -> Result<(), Errno> {
        match self.lock().at_mut(&clean(path.as_bytes())) {
            Some(Node::Regular { size, data, .. }) => {
                *size = to;
                data.retain(|offset| *offset < to);
                Ok(())
            }
            Some(Node::Dir) => Err(Errno::EISDIR),
            Some(_) => Err(Errno::EINVAL),
            None => Err(Errno::ENOENT),
        }
    }

    /// `unlink(2)`. What is open goes on.
    pub fn unlink(&self, path: &str) -> Result<(), Errno> {
        let mut files = self.lock();
        let path = clean(path.as_bytes());
        match files.at(&path) {
            Some(Node::Dir) => Err(Errno::EISDIR),
            Some(_) => {
                files.paths.remove(&path);
                Ok(())
            }
            None => Err(Errno::ENOENT),
        }
    }

    /// Removes a file, or a directory with everything below it, as `rm -rf` does.
    pub fn remove_all(&self, path: &str) {
        let path = clean(path.as_bytes());
        self.lock().paths.retain(|other, _| !within(other, &path));
    }

    /// `rename(2)` of a file or of a directory with everything below it. What was open at the new path goes on.
    pub fn rename(&self, from: &str, to: &str) -> Result<(), Errno> {
        let mut files = self.lock();
        let from = clean(from.as_bytes());
        let to = files.in_directory(to)?;
        if files.at(&from).is_none() {
            return Err(Errno::ENOENT);
        }
        let moved: Vec<_> = files.paths.keys().filter(|path| within(path, &from)).cloned().collect();
        for path in moved {
            if let Some(id) = files.paths.remove(&path) {
                files.paths.insert([&to, &path[from.len()..]].concat(), id);
            }
        }
        Ok(())
    }

    /// The names in a directory, in byte order.
    pub fn ls(&self, path: &str) -> Result<Vec<String>, Errno> {
        let files = self.lock();
        let dir = clean(path.as_bytes());
        match files.at(&dir) {
            Some(Node::Dir) => Ok(files
                .paths
                .keys()
                .filter(|path| parent(path) == Some(&dir[..]))
                .map(|path| String::from_utf8_lossy(&path[dir.len() + usize::from(dir != b"/")..]).into_owned())
                .collect()),
            Some(_) => Err(Errno::ENOTDIR),
            None => Err(Errno::ENOENT),
        }
    }

    /// A host's block has reached a regular file at that offset.
    pub fn has_data(&self, path: &str, offset: u64) -> bool {
        let files = self.lock();
        matches!(files.at(&clean(path.as_bytes())), Some(Node::Regular { data, .. }) if data.contains(&offset))
    }

    /// How long the slowest disk of the host takes for one command.
    pub fn disk_latency(&self) -> Duration {
        let files = self.lock();
        let slowest = |node: &Node| if let Node::Disk(disk) = node { Some(disk.latency) } else { None };
        files.paths.values().filter_map(|id| files.nodes.get(id)).filter_map(slowest).max().unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, Files> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Host for Environment {
    fn read_file(&self, path: &[u8]) -> Result<Vec<u8>, Errno> {
        let path = clean(path);
        match self.lock().at(&path) {
            Some(Node::Regular { content, .. }) => Ok(content.clone()),
            Some(_) => Err(Errno::EINVAL),
            None => Err(Errno::ENOENT),
        }
    }

    fn write_file(&self, path: &[u8], content: &[u8]) -> Result<(), Errno> {
        let path = String::from_utf8_lossy(path).into_owned();
        self.mkfile(&path, content.len() as u64)?;
        if let Some(Node::Regular { content: kept, .. }) = self.lock().at_mut(&clean(path.as_bytes())) {
            *kept = content.to_vec();
        }
        Ok(())
    }

    fn remove_file(&self, path: &[u8]) -> Result<(), Errno> {
        self.unlink(&String::from_utf8_lossy(path))
    }

    fn file(&self, path: &[u8]) -> Result<HostFile, Errno> {
        let files = self.lock();
        let path = clean(path);
        let Some(id) = files.paths.get(&path) else {
            let below_a_file = parent(&path).and_then(|dir| files.at(dir)).is_some_and(|node| *node != Node::Dir);
            return Err(if below_a_file { Errno::ENOTDIR } else { Errno::ENOENT });
        };
        files.file(*id).ok_or(Errno::ENOENT)
    }

    fn opened(&self, _path: &[u8], identity: &[u8]) -> Option<HostFile> {
        self.lock().file(node_id(identity)?)
    }

    fn grown(&self, identity: &[u8], to: u64) {
        let Some(id) = node_id(identity) else { return };
        if let Some(Node::Regular { size, .. }) = self.lock().nodes.get_mut(&id) {
            *size = to.max(*size);
        }
    }

    fn written(&self, identity: &[u8], offset: u64, through: bool) {
        let Some(id) = node_id(identity) else { return };
        let mut files = self.lock();
        match files.nodes.get_mut(&id) {
            Some(Node::Disk(disk)) if !through => {
                disk.dirty.insert(offset);
            }
            // Who reads a file sees what is in its page cache.
            _ => files.write_through(id, offset),
        }
    }

    fn flushed(&self, identity: &[u8]) {
        let Some(id) = node_id(identity) else { return };
        let mut files = self.lock();
        if let Some(Node::Disk(disk)) = files.nodes.get_mut(&id) {
            for offset in std::mem::take(&mut disk.dirty) {
                files.write_through(id, offset);
            }
        }
    }
}

fn regular(size: u64) -> Node {
    Node::Regular { size, content: Vec::new(), data: BTreeSet::new() }
}

/// The node of that identity.
fn node_id(identity: &[u8]) -> Option<Id> {
    std::str::from_utf8(identity).ok()?.parse().ok()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_device_has_the_size_its_file_had() {
        let environment = Environment::new();
        environment.mkfile("/run/lab/b0", 4096).expect("a file");
        let size = || environment.file(b"/dev/loop0").expect("a device").size;
        assert_eq!(size(), 0);
        environment.losetup("/dev/loop0", "/run/lab/b0", "-b 4096", false).expect("attached");
        assert_eq!(environment.losetup("/dev/loop0", "/run/lab/b0", "", false), Err(Errno::EBUSY));
        environment.truncate("/run/lab/b0", 8192).expect("grown");
        assert_eq!(size(), 4096);
        environment.losetup_grow("/dev/loop0").expect("grown");
        assert_eq!(size(), 8192);
        assert_eq!(environment.file(b"/dev/loop0").expect("a device").limits.logical_block, 4096);
        environment.losetup_detach("/dev/loop0", false).expect("detached");
        assert_eq!(size(), 0);
    }

    #[test]
    fn a_directory_is_renamed_with_what_is_in_it() {
        let environment = Environment::new();
        environment.rename("/var/lib/scst", "/var/lib/away").expect("renamed");
        assert_eq!(environment.file(b"/var/lib/scst/pr"), Err(Errno::ENOENT));
        assert_eq!(environment.ls("/var/lib/away").expect("a directory"), ["pr", "vdev_mode_pages"]);
    }

    #[test]
    fn paths_that_cannot_be() {
        let environment = Environment::new();
        assert_eq!(environment.mkfile("/run/nowhere/f", 1), Err(Errno::ENOENT));
        environment.mkfile("/run/lab/f", 1).expect("a file");
        assert_eq!(environment.file(b"/run/lab/f/g"), Err(Errno::ENOTDIR));
        assert_eq!(environment.file(b"//run/./lab/f").expect("the same file").size, 1);
        assert_eq!(environment.unlink("/run/lab"), Err(Errno::EISDIR));
        assert_eq!(environment.losetup("/dev/loop0", "/run/lab/f", "--unknown 1", false), Err(Errno::EINVAL));
    }

    #[test]
    fn a_fifo_knows_whether_somebody_writes() {
        let environment = Environment::new();
        environment.mkfifo("/run/lab/fifo").expect("a FIFO");
        assert!(!environment.file(b"/run/lab/fifo").expect("a FIFO").held);
        environment.open_fifo_writer("/run/lab/fifo").expect("opened");
        assert!(environment.file(b"/run/lab/fifo").expect("a FIFO").held);
    }
}
