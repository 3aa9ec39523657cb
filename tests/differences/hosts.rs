//! Rows of "What hosts see": paths, states and numbers as they are published.

use std::time::Duration;

use super::{place, times};
use crate::fixture::sample::{self, ALPHA, BETA, HOST, group, ports, seen};
use crate::fixture::{Fixture, Resource};
use crate::monitor::halfway;

const PEER: &str = "device_groups/dummy/target_groups/beta/state";

#[test]
fn p1_no_lun_appears_before_the_group_is_standby() {
    let cluster = sample::with_ports();
    let started = cluster.node("alpha").run(&group(), "start").exit(0).written();
    let standby = place(&started, "target_groups/alpha/state < standby");
    assert!(standby < place(&started, "luns/mgmt < add dummy_lu0dummy 0"), "{started:#?}");
}

#[test]
fn p2_a_loop_is_initialised_once_and_only_for_luns_that_changed() {
    let alpha = sample::with_ports().into_node("alpha");
    let lips = || ["1", "2"].map(|host| alpha.control(&format!("lips {host}")));
    alpha.run(&group(), "start").exit(0);
    assert_eq!(lips(), ["1", "1"]);
    alpha.run(&group(), "start").exit(0);
    alpha.run(&group(), "reload").exit(0);
    assert_eq!(lips(), ["1", "1"]);
    alpha.run(&group(), "stop").exit(0);
    alpha.run(&group().param("lip", "0"), "start").exit(0);
    assert_eq!(lips(), ["1", "1"]);
}

#[test]
fn p3_a_start_publishes_its_peers_as_they_are() {
    let ((cluster, lists), group) = (sample::serving_on_beta(), group());
    let started = cluster.node("alpha").call(&group).lists(&lists).run("start").exit(0).written();
    assert_eq!(seen(cluster.node("alpha")), ["standby", "active"]);
    // A fresh target group is active as it is: nothing else is ever published.
    assert_eq!(times(&started, "target_groups/beta/state"), 0, "{started:#?}");
    cluster.node("alpha").run(&group, "stop").exit(0);
    cluster.transition(&group).demote(&["beta"]).carry_out();
    let lists = cluster.transition(&group).start(&["alpha"]).lists();
    let started = cluster.node("alpha").call(&group).lists(&lists).run("start").exit(0).written();
    assert_eq!(seen(cluster.node("alpha")), ["standby", "standby"]);
    assert!(place(&started, "beta/state < standby") < place(&started, "luns/mgmt < add"), "{started:#?}");
}

#[test]
fn p4_a_node_that_may_run_the_group_is_not_one_that_does() {
    let cluster = sample::with_ports();
    // Both are available, one starts.
    cluster.start(&group(), &["alpha"]);
    assert_eq!(seen(cluster.node("alpha")), ["standby", "unavailable"]);
}

#[test]
fn p5_a_lost_notification_is_made_good_and_one_that_may_still_come_is_waited_for() {
    let cluster = halfway(10);
    let alpha = cluster.node("alpha");
    alpha.call(&group()).recurring().run("monitor").exit(8).programs(0).writes(0);
    let cluster = halfway(160);
    let alpha = cluster.node("alpha");
    alpha.call(&group()).recurring().run("monitor").exit(8).ran(&["crm_mon"]);
    assert_eq!(alpha.read(PEER), "standby");
    alpha.call(&group()).recurring().run("monitor").exit(8).programs(0).writes(0);
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
    let alpha = sample::nodes().up().into_node("alpha");
    let id = |port: usize| format!("targets/qla2x00t/{}/rel_tgt_id", ALPHA[port]);
    alpha.control("modprobe qla2x00tgt");
    alpha.write(&id(1), "7");
    assert_eq!(alpha.read(&id(0)), "0");
    alpha.run(&group(), "start").exit(0).logged(&format!("port {} has relative target id 7", ALPHA[1]));
    assert_eq!((alpha.read(&id(0)).as_str(), alpha.read(&id(1)).as_str()), ("101", "7"));
    alpha.run(&group(), "start").exit(0).writes(0).logged("has relative target id 7");
    // The agent of the ports puts it right.
    alpha.write(&format!("targets/qla2x00t/{}/enabled", ALPHA[1]), "1");
    alpha.run(&ports(), "start").exit(0);
    assert_eq!((alpha.read(&id(0)).as_str(), alpha.read(&id(1)).as_str()), ("101", "102"));
}

#[test]
fn p8_a_reload_takes_up_new_nodes_and_ports() {
    let cluster = Fixture::new().node("alpha", 1).port(ALPHA[0]).node("beta", 2).without_targetports().up();
    let alpha = cluster.node("alpha");
    alpha.run(&ports(), "start").exit(0);
    alpha.run(&group(), "start").exit(0);
    assert_eq!(alpha.tree().lines("target group").len(), 1);
    cluster.set_targetports("beta", Some(BETA[0]));
    alpha.run(&group(), "reload").exit(0);
    assert_eq!(alpha.tree().lines("remote"), [format!("remote {} rel_tgt_id=201", BETA[0])]);
    cluster.set_targetports("beta", Some(&BETA.join(",")));
    alpha.run(&group(), "reload").exit(0);
    assert_eq!(alpha.tree().lines("remote").len(), 2);
    assert_eq!(seen(alpha), ["standby", "unavailable"]);
}

#[test]
fn p10_a_thorough_monitor_misses_what_got_lost() {
    let alpha = sample::serving().into_node("alpha");
    let group_folder = format!("targets/qla2x00t/{}/ini_groups/vmwtest", ALPHA[0]);
    let look = |resource: Resource| alpha.call(&resource).recurring().level(10).run("monitor");
    look(group()).exit(8);
    look(ports()).exit(0);
    alpha.write(&format!("{group_folder}/luns/mgmt"), "del 0");
    alpha.call(&group()).recurring().run("monitor").exit(8);
    look(group()).exit(1).reason_has("LUN 0");
    alpha.write(&format!("{group_folder}/initiators/mgmt"), &format!("del {}", HOST[1]));
    look(ports()).exit(1).reason_has(HOST[1]);
    alpha.write("device_groups/dummy/devices/mgmt", "del dummy_lu0dummy");
    look(group()).exit(1).reason_has("dummy");
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
