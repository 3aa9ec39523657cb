//! What goes wrong in a case: which operation, and how.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::Signal;
use scst_sim::faults::{Action, Fault, Op, When};

use super::story::Agent;

/// How long a queued command takes.
const QUEUED: Duration = Duration::from_millis(80);

/// An operation of an action: the n-th of its kind on its path. It is named so and not by its number in the whole action, because
/// ports are enabled side by side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spot {
    /// Its kind.
    pub(super) op: Op,
    /// Its path below the mount.
    pub(super) path: String,
    /// How many there were before it, and itself.
    pub(super) nth: u32,
}

impl Display for Spot {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let path = self.path.strip_prefix("kernel/scst_tgt/").unwrap_or(&self.path);
        write!(f, "{} {path} #{}", self.op, self.nth)
    }
}

/// How it goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// It is refused, once.
    Once(Errno),
    /// It is refused, and so is every later one of its kind on its path, until the fault is repaired.
    Lasting(Errno),
    /// Queued, and done later.
    Queued,
    /// Queued, and failed later.
    QueuedFails,
    /// Not answered before the deadline; done after it.
    Hang,
    /// The run is killed before it.
    KilledBefore,
    /// The run is killed after it.
    KilledAfter,
    /// The run is asked to end.
    Terminated,
}

impl Trouble {
    /// All there are, in the order of the table's columns.
    pub(super) const ALL: [Self; 12] = [
        Self::Once(Errno::EIO),
        Self::Once(Errno::EBUSY),
        Self::Once(Errno::ENOMEM),
        Self::Once(Errno::ENOENT),
        Self::Lasting(Errno::EIO),
        Self::Lasting(Errno::EBUSY),
        Self::Queued,
        Self::QueuedFails,
        Self::Hang,
        Self::KilledBefore,
        Self::KilledAfter,
        Self::Terminated,
    ];

    /// Whether it can happen to this kind of operation.
    pub(super) fn concerns(self, op: Op) -> bool {
        !matches!(self, Self::Queued | Self::QueuedFails) || op == Op::Write
    }

    /// It stays until it is repaired.
    pub(super) fn lasts(self) -> bool {
        matches!(self, Self::Lasting(_))
    }

    /// The run dies without a chance to do anything about it.
    pub(super) fn kills(self) -> bool {
        matches!(self, Self::KilledBefore | Self::KilledAfter)
    }

    /// The words of which an exit reason must hold one, to name the cause. ENOENT has none: what is not there is not a
    /// failure by itself, but makes other things fail.
    pub(super) fn words(self) -> &'static [&'static str] {
        match self {
            Self::Once(Errno::ENOENT) => &[""],
            Self::Once(Errno::EIO) | Self::Lasting(Errno::EIO) | Self::QueuedFails => &["EIO"],
            Self::Once(Errno::EBUSY) | Self::Lasting(Errno::EBUSY) => &["EBUSY"],
            Self::Once(_) | Self::Lasting(_) => &["ENOMEM"],
            Self::Hang => &["no answer within", "did not happen within"],
            Self::Terminated => &["ended by a signal"],
            Self::Queued | Self::KilledBefore | Self::KilledAfter => &[],
        }
    }

    /// The fault to arm.
    pub(super) fn fault(self, agent: Agent, spot: &Spot) -> Fault {
        let fault = Fault::on(spot.op).path(&spot.path).process(agent.program());
        match self {
            Self::Once(errno) => fault.at(spot.nth).fail(errno),
            Self::Lasting(errno) => fault.from(spot.nth).fail(errno),
            Self::Queued => fault.at(spot.nth).action(Action::Queue(QUEUED, None)),
            Self::QueuedFails => fault.at(spot.nth).action(Action::Queue(QUEUED, Some(Errno::EIO))),
            Self::Hang => fault.at(spot.nth).action(Action::Hang),
            Self::KilledBefore => fault.at(spot.nth).action(Action::Kill(Signal::SIGKILL, When::Before)),
            Self::KilledAfter => fault.at(spot.nth).action(Action::Kill(Signal::SIGKILL, When::After)),
            // A signal does not keep the kernel from carrying the operation out.
            Self::Terminated => fault.at(spot.nth).action(Action::Kill(Signal::SIGTERM, When::After)),
        }
    }
}

impl Display for Trouble {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Once(errno) => f.pad(&format!("{errno:?}")),
            Self::Lasting(errno) => f.pad(&format!("{errno:?}-stays")),
            Self::Queued => f.pad("queued"),
            Self::QueuedFails => f.pad("queued-fails"),
            Self::Hang => f.pad("hang"),
            Self::KilledBefore => f.pad("kill-before"),
            Self::KilledAfter => f.pad("kill-after"),
            Self::Terminated => f.pad("term"),
        }
    }
}
