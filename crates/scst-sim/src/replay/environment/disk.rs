//! A block device of a virtual host: of which kind it is, its limits, and what it stands on.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::model::{Health, Limits};

pub(super) const LOGICAL_BLOCK: u32 = Limits::PLAIN.logical_block;

/// Which node it is.
pub(super) type Id = u64;

/// A block device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Disk {
    pub(super) kind: Kind,
    pub(super) size: u64,
    pub(super) limits: Limits,
    pub(super) latency: Duration,
    pub(super) health: Health,
    /// The device or file it stands on, and from which byte on.
    pub(super) lower: Option<(Id, u64)>,
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
            limits: Limits::PLAIN,
            latency: Duration::ZERO,
            health: Health::Good,
            lower: None,
            dirty: BTreeSet::new(),
        }
    }

    pub(super) fn detached_loop() -> Self {
        Self::plain(Kind::Loop { detaching: false }, 0)
    }

    pub(super) fn is_secondary(&self) -> bool {
        matches!(&self.kind, Kind::Drbd(drbd) if !drbd.primary)
    }

    /// A device on another one, from that byte on, with its limits.
    pub(super) fn above(kind: Kind, size: u64, (id, lower): (Id, &Self), offset: u64) -> Self {
        Self { limits: lower.limits, lower: Some((id, offset)), ..Self::plain(kind, size) }
    }
}
