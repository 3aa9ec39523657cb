//! Rows of "What hosts see": paths, states and numbers as they are published.

use std::time::Duration;

use crate::fixture::sample::{self, ALPHA, HOST, group, ports, seen};

#[test]
fn p3_a_start_publishes_its_peers_as_they_are() {
    let ((cluster, lists), group) = (sample::serving_on_beta(), group());
    let started = cluster.node("alpha").call(&group).lists(&lists).run("start").exit(0);
    assert_eq!(seen(cluster.node("alpha")), ["standby", "active"]);
    // A fresh target group is active as it is: nothing else is ever published.
    assert_eq!(started.times("target_groups/beta/state"), 0, "{started:?}");
    cluster.node("alpha").run(&group, "stop").exit(0);
    cluster.transition(&group).demote(&["beta"]).carry_out();
    let lists = cluster.transition(&group).start(&["alpha"]).lists();
    let started = cluster.node("alpha").call(&group).lists(&lists).run("start").exit(0);
    started.in_order(&["beta/state < standby", "luns/mgmt < add"]);
    assert_eq!(seen(cluster.node("alpha")), ["standby", "standby"]);
}

#[test]
fn p4_a_node_that_may_run_the_group_is_not_one_that_does() {
    let cluster = sample::with_ports();
    // Both are available, one starts.
    cluster.start(&group(), &["alpha"]);
    assert_eq!(seen(cluster.node("alpha")), ["standby", "unavailable"]);
}

#[test]
fn p6_nothing_sleeps() {
    let alpha = sample::with_ports().into_node("alpha");
    // A sleep would be in each of them; a busy machine slows down some.
    let fastest = |action: &str, back: &str| {
        let took = (0..4).map(|_| {
            let took = alpha.run(&group(), action).exit(0).took();
            alpha.run(&group(), back).exit(0);
            took
        });
        took.min().unwrap_or_default()
    };
    for (action, back) in [("start", "stop"), ("promote", "demote"), ("demote", "promote"), ("stop", "start")] {
        let took = fastest(action, back);
        assert!(took < Duration::from_millis(900), "{action} took {took:?}");
        if action == "start" {
            alpha.run(&group(), "start").exit(0);
        } else if action == "promote" {
            alpha.run(&group(), "promote").exit(0);
        }
    }
}

#[test]
fn p7_a_port_without_a_number_gets_one_and_another_number_is_named() {
    for enabled in [true, false] {
        let alpha = sample::nodes().up().into_node("alpha");
        let ids = || ALPHA.map(|port| alpha.read(&format!("targets/qla2x00t/{port}/rel_tgt_id")));
        alpha.control("modprobe qla2x00tgt");
        alpha.write(&format!("targets/qla2x00t/{}/rel_tgt_id", ALPHA[1]), "7");
        assert_eq!(ids(), ["0", "7"]);
        alpha.run(&group(), "start").exit(0).logged(&format!("port {} has relative target id 7", ALPHA[1]));
        assert_eq!(ids(), ["101", "7"]);
        alpha.run(&group(), "start").exit(0).writes(0).logged("has relative target id 7");
        // The agent of the ports puts it right.
        if enabled {
            alpha.write(&format!("targets/qla2x00t/{}/enabled", ALPHA[1]), "1");
        }
        alpha.run(&ports(), "start").exit(0);
        assert_eq!(ids(), ["101", "102"]);
    }
}

#[test]
fn c14_no_two_hosts_share_an_io_group_after_an_edit() {
    let alpha = sample::nodes().up().into_node("alpha");
    let hosts = |text: String| ports().param("initiators", &text);
    alpha.run(&hosts(format!("a={};b={}", HOST[0], HOST[1])), "start").exit(0);
    for action in ["reload", "start"] {
        alpha.run(&hosts(format!("b={};c=50:01:43:80:03:b0:23:40", HOST[1])), action).exit(0);
        let groups = ["group b io_grouping_type=101", "group c io_grouping_type=102"].repeat(2);
        assert_eq!(alpha.tree().lines("group"), groups, "{action}");
    }
}
