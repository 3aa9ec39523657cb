//! What role a resource has on a node, from the operations the cluster ran there.

use super::xml::Element;

/// The role of a resource on a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Promoted.
    Promoted,
    /// Running, of a clone that can be promoted.
    Unpromoted,
    /// Running.
    Started,
    /// Not running.
    Stopped,
}

impl Role {
    /// The name `crm_mon` has for it.
    pub fn name(self) -> &'static str {
        match self {
            Role::Promoted => "Promoted",
            Role::Unpromoted => "Unpromoted",
            Role::Started => "Started",
            Role::Stopped => "Stopped",
        }
    }

    /// The operations that lead to it.
    pub(super) fn operations(self) -> &'static [&'static str] {
        match self {
            Role::Promoted => &["start", "promote"],
            Role::Unpromoted | Role::Started => &["start"],
            Role::Stopped => &["stop"],
        }
    }

    /// The role an `<lrm_resource>` shows: its operations in the order of their calls, the last one that says
    /// something deciding.
    pub fn of(history: &Element, promotable: bool) -> Self {
        let running = if promotable { Role::Unpromoted } else { Role::Started };
        let mut operations: Vec<_> = history.all("lrm_rsc_op").collect();
        operations.sort_by_key(|op| op.get("call-id").and_then(|id| id.parse::<i64>().ok()).unwrap_or_default());
        operations.into_iter().fold(Role::Stopped, |role, op| {
            let operation = op.get("operation").unwrap_or_default();
            match (operation, op.get("rc-code").unwrap_or_default()) {
                ("monitor", "0") if role == Role::Promoted => role,
                ("monitor" | "start" | "demote", "0") => running,
                ("monitor", "8" | "9") | ("promote", "0") => Role::Promoted,
                ("monitor", "7") | ("stop", "0") => Role::Stopped,
                _ => role,
            }
        })
    }
}
