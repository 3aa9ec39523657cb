//! What a node is asked to do, as small values that can be compared and hashed.

use scst_core::ocf::notify::{Lists, Notify, NotifyType, Operation, PeerRole};

use super::site::{MOST, NODES};

/// A set of nodes, one bit each.
pub(super) type Set = u8;

/// The places in a set.
pub(super) fn members(set: Set) -> impl Iterator<Item = usize> {
    (0..MOST).filter(move |node| set & bit(*node) != 0)
}

/// The set of one node.
pub(super) fn bit(node: usize) -> Set {
    1 << node
}

/// The operations of a transition, in the order in which Pacemaker carries them out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Op {
    Demote,
    Stop,
    Start,
    Promote,
}

impl Op {
    /// All, in their order.
    pub(super) const ALL: [Self; 4] = [Self::Demote, Self::Stop, Self::Start, Self::Promote];

    /// Its name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Demote => "demote",
            Self::Stop => "stop",
            Self::Start => "start",
            Self::Promote => "promote",
        }
    }
}

/// The lists of a transition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Masks {
    pub(super) active: Set,
    pub(super) promoted: Set,
    pub(super) demote: Set,
    pub(super) stop: Set,
    pub(super) start: Set,
    pub(super) promote: Set,
}

impl Masks {
    /// The nodes of one operation.
    pub(super) fn of(self, op: Op) -> Set {
        match op {
            Op::Demote => self.demote,
            Op::Stop => self.stop,
            Op::Start => self.start,
            Op::Promote => self.promote,
        }
    }

    /// The nodes whose role it changes.
    pub(super) fn touched(self) -> Set {
        self.demote | self.stop | self.start | self.promote
    }

    /// Who runs after it.
    pub(super) fn running_after(self) -> Set {
        (self.active & !self.stop) | self.start
    }

    /// As Pacemaker hands them over.
    pub(super) fn lists(self) -> Lists {
        let names = |set| members(set).map(|node| NODES[node].to_owned()).collect();
        Lists {
            active: names(self.active),
            promoted: names(self.promoted),
            unpromoted: names(self.active & !self.promoted),
            start: names(self.start),
            stop: names(self.stop),
            promote: names(self.promote),
            demote: names(self.demote),
        }
    }

    /// The notification before or after an operation.
    pub(super) fn notify(self, after: bool, op: Op) -> Notify {
        let operation = match op {
            Op::Demote => Operation::Demote,
            Op::Stop => Operation::Stop,
            Op::Start => Operation::Start,
            Op::Promote => Operation::Promote,
        };
        let when = if after { NotifyType::Post } else { NotifyType::Pre };
        Notify { event: Some((when, operation)), lists: Some(self.lists()) }
    }
}

/// The roles that the cluster tells of all nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Roles {
    pub(super) running: Set,
    pub(super) promoted: Set,
    pub(super) changing: Set,
}

impl Roles {
    /// The role of each node that has one.
    pub(super) fn of(self, node: usize) -> PeerRole {
        let bit = bit(node);
        if self.changing & bit != 0 {
            PeerRole::Changing
        } else if self.promoted & bit != 0 {
            PeerRole::Promoted
        } else if self.running & bit != 0 {
            PeerRole::Running
        } else {
            PeerRole::Stopped
        }
    }
}

/// One run of the agent on one node, or what else happens to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Call {
    /// Started by the cluster, or without lists by hand.
    Start(Option<Masks>),
    Promote(Masks),
    /// The backing device cannot be opened.
    PromoteFails(Masks),
    Demote,
    /// Commands in flight do not end.
    DemoteFails,
    Stop,
    /// Before or after an operation.
    Notify(bool, Op, Masks),
    /// A recurring one.
    Monitor(Roles),
    Reload,
    /// More time passes than a lost notification is waited for.
    Age,
    /// The native agent takes the shell agent's place.
    Upgrade,
    /// The record is gone, as after an administrator tidied up.
    Forget,
}

impl Call {
    /// The outcome depends on the attributes of the nodes.
    pub(super) fn asks_the_cluster(self) -> bool {
        matches!(self, Self::Start(_) | Self::Promote(_) | Self::PromoteFails(_) | Self::Reload)
    }
}
