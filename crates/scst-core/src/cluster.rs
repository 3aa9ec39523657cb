//! What the agents ask of the cluster: nodes with their ids and ports, the promotion score, and who has which role.
//!
//! The cluster is asked through its own commands: the libraries behind them change their interface with every release, the
//! commands have kept theirs from Pacemaker 2.0 to 3.0. Start and reload make exactly one query, which brings every node
//! at once; notify, monitor, promote and demote ask for nothing. "The attribute is not set", "the node is not in the CIB" and "the
//! cluster could not be asked" are three answers: an `Option` inside a node, a node that [`Nodes::node`] does not find, and a
//! [`ClusterError`]. Nobody may act on the third as if it were one of the others.

mod configuration;
mod promotions;
mod survey;
mod topology;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

pub use self::configuration::{Configuration, Configured, Element, parse_configuration, query_configuration};
pub use self::promotions::{Promotion, parse_promotions, query_promotions};
pub use self::survey::{MARK, Survey, parse_survey, query_survey};
pub use self::topology::{MAX_GROUPS, Member, Port, Refused, Topology, entries, io_group};
use crate::command::{CommandError, Tools};
use crate::deadline::Deadline;
use crate::ocf::notify::PeerRole;

/// The node attribute that lists a node's ports.
pub const TARGETPORTS: &str = "targetports";

/// The longest wait for one command. They answer in some 10 ms; a controller that is busy electing may take seconds.
const LIMIT: Duration = Duration::from_secs(10);

/// The cluster could not be asked: which command failed, and how.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cluster could not be asked: {0}")]
pub struct ClusterError(#[from] CommandError);

/// One node of the CIB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterNode {
    /// The node's name.
    pub name: String,
    /// Its id, as the CIB spells it: a number for cluster nodes.
    pub id: String,
    /// The attribute `targetports`, if it is set.
    pub targetports: Option<String>,
    /// A remote node: it runs resources and is not a member; its id is no number.
    pub remote: bool,
}

/// The nodes of the CIB.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Nodes(pub Vec<ClusterNode>);

impl Nodes {
    /// The node of exactly this name.
    pub fn node(&self, name: &str) -> Option<&ClusterNode> {
        self.0.iter().find(|node| node.name == name)
    }
}

/// Asks for all nodes with one command.
pub fn query_nodes(tools: &Tools, deadline: &Deadline) -> Result<Nodes, ClusterError> {
    let xml = tools.run("cibadmin", &["--query", "--xpath", "//nodes"], limit(deadline))?;
    parse_nodes(&xml).map_err(|error| CommandError::unreadable("cibadmin", &error).into())
}

/// Asks for this node's name. Only for a run by hand: Pacemaker passes it.
pub fn local_node_name(tools: &Tools, deadline: &Deadline) -> Result<String, ClusterError> {
    let name = tools.run("crm_node", &["-n"], limit(deadline))?;
    match name.trim() {
        "" => Err(CommandError::unreadable("crm_node", "it printed no name").into()),
        name => Ok(name.to_owned()),
    }
}

/// Sets this node's promotion score of the resource `instance`, until the node reboots. Setting the value it has changes
/// nothing in the cluster.
pub fn set_promotion_score(
    tools: &Tools,
    deadline: &Deadline,
    node: &str,
    instance: &str,
    score: i32,
) -> Result<(), ClusterError> {
    promotion_score(tools, deadline, node, instance, &["-v", &score.to_string()])
}

/// Deletes this node's promotion score of the resource `instance`. That it has none is success.
pub fn delete_promotion_score(
    tools: &Tools,
    deadline: &Deadline,
    node: &str,
    instance: &str,
) -> Result<(), ClusterError> {
    promotion_score(tools, deadline, node, instance, &["-D"])
}

/// Sets the lasting attribute `targetports` of a node.
pub fn set_targetports(tools: &Tools, deadline: &Deadline, node: &str, ports: &str) -> Result<(), ClusterError> {
    tools.run("crm_attribute", &["-N", node, "-l", "forever", "-n", TARGETPORTS, "-v", ports], limit(deadline))?;
    Ok(())
}

/// Sets, or with nothing deletes, an attribute of a node that lasts until it reboots.
///
/// # Errors
///
/// Which command failed, and how.
pub fn set_transient(
    tools: &Tools,
    deadline: &Deadline,
    node: &str,
    attribute: &str,
    value: Option<&str>,
) -> Result<(), ClusterError> {
    let mut arguments = vec!["-N", node, "-l", "reboot", "-n", attribute];
    match value {
        Some(value) => arguments.extend(["-v", value]),
        None => arguments.push("-D"),
    }
    tools.run("crm_attribute", &arguments, limit(deadline))?;
    Ok(())
}

/// The one form of the command that every release from 2.0 to 3.0 understands. The attribute is still called `master-`.
fn promotion_score(
    tools: &Tools,
    deadline: &Deadline,
    node: &str,
    instance: &str,
    what: &[&str],
) -> Result<(), ClusterError> {
    let attribute = format!("master-{instance}");
    let mut arguments = vec!["-N", node, "-l", "reboot", "-n", &attribute];
    arguments.extend(what);
    tools.run("crm_attribute", &arguments, limit(deadline))?;
    Ok(())
}

/// What the cluster believes the instances of a resource do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Roles {
    /// The role on each node that runs one.
    pub by_node: BTreeMap<String, PeerRole>,
    /// An action other than a monitor is under way, of whatever resource on whatever node: what this resource waits for may stand
    /// behind it in the same transition.
    pub pending: bool,
    /// The ids of all resources that the cluster shows, also of those that run nowhere.
    pub shown: BTreeSet<String>,
}

/// Asks what the cluster believes each node's instance of the resource `instance` does. A node that is not in the answer runs
/// none.
pub fn roles(tools: &Tools, deadline: &Deadline, instance: &str) -> Result<Roles, ClusterError> {
    let xml = tools.run("crm_mon", &["-1", "--output-as=xml"], limit(deadline))?;
    parse_roles(&xml, instance).map_err(|error| CommandError::unreadable("crm_mon", &error).into())
}

/// The time one command gets: never more than half of what the run has left, so that the run can still say what failed.
fn limit(deadline: &Deadline) -> Duration {
    LIMIT.min(deadline.remaining() / 2)
}

/// Reads the answer of `cibadmin --query --xpath //nodes`.
///
/// # Errors
///
/// Why it is no such answer.
pub fn parse_nodes(xml: &str) -> Result<Nodes, String> {
    let mut nodes = Vec::new();
    let mut path: Vec<String> = Vec::new();
    let mut seen_nodes = false;
    walk(xml, |event| {
        let (element, empty) = match event {
            Event::Start(element) => (element, false),
            Event::Empty(element) => (element, true),
            Event::End(_) => {
                path.pop();
                return Ok(());
            }
            _ => return Ok(()),
        };
        let name = element.name().as_ref().to_owned();
        match name.as_str() {
            "nodes" => seen_nodes = true,
            "node" if within(&path, &["nodes"]) => {
                let name = attribute(&element, "uname")?.ok_or("a node without a name")?;
                let id = attribute(&element, "id")?.unwrap_or_default();
                let remote = attribute(&element, "type")?.is_some_and(|kind| kind == "remote");
                nodes.push(ClusterNode { name, id, targetports: None, remote });
            }
            "nvpair"
                if within(&path, &["nodes", "node", "instance_attributes"])
                    && attribute(&element, "name")?.is_some_and(|name| name == TARGETPORTS) =>
            {
                let value = attribute(&element, "value")?;
                if let Some(node) = nodes.last_mut().filter(|node| node.targetports.is_none()) {
                    node.targetports = value;
                }
            }
            _ => {}
        }
        if !empty {
            path.push(name);
        }
        Ok(())
    })?;
    if !seen_nodes {
        return Err("no element nodes in the answer".to_owned());
    }
    Ok(Nodes(nodes))
}

/// Whether the innermost open elements are `parents`: a CIB has other elements called `node`, and other sets of attributes.
fn within(path: &[String], parents: &[&str]) -> bool {
    path.len() >= parents.len() && path[path.len() - parents.len()..].iter().zip(parents).all(|(a, b)| a == b)
}

/// Reads the answer of `crm_mon -1 --output-as=xml`: what each node's instance of the resource `instance` does.
///
/// # Errors
///
/// Why it is no such answer.
pub fn parse_roles(xml: &str, instance: &str) -> Result<Roles, String> {
    let mut roles = Roles::default();
    let mut current: Option<PeerRole> = None;
    let mut complete = false;
    walk(xml, |event| {
        let (Event::Start(element) | Event::Empty(element)) = &event else {
            if matches!(&event, Event::End(end) if end.name().as_ref() == "resource") {
                current = None;
            }
            return Ok(());
        };
        match element.name().as_ref() {
            "resources" => complete = true,
            "resource" => {
                let id = attribute(element, "id")?;
                let ours = id.as_ref().is_some_and(|id| same_resource(id, instance));
                roles.shown.extend(id.map(|id| plain(&id)));
                let role = attribute(element, "role")?.unwrap_or_default();
                // During an action the role is still the old one, or already the new one.
                let pending = attribute(element, "pending")?.is_some_and(|task| task != "Monitoring");
                let role = if pending { "pending".to_owned() } else { role };
                let role = peer_role(&role);
                // An instance that is being started for the first time stands on no node yet.
                roles.pending |= role == Some(PeerRole::Changing);
                current = role.filter(|_| ours && matches!(event, Event::Start(_)));
            }
            "node" => {
                if let (Some(role), Some(name)) = (current, attribute(element, "name")?) {
                    roles.by_node.insert(name, role);
                }
            }
            _ => {}
        }
        Ok(())
    })?;
    if !complete {
        return Err("no element resources in the answer".to_owned());
    }
    Ok(roles)
}

/// Whether an id of the status is an instance of `instance`: anonymous instances have no suffix there, unique ones `:0`.
fn same_resource(id: &str, instance: &str) -> bool {
    plain(id) == plain(instance)
}

/// An id without the number of an instance.
fn plain(id: &str) -> String {
    match id.rsplit_once(':') {
        Some((name, number)) if number.bytes().all(|b| b.is_ascii_digit()) => name.to_owned(),
        _ => id.to_owned(),
    }
}

/// A role in both languages of Pacemaker. `None`: not running.
fn peer_role(role: &str) -> Option<PeerRole> {
    match role {
        "Promoted" | "Master" => Some(PeerRole::Promoted),
        "Started" | "Unpromoted" | "Slave" => Some(PeerRole::Running),
        "pending" | "Starting" | "Stopping" | "Promoting" | "Demoting" | "Migrating" => Some(PeerRole::Changing),
        _ => None,
    }
}

/// Hands every event of a document to `visit`.
fn walk<'x>(xml: &'x str, mut visit: impl FnMut(Event<'x>) -> Result<(), String>) -> Result<(), String> {
    let mut reader = Reader::from_str(xml);
    let mut depth = 0_usize;
    loop {
        match reader.read_event() {
            Ok(Event::Eof) if depth > 0 => return Err("it ends too early".to_owned()),
            Ok(Event::Eof) => return Ok(()),
            Ok(event) => {
                match &event {
                    Event::Start(_) => depth += 1,
                    Event::End(_) => depth = depth.saturating_sub(1),
                    _ => {}
                }
                visit(event)?;
            }
            Err(error) => return Err(format!("at byte {}: {error}", reader.error_position())),
        }
    }
}

/// One attribute of an element, with its entities resolved.
fn attribute(element: &BytesStart<'_>, name: &str) -> Result<Option<String>, String> {
    let found = element.try_get_attribute(name).map_err(|error| error.to_string())?;
    found
        .map(|value| {
            value.normalized_value(XmlVersion::Implicit1_0).map(Cow::into_owned).map_err(|error| error.to_string())
        })
        .transpose()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CIB_NODES: &str = r#"<nodes>
  <node id="1" uname="alpha">
    <instance_attributes id="nodes-1">
      <nvpair id="nodes-1-nodetype" name="nodetype" value="fctarget"/>
      <nvpair id="nodes-1-targetports" name="targetports" value="21:00:00:24:ff:60:d0:10,&#10; 21:00:00:24:ff:60:d0:11"/>
    </instance_attributes>
    <utilization id="u"><nvpair id="u-1" name="targetports" value="4"/></utilization>
  </node>
  <node uname="beta &amp; co" id="2"><instance_attributes id="nodes-2"/></node>
  <node id="quorum" type="remote" uname="quorum"/>
</nodes>
"#;

    #[test]
    fn nodes_are_read_with_ids_and_ports() {
        let nodes = parse_nodes(CIB_NODES).unwrap();
        let alpha = nodes.node("alpha").unwrap();
        assert_eq!((alpha.id.as_str(), alpha.remote), ("1", false));
        assert_eq!(alpha.targetports.as_deref(), Some("21:00:00:24:ff:60:d0:10,\n 21:00:00:24:ff:60:d0:11"));
        assert_eq!(nodes.node("beta & co").unwrap().targetports, None);
        assert!(nodes.node("quorum").unwrap().remote);
        assert_eq!(nodes.node("alph"), None);
        assert_eq!(nodes.0.len(), 3);
    }

    #[test]
    fn a_set_of_matches_and_a_whole_cib_are_read_alike() {
        let nodes = parse_nodes(CIB_NODES).unwrap();
        assert_eq!(parse_nodes(&format!("<xpath-query>{CIB_NODES}</xpath-query>")).unwrap(), nodes);
        let status = r#"<status><node_state uname="x"><node uname="no" id="9"/></node_state></status>"#;
        let whole = format!("<?xml version=\"1.0\"?><cib><configuration>{CIB_NODES}</configuration>{status}</cib>");
        assert_eq!(parse_nodes(&whole).unwrap(), nodes);
    }

    #[test]
    fn an_answer_without_nodes_is_not_a_cluster_without_nodes() {
        assert_eq!(parse_nodes("<nodes/>").unwrap(), Nodes::default());
        for text in ["", "no such thing", "<cib/>", "<nodes><node id=\"1\" uname=\"a\">", "<nodes></cib>"] {
            assert!(parse_nodes(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_large_cib_is_read_in_no_time() {
        let node = |id| {
            format!(
                "<node id=\"{id}\" uname=\"node{id}\"><instance_attributes id=\"i{id}\"><nvpair id=\"p{id}\" \
                 name=\"targetports\" value=\"21:00:00:24:ff:60:d0:10\"/></instance_attributes></node>"
            )
        };
        let nodes: String = (1..=8000).map(node).collect();
        let xml = format!("<cib><configuration><nodes>{nodes}</nodes></configuration></cib>");
        assert!(xml.len() > 1_000_000);
        let started = std::time::Instant::now();
        assert_eq!(parse_nodes(&xml).unwrap().0.len(), 8000);
        assert!(started.elapsed() < Duration::from_secs(5));
    }

    fn status(resources: &str) -> String {
        format!(
            r#"<pacemaker-result api-version="2.26"><nodes><node name="alpha" id="1" online="true"/></nodes>
               <resources>{resources}</resources><node_history><node name="alpha"/></node_history></pacemaker-result>"#
        )
    }

    #[test]
    fn roles_are_read_in_both_languages_and_of_this_resource_only() {
        let xml = status(
            r#"<clone id="ms"><resource id="dg" role="Promoted"><node name="alpha" id="1"/></resource>
               <resource id="dg" role="Unpromoted"><node name="beta" id="2"/></resource>
               <resource id="dg" role="Stopped" active="false"/></clone>
               <resource id="dg2" role="Started"><node name="gamma" id="3"/></resource>"#,
        );
        let found = parse_roles(&xml, "dg").unwrap();
        assert_eq!(
            found.by_node,
            BTreeMap::from([("alpha".to_owned(), PeerRole::Promoted), ("beta".to_owned(), PeerRole::Running)])
        );
        let old = xml.replace("\"Promoted", "\"Master").replace("Unpromoted", "Slave");
        assert_eq!(parse_roles(&old, "dg").unwrap(), found);
        let unique = status(r#"<resource id="dg:1" role="Slave"><node name="beta"/></resource>"#);
        assert_eq!(parse_roles(&unique, "dg:0").unwrap().by_node.len(), 1);
        assert_eq!(parse_roles(&status(""), "dg").unwrap(), Roles::default());
        assert!(parse_roles("<pacemaker-result/>", "dg").is_err());
    }

    #[test]
    fn an_action_of_any_resource_is_pending_and_changes_the_role_of_this_one_only() {
        let store = |attributes: &str| {
            let dg = r#"<resource id="dg" role="Unpromoted"><node name="beta" id="2"/></resource>"#;
            status(&format!(r#"<resource id="drbd" {attributes}><node name="beta" id="2"/></resource>{dg}"#))
        };
        for (attributes, pending) in [
            (r#"role="Unpromoted""#, false),
            (r#"role="Unpromoted" pending="Promoting""#, true),
            (r#"role="Promoting""#, true),
            (r#"role="Unpromoted" pending="Monitoring""#, false),
            (r#"role="Stopped" pending="Starting""#, true),
        ] {
            let found = parse_roles(&store(attributes), "dg").unwrap();
            assert_eq!(found.pending, pending, "{attributes}");
            assert_eq!(found.by_node, BTreeMap::from([("beta".to_owned(), PeerRole::Running)]), "{attributes}");
        }
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(
            text in "(<(nodes|node uname=\"a\"|/node|/nodes|resources|resource id=\"dg\" role=\"Slave\"|x a=|&#0;|!DOCTYPE)/?>?){0,8}|.{0,40}",
        ) {
            prop_assert!(parse_nodes(&text).is_err() || text.contains("<nodes"));
            prop_assert!(parse_roles(&text, "dg").is_err() || text.contains("<resources"));
        }
    }
}
