//! This node and the others: names, ids and ports, which Pacemaker passes, the cluster is asked for, or the state file
//! has.

use scst_core::cluster::{self, ClusterError, Member, Nodes, Port, Refused, Survey, Topology};
use scst_core::ocf::exit::{Failure, Kind};
use scst_core::scst;
use scst_core::scst::names::{Driver, NodeName, TargetName};
use scst_core::state_file::Remembered;

use super::Host;
use crate::missing_ports::{Local, MissingPorts};

impl Host<'_> {
    /// This node's name: from Pacemaker, else from the cluster, else from the state file.
    ///
    /// # Errors
    ///
    /// Exit 1 where neither Pacemaker, the cluster nor the state file says it; exit 2 where it cannot be the name of a
    /// target group.
    pub fn node_name(&self, remembered: &Remembered) -> Result<NodeName, Failure> {
        if let Some(name) = self.told_name() {
            return name;
        }
        match cluster::local_node_name(&self.tools, self.deadline()) {
            Ok(name) => parse_node(&name),
            Err(error) => recorded_name(remembered).ok_or_else(|| unreachable(&error)),
        }
    }

    /// This node's name without asking anybody: from Pacemaker, else from the state file.
    pub fn node_name_offline(&self, remembered: &Remembered) -> Option<NodeName> {
        self.told_name().and_then(Result::ok).or_else(|| recorded_name(remembered))
    }

    /// This node's id without asking anybody.
    pub fn node_id_offline(&self, remembered: &Remembered) -> Option<u16> {
        let told = self.context.env.node_id().and_then(|id| u16::try_from(id).ok());
        told.or_else(|| remembered.known().and_then(|file| file.node_id))
    }

    fn told_name(&self) -> Option<Result<NodeName, Failure>> {
        self.context.env.node_name().map(parse_node)
    }

    /// The nodes and their ports, by one query.
    ///
    /// # Errors
    ///
    /// Exit 1 where the cluster could not be asked.
    pub fn nodes(&self) -> Result<Nodes, Failure> {
        cluster::query_nodes(&self.tools, self.deadline()).map_err(|error| unreachable(&error))
    }

    /// The numbers of all nodes, as this node sees them. Warnings are logged.
    ///
    /// # Errors
    ///
    /// As for [`Host::node_name`], [`Host::nodes`] and [`Topology::build`].
    pub fn topology(&self, driver: Driver, remembered: &Remembered) -> Result<Topology, Failure> {
        // The name first: by hand it is asked for as well.
        let name = self.node_name(remembered)?;
        Self::topology_of(&self.nodes()?, &name, driver)
    }

    /// All nodes, what the cluster is called, and the value of the transient node attribute `told` on each node, by one query.
    ///
    /// # Errors
    ///
    /// Exit 1 where the cluster could not be asked.
    pub fn survey(&self, told: &str) -> Result<Survey, Failure> {
        cluster::query_survey(&self.tools, self.deadline(), told).map_err(|error| unreachable(&error))
    }

    /// The numbers of these nodes, as the node `name` sees them. Warnings are logged.
    ///
    /// # Errors
    ///
    /// As for [`Topology::build`].
    pub fn topology_of(nodes: &Nodes, name: &NodeName, driver: Driver) -> Result<Topology, Failure> {
        let (topology, warnings) = match Topology::build(nodes, name.as_str(), driver) {
            Ok((topology, warnings)) => (Ok(topology), warnings),
            Err(Refused { failure, warnings }) => (Err(failure), warnings),
        };
        for warning in warnings {
            tracing::warn!("{warning}");
        }
        topology
    }

    /// What a reload knows of the nodes when it has `asked`. That the cluster could not be asked says nothing about the configuration, and
    /// the state file knows enough of this node; then the failure comes with it, and the log says what follows, `then`.
    ///
    /// # Errors
    ///
    /// The failure, where the cluster has answered, or the state file does not name the ports.
    pub fn or_recorded(
        asked: Result<Topology, Failure>,
        remembered: &Remembered,
        then: &str,
    ) -> Result<(Topology, Option<Failure>), Failure> {
        match asked {
            Ok(topology) => Ok((topology, None)),
            Err(failure) if failure.kind == Kind::Temporary => match Self::recorded_topology(remembered) {
                Some(topology) => {
                    tracing::error!("{then}: {failure}");
                    Ok((topology, Some(failure)))
                }
                None => Err(failure),
            },
            Err(failure) => Err(failure),
        }
    }

    /// This node as the state file knows it, where the cluster cannot be asked: without any peer.
    pub fn recorded_topology(remembered: &Remembered) -> Option<Topology> {
        let remembered = remembered.known().filter(|file| !file.ports.is_empty())?;
        let port = |(name, rel_tgt_id): &(TargetName, u16)| Port { name: name.clone(), rel_tgt_id: *rel_tgt_id };
        let local = Member {
            name: remembered.node.clone()?,
            id: remembered.node_id?,
            ports: remembered.ports.iter().map(port).collect(),
        };
        Some(Topology { local, peers: Vec::new() })
    }

    /// The local ports as sysfs spells them, with their numbers.
    ///
    /// # Errors
    ///
    /// Exit 5 naming every port this machine does not have, unless they may be missing and another one is there.
    pub fn local_ports(&self, driver: Driver, topology: &Topology, policy: MissingPorts) -> Result<Local, Failure> {
        let present = self.observer().port_names(driver)?;
        let mut local = Local::default();
        let mut missing = Vec::new();
        for port in &topology.local.ports {
            match present.iter().find(|name| name.matches(port.name.as_str())) {
                Some(name) => local.ports.push((name.clone(), port.rel_tgt_id)),
                None => missing.push(port.name.to_string()),
            }
        }
        if missing.is_empty() {
            return Ok(local);
        }
        let names = missing.join(", ");
        if policy == MissingPorts::Warn && !local.ports.is_empty() {
            tracing::warn!("port does not exist on this node, the others are used: {names}");
            let is_missing = |port: &&Port| missing.iter().any(|name| port.name.as_str() == name);
            let numbers = topology.local.ports.iter().filter(is_missing);
            local.missing = numbers.map(|port| (port.name.clone(), port.rel_tgt_id)).collect();
            return Ok(local);
        }
        Err(Failure::installed(format!("port does not exist on this node: {names}")).with_hint(format!(
            "compare targetports of node {} with the directories of {}: a dead HBA, a driver that is not in target mode, or a wrong name",
            topology.local.name,
            self.sysfs.full(&scst::target::driver(driver)).display()
        )))
    }
}

fn parse_node(name: &str) -> Result<NodeName, Failure> {
    NodeName::parse(name)
        .map_err(|error| Failure::args(format!("node name {name:?} cannot name a target group: {error}")))
}

fn recorded_name(remembered: &Remembered) -> Option<NodeName> {
    remembered.known().and_then(|file| file.node.clone())
}

fn unreachable(error: &ClusterError) -> Failure {
    Failure::generic(error.to_string())
        .with_hint("the agent asks the cluster with its own commands: is Pacemaker running on this node?")
}
