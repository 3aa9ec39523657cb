//! `crm_mon -1`: what runs where, as text or, what programs read, as XML.
//!
//! Two differences from the real command: the text leaves out the summary, the XML the history of operations.

use super::call::Call;
use super::cib::{Cib, Node};
use super::options::Given;
use super::output::{self, Answer};
use super::resources::{Resource, resources};
use super::role::Role;
use super::xml::Element;
use jiff::Timestamp;

const OPTIONS: &[&str] = &["1 one-shot", "output-as:", "X as-xml", "r inactive", "A show-node-attributes", "V verbose"];

/// The release that the format is taken from.
const VERSION: &str = "2.1.5";

pub(super) fn answer(call: &Call<'_>) -> Answer {
    let given = match Given::parse(call.args, OPTIONS) {
        Ok(given) => given,
        Err(word) => return Answer::error(output::USAGE, format!("crm_mon: Unknown option {word}")),
    };
    let cib = call.cib();
    let failed = Answer::error(
        output::DISCONNECTED,
        "error: Could not connect to launcher: Connection refused\n\
         crm_mon: Connection to cluster failed: Connection refused",
    );
    let format = given.value("output-as").unwrap_or(if given.has("as-xml") { "as-xml" } else { "text" });
    match (format, cib) {
        ("xml", Some(cib)) => output::as_xml(&call.request(), snapshot(&cib), &Answer::silent()),
        ("xml", None) => output::as_xml(&call.request(), Vec::new(), &failed),
        ("as-xml", cib) => {
            // The older form has its errors on standard error, and one line more of them.
            let root = Element::new("crm_mon").with("version", VERSION);
            let snapshot = cib.as_ref().map(snapshot);
            let failed = if snapshot.is_some() { Answer::silent() } else { failed };
            let err = if failed.err.is_empty() { String::new() } else { format!("Not connected\n{}", failed.err) };
            let root = Element { children: snapshot.unwrap_or_default(), ..root };
            Answer { out: root.to_string(), err, ..failed }
        }
        ("text" | "console", Some(cib)) => Answer::out(text(&cib)),
        ("text" | "console", None) => failed,
        (other, _) => Answer::error(output::USAGE, format!("crm_mon: Invalid value {other} for output-as")),
    }
}

fn yes_no(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

/// Everything inside the result element.
fn snapshot(cib: &Cib) -> Vec<Element> {
    let nodes = cib.nodes();
    let all: Vec<_> = resources(cib).into_iter().map(|resource| (resource.instances(cib, &nodes), resource)).collect();
    let mut section = Element::new("resources");
    for (instances, resource) in &all {
        let elements = instances.iter().map(|(role, node)| instance(cib, resource, *role, *node));
        match resource.clone {
            Some(clone) => {
                let mut element = clone_element(clone, resource);
                element.children = elements.collect();
                section.children.push(element);
            }
            None => section.children.extend(elements),
        }
    }
    let running_on = |node: &Node| {
        all.iter().flat_map(|(instances, _)| instances).filter(|(_, place)| place.is_some_and(|on| on == node)).count()
    };
    let mut list = Element::new("nodes");
    let mut attributes = Element::new("node_attributes");
    for node in &nodes {
        list.children.push(node_element(cib, node, running_on(node)));
        if node.member {
            let mut of_node = Element::new("node").with("name", &node.name);
            for (name, value) in cib.attributes(&node.name) {
                of_node.children.push(Element::new("attribute").with("name", name).with("value", value));
            }
            attributes.children.push(of_node);
        }
    }
    let now = Timestamp::now();
    let running = Element::new("pacemakerd")
        .with("sys_from", "pacemakerd")
        .with("state", "running")
        .with("last_updated", now.strftime("%F %TZ").to_string());
    let count = all.iter().map(|(instances, _)| instances.len()).sum();
    vec![running, summary(cib, &nodes, count, now), list, section, attributes]
}

fn clone_element(clone: &Element, resource: &Resource<'_>) -> Element {
    let target_role = resource.target_role();
    let mut element = Element::new("clone")
        .with("id", clone.get("id").unwrap_or_default())
        .with("multi_state", yes_no(resource.promotable()))
        .with("unique", yes_no(resource.clone_option("globally-unique") == Some("true")))
        .with("managed", "true")
        .with("disabled", yes_no(target_role == Some("Stopped")))
        .with("failed", "false")
        .with("failure_ignored", "false");
    if let Some(role) = target_role {
        element.set("target_role", role);
    }
    element
}

fn instance(cib: &Cib, resource: &Resource<'_>, role: Role, node: Option<&Node>) -> Element {
    // What an operation under way makes of it stands in the place of the role.
    let pending = node.and_then(|node| resource.pending(cib, node));
    let mut element = Element::new("resource")
        .with("id", resource.primitive.get("id").unwrap_or_default())
        .with("resource_agent", resource.agent())
        .with("role", pending.unwrap_or_else(|| role.name()));
    if let Some(role) = resource.target_role() {
        element.set("target_role", role);
    }
    element.set("active", yes_no(node.is_some()));
    for flag in ["orphaned", "blocked"] {
        element.set(flag, "false");
    }
    element.set("managed", "true");
    for flag in ["failed", "failure_ignored"] {
        element.set(flag, "false");
    }
    element.set("nodes_running_on", if node.is_some() { "1" } else { "0" });
    if let Some(node) = node {
        element
            .children
            .push(Element::new("node").with("name", &node.name).with("id", &node.id).with("cached", "true"));
    }
    element
}

fn node_element(cib: &Cib, node: &Node, running: usize) -> Element {
    let mut element = Element::new("node").with("name", &node.name).with("id", &node.id);
    element.set("online", yes_no(node.member));
    for flag in ["standby", "standby_onfail", "maintenance", "pending", "unclean"] {
        element.set(flag, "false");
    }
    element.set("health", "green");
    if node.member {
        element.set("feature_set", cib.root.get("crm_feature_set").unwrap_or_default());
    }
    element.set("shutdown", "false");
    element.set("expected_up", "true");
    element.set("is_dc", yes_no(controller(cib).is_some_and(|dc| dc == *node)));
    element.set("resources_running", running.to_string());
    element.set("type", "member");
    element
}

/// The designated controller: the one the CIB names, else the first node that is there.
fn controller(cib: &Cib) -> Option<Node> {
    let nodes = cib.nodes();
    let named = cib.root.get("dc-uuid").and_then(|id| nodes.iter().find(|node| node.id == id && node.member));
    named.or_else(|| nodes.iter().find(|node| node.member)).cloned()
}

fn summary(cib: &Cib, nodes: &[Node], resources: usize, now: Timestamp) -> Element {
    let mut dc = Element::new("current_dc").with("present", yes_no(controller(cib).is_some()));
    if let Some(node) = controller(cib) {
        dc.set("version", cib.option("dc-version").unwrap_or(VERSION));
        dc.set("name", node.name);
        dc.set("id", node.id);
        dc.set("with_quorum", yes_no(cib.root.get("have-quorum") != Some("0")));
        dc.set("mixed_version", "false");
    }
    let change = |name| cib.root.get(name).unwrap_or_default();
    let last_change = Element::new("last_change")
        .with("time", change("cib-last-written"))
        .with("user", change("update-user"))
        .with("client", change("update-client"))
        .with("origin", change("update-origin"));
    Element::new("summary")
        .and(Element::new("stack").with("type", "corosync"))
        .and(dc)
        .and(Element::new("last_update").with("time", now.strftime("%a %b %e %T %Y").to_string()))
        .and(last_change)
        .and(Element::new("nodes_configured").with("number", nodes.len().to_string()))
        .and(
            Element::new("resources_configured")
                .with("number", resources.to_string())
                .with("disabled", "0")
                .with("blocked", "0"),
        )
        .and(options(cib))
}

/// The options of the cluster, as they count: those that are not set with their defaults.
fn options(cib: &Cib) -> Element {
    let mut element = Element::new("cluster_options");
    for (name, default) in [
        ("stonith-enabled", "true"),
        ("symmetric-cluster", "true"),
        ("no-quorum-policy", "stop"),
        ("maintenance-mode", "false"),
        ("stop-all-resources", "false"),
    ] {
        element.set(name, cib.option(name).unwrap_or(default));
    }
    element.with("stonith-timeout-ms", "60000").with("priority-fencing-delay-ms", "0")
}

/// The short snapshot for people.
fn text(cib: &Cib) -> String {
    let nodes = cib.nodes();
    let names = |member: bool| nodes.iter().filter(|n| n.member == member).map(|n| n.name.as_str()).collect::<Vec<_>>();
    let mut lines = vec!["Node List:\n".to_owned()];
    for (label, names) in [("Online", names(true)), ("OFFLINE", names(false))] {
        if !names.is_empty() {
            lines.push(format!("  * {label}: [ {} ]\n", names.join(" ")));
        }
    }
    lines.push("\nActive Resources:\n".to_owned());
    let all = resources(cib);
    if all.is_empty() {
        lines.push("  * No active resources\n".to_owned());
    }
    for resource in all {
        let instances = resource.instances(cib, &nodes);
        let id = resource.primitive.get("id").unwrap_or_default();
        let Some(clone) = resource.clone.and_then(|clone| clone.get("id")) else {
            for (role, node) in instances {
                let place = node.map_or(String::new(), |node| format!(" {}", node.name));
                lines.push(format!("  * {id}\t({}):\t {}{place}\n", resource.agent(), role.name()));
            }
            continue;
        };
        let kind = if resource.promotable() { " (promotable)" } else { "" };
        lines.push(format!("  * Clone Set: {clone} [{id}]{kind}:\n"));
        for role in [Role::Promoted, Role::Unpromoted, Role::Started] {
            let on: Vec<_> = instances
                .iter()
                .filter(|(has, _)| *has == role)
                .filter_map(|(_, node)| node.map(|node| node.name.as_str()))
                .collect();
            if !on.is_empty() {
                lines.push(format!("    * {}: [ {} ]\n", role.name(), on.join(" ")));
            }
        }
    }
    lines.concat()
}
