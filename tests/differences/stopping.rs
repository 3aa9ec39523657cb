//! Rows of "Stopping, starting and fencing" that are about stops, blocks and scores: what would get a node fenced.

use super::{BLOCK, SHORT, busy, killed, place, send};
use crate::fixture::sample::{self, ALPHA, Store, group, ports};
use crate::fixture::{Lists, Resource, eventually};

#[test]
fn f1_stop_does_not_look_at_parameters() {
    let nonsense = "!\"§$%&/()=?; ../x\n";
    let group = |name: &str| group().param(name, nonsense);
    for stopped in [group("device0"), group("tgtdriver"), group("groupname"), Resource::group("scst_dg_dummy")] {
        let alpha = sample::serving().into_node("alpha");
        alpha.run(&stopped, "stop").exit(0);
        assert_eq!((alpha.tree().lines("device"), alpha.tree().lines("lun")), (vec![], vec![]));
        alpha.run(&ports().param("initiators", nonsense), "stop").exit(0);
        assert_eq!(alpha.tree().lines("group"), [""; 0]);
        assert!(alpha.tree().lines("port").iter().all(|port| port.contains("enabled=0")), "{:?}", alpha.tree());
    }
}

#[test]
fn f6_a_write_that_never_ends_does_not_outlive_the_time_out() {
    let cluster = sample::with_ports();
    let alpha = cluster.node("alpha");
    alpha.control("fault op=write path=**/device_groups/mgmt action=hang");
    let started = alpha.call(&group()).timeout(SHORT).run("start").exit(1).within(SHORT);
    started.reason_has("device group dummy").reason_has("no answer within");
    alpha.control("release");
    // Nor does a wait for something that does not come about.
    let (cluster, _io) = busy();
    cluster.node("alpha").call(&group()).timeout(SHORT).run("demote").exit(1).within(SHORT);
}

#[test]
fn f7_what_a_killed_demote_left_blocked_is_given_back_by_the_next_action() {
    for action in ["promote", "demote", "start", "reload"] {
        let alpha = killed(0).into_node("alpha");
        alpha.run(&group(), "monitor").exit(9).reason_has("dummy_lu0dummy");
        alpha.run(&group(), action).exit(0);
        assert_eq!(alpha.read(BLOCK), "0 0", "{action}");
    }
}

#[test]
fn f8_what_others_blocked_stays_blocked() {
    let cluster = killed(1);
    let alpha = cluster.node("alpha");
    alpha.run(&group(), "promote").exit(0);
    assert_eq!(alpha.read(BLOCK), "1 0");
    alpha.run(&group(), "demote").exit(0);
    assert_eq!(alpha.read(BLOCK), "1 0");
    // Somebody has given back ours by hand: the one that is left is not ours.
    let cluster = killed(1);
    let alpha = cluster.node("alpha");
    alpha.write(BLOCK, "0");
    alpha.run(&group(), "promote").exit(0);
    assert_eq!(alpha.read(BLOCK), "1 0");
}

#[test]
fn f10_a_stopped_node_has_no_score_and_one_that_could_not_stop_keeps_it() {
    let alpha = sample::serving().into_node("alpha");
    alpha.control("fault op=write path=**/vdisk_nullio/mgmt action=fail errno=EBUSY");
    alpha.run(&group(), "stop").exit(1);
    assert_eq!(alpha.score(&group()).as_deref(), Some("10"));
    alpha.run(&group(), "stop").exit(0);
    assert_eq!(alpha.score(&group()), None);
}

#[test]
fn f11_what_happens_in_a_transition_leaves_the_score_alone() {
    let alpha = sample::serving().into_node("alpha");
    alpha.call(&group()).recurring().run("monitor").exit(8).programs(0);
    let lists = Lists::new().list("active", &["alpha", "beta"]).list("stop", &["beta"]);
    for when in ["pre", "post"] {
        alpha.call(&group()).lists(&lists.clone().event(when, "stop")).run("notify").exit(0).programs(0);
    }
    alpha.run(&group(), "demote").exit(0).programs(0);
    assert_eq!(alpha.score(&group()).as_deref(), Some("10"));
}

#[test]
fn f18_groups_of_others_stay_and_ours_are_deleted_as_soon_as_they_can_be() {
    let alpha = sample::with_ports().into_node("alpha");
    let groups = format!("targets/qla2x00t/{}/ini_groups", ALPHA[0]);
    alpha.write(&format!("{groups}/mgmt"), "create foreign");
    for k in 1..4 {
        alpha.control(&format!("fault op=write path=**/ini_groups/mgmt at={k} action=fail errno=EBUSY"));
    }
    alpha.run(&ports(), "stop").exit(0);
    assert_eq!(alpha.tree().lines("group"), ["group foreign"]);
    alpha.run(&ports(), "start").exit(0);
    alpha.control("fault op=write path=**/ini_groups/mgmt repeat=true action=fail errno=EBUSY");
    let stopped = alpha.call(&ports()).timeout(SHORT).run("stop").exit(1).within(SHORT);
    stopped.reason_has("initiator group vmwtest").reason_has("EBUSY");
}

#[test]
fn k5_our_block_is_given_back_before_the_device_is_deleted() {
    let alpha = killed(0).into_node("alpha");
    // A command that waits behind the block: deleted now, the device would hang the kernel.
    send(&alpha, "20ms");
    let stopped = alpha.call(&group()).timeout(2 * SHORT).run("stop").exit(0).written();
    assert_eq!(place(&stopped, "block < 0"), 0, "{stopped:#?}");
    assert_eq!(alpha.tree().lines("device"), [""; 0]);
    eventually("nothing hangs", || alpha.mount().waiting() == 0);
}

#[test]
fn k6_a_passive_group_is_deleted_when_nothing_is_left_in_it() {
    let (alpha, group, _disk) = sample::started_above(&Store::Disk);
    let stopped = alpha.run(&group, "stop").exit(0).written();
    let order = ["luns/mgmt < clear", "vdisk_blockio/mgmt < del_device dummy_r0", "device_groups/mgmt < del dummy"];
    assert!(order.windows(2).all(|pair| place(&stopped, pair[0]) < place(&stopped, pair[1])), "{stopped:#?}");
    assert!(stopped.last().is_some_and(|last| last == "device_groups/mgmt < del dummy"), "{stopped:#?}");
    // A device that stays keeps the group, and its disk stays closed.
    alpha.run(&group, "start").exit(0);
    alpha.control("fault op=write path=**/vdisk_blockio/mgmt action=fail errno=EBUSY");
    alpha.run(&group, "stop").exit(1).reason_has("dummy_r0");
    assert_eq!(alpha.read("devices/dummy_r0/active"), "0");
}
