//! Open files, as `fs/kernfs/file.c` and `fs/seq_file.c` treat them.
//!
//! A read at offset 0 makes a new snapshot of the attribute; reads that continue where the last one ended take from it, so
//! that a file kept open ends where its old content ended. A read anywhere else makes a new snapshot too.

use std::collections::HashMap;

use crate::control::ControlFile;
use crate::model::{Handle, Kind};

/// What an open file is.
#[derive(Debug)]
pub(crate) enum Opened {
    /// An attribute of the machine.
    Attribute {
        /// What the model knows it by.
        file: Handle,
        /// The text.
        text: Snapshot,
    },
    /// A file below `.sim`.
    Control {
        /// Which.
        file: ControlFile,
        /// The text.
        text: Snapshot,
    },
    /// A directory, listed when read from its beginning.
    Directory {
        /// Path relative to the mount point.
        path: Vec<u8>,
        /// Identity of the directory that was opened.
        id: u64,
        /// Its entries.
        entries: Vec<(Vec<u8>, Kind)>,
    },
}

/// A text as it was when last read from its beginning.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    text: Vec<u8>,
    position: u64,
}

impl Snapshot {
    /// A read at `offset` needs the text anew.
    pub(crate) fn is_stale_at(&self, offset: u64) -> bool {
        offset == 0 || offset != self.position
    }

    /// Puts a new text in.
    pub(crate) fn renew(&mut self, text: Vec<u8>) {
        self.text = text;
    }

    /// Up to `size` bytes at `offset`.
    pub(crate) fn take(&mut self, offset: u64, size: u32) -> Vec<u8> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.text.len());
        let end = start.saturating_add(size as usize).min(self.text.len());
        self.position = offset + (end - start) as u64;
        self.text[start..end].to_vec()
    }
}

/// All open files of a mount.
#[derive(Debug, Default)]
pub(crate) struct Handles {
    by_number: HashMap<u64, Opened>,
    last: u64,
}

impl Handles {
    pub(crate) fn add(&mut self, opened: Opened) -> u64 {
        self.last += 1;
        self.by_number.insert(self.last, opened);
        self.last
    }

    pub(crate) fn get(&self, number: u64) -> Option<&Opened> {
        self.by_number.get(&number)
    }

    pub(crate) fn get_mut(&mut self, number: u64) -> Option<&mut Opened> {
        self.by_number.get_mut(&number)
    }

    pub(crate) fn close(&mut self, number: u64) {
        self.by_number.remove(&number);
    }

    pub(crate) fn len(&self) -> usize {
        self.by_number.len()
    }
}

#[cfg(test)]
mod tests {
    use super::Snapshot;

    #[test]
    fn continuing_takes_from_the_old_text_and_seeking_does_not() {
        let mut snapshot = Snapshot::default();
        assert!(snapshot.is_stale_at(0));
        snapshot.renew(b"three\n".to_vec());
        assert_eq!(snapshot.take(0, 2), b"th");
        assert!(!snapshot.is_stale_at(2));
        assert_eq!(snapshot.take(2, 100), b"ree\n");
        assert!(!snapshot.is_stale_at(6));
        assert_eq!(snapshot.take(6, 100), b"");
        assert!(snapshot.is_stale_at(3));
        assert!(snapshot.is_stale_at(0));
        assert_eq!(snapshot.take(100, 1), b"");
    }
}
