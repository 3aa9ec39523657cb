//! Three nodes and one that only votes: any number of nodes, each with its own numbers.

use snapbox::str;

use crate::fixture::Fixture;
use crate::fixture::sample::{ALPHA, BETA, group, ports};

const GAMMA: &str = "50:01:43:80:0a:0b:0c:01";

fn fixture() -> Fixture {
    Fixture::new()
        .node("alpha", 1)
        .port(ALPHA[0])
        .port(ALPHA[1])
        .node("beta", 2)
        .port(BETA[0])
        .node("gamma", 654)
        .port(GAMMA)
        .node("quorum", 9)
        .without_targetports()
}

#[test]
fn the_life_of_a_group_on_three_nodes() {
    let cluster = fixture().up();
    let nodes = ["alpha", "beta", "gamma"];
    cluster.start(&ports(), &nodes);
    let group = group();
    cluster.transition(&group).start(&nodes).promote(&["gamma"]).carry_out();
    cluster.node("gamma").tree().eq(str![[r#"
modules qla2x00tgt qla2xxx_scst scst scst_disk scst_vdisk
port qla2x00t/50:01:43:80:0a:0b:0c:01 enabled=1 rel_tgt_id=65401
  group vmwtest io_grouping_type=65401
    initiator 50:01:43:80:03:b0:23:34
    initiator 50:01:43:80:03:b0:23:36
    lun 0 dummy_lu0dummy
device dummy_lu0dummy vdisk_nullio dummy=1 prod_id=SCST
device group dummy
  device dummy_lu0dummy
  target group alpha group_id=1 standby
    remote 21:00:00:24:ff:60:d0:10 rel_tgt_id=101
    remote 21:00:00:24:ff:60:d0:11 rel_tgt_id=102
  target group beta group_id=2 standby
    remote 21:00:00:1b:32:0b:52:75 rel_tgt_id=201
  target group gamma group_id=654 active
    local 50:01:43:80:0a:0b:0c:01 rel_tgt_id=65401

"#]]);
    let seen = |node: &str| nodes.map(|of| cluster.node(node).state("dummy", of));
    for node in nodes {
        assert_eq!(seen(node), ["standby", "standby", "active"], "{node}");
    }
    cluster.transition(&group).demote(&["gamma"]).stop(&["gamma"]).promote(&["alpha"]).carry_out();
    for node in ["alpha", "beta"] {
        assert_eq!(seen(node), ["active", "standby", "unavailable"], "{node}");
    }
    cluster.start(&group, &["gamma"]);
    for node in nodes {
        assert_eq!(seen(node), ["active", "standby", "standby"], "{node}");
    }
    cluster.loses(&group, "alpha");
    cluster.promote(&group, "beta");
    assert_eq!(seen("beta"), ["unavailable", "active", "standby"]);
}

#[test]
fn a_name_that_fits_no_driver_keeps_its_place_in_the_numbering() {
    let listed = format!(" {} ,nonsense, {},", ALPHA[0].to_uppercase(), ALPHA[1]);
    let alpha = Fixture::new()
        .node("alpha", 1)
        .port(ALPHA[0])
        .port(ALPHA[1])
        .targetports(&listed)
        .node("beta", 2)
        .targetports(&format!("iqn.2020-01.org.example:disk,{}", BETA[0]))
        .up()
        .into_node("alpha");
    alpha.run(&ports(), "start").exit(0).logged("nonsense");
    assert_eq!(
        alpha.tree().lines("port"),
        [
            "port qla2x00t/21:00:00:24:ff:60:d0:10 enabled=1 rel_tgt_id=101",
            "port qla2x00t/21:00:00:24:ff:60:d0:11 enabled=1 rel_tgt_id=103"
        ]
    );
    alpha.run(&group(), "start").exit(0);
    let remote = alpha.tree();
    assert_eq!(remote.lines("remote 21"), [format!("remote {} rel_tgt_id=202", BETA[0])]);
}

#[test]
fn remote_nodes_do_not_count() {
    let cluster = fixture().up();
    cluster
        .cib()
        .change(|cib| {
            let xml = cib.root.to_string();
            let remote = format!(
                "<node id=\"far\" uname=\"far\" type=\"remote\"><instance_attributes id=\"far-a\"><nvpair id=\"far-p\" \
                 name=\"targetports\" value=\"{}\"/></instance_attributes></node></nodes>",
                "50:01:43:80:0a:0b:0c:99"
            );
            cib.root = scst_sim::stand_in::xml::Element::parse(&xml.replace("</nodes>", &remote)).expect("still XML");
        })
        .expect("the CIB can be changed");
    let alpha = cluster.node("alpha");
    alpha.run(&ports(), "start").exit(0);
    alpha.run(&group(), "start").exit(0);
    let tree = alpha.tree();
    let groups: Vec<&str> = tree.lines("target group").iter().filter_map(|line| line.split(' ').nth(2)).collect();
    assert_eq!(groups, ["alpha", "beta", "gamma"]);
}
