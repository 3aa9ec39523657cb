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
use super::tape::Call;

/// A number of its own for every action, from 1.
pub(super) type TaskId = u32;

/// The code of an action, on a stack of its own, which it leaves and takes up again where it gives the turn away.
pub(super) type Body = Generator<'static, (), ()>;

/// An action, as far as the simulation is concerned.
#[expect(clippy::struct_excessive_bools, reason = "what has happened to an action, each by itself")]
pub(super) struct Task {
    pub(super) id: TaskId,
    pub(super) resource: usize,
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
    pub(super) operations: usize,
    /// Nobody waits for it.
    pub(super) aside: bool,
    /// Something went wrong in it.
    pub(super) faulted: bool,
    /// When it began.
    pub(super) begun: Duration,
    /// It is a demotion, and its transition promotes another node.
    pub(super) moves: bool,
    /// It is a monitor that compares everything.
    pub(super) thorough: bool,
    /// What goes wrong in it, and at which operation.
    pub(super) fault: Option<(usize, Fault)>,
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

impl Task {
    /// Somebody called it, not the cluster.
    pub(super) fn by_hand(&self) -> bool {
        self.label.ends_with("by hand")
    }
}
