//! The resources a CIB configures, and where they run.

use super::cib::{Cib, Node};
use super::role::Role;
use super::xml::Element;

/// A resource of the configuration: a primitive, in a clone or not.
pub(super) struct Resource<'a> {
    pub(super) primitive: &'a Element,
    pub(super) clone: Option<&'a Element>,
}

impl Resource<'_> {
    pub(super) fn promotable(&self) -> bool {
        self.clone_option("promotable").is_some_and(|value| matches!(value, "true" | "yes" | "on" | "1"))
    }

    pub(super) fn clone_option(&self, name: &str) -> Option<&str> {
        let sets = self.clone?.all("meta_attributes");
        sets.flat_map(|set| set.all("nvpair")).find(|option| option.get("name") == Some(name))?.get("value")
    }

    pub(super) fn agent(&self) -> String {
        let parts = ["class", "provider", "type"].iter().filter_map(|part| self.primitive.get(part));
        parts.collect::<Vec<_>>().join(":")
    }

    /// The state that an operation under way gives the instance on a node, in `crm_mon`'s words.
    pub(super) fn pending(&self, cib: &Cib, node: &Node) -> Option<&'static str> {
        let history = self.history(cib, node)?;
        let operation = history.all("lrm_rsc_op").find(|op| op.get("op-status") == Some("-1"))?;
        match operation.get("operation")? {
            "start" => Some("Starting"),
            "stop" => Some("Stopping"),
            "promote" => Some("Promoting"),
            "demote" => Some("Demoting"),
            _ => None,
        }
    }

    fn history<'c>(&self, cib: &'c Cib, node: &Node) -> Option<&'c Element> {
        let id = self.primitive.get("id").unwrap_or_default();
        let resources = cib.state(&node.name)?.child("lrm")?.child("lrm_resources")?;
        // With globally unique clones the history carries the instance's number.
        resources.all("lrm_resource").find(|history| {
            let name = history.get("id").unwrap_or_default();
            name == id || name.strip_prefix(id).is_some_and(|rest| rest.starts_with(':'))
        })
    }

    /// Each instance with its role and its node: those that run first, and the promoted ones before the others.
    pub(super) fn instances<'n>(&self, cib: &Cib, nodes: &'n [Node]) -> Vec<(Role, Option<&'n Node>)> {
        let role = |node: &Node| {
            let role = Role::of(self.history(cib, node)?, self.promotable());
            (role != Role::Stopped && node.member).then_some(role)
        };
        let mut running: Vec<_> = nodes.iter().filter_map(|node| Some((role(node)?, Some(node)))).collect();
        running.sort_by_key(|(role, _)| *role);
        let count = match (self.clone, self.clone_option("clone-max").and_then(|max| max.parse().ok())) {
            (None, _) => 1,
            (Some(_), Some(max)) => max,
            (Some(_), None) => nodes.len(),
        };
        while running.len() < count {
            running.push((Role::Stopped, None));
        }
        running
    }

    pub(super) fn target_role(&self) -> Option<&str> {
        self.clone_option("target-role")
    }
}

/// The resources of the configuration, in its order.
pub(super) fn resources(cib: &Cib) -> Vec<Resource<'_>> {
    let section = cib.root.child("configuration").and_then(|configuration| configuration.child("resources"));
    let mut all = Vec::new();
    for element in section.into_iter().flat_map(|section| section.children.iter()) {
        match element.name.as_str() {
            "primitive" => all.push(Resource { primitive: element, clone: None }),
            "clone" | "master" => {
                all.extend(element.all("primitive").map(|primitive| Resource { primitive, clone: Some(element) }));
            }
            "group" => all.extend(element.all("primitive").map(|primitive| Resource { primitive, clone: None })),
            _ => {}
        }
    }
    all
}
