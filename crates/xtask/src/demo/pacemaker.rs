//! The environment of a call, as Pacemaker 2.1 gives it.

use super::story::{Agent, Call, GROUP_PARAMETERS, NODES, Node, PORTS_PARAMETERS, Transition};

/// The variables of one call on one node.
pub(super) fn environment(call: &Call, transition: &Transition, node: &Node) -> Vec<(String, String)> {
    let (instance, agent, parameters) = match call.agent {
        Agent::Ports => ("scst_qla", "scst_qla2xtgt", PORTS_PARAMETERS),
        Agent::Group => ("scst_dg_dummy", "scst_aluadg", GROUP_PARAMETERS),
    };
    let mut variables = Variables::default();
    variables.set("OCF_ROOT", "/usr/lib/ocf");
    variables.set("OCF_RA_VERSION_MAJOR", "1");
    variables.set("OCF_RA_VERSION_MINOR", "1");
    variables.set("OCF_EXIT_REASON_PREFIX", "ocf-exit-reason:");
    variables.set("OCF_RESOURCE_INSTANCE", instance);
    variables.set("OCF_RESOURCE_PROVIDER", "onesty");
    variables.set("OCF_RESOURCE_TYPE", agent);
    variables.set("OCF_RESKEY_crm_feature_set", "3.16.1");
    for (name, value) in parameters {
        variables.set(&format!("OCF_RESKEY_{name}"), value);
    }
    let limit = match (call.agent, action(call)) {
        (_, "monitor") | (Agent::Group, "notify" | "promote") => "30000",
        _ => "120000",
    };
    variables.meta("timeout", limit);
    variables.meta("on_node", node.name);
    variables.meta("on_node_uuid", node.id);
    for (name, value) in [("clone", "0"), ("clone_max", "2"), ("clone_node_max", "1"), ("globally_unique", "false")] {
        variables.meta(name, value);
    }
    match call.action {
        "monitor" => {
            variables.meta("name", "monitor");
            variables.meta("interval", if call.agent == Agent::Ports { "10000" } else { "120000" });
        }
        // Only a recurring monitor has an interval, and a probe has no name either.
        "probe" => {}
        _ => variables.meta("name", action(call)),
    }
    let notify = call.agent == Agent::Group;
    variables.meta("notify", if notify { "true" } else { "false" });
    if notify {
        for word in ["promoted", "master"] {
            variables.meta(&format!("{word}_max"), "1");
            variables.meta(&format!("{word}_node_max"), "1");
        }
        if action(call) != "monitor" {
            variables.lists(transition);
        }
        if let Some((kind, operation)) = notification(call) {
            variables.meta("notify_type", kind);
            variables.meta("notify_operation", operation);
        }
    }
    variables.0
}

/// The agent's argument for a call.
pub(super) fn action(call: &Call) -> &'static str {
    match call.action {
        "probe" => "monitor",
        _ if notification(call).is_some() => "notify",
        action => action,
    }
}

/// Type and operation of a notification.
fn notification(call: &Call) -> Option<(&'static str, &'static str)> {
    call.action.split_once('-').filter(|(kind, _)| ["pre", "post"].contains(kind))
}

#[derive(Default)]
struct Variables(Vec<(String, String)>);

impl Variables {
    fn set(&mut self, name: &str, value: &str) {
        self.0.push((name.to_owned(), value.to_owned()));
    }

    fn meta(&mut self, name: &str, value: &str) {
        self.set(&format!("OCF_RESKEY_CRM_meta_{name}"), value);
    }

    /// A list of nodes, and the same of instances; without any it is one blank.
    fn list(&mut self, name: &str, nodes: &[&str]) {
        let blank = |text: String| if text.is_empty() { " ".to_owned() } else { text };
        let instances: Vec<String> = (0..nodes.len()).map(|number| format!("scst_dg_dummy:{number}")).collect();
        self.meta(&format!("notify_{name}_resource"), &blank(instances.join(" ")));
        self.meta(&format!("notify_{name}_uname"), &blank(nodes.join(" ")));
    }

    fn lists(&mut self, transition: &Transition) {
        let Transition { active, promoted, start, stop, promote, demote, .. } = transition;
        let words = |text: &'static str| text.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>();
        for (name, nodes) in
            [("start", start), ("stop", stop), ("promote", promote), ("demote", demote), ("active", active)]
        {
            self.list(name, &words(nodes));
        }
        let promoted = words(promoted);
        let unpromoted: Vec<&str> = words(active).into_iter().filter(|node| !promoted.contains(node)).collect();
        // Both languages of roles, always.
        for name in ["promoted", "master"] {
            self.list(name, &promoted);
        }
        for name in ["unpromoted", "slave"] {
            self.list(name, &unpromoted);
        }
        let all = NODES.map(|node| node.name).join(" ");
        // These hold a node without power, too.
        self.meta("notify_available_uname", &all);
        self.meta("notify_all_uname", &all);
    }
}
