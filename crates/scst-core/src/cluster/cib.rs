//! The parts of the CIB that the queries of this directory read, as Pacemaker's schemas name them (`nodes-*.rng`,
//! `resources-*.rng`, `nvset-*.rng`): types that serde fills.

use quick_xml::de::from_str;
use serde::Deserialize;
use serde::de::IgnoredAny;

/// What `cibadmin --query` answers: the section that was asked for, the matches of an `XPath`, or the whole.
#[derive(Debug, Deserialize)]
enum Answer {
    #[serde(rename = "nodes")]
    Nodes(Nodes),
    #[serde(rename = "xpath-query")]
    Matches(Sections),
    #[serde(rename = "configuration")]
    Configuration(Sections),
    #[serde(rename = "cib")]
    Cib {
        configuration: Sections,
        #[serde(default)]
        status: Status,
    },
}

/// The sections of a configuration.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Sections {
    pub(super) nodes: Nodes,
    #[serde(default)]
    pub(super) resources: Resources,
    /// The pairs that an `XPath` asked for, wherever they stand.
    #[serde(default)]
    pub(super) nvpair: Vec<Pair>,
    /// The section of the status, where the whole was asked for.
    #[serde(skip)]
    pub(super) status: Status,
}

/// The section of the status.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Status {
    #[serde(default)]
    pub(super) node_state: Vec<NodeState>,
}

/// What the cluster knows of one node at present.
#[derive(Debug, Deserialize)]
pub(super) struct NodeState {
    #[serde(rename = "@id", default)]
    pub(super) id: String,
    #[serde(default)]
    pub(super) transient_attributes: Vec<Transient>,
}

/// The attributes of a node that last until it reboots.
#[derive(Debug, Deserialize)]
pub(super) struct Transient {
    #[serde(default)]
    pub(super) instance_attributes: Vec<Set>,
}

/// The section of the nodes.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Nodes {
    #[serde(default)]
    pub(super) node: Vec<Node>,
}

/// One node.
#[derive(Debug, Deserialize)]
pub(super) struct Node {
    #[serde(rename = "@uname")]
    pub(super) name: String,
    #[serde(rename = "@id", default)]
    pub(super) id: String,
    #[serde(rename = "@type")]
    pub(super) kind: Option<String>,
    #[serde(default)]
    pub(super) instance_attributes: Vec<Set>,
}

/// The section of the resources.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Resources {
    #[serde(rename = "$value", default)]
    pub(super) all: Vec<Resource>,
}

/// What stands in the section of the resources.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Resource {
    Primitive(Primitive),
    Template(Primitive),
    Clone(Container),
    Master(Container),
    Group(Container),
    #[serde(other)]
    Other,
}

/// A resource of an agent, or a template of some.
#[derive(Debug, Deserialize)]
pub(super) struct Primitive {
    #[serde(rename = "@id", default)]
    pub(super) id: String,
    #[serde(rename = "@template")]
    pub(super) template: Option<String>,
    #[serde(rename = "@class")]
    pub(super) class: Option<String>,
    #[serde(rename = "@provider")]
    pub(super) provider: Option<String>,
    #[serde(rename = "@type")]
    pub(super) agent: Option<String>,
    #[serde(default)]
    pub(super) instance_attributes: Vec<Set>,
}

/// What resources stand in.
#[derive(Debug, Deserialize)]
pub(super) struct Container {
    #[serde(default)]
    pub(super) instance_attributes: Vec<Set>,
    #[serde(default)]
    pub(super) primitive: Vec<Primitive>,
    #[serde(default)]
    pub(super) group: Vec<Container>,
}

/// A set of parameters or attributes, or where it stands.
#[derive(Debug, Deserialize)]
pub(super) struct Set {
    #[serde(rename = "@id")]
    pub(super) id: Option<String>,
    #[serde(rename = "@id-ref")]
    pub(super) reference: Option<String>,
    #[serde(rename = "@score")]
    pub(super) score: Option<String>,
    #[serde(default)]
    pub(super) rule: Vec<IgnoredAny>,
    #[serde(default)]
    pub(super) nvpair: Vec<Pair>,
}

/// A name with its value, or where it stands.
#[derive(Debug, Deserialize)]
pub(super) struct Pair {
    #[serde(rename = "@id")]
    pub(super) id: Option<String>,
    #[serde(rename = "@id-ref")]
    pub(super) reference: Option<String>,
    #[serde(rename = "@name")]
    pub(super) name: Option<String>,
    #[serde(rename = "@value")]
    pub(super) value: Option<String>,
}

/// Reads an answer of `cibadmin --query`.
///
/// # Errors
///
/// Why it is no such answer: also where the section of the nodes is missing, which is not a cluster without nodes.
pub(super) fn parse(xml: &str) -> Result<Sections, String> {
    Ok(match from_str(xml).map_err(|error| error.to_string())? {
        Answer::Nodes(nodes) => Sections { nodes, ..Sections::default() },
        Answer::Matches(sections) | Answer::Configuration(sections) => sections,
        Answer::Cib { configuration, status } => Sections { status, ..configuration },
    })
}
