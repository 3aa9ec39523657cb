//! A planned move: hosts wait from the demotion of one node to the promotion of the other, and never longer than that is under way.

use std::time::Duration;

use scst_sim::model::ScstVersion;
use scst_sim::stand_in::Role;

use crate::fixture::sample::{self, group, ports, seen};
use crate::fixture::{Cluster, Lists, Names, eventually};

/// What the hosts of alpha and of beta are shown.
fn views(cluster: &Cluster) -> [[String; 2]; 2] {
    ["alpha", "beta"].map(|node| seen(cluster.node(node)))
}

/// The lists of the transition that moves the group from alpha to beta.
fn lists() -> Lists {
    Lists::new()
        .list("active", &["alpha", "beta"])
        .list("promoted", &["alpha"])
        .list("demote", &["alpha"])
        .list("promote", &["beta"])
}

fn notify(cluster: &Cluster, when: &'static str, operation: &'static str, lists: &Lists) {
    for node in ["alpha", "beta"] {
        let call = cluster.node(node).call(&group()).lists(&lists.clone().event(when, operation));
        call.run("notify").exit(0).programs(0);
    }
}

/// A pair whose CIB knows the clone, with alpha demoted for beta.
fn halfway() -> Cluster {
    let cluster = sample::serving_clone();
    notify(&cluster, "pre", "demote", &lists());
    cluster.node("alpha").call(&group()).lists(&lists()).run("demote").exit(0).programs(0);
    cluster.cib().set_role("alpha", group().id(), Role::Unpromoted).expect("the CIB can be changed");
    notify(&cluster, "post", "demote", &lists());
    cluster
}

#[test]
fn a_reload_leaves_what_a_notification_wrote_and_could_not_remember() {
    let cluster = sample::serving_clone();
    let alpha = cluster.node("alpha");
    let full = alpha.fill_rsctmp();
    for (when, operation) in [("pre", "demote"), ("post", "demote"), ("pre", "promote"), ("post", "promote")] {
        notify(&cluster, when, operation, &lists());
        if (when, operation) == ("pre", "demote") {
            alpha.write("device_groups/dummy/target_groups/alpha/state", "standby");
        }
    }
    drop(full);
    assert_eq!(seen(alpha), ["standby", "active"]);
    alpha.run(&sample::grown(), "reload").exit(0);
    assert_eq!(seen(alpha), ["standby", "active"], "the kernel knows better than the state file");
}

#[test]
fn hosts_wait_until_the_other_node_is_promoted() {
    for version in [ScstVersion::V3_11, ScstVersion::V3_7] {
        let cluster = sample::with_ports_of(version);
        cluster.serve(&group());
        let (alpha, beta) = (cluster.node("alpha"), cluster.node("beta"));
        notify(&cluster, "pre", "demote", &lists());
        alpha.call(&group()).lists(&lists()).run("demote").exit(0).programs(0).wrote(&[
            "devices/dummy_lu0dummy/block < 11",
            "device_groups/dummy/target_groups/alpha/state < transitioning",
            "devices/dummy_lu0dummy/block < 0",
        ]);
        alpha.call(&group()).lists(&lists()).run("demote").exit(0).writes(0);
        notify(&cluster, "post", "demote", &lists());
        assert_eq!(views(&cluster), [["transitioning", "standby"]; 2]);
        // It is no failure, neither in a monitor nor in a probe, and the score is left alone: a change would abort the transition.
        alpha.monitor(&group()).exit(0).writes(0).programs(0);
        alpha.call(&group()).run("monitor").exit(0).writes(0);
        notify(&cluster, "pre", "promote", &lists());
        assert_eq!(seen(cluster.node("alpha")), ["transitioning", "transitioning"]);
        beta.call(&group()).lists(&lists()).run("promote").exit(0);
        notify(&cluster, "post", "promote", &lists());
        assert_eq!(views(&cluster), [["standby", "active"]; 2]);
        alpha.monitor(&group()).exit(0).ran(&["crm_mon", "crm_attribute"]);
        alpha.monitor(&group()).exit(0).writes(0).programs(0);
        beta.monitor(&group()).exit(8).writes(0).programs(0);
    }
}

#[test]
fn a_demotion_without_another_promotion_ends_in_standby() {
    for lists in [lists().list("promote", &[]), lists().list("promote", &["alpha"])] {
        let cluster = sample::serving();
        cluster.node("alpha").call(&group()).lists(&lists).run("demote").exit(0);
        notify(&cluster, "post", "demote", &lists);
        assert_eq!(views(&cluster), [["standby", "standby"]; 2]);
    }
}

#[test]
fn a_store_is_closed_while_hosts_wait() {
    let cluster = sample::with_ports();
    let disk = cluster.disk("r0", 1 << 20);
    let group = sample::above(&disk, "");
    cluster.serve(&group);
    let alpha = cluster.node("alpha");
    assert_eq!(alpha.read("devices/dummy_r0/active"), "1");
    alpha.call(&group).lists(&lists()).run("demote").exit(0);
    assert_eq!(
        (alpha.state("dummy", "alpha").as_str(), alpha.read("devices/dummy_r0/active").as_str()),
        ("transitioning", "0")
    );
}

#[test]
fn stop_start_and_a_promotion_back_end_the_waiting() {
    for (action, ends) in
        [("stop", None), ("start", Some("standby")), ("promote", Some("active")), ("demote", Some("standby"))]
    {
        let alpha = halfway().into_node("alpha");
        alpha.run(&group(), action).exit(0);
        match ends {
            None => assert!(!alpha.exists("device_groups/dummy")),
            Some(state) => assert_eq!(alpha.state("dummy", "alpha"), state, "{action}"),
        }
        // What waited is over: transitioning by another hand is a failure again.
        if ends.is_some() {
            alpha.write("device_groups/dummy/target_groups/alpha/state", "transitioning");
            alpha.monitor(&group()).exit(1).reason_has("transitioning");
        }
    }
}

#[test]
fn a_promotion_that_was_lost_ends_the_waiting_once_nothing_is_under_way() {
    let cluster = halfway();
    let (alpha, beta) = (cluster.node("alpha"), cluster.node("beta"));
    alpha.age(&group(), 15);
    beta.age(&group(), 15);
    alpha.monitor(&group()).exit(0).writes(0).programs(0);
    beta.monitor(&group()).exit(0).writes(0).programs(0);
    alpha.age(&group(), 10);
    beta.age(&group(), 10);
    cluster.pending(group().id(), Some("promote"));
    alpha.monitor(&group()).exit(0).writes(0).ran(&["crm_mon"]);
    assert_eq!(alpha.state("dummy", "alpha"), "transitioning");
    cluster.pending(group().id(), None);
    alpha
        .monitor(&group())
        .exit(0)
        .ran(&["crm_mon"])
        .wrote(&["device_groups/dummy/target_groups/alpha/state < standby"]);
    beta.monitor(&group())
        .exit(0)
        .ran(&["crm_mon"])
        .wrote(&["device_groups/dummy/target_groups/alpha/state < standby"]);
    alpha.monitor(&group()).exit(0).ran(&["crm_mon", "crm_attribute"]);
    alpha.monitor(&group()).exit(0).writes(0).programs(0);
    assert_eq!(views(&cluster), [["standby", "standby"]; 2]);
    // A cluster that cannot be asked leaves it as it is, and is no failure of this node.
    let cluster = halfway();
    let alpha = cluster.node("alpha");
    alpha.age(&group(), 30);
    alpha.call(&group()).recurring().without_cluster().run("monitor").exit(0).writes(0).logged("crm_mon");
}

#[test]
fn hosts_wait_also_for_what_has_to_be_promoted_before_the_group() {
    let cluster = halfway();
    sample::promotes_drbd(&cluster);
    for node in ["alpha", "beta"] {
        cluster.node(node).age(&group(), 25);
        cluster.node(node).monitor(&group()).exit(0).writes(0).ran(&["crm_mon"]);
        assert_eq!(seen(cluster.node(node)), ["transitioning", "standby"]);
    }
    cluster.pending("drbd", None);
    for node in ["alpha", "beta"] {
        let ended = cluster.node(node).monitor(&group()).exit(0).ran(&["crm_mon"]);
        ended.wrote(&["device_groups/dummy/target_groups/alpha/state < standby"]);
    }
}

#[test]
fn a_promotion_that_fails_or_is_planned_anew_ends_the_waiting() {
    let cluster = halfway();
    let beta = cluster.node("beta");
    beta.control("fault op=write path=**/target_groups/beta/state action=fail errno=EIO");
    beta.call(&group()).lists(&lists()).run("promote").exit(1).reason_has("EIO");
    notify(&cluster, "post", "promote", &lists());
    assert_eq!(cluster.node("alpha").state("dummy", "alpha"), "standby");
    // The transition was aborted after the demotion: the next one knows of a promotion only.
    let cluster = halfway();
    let anew = Lists::new().list("active", &["alpha", "beta"]).list("promote", &["beta"]);
    notify(&cluster, "pre", "promote", &anew);
    assert_eq!(seen(cluster.node("alpha")), ["transitioning", "transitioning"]);
    cluster.node("beta").call(&group()).lists(&anew).run("promote").exit(0);
    notify(&cluster, "post", "promote", &anew);
    assert_eq!(views(&cluster), [["standby", "active"]; 2]);
}

#[test]
fn a_third_node_learns_that_a_move_is_over_also_when_its_transition_was_planned_anew() {
    let cluster = sample::nodes().node("gamma", 3).port(sample::GAMMA).up();
    cluster.start(&ports(), &["alpha", "beta", "gamma"]);
    cluster.transition(&group()).start(&["alpha", "beta", "gamma"]).promote(&["alpha"]).carry_out();
    let gamma = cluster.node("gamma");
    let all = ["alpha", "beta", "gamma"];
    let notified = |when, operation, lists: Lists| {
        gamma.call(&group()).lists(&lists.event(when, operation)).run("notify").exit(0).programs(0);
        ["alpha", "beta"].map(|node| gamma.state("dummy", node))
    };
    assert_eq!(notified("pre", "demote", lists().list("active", &all)), ["transitioning", "standby"]);
    assert_eq!(notified("post", "demote", lists().list("active", &all)), ["transitioning", "standby"]);
    let anew = || Lists::new().list("active", &all).list("promote", &["beta"]);
    assert_eq!(notified("pre", "promote", anew()), ["transitioning", "transitioning"]);
    assert_eq!(notified("post", "promote", anew()), ["standby", "active"]);
}

#[test]
fn a_demotion_for_a_move_that_does_not_drain_stays_active_and_one_that_died_recovers() {
    let (alpha, io) = sample::busy();
    let limit = Duration::from_millis(1500);
    alpha.call(&group()).lists(&lists()).timeout(limit).run("demote").exit(1);
    assert_eq!(alpha.state("dummy", "alpha"), "active");
    sample::finish(&alpha, &io);
    eventually("the device is unblocked", || alpha.read(sample::BLOCK) == "0 0");
    alpha.monitor(&group()).exit(8);
    alpha.call(&group()).lists(&lists()).run("demote").exit(0);
    assert_eq!(alpha.state("dummy", "alpha"), "transitioning");
}

#[test]
fn a_node_of_the_shell_version_that_demotes_at_once_is_followed() {
    // It writes standby itself, and hears nothing of ours: what counts is what is published here.
    let beta = sample::serving().into_node("beta");
    let old = lists().names(Names::Master);
    let notified = |when, operation| {
        beta.call(&group()).lists(&old.clone().event(when, operation)).run("notify").exit(0);
        beta.state("dummy", "alpha")
    };
    assert_eq!(notified("pre", "demote"), "transitioning");
    assert_eq!(notified("post", "demote"), "transitioning");
    beta.call(&group()).lists(&old).run("promote").exit(0);
    assert_eq!(notified("post", "promote"), "standby");
    assert_eq!(seen(&beta), ["standby", "active"]);
}
