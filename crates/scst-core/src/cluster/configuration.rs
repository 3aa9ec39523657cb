//! The resources that the cluster configures with our agents, and their parameters: for those who compare a node with its
//! configuration. The agents themselves never ask for this; Pacemaker passes them their parameters.
//!
//! Parameters come together as Pacemaker unpacks them (Pacemaker Explained, "Resource Instance Attributes", "Templates"): the
//! primitive's own sets, those of its template, those of what it stands in; of a name that is given twice the first one
//! counts, and of several sets the one with the highest score comes first. Rules depend on a node and on the time, which only the
//! cluster knows: a set with a rule is left out, and named.

use std::collections::BTreeMap;

use quick_xml::events::{BytesStart, Event};

use super::{ClusterError, Nodes, limit, parse_nodes, walk};
use crate::command::{CommandError, Tools};
use crate::deadline::Deadline;

/// The provider of our agents.
const PROVIDER: &str = "onesty";

/// Deeper than any CIB goes: whoever walks a tree of elements needs stack for each level.
const MAX_DEPTH: usize = 100;

/// What the cluster has configured, as far as it concerns us.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Configuration {
    /// All nodes.
    pub nodes: Nodes,
    /// The resources of our agents, in the order of the configuration.
    pub resources: Vec<Configured>,
    /// The transient attributes of all nodes: by attribute and node, its value.
    pub told: BTreeMap<String, BTreeMap<String, String>>,
}

/// One resource of one of our agents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configured {
    /// Its id.
    pub id: String,
    /// Which agent: `scst_qla2xtgt` or `scst_aluadg`.
    pub agent: String,
    /// Its parameters.
    pub params: BTreeMap<String, String>,
    /// What could not be taken into account, a sentence each.
    pub left_out: Vec<String>,
}

/// Asks for all of it with one command.
pub fn query_configuration(tools: &Tools, deadline: &Deadline) -> Result<Configuration, ClusterError> {
    let xml = tools.run("cibadmin", &["--query"], limit(deadline))?;
    parse_configuration(&xml).map_err(|error| CommandError::unreadable("cibadmin", &error).into())
}

/// Reads the answer of `cibadmin --query`, or of its part `configuration`, which holds no transient attributes.
///
/// # Errors
///
/// Why it is no such answer.
pub fn parse_configuration(xml: &str) -> Result<Configuration, String> {
    let nodes = parse_nodes(xml)?;
    let root = Element::parse(xml)?;
    let mut by_id = BTreeMap::new();
    root.index(&mut by_id);
    let mut resources = Vec::new();
    for element in root.descendants("resources") {
        collect(element, &[], &by_id, &mut resources);
    }
    let told = told(&root, &nodes);
    Ok(Configuration { nodes, resources, told })
}

/// The transient attributes.
fn told(root: &Element, nodes: &Nodes) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut told: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for attributes in root.descendants("transient_attributes") {
        let Some(node) = nodes.0.iter().find(|node| Some(node.id.as_str()) == attributes.get("id")) else { continue };
        for pair in attributes.descendants("nvpair") {
            if let (Some(name), Some(value)) = (pair.get("name"), pair.get("value")) {
                told.entry(name.to_owned()).or_default().insert(node.name.clone(), value.to_owned());
            }
        }
    }
    told
}

/// Walks down to the primitives; `around` holds what a primitive stands in, the innermost first.
fn collect<'x>(
    element: &'x Element,
    around: &[&'x Element],
    by_id: &BTreeMap<&'x str, &'x Element>,
    found: &mut Vec<Configured>,
) {
    for child in &element.children {
        match child.name.as_str() {
            "primitive" => {
                let template = child.get("template").and_then(|id| by_id.get(id)).copied();
                let get = |name: &str| child.get(name).or_else(|| template?.get(name));
                if get("class") != Some("ocf") || get("provider") != Some(PROVIDER) {
                    continue;
                }
                let mut resource = Configured {
                    id: child.get("id").unwrap_or_default().to_owned(),
                    agent: get("type").unwrap_or_default().to_owned(),
                    params: BTreeMap::new(),
                    left_out: Vec::new(),
                };
                for level in std::iter::once(child).chain(template).chain(around.iter().copied()) {
                    resource.add(level, by_id);
                }
                found.push(resource);
            }
            "clone" | "master" | "group" => {
                let mut inside = vec![child];
                inside.extend(around);
                collect(child, &inside, by_id, found);
            }
            _ => {}
        }
    }
}

impl Configured {
    /// Adds what one level says of parameters that are not known yet.
    fn add(&mut self, level: &Element, by_id: &BTreeMap<&str, &Element>) {
        let sets = level.children.iter().filter(|set| set.name == "instance_attributes");
        let mut sets: Vec<&Element> = sets.map(|set| set.resolved(by_id)).collect();
        sets.sort_by_key(|set| std::cmp::Reverse(score(set.get("score"))));
        for set in sets {
            if set.children.iter().any(|child| child.name == "rule") {
                let id = set.get("id").unwrap_or_default();
                self.left_out.push(format!("parameters {id} have a rule, which only the cluster can follow: left out"));
                continue;
            }
            for pair in set.children.iter().filter(|pair| pair.name == "nvpair") {
                let pair = pair.resolved(by_id);
                if let (Some(name), Some(value)) = (pair.get("name"), pair.get("value")) {
                    self.params.entry(name.to_owned()).or_insert_with(|| value.to_owned());
                }
            }
        }
    }
}

fn score(text: Option<&str>) -> i64 {
    match text.unwrap_or_default().trim() {
        "INFINITY" | "+INFINITY" => i64::MAX,
        "-INFINITY" => i64::MIN,
        number => number.parse().unwrap_or(0),
    }
}

/// An element of the CIB.
#[derive(Debug, Default)]
pub struct Element {
    /// Its name.
    pub name: String,
    /// Its attributes, with their entities resolved.
    pub attributes: BTreeMap<String, String>,
    /// The elements in it.
    pub children: Vec<Element>,
}

impl Element {
    /// Reads a document; the result has its root as the only child.
    ///
    /// # Errors
    ///
    /// Why it is none.
    pub fn parse(xml: &str) -> Result<Self, String> {
        let mut open = vec![Self::default()];
        walk(xml, |event| {
            match event {
                Event::Start(_) if open.len() > MAX_DEPTH => return Err("elements stand too deep in each other".into()),
                Event::Start(element) => open.push(Self::of(&element)?),
                Event::Empty(element) => {
                    let element = Self::of(&element)?;
                    open.last_mut().ok_or("it ends too early")?.children.push(element);
                }
                Event::End(_) => {
                    let closed = open.pop().ok_or("it ends too early")?;
                    open.last_mut().ok_or("it ends too early")?.children.push(closed);
                }
                _ => {}
            }
            Ok(())
        })?;
        open.pop().ok_or_else(|| "it is empty".to_owned())
    }

    fn of(element: &BytesStart<'_>) -> Result<Self, String> {
        let mut attributes = BTreeMap::new();
        for attribute in element.attributes() {
            let name = attribute.map_err(|error| error.to_string())?.key.as_ref().to_owned();
            let value = super::attribute(element, &name)?.unwrap_or_default();
            attributes.insert(name, value);
        }
        Ok(Self { name: element.name().as_ref().to_owned(), attributes, children: Vec::new() })
    }

    /// An attribute.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }

    fn index<'x>(&'x self, by_id: &mut BTreeMap<&'x str, &'x Self>) {
        by_id.extend(self.get("id").map(|id| (id, self)));
        self.children.iter().for_each(|child| child.index(by_id));
    }

    /// Itself, or what it refers to.
    fn resolved<'x>(&'x self, by_id: &BTreeMap<&str, &'x Self>) -> &'x Self {
        self.get("id-ref").and_then(|id| by_id.get(id)).copied().unwrap_or(self)
    }

    /// The elements of that name, wherever they are; not those inside of one.
    pub fn descendants(&self, name: &str) -> Vec<&Self> {
        let inside = |child: &'_ Self| child.name == name;
        let (here, deeper): (Vec<_>, Vec<_>) = self.children.iter().partition(|child| inside(child));
        here.into_iter().chain(deeper.into_iter().flat_map(|child| child.descendants(name))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resources(xml: &str) -> Vec<Configured> {
        parse_configuration(&format!("<configuration><nodes/><resources>{xml}</resources></configuration>"))
            .unwrap()
            .resources
    }

    fn set(pairs: &str) -> String {
        let pairs = pairs.split_whitespace().filter_map(|pair| pair.split_once('='));
        let pairs = pairs.map(|(name, value)| format!(r#"<nvpair id="{name}" name="{name}" value="{value}"/>"#));
        pairs.collect()
    }

    fn params(resource: &Configured) -> String {
        resource.params.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn transient_attributes_are_told_by_node() {
        let xml = r#"<cib><configuration><nodes><node id="1" uname="alpha"/></nodes><resources/></configuration><status>
            <node_state id="1"><transient_attributes id="1"><instance_attributes id="s"><nvpair id="n" name="x" value="7"/>
            </instance_attributes></transient_attributes></node_state>
            <node_state id="9"><transient_attributes id="9"/></node_state></status></cib>"#;
        let found = parse_configuration(xml).unwrap();
        assert_eq!(
            found.told,
            BTreeMap::from([("x".to_owned(), BTreeMap::from([("alpha".to_owned(), "7".to_owned())]))])
        );
    }

    const OURS: &str = r#"class="ocf" provider="onesty""#;

    #[test]
    fn our_resources_are_found_wherever_they_stand_and_no_others() {
        let ours = |id: &str| format!(r#"<primitive id="{id}" {OURS} type="scst_aluadg"/>"#);
        let found = resources(&format!(
            r#"{}<primitive id="x" class="ocf" provider="linbit" type="drbd"/><clone id="c">{}</clone>
               <master id="m"><group id="g">{}</group></master><bundle id="b">{}</bundle>"#,
            ours("a"),
            ours("b"),
            ours("c"),
            ours("d"),
        ));
        let ids: Vec<&str> = found.iter().map(|resource| resource.id.as_str()).collect();
        assert_eq!(ids, ["a", "b", "c"]);
        assert_eq!(found[0].agent, "scst_aluadg");
    }

    #[test]
    fn parameters_come_together_as_pacemaker_unpacks_them() {
        let found = resources(&format!(
            r#"<template id="t" {OURS} type="scst_aluadg"><instance_attributes id="ti">{}</instance_attributes></template>
               <clone id="c"><instance_attributes id="ci">{}</instance_attributes>
               <primitive id="p" template="t"><instance_attributes id="low">{}</instance_attributes>
               <instance_attributes id="high" score="10">{}</instance_attributes></primitive></clone>
               <primitive id="q" {OURS} type="scst_qla2xtgt"><instance_attributes id-ref="ci"/></primitive>"#,
            set("a=template b=template"),
            set("a=clone d=clone"),
            set("a=low c=low"),
            set("c=high"),
        ));
        assert_eq!(params(&found[0]), "a=low b=template c=high d=clone");
        assert_eq!((params(&found[1]).as_str(), found[1].agent.as_str()), ("a=clone d=clone", "scst_qla2xtgt"));
    }

    #[test]
    fn a_set_with_a_rule_is_left_out_and_named() {
        let found = resources(&format!(
            r#"<primitive id="p" {OURS} type="scst_aluadg"><instance_attributes id="r"><rule id="x"/>{}</instance_attributes>
               <instance_attributes id="plain">{}</instance_attributes></primitive>"#,
            set("a=rule"),
            set("b=1"),
        ));
        assert_eq!(params(&found[0]), "b=1");
        assert_eq!(found[0].left_out, ["parameters r have a rule, which only the cluster can follow: left out"]);
    }

    #[test]
    fn values_are_unescaped_and_a_broken_answer_is_none() {
        let found = resources(&format!(
            r#"<primitive id="p" {OURS} type="scst_qla2xtgt"><instance_attributes id="i">
               <nvpair id="n" name="initiators" value="a=&quot;1&quot; &amp; 2"/></instance_attributes></primitive>"#
        ));
        assert_eq!(params(&found[0]), r#"initiators=a="1" & 2"#);
        for text in ["", "<configuration/>", "<configuration><nodes/><resources>"] {
            assert!(parse_configuration(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_answer_that_goes_too_deep_does_not_exhaust_the_stack() {
        let nested = |depth| format!("<nodes/>{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
        assert!(parse_configuration(&nested(MAX_DEPTH)).is_ok());
        assert!(parse_configuration(&nested(100_000)).is_err());
    }

    #[test]
    fn a_large_configuration_is_read_in_no_time() {
        let device = |n| format!("device{n}=virtname:x,filename:/dev/vg/disk{n},export0:all:{n}");
        let devices = (0..256).map(device).collect::<Vec<_>>().join(" ");
        let one = |n| {
            let set = set(&devices);
            format!(
                r#"<primitive id="p{n}" {OURS} type="scst_aluadg"><instance_attributes id="i{n}">{set}</instance_attributes></primitive>"#
            )
        };
        let xml: String = (0..64).map(one).collect();
        assert!(xml.len() > 1_000_000);
        let started = std::time::Instant::now();
        assert_eq!(resources(&xml).iter().map(|resource| resource.params.len()).sum::<usize>(), 64 * 256);
        assert!(started.elapsed() < std::time::Duration::from_secs(5));
    }
}
