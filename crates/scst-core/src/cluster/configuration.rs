//! The resources that the cluster configures with our agents, and their parameters: for `scst-ha`, which compares a
//! node with its configuration. The agents never ask for this; Pacemaker passes them their parameters.
//!
//! Parameters come together as Pacemaker unpacks them (Pacemaker Explained, "Resource Instance Attributes", "Templates"): the
//! primitive's own sets, those of its template, those of what it stands in; of a name that is given twice the first one
//! counts, and of several sets the one with the highest score comes first. Rules depend on a node and on the time, which only the
//! cluster knows: a set with a rule is left out, and named.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::cib::{self, Container, Pair, Primitive, Resource, Resources, Set};
use super::{ClusterError, Nodes, limit};
use crate::command::{CommandError, Tools};
use crate::deadline::Deadline;

/// The provider of our agents.
const PROVIDER: &str = "onesty";

/// What the cluster has configured, as far as it concerns us.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Configuration {
    /// All nodes.
    pub nodes: Nodes,
    /// The resources of our agents, in the order of the configuration.
    pub resources: Vec<Configured>,
    /// The transient attributes of all nodes: values by attribute and node.
    pub told: BTreeMap<String, BTreeMap<String, String>>,
}

/// One resource of one of our agents; the state that `scst-ha status --json` prints has it so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configured {
    /// Its id.
    pub id: String,
    /// Which agent: `scst_qla2xtgt`, `scst_target` or `scst_aluadg`.
    pub agent: String,
    /// Its parameters.
    pub params: BTreeMap<String, String>,
    /// What could not be taken into account, a sentence each.
    #[serde(skip)]
    pub left_out: Vec<String>,
}

/// Asks for all of it with one command.
///
/// # Errors
///
/// `cibadmin` is not there, failed, did not answer in time, or printed no CIB.
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
    let sections = cib::parse(xml)?;
    let index = Index::of(&sections.resources);
    let mut resources = Vec::new();
    for resource in &sections.resources.all {
        match resource {
            Resource::Primitive(primitive) => resources.extend(index.configured(primitive, &[])),
            Resource::Clone(container) | Resource::Master(container) | Resource::Group(container) => {
                index.inside(container, &[], &mut resources);
            }
            Resource::Template(_) | Resource::Other => {}
        }
    }
    let nodes = sections.nodes.into();
    let told = told(sections.status, &nodes);
    Ok(Configuration { nodes, resources, told })
}

/// The transient attributes.
fn told(status: cib::Status, nodes: &Nodes) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut told: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for state in status.node_state {
        let Some(node) = nodes.0.iter().find(|node| node.id == state.id) else { continue };
        let sets = state.transient_attributes.into_iter().flat_map(|attributes| attributes.instance_attributes);
        for pair in sets.flat_map(|set| set.nvpair) {
            if let (Some(name), Some(value)) = (pair.name, pair.value) {
                told.entry(name).or_default().insert(node.name.clone(), value);
            }
        }
    }
    told
}

/// What other elements refer to, by its id.
#[derive(Debug, Default)]
struct Index<'x> {
    templates: BTreeMap<&'x str, &'x Primitive>,
    sets: BTreeMap<&'x str, &'x Set>,
    pairs: BTreeMap<&'x str, &'x Pair>,
}

impl<'x> Index<'x> {
    fn of(resources: &'x Resources) -> Self {
        let mut index = Self::default();
        for resource in &resources.all {
            match resource {
                Resource::Primitive(primitive) => index.add(&primitive.instance_attributes),
                Resource::Template(template) => {
                    index.templates.insert(&template.id, template);
                    index.add(&template.instance_attributes);
                }
                Resource::Clone(container) | Resource::Master(container) | Resource::Group(container) => {
                    index.add_container(container);
                }
                Resource::Other => {}
            }
        }
        index
    }

    fn add_container(&mut self, container: &'x Container) {
        self.add(&container.instance_attributes);
        container.primitive.iter().for_each(|primitive| self.add(&primitive.instance_attributes));
        container.group.iter().for_each(|group| self.add_container(group));
    }

    fn add(&mut self, sets: &'x [Set]) {
        for set in sets {
            self.sets.extend(set.id.as_deref().map(|id| (id, set)));
            self.pairs.extend(set.nvpair.iter().filter_map(|pair| Some((pair.id.as_deref()?, pair))));
        }
    }

    /// The set itself, or the one that it refers to.
    fn set<'a>(&'a self, set: &'a Set) -> &'a Set {
        set.reference.as_deref().and_then(|id| self.sets.get(id)).copied().unwrap_or(set)
    }

    /// The pair itself, or the one that it refers to.
    fn pair<'a>(&'a self, pair: &'a Pair) -> &'a Pair {
        pair.reference.as_deref().and_then(|id| self.pairs.get(id)).copied().unwrap_or(pair)
    }

    /// Walks down to the primitives; `around` holds the sets of what a primitive stands in, the innermost first.
    fn inside(&self, container: &Container, around: &[&[Set]], found: &mut Vec<Configured>) {
        let mut levels = vec![container.instance_attributes.as_slice()];
        levels.extend(around);
        found.extend(container.primitive.iter().filter_map(|primitive| self.configured(primitive, &levels)));
        container.group.iter().for_each(|group| self.inside(group, &levels, found));
    }

    /// The resource that a primitive is, if it is one of our agents.
    fn configured(&self, primitive: &Primitive, around: &[&[Set]]) -> Option<Configured> {
        let template = primitive.template.as_deref().and_then(|id| self.templates.get(id)).copied();
        let get = |of: fn(&Primitive) -> &Option<String>| of(primitive).as_deref().or_else(|| of(template?).as_deref());
        if get(|primitive| &primitive.class) != Some("ocf") || get(|primitive| &primitive.provider) != Some(PROVIDER) {
            return None;
        }
        let mut resource = Configured {
            id: primitive.id.clone(),
            agent: get(|primitive| &primitive.agent).unwrap_or_default().to_owned(),
            params: BTreeMap::new(),
            left_out: Vec::new(),
        };
        let own = std::iter::once(primitive).chain(template).map(|level| level.instance_attributes.as_slice());
        for level in own.chain(around.iter().copied()) {
            resource.add(level, self);
        }
        Some(resource)
    }
}

impl Configured {
    /// Adds what one level says of parameters that are not known yet.
    fn add(&mut self, level: &[Set], index: &Index<'_>) {
        let mut sets: Vec<&Set> = level.iter().map(|set| index.set(set)).collect();
        sets.sort_by_key(|set| std::cmp::Reverse(score(set.score.as_deref())));
        for set in sets {
            if !set.rule.is_empty() {
                let id = set.id.as_deref().unwrap_or_default();
                self.left_out.push(format!("parameters {id} have a rule, which only the cluster can follow: left out"));
                continue;
            }
            for pair in &set.nvpair {
                let pair = index.pair(pair);
                if let (Some(name), Some(value)) = (&pair.name, &pair.value) {
                    self.params.entry(name.clone()).or_insert_with(|| value.clone());
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
        let nested = |name: &str, depth| {
            let inside = format!("{}{}", format!("<{name}>").repeat(depth), format!("</{name}>").repeat(depth));
            parse_configuration(&format!("<configuration><nodes/><resources>{inside}</resources></configuration>"))
        };
        assert!(nested("group", 50).is_ok());
        assert!(nested("group", 100_000).is_err());
        assert!(nested("a", 100_000).is_ok(), "what is not read is passed over");
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
