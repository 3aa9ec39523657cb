//! Promotion, switchover, loss of a node and its return: who sees which node in which state at the end of each.

use crate::fixture::sample::{self, ALPHA, Store, group, ports, seen};
use crate::fixture::{Names, eventually};

#[test]
fn one_node_is_promoted_and_both_say_so() {
    let cluster = sample::serving();
    for node in ["alpha", "beta"] {
        cluster.node(node).tree().is(&sample::tree(node, ["active", "standby"]));
    }
    assert_eq!(cluster.node("alpha").score(&group()).as_deref(), Some("10"));
    assert_eq!(cluster.node("beta").score(&group()).as_deref(), Some("5"));
    cluster.node("alpha").monitor(&group()).exit(8);
    cluster.node("beta").monitor(&group()).exit(0);
}

#[test]
fn a_switchover_and_the_way_back() {
    let (cluster, group) = (sample::serving(), group());
    cluster.switchover(&group).carry_out();
    assert_eq!(seen(cluster.node("beta")), ["unavailable", "active"]);
    assert!(!cluster.node("alpha").exists("device_groups/dummy"));
    assert_eq!(cluster.node("alpha").score(&group), None);
    cluster.start(&group, &["alpha"]);
    assert_eq!(seen(cluster.node("alpha")), ["standby", "active"]);
    assert_eq!(seen(cluster.node("beta")), ["standby", "active"]);
    cluster.transition(&group).demote(&["beta"]).promote(&["alpha"]).carry_out();
    assert_eq!(seen(cluster.node("alpha")), ["active", "standby"]);
    assert_eq!(seen(cluster.node("beta")), ["active", "standby"]);
    cluster.transition(&group).demote(&["alpha"]).stop(&["alpha", "beta"]).carry_out();
    for node in ["alpha", "beta"] {
        assert_eq!(cluster.node(node).tree().lines("device"), [""; 0]);
        assert!(cluster.node(node).mount().unknowns().is_empty());
    }
}

#[test]
fn older_and_newer_words_for_the_roles_mean_the_same() {
    let mut snapshots = Vec::new();
    for names in [Names::Both, Names::Master, Names::Promoted] {
        let cluster = sample::nodes().names(names).up();
        let group = group();
        cluster.start(&ports(), &["alpha", "beta"]);
        cluster.serve(&group);
        cluster.switchover(&group).carry_out();
        cluster.start(&group, &["alpha"]);
        snapshots.push([cluster.node("alpha").tree(), cluster.node("beta").tree()]);
    }
    assert_eq!(snapshots[0], snapshots[1]);
    assert_eq!(snapshots[0], snapshots[2]);
    assert_eq!(
        snapshots[0][0].lines("target group"),
        ["target group alpha group_id=1 standby", "target group beta group_id=2 active"]
    );
}

#[test]
fn a_fenced_node_is_notified_of_and_ends_unavailable() {
    let (cluster, group) = (sample::serving(), group());
    // The dead node is in all lists, and runs nothing itself.
    let lists = cluster.switchover(&group).lists();
    let beta = cluster.node("beta");
    let mut states = Vec::new();
    for (when, operation) in
        [("pre", "demote"), ("post", "demote"), ("pre", "stop"), ("post", "stop"), ("pre", "promote")]
    {
        beta.call(&group).lists(&lists.clone().event(when, operation)).run("notify").exit(0);
        states.push(seen(beta)[0].clone());
    }
    assert_eq!(states, ["transitioning", "transitioning", "transitioning", "unavailable", "unavailable"]);
    beta.call(&group).lists(&lists).run("promote").exit(0);
    assert_eq!(seen(beta), ["unavailable", "active"]);
}

#[test]
fn s1_without_fencing_promote_itself_declares_the_dead_peer_unavailable() {
    let (cluster, group) = (sample::serving(), group());
    cluster.loses(&group, "alpha");
    assert_eq!(seen(cluster.node("beta")), ["active", "standby"]);
    cluster.promote(&group, "beta");
    assert_eq!(seen(cluster.node("beta")), ["unavailable", "active"]);
}

#[test]
fn promote_leaves_a_peer_that_stays_promoted() {
    let (cluster, group) = (sample::serving(), group());
    let lists = cluster.transition(&group).promote(&["beta"]).lists();
    cluster.node("beta").call(&group).lists(&lists).run("promote").exit(0);
    assert_eq!(seen(cluster.node("beta")), ["active", "active"]);
}

#[test]
fn without_lists_promote_takes_active_peers_out_and_leaves_the_others() {
    let beta = sample::serving().into_node("beta");
    for (found, left) in [("active", "standby"), ("unavailable", "unavailable")] {
        beta.write("device_groups/dummy/target_groups/alpha/state", found);
        beta.run(&group(), "promote").exit(0);
        assert_eq!(seen(&beta), [left, "active"]);
    }
}

#[test]
fn without_lists_start_creates_peers_unavailable_and_leaves_those_that_are_there() {
    let alpha = sample::started();
    assert_eq!(seen(&alpha), ["standby", "unavailable"]);
    alpha.write("device_groups/dummy/target_groups/beta/state", "active");
    alpha.run(&group(), "start").exit(0);
    assert_eq!(seen(&alpha), ["standby", "active"]);
}

#[test]
fn p1_all_states_are_right_before_the_first_lun_and_no_peer_has_one_before_its_ports() {
    let (cluster, group) = (sample::with_ports(), group());
    cluster.start(&group, &["beta"]);
    let lists = cluster.transition(&group).start(&["alpha"]).lists();
    let started = cluster.node("alpha").call(&group).lists(&lists).run("start").exit(0);
    assert_eq!(seen(cluster.node("alpha")), ["standby", "standby"]);
    let lun = "luns/mgmt < add dummy_lu0dummy 0";
    let started = started.in_order(&["beta/mgmt < add 21:", "target_groups/beta/state < standby", lun]);
    let started = started.in_order(&["target_groups/alpha/state < standby", lun]);
    assert_eq!(started.times("beta/state"), 1, "{started:?}");
}

#[test]
fn start_and_promote_run_again_write_nothing() {
    let (cluster, group) = (sample::serving(), group());
    let lists = cluster.transition(&group).lists();
    let again = |node: &str, action: &str| cluster.node(node).call(&group).lists(&lists).run(action).exit(0).writes(0);
    again("alpha", "promote");
    again("alpha", "start").ran(&["cibadmin", "crm_attribute"]);
    cluster.node("alpha").monitor(&group).exit(8);
    again("beta", "start");
    again("beta", "demote").ran(&[]);
}

#[test]
fn f11_the_cluster_is_not_asked_and_the_score_not_touched_on_the_way() {
    let (cluster, group) = (sample::serving(), group());
    let lists = cluster.switchover(&group).lists();
    let alpha = cluster.node("alpha");
    alpha.call(&group).lists(&lists).run("demote").exit(0).programs(0);
    assert_eq!(alpha.score(&group).as_deref(), Some("10"));
    alpha.call(&group).lists(&lists).run("stop").exit(0).ran(&["crm_attribute"; 2]);
    cluster.node("beta").call(&group).lists(&lists).run("promote").exit(0).ran(&["crm_attribute"]);
    assert_eq!(cluster.node("beta").score(&group).as_deref(), Some("10"));
}

#[test]
fn promote_of_a_stopped_instance_starts_it_first() {
    let alpha = sample::with_ports().into_node("alpha");
    alpha.run(&group(), "promote").exit(0);
    assert_eq!(seen(&alpha), ["active", "unavailable"]);
    alpha.run(&group(), "monitor").exit(8);
}

#[test]
fn promote_of_a_half_of_an_instance_starts_it_first() {
    // The devices without the target group of this node.
    let alpha = sample::started();
    alpha.write("device_groups/dummy/target_groups/mgmt", "del alpha");
    alpha.run(&group(), "promote").exit(0);
    assert_eq!(seen(&alpha), ["active", "unavailable"]);
    // And the target groups without a device: what a start refuses is no reason to serve none.
    let (alpha, _, file) = sample::with_ports().into_node("alpha").with(&Store::File);
    let device = format!("handler=vdisk_fileio,filename={},virtname=r0,export0=all:0", file.display());
    let above = group().param("device0", &device);
    alpha.run(&above, "start").exit(0);
    alpha.write("device_groups/dummy/devices/mgmt", "del dummy_r0");
    alpha.write("handlers/vdisk_fileio/mgmt", "del_device dummy_r0");
    std::fs::rename(&file, file.with_extension("away")).unwrap();
    alpha.run(&above, "promote").exit(5).reason_has("backing store does not exist");
    assert_eq!(seen(&alpha)[0], "standby");
    std::fs::rename(file.with_extension("away"), &file).unwrap();
    alpha.run(&above, "promote").exit(0);
    assert_eq!(alpha.read("devices/dummy_r0/active"), "1");
}

#[test]
fn a_promotion_that_somebody_else_undoes_meanwhile_fails() {
    let alpha = sample::started();
    let state = "device_groups/dummy/target_groups/alpha/state";
    alpha.control(&format!("fault op=read process=scst_aluadg path=**/{state} at=2 action=delay after=1s"));
    let promote = alpha.call(&group()).begin("promote");
    eventually("the state is written", || alpha.read(state) == "active");
    alpha.write(state, "standby");
    promote.wait().exit(1).reason("target group alpha: state is standby after writing active");
    assert_eq!(alpha.score(&group()), None);
}

#[test]
fn d8_a_device_that_does_not_open_fails_the_promotion_and_drops_the_score() {
    let (alpha, group, disk) = sample::with_ports().into_node("alpha").with(&Store::Drbd);
    let role = |role: &str| alpha.control(&format!("store {} drbd={role}", disk.display()));
    role("primary");
    alpha.run(&group, "start").exit(0);
    role("secondary");
    alpha.run(&group, "promote").exit(1).reason("backing store could not be opened: device dummy_r0");
    assert_eq!(seen(&alpha)[0], "standby");
    assert_eq!(alpha.score(&group), None);
    alpha.run(&group, "monitor").exit(0);
    // The same when it opens: nothing of the failed attempt is left in the way.
    role("primary");
    alpha.run(&group, "promote").exit(0);
    assert_eq!(alpha.read("devices/dummy_r0/active"), "1");
    assert_eq!(alpha.score(&group).as_deref(), Some("10"));
}

#[test]
fn a_promotion_of_a_serving_instance_that_fails_takes_nothing_from_hosts() {
    let (alpha, group, disk) = sample::started_above(&Store::Disk);
    alpha.run(&group, "promote").exit(0);
    alpha.write("devices/dummy_r0/active", "0");
    alpha.control(&format!("store {} present=false", disk.display()));
    // The cluster has lost sight of the instance, after a reload, and promotes it again.
    alpha.run(&group, "promote").exit(1).reason("backing store could not be opened: device dummy_r0");
    assert_eq!(seen(&alpha)[0], "active");
    assert_eq!(alpha.score(&group).as_deref(), Some("10"));
    alpha.run(&group, "monitor").exit(9);
}

#[test]
fn a_promotion_that_cannot_see_whether_it_serves_takes_nothing_from_hosts() {
    let alpha = sample::started();
    alpha.run(&group(), "promote").exit(0);
    alpha.control("fault op=read path=**/target_groups/alpha/state action=fail errno=EIO");
    alpha.run(&group(), "promote").exit(1).reason_has("EIO reading");
    assert_eq!(seen(&alpha)[0], "active");
    alpha.run(&group(), "promote").exit(0);
}

#[test]
fn a_standby_node_adds_a_device_that_cannot_be_opened_there() {
    let (alpha, group, disk) = sample::with_ports().into_node("alpha").with(&Store::Disk);
    alpha.declare(&disk, "kind=block size=1048576 open_error=EMEDIUMTYPE");
    alpha.run(&group, "start").exit(0);
    assert!(alpha.exists("devices/dummy_r0"));
    alpha.run(&group, "start").exit(0).writes(0);
    alpha.declare(&disk, "kind=block size=1048576");
    alpha.run(&group, "promote").exit(0);
    assert_eq!(alpha.read("devices/dummy_r0/active"), "1");
}

#[test]
fn a_disk_that_somebody_else_holds_is_named_and_nothing_is_left_half_done() {
    let (alpha, group, disk) = sample::with_ports().into_node("alpha").with(&Store::Disk);
    alpha.declare(&disk, "kind=block size=1048576 held=true");
    // A standby opens no store, so nobody is in its way.
    alpha.run(&group, "start").exit(0);
    alpha.run(&group, "promote").exit(1).reason_has("backing store could not be opened: device dummy_r0");
    assert_eq!(seen(&alpha)[0], "standby");
    assert_eq!(alpha.read("devices/dummy_r0/active"), "0");
    alpha.declare(&disk, "kind=block size=1048576");
    alpha.run(&group, "promote").exit(0);
    assert_eq!(alpha.read("devices/dummy_r0/active"), "1");
}

#[test]
fn a_demotion_of_what_does_not_run_is_done() {
    let alpha = sample::nodes().up().into_node("alpha");
    alpha.run(&group(), "demote").exit(0).writes(0).programs(0);
    assert_eq!(alpha.tree().lines(""), ["no SCST"]);
    assert_eq!(alpha.score(&group()), None);
}

#[test]
fn promote_adopts_a_port_that_was_added_before_it_existed() {
    let alpha = sample::started();
    alpha.control(&format!("unplug {}", ALPHA[1]));
    alpha.write("device_groups/dummy/target_groups/alpha/mgmt", &format!("add {}", ALPHA[1]));
    alpha.control(&format!("plug wwpn={}", ALPHA[1]));
    assert!(alpha.tree().lines("remote").iter().any(|line| line.contains(ALPHA[1])));
    alpha.run(&group(), "promote").exit(0);
    let local = alpha.tree().lines("local").len();
    assert_eq!(local, 2, "{:?}", alpha.tree());
    assert_eq!(seen(&alpha)[0], "active");
}

#[test]
fn start_over_an_active_group_changes_no_state_and_converges_the_rest() {
    let alpha = sample::serving().into_node("alpha");
    alpha.run(&sample::grown(), "start").exit(0);
    assert_eq!(seen(&alpha), ["active", "standby"]);
    assert_eq!(alpha.tree().lines("lun 1").len(), 2);
}

#[test]
fn start_over_transitioning_left_by_a_dead_run_ends_in_standby() {
    let alpha = sample::serving().into_node("alpha");
    alpha.write("device_groups/dummy/target_groups/alpha/state", "transitioning");
    alpha.run(&group(), "monitor").exit(1);
    alpha.run(&group(), "start").exit(0);
    assert_eq!(seen(&alpha)[0], "standby");
}
