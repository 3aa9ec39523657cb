//! Rows of "Data and failover": what would lose a write, or show hosts a path that does not serve.

use std::fs;
use std::time::Duration;

use super::{BLOCK, SHORT, busy, place, send, times};
use crate::fixture::sample::{self, HOST, Store, group, ports, seen};
use crate::fixture::{Lists, eventually};

#[test]
fn d1_an_answer_that_is_missing_is_not_a_node_without_ports() {
    let cluster = sample::nodes().up();
    let alpha = cluster.node("alpha");
    alpha.call(&ports()).without_cluster().run("start").exit(1).reason_has("cibadmin").writes(0);
    alpha.run(&ports(), "start").exit(0);
    cluster.set_targetports("alpha", None);
    alpha.call(&ports()).recurring().run("monitor").exit(0);
    alpha.call(&ports()).without_cluster().run("stop").exit(0);
    assert!(alpha.tree().lines("port").iter().all(|port| port.contains("enabled=0")), "{:?}", alpha.tree());
    alpha.run(&ports(), "start").exit(5).reason_has("alpha has no targetports");
    alpha.call(&ports()).meta("on_node", "omega").run("start").exit(5).reason_has("omega is not in the CIB");
}

#[test]
fn d2_a_device_that_cannot_go_keeps_the_group_closed() {
    let (cluster, io) = busy();
    let alpha = cluster.node("alpha");
    let stopped = alpha.call(&group()).timeout(SHORT).run("stop").exit(1).within(SHORT);
    let told = format!("{} {}", stopped.exit_reason(), stopped.log());
    assert!(told.contains("dummy_lu0dummy") && told.contains(HOST[0]), "{told}");
    assert!(alpha.exists("device_groups/dummy"));
    assert_eq!(alpha.state("dummy", "alpha"), "unavailable");
    alpha.control(&format!("io finish {io}"));
    eventually("the kernel carries on", || alpha.mount().waiting() == 0);
    alpha.run(&group(), "stop").exit(0);
    assert_eq!(alpha.tree().lines("device"), [""; 0]);
}

#[test]
fn d3_the_state_changes_when_the_commands_in_flight_have_ended() {
    let (cluster, io) = busy();
    let alpha = cluster.node("alpha");
    alpha.call(&group()).timeout(SHORT).run("demote").exit(1).reason_has("dummy_lu0dummy").reason_has(HOST[0]);
    assert_eq!(alpha.state("dummy", "alpha"), "active");
    alpha.control(&format!("io finish {io}"));
    eventually("the device is given back", || alpha.read(BLOCK) == "0 0");
    alpha.run(&group(), "demote").exit(0).wrote(&[
        "devices/dummy_lu0dummy/block < 11",
        "device_groups/dummy/target_groups/alpha/state < transitioning",
        "device_groups/dummy/target_groups/alpha/state < standby",
        "devices/dummy_lu0dummy/block < 0",
    ]);
}

#[test]
fn d4_a_writable_file_is_write_through_unless_it_is_switched_off() {
    for (words, value) in [("", "1"), (",write_through=0", "0"), (",read_only=1", "0")] {
        let (alpha, _, file) = sample::with_ports().into_node("alpha").with(&Store::File);
        let group = sample::above(&file, &format!("handler=vdisk_fileio{words}"));
        alpha.run(&group, "start").exit(0);
        assert_eq!(alpha.read("devices/dummy_r0/write_through"), value, "{words}");
    }
}

#[test]
fn d5_a_file_is_open_only_while_its_node_serves() {
    let (alpha, group, _) = sample::started_above(&Store::File);
    assert_eq!(alpha.read("devices/dummy_r0/active"), "0");
    alpha.run(&group, "promote").exit(0);
    assert_eq!(alpha.read("devices/dummy_r0/active"), "1");
    alpha.run(&group, "demote").exit(0);
    assert_eq!(alpha.read("devices/dummy_r0/active"), "0");
}

#[test]
fn d5_a_file_that_the_shell_agent_opened_is_named_and_stays_as_it_is() {
    let (alpha, group, file) = sample::with_ports().into_node("alpha").with(&Store::File);
    alpha.control("modprobe scst_vdisk");
    fs::create_dir_all(alpha.var_lib().join("pr")).expect("a directory can be made");
    alpha.write("handlers/vdisk_fileio/mgmt", &format!("add_device dummy_r0 filename={}", file.display()));
    alpha.set_record(&group, "");
    let started = alpha.run(&group, "start").exit(0).logged("device dummy_r0: bind_alua_state is 0, configured is 1");
    assert_eq!(times(&started.written(), "del_device"), 0, "{:#?}", started.written());
    assert_eq!(alpha.read("devices/dummy_r0/bind_alua_state"), "0");
}

#[test]
fn d6_a_device_that_is_still_exported_is_not_deleted() {
    let alpha = sample::serving().into_node("alpha");
    alpha.control("fault op=write path=**/luns/mgmt repeat=true action=fail errno=EBUSY");
    let stopped = alpha.call(&group()).timeout(SHORT).run("stop").exit(1).reason_has("LUN 0").reason_has("EBUSY");
    assert_eq!(times(&stopped.written(), "del_device"), 0, "{:#?}", stopped.written());
    alpha.control("disarm");
    // The first answer is that it will be done: it is gone only when it is seen gone.
    alpha.control("fault op=write path=**/luns/mgmt action=queue after=200ms");
    let stopped = alpha.run(&group(), "stop").exit(0).written();
    assert_eq!(times(&stopped, "luns/mgmt < clear"), 2, "{stopped:#?}");
    let last_lun = stopped.iter().rposition(|write| write.contains("luns/mgmt < clear"));
    assert!(last_lun < Some(place(&stopped, "del_device")), "{stopped:#?}");
}

#[test]
fn d7_two_disks_that_hosts_would_take_for_one_are_named_and_can_be_told_apart() {
    let alpha = sample::with_ports().into_node("alpha");
    let twin = |name: &str, lun: u32, more: &str| {
        format!("handler=vdisk_nullio,virtname={name},export0=all:{lun},t10devid=identical{lun}{more}")
    };
    let twins = group().param("device1", &twin("a", 1, "")).param("device2", &twin("b", 2, ""));
    alpha.run(&twins, "validate-all").exit(6).logged("device2: t10devid").logged("naa_id");
    let apart = twins
        .param("device1", &twin("a", 1, ",usn=serial1,naa_id=5000000000000001"))
        .param("device2", &twin("b", 2, ",usn=serial2,naa_id=5000000000000002"));
    alpha.run(&apart, "validate-all").exit(0).not_logged("one disk to hosts");
    let started = alpha.run(&apart, "start").exit(0).written();
    assert_eq!(alpha.read("devices/dummy_a/naa_id"), "0x5000000000000001");
    assert_eq!(alpha.read("devices/dummy_b/usn"), "serial2");
    // By default hosts know a disk by what the kernel makes of its name.
    for attribute in ["t10_dev_id", "usn", "naa_id"] {
        assert_eq!(times(&started, &format!("dummy_lu0dummy/{attribute}")), 0, "{started:#?}");
    }
}

#[test]
fn d8_a_promotion_with_a_disk_that_does_not_open_fails() {
    let (alpha, group, disk) = sample::started_above(&Store::Disk);
    alpha.declare(&disk, "kind=block size=1048576 open_error=EMEDIUMTYPE");
    alpha.run(&group, "promote").exit(1).reason("backing store could not be opened: device dummy_r0");
    assert_eq!(alpha.state("dummy", "alpha"), "standby");
    assert_eq!(alpha.score(&group), None);
}

#[test]
fn s1_promote_puts_a_peer_right_that_nobody_notifies_of() {
    let cluster = sample::serving();
    cluster.loses(&group(), "alpha");
    assert_eq!(seen(cluster.node("beta")), ["active", "standby"]);
    cluster.promote(&group(), "beta");
    assert_eq!(seen(cluster.node("beta")), ["unavailable", "active"]);
}

#[test]
fn d9_a_standby_opens_no_store_and_knows_its_size() {
    let (alpha, group, disk) = sample::with_ports().into_node("alpha").with(&Store::Disk);
    // What a DRBD secondary answers to an open for writing.
    alpha.declare(&disk, "kind=block size=1048576 open_error=EROFS");
    alpha.run(&group, "start").exit(0);
    assert_eq!(alpha.read("devices/dummy_r0/active"), "0");
    assert_eq!(alpha.read("devices/dummy_r0/size"), "1048576");
}

#[test]
fn d10_a_store_that_grew_is_served_with_its_size() {
    let (alpha, group, disk) = sample::with_ports().into_node("alpha").with(&Store::Disk);
    for action in ["start", "promote", "demote"] {
        alpha.run(&group, action).exit(0);
    }
    alpha.control(&format!("store {} size=2097152", disk.display()));
    let written = alpha.run(&group, "promote").exit(0).written();
    let at = |what: &str| written.iter().position(|write| write.ends_with(what));
    assert!(at("dummy_r0/size < 2097152").is_some() && at("dummy_r0/size < 2097152") < at("alpha/state < active"));
    assert_eq!(alpha.read("devices/dummy_r0/size"), "2097152");
}

#[test]
fn d10_a_file_that_grew_is_looked_at_again() {
    let (alpha, group, _) = sample::started_above(&Store::File);
    alpha.cluster().file("f0", 2 << 20);
    alpha.run(&group, "promote").exit(0);
    assert_eq!(alpha.read("devices/dummy_r0/size"), "2097152");
}

#[test]
fn d10_a_store_that_shrank_is_not_served() {
    let (alpha, group, disk) = sample::started_above(&Store::Disk);
    alpha.control(&format!("store {} size=524288", disk.display()));
    alpha.run(&group, "promote").exit(1).reason_has("its store has 524288 bytes, hosts were told 1048576");
    assert_eq!(seen(&alpha)[0], "standby");
}

#[test]
fn d11_a_demotion_leaves_no_store_open() {
    let (alpha, group, _) = sample::with_ports().into_node("alpha").with(&Store::Disk);
    for action in ["start", "promote"] {
        alpha.run(&group, action).exit(0);
    }
    alpha.write("devices/dummy_r0/bind_alua_state", "0");
    alpha.run(&group, "demote").exit(0);
    assert_eq!(alpha.read("devices/dummy_r0/active"), "0");
}

#[test]
fn d12_a_file_that_cannot_be_opened_is_not_promoted() {
    let (alpha, group, file) = sample::started_above(&Store::File);
    fs::remove_file(&file).expect("the file can be removed");
    fs::create_dir(&file).expect("a directory can be made");
    let promote = alpha.run(&group, "promote").exit(1).reason_has("device dummy_r0");
    let written = promote.written();
    assert!(written.iter().all(|write| !write.contains("target_groups/alpha/state")), "{written:#?}");
}

#[test]
fn d13_what_a_node_missed_is_added_before_it_serves() {
    let (alpha, more, _) = sample::with_ports().into_node("alpha").with(&Store::Disk);
    alpha.run(&group(), "start").exit(0);
    alpha.run(&more, "promote").exit(0).logged("was missing");
    assert_eq!(alpha.tree().lines("lun 1"), ["lun 1 dummy_r0"; 2]);
}

#[test]
fn d13_a_disk_that_vanished_is_noticed() {
    let (alpha, group, disk) = sample::with_ports().into_node("alpha").with(&Store::Disk);
    for action in ["start", "promote"] {
        alpha.run(&group, action).exit(0);
    }
    alpha.control(&format!("store {} present=false", disk.display()));
    alpha.call(&group).recurring().level(10).run("monitor").exit(9).reason_has("device dummy_r0: its store");
}

#[test]
fn s2_a_failed_promotion_takes_its_score_back() {
    let alpha = sample::started();
    assert_eq!(alpha.score(&group()).as_deref(), Some("5"));
    alpha.control("fault op=write path=**/target_groups/alpha/state action=fail errno=EIO");
    alpha.run(&group(), "promote").exit(1).reason_has("EIO");
    assert_eq!(alpha.score(&group()), None);
}

#[test]
fn s2_after_a_restart_a_promotion_that_failed_is_held_back() {
    let alpha = sample::started();
    alpha.control("fault op=write path=**/target_groups/alpha/state action=fail errno=EIO");
    alpha.run(&group(), "promote").exit(1).reason_has("EIO");
    // What Pacemaker does about it.
    for action in ["demote", "stop", "start"] {
        alpha.run(&group(), action).exit(0);
    }
    // On a machine as busy as this may be, the time could be over by now.
    let mark = alpha.rsctmp().join("scst_aluadg-dummy.failed");
    let text = fs::read_to_string(&mark).expect("the stop has kept the failure");
    let (boot, at) = text.trim_end().split_once(' ').expect("boot and seconds");
    let at: u64 = at.parse().expect("seconds");
    fs::write(&mark, format!("{boot} {}\n", at + 3600)).expect("the mark can be written");
    let timeout = Duration::from_secs(4);
    let held_back = alpha.call(&group()).timeout(timeout).run("promote").exit(0).logged("the last promotion failed");
    assert!(held_back.took() >= Duration::from_millis(1500), "{:?}", held_back.took());
    // Once, and never by hand without a restart between.
    for action in ["demote", "promote"] {
        alpha.call(&group()).timeout(timeout).run(action).exit(0).not_logged("the last promotion failed");
    }
    alpha.run(&group(), "stop").exit(0);
    assert!(!mark.exists());
}

#[test]
fn s3_the_score_does_not_change_in_demote() {
    let alpha = sample::with_ports().into_node("alpha");
    for (action, score) in [("start", "5"), ("promote", "10"), ("demote", "10"), ("promote", "10"), ("reload", "10")] {
        let ran = alpha.run(&group(), action).exit(0);
        assert_eq!(alpha.score(&group()).as_deref(), Some(score), "{action}");
        if action == "demote" {
            ran.programs(0);
        }
    }
}

#[test]
fn s6_a_node_that_is_being_demoted_is_not_published_as_active_again() {
    let alpha = sample::started();
    let lists = Lists::new().list("active", &["beta"]).list("promoted", &["beta"]).list("start", &["alpha"]);
    let lists = lists.list("demote", &["beta"]).event("post", "start");
    alpha.call(&group()).lists(&lists).run("notify").exit(0);
    assert_eq!(seen(&alpha), ["standby", "standby"]);
    // The same in the start itself.
    alpha.run(&group(), "stop").exit(0);
    alpha.call(&group()).lists(&lists).run("start").exit(0);
    assert_eq!(seen(&alpha), ["standby", "standby"]);
}

#[test]
fn k7_a_disk_that_did_not_open_is_opened_by_the_next_promotion() {
    let (alpha, group, disk) = sample::started_above(&Store::Disk);
    alpha.declare(&disk, "kind=block size=1048576 open_error=EMEDIUMTYPE");
    alpha.run(&group, "promote").exit(1);
    alpha.declare(&disk, "kind=block size=1048576");
    alpha.run(&group, "promote").exit(0);
    assert_eq!(alpha.read("devices/dummy_r0/active"), "1");
    // Hosts can use it.
    let io = send(&alpha, "1ms");
    eventually("a command ends", || alpha.control(&format!("io done {io}")) == "yes");
}
