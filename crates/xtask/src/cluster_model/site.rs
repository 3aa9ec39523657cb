//! The site that the model works on: up to four nodes with three ports each, one device group, one initiator group.
//!
//! The attribute `targetports` of a node takes one of a few values, between which it changes while the cluster lives: a port
//! is added behind the first, or the first is replaced. In each of them a port has the same number, so that all nodes
//! must agree on it at all times, also while some have not been reloaded yet.

use std::collections::BTreeMap;

use agents::scst_aluadg::params::Params;
use agents::scst_aluadg::wanted::LocalPorts;
use scst_core::cluster::{ClusterNode, Nodes, Topology};
use scst_core::ocf::env::Env;
use scst_core::plan::storage::Scope;
use scst_core::scst::names::{Driver, GroupName, InitiatorGroup, NodeName, TargetName};

/// The most nodes of a model.
pub(super) const MOST: usize = 4;

/// The nodes' names; a node's id is its place, from 1.
pub(super) const NODES: [&str; MOST] = ["alpha", "beta", "gamma", "delta"];

/// Which of a node's ports each value of its attribute lists.
pub(super) const ATTRIBUTES: [&[usize]; 3] = [&[0], &[0, 1], &[2]];

/// The device group.
pub(super) const GROUP: &str = "dummy";

/// The initiator group that the target agent has made on every port.
pub(super) const HOSTS: &str = "esx1";

/// The backing device.
pub(super) const DISK: &str = "/dev/drbd0";

/// The `targetports` of every node, as numbers of [`ATTRIBUTES`].
pub(super) type Attributes = [u8; MOST];

/// Everything about the site that does not change.
pub(super) struct Site {
    /// How many nodes there are.
    pub(super) count: usize,
    /// Their names.
    pub(super) names: Vec<NodeName>,
    /// The configuration of the device group, the same everywhere.
    pub(super) params: Params,
}

impl Site {
    /// A site of so many nodes.
    pub(super) fn new(count: usize) -> Self {
        let parameters = Self::parameters(DISK);
        let env = Env::from_pairs(parameters.map(|(name, value)| (format!("OCF_RESKEY_{name}"), value)));
        let params = Params::parse(&env).0.expect("the configuration of the model is valid");
        let name = |name: &&str| NodeName::parse(name).expect("a node's name");
        Self { count, names: NODES[..count].iter().map(name).collect(), params }
    }

    /// The parameters of the resource, whose device stands on this disk.
    pub(super) fn parameters(disk: &str) -> [(&'static str, String); 3] {
        let device = format!("handler=vdisk_blockio,virtname=lu0,filename={disk},export0={HOSTS}:0");
        [("groupname", GROUP.to_owned()), ("tgtdriver", "qla2x00t".to_owned()), ("device0", device)]
    }

    /// The n-th port of a node.
    pub(super) fn port(node: usize, n: usize) -> TargetName {
        TargetName::seen(&format!("21:00:00:00:00:00:{:02x}:{n:02x}", node + 1)).expect("a WWPN")
    }

    /// The numbers that the product derives from the nodes of the CIB.
    pub(super) fn topology(&self, node: usize, attributes: Attributes) -> Topology {
        let entry = |index: usize| {
            let ports = ATTRIBUTES[usize::from(attributes[index])];
            let ports: Vec<String> = ports.iter().map(|n| Self::port(index, *n).to_string()).collect();
            ClusterNode {
                name: NODES[index].to_owned(),
                id: (index + 1).to_string(),
                targetports: Some(ports.join(",")),
                remote: false,
            }
        };
        let nodes = Nodes((0..self.count).map(entry).collect());
        Topology::build(&nodes, NODES[node], Driver::Qla2x00t).expect("the attributes are valid").0
    }

    /// The local ports that the topology names, and the initiator group on each.
    pub(super) fn local_ports(topology: &Topology) -> LocalPorts {
        let ports: Vec<_> = topology.local.ports.iter().map(|port| (port.name.clone(), port.rel_tgt_id)).collect();
        let group = || vec![InitiatorGroup::seen(HOSTS).expect("an initiator group")];
        let groups: BTreeMap<_, _> = ports.iter().map(|(port, _)| (port.clone(), group())).collect();
        LocalPorts { ports, groups }
    }

    /// What the plans of a node know.
    pub(super) fn scope(&self, node: usize, recreate: bool, ports: &BTreeMap<TargetName, u32>) -> Scope {
        Scope {
            group: GroupName::parse(GROUP).expect("a group's name"),
            local: self.names[node].clone(),
            driver: Driver::Qla2x00t,
            recreate,
            port_ids: ports.clone(),
            parameters: BTreeMap::new(),
        }
    }

    /// The place of a name.
    pub(super) fn index(&self, name: &str) -> Option<usize> {
        NODES[..self.count].iter().position(|node| *node == name)
    }
}
