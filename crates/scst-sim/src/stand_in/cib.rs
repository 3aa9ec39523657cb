//! The cluster's configuration and status, kept in one file that tests write and the stand-ins read.
//!
//! The file is a CIB as `cibadmin --query` prints it; a `<configuration>` with `<nodes>` is enough. What the commands
//! change goes into its status section, where Pacemaker has it too. Writers take turns (flock) and replace the file in
//! one step (rename), so a reader sees the old or the new one. Within one process it can be kept in memory instead.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use nix::fcntl::{Flock, FlockArg};

use super::role::Role;
use super::xml::Element;

/// A CIB file.
#[derive(Debug, Clone)]
pub struct CibFile {
    path: PathBuf,
    /// What it says, where it is kept in memory.
    kept: Option<Arc<Mutex<Element>>>,
}

impl CibFile {
    /// The CIB at a path, which need not exist yet.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), kept: None }
    }

    /// Writes a CIB with these nodes (name, id) and nothing else.
    pub fn create(path: impl Into<PathBuf>, nodes: &[(&str, &str)]) -> io::Result<Self> {
        let file = Self::at(path);
        file.replace(&fresh(nodes))?;
        Ok(file)
    }

    /// A CIB with these nodes (name, id) and nothing else, in memory: clones are the same one.
    pub fn in_memory(nodes: &[(&str, &str)]) -> Self {
        Self { path: PathBuf::new(), kept: Some(Arc::new(Mutex::new(fresh(nodes)))) }
    }

    /// A copy of what it says now, in memory.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn fork(&self) -> io::Result<Self> {
        Ok(Self { path: PathBuf::new(), kept: Some(Arc::new(Mutex::new(self.load()?.root))) })
    }

    /// A copy of what it says now, in a file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn copy_to(&self, path: impl Into<PathBuf>) -> io::Result<Self> {
        let copy = Self::at(path);
        copy.replace(&self.load()?.root)?;
        Ok(copy)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it says now.
    pub fn load(&self) -> io::Result<Cib> {
        if let Some(kept) = &self.kept {
            return Ok(Cib { root: kept.lock().unwrap_or_else(PoisonError::into_inner).clone() });
        }
        let text = std::fs::read_to_string(&self.path)?;
        let root = Element::parse(&text).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        Ok(Cib { root })
    }

    /// Changes it, one writer at a time.
    pub fn change<R>(&self, change: impl FnOnce(&mut Cib) -> R) -> io::Result<R> {
        if let Some(kept) = &self.kept {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            let mut cib = Cib { root: std::mem::replace(&mut *kept, Element::new("cib")) };
            let result = change(&mut cib);
            *kept = cib.root;
            return Ok(result);
        }
        let mut lock = self.path.clone().into_os_string();
        lock.push(".lock");
        let lock = OpenOptions::new().create(true).append(true).open(lock)?;
        let _turn = Flock::lock(lock, FlockArg::LockExclusive).map_err(|(_, errno)| io::Error::from(errno))?;
        let mut cib = self.load()?;
        let before = cib.root.clone();
        let result = change(&mut cib);
        if cib.root != before {
            let updates = cib.root.get("num_updates").and_then(|count| count.parse::<u64>().ok()).unwrap_or_default();
            cib.root.set("num_updates", (updates + 1).to_string());
            self.replace(&cib.root)?;
        }
        Ok(result)
    }

    fn replace(&self, root: &Element) -> io::Result<()> {
        let mut fresh = self.path.clone().into_os_string();
        fresh.push(format!(".{}", std::process::id()));
        let mut file = File::create(&fresh)?;
        write!(file, "{root}")?;
        std::fs::rename(fresh, &self.path)
    }

    /// Sets a permanent attribute of a node (`targetports`, say); `None` removes it.
    pub fn set_node_attribute(&self, node: &str, name: &str, value: Option<&str>) -> io::Result<()> {
        self.change(|cib| cib.set_permanent(node, name, value).map(drop)).map(drop)
    }

    /// Sets a cluster option.
    pub fn set_option(&self, name: &str, value: &str) -> io::Result<()> {
        self.change(|cib| {
            let config = cib.root.child_made("configuration").child_made("crm_config");
            let set = || Element::new("cluster_property_set").with("id", "cib-bootstrap-options");
            let set = config.child_where("cluster_property_set", |_| true, set);
            set.children.retain(|pair| pair.get("name") != Some(name));
            let pair = Element::new("nvpair").with("id", format!("cib-bootstrap-options-{name}"));
            set.children.push(pair.with("name", name).with("value", value));
        })
        .map(drop)
    }

    /// Sets an attribute that lasts until the node reboots; `None` removes it.
    pub fn set_status_attribute(&self, node: &str, name: &str, value: Option<&str>) -> io::Result<()> {
        self.change(|cib| cib.set_transient(node, name, value)).map(drop)
    }

    /// The promotion score of a resource on a node.
    pub fn score(&self, node: &str, resource: &str) -> io::Result<Option<String>> {
        Ok(self.load()?.transient(node, &format!("master-{resource}")).map(str::to_owned))
    }

    /// Records that a resource has the role on the node, as the operations that lead there would.
    pub fn set_role(&self, node: &str, resource: &str, role: Role) -> io::Result<()> {
        self.change(|cib| cib.set_role(node, resource, role)).map(drop)
    }

    /// Records that an operation of a resource (`promote`, say) is under way on the node, or that none is.
    pub fn set_pending(&self, node: &str, resource: &str, operation: Option<&str>) -> io::Result<()> {
        self.change(|cib| cib.set_pending(node, resource, operation)).map(drop)
    }

    /// Adds a promotable clone of one primitive, `CLONE` of `RESOURCE`, of the agent `class:provider:type`.
    pub fn add_promotable(&self, clone: &str, resource: &str, agent: &str) -> io::Result<()> {
        self.change(|cib| {
            let promotable = Element::new("nvpair")
                .with("id", format!("{clone}-promotable"))
                .with("name", "promotable")
                .with("value", "true");
            let meta = Element::new("meta_attributes").with("id", format!("{clone}-meta")).and(promotable);
            let element = Element::new("clone").with("id", clone).and(meta).and(primitive(resource, agent));
            cib.root.child_made("configuration").child_made("resources").children.push(element);
        })
        .map(drop)
    }

    /// Configures a primitive of the agent `class:provider:type` with these parameters, in place of what it was before.
    pub fn set_primitive(&self, resource: &str, agent: &str, params: &[(String, String)]) -> io::Result<()> {
        self.change(|cib| {
            let mut attributes = Element::new("instance_attributes").with("id", format!("{resource}-params"));
            for (name, value) in params {
                let pair = Element::new("nvpair").with("id", format!("{resource}-{name}"));
                attributes.children.push(pair.with("name", name).with("value", value));
            }
            let resources = cib.root.child_made("configuration").child_made("resources");
            resources.children.retain(|child| child.get("id") != Some(resource));
            resources.children.push(primitive(resource, agent).and(attributes));
        })
        .map(drop)
    }
}

/// A primitive of the agent `class:provider:type`.
fn primitive(resource: &str, agent: &str) -> Element {
    let mut primitive = Element::new("primitive").with("id", resource);
    for (name, part) in ["class", "provider", "type"].iter().zip(agent.split(':')) {
        primitive.set(name, part);
    }
    primitive
}

/// A CIB in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cib {
    /// The `<cib>` element.
    pub root: Element,
}

/// A node of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its id: corosync's number as text, or the name of a remote node.
    pub id: String,
    /// Its name.
    pub name: String,
    /// It is in the cluster now.
    pub member: bool,
}

impl Cib {
    fn section(&self, path: &[&str]) -> Option<&Element> {
        path.iter().try_fold(&self.root, |element, name| element.child(name))
    }

    /// The nodes of the configuration, in its order.
    pub fn nodes(&self) -> Vec<Node> {
        let Some(nodes) = self.section(&["configuration", "nodes"]) else { return Vec::new() };
        let node = |node: &Element| {
            let id = node.get("id").unwrap_or_default().to_owned();
            let name = node.get("uname").unwrap_or(&id).to_owned();
            let state = self.state(&name);
            // A node without any status is one a test did not bother about: it is there.
            let gone = |state: &Element| {
                matches!(state.get("in_ccm"), Some("false" | "0")) || matches!(state.get("crmd"), Some("offline" | "0"))
            };
            Node { member: !state.is_some_and(gone), id, name }
        };
        nodes.all("node").map(node).collect()
    }

    /// The node of that name.
    pub fn node(&self, name: &str) -> Option<Node> {
        self.nodes().into_iter().find(|node| node.name == name)
    }

    /// The status of a node.
    pub fn state(&self, node: &str) -> Option<&Element> {
        self.section(&["status"])?.all("node_state").find(|state| state.get("uname") == Some(node))
    }

    fn state_made(&mut self, node: &Node) -> &mut Element {
        self.root.child_made("status").child_where(
            "node_state",
            |state| state.get("uname") == Some(&node.name),
            || {
                Element::new("node_state")
                    .with("id", &node.id)
                    .with("uname", &node.name)
                    .with("in_ccm", "true")
                    .with("crmd", "online")
                    .with("join", "member")
                    .with("expected", "member")
            },
        )
    }

    /// A permanent attribute of a node.
    pub fn permanent(&self, node: &str, name: &str) -> Option<&str> {
        let nodes = self.section(&["configuration", "nodes"])?;
        attribute(nodes.all("node").find(|element| element.get("uname") == Some(node))?, name)
    }

    /// Sets or removes a permanent attribute; answers the id of what was removed.
    pub fn set_permanent(&mut self, node: &str, name: &str, value: Option<&str>) -> Option<String> {
        let node = self.node(node)?;
        let nodes = self.root.child_made("configuration").child_made("nodes");
        let element = nodes.child_where(
            "node",
            |element| element.get("uname") == Some(&node.name),
            || Element::new("node").with("id", &node.id).with("uname", &node.name),
        );
        set_attribute(element, &format!("nodes-{}", node.id), name, value)
    }

    /// An attribute that lasts until the node reboots.
    pub fn transient(&self, node: &str, name: &str) -> Option<&str> {
        attribute(self.state(node)?.child("transient_attributes")?, name)
    }

    /// Sets or removes such an attribute.
    pub fn set_transient(&mut self, node: &str, name: &str, value: Option<&str>) {
        let Some(node) = self.node(node) else { return };
        let id = node.id.clone();
        let attributes = self.state_made(&node).child_where(
            "transient_attributes",
            |_| true,
            || Element::new("transient_attributes").with("id", &id),
        );
        set_attribute(attributes, &format!("status-{}", node.id), name, value);
    }

    /// A cluster option.
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options().into_iter().find(|(option, _)| *option == name).map(|(_, value)| value)
    }

    /// All cluster options.
    pub fn options(&self) -> Vec<(&str, &str)> {
        let sets = self.section(&["configuration", "crm_config"]).into_iter().flat_map(|config| config.children.iter());
        sets.flat_map(|set| set.all("nvpair")).filter_map(name_and_value).collect()
    }

    /// All attributes of a node, those that last until its reboot last, by name.
    pub fn attributes(&self, node: &str) -> Vec<(&str, &str)> {
        let permanent = self
            .section(&["configuration", "nodes"])
            .and_then(|nodes| nodes.all("node").find(|element| element.get("uname") == Some(node)));
        let transient = self.state(node).and_then(|state| state.child("transient_attributes"));
        let mut all: Vec<_> = [permanent, transient]
            .into_iter()
            .flatten()
            .flat_map(|holder| holder.all("instance_attributes"))
            .flat_map(|set| set.all("nvpair"))
            .filter_map(name_and_value)
            .filter(|(name, _)| !name.starts_with('#'))
            .collect();
        all.sort_unstable();
        all
    }

    fn set_role(&mut self, node: &str, resource: &str, role: Role) {
        let Some(node) = self.node(node) else { return };
        let history = self.history(&node, resource);
        let last_call = history.children.iter().filter_map(|op| op.get("call-id")?.parse::<u32>().ok()).max();
        for (call, operation) in (last_call.unwrap_or_default() + 1..).zip(role.operations()) {
            let op = Element::new("lrm_rsc_op")
                .with("id", format!("{resource}_last_0"))
                .with("operation_key", format!("{resource}_{operation}_0"))
                .with("operation", *operation)
                .with("on_node", &node.name)
                .with("call-id", call.to_string())
                .with("rc-code", "0")
                .with("op-status", "0")
                .with("interval", "0");
            history.children.retain(|old| old.get("id") != op.get("id"));
            history.children.push(op);
        }
    }

    /// The operations of a resource on a node.
    fn history(&mut self, node: &Node, resource: &str) -> &mut Element {
        let state = self.state_made(node);
        let resources = state.child_where("lrm", |_| true, || Element::new("lrm").with("id", &node.id));
        resources.child_made("lrm_resources").child_where(
            "lrm_resource",
            |element| element.get("id") == Some(resource),
            || Element::new("lrm_resource").with("id", resource),
        )
    }

    /// As the controller records an operation before it runs.
    fn set_pending(&mut self, node: &str, resource: &str, operation: Option<&str>) {
        let Some(node) = self.node(node) else { return };
        let history = self.history(&node, resource);
        history.children.retain(|op| op.get("op-status") != Some("-1"));
        history.children.extend(operation.map(|operation| {
            Element::new("lrm_rsc_op")
                .with("id", format!("{resource}_{operation}_0"))
                .with("operation_key", format!("{resource}_{operation}_0"))
                .with("operation", operation)
                .with("on_node", &node.name)
                .with("call-id", "-1")
                .with("rc-code", "193")
                .with("op-status", "-1")
                .with("interval", "0")
        }));
    }
}

/// A CIB with these nodes (name, id) and nothing else.
fn fresh(nodes: &[(&str, &str)]) -> Element {
    let mut list = Element::new("nodes");
    for (name, id) in nodes {
        list.children.push(Element::new("node").with("id", *id).with("uname", *name));
    }
    let configuration = Element::new("configuration")
        .and(Element::new("crm_config"))
        .and(list)
        .and(Element::new("resources"))
        .and(Element::new("constraints"));
    Element::new("cib")
        .with("crm_feature_set", "3.16.1")
        .with("validate-with", "pacemaker-3.9")
        .with("epoch", "1")
        .with("num_updates", "0")
        .with("admin_epoch", "0")
        .with("have-quorum", "1")
        .and(configuration)
        .and(Element::new("status"))
}

fn name_and_value(nvpair: &Element) -> Option<(&str, &str)> {
    Some((nvpair.get("name")?, nvpair.get("value").unwrap_or_default()))
}

fn attribute<'a>(holder: &'a Element, name: &str) -> Option<&'a str> {
    holder
        .all("instance_attributes")
        .flat_map(|set| set.all("nvpair"))
        .find(|nvpair| nvpair.get("name") == Some(name))
        .map(|nvpair| nvpair.get("value").unwrap_or_default())
}

/// Sets an attribute where it is, else in the set that Pacemaker would make for it.
fn set_attribute(holder: &mut Element, set_id: &str, name: &str, value: Option<&str>) -> Option<String> {
    for set in holder.children.iter_mut().filter(|child| child.name == "instance_attributes") {
        let Some(at) = set.children.iter().position(|nvpair| nvpair.get("name") == Some(name)) else { continue };
        return match value {
            Some(value) => {
                set.children[at].set("value", value);
                None
            }
            None => set.children.remove(at).get("id").map(str::to_owned),
        };
    }
    if let Some(value) = value {
        let set = holder.child_where(
            "instance_attributes",
            |set| set.get("id") == Some(set_id),
            || Element::new("instance_attributes").with("id", set_id),
        );
        let id = format!("{set_id}-{}", name.replace(':', "."));
        set.children.push(Element::new("nvpair").with("id", id).with("name", name).with("value", value));
    }
    None
}
