//! Rows of "Stopping, starting and fencing" that are about stops, blocks and scores: what would get a node fenced.

use super::SHORT;
use crate::fixture::sample::{self, ALPHA, BLOCK, Store, finish, group, killed, ports, send};
use crate::fixture::{OneNode, eventually};

/// Alpha after a demotion that was killed: the device is blocked, by others as well so often, and nobody waits for anything.
fn left_blocked(others: u32) -> OneNode {
    let (alpha, io) = killed(others);
    finish(&alpha, &io);
    eventually("the command has ended", || alpha.read(BLOCK) == format!("{} 0", others + 1));
    alpha
}

#[test]
fn f7_what_a_killed_demote_left_blocked_is_given_back_by_the_next_action() {
    let (alpha, io) = killed(0);
    alpha.run(&group(), "monitor").exit(9).reason_has("dummy_lu0dummy");
    finish(&alpha, &io);
    alpha.run(&group(), "demote").exit(0);
    assert_eq!((alpha.read(BLOCK).as_str(), alpha.state("dummy", "alpha").as_str()), ("0 0", "standby"));
    for action in ["promote", "start", "reload", "stop"] {
        let alpha = left_blocked(0);
        alpha.run(&group(), "monitor").exit(9).reason_has("dummy_lu0dummy");
        let written = alpha.run(&group(), action).exit(0).written();
        assert_eq!(written.first().map(String::as_str), Some("devices/dummy_lu0dummy/block < 0"), "{action}");
        if action != "stop" {
            assert_eq!(alpha.read(BLOCK), "0 0", "{action}");
            alpha.run(&group(), "monitor").exit(8);
        }
    }
}

#[test]
fn f8_what_others_blocked_stays_blocked() {
    let alpha = left_blocked(1);
    for action in ["promote", "demote"] {
        alpha.run(&group(), action).exit(0);
        assert_eq!(alpha.read(BLOCK), "1 0");
    }
    // Somebody has given back ours by hand: the one that is left is not ours.
    let alpha = left_blocked(1);
    alpha.write(BLOCK, "0");
    alpha.run(&group(), "promote").exit(0);
    assert_eq!(alpha.read(BLOCK), "1 0");
}

#[test]
fn f18_groups_of_others_stay_and_ours_are_deleted_as_soon_as_they_can_be() {
    let alpha = sample::with_ports().into_node("alpha");
    let port = format!("targets/qla2x00t/{}", ALPHA[0]);
    alpha.write(&format!("{port}/ini_groups/mgmt"), "create foreign");
    alpha.write(&format!("{port}/ini_groups/foreign/initiators/mgmt"), "add 50:01:43:80:03:b0:23:77");
    for k in 1..4 {
        alpha.control(&format!("fault op=write path=**/ini_groups/mgmt at={k} action=fail errno=EBUSY"));
    }
    alpha.run(&ports(), "stop").exit(0);
    assert_eq!(alpha.tree().lines("group"), ["group foreign"]);
    alpha.run(&ports(), "start").exit(0);
    alpha.control("fault op=write path=**/ini_groups/mgmt repeat=true action=fail errno=EBUSY");
    let stopped = alpha.call(&ports()).timeout(SHORT).run("stop").exit(1).within(SHORT);
    stopped.reason_has("initiator group vmwtest").reason_has("EBUSY");
    eventually("ports are down all the same", || alpha.read(&format!("{port}/enabled")) == "0");
}

#[test]
fn k5_our_block_is_given_back_before_the_device_is_deleted() {
    let alpha = left_blocked(0);
    // A command that waits behind the block: deleted now, the device would hang the kernel.
    send(&alpha, "0 20ms");
    let stopped = alpha.call(&group()).timeout(2 * SHORT).run("stop").exit(0).written();
    assert!(stopped[0].ends_with("block < 0"), "{stopped:#?}");
    assert_eq!(alpha.tree().lines("device"), [""; 0]);
    eventually("nothing hangs", || alpha.mount().waiting() == 0);
}

#[test]
fn k6_a_passive_group_is_deleted_when_nothing_is_left_in_it() {
    let (alpha, group, _disk) = sample::started_above(&Store::Disk);
    let order = ["luns/mgmt < clear", "vdisk_blockio/mgmt < del_device dummy_r0", "device_groups/mgmt < del dummy"];
    let stopped = alpha.run(&group, "stop").exit(0).in_order(&order);
    assert!(stopped.written().last().is_some_and(|last| last == "device_groups/mgmt < del dummy"), "{stopped:?}");
    // A device that stays keeps the group, and its disk stays closed.
    alpha.run(&group, "start").exit(0);
    alpha.control("fault op=write path=**/vdisk_blockio/mgmt action=fail errno=EBUSY");
    alpha.run(&group, "stop").exit(1).reason_has("dummy_r0");
    assert_eq!(alpha.read("devices/dummy_r0/active"), "0");
}
