//! What happens in the demo, and what must be seen after each call: `scenario.toml`, and what its words mean.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A node of the sample configuration.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    /// Its name, and that of its target group.
    pub(super) name: &'static str,
    /// Its id in the cluster, which all its numbers are made of.
    pub(super) id: &'static str,
    /// Its ports in the order of `targetports`, each with the relative target id that it must get.
    pub(super) ports: [(&'static str, &'static str); 2],
    /// The I/O group that its initiator group must get.
    pub(super) io_group: &'static str,
}

impl Node {
    /// The node attribute that names its ports.
    pub(super) fn targetports(&self) -> String {
        self.ports.map(|(name, _)| name).join(",")
    }
}

/// The nodes.
pub(super) const NODES: [Node; 2] = [
    Node {
        name: "alpha",
        id: "1",
        ports: [("21:00:00:24:ff:60:d0:10", "101"), ("21:00:00:24:ff:60:d0:11", "102")],
        io_group: "101",
    },
    Node {
        name: "beta",
        id: "2",
        ports: [("21:00:00:1b:32:0b:52:75", "201"), ("21:01:00:1b:32:2b:52:75", "202")],
        io_group: "201",
    },
];

/// What lies between the nodes and their hosts.
#[derive(Debug)]
pub(super) struct Fabric {
    /// Its name in a sentence.
    pub(super) title: &'static str,
    /// The target driver.
    pub(super) driver: &'static str,
    /// Targets are there without being made.
    pub(super) hardware: bool,
    /// The resource of the ports, and its agent.
    pub(super) resource: (&'static str, &'static str),
    /// The nodes with their ports.
    pub(super) nodes: [Node; 2],
    /// Parameters of the ports' agent.
    pub(super) parameters: &'static [(&'static str, &'static str)],
}

/// Fibre Channel.
pub(super) const FIBRE_CHANNEL: Fabric = Fabric {
    title: "a Fibre Channel HBA of two ports each",
    driver: "qla2x00t",
    hardware: true,
    resource: ("scst_qla", "scst_qla2xtgt"),
    nodes: NODES,
    parameters: &[("initiators", "vmwtest=50:01:43:80:03:b0:23:34,50:01:43:80:03:b0:23:36")],
};

/// iSCSI: two targets per node, which the agent makes, and its daemon.
pub(super) const ISCSI: Fabric = Fabric {
    title: "two iSCSI targets each",
    driver: "iscsi",
    hardware: false,
    resource: ("scst_iscsi", "scst_target"),
    nodes: [
        Node {
            ports: [("iqn.2026-01.org.example:alpha-a", "101"), ("iqn.2026-01.org.example:alpha-b", "102")],
            ..NODES[0]
        },
        Node {
            ports: [("iqn.2026-01.org.example:beta-a", "201"), ("iqn.2026-01.org.example:beta-b", "202")],
            ..NODES[1]
        },
    ],
    parameters: &[
        ("tgtdriver", "iscsi"),
        ("portals", "10.0.1.*,10.0.2.*"),
        ("incoming_users", "esx longsecret1234"),
        ("initiators", "vmwtest=iqn.1998-01.com.vmware:esx1-4c5d,iqn.1998-01.com.vmware:esx2-77aa"),
    ],
};

/// Parameters of the device group's agent, beside the driver.
pub(super) const GROUP_PARAMETERS: &[(&str, &str)] = &[
    ("groupname", "dummy"),
    ("reload", "0"),
    ("device0", "handler=vdisk_nullio,virtname=lu0dummy,dummy=1,export0=all:0"),
];

/// One of the agents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Agent {
    /// `scst_qla2xtgt` or `scst_target`, a plain clone.
    Ports,
    /// `scst_aluadg`, a promotable clone with notifications.
    Group,
}

/// What a node's power does before an act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Power {
    /// Stays as it is.
    #[default]
    Unchanged,
    /// A machine boots, with nothing loaded.
    Boots,
    /// Is lost.
    Lost,
}

/// How a node's ports must look after an act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Ports {
    /// The machine is off.
    Off,
    /// SCST is not loaded.
    Bare,
    /// Everything of ours is gone: ports are disabled, targets that were made are not there.
    Down,
    /// The ports are up, there are no LUNs.
    Up,
    /// The ports are up, every initiator group has the device as LUN 0, and the cluster has the score of an unpromoted instance.
    Standby,
    /// The same with the score of the promoted instance.
    Promoted,
}

impl Ports {
    /// The lines that the machine must show.
    pub(super) fn lines(self, fabric: &Fabric, node: &Node) -> Vec<String> {
        let each_port = |rest: &dyn Fn(&str) -> String| {
            node.ports.iter().map(|(port, id)| format!("{port} {}", rest(id))).collect::<Vec<_>>()
        };
        let group = format!("vmwtest (2 initiators, I/O group {})", node.io_group);
        match self {
            Self::Off => vec!["no power".to_owned()],
            Self::Bare => vec!["SCST is not loaded".to_owned()],
            Self::Down if !fabric.hardware => Vec::new(),
            Self::Down => each_port(&|_| "disabled".to_owned()),
            Self::Up => each_port(&|id| format!("enabled, id {id}, {group}: no LUN")),
            Self::Standby | Self::Promoted => {
                let mut lines = each_port(&|id| format!("enabled, id {id}, {group}: LUN 0 dummy_lu0dummy"));
                lines.push(format!("promotion score {}", if self == Self::Promoted { 10 } else { 5 }));
                lines
            }
        }
    }
}

/// One call of an agent, on one node or on both at the same time.
#[derive(Debug, Deserialize)]
pub(super) struct Call {
    /// Names of the nodes.
    pub(super) nodes: String,
    /// Whose.
    pub(super) agent: Agent,
    /// An action, `probe`, or for a notification its type and operation.
    pub(super) action: String,
    /// The exit codes that must come.
    pub(super) exits: String,
    /// The snapshot afterwards.
    pub(super) seen: String,
    /// There is nothing to do, so the kernel must not be written to.
    #[serde(default)]
    pub(super) idle: bool,
}

/// A transition.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Transition {
    /// Names of nodes by the word for what they were before it (`active`, `promoted`) or for what it does to them (`start`, `stop`,
    /// `promote`, `demote`).
    #[serde(flatten)]
    lists: BTreeMap<String, String>,
    /// Demote and stop are those of a node that was fenced: nobody is called for them, the others are notified.
    pub(super) fenced: bool,
    /// The calls in their order.
    pub(super) calls: Vec<Call>,
}

impl Transition {
    /// The nodes of a list.
    pub(super) fn list(&self, name: &str) -> Vec<&str> {
        self.lists.get(name).into_iter().flat_map(|nodes| nodes.split_whitespace()).collect()
    }
}

/// A part of the scenario.
#[derive(Debug, Deserialize)]
pub(super) struct Act {
    /// What happens.
    pub(super) title: String,
    /// What to watch.
    pub(super) watch: String,
    /// What power does to alpha and beta before it.
    #[serde(default)]
    pub(super) power: [Power; 2],
    /// What the cluster does.
    #[serde(rename = "transition")]
    pub(super) transitions: Vec<Transition>,
    /// The ports of alpha and beta after it.
    pub(super) ports: [Ports; 2],
}

/// The acts in their order.
#[derive(Debug, Deserialize)]
struct Script {
    act: Vec<Act>,
}

/// The scenario.
pub(super) fn acts() -> Result<Vec<Act>, toml::de::Error> {
    toml::from_str::<Script>(include_str!("scenario.toml")).map(|script| script.act)
}
