//! A block device of a virtual host: of which kind it is, its limits, and what it stands on.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::model::Health;

pub(super) const LOGICAL_BLOCK: u32 = 512;

/// Which node it is.
pub(super) type Id = u64;

/// A block device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Disk {
    pub(super) kind: Kind,
    pub(super) size: u64,
    pub(super) logical_block: u32,
    pub(super) physical_block: u32,
    pub(super) optimal_io: u32,
    pub(super) discard: bool,
    pub(super) latency: Duration,
    pub(super) health: Health,
    /// The device or file it stands on, and from which byte on.
    pub(super) lower: Option<Id>,
    pub(super) offset: u64,
    /// Where its page cache has hosts' blocks that were not flushed.
    pub(super) dirty: BTreeSet<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// It was told to detach while it was open.
    Loop {
        detaching: bool,
    },
    Mapped,
    Drbd(Drbd),
    /// A test disk of that module.
    Test(&'static str),
}

/// A DRBD device without a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Drbd {
    pub(super) resource: String,
    pub(super) primary: bool,
    pub(super) attached: bool,
    pub(super) up_to_date: bool,
}

impl Disk {
    pub(super) fn plain(kind: Kind, size: u64) -> Self {
        Self {
            kind,
            size,
            logical_block: LOGICAL_BLOCK,
            physical_block: LOGICAL_BLOCK,
            optimal_io: 0,
            discard: false,
            latency: Duration::ZERO,
            health: Health::Good,
            lower: None,
            offset: 0,
            dirty: BTreeSet::new(),
        }
    }

    pub(super) fn detached_loop() -> Self {
        Self::plain(Kind::Loop { detaching: false }, 0)
    }

    pub(super) fn is_secondary(&self) -> bool {
        matches!(&self.kind, Kind::Drbd(drbd) if !drbd.primary)
    }

    /// A device on another one, of which it has the limits.
    pub(super) fn above(kind: Kind, size: u64, id: Id, lower: &Self) -> Self {
        let own = Self { kind, size, lower: Some(id), ..Self::plain(Kind::Mapped, 0) };
        Self {
            logical_block: lower.logical_block,
            physical_block: lower.physical_block,
            optimal_io: lower.optimal_io,
            discard: lower.discard,
            ..own
        }
    }
}
