//! A small world per test: nodes with a simulated SCST each, one cluster over them, and the agents' real binaries.
//!
//! ```ignore
//! let cluster = World::new().node("alpha", 1).port("21:00:00:24:ff:60:d0:10").node("beta", 2).up();
//! let ports = Resource::ports("scst_qla").param("initiators", "esx1=50:01:43:80:03:b0:23:34");
//! cluster.node("alpha").run(&ports, "start").exit(0);
//! cluster.node("alpha").tree().eq(str![[r#"…"#]]);
//! ```
//!
//! Every world has a directory of its own and mounts of its own, so tests run side by side. Nothing of this machine is touched:
//! the agents' `/sys`, `/run`, `/var/lib/scst`, cluster commands and modprobe all lie in that directory.

mod binaries;
mod node;
mod resource;
mod run;
pub(crate) mod sample;
mod transition;
mod tree;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use scst_sim::model::ScstVersion;
use scst_sim::stand_in::cib::CibFile;

pub(crate) use self::node::Node;
pub(crate) use self::resource::Resource;
pub(crate) use self::run::{Call, Outcome};
pub(crate) use self::transition::Lists;

/// A major number above those that drivers can have: opening such a device node answers ENXIO.
const NO_DRIVER: u64 = 4000;

/// What a world is made of, before it is there.
pub(crate) struct World {
    version: ScstVersion,
    names: Names,
    nodes: Vec<Plan>,
}

/// One node of the plan.
struct Plan {
    name: String,
    id: u32,
    ports: Vec<Hardware>,
    targetports: Option<String>,
    attribute: bool,
}

/// A port of a node.
struct Hardware {
    wwpn: String,
    gen32: bool,
    plugged: bool,
}

/// Which words the notification variables have for the two roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Names {
    /// Both sets, as Pacemaker 2.1 and 3.0 send them.
    Both,
    /// `master` and `slave` only: before 2.1.
    Master,
    /// `promoted` and `unpromoted` only.
    Promoted,
}

impl World {
    /// An empty world with SCST 3.11.
    pub(crate) fn new() -> Self {
        Self { version: ScstVersion::V3_11, names: Names::Both, nodes: Vec::new() }
    }

    /// All nodes have this SCST.
    pub(crate) fn scst(mut self, version: ScstVersion) -> Self {
        self.version = version;
        self
    }

    /// Notifications use these words.
    pub(crate) fn names(mut self, names: Names) -> Self {
        self.names = names;
        self
    }

    /// Adds a node, as yet without ports. No module is loaded on it.
    pub(crate) fn node(mut self, name: &str, id: u32) -> Self {
        let name = name.to_owned();
        self.nodes.push(Plan { name, id, ports: Vec::new(), targetports: None, attribute: true });
        self
    }

    fn last(&mut self) -> &mut Plan {
        self.nodes.last_mut().expect("a node comes first")
    }

    /// Gives the last node a port, in its machine and in its `targetports`.
    pub(crate) fn port(self, wwpn: &str) -> Self {
        self.hardware(wwpn, false, true)
    }

    /// The same with a port of the 32 Gb generation, which refuses to be enabled twice.
    pub(crate) fn port_of_32_gb(self, wwpn: &str) -> Self {
        self.hardware(wwpn, true, true)
    }

    /// The last node's `targetports` names a port that its machine does not have.
    pub(crate) fn dead_port(self, wwpn: &str) -> Self {
        self.hardware(wwpn, false, false)
    }

    fn hardware(mut self, wwpn: &str, gen32: bool, plugged: bool) -> Self {
        self.last().ports.push(Hardware { wwpn: wwpn.to_owned(), gen32, plugged });
        self
    }

    /// The last node's `targetports` is this text, whatever ports it has.
    pub(crate) fn targetports(mut self, text: &str) -> Self {
        self.last().targetports = Some(text.to_owned());
        self
    }

    /// The last node has no attribute `targetports`.
    pub(crate) fn without_targetports(mut self) -> Self {
        self.last().attribute = false;
        self
    }

    /// Mounts the machines and writes the cluster's CIB.
    pub(crate) fn up(self) -> Cluster {
        let dir = tempfile::Builder::new().prefix("scst-e2e-").tempdir().expect("a temporary directory");
        let ids: Vec<_> = self.nodes.iter().map(|plan| (plan.name.clone(), plan.id.to_string())).collect();
        let ids: Vec<_> = ids.iter().map(|(name, id)| (name.as_str(), id.as_str())).collect();
        let cib = CibFile::create(dir.path().join("cib.xml"), &ids).expect("the CIB can be written");
        let tools = dir.path().join("sbin");
        scst_sim::stand_in::install(&tools, binaries::simulator()).expect("the stand-ins can be installed");
        let mut nodes = Vec::new();
        for plan in &self.nodes {
            if plan.attribute {
                let listed = plan.ports.iter().map(|port| port.wwpn.as_str()).collect::<Vec<_>>().join(",");
                let text = plan.targetports.clone().unwrap_or(listed);
                if !text.is_empty() {
                    cib.set_node_attribute(&plan.name, "targetports", Some(&text)).expect("the CIB can be changed");
                }
            }
            nodes.push(Node::up(dir.path(), plan, self.version, &tools, &cib));
        }
        Cluster { nodes, cib, names: self.names, instances: RefCell::default(), disks: Cell::new(0), dir }
    }
}

/// A world that is there. Dropping it unmounts everything.
pub(crate) struct Cluster {
    // Before the directory: they are mounted in it.
    nodes: Vec<Node>,
    cib: CibFile,
    names: Names,
    /// By resource: what its instances do, as the cluster believes.
    instances: RefCell<BTreeMap<String, transition::Instances>>,
    /// How many disks were made.
    disks: Cell<u64>,
    dir: tempfile::TempDir,
}

impl Cluster {
    /// The node of that name.
    pub(crate) fn node(&self, name: &str) -> &Node {
        self.nodes.iter().find(|node| node.name == name).unwrap_or_else(|| panic!("there is no node {name}"))
    }

    /// The cluster's configuration and status.
    pub(crate) fn cib(&self) -> &CibFile {
        &self.cib
    }

    /// Changes the attribute `targetports` of a node.
    pub(crate) fn set_targetports(&self, node: &str, text: Option<&str>) {
        self.cib.set_node_attribute(node, "targetports", text).expect("the CIB can be changed");
    }

    /// Configures resources, in place of what they were before.
    pub(crate) fn configure(&self, resources: &[&Resource]) {
        for resource in resources {
            let agent = format!("ocf:onesty:{}", resource.agent());
            self.cib.set_primitive(resource.id(), &agent, resource.params()).expect("the CIB can be changed");
        }
    }

    /// The promotion score of a resource on a node, as the CIB has it.
    pub(crate) fn score(&self, node: &str, resource: &Resource) -> Option<String> {
        self.cib.score(node, resource.id()).expect("the CIB can be read")
    }

    /// A regular file of that size in the world's directory, to stand on for a device.
    pub(crate) fn file(&self, name: &str, size: u64) -> PathBuf {
        let path = self.dir.path().join(name);
        let file = std::fs::File::create(&path).expect("a file can be created");
        file.set_len(size).expect("a file can grow");
        path
    }

    /// A block device on every node: a device node, with a number of no driver, that only the simulated SCST can open.
    /// Each node lists it in its `dev/block` and can change it with `ctl store`.
    pub(crate) fn disk(&self, name: &str, size: u64) -> PathBuf {
        let path = self.dir.path().join(name);
        let number = self.disks.get() + 1;
        self.disks.set(number);
        let device = nix::sys::stat::makedev(NO_DRIVER, number);
        let mode = nix::sys::stat::Mode::S_IRUSR | nix::sys::stat::Mode::S_IWUSR;
        nix::sys::stat::mknod(&path, nix::sys::stat::SFlag::S_IFBLK, mode, device).expect("root can make device nodes");
        for node in &self.nodes {
            node.declare_disk(&path, size, "");
        }
        path
    }

    /// A DRBD device on every node, secondary everywhere. `ctl store PATH drbd=primary` on a node promotes it there.
    pub(crate) fn drbd(&self, name: &str, size: u64) -> PathBuf {
        let path = self.disk(name, size);
        for node in &self.nodes {
            node.control(&format!("store {} drbd=secondary", path.display()));
        }
        path
    }

    /// The directory of the world.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }
}

/// Waits until something is so, and not longer than it can possibly take.
pub(crate) fn eventually(what: &str, mut check: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !check() {
        assert!(Instant::now() < end, "not seen in time: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
