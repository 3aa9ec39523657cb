//! The nodes of the cluster, with their ids and ports: the types, and the query for them.

use serde::{Deserialize, Serialize};

use super::cib::{self, Node};
use super::{ClusterError, TARGETPORTS, limit};
use crate::command::{CommandError, Tools};
use crate::deadline::Deadline;

/// One node of the CIB; the state that `scst-ha status --json` prints has it so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterNode {
    /// The node's name.
    pub name: String,
    /// Its id, as the CIB spells it: of cluster nodes the `nodeid` of corosync, a number from 1.
    pub id: String,
    /// The value of the node attribute `targetports`, if it is set: names of ports, separated by commas or blanks.
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
///
/// # Errors
///
/// `cibadmin` is not there, failed (as it does where Pacemaker does not run), did not answer in time, or printed no
/// section of nodes.
pub fn query_nodes(tools: &Tools, deadline: &Deadline) -> Result<Nodes, ClusterError> {
    let xml = tools.run("cibadmin", &["--query", "--xpath", "//nodes"], limit(deadline))?;
    parse_nodes(&xml).map_err(|error| CommandError::unreadable("cibadmin", &error).into())
}

/// Asks for this node's name. Only for a run by hand: Pacemaker passes it.
///
/// # Errors
///
/// `crm_node` is not there, failed, did not answer in time, or printed no name.
pub fn local_node_name(tools: &Tools, deadline: &Deadline) -> Result<String, ClusterError> {
    let name = tools.run("crm_node", &["-n"], limit(deadline))?;
    match name.trim() {
        "" => Err(CommandError::unreadable("crm_node", "it printed no name").into()),
        name => Ok(name.to_owned()),
    }
}

/// Reads the answer of `cibadmin --query --xpath //nodes`.
///
/// # Errors
///
/// Why it is no such answer.
pub fn parse_nodes(xml: &str) -> Result<Nodes, String> {
    Ok(Nodes::from(cib::parse(xml)?.nodes))
}

impl From<cib::Nodes> for Nodes {
    fn from(nodes: cib::Nodes) -> Self {
        Self(nodes.node.into_iter().map(ClusterNode::from).collect())
    }
}

impl From<Node> for ClusterNode {
    fn from(node: Node) -> Self {
        let mut pairs = node.instance_attributes.into_iter().flat_map(|set| set.nvpair);
        let targetports = pairs.find(|pair| pair.name.as_deref() == Some(TARGETPORTS)).and_then(|pair| pair.value);
        let remote = node.kind.is_some_and(|kind| kind == "remote");
        Self { name: node.name, id: node.id, targetports, remote }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
}
