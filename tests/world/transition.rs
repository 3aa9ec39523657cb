//! What Pacemaker sends to the instances of a clone when it carries out a transition.
//!
//! The lists describe the state at the start of the transition and all it plans, in each of its actions alike. The order
//! is Pacemaker's: demote, stop, start, promote, each with a notification before and after to whoever runs then. The node
//! that only starts hears nothing before its start, the one that stops nothing after its stop.

use std::collections::{BTreeMap, BTreeSet};

use scst_sim::stand_in::Role;

use super::resource::Resource;
use super::run::Outcome;
use super::{Cluster, Names};

/// What the cluster believes the instances of a resource do.
#[derive(Debug, Clone, Default)]
pub(super) struct Instances {
    active: BTreeSet<String>,
    promoted: BTreeSet<String>,
}

/// The notification variables of a transition, or of one notification in it.
#[derive(Debug, Clone)]
pub(crate) struct Lists {
    names: Names,
    nodes: BTreeMap<&'static str, BTreeSet<String>>,
    event: Option<(&'static str, &'static str)>,
}

impl Lists {
    /// Empty lists, as Pacemaker sends them where nothing runs and nothing is planned.
    pub(crate) fn new() -> Self {
        Self { names: Names::Both, nodes: BTreeMap::new(), event: None }
    }

    /// With these nodes in a list: `active`, `promoted`, `start`, `stop`, `promote`, `demote`, `available`.
    #[must_use]
    pub(crate) fn list(mut self, name: &'static str, nodes: &[&str]) -> Self {
        self.nodes.insert(name, nodes.iter().map(|node| (*node).to_owned()).collect());
        self
    }

    /// The notification of this type and operation: `pre` or `post`, `start`, `stop`, `promote` or `demote`.
    #[must_use]
    pub(crate) fn event(mut self, when: &'static str, operation: &'static str) -> Self {
        self.event = Some((when, operation));
        self
    }

    /// With these words for the roles.
    #[must_use]
    pub(crate) fn names(mut self, names: Names) -> Self {
        self.names = names;
        self
    }

    fn of(&self, name: &str) -> BTreeSet<String> {
        self.nodes.get(name).cloned().unwrap_or_default()
    }

    /// The meta attributes by name.
    pub(super) fn variables(&self) -> Vec<(String, String)> {
        let mut lists: Vec<(&str, BTreeSet<String>)> =
            ["active", "start", "stop", "promote", "demote", "available"].map(|name| (name, self.of(name))).into();
        let unpromoted: BTreeSet<String> = self.of("active").difference(&self.of("promoted")).cloned().collect();
        if self.names != Names::Promoted {
            lists.push(("master", self.of("promoted")));
            lists.push(("slave", unpromoted.clone()));
        }
        if self.names != Names::Master {
            lists.push(("promoted", self.of("promoted")));
            lists.push(("unpromoted", unpromoted));
        }
        let mut variables: Vec<(String, String)> = lists
            .into_iter()
            .map(|(name, nodes)| {
                let text = nodes.into_iter().collect::<Vec<_>>().join(" ");
                // Pacemaker's empty list.
                (format!("notify_{name}_uname"), if text.is_empty() { " ".to_owned() } else { text })
            })
            .collect();
        if let Some((when, operation)) = self.event {
            variables.push(("notify_type".to_owned(), when.to_owned()));
            variables.push(("notify_operation".to_owned(), operation.to_owned()));
        }
        variables
    }
}

/// A transition that is being described.
pub(crate) struct Transition<'a> {
    cluster: &'a Cluster,
    resource: &'a Resource,
    lists: Lists,
}

impl Cluster {
    /// A transition of a clone's instances.
    pub(crate) fn transition<'a>(&'a self, resource: &'a Resource) -> Transition<'a> {
        let now = self.instances.borrow().get(resource.id()).cloned().unwrap_or_default();
        let all: Vec<&str> = self.nodes.iter().map(|node| node.name.as_str()).collect();
        let mut lists = Lists::new().names(self.names).list("available", &all);
        lists.nodes.insert("active", now.active);
        lists.nodes.insert("promoted", now.promoted);
        Transition { cluster: self, resource, lists }
    }

    /// Starts instances and promotes none.
    #[track_caller]
    pub(crate) fn start(&self, resource: &Resource, nodes: &[&str]) -> Vec<(String, Outcome)> {
        self.transition(resource).start(nodes).carry_out()
    }

    /// Promotes one that runs.
    #[track_caller]
    pub(crate) fn promote(&self, resource: &Resource, node: &str) -> Vec<(String, Outcome)> {
        self.transition(resource).promote(&[node]).carry_out()
    }

    /// A node lost power and nobody fenced it: no notification says so.
    pub(crate) fn loses(&self, resource: &Resource, node: &str) {
        let mut instances = self.instances.borrow_mut();
        let instances = instances.entry(resource.id().to_owned()).or_default();
        instances.active.remove(node);
        instances.promoted.remove(node);
    }
}

impl Transition<'_> {
    fn plan(mut self, name: &'static str, nodes: &[&str]) -> Self {
        self.lists = self.lists.list(name, nodes);
        self
    }

    /// Starts instances.
    pub(crate) fn start(self, nodes: &[&str]) -> Self {
        self.plan("start", nodes)
    }

    /// Stops instances.
    pub(crate) fn stop(self, nodes: &[&str]) -> Self {
        self.plan("stop", nodes)
    }

    /// Promotes instances.
    pub(crate) fn promote(self, nodes: &[&str]) -> Self {
        self.plan("promote", nodes)
    }

    /// Demotes instances.
    pub(crate) fn demote(self, nodes: &[&str]) -> Self {
        self.plan("demote", nodes)
    }

    /// The lists, for runs that a test makes by itself.
    pub(crate) fn lists(&self) -> Lists {
        self.lists.clone()
    }

    /// Runs everything, expecting exit 0 everywhere; answers each run with `ACTION NODE` or `WHEN-OPERATION NODE`.
    #[track_caller]
    pub(crate) fn carry_out(self) -> Vec<(String, Outcome)> {
        let Self { cluster, resource, lists } = self;
        let mut now = Instances { active: lists.of("active"), promoted: lists.of("promoted") };
        let mut outcomes = Vec::new();
        for operation in ["demote", "stop", "start", "promote"] {
            let nodes = lists.of(operation);
            if nodes.is_empty() {
                continue;
            }
            let mut send = |when: &'static str, to: &BTreeSet<String>| {
                if !resource.promotable() {
                    return;
                }
                let lists = lists.clone().event(when, operation);
                for node in to {
                    let call = cluster.node(node).call(resource).lists(&lists).meta("timeout", "30000");
                    outcomes.push((format!("{when}-{operation} {node}"), call.run("notify").exit(0)));
                }
            };
            send("pre", &now.active);
            let mut ran = Vec::new();
            for node in &nodes {
                let call = cluster.node(node).call(resource);
                let call = if resource.promotable() { call.lists(&lists) } else { call };
                ran.push((format!("{operation} {node}"), call.run(operation).exit(0)));
                now.after(operation, node);
                let role = now.role(node, resource.promotable());
                cluster.cib.set_role(node, resource.id(), role).expect("the CIB can be changed");
            }
            send("post", &now.active);
            outcomes.extend(ran);
        }
        cluster.instances.borrow_mut().insert(resource.id().to_owned(), now);
        outcomes
    }
}

impl Instances {
    fn after(&mut self, operation: &str, node: &str) {
        match operation {
            "demote" => _ = self.promoted.remove(node),
            "stop" => _ = self.active.remove(node),
            "start" => _ = self.active.insert(node.to_owned()),
            _ => _ = self.promoted.insert(node.to_owned()),
        }
    }

    fn role(&self, node: &str, promotable: bool) -> Role {
        match (self.promoted.contains(node), self.active.contains(node)) {
            (true, _) => Role::Promoted,
            (false, true) if promotable => Role::Unpromoted,
            (false, true) => Role::Started,
            (false, false) => Role::Stopped,
        }
    }
}
