//! What a process does on the mount, as faults strike it and keep it back.

use std::time::Duration;

use crate::faults::Op;
use crate::model::{Errno, Handle};

/// Something a process does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Operation {
    Open { path: Vec<u8>, id: u64, flags: u32 },
    Read { handle: u64, offset: u64, size: u32 },
    List { handle: u64, offset: u64, size: u32 },
    Readlink { path: Vec<u8>, id: u64 },
    Write { file: Handle, data: Vec<u8>, record: u64 },
}

impl Operation {
    /// What faults and counters know it as; `None` for the continuation of a read or listing, which is part of the first.
    pub(crate) fn kind(&self) -> Option<Op> {
        match self {
            Self::Open { .. } => Some(Op::Open),
            Self::Read { offset, .. } => (*offset == 0).then_some(Op::Read),
            Self::List { offset, .. } => (*offset == 0).then_some(Op::List),
            Self::Readlink { .. } => Some(Op::Readlink),
            Self::Write { .. } => Some(Op::Write),
        }
    }
}

/// An operation a fault keeps back.
#[derive(Debug)]
pub(crate) struct Held {
    /// The caller's request; `None` when it has been answered already.
    pub(crate) unique: Option<u64>,
    /// When it goes on, in machine time; `None`: when released.
    pub(crate) due: Option<Duration>,
    pub(crate) operation: Operation,
    /// It ends with this errno instead of taking effect.
    pub(crate) fails: Option<Errno>,
}
