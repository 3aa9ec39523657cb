//! Rows of "Data and failover": what would lose a write, or show hosts a path that does not serve.

use std::fs;
use std::time::Duration;

use super::{SHORT, place, times};
use crate::fixture::sample::{self, BLOCK, HOST, Store, busy, finish, group, null, ports, seen, send};
use crate::fixture::{Lists, eventually};

#[test]
fn d1_an_answer_that_is_missing_is_not_a_node_without_ports() {
    let cluster = sample::nodes().up();
    let alpha = cluster.node("alpha");
    alpha.call(&ports()).without_cluster().run("start").exit(1).reason_has("cibadmin").writes(0);
    alpha.run(&ports(), "start").exit(0);
    cluster.set_targetports("alpha", None);
    alpha.monitor(&ports()).exit(0);
    alpha.call(&ports()).without_cluster().run("stop").exit(0);
    assert!(alpha.tree().lines("port").iter().all(|port| port.contains("enabled=0")), "{:?}", alpha.tree());
    alpha.run(&ports(), "start").exit(5).reason_has("alpha has no targetports");
    for resource in [ports(), group()] {
        let unknown = alpha.call(&resource).meta("on_node", "omega").run("start").exit(5).writes(0);
        unknown.reason_has("omega is not in the CIB");
    }
}

#[test]
fn d2_a_device_that_cannot_go_keeps_the_group_closed() {
    let (alpha, io) = busy();
    let stopped = alpha.call(&group()).timeout(SHORT).run("stop").exit(1).within(SHORT);
    let told = format!("{} {}", stopped.exit_reason(), stopped.log());
    assert!(told.contains("dummy_lu0dummy") && told.contains(HOST[0]), "{told}");
    // Deleting the group would make what is left reachable.
    assert_eq!(alpha.state("dummy", "alpha"), "unavailable");
    finish(&alpha, &io);
    eventually("the kernel carries on", || alpha.mount().waiting() == 0);
    alpha.run(&group(), "stop").exit(0);
    assert_eq!(alpha.tree().lines("device"), [""; 0]);
}

#[test]
fn d3_the_state_changes_when_the_commands_in_flight_have_ended() {
    let (alpha, io) = busy();
    let demoted = alpha.call(&group()).timeout(SHORT).run("demote").exit(1).within(SHORT);
    demoted.reason_has("dummy_lu0dummy").reason_has(HOST[0]);
    assert_eq!(alpha.state("dummy", "alpha"), "active");
    assert_eq!(alpha.score(&group()).as_deref(), Some("10"));
    // Unblocking waits in the kernel for the same commands, but has been asked for.
    finish(&alpha, &io);
    eventually("the device is given back", || alpha.read(BLOCK) == "0 0");
    alpha.run(&group(), "monitor").exit(8);
    alpha.run(&group(), "demote").exit(0).wrote(&sample::DEMOTION);
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
    let twin =
        |name: &str, lun: u32, more: &str| null(name, &format!("export0=all:{lun},t10devid=identical{lun}{more}"));
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
    sample::log_in(&alpha);
    let io = send(&alpha, "0 1ms");
    eventually("a command ends", || alpha.control(&format!("io done {io}")) == "yes");
}
