//! The kernel's names for what it has looked up: node numbers, and what path each stands for.
//!
//! A directory or link keeps its number as long as it lives, because the kernel hangs names below it. An attribute gets a
//! new one for every look-up: the kernel locks an inode while it is written, so that a second writer of the same file
//! would sleep where no signal reaches it, if both came to one inode. In sysfs the two are independent.

use std::collections::HashMap;

use crate::model::Kind;

/// The number of the root.
pub(crate) const ROOT: u64 = 1;

/// What a node number stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    /// Path relative to the mount point.
    pub(crate) path: Vec<u8>,
    /// Identity of the object that was there, [`crate::model::Attr::id`].
    pub(crate) id: u64,
    /// Permission and type as last seen, for objects that are gone but still open.
    pub(crate) mode: u32,
    /// References the kernel holds.
    references: u64,
}

/// All node numbers the kernel may still use.
#[derive(Debug)]
pub(crate) struct Nodes {
    by_number: HashMap<u64, Node>,
    lasting: HashMap<(Vec<u8>, u64), u64>,
    next: u64,
}

impl Nodes {
    pub(crate) fn new() -> Self {
        let root = Node { path: Vec::new(), id: 0, mode: 0o040_755, references: 1 };
        Self { by_number: HashMap::from([(ROOT, root)]), lasting: HashMap::new(), next: ROOT + 1 }
    }

    /// The node a number stands for.
    pub(crate) fn get(&self, number: u64) -> Option<&Node> {
        self.by_number.get(&number)
    }

    /// A number for what was found at a path, with one more reference by the kernel.
    pub(crate) fn refer(&mut self, path: Vec<u8>, id: u64, kind: Kind, mode: u32) -> u64 {
        let key = (path, id);
        if let Some(number) = self.lasting.get(&key)
            && let Some(node) = self.by_number.get_mut(number)
        {
            node.references += 1;
            node.mode = mode;
            return *number;
        }
        let number = self.next;
        self.next += 1;
        self.by_number.insert(number, Node { path: key.0.clone(), id, mode, references: 1 });
        if kind != Kind::File {
            self.lasting.insert(key, number);
        }
        number
    }

    /// The kernel has dropped that many references.
    pub(crate) fn forget(&mut self, number: u64, count: u64) {
        if number == ROOT {
            return;
        }
        let Some(node) = self.by_number.get_mut(&number) else { return };
        node.references = node.references.saturating_sub(count);
        if node.references == 0
            && let Some(node) = self.by_number.remove(&number)
        {
            self.lasting.remove(&(node.path, node.id));
        }
    }

    /// How many numbers are in use.
    pub(crate) fn len(&self) -> usize {
        self.by_number.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_keep_their_number_and_attributes_do_not() {
        let mut nodes = Nodes::new();
        let mut refer = |id, kind| nodes.refer(b"a".to_vec(), id, kind, 0);
        let (dir, file) = (refer(5, Kind::Dir), refer(6, Kind::File));
        assert_eq!(refer(5, Kind::Dir), dir);
        assert_ne!(refer(6, Kind::File), file);
        let recreated = refer(7, Kind::Dir);
        assert_ne!(recreated, dir);
    }

    #[test]
    fn forgotten_numbers_are_dropped() {
        let mut nodes = Nodes::new();
        let dir = nodes.refer(b"a".to_vec(), 5, Kind::Dir, 0);
        nodes.refer(b"a".to_vec(), 5, Kind::Dir, 0);
        nodes.forget(dir, 1);
        assert_eq!(nodes.len(), 2);
        nodes.forget(dir, 1);
        assert_eq!((nodes.len(), nodes.get(dir)), (1, None));
        nodes.forget(ROOT, 1);
        assert!(nodes.get(ROOT).is_some());
    }
}
