//! The numbers that every node must compute alike, from the nodes of the CIB.
//!
//! A target group's `group_id` is its node's id; `rel_tgt_id` of the n-th port of a node is id × 100 + n; the I/O group of the k-th
//! initiator group of the local node is id × 100 + k. All of them are 16 bit in SCSI, so only ids up to 654 with up to 99 ports
//! and 99 groups have numbers. A name that cannot be a port keeps its place in the counting: a node that reads it as
//! a port, because it runs another version, must come to the same numbers for the others.

use std::collections::BTreeMap;

use super::{ClusterNode, Nodes, TARGETPORTS};
use crate::ocf::exit::{Failure, one_line};
use crate::scst::names::{Driver, NameError, NodeName, TargetName};

/// The largest node id whose numbers fit.
const MAX_ID: u16 = 654;

/// The most initiator groups that a node has numbers for.
pub const MAX_GROUPS: usize = MAX_COUNT;

/// The most ports, and the most initiator groups, of one node.
const MAX_COUNT: usize = 99;

/// One port of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// The target, as configured; sysfs may spell it in another case.
    pub name: TargetName,
    /// The relative target port id it must have.
    pub rel_tgt_id: u16,
}

/// One node with ports of the wanted driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The node, and the name of its target group.
    pub name: NodeName,
    /// The node's id, and the `group_id` of its target group.
    pub id: u16,
    /// Its ports, in the order of the attribute. Never empty.
    pub ports: Vec<Port>,
}

/// The local node and its peers, sorted by id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topology {
    /// This node.
    pub local: Member,
    /// Every other node with ports.
    pub peers: Vec<Member>,
}

impl Member {
    /// The ports with their numbers, as they are listed: sysfs may spell them in another case.
    pub fn listed(&self) -> Vec<(TargetName, u16)> {
        self.ports.iter().map(|port| (port.name.clone(), port.rel_tgt_id)).collect()
    }
}

/// The I/O group of the `k`-th (from 1) initiator group on the node `id`; `None` if no number exists for it.
pub fn io_group(id: u16, k: usize) -> Option<u16> {
    numbered(id, k)
}

/// id × 100 + n, if it is a number that SCST can hold.
fn numbered(id: u16, n: usize) -> Option<u16> {
    if !(1..=MAX_ID).contains(&id) || !(1..=MAX_COUNT).contains(&n) {
        return None;
    }
    Some(id * 100 + u16::try_from(n).ok()?)
}

impl Topology {
    /// Derives everything from the nodes of the CIB. Beside the topology there are warnings: names that are no port, peers
    /// whose numbers do not fit.
    ///
    /// # Errors
    ///
    /// Exit 5 if the local node has no port of this driver, exit 2 if its numbers do not fit or a port is listed twice.
    pub fn build(nodes: &Nodes, local: &str, driver: Driver) -> Result<(Self, Vec<String>), Failure> {
        let node = nodes.node(local).ok_or_else(|| {
            Failure::installed(format!("node {local} is not in the CIB, so it has no {TARGETPORTS}"))
                .with_hint("compare the node names of the cluster with this node's name")
        })?;
        if node.remote {
            return Err(Failure::installed(format!("node {local} is a remote node, which cannot serve targets")));
        }
        no_port_twice(nodes)?;

        let mut warnings = Vec::new();
        let local = local_member(node, driver, &mut warnings)?;
        let mut peers: Vec<Member> = nodes
            .0
            .iter()
            .filter(|peer| peer.name != node.name && !peer.remote)
            .filter_map(|peer| peer_member(peer, driver, &mut warnings))
            .collect();
        peers.sort_unstable_by_key(|peer| peer.id);
        // A node's name and id are whatever the CIB holds.
        let warnings = warnings.iter().map(|warning| one_line(warning)).collect();
        Ok((Self { local, peers }, warnings))
    }
}

/// The entries of a node's list. Commas and blanks separate; an empty entry is none.
pub fn entries(node: &ClusterNode) -> impl Iterator<Item = &str> {
    let list = node.targetports.as_deref().unwrap_or_default();
    list.split(|c: char| c == ',' || c.is_whitespace()).filter(|entry| !entry.is_empty())
}

/// One port cannot have two numbers, nor two nodes.
fn no_port_twice(nodes: &Nodes) -> Result<(), Failure> {
    let mut owners: BTreeMap<String, &str> = BTreeMap::new();
    for node in nodes.0.iter().filter(|node| !node.remote) {
        for entry in entries(node) {
            if let Some(owner) = owners.insert(entry.to_ascii_lowercase(), &node.name) {
                let reason = if owner == node.name {
                    format!("port {entry} is listed twice in {TARGETPORTS} of node {owner}")
                } else {
                    format!("port {entry} is listed in {TARGETPORTS} of node {owner} and of node {}", node.name)
                };
                return Err(Failure::args(reason).with_hint(
                    "every port belongs into the attribute of one node, once; correct it and clean up the resource",
                ));
            }
        }
    }
    Ok(())
}

/// The local node must have numbers, or nothing can be started here.
fn local_member(node: &ClusterNode, driver: Driver, warnings: &mut Vec<String>) -> Result<Member, Failure> {
    let name = &node.name;
    if entries(node).next().is_none() {
        return Err(Failure::installed(format!("node {name} has no {TARGETPORTS} attribute"))
            .with_hint(format!("crm_attribute --node {name} --name {TARGETPORTS} --update PORT,PORT")));
    }
    let unusable = |error: &NameError| Failure::args(format!("node name {name} cannot name a target group: {error}"));
    let checked = NodeName::parse(name).map_err(|error| unusable(&error))?;
    let id = small_id(node).ok_or_else(|| {
        Failure::args(format!("node {name} has the id {}, target ids exist for 1 to {MAX_ID}", node.id))
            .with_hint("give the node a nodeid from 1 to 654 in corosync.conf")
    })?;
    let count = entries(node).count();
    if count > MAX_COUNT {
        return Err(Failure::args(format!("node {name} lists {count} ports, target ids exist for {MAX_COUNT}"))
            .with_hint(format!("shorten {TARGETPORTS} of this node")));
    }
    let ports = ports(node, id, driver, warnings);
    if ports.is_empty() {
        return Err(Failure::installed(format!("{TARGETPORTS} of node {name} has no port of driver {driver}")));
    }
    Ok(Member { name: checked, id, ports })
}

/// A peer without numbers is left out: this node can serve without publishing the other's paths.
fn peer_member(node: &ClusterNode, driver: Driver, warnings: &mut Vec<String>) -> Option<Member> {
    let name = &node.name;
    let count = entries(node).count();
    if count == 0 {
        return None;
    }
    let checked = match NodeName::parse(name) {
        Ok(checked) => checked,
        Err(error) => {
            warnings.push(format!("node {name} is left out, its name cannot name a target group: {error}"));
            return None;
        }
    };
    let Some(id) = small_id(node) else {
        warnings
            .push(format!("node {name} is left out: it has the id {}, target ids exist for 1 to {MAX_ID}", node.id));
        return None;
    };
    if count > MAX_COUNT {
        warnings.push(format!("node {name} is left out: it lists {count} ports, target ids exist for {MAX_COUNT}"));
        return None;
    }
    // A target group without a port would count as local, so a peer without one has none.
    let ports = ports(node, id, driver, warnings);
    (!ports.is_empty()).then_some(Member { name: checked, id, ports })
}

/// The node's id, if numbers exist for it.
fn small_id(node: &ClusterNode) -> Option<u16> {
    node.id.parse().ok().filter(|id| (1..=MAX_ID).contains(id))
}

/// The ports of this driver, each with the number of its place in the list.
fn ports(node: &ClusterNode, id: u16, driver: Driver, warnings: &mut Vec<String>) -> Vec<Port> {
    let mut ports = Vec::new();
    for (place, entry) in entries(node).enumerate() {
        match (TargetName::parse(driver, entry), numbered(id, place + 1)) {
            (Ok(name), Some(rel_tgt_id)) => ports.push(Port { name, rel_tgt_id }),
            // A node may have ports of several drivers in its list; only what is a port of none is a mistake.
            (Err(_), _) if of_another_driver(entry) => {}
            (Err(error), _) => {
                let name = &node.name;
                warnings.push(format!("entry {entry:?} of {TARGETPORTS} of node {name} is ignored: {error}"));
            }
            (Ok(_), None) => {}
        }
    }
    ports
}

/// Whether the entry is a name of one of the drivers that have a grammar of their own.
fn of_another_driver(entry: &str) -> bool {
    [Driver::Qla2x00t, Driver::Iscsi, Driver::IbSrpt].into_iter().any(|driver| TargetName::parse(driver, entry).is_ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ocf::exit::ExitCode;

    fn nodes(list: &[(&str, &str, Option<&str>)]) -> Nodes {
        let node = |&(name, id, ports): &(&str, &str, Option<&str>)| ClusterNode {
            name: name.to_owned(),
            id: id.to_owned(),
            targetports: ports.map(str::to_owned),
            remote: false,
        };
        Nodes(list.iter().map(node).collect())
    }

    fn wwn(n: u32) -> String {
        format!("21:00:00:24:ff:60:{:02x}:{:02x}", n / 256, n % 256)
    }

    fn picture(member: &Member) -> String {
        let ports: Vec<String> = member.ports.iter().map(|port| format!("{}={}", port.rel_tgt_id, port.name)).collect();
        format!("{} {} {}", member.id, member.name, ports.join(" "))
    }

    fn build(nodes: &Nodes, local: &str) -> Result<(Topology, Vec<String>), Failure> {
        Topology::build(nodes, local, Driver::Qla2x00t)
    }

    #[test]
    fn a_warning_is_one_line_whatever_a_node_is_called() {
        let port = |n| Some(wwn(n));
        let lists = [port(1), port(2), port(3)];
        let list = [
            ("alpha", "1", lists[0].as_deref()),
            ("be\nta", "2", lists[1].as_deref()),
            ("gamma", "3\0\n4", lists[2].as_deref()),
        ];
        let (topology, warnings) = build(&nodes(&list), "alpha").unwrap();
        assert!(topology.peers.is_empty());
        assert_eq!(warnings.len(), 2);
        assert!(warnings.iter().all(|warning| !warning.chars().any(char::is_control)), "{warnings:?}");
    }

    #[test]
    fn numbers_follow_from_id_and_place() {
        let nodes = nodes(&[
            ("gamma", "7", Some("50:01:43:80:0A:0B:0C:01")),
            ("alpha", "1", Some("21:00:00:24:ff:60:d0:10, 21:00:00:24:ff:60:d0:11 ")),
            ("beta", "2", Some(",21:00:00:1b:32:0b:52:75,,21:01:00:1b:32:2b:52:75,")),
            ("quorum", "9", None),
            ("blank", "10", Some(" , ")),
        ]);
        let (topology, warnings) = build(&nodes, "beta").unwrap();
        assert_eq!(picture(&topology.local), "2 beta 201=21:00:00:1b:32:0b:52:75 202=21:01:00:1b:32:2b:52:75");
        let peers: Vec<String> = topology.peers.iter().map(picture).collect();
        assert_eq!(
            peers,
            ["1 alpha 101=21:00:00:24:ff:60:d0:10 102=21:00:00:24:ff:60:d0:11", "7 gamma 701=50:01:43:80:0a:0b:0c:01"]
        );
        assert!(warnings.is_empty(), "{warnings:?}");
        assert_eq!((io_group(2, 1), io_group(654, 99)), (Some(201), Some(65499)));
        assert_eq!((io_group(655, 1), io_group(2, 100), io_group(2, 0), io_group(0, 1)), (None, None, None, None));
    }

    #[test]
    fn a_name_that_is_no_port_keeps_its_place() {
        let nodes = nodes(&[("alpha", "1", Some("nonsense,iqn.2024-01.org.example:a,21:00:00:24:ff:60:d0:10,../x"))]);
        let (topology, warnings) = build(&nodes, "alpha").unwrap();
        assert_eq!(picture(&topology.local), "1 alpha 103=21:00:00:24:ff:60:d0:10");
        assert_eq!(warnings.len(), 2);
        assert!(warnings[0].starts_with("entry \"nonsense\" of targetports of node alpha is ignored"));
        assert!(warnings[1].contains("\"../x\""));
        let (topology, _) = Topology::build(&nodes, "alpha", Driver::Iscsi).unwrap();
        assert_eq!(picture(&topology.local), "1 alpha 102=iqn.2024-01.org.example:a");
    }

    #[test]
    fn a_node_without_ports_cannot_start_anything() {
        let nodes = nodes(&[("alpha", "1", None), ("beta", "2", Some("nonsense")), ("gamma", "3", Some(" "))]);
        for (local, reason) in [
            ("alpha", "node alpha has no targetports attribute"),
            ("beta", "targetports of node beta has no port of driver qla2x00t"),
            ("gamma", "node gamma has no targetports attribute"),
            ("delta", "node delta is not in the CIB, so it has no targetports"),
        ] {
            let failure = build(&nodes, local).unwrap_err();
            assert_eq!((failure.code, failure.reason.as_str()), (ExitCode::Installed, reason));
        }
    }

    #[test]
    fn a_port_listed_twice_is_refused_on_every_node() {
        let upper = wwn(1).to_uppercase();
        for (list, reason) in [
            (
                vec![("alpha", "1", Some(format!("{},{upper}", wwn(1)))), ("beta", "2", Some(wwn(2)))],
                format!("port {upper} is listed twice in targetports of node alpha"),
            ),
            (
                vec![("alpha", "1", Some(wwn(1))), ("beta", "2", Some(upper.clone()))],
                format!("port {upper} is listed in targetports of node alpha and of node beta"),
            ),
        ] {
            let list: Vec<_> = list.iter().map(|(name, id, ports)| (*name, *id, ports.as_deref())).collect();
            for local in ["alpha", "beta"] {
                let failure = build(&nodes(&list), local).unwrap_err();
                assert_eq!((failure.code, &failure.reason), (ExitCode::Args, &reason));
            }
        }
    }

    #[test]
    fn numbers_that_do_not_fit_stop_the_local_node_and_leave_out_a_peer() {
        let many: Vec<String> = (0..100).map(wwn).collect();
        let (many, most) = (many.join(","), many[..99].join(","));
        let one = "50:00:00:00:00:00:00:01";
        for (id, ports, reason) in [
            ("655", "51:00:00:00:00:00:00:01", "node beta has the id 655, target ids exist for 1 to 654"),
            ("0", "51:00:00:00:00:00:00:01", "node beta has the id 0, target ids exist for 1 to 654"),
            ("f81d4fae", "51:00:00:00:00:00:00:01", "node beta has the id f81d4fae, target ids exist for 1 to 654"),
            ("2", &many, "node beta lists 100 ports, target ids exist for 99"),
        ] {
            let nodes = nodes(&[("alpha", "1", Some(one)), ("beta", id, Some(ports))]);
            let failure = build(&nodes, "beta").unwrap_err();
            assert_eq!((failure.code, failure.reason.as_str()), (ExitCode::Args, reason));
            let (topology, warnings) = build(&nodes, "alpha").unwrap();
            assert!(topology.peers.is_empty());
            assert_eq!(warnings.len(), 1);
            assert!(warnings[0].starts_with("node beta is left out"), "{warnings:?}");
        }
        let nodes = nodes(&[("alpha", "654", Some(&most))]);
        let (topology, _) = build(&nodes, "alpha").unwrap();
        assert_eq!(topology.local.ports.last().unwrap().rel_tgt_id, 65499);
    }

    #[test]
    fn remote_nodes_do_not_count() {
        let mut nodes = nodes(&[("alpha", "1", Some(&wwn(1))), ("far", "far", Some(&wwn(1)))]);
        nodes.0[1].remote = true;
        let (topology, warnings) = build(&nodes, "alpha").unwrap();
        assert!(topology.peers.is_empty() && warnings.is_empty());
        assert_eq!(build(&nodes, "far").unwrap_err().code, ExitCode::Installed);
    }

    proptest! {
        #[test]
        fn every_node_comes_to_the_same_numbers(
            lists in proptest::collection::vec("([0-9a-f]{2}(:[0-9a-f]{2}){7}|iqn\\.2024-01\\.org:[a-c]|x|,| ){0,8}|.{0,20}", 1..5),
        ) {
            let names = ["alpha", "beta", "gamma", "delta"];
            let ids = ["1", "654", "7", "655"];
            let list: Vec<_> =
                lists.iter().enumerate().map(|(n, ports)| (names[n], ids[n], Some(ports.as_str()))).collect();
            let nodes = nodes(&list);
            let built: Vec<Topology> = names.iter().filter_map(|local| build(&nodes, local).ok()).map(|(t, _)| t).collect();
            let mut seen = BTreeMap::new();
            for topology in &built {
                for member in topology.peers.iter().chain([&topology.local]) {
                    prop_assert!(!member.ports.is_empty());
                    let known = seen.entry(member.name.clone()).or_insert_with(|| member.clone());
                    prop_assert_eq!(known, member);
                }
            }
            let ids: Vec<u16> = seen.values().flat_map(|member| member.ports.iter().map(|port| port.rel_tgt_id)).collect();
            prop_assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), ids.len());
        }
    }
}
