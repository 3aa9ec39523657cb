//! An action under way, and what goes wrong in it.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;

use generator::Generator;
use scst_core::ocf::action::Action;
use scst_core::ocf::exit::{Answer, Failure};

use super::coverage::Kind;
use super::faults::Fault;
use super::stage::TaskId;
use super::tape::Call;

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

impl Aim {
    /// What goes wrong in the action that begins now, and at which operation. What has met its action is over.
    pub(super) fn taken(aim: &mut Option<Self>, kind: &Kind, node: usize) -> Option<(u32, Fault)> {
        let meant = aim.as_mut().filter(|aim| aim.kind == *kind && aim.node == node)?;
        if meant.before > 0 {
            meant.before -= 1;
            return None;
        }
        aim.take().map(|aim| (aim.operation, aim.fault))
    }
}

/// The code of an action, on a stack of its own, which it leaves and takes up again where it gives the turn away.
pub(super) type Body = Generator<'static, (), ()>;

/// An action, as far as the simulation is concerned.
#[expect(clippy::struct_excessive_bools, reason = "what has happened to an action, each by itself")]
pub(super) struct Task {
    pub(super) node: usize,
    /// Which resource and action, for the history.
    pub(super) label: String,
    pub(super) action: Action,
    pub(super) kind: Kind,
    /// The action itself, where it waits for the turn; `None` while it runs.
    pub(super) body: Option<Body>,
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

/// What a killed action unwinds with.
struct Killed;

/// The running action dies, as by SIGKILL.
pub(super) fn die() -> ! {
    resume_unwind(Box::new(Killed))
}

impl From<thread::Result<Result<Answer, Failure>>> for Outcome {
    fn from(ended: thread::Result<Result<Answer, Failure>>) -> Self {
        let (exit, reason, panicked) = match ended {
            Ok(Ok(answer)) => {
                let reason = answer.left_undone().map(|failure| failure.reason.clone()).unwrap_or_default();
                (Some(answer.code().number()), reason, false)
            }
            Ok(Err(failure)) => (Some(failure.code.number()), failure.reason, false),
            Err(payload) if payload.is::<Killed>() => (None, "killed".to_owned(), false),
            Err(payload) => (None, payload.downcast_ref::<String>().cloned().unwrap_or_default(), true),
        };
        Self { exit, reason, panicked }
    }
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
