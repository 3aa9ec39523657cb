//! What a start and a reload of the device group agent ask the cluster, in one query: all nodes, the cluster's name,
//! and what the other instances of the group have published of their devices. A monitor at level 10 asks the same.

use std::collections::BTreeMap;

use super::cib::{self, Pair};
use super::{ClusterError, Nodes, limit};
use crate::command::{CommandError, Tools};
use crate::deadline::Deadline;
use crate::scst::host_id::ClusterId;

/// The property by which the cluster knows its name: Pacemaker copies it from corosync's `totem.cluster_name`.
pub const CLUSTER_NAME: &str = "cluster-name";

/// The property by which an administrator can distinguish this cluster from others of that name.
pub const MARK: &str = "scst-uuid";

/// The property that switches fencing off.
const FENCING: &str = "stonith-enabled";

/// Names that programs give a cluster whose administrator gives it none.
const COMMON: [&str; 3] = ["debian", "hacluster", "mycluster"];

/// The answer to that query.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Survey {
    /// All nodes.
    pub nodes: Nodes,
    /// What the cluster is called, where it says so.
    pub name: Option<String>,
    /// The value of the property [`MARK`], where it is set.
    pub mark: Option<String>,
    /// What the property `stonith-enabled` says, where it is set.
    pub fencing: Option<String>,
    /// The value of the transient attribute that was asked for, by node.
    pub told: BTreeMap<String, String>,
}

impl Survey {
    /// The cluster, where it has a name.
    pub fn cluster(&self) -> Option<ClusterId> {
        self.name.as_ref().map(|name| ClusterId::new(name, self.mark.as_deref()))
    }

    /// Whether lost nodes are fenced: Pacemaker fences unless that is switched off.
    pub fn fences(&self) -> bool {
        let off = |text: &String| matches!(text.to_ascii_lowercase().as_str(), "false" | "no" | "off" | "0" | "n");
        !self.fencing.as_ref().is_some_and(off)
    }

    /// The name of the cluster, if others are likely to have it as well.
    pub fn common_name(&self) -> Option<&str> {
        self.name.as_deref().filter(|name| self.mark.is_none() && COMMON.contains(name))
    }
}

/// Makes the query; `told` is the name of the transient node attribute whose values are asked for.
///
/// # Errors
///
/// `cibadmin` is not there, failed, did not answer in time, or printed no section of nodes.
pub fn query_survey(tools: &Tools, deadline: &Deadline, told: &str) -> Result<Survey, ClusterError> {
    let options = [CLUSTER_NAME, MARK, FENCING].map(|name| format!("//crm_config//nvpair[@name='{name}']")).join("|");
    let path = format!("//nodes|{options}|//transient_attributes//nvpair[@name='{told}']");
    let xml = tools.run("cibadmin", &["--query", "--xpath", &path], limit(deadline))?;
    parse_survey(&xml, told).map_err(|error| CommandError::unreadable("cibadmin", &error).into())
}

/// Reads the answer to that query.
///
/// # Errors
///
/// Why it is no such answer.
pub fn parse_survey(xml: &str, told: &str) -> Result<Survey, String> {
    let sections = cib::parse(xml)?;
    let mut survey = Survey { nodes: sections.nodes.into(), ..Survey::default() };
    for Pair { id, name, value, .. } in sections.nvpair {
        let (Some(name), Some(value)) = (name, value) else { continue };
        match name.as_str() {
            CLUSTER_NAME => _ = survey.name.get_or_insert(value),
            MARK => _ = survey.mark.get_or_insert(value),
            FENCING => _ = survey.fencing.get_or_insert(value),
            name if name == told => {
                let node = id.as_deref().and_then(|id| node_of(id, told));
                let node = node.and_then(|id| survey.nodes.0.iter().find(|node| node.id == id));
                survey.told.extend(node.map(|node| (node.name.clone(), value)));
            }
            _ => {}
        }
    }
    Ok(survey)
}

/// The id of the node that an attribute of this name belongs to, out of the id that the attribute daemon gives it.
fn node_of<'t>(id: &'t str, name: &str) -> Option<&'t str> {
    id.strip_prefix("status-")?.strip_suffix(name)?.strip_suffix('-')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // As Pacemaker 2.1.5 answers it.
    const ANSWER: &str = r#"<xpath-query>
  <nvpair id="cib-bootstrap-options-cluster-name" name="cluster-name" value="rig"/>
  <nodes><node id="1" uname="alpha"><instance_attributes id="n1a">
    <nvpair id="x" name="cluster-name" value="not this"/></instance_attributes></node><node id="12" uname="beta"/></nodes>
  <nvpair id="status-12-scst-dg-1" name="scst-dg-1" value="v1;a"/>
  <nvpair id="status-99-scst-dg-1" name="scst-dg-1" value="gone"/>
</xpath-query>"#;

    #[test]
    fn nodes_name_and_what_was_told_come_together() {
        let survey = parse_survey(ANSWER, "scst-dg-1").unwrap();
        assert_eq!((survey.nodes.0.len(), survey.name.as_deref(), survey.mark.as_deref()), (2, Some("rig"), None));
        assert_eq!(survey.told, BTreeMap::from([("beta".to_owned(), "v1;a".to_owned())]));
        assert_eq!(survey.cluster(), Some(ClusterId::new("rig", None)));
        assert!(survey.fences());
        let off = ANSWER.replace("name=\"cluster-name\" value=\"rig\"", "name=\"stonith-enabled\" value=\"false\"");
        assert!(!parse_survey(&off, "x").unwrap().fences());
        assert_eq!(parse_survey(ANSWER, "scst-dg").unwrap().told, BTreeMap::new());
    }

    #[test]
    fn a_cluster_without_a_name_is_none() {
        let survey = parse_survey(r#"<nodes><node id="1" uname="alpha"/></nodes>"#, "x").unwrap();
        assert_eq!((survey.nodes.0.len(), survey.cluster()), (1, None));
        assert!(parse_survey("<xpath-query/>", "x").is_err());
        let common = |name: &str, mark| Survey { name: Some(name.to_owned()), mark, ..Survey::default() };
        assert_eq!(common("debian", None).common_name(), Some("debian"));
        assert_eq!(common("debian", Some("7".to_owned())).common_name(), None);
        assert_eq!(common("berlin", None).common_name(), None);
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(text in "(<(nodes|/nodes|nvpair id=\"status-1-x\" name=\"x\" value=\"&#0;\"|x a=)/?>?){0,8}|.{0,40}") {
            let _ = parse_survey(&text, "x");
        }
    }
}
