//! What the instances of a resource do, as the cluster sees it: the status that `crm_mon` prints. Monitors ask for it
//! before they correct a state, `scst-ha status` shows it.

use std::collections::{BTreeMap, BTreeSet};

use quick_xml::de::from_str;
use serde::Deserialize;

use super::{ClusterError, limit};
use crate::command::{CommandError, Tools};
use crate::deadline::Deadline;
use crate::ocf::notify::PeerRole;

/// What the instances of a resource do, as the cluster sees it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Roles {
    /// The role on each node that runs one.
    pub by_node: BTreeMap<String, PeerRole>,
    /// An action other than a monitor is under way, of any resource on any node: an action on this resource may follow
    /// it in the same transition.
    pub pending: bool,
    /// The ids of all resources that the cluster shows, also of those that run nowhere.
    pub shown: BTreeSet<String>,
}

/// Asks the cluster what each node's instance of the resource `instance` (its id) does. A node that is not in the
/// answer runs none.
///
/// # Errors
///
/// `crm_mon` is not there, failed, did not answer in time, or printed no status.
pub fn roles(tools: &Tools, deadline: &Deadline, instance: &str) -> Result<Roles, ClusterError> {
    let xml = tools.run("crm_mon", &["-1", "--output-as=xml"], limit(deadline))?;
    parse_roles(&xml, instance).map_err(|error| CommandError::unreadable("crm_mon", &error).into())
}

/// The status, as `crm_mon-*.rng` and `resources-*.rng` of Pacemaker describe it.
#[derive(Debug, Deserialize)]
struct Status {
    resources: Tree,
}

/// Resources, and what they stand in.
#[derive(Debug, Deserialize)]
struct Tree {
    #[serde(rename = "$value", default)]
    all: Vec<Item>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Item {
    Resource(Instance),
    Clone(Tree),
    Group(Tree),
    Bundle(Tree),
    Replica(Tree),
    #[serde(other)]
    Other,
}

/// One instance of a resource.
#[derive(Debug, Deserialize)]
struct Instance {
    #[serde(rename = "@id", default)]
    id: String,
    #[serde(rename = "@role", default)]
    role: String,
    /// The action that is under way.
    #[serde(rename = "@pending")]
    pending: Option<String>,
    #[serde(default)]
    node: Vec<On>,
}

/// A node that an instance is on.
#[derive(Debug, Deserialize)]
struct On {
    #[serde(rename = "@name")]
    name: String,
}

/// Reads the answer of `crm_mon -1 --output-as=xml`: what each node's instance of the resource `instance` does.
///
/// # Errors
///
/// Why it is no such answer.
pub fn parse_roles(xml: &str, instance: &str) -> Result<Roles, String> {
    let status: Status = from_str(xml).map_err(|error| error.to_string())?;
    let mut roles = Roles::default();
    roles.add(status.resources, instance);
    Ok(roles)
}

impl Roles {
    fn add(&mut self, tree: Tree, instance: &str) {
        for item in tree.all {
            match item {
                Item::Resource(found) => self.add_instance(found, instance),
                Item::Clone(tree) | Item::Group(tree) | Item::Bundle(tree) | Item::Replica(tree) => {
                    self.add(tree, instance);
                }
                Item::Other => {}
            }
        }
    }

    fn add_instance(&mut self, found: Instance, instance: &str) {
        // During an action the role is still the old one, or already the new one.
        let pending = found.pending.is_some_and(|task| task != "Monitoring");
        let role = if pending { Some(PeerRole::Changing) } else { peer_role(&found.role) };
        // An instance that is being started for the first time stands on no node yet.
        self.pending |= role == Some(PeerRole::Changing);
        if let Some(role) = role.filter(|_| same_resource(&found.id, instance)) {
            self.by_node.extend(found.node.into_iter().map(|on| (on.name, role)));
        }
        if !found.id.is_empty() {
            self.shown.insert(plain(&found.id));
        }
    }
}

/// Whether an id of the status is an instance of `instance`: anonymous instances have no suffix there, unique ones `:0`.
fn same_resource(id: &str, instance: &str) -> bool {
    plain(id) == plain(instance)
}

/// An id without the number of an instance.
pub(super) fn plain(id: &str) -> String {
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
        "Starting" | "Stopping" | "Promoting" | "Demoting" | "Migrating" => Some(PeerRole::Changing),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::parse_nodes;
    use super::*;

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
