//! The environment of a call, as Pacemaker 2.1 gives it.

use super::scenario::{Agent, Call, Fabric, GROUP_PARAMETERS, NODES, Node, Transition};

/// The variables of one call on one node.
pub(super) fn environment(call: &Call, transition: &Transition, fabric: &Fabric, node: &Node) -> Vec<(String, String)> {
    let (instance, agent, parameters) = match call.agent {
        Agent::Ports => (fabric.resource.0, fabric.resource.1, fabric.parameters),
        Agent::Group => ("scst_dg_dummy", "scst_aluadg", GROUP_PARAMETERS),
    };
    let mut variables = Variables::default();
    variables.set("OCF_ROOT", "/usr/lib/ocf");
    variables.set("OCF_RA_VERSION_MAJOR", "1");
    variables.set("OCF_RA_VERSION_MINOR", "1");
    variables.set("OCF_EXIT_REASON_PREFIX", "ocf-exit-reason:");
    variables.set("OCF_OUTPUT_FORMAT", "text");
    variables.set("OCF_RESOURCE_INSTANCE", instance);
    variables.set("OCF_RESOURCE_PROVIDER", "onesty");
    variables.set("OCF_RESOURCE_TYPE", agent);
    variables.set("OCF_RESKEY_crm_feature_set", "3.16.1");
    for (name, value) in parameters {
        variables.set(&format!("OCF_RESKEY_{name}"), value);
    }
    if call.agent == Agent::Group {
        variables.set("OCF_RESKEY_tgtdriver", fabric.driver);
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
    match call.action.as_str() {
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
            variables.meta("notify_key_type", kind);
            variables.meta("notify_key_operation", key(kind, operation, transition.fenced));
        }
    }
    variables.0
}

/// The agent's argument for a call.
pub(super) fn action(call: &Call) -> &str {
    match call.action.as_str() {
        "probe" => "monitor",
        _ if notification(call).is_some() => "notify",
        action => action,
    }
}

/// Type and operation of a notification.
fn notification(call: &Call) -> Option<(&str, &str)> {
    call.action.split_once('-').filter(|(kind, _)| ["pre", "post"].contains(kind))
}

/// The operation as the cluster's own graph calls it.
fn key<'a>(kind: &str, operation: &'a str, fenced: bool) -> &'a str {
    match (kind, operation) {
        ("post", "stop") if fenced => "stonith",
        ("post", "start") => "running",
        ("post", "stop") => "stopped",
        ("post", "promote") => "promoted",
        ("post", "demote") => "demoted",
        _ => operation,
    }
}

/// The instances that run, or could run, on these nodes.
fn instances(nodes: &[&str]) -> String {
    let number = |node: &&str| NODES.iter().position(|known| known.name == *node).unwrap_or_default();
    let names: Vec<String> = nodes.iter().map(|node| format!("scst_dg_dummy:{}", number(node))).collect();
    names.join(" ")
}

/// An empty list is one blank.
fn or_blank(text: String) -> String {
    if text.is_empty() { " ".to_owned() } else { text }
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

    /// A list of nodes, and the same of instances.
    fn list(&mut self, name: &str, nodes: &[&str]) {
        self.meta(&format!("notify_{name}_resource"), &or_blank(instances(nodes)));
        self.meta(&format!("notify_{name}_uname"), &or_blank(nodes.join(" ")));
    }

    fn lists(&mut self, transition: &Transition) {
        for name in ["start", "stop", "promote", "demote", "active"] {
            self.list(name, &transition.list(name));
        }
        let (active, promoted) = (transition.list("active"), transition.list("promoted"));
        let inactive: Vec<&str> = NODES.iter().map(|node| node.name).filter(|node| !active.contains(node)).collect();
        self.meta("notify_inactive_resource", &or_blank(instances(&inactive)));
        let unpromoted: Vec<&str> = active.into_iter().filter(|node| !promoted.contains(node)).collect();
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

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::fs;

    use super::super::scenario::{FIBRE_CHANNEL, acts};
    use super::*;
    use crate::workspace;

    /// Meta attributes that say the same in a recording and here: not times, not the number of an instance, and of node
    /// ids nothing, for the recorded nodes have other names.
    fn comparable(variables: impl Iterator<Item = (String, String)>) -> BTreeMap<String, BTreeSet<String>> {
        let names = [("node1", "beta"), ("node2", "alpha")];
        let renamed = |word: &str| names.iter().find(|(from, _)| *from == word).map_or(word, |(_, to)| to).to_owned();
        variables
            .filter_map(|(name, value)| Some((name.strip_prefix("OCF_RESKEY_CRM_meta_")?.to_owned(), value)))
            .filter(|(name, _)| !["timeout", "clone", "on_node", "on_node_uuid"].contains(&name.as_str()))
            .map(|(name, value)| {
                // The numbers of instances come and go; how many there are counts.
                let instances = name.ends_with("_resource").then(|| value.split_whitespace().count().to_string());
                let words = value.split_whitespace().map(renamed).collect();
                (name, instances.map_or(words, |count| BTreeSet::from([count])))
            })
            .collect()
    }

    fn recorded(name: &str) -> BTreeMap<String, BTreeSet<String>> {
        let file = workspace::root().join("tests/data/pacemaker-env").join(format!("2.1.5__{name}.env"));
        let text = fs::read_to_string(file).unwrap();
        comparable(
            text.lines().filter_map(|line| line.split_once('=')).map(|(name, value)| (name.into(), value.into())),
        )
    }

    /// The environment of the `call`-th call of a transition.
    fn ours(act: usize, transition: usize, call: usize) -> BTreeMap<String, BTreeSet<String>> {
        let acts = acts().unwrap();
        let transition = &acts[act - 1].transitions[transition];
        comparable(environment(&transition.calls[call], transition, &FIBRE_CHANNEL, &NODES[0]).into_iter())
    }

    #[test]
    fn calls_have_the_environment_that_pacemaker_gives() {
        for (name, act, transition, call) in [
            ("A1-boot__05-node2-start", 3, 0, 0),
            ("A1-boot__07-node2-notify-post-start", 3, 0, 1),
            ("A1-boot__09-node2-notify-pre-promote", 4, 0, 0),
            ("A1-boot__11-node2-promote", 4, 0, 1),
            ("A1-boot__12-node1-notify-post-promote", 4, 0, 2),
            ("A4-standby-of-promoted__01-node2-notify-pre-demote", 5, 0, 0),
            ("A4-standby-of-promoted__03-node2-demote", 5, 0, 1),
            ("A4-standby-of-promoted__04-node1-notify-post-demote", 5, 0, 2),
            ("A4-standby-of-promoted__06-node2-notify-pre-stop", 5, 0, 3),
            ("A4-standby-of-promoted__08-node2-stop", 5, 0, 4),
            ("A4-standby-of-promoted__09-node1-notify-post-stop", 5, 0, 5),
            ("A4-standby-of-promoted__10-node1-notify-pre-promote", 5, 1, 1),
            ("A4-standby-of-promoted__11-node1-promote", 5, 1, 2),
            ("A4-standby-of-promoted__12-node1-notify-post-promote", 5, 1, 3),
            ("A5-unstandby__01-node1-notify-pre-start", 6, 0, 1),
            ("A5-unstandby__03-node2-start", 6, 0, 2),
            ("A5-unstandby__04-node1-notify-post-start", 6, 0, 3),
            ("A6-power-loss-of-promoted-fenced__03-node2-notify-post-demote", 7, 0, 1),
            ("A6-power-loss-of-promoted-fenced__04-node2-notify-pre-stop", 7, 0, 2),
            ("A6-power-loss-of-promoted-fenced__05-node2-notify-post-stop", 7, 0, 3),
            ("A6-power-loss-of-promoted-fenced__06-node2-notify-pre-promote", 7, 0, 4),
            ("A6-power-loss-of-promoted-fenced__07-node2-promote", 7, 0, 5),
            ("A6-power-loss-of-promoted-fenced__08-node2-notify-post-promote", 7, 0, 6),
        ] {
            assert_eq!(ours(act, transition, call), recorded(name), "{name}");
        }
    }
}
