//! An action under way, and what goes wrong in it.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Condvar};
use std::time::Duration;

use scst_core::ocf::action::Action;

use super::coverage::Kind;
use super::faults::Fault;
use super::real::Call;
use super::stage::TaskId;

/// Something goes wrong in one certain action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Aim {
    pub(super) kind: Kind,
    pub(super) node: usize,
    /// How many actions of this kind come before it on this node.
    pub(super) before: usize,
    /// The operation that it meets, from 1.
    pub(super) operation: u32,
    pub(super) fault: Fault,
}

/// An action, as far as the simulation is concerned.
#[expect(clippy::struct_excessive_bools, reason = "what has happened to an action, each by itself")]
pub(super) struct Task {
    pub(super) node: usize,
    /// Which resource and action, for the history.
    pub(super) label: String,
    pub(super) action: Action,
    pub(super) kind: Kind,
    /// It has got the turn. One for each, because whoever wakes up in vain costs more than the action.
    pub(super) got: Arc<Condvar>,
    /// It does nothing before this time.
    pub(super) wake: Duration,
    /// When it is killed.
    pub(super) end: Duration,
    /// It is to die at the next opportunity.
    pub(super) killed: bool,
    pub(super) cancelled: Arc<AtomicBool>,
    /// Operations on kernel files so far.
    pub(super) operations: u32,
    /// Something went wrong in it.
    pub(super) faulted: bool,
    /// When it began.
    pub(super) begun: Duration,
    /// It is a demotion, and its transition promotes another node.
    pub(super) moves: bool,
    /// It is a monitor that compares everything.
    pub(super) thorough: bool,
    /// What goes wrong in it, and at which operation.
    pub(super) fault: Option<(u32, Fault)>,
    /// What it was called with and met, for the real binary.
    pub(super) call: Option<Box<Call>>,
    pub(super) outcome: Option<Outcome>,
}

/// How an action ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outcome {
    /// Its exit code; `None`: it was killed.
    pub(super) exit: Option<u8>,
    /// Its exit reason.
    pub(super) reason: String,
    /// It panicked.
    pub(super) panicked: bool,
}

/// What invariants ask of the action that writes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Writer {
    pub(super) id: TaskId,
    pub(super) action: Action,
    pub(super) begun: Duration,
    pub(super) end: Duration,
    pub(super) faulted: bool,
    pub(super) moves: bool,
}

impl Task {
    /// Somebody called it, not the cluster.
    pub(super) fn by_hand(&self) -> bool {
        self.label.ends_with("by hand")
    }

    pub(super) fn writer(&self, id: TaskId) -> Writer {
        let Self { action, begun, end, faulted, moves, .. } = *self;
        Writer { id, action, begun, end, faulted, moves }
    }
}
