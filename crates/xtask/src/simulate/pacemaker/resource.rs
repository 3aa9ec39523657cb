//! Resources as the cluster sees them: what it believes of each instance, and what one transition does.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use scst_core::ocf::action::Action;

/// What the cluster believes of an instance.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::simulate) enum Role {
    /// Nothing: it must be probed.
    #[default]
    Unknown,
    Stopped,
    Unpromoted,
    Promoted,
}

/// One instance of a clone, as the cluster believes it.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "Pacemaker's flags of an instance are independent of each other")]
pub(in crate::simulate) struct Instance {
    pub(in crate::simulate) role: Role,
    /// An action of it failed; it is to be recovered.
    pub(super) failed: bool,
    pub(super) failures: u32,
    /// It runs with a parameter that has changed and is not reloadable.
    pub(super) restart: bool,
    /// It may not run on this node until somebody cleans up.
    pub(super) banned: bool,
    /// It could not be stopped, and nobody fences: nothing is done to it until somebody cleans up.
    pub(super) blocked: bool,
    /// The parameters that it was started or reloaded with.
    pub(super) running: BTreeMap<String, String>,
    /// A recurring monitor is due.
    pub(super) due: Option<Duration>,
}

/// After so many failures an instance does not run on the node any more (`migration-threshold`).
const THRESHOLD: u32 = 3;

impl Instance {
    /// An action of it has failed.
    pub(super) fn fails(&mut self) {
        self.failed = true;
        self.failures += 1;
        self.banned |= self.failures >= THRESHOLD;
    }

    pub(super) fn active(&self) -> bool {
        matches!(self.role, Role::Unpromoted | Role::Promoted)
    }
}

/// One clone.
#[derive(Debug, Clone)]
pub(in crate::simulate) struct Resource {
    pub(in crate::simulate) id: String,
    /// The device group; none: it is the ports' resource.
    pub(in crate::simulate) group: Option<String>,
    pub(in crate::simulate) params: BTreeMap<String, String>,
    /// The parameters as they were at first.
    pub(in crate::simulate) right: BTreeMap<String, String>,
    pub(in crate::simulate) instances: Vec<Instance>,
    /// Where it should be promoted, if somebody said so.
    pub(in crate::simulate) preferred: Option<usize>,
    /// Where the DRBD resource or the volume group below its stores is primary, or activated.
    pub(in crate::simulate) lower: Option<usize>,
}

/// A device that is configured.
#[derive(Debug, Clone)]
pub(in crate::simulate) struct Export {
    pub(in crate::simulate) device: String,
    pub(in crate::simulate) lun: u32,
    /// The path of its store, if it has one.
    pub(in crate::simulate) store: Option<String>,
}

/// The lists of a transition, as sets of nodes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::simulate) struct Lists {
    pub(super) active: BTreeSet<usize>,
    pub(super) promoted: BTreeSet<usize>,
    pub(super) start: BTreeSet<usize>,
    pub(super) stop: BTreeSet<usize>,
    pub(super) promote: BTreeSet<usize>,
    pub(super) demote: BTreeSet<usize>,
}

/// What a transition does, in this order.
pub(super) const PHASES: [Action; 4] = [Action::Demote, Action::Stop, Action::Start, Action::Promote];

impl Lists {
    /// The nodes on which a transition does this.
    pub(super) fn of(&self, action: Action) -> &BTreeSet<usize> {
        match action {
            Action::Demote => &self.demote,
            Action::Stop => &self.stop,
            Action::Start => &self.start,
            Action::Promote => &self.promote,
            other => panic!("{other} is no phase of a transition"),
        }
    }
}

/// What one transition does to a resource.
#[derive(Debug, Clone, Default)]
pub(in crate::simulate) struct Plan {
    pub(super) lists: Lists,
    pub(super) reload: BTreeSet<usize>,
    /// What lies below goes from a node to another.
    pub(super) lower: Option<(Option<usize>, Option<usize>)>,
}

impl Plan {
    pub(super) fn is_empty(&self) -> bool {
        self.lower.is_none() && self.reload.is_empty() && PHASES.iter().all(|phase| self.lists.of(*phase).is_empty())
    }
}
