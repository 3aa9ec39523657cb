//! What goes wrong in an action, and at which of its operations.

use std::collections::BTreeSet;
use std::time::Duration;

use nix::errno::Errno;
use scst_core::error::Verb;
use scst_core::ocf::action::Action;

use super::world::World;

/// What goes wrong in an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The kernel answers with this errno and does nothing.
    Fails(Errno),
    /// The kernel answers so to every such operation on this path, until all faults end.
    Lasts(Errno),
    /// The kernel has not carried a command out yet when it answers (EAGAIN), and does so right after.
    Queued,
    /// The same, and then the command fails.
    QueuedFails,
    /// The operation never ends.
    Hangs,
    /// SIGKILL before the operation.
    KillBefore,
    /// SIGKILL after the operation.
    KillAfter,
    /// SIGTERM before the operation.
    Term,
    /// All machines stand still for a while, and their clocks go on.
    Pause,
}

/// What goes wrong in the next action of a node, of this kind if it is said, and at which operation, from 1.
pub(super) type Armed = (usize, Option<Action>, usize, Fault);

/// How long machines stand still.
pub(super) const PAUSE: Duration = Duration::from_secs(25);

/// What goes wrong on a node for a while, in whichever action meets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lasting {
    /// Writes fail to paths with this text.
    Writes(&'static str, Errno),
    /// The cluster does not take attributes, for which no action fails.
    NoAttributes,
    /// The cluster's programs fail.
    ProgramsFail,
    /// They do not end.
    ProgramsHang,
}

impl Fault {
    pub(super) const ALL: [Self; 14] = [
        Self::Fails(Errno::EIO),
        Self::Fails(Errno::EBUSY),
        Self::Fails(Errno::ENOENT),
        Self::Fails(Errno::EINVAL),
        Self::Fails(Errno::ENOMEM),
        Self::Lasts(Errno::EIO),
        Self::Lasts(Errno::EBUSY),
        Self::Queued,
        Self::QueuedFails,
        Self::Hangs,
        Self::KillBefore,
        Self::KillAfter,
        Self::Term,
        Self::Pause,
    ];

    /// Whether it can happen to this kind of operation.
    pub(super) fn concerns(self, verb: Verb) -> bool {
        verb == Verb::Write || !matches!(self, Self::Queued | Self::QueuedFails)
    }

    /// Whether the kernel carries out an operation that meets it.
    pub(super) fn reaches_kernel(self) -> bool {
        match self {
            Self::Fails(_) | Self::Lasts(_) | Self::QueuedFails | Self::Hangs | Self::KillBefore => false,
            Self::Queued | Self::KillAfter | Self::Term | Self::Pause => true,
        }
    }
}

impl World {
    /// Nothing goes wrong any more. The groups of stores that were not as they should be.
    pub(super) fn recover(&mut self) -> BTreeSet<String> {
        self.armed = None;
        self.daemons_recover();
        let sick = self.heal_stores();
        self.disks_answer();
        for node in &mut self.nodes {
            (node.full, node.lasting, node.shell) = (None, None, false);
            node.broken.clear();
        }
        self.owes_reload |= self.shell;
        self.happened("all faults end");
        sick
    }

    /// What goes wrong in an action that begins now.
    pub(super) fn armed(&mut self, node: usize, action: Action) -> Option<(usize, Fault)> {
        let meant = |(at, of, ..): &mut Armed| *at == node && of.is_none_or(|of| of == action);
        self.armed.take_if(meant).map(|(_, _, operation, fault)| (operation, fault))
    }

    /// What goes wrong on a node at this time.
    pub(super) fn lasting(&self, node: usize) -> Option<Lasting> {
        let (what, until) = self.nodes[node].lasting?;
        (self.now < until).then_some(what)
    }

    /// Whether anything can be written below a node's `/run`.
    pub(super) fn may_write(&self, node: usize) -> Result<(), Errno> {
        self.nodes[node].full.map_or(Ok(()), Err)
    }

    /// Whether there is a reason for an action to fail on this node that began at `begun`, beside what went wrong in it.
    pub(super) fn has_cause(&self, node: usize, begun: Duration) -> bool {
        // A command that a block holds back, which a demotion could not give back yet, counts as one in flight.
        let in_flight = self.nodes[node].commands.iter().any(|command| command.hangs || command.held);
        self.misconfigured.contains(&node) || self.hampered(node, begun) || in_flight
    }

    /// Whether something about the node itself is not as it should be.
    pub(super) fn hampered(&self, node: usize, begun: Duration) -> bool {
        let node = &self.nodes[node];
        node.full.is_some() || !node.broken.is_empty() || !node.sick.is_empty() || begun < node.faulted
    }
}
