//! What an agent is called with: the action, and the environment that Pacemaker gives it.

use super::size::Size;

/// The nodes; an id is one more than a place.
pub(super) const NODES: [&str; 2] = ["alpha", "beta"];

/// One call of an agent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    /// The agent's program.
    pub(super) program: &'static str,
    /// The id of its resource.
    pub(super) resource: &'static str,
    /// The action; a notification is called by type and operation, such as `pre-demote`.
    pub(super) action: &'static str,
    /// The node that is demoted in this transition, for the benefit of the other one.
    pub(super) demoted: Option<usize>,
}

/// A call of the agent that brings ports up.
pub(super) const fn ports(action: &'static str) -> Call {
    Call { program: "scst_qla2xtgt", resource: "scst_qla", action, demoted: None }
}

/// A call of the agent that serves a device group.
pub(super) const fn group(action: &'static str) -> Call {
    Call { program: "scst_aluadg", resource: "scst_dg_many", action, demoted: None }
}

impl Call {
    /// Whether the device group's agent is called.
    pub(super) fn is_of_group(&self) -> bool {
        self.program == "scst_aluadg"
    }

    /// Type and operation of a notification.
    fn event(&self) -> Option<(&'static str, &'static str)> {
        self.action.split_once('-').filter(|(when, _)| matches!(*when, "pre" | "post"))
    }

    /// The word on the command line.
    pub(super) fn verb(&self) -> &'static str {
        if self.event().is_some() { "notify" } else { self.action }
    }

    /// The variables that say what to do, to a node of this place; where everything is, the node knows.
    pub(super) fn variables(&self, size: Size, node: usize) -> Vec<(String, String)> {
        let mut own: Vec<(String, String)> = if self.is_of_group() {
            let fixed = [("groupname", "many"), ("tgtdriver", "qla2x00t"), ("lip", "0")];
            fixed.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().chain(size.devices()).collect()
        } else {
            vec![("initiators".to_owned(), size.initiators())]
        };
        let id = (node + 1).to_string();
        let mut meta = vec![
            ("timeout", "600000"),
            ("on_node", NODES[node]),
            ("on_node_uuid", &id),
            ("clone", "0"),
            ("clone_max", "2"),
            ("clone_node_max", "1"),
            ("notify", if self.is_of_group() { "true" } else { "false" }),
        ];
        if self.action == "monitor" {
            meta.push(("interval", "10000"));
        }
        if let Some((when, operation)) = self.event() {
            meta.extend([("notify_type", when), ("notify_operation", operation)]);
        }
        if let Some(demoted) = self.demoted {
            let (from, to) = (NODES[demoted], NODES[1 - demoted]);
            meta.extend([
                ("notify_active_uname", "alpha beta"),
                ("notify_available_uname", "alpha beta"),
                ("notify_promoted_uname", from),
                ("notify_master_uname", from),
                ("notify_unpromoted_uname", to),
                ("notify_slave_uname", to),
                ("notify_demote_uname", from),
                ("notify_promote_uname", to),
                // Pacemaker's empty list is a blank.
                ("notify_start_uname", " "),
                ("notify_stop_uname", " "),
            ]);
        }
        own.extend(meta.into_iter().map(|(name, value)| (format!("CRM_meta_{name}"), value.to_owned())));
        own.push(("crm_feature_set".to_owned(), "3.16.1".to_owned()));
        let mut variables: Vec<_> =
            own.into_iter().map(|(name, value)| (format!("OCF_RESKEY_{name}"), value)).collect();
        let standard = [
            ("ROOT", "/usr/lib/ocf"),
            ("RA_VERSION_MAJOR", "1"),
            ("RA_VERSION_MINOR", "1"),
            ("EXIT_REASON_PREFIX", "ocf-exit-reason:"),
            ("RESOURCE_INSTANCE", self.resource),
            ("RESOURCE_TYPE", self.program),
            ("RESOURCE_PROVIDER", "onesty"),
        ];
        variables.extend(standard.map(|(name, value)| (format!("OCF_{name}"), value.to_owned())));
        variables
    }
}
