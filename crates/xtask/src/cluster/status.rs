//! What the cluster says of itself: `crm_mon -1 --output-as=xml`, read into what the scenarios ask for.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::{self, Display, Formatter};

use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};

/// The cluster's view.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Status {
    /// The nodes that are online, whether they may run anything or not.
    pub(super) online: Vec<String>,
    /// All nodes it knows.
    pub(super) nodes: Vec<String>,
    /// By resource and node: the role. A stopped instance is not in it.
    pub(super) roles: BTreeMap<(String, String), String>,
    /// By node and name: the promotion scores, which are attributes of the nodes.
    pub(super) attributes: BTreeMap<(String, String), String>,
    /// Each failed action: key, node, exit status and reason.
    pub(super) failures: Vec<String>,
    /// Resources marked as failed, blocked or not managed, with the mark.
    pub(super) marks: Vec<String>,
}

impl Status {
    /// Reads the document.
    pub(super) fn parse(xml: &str) -> Result<Self, Box<dyn Error>> {
        let mut status = Self::default();
        let mut reader = Reader::from_str(xml);
        let (mut path, mut resource) = (Vec::<String>::new(), None);
        let (mut seen, mut attributes_of) = (false, String::new());
        loop {
            let (element, empty) = match reader.read_event()? {
                Event::Start(element) => (element, false),
                Event::Empty(element) => (element, true),
                Event::End(_) => {
                    path.pop();
                    continue;
                }
                Event::Eof => break,
                _ => continue,
            };
            let name = element.name().as_ref().to_owned();
            let parent = path.last().map_or("", String::as_str);
            match (name.as_str(), parent) {
                ("node", "nodes") => status.node(&element)?,
                ("resource", _) => resource = status.resource(&element)?,
                ("node", "resource") => {
                    if let Some((id, role)) = &resource {
                        let node = attribute(&element, "name")?.unwrap_or_default();
                        status.roles.insert((id.clone(), node), role.clone());
                    }
                }
                ("node", "node_attributes") => attributes_of = attribute(&element, "name")?.unwrap_or_default(),
                ("attribute", "node") => {
                    let name = attribute(&element, "name")?.unwrap_or_default();
                    let value = attribute(&element, "value")?.unwrap_or_default();
                    if name.starts_with("master-") {
                        status.attributes.insert((attributes_of.clone(), name), value);
                    }
                }
                ("failure", _) => {
                    let mut words = Vec::new();
                    for word in ["op_key", "node", "exitstatus", "exitreason"] {
                        words.push(attribute(&element, word)?.unwrap_or_default());
                    }
                    status.failures.push(words.join(" "));
                }
                ("resources", _) => seen = true,
                _ => {}
            }
            if !empty {
                path.push(name);
            }
        }
        if !seen && !xml.contains("<nodes") {
            return Err("no status".into());
        }
        Ok(status)
    }

    fn node(&mut self, element: &BytesStart<'_>) -> Result<(), Box<dyn Error>> {
        let name = attribute(element, "name")?.unwrap_or_default();
        if attribute(element, "online")?.as_deref() == Some("true")
            && attribute(element, "pending")?.as_deref() != Some("true")
        {
            self.online.push(name.clone());
        }
        self.nodes.push(name);
        Ok(())
    }

    /// Its id and role, if it runs.
    fn resource(&mut self, element: &BytesStart<'_>) -> Result<Option<(String, String)>, Box<dyn Error>> {
        let id = attribute(element, "id")?.unwrap_or_default();
        for (name, wrong) in [("failed", "true"), ("blocked", "true"), ("managed", "false")] {
            if attribute(element, name)?.as_deref() == Some(wrong) {
                self.marks.push(format!("{id} {name}={wrong}"));
            }
        }
        let role = attribute(element, "role")?.unwrap_or_default();
        // The older words mean the same.
        let role = match role.as_str() {
            "Master" => "Promoted".to_owned(),
            "Slave" => "Unpromoted".to_owned(),
            _ => role,
        };
        Ok((role != "Stopped").then_some((id, role)))
    }

    /// The role of a resource on a node.
    pub(super) fn role(&self, resource: &str, node: &str) -> Option<&str> {
        self.roles.get(&(resource.to_owned(), node.to_owned())).map(String::as_str)
    }

    /// The promotion score of a resource on a node.
    pub(super) fn score(&self, resource: &str, node: &str) -> Option<&str> {
        self.attributes.get(&(node.to_owned(), format!("master-{resource}"))).map(String::as_str)
    }

    /// The nodes where a resource has a role.
    pub(super) fn with_role(&self, resource: &str, role: &str) -> Vec<&str> {
        let of = self.roles.iter().filter(|((id, _), has)| id == resource && *has == role);
        of.map(|((_, node), _)| node.as_str()).collect()
    }

    /// The node where a resource is promoted, if it is exactly one.
    pub(super) fn promoted(&self, resource: &str) -> Option<String> {
        match self.with_role(resource, "Promoted").as_slice() {
            [node] => Some((*node).to_owned()),
            _ => None,
        }
    }
}

impl Display for Status {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "online: {}", self.online.join(" "))?;
        for ((resource, node), role) in &self.roles {
            writeln!(f, "{resource} on {node}: {role}")?;
        }
        for ((node, name), value) in &self.attributes {
            writeln!(f, "{name} of {node}: {value}")?;
        }
        for mark in &self.marks {
            writeln!(f, "{mark}")?;
        }
        for failure in &self.failures {
            writeln!(f, "failed: {failure}")?;
        }
        Ok(())
    }
}

fn attribute(element: &BytesStart<'_>, name: &str) -> Result<Option<String>, Box<dyn Error>> {
    let Some(found) = element.try_get_attribute(name)? else { return Ok(None) };
    Ok(Some(found.normalized_value(XmlVersion::Implicit1_0)?.into_owned()))
}
