//! What the devices stand on, and what hosts have written there.
//!
//! Every node sees the stores of a group under the same paths, and what one node writes the others read. Only the kernel below one node
//! knows what it still has in its page cache.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;
use scst_sim::host::{DrbdRole, EntryKind, FileEntry, Files, StoreChange, StoreHealth};
use scst_sim::model::{FileKind, Host, HostDisk, HostFile};

use super::world::{MAJOR, NODES, World, disk_of};

/// What lies below the stores of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layer {
    /// Nothing: all nodes see the same disks, and could write them.
    Shared,
    /// A DRBD resource: a disk opens only where it is primary.
    Drbd,
    /// A volume group of the shared disks: its volumes exist only on the node that has activated it.
    Volumes,
}

/// A store that all nodes share.
#[derive(Debug, Clone)]
pub(super) struct Store {
    pub(super) path: String,
    pub(super) group: String,
    pub(super) layer: Layer,
    /// The minor number of a disk; a file has none.
    pub(super) minor: Option<usize>,
    pub(super) size: u64,
    /// Bytes of a block, as a power of two.
    pub(super) shift: u32,
}

impl Store {
    /// As a node finds it that has just booted.
    pub(super) fn entry(&self) -> FileEntry {
        FileEntry {
            path: self.path.clone(),
            kind: if self.minor.is_some() { EntryKind::Block } else { EntryKind::Regular },
            number: self.minor.map(|minor| format!("{MAJOR}:{minor}")),
            size: Some(self.size),
            logical_block: self.minor.map(|_| 1 << self.shift),
            drbd: (self.layer == Layer::Drbd).then_some(DrbdRole::Secondary),
            present: Some(self.layer != Layer::Volumes),
            ..FileEntry::default()
        }
    }
}

/// The numbers that hosts have written, by store and offset.
#[derive(Debug, Default, Clone)]
pub(super) struct Contents {
    blocks: BTreeMap<(String, u64), u64>,
    /// What is in the page cache of a node, of files and of what was not written through.
    pages: BTreeMap<(usize, String, u64), u64>,
    /// The number that the last write to a block on a node carries.
    pub(super) sent: BTreeMap<(usize, String, u64), u64>,
}

impl Contents {
    /// What a read on a node gives.
    pub(super) fn read(&self, node: usize, store: &str, offset: u64) -> u64 {
        let cached = self.pages.get(&(node, store.to_owned(), offset));
        cached.or_else(|| self.blocks.get(&(store.to_owned(), offset))).copied().unwrap_or(0)
    }

    /// A node loses its memory.
    pub(super) fn forget(&mut self, node: usize) {
        self.pages.retain(|(of, ..), _| *of != node);
    }
}

/// A node's view of all stores.
#[derive(Debug, Clone)]
pub(super) struct Disks {
    pub(super) files: Files,
    pub(super) node: usize,
    pub(super) contents: Arc<Mutex<Contents>>,
}

impl Disks {
    pub(super) fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same, with other contents, to be changed apart from the original.
    pub(super) fn fork(&self, contents: &Arc<Mutex<Contents>>) -> Self {
        Self { files: self.files.fork(), node: self.node, contents: Arc::clone(contents) }
    }

    /// Which store an opening is of, however often that was away.
    fn store(identity: &[u8]) -> String {
        String::from_utf8_lossy(identity).split(" after ").next().unwrap_or_default().to_owned()
    }
}

impl Host for Disks {
    fn file(&self, path: &[u8]) -> Result<HostFile, Errno> {
        self.files.file(path)
    }

    fn read_file(&self, path: &[u8]) -> Result<Vec<u8>, Errno> {
        self.files.read_file(path)
    }

    fn write_file(&self, path: &[u8], content: &[u8]) -> Result<(), Errno> {
        self.files.write_file(path, content)
    }

    fn remove_file(&self, path: &[u8]) -> Result<(), Errno> {
        self.files.remove_file(path)
    }

    fn opened(&self, path: &[u8], identity: &[u8]) -> Option<HostFile> {
        self.files.opened(path, identity)
    }

    fn grown(&self, identity: &[u8], size: u64) {
        self.files.grown(identity, size);
    }

    fn disks(&self) -> Vec<HostDisk> {
        self.files.disks()
    }

    fn written(&self, identity: &[u8], offset: u64, through: bool) {
        let store = Self::store(identity);
        let file = self.files.opened(store.as_bytes(), identity).is_some_and(|file| file.kind == FileKind::Regular);
        let mut contents = self.contents();
        let Some(number) = contents.sent.get(&(self.node, store.clone(), offset)).copied() else { return };
        let page = (self.node, store.clone(), offset);
        // A file that has been removed is not found, and its pages are there as long as it is open.
        if file || !through || contents.pages.contains_key(&page) {
            contents.pages.insert(page, number);
        }
        if through {
            contents.blocks.insert((store, offset), number);
        }
    }

    /// What was read and written stays in the page cache as long as somebody has the file open.
    fn closed(&self, identity: &[u8]) {
        let store = Self::store(identity);
        self.contents().pages.retain(|(node, of, _), _| *node != self.node || *of != store);
    }
}

impl World {
    /// What lies below the stores of a group, from the next boot on; `large`: its disks have blocks of 4096 bytes.
    pub(super) fn lay(&mut self, group: &str, layer: Layer, large: bool) {
        for store in self.stores.iter_mut().filter(|store| store.group == group) {
            store.layer = layer;
            if large && store.minor.is_some() {
                store.shift = 12;
            }
            for node in &self.nodes {
                node.disks.files.declare(&store.entry()).expect("an absolute path");
            }
        }
    }

    /// How a group is told of its n-th device.
    pub(super) fn device(&self, group: &str, n: usize, lun: usize) -> String {
        let layer = self.layer(group);
        let store = match (n, group) {
            // One of the groups has a device without any store.
            (1, _) if layer == Layer::Shared && self.files => format!("handler=vdisk_fileio,filename=/srv/{group}"),
            (2, "blue") => "handler=vdisk_nullio".to_owned(),
            _ => format!("handler=vdisk_blockio,filename={}", disk_of(group, n)),
        };
        let absent = layer == Layer::Volumes && store.contains("blockio");
        let shift = self.stores.iter().find(|store| store.group == group).map_or(9, |store| store.shift);
        // Of a disk that is not there nobody can see how large its blocks are.
        let absent = if absent { format!(",absent_in_standby=1,blocksize={}", 1 << shift) } else { String::new() };
        format!("virtname=lu{n},{store},export0=esx1:{lun},export1=esx2:{lun}{absent}")
    }

    pub(super) fn layer(&self, group: &str) -> Layer {
        self.stores.iter().find(|store| store.group == group).map_or(Layer::Shared, |store| store.layer)
    }

    /// What lies below a group is brought up on a node, or down. False: SCST has a store open, so it cannot be brought down.
    pub(super) fn lower(&mut self, node: usize, group: &str, up: bool) -> bool {
        let role = if up { DrbdRole::Primary } else { DrbdRole::Secondary };
        let change = match self.layer(group) {
            Layer::Shared => return true,
            Layer::Drbd => StoreChange { drbd: Some(role), ..StoreChange::default() },
            Layer::Volumes => StoreChange { present: Some(up), ..StoreChange::default() },
        };
        let stores: Vec<String> =
            self.stores.iter().filter(|store| store.group == group).map(|store| store.path.clone()).collect();
        if !up && stores.iter().any(|path| self.is_open(node, path)) {
            return false;
        }
        self.happened(format!(
            "  {:?} of {group} {} on {}",
            self.layer(group),
            if up { "up" } else { "down" },
            NODES[node]
        ));
        for path in &stores {
            self.change_store(node, path, &change);
        }
        true
    }

    /// Whether a device of a node has a store open.
    pub(super) fn is_open(&self, node: usize, path: &str) -> bool {
        let there = &self.nodes[node];
        there.disks.file(path.as_bytes()).is_ok_and(|file| there.machine.holds_open(&file.identity))
    }

    /// A store is another on a node from now on.
    pub(super) fn change_store(&mut self, node: usize, path: &str, change: &StoreChange) {
        self.nodes[node].disks.files.change(path, change, |_| false).expect("a declared store");
    }

    /// All stores are there again, can be opened, and answer. The groups of those that did not: what is open of one that was away is
    /// an opening of nothing.
    pub(super) fn heal_stores(&mut self) -> BTreeSet<String> {
        let mut groups = BTreeSet::new();
        for node in 0..self.nodes.len() {
            for path in std::mem::take(&mut self.nodes[node].sick) {
                let Some(store) = self.stores.iter().find(|store| store.path == path) else { continue };
                groups.insert(store.group.clone());
                let healthy = StoreChange {
                    present: (store.layer != Layer::Volumes).then_some(true),
                    open_error: Some("none".to_owned()),
                    health: Some(StoreHealth::Good),
                    size: Some(store.size),
                    ..StoreChange::default()
                };
                self.change_store(node, &path, &healthy);
            }
        }
        groups
    }
}
