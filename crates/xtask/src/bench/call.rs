//! What an agent is called with: the action, and the environment that Pacemaker gives it.

use super::size::Size;

/// One of the two agents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Agent {
    /// The one that brings ports up.
    Ports,
    /// The one that serves a device group.
    Group,
}

impl Agent {
    /// Both.
    pub(super) const ALL: [Self; 2] = [Self::Ports, Self::Group];

    /// The name of its program.
    pub(super) fn program(self) -> &'static str {
        match self {
            Self::Ports => "scst_qla2xtgt",
            Self::Group => "scst_aluadg",
        }
    }

    /// The id of its resource.
    pub(super) fn resource(self) -> &'static str {
        match self {
            Self::Ports => "scst_qla",
            Self::Group => "scst_dg_many",
        }
    }

    fn parameters(self, size: Size, changed: bool) -> Vec<(String, String)> {
        let own = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        match self {
            Self::Ports => vec![own("initiators", &size.initiators())],
            Self::Group => {
                let mut parameters = vec![own("groupname", "many"), own("tgtdriver", "qla2x00t"), own("lip", "0")];
                parameters.extend(size.devices(changed));
                parameters
            }
        }
    }
}

/// What the cluster has done and is about to do, as the variables of a notification say it.
#[derive(Debug, Clone, Default)]
pub(super) struct Lists {
    /// Where instances run.
    pub(super) active: String,
    /// Where one is promoted.
    pub(super) promoted: String,
    /// Where one is promoted in this transition.
    pub(super) promote: String,
    /// Where one is demoted in this transition.
    pub(super) demote: String,
}

impl Lists {
    fn variables(&self) -> Vec<(String, String)> {
        let unpromoted: Vec<&str> = self.active.split(' ').filter(|node| *node != self.promoted).collect();
        let unpromoted = unpromoted.join(" ");
        let lists = [
            ("active", self.active.as_str()),
            ("promoted", &self.promoted),
            ("master", &self.promoted),
            ("unpromoted", &unpromoted),
            ("slave", &unpromoted),
            ("available", "alpha beta"),
            ("promote", &self.promote),
            ("demote", &self.demote),
            ("start", ""),
            ("stop", ""),
        ];
        // Pacemaker's empty list is a blank.
        let blank = |text: &str| if text.is_empty() { " ".to_owned() } else { text.to_owned() };
        lists.into_iter().map(|(name, nodes)| (format!("notify_{name}_uname"), blank(nodes))).collect()
    }
}

/// One call.
#[derive(Debug, Clone)]
pub(super) struct Call {
    /// Whom.
    pub(super) agent: Agent,
    /// The action; a notification is called by type and operation, such as `pre-demote`.
    pub(super) action: &'static str,
    /// With the changed parameters that a reload brings.
    pub(super) changed: bool,
    /// The lists of a transition.
    pub(super) lists: Option<Lists>,
}

impl Call {
    /// A call without anything special.
    pub(super) fn new(agent: Agent, action: &'static str) -> Self {
        Self { agent, action, changed: false, lists: None }
    }

    /// With the changed parameters.
    pub(super) fn changed(self) -> Self {
        Self { changed: true, ..self }
    }

    /// With the lists of a transition.
    pub(super) fn with(self, lists: &Lists) -> Self {
        Self { lists: Some(lists.clone()), ..self }
    }

    /// The word on the command line.
    pub(super) fn verb(&self) -> &'static str {
        if self.event().is_some() { "notify" } else { self.action }
    }

    fn event(&self) -> Option<(&'static str, &'static str)> {
        self.action.split_once('-').filter(|(when, _)| matches!(*when, "pre" | "post"))
    }

    /// The variables that say what to do; where everything is, a node knows.
    pub(super) fn variables(&self, size: Size) -> Vec<(String, String)> {
        let mut variables: Vec<(String, String)> = [
            ("OCF_ROOT", "/usr/lib/ocf"),
            ("OCF_RA_VERSION_MAJOR", "1"),
            ("OCF_RA_VERSION_MINOR", "1"),
            ("OCF_EXIT_REASON_PREFIX", "ocf-exit-reason:"),
            ("OCF_RESOURCE_INSTANCE", self.agent.resource()),
            ("OCF_RESOURCE_TYPE", self.agent.program()),
            ("OCF_RESOURCE_PROVIDER", "onesty"),
            ("OCF_RESKEY_crm_feature_set", "3.16.1"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        let parameters = self.agent.parameters(size, self.changed);
        variables.extend(parameters.into_iter().map(|(name, value)| (format!("OCF_RESKEY_{name}"), value)));
        let mut meta: Vec<(String, String)> = [
            ("timeout", "600000"),
            ("clone", "0"),
            ("clone_max", "2"),
            ("clone_node_max", "1"),
            ("notify", if self.agent == Agent::Group { "true" } else { "false" }),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        if self.action == "monitor" {
            meta.push(("interval".to_owned(), "10000".to_owned()));
        }
        meta.extend(self.lists.iter().flat_map(Lists::variables));
        if let Some((when, operation)) = self.event() {
            meta.push(("notify_type".to_owned(), when.to_owned()));
            meta.push(("notify_operation".to_owned(), operation.to_owned()));
        }
        variables.extend(meta.into_iter().map(|(name, value)| (format!("OCF_RESKEY_CRM_meta_{name}"), value)));
        variables
    }
}
