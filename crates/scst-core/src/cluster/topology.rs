//! The type [`Topology`]: the ports of all nodes with their numbers, which every node must compute alike from the nodes
//! of the CIB. Start, reload and `scst-ha` build it.
//!
//! A target group's `group_id` is its node's id; `rel_tgt_id` of the n-th port of a node is id × 100 + n; the I/O group of the k-th
//! initiator group of the local node is id × 100 + k. All of them are 16 bit in SCSI, so only ids up to 654 with up to 99 ports
//! and 99 groups have numbers. A name that cannot be a port keeps its place in the counting: a node that reads it as
//! a port, because it runs another version, must come to the same numbers for the others.

mod member;
mod numbers;
mod repeated;

use self::member::{local_member, local_node, peer_member};
pub use self::numbers::{MAX_GROUPS, Member, Port, entries, io_group};
use self::repeated::Repeated;
use super::Nodes;
use crate::ocf::exit::{Failure, one_line};
use crate::scst::names::Driver;

/// The local node and its peers, sorted by id.
///
/// ```
/// use scst_core::cluster::{ClusterNode, Nodes, Topology};
/// use scst_core::scst::names::Driver;
///
/// let node = |name: &str, id: &str, ports: &str| ClusterNode {
///     name: name.into(),
///     id: id.into(),
///     targetports: Some(ports.into()),
///     remote: false,
/// };
/// let alpha = node("alpha", "1", "21:00:00:24:ff:60:d0:10,21:00:00:24:ff:60:d0:11");
/// let beta = node("beta", "2", "21:00:00:24:ff:60:d0:20");
///
/// let (topology, warnings) = Topology::build(&Nodes(vec![alpha, beta]), "alpha", Driver::Qla2x00t).unwrap();
/// let ids: Vec<u16> = topology.local.ports.iter().map(|port| port.rel_tgt_id).collect();
/// assert_eq!(ids, [101, 102]);
/// assert_eq!(topology.peers[0].ports[0].rel_tgt_id, 201);
/// assert!(warnings.is_empty());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topology {
    /// This node.
    pub local: Member,
    /// Every other node with ports.
    pub peers: Vec<Member>,
}

/// No topology for the local node, and what else its attributes and those of its peers are to be warned about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Why there is none.
    pub failure: Failure,
    /// The warnings that would have come with one.
    pub warnings: Vec<String>,
}

impl Topology {
    /// Derives everything from the nodes of the CIB. Beside the topology there are warnings: names that are no port, ports
    /// that are listed twice, peers whose numbers do not fit.
    ///
    /// # Errors
    ///
    /// Exit 5 if the local node has no port of this driver, exit 2 if its numbers do not fit or one of its ports is listed
    /// twice. The warnings come with the failure as well.
    pub fn build(nodes: &Nodes, local: &str, driver: Driver) -> Result<(Self, Vec<String>), Refused> {
        let mut warnings = Vec::new();
        let repeated = Repeated::find(nodes, driver);
        let own = local_node(nodes, local).and_then(|node| local_member(node, driver, &repeated, &mut warnings));
        let peers = nodes.0.iter().filter(|peer| peer.name != local && !peer.remote);
        let mut peers: Vec<Member> =
            peers.filter_map(|peer| peer_member(peer, driver, &repeated, &mut warnings)).collect();
        peers.sort_unstable_by_key(|peer| peer.id);
        warnings.extend(repeated.elsewhere(local));
        // A node's name and id are whatever the CIB holds.
        let warnings = warnings.iter().map(|warning| one_line(warning)).collect();
        match own {
            Ok(local) => Ok((Self { local, peers }, warnings)),
            Err(failure) => Err(Refused { failure, warnings }),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use std::collections::BTreeMap;

    use super::*;
    use crate::cluster::ClusterNode;
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

    fn text_of(member: &Member) -> String {
        let ports: Vec<String> = member.ports.iter().map(|port| format!("{}={}", port.rel_tgt_id, port.name)).collect();
        format!("{} {} {}", member.id, member.name, ports.join(" "))
    }

    fn build(nodes: &Nodes, local: &str) -> Result<(Topology, Vec<String>), Failure> {
        Topology::build(nodes, local, Driver::Qla2x00t).map_err(|refused| refused.failure)
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
        assert_eq!(text_of(&topology.local), "2 beta 201=21:00:00:1b:32:0b:52:75 202=21:01:00:1b:32:2b:52:75");
        let peers: Vec<String> = topology.peers.iter().map(text_of).collect();
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
        assert_eq!(text_of(&topology.local), "1 alpha 103=21:00:00:24:ff:60:d0:10");
        assert_eq!(warnings.len(), 2);
        assert!(warnings[0].starts_with("entry \"nonsense\" of targetports of node alpha is ignored"));
        assert!(warnings[1].contains("\"../x\""));
        let (topology, _) = Topology::build(&nodes, "alpha", Driver::Iscsi).unwrap();
        assert_eq!(text_of(&topology.local), "1 alpha 102=iqn.2024-01.org.example:a");
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
    fn a_port_listed_twice_keeps_those_from_starting_that_list_it_and_is_left_out_by_the_others() {
        let upper = wwn(1).to_uppercase();
        let bare = wwn(1).replace(':', "");
        for (list, reason, members) in [
            (
                [format!("{},{upper}", wwn(1)), wwn(2), wwn(3)],
                format!("port {upper} is listed twice in targetports of node alpha"),
                // Without a port alpha has no target group at all.
                vec![format!("2 beta 201={}", wwn(2)), format!("3 gamma 301={}", wwn(3))],
            ),
            (
                [wwn(1), format!("{bare},{}", wwn(2)), wwn(3)],
                format!("port {bare} is listed in targetports of node alpha and of node beta"),
                vec![format!("2 beta 202={}", wwn(2)), format!("3 gamma 301={}", wwn(3))],
            ),
        ] {
            let names = ["alpha", "beta", "gamma"];
            let ids = ["1", "2", "3"];
            let list: Vec<_> = (0..3).map(|n| (names[n], ids[n], Some(list[n].as_str()))).collect();
            for local in names {
                match build(&nodes(&list), local) {
                    Err(failure) => assert_eq!((failure.code, &failure.reason), (ExitCode::Args, &reason), "{local}"),
                    Ok((topology, warnings)) => {
                        assert!(!reason.ends_with(local), "{local} lists it");
                        assert_eq!(warnings, [format!("{reason}: it is left out of every target group")]);
                        let all: Vec<_> = topology.peers.iter().chain([&topology.local]).map(text_of).collect();
                        let all: std::collections::BTreeSet<_> = all.into_iter().collect();
                        assert_eq!(all, members.iter().cloned().collect());
                    }
                }
            }
        }
    }

    #[test]
    fn a_failure_comes_with_the_warnings() {
        let nodes = nodes(&[("alpha", "700", Some("nonsense")), ("beta", "2", Some("nothing")), ("gamma", "3", None)]);
        for (local, warned) in [("alpha", 2), ("beta", 2), ("gamma", 2), ("delta", 2)] {
            let refused = Topology::build(&nodes, local, Driver::Qla2x00t).unwrap_err();
            let entries = refused.warnings.iter().filter(|warning| warning.starts_with("entry "));
            let left_out = refused.warnings.iter().filter(|warning| warning.contains("is left out"));
            assert_eq!(entries.count() + left_out.count(), warned, "{local}: {refused:?}");
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
