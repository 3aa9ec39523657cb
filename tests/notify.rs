//! Notifications: every row of the table, and what they must never do.

use std::time::Duration;

use crate::fixture::sample::{self, ALPHA, BETA, GAMMA, group, ports};
use crate::fixture::{Cluster, Fixture, Lists};

/// Three nodes with the group running; what happens is watched on alpha.
fn watched() -> Cluster {
    let cluster = sample::three_nodes().up();
    let alpha = cluster.node("alpha");
    alpha.run(&ports(), "start").exit(0);
    alpha.run(&group(), "start").exit(0);
    cluster
}

/// The states of alpha, beta and gamma as alpha publishes them.
fn seen(cluster: &Cluster) -> [String; 3] {
    ["alpha", "beta", "gamma"].map(|node| cluster.node("alpha").state("dummy", node))
}

fn notify(cluster: &Cluster, when: &'static str, operation: &'static str, lists: Lists) -> [String; 3] {
    let lists = lists.event(when, operation);
    let call = cluster.node("alpha").call(&group()).lists(&lists);
    call.run("notify").exit(0).programs(0).within(Duration::from_secs(2));
    seen(cluster)
}

#[test]
fn each_notification_sets_the_nodes_it_names() {
    let cluster = watched();
    let all = || Lists::new().list("available", &["alpha", "beta", "gamma"]);
    let running = || all().list("active", &["alpha", "beta", "gamma"]);
    assert_eq!(seen(&cluster), ["standby", "unavailable", "unavailable"]);
    let before = cluster.node("alpha").tree();
    // A pre-start changes nobody.
    let starting = || all().list("active", &["alpha"]).list("start", &["beta"]);
    assert_eq!(notify(&cluster, "pre", "start", starting()), ["standby", "unavailable", "unavailable"]);
    assert_eq!(notify(&cluster, "post", "start", starting()), ["standby", "standby", "unavailable"]);
    let gamma = || all().list("active", &["alpha", "beta"]).list("start", &["gamma"]);
    assert_eq!(notify(&cluster, "post", "start", gamma()), ["standby", "standby", "standby"]);
    let promote = || running().list("promote", &["beta"]);
    assert_eq!(notify(&cluster, "pre", "promote", promote()), ["standby", "transitioning", "standby"]);
    assert_eq!(notify(&cluster, "post", "promote", promote()), ["standby", "active", "standby"]);
    let demote = || running().list("promoted", &["beta"]).list("demote", &["beta"]);
    assert_eq!(notify(&cluster, "pre", "demote", demote()), ["standby", "transitioning", "standby"]);
    assert_eq!(notify(&cluster, "post", "demote", demote()), ["standby", "standby", "standby"]);
    let stop = || running().list("stop", &["beta", "gamma"]);
    assert_eq!(notify(&cluster, "pre", "stop", stop()), ["standby", "transitioning", "transitioning"]);
    assert_eq!(notify(&cluster, "post", "stop", stop()), ["standby", "unavailable", "unavailable"]);
    // Its states are the only thing that has changed.
    assert_eq!(cluster.node("alpha").tree(), before);
}

#[test]
fn post_start_follows_the_promoted_less_the_demoted() {
    let cluster = watched();
    let lists = Lists::new().list("active", &["beta", "gamma"]).list("promoted", &["beta"]).list("start", &["alpha"]);
    assert_eq!(notify(&cluster, "post", "start", lists.clone()), ["standby", "active", "standby"]);
    // Being demoted in the same transition, it is not active any more when anybody hears of it.
    assert_eq!(notify(&cluster, "post", "start", lists.list("demote", &["beta"])), ["standby", "standby", "standby"]);
}

#[test]
fn who_is_about_to_be_promoted_waits_for_its_own_notification() {
    let cluster = watched();
    let lists = Lists::new().list("active", &["alpha"]).list("start", &["beta"]).list("promote", &["beta"]);
    assert_eq!(notify(&cluster, "post", "start", lists), ["standby", "standby", "unavailable"]);
}

#[test]
fn who_is_about_to_stop_is_not_running_after_a_start() {
    let cluster = watched();
    let lists = Lists::new().list("active", &["alpha", "gamma"]).list("start", &["beta"]).list("stop", &["gamma"]);
    assert_eq!(notify(&cluster, "post", "start", lists), ["standby", "standby", "unavailable"]);
}

#[test]
fn a_node_does_not_follow_notifications_about_itself() {
    let cluster = watched();
    for (when, operation) in
        [("pre", "promote"), ("post", "promote"), ("pre", "stop"), ("post", "stop"), ("pre", "demote")]
    {
        let lists = Lists::new().list("active", &["alpha"]).list(operation, &["alpha"]);
        assert_eq!(
            notify(&cluster, when, operation, lists),
            ["standby", "unavailable", "unavailable"],
            "{when} {operation}"
        );
    }
}

#[test]
fn f5_a_name_within_another_name_is_another_node() {
    let fixture = Fixture::new().node("node10", 10).port(BETA[0]).node("node1", 1).port(ALPHA[0]);
    let node1 = fixture.node("node", 2).port(GAMMA).up().into_node("node1");
    node1.run(&ports(), "start").exit(0);
    assert_eq!(node1.tree().lines("port"), [format!("port qla2x00t/{} enabled=1 rel_tgt_id=101", ALPHA[0])]);
    let active = Lists::new().list("active", &["node10"]).list("promoted", &["node10"]).list("start", &["node1"]);
    node1.call(&group()).lists(&active).run("start").exit(0);
    let states = || ["node", "node1", "node10"].map(|node| node1.state("dummy", node));
    assert_eq!(states(), ["unavailable", "standby", "active"]);
    for (operation, state) in [("stop", "unavailable"), ("start", "standby")] {
        let lists = Lists::new().list("active", &["node1"]).list(operation, &["node10"]).event("post", operation);
        node1.call(&group()).lists(&lists).run("notify").exit(0);
        assert_eq!(states(), ["unavailable", "standby", state]);
    }
}

#[test]
fn a_notification_said_twice_writes_once() {
    let cluster = watched();
    let lists = Lists::new().list("active", &["alpha", "beta"]).list("promote", &["beta"]).event("post", "promote");
    let alpha = cluster.node("alpha");
    alpha
        .call(&group())
        .lists(&lists)
        .run("notify")
        .exit(0)
        .wrote(&["device_groups/dummy/target_groups/beta/state < active"]);
    alpha.call(&group()).lists(&lists).run("notify").exit(0).writes(0);
}

#[test]
fn nodes_without_a_target_group_are_named_and_the_others_followed() {
    let cluster = watched();
    let lists = Lists::new().list("active", &["alpha"]).list("start", &["delta", "beta"]).event("post", "start");
    cluster.node("alpha").call(&group()).lists(&lists).run("notify").exit(0).logged("delta");
    assert_eq!(seen(&cluster)[1], "standby");
}

#[test]
fn the_state_of_a_group_without_remote_ports_is_never_written() {
    let alpha = watched().into_node("alpha");
    alpha.write("device_groups/dummy/target_groups/beta/mgmt", &format!("del {}", BETA[0]));
    let lists = Lists::new().list("active", &["alpha", "beta"]).list("promote", &["beta"]).event("post", "promote");
    alpha.call(&group()).lists(&lists).run("notify").exit(0).writes(0).logged("no remote port");
}

#[test]
fn a_stopped_instance_and_nonsense_change_nothing_and_succeed() {
    let alpha = sample::with_ports().into_node("alpha");
    let before = alpha.tree();
    let lists = Lists::new().list("active", &["beta"]).list("promote", &["beta"]).event("post", "promote");
    alpha.call(&group()).lists(&lists).run("notify").exit(0).writes(0).programs(0);
    alpha.run(&group(), "notify").exit(0).writes(0);
    alpha.run(&group(), "start").exit(0);
    let started = alpha.tree();
    for (when, operation) in [("", ""), ("mid", "promote"), ("post", "migrate"), ("post", "")] {
        alpha.call(&group()).lists(&lists.clone().event(when, operation)).run("notify").exit(0).writes(0);
    }
    alpha.run(&group().param("groupname", "no/group"), "notify").exit(0).writes(0);
    assert_eq!(alpha.tree(), started);
    alpha.run(&group(), "stop").exit(0);
    assert_eq!(alpha.tree().lines("port"), before.lines("port"));
}
