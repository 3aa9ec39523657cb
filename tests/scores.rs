//! The promotion score: the instance that serves has the higher one, and what happens when the cluster has lost sight of it.

use std::time::Duration;

use crate::fixture::sample::{self, BLOCK, Store, finish, group, grown};
use crate::fixture::{Lists, Node, Running, eventually};

fn score(node: &Node) -> Option<String> {
    node.score(&group())
}

#[test]
fn the_instance_that_serves_has_the_higher_score_after_every_action_that_sets_one() {
    let cluster = sample::serving();
    let refused = group().param("device0", "?");
    let runs = [("reload", &group()), ("reload-agent", &group()), ("reload", &refused), ("start", &group())];
    for (action, resource) in runs {
        for (node, earned) in [("alpha", "10"), ("beta", "5")] {
            cluster.set_score(node, None);
            cluster.node(node).run(resource, action).code_is(0).writes(0);
            assert_eq!(score(cluster.node(node)).as_deref(), Some(earned), "{action} on {node}");
        }
    }
}

#[test]
fn s3_a_recurring_monitor_lowers_the_score_of_a_demoted_instance_once() {
    let alpha = sample::serving().into_node("alpha");
    alpha.run(&group(), "demote").exit(0).programs(0);
    assert_eq!(score(&alpha).as_deref(), Some("10"));
    alpha.monitor(&group()).exit(0).writes(0).ran(&["crm_mon", "crm_attribute"]);
    assert_eq!(score(&alpha).as_deref(), Some("5"));
    alpha.monitor(&group()).exit(0).writes(0).programs(0);
    alpha.run(&group(), "promote").exit(0);
    assert_eq!(score(&alpha).as_deref(), Some("10"));
    alpha.monitor(&group()).exit(8).writes(0).programs(0);
}

#[test]
fn the_score_is_not_lowered_while_anything_is_pending_or_the_cluster_cannot_be_asked() {
    let cluster = sample::serving();
    let alpha = cluster.node("alpha");
    sample::promotes_drbd(&cluster);
    alpha.run(&group(), "demote").exit(0);
    alpha.monitor(&group()).exit(0).ran(&["crm_mon"]);
    alpha.call(&group()).recurring().env("STAND_IN_FAIL", "crm_mon:1").run("monitor").exit(0).logged("not lowered yet");
    assert_eq!(score(alpha).as_deref(), Some("10"));
    cluster.pending("drbd", None);
    alpha.monitor(&group()).exit(0).ran(&["crm_mon", "crm_attribute"]);
    assert_eq!(score(alpha).as_deref(), Some("5"));
}

#[test]
fn an_instance_of_an_older_version_gets_the_higher_score_from_its_next_monitor() {
    let cluster = sample::serving();
    let alpha = cluster.node("alpha");
    let record = alpha.record(&group()).expect("a running instance has a record");
    alpha.set_record(&group(), &record.replace("score 10\n", ""));
    cluster.set_score("alpha", Some("5"));
    alpha.monitor(&group()).exit(8).ran(&["crm_attribute"]);
    assert_eq!(score(alpha).as_deref(), Some("10"));
}

#[test]
fn a_score_that_cannot_be_set_fails_nothing_and_the_next_monitor_sets_it() {
    let alpha = sample::with_ports().into_node("alpha");
    let busy = || alpha.call(&group()).env("STAND_IN_FAIL", "crm_attribute:124");
    busy().run("start").exit(0).logged("promotion score not set");
    assert_eq!((score(&alpha), alpha.state("dummy", "alpha").as_str()), (None, "standby"));
    busy().recurring().run("monitor").exit(0).logged("promotion score not set");
    alpha.monitor(&group()).exit(0).ran(&["crm_attribute"]);
    assert_eq!(score(&alpha).as_deref(), Some("5"));
    busy().run("promote").exit(0).logged("promotion score not set");
    alpha.monitor(&group()).exit(8).ran(&["crm_attribute"]);
    assert_eq!(score(&alpha).as_deref(), Some("10"));
    alpha.monitor(&group()).exit(8).programs(0);
}

#[test]
fn s2_a_monitor_does_not_give_back_the_score_that_a_failed_promotion_took() {
    let alpha = sample::started();
    alpha.control("fault op=write path=**/target_groups/alpha/state action=fail errno=EIO");
    alpha.run(&group(), "promote").exit(1).reason_has("EIO");
    alpha.monitor(&group()).exit(0).programs(0);
    assert_eq!(score(&alpha), None);
}

/// The promotion of beta in a cluster that does not know that alpha serves: a change of its configuration was noted as a start.
fn over_alpha() -> Lists {
    Lists::new().list("active", &["alpha", "beta"]).list("promote", &["beta"])
}

#[test]
fn a_node_that_serves_gives_way_when_another_one_is_promoted_over_it() {
    for event in ["pre", "post"] {
        let alpha = sample::serving().into_node("alpha");
        let lists = over_alpha().event(event, "promote");
        let notified = alpha.call(&group()).lists(&lists).run("notify").exit(0).programs(0);
        assert_eq!(notified.written()[..4], sample::DEMOTION, "{event}");
        assert_eq!((alpha.state("dummy", "alpha").as_str(), alpha.read(BLOCK).as_str()), ("standby", "0 0"));
        alpha.monitor(&group()).exit(0).ran(&["crm_mon", "crm_attribute"]);
        assert_eq!(score(&alpha).as_deref(), Some("5"));
    }
}

/// A reload that hangs in a write until it is released.
fn hung_reload(alpha: &Node) -> Running<'_> {
    alpha.control("fault op=write path=**/devices/dummy_lu1/prod_id action=hang");
    let reload = alpha.call(&grown()).begin("reload");
    eventually("the reload waits", || alpha.mount().waiting() == 1);
    reload
}

#[test]
fn a_node_gives_way_also_when_its_commands_do_not_end_or_an_action_hangs() {
    let (alpha, io) = sample::busy();
    let lists = over_alpha().event("pre", "promote");
    let limit = Duration::from_secs(4);
    alpha.call(&group()).lists(&lists).timeout(limit).run("notify").exit(0).within(limit).logged("stepping down");
    assert_eq!(alpha.state("dummy", "alpha"), "standby");
    finish(&alpha, &io);
    eventually("the device is unblocked", || alpha.read(BLOCK) == "0 0");

    let alpha = sample::serving().into_node("alpha");
    let reload = hung_reload(&alpha);
    alpha.call(&group()).lists(&lists).run("notify").exit(0).logged("without a drain").within(Duration::from_secs(6));
    assert_eq!(alpha.state("dummy", "alpha"), "standby");
    alpha.control("release");
    drop(reload.wait());
    assert_eq!(alpha.state("dummy", "alpha"), "standby");
}

#[test]
fn a_node_gives_way_also_when_something_cannot_be_looked_at() {
    let faults = [
        ("devices/dummy_lu0dummy/block", "fail errno=EIO"),
        ("devices/dummy_lu0dummy/block", "hang"),
        ("target_groups/alpha/state", "fail errno=EIO"),
        ("target_groups/alpha/state", "hang"),
        ("target_groups/beta/state", "fail errno=EIO"),
    ];
    for (path, action) in faults {
        let alpha = sample::serving().into_node("alpha");
        alpha.control(&format!("fault op=read path=**/{path} repeat=true action={action}"));
        let limit = Duration::from_secs(4);
        let lists = over_alpha().event("pre", "promote");
        alpha.call(&group()).lists(&lists).timeout(limit).run("notify").exit(0).programs(0).within(limit);
        alpha.control("disarm");
        alpha.control("release");
        assert_eq!(alpha.state("dummy", "alpha"), "standby", "{path} {action}");
        assert_eq!(alpha.read(BLOCK), "0 0", "{path} {action}");
    }
}

#[test]
fn a_failed_promotion_steps_back_also_when_something_cannot_be_looked_at() {
    let (alpha, group, disk) = sample::started_above(&Store::Disk);
    alpha.declare(&disk, "kind=block size=1048576 open_error=EIO");
    alpha.control(&format!("fault op=read path=**/{BLOCK} repeat=true action=fail errno=EIO"));
    alpha.run(&group, "promote").exit(1).reason_has("dummy_r0").logged("without a drain");
    assert_eq!(alpha.state("dummy", "alpha"), "standby");
}

#[test]
fn a_node_that_is_meant_to_serve_on_or_to_go_by_itself_does_not_give_way() {
    let alpha = sample::serving().into_node("alpha");
    let promote = || over_alpha().event("pre", "promote");
    let calls = [
        alpha.call(&group()).lists(&promote().list("demote", &["alpha"])),
        alpha.call(&group()).lists(&promote().list("stop", &["alpha"])),
        alpha.call(&group()).lists(&promote()).meta("promoted_max", "2").meta("master_max", "2"),
        alpha.call(&group()).lists(&Lists::new().list("promote", &["alpha"]).event("pre", "promote")),
        alpha.call(&group()).lists(&over_alpha().event("post", "start")),
    ];
    for call in calls {
        call.run("notify").exit(0).programs(0);
        assert_eq!(alpha.state("dummy", "alpha"), "active");
    }
}

#[test]
fn a_notification_waits_two_seconds_for_a_hung_action_and_a_stop_a_quarter_of_its_time() {
    let alpha = sample::serving().into_node("alpha");
    let reload = hung_reload(&alpha);
    let lists = Lists::new().list("active", &["alpha", "beta"]).list("stop", &["beta"]).event("pre", "stop");
    let notified = alpha.call(&group()).lists(&lists).meta("timeout", "30000").run("notify").exit(0);
    let notified = notified.writes(0).logged("another action on dummy");
    assert!(notified.took() >= Duration::from_millis(1900), "{:?}", notified.took());
    assert!(notified.within(Duration::from_secs(2)).took() < Duration::from_secs(10));
    let stopped = alpha.call(&group()).timeout(Duration::from_secs(8)).run("stop").exit(0).logged("without the lock");
    assert!(stopped.took() >= Duration::from_millis(1500), "{:?}", stopped.took());
    assert!(!alpha.exists("device_groups/dummy"));
    alpha.control("release");
    drop(reload.wait());
}

#[test]
fn a_failed_promotion_drains_before_it_steps_back() {
    let (alpha, group, disk) = sample::started_above(&Store::Disk);
    alpha.declare(&disk, "kind=block size=1048576 open_error=EIO");
    let order =
        ["state < active", "lu0dummy/block < 11", "state < transitioning", "state < standby", "lu0dummy/block < 0"];
    alpha.run(&group, "promote").exit(1).reason_has("dummy_r0").in_order(&order);
    assert_eq!((alpha.state("dummy", "alpha").as_str(), alpha.read(BLOCK).as_str()), ("standby", "0 0"));
}

#[test]
fn a_stop_whose_transition_starts_the_instance_again_leaves_the_score_alone() {
    let restart = || Lists::new().list("active", &["alpha", "beta"]).list("stop", &["alpha", "beta"]);
    let cluster = sample::serving();
    let alpha = cluster.node("alpha");
    let lists = restart().list("start", &["alpha", "beta"]);
    alpha.call(&group()).lists(&lists).run("stop").exit(0).programs(0);
    assert_eq!(score(alpha).as_deref(), Some("10"));
    alpha.call(&group()).lists(&lists).run("start").exit(0);
    assert_eq!(score(alpha).as_deref(), Some("5"));
    // It serves again in the same transition, which a lower score in between would end.
    let cluster = sample::serving();
    let alpha = cluster.node("alpha");
    let lists = lists.list("demote", &["alpha"]).list("promote", &["alpha"]);
    alpha.call(&group()).lists(&lists).run("stop").exit(0).programs(0);
    alpha.call(&group()).lists(&lists).run("start").exit(0).ran(&["cibadmin"]);
    assert_eq!(score(alpha).as_deref(), Some("10"));
    alpha.call(&group()).lists(&lists).run("promote").exit(0);
    assert_eq!(score(alpha).as_deref(), Some("10"));
    // Started elsewhere only.
    alpha.call(&group()).lists(&restart().list("start", &["beta"])).run("stop").exit(0).ran(&["crm_attribute"; 2]);
    assert_eq!(score(alpha), None);
}
