//! What lies below the devices: stores that are not open yet, that grow, shrink, vanish, or exist on the promoted node alone.

use std::path::Path;

use scst_sim::model::ScstVersion;

use crate::fixture::sample::{self, Store, above, group};
use crate::fixture::{Node, Resource};

/// Something happens to a disk on a node.
#[track_caller]
fn store(node: &Node, disk: &Path, words: &str) {
    node.control(&format!("store {} {words}", disk.display()));
}

#[test]
fn a_group_above_a_drbd_secondary_starts_and_is_promoted_with_it() {
    let (alpha, group, disk) = sample::started_above(&Store::Drbd);
    assert_eq!(alpha.read("devices/dummy_r0/active"), "0");
    // A host that logs in now sees the true capacity.
    assert_eq!(alpha.read("devices/dummy_r0/size"), "1048576");
    alpha.has_nothing_to_do(&group, 0);
    store(&alpha, &disk, "drbd=primary");
    alpha.run(&group, "promote").exit(0);
    assert_eq!(alpha.read("devices/dummy_r0/active"), "1");
    alpha.run(&group, "demote").exit(0);
    assert_eq!(alpha.read("devices/dummy_r0/active"), "0");
    store(&alpha, &disk, "drbd=secondary");
    alpha.run(&group, "stop").exit(0);
    assert_eq!(alpha.tree().lines("device"), [""; 0]);
}

#[test]
fn d9_a_device_is_added_to_a_standby_without_opening_its_store() {
    let (alpha, more, _) = sample::with_ports().into_node("alpha").with(&Store::Drbd);
    alpha.run(&group(), "start").exit(0);
    alpha.run(&more, "reload").exit(0);
    assert_eq!(alpha.tree().lines("lun 1"), ["lun 1 dummy_r0"; 2]);
    assert_eq!(["active", "size"].map(|name| alpha.read(&format!("devices/dummy_r0/{name}"))), ["0", "1048576"]);
    alpha.run(&more, "reload").exit(0).writes(0);
}

#[test]
fn a_device_is_added_to_a_serving_group_open_and_only_then_mapped() {
    let (alpha, more, _) = sample::serving().into_node("alpha").with(&Store::Disk);
    let opened_first = ["devices/dummy_r0/active < 1", "luns/mgmt < add dummy_r0"];
    let reloaded = alpha.run(&more, "reload").exit(0).in_order(&opened_first).written();
    assert!(
        reloaded.iter().any(|write| write.contains("add_device") && write.ends_with("; active=0")),
        "{reloaded:#?}"
    );
    assert_eq!(alpha.read("devices/dummy_r0/active"), "1");
    alpha.run(&more, "reload").exit(0).writes(0);
    // One that cannot be opened is mapped nowhere, and is no member that would make the group fail.
    let other = alpha.cluster().drbd("r1", 1 << 20);
    let most = more.param("device2", &format!("filename={},virtname=r1,export0=all:2", other.display()));
    alpha.run(&most, "reload").unfinished().reason_has("device dummy_r1: open failed: EROFS");
    assert_eq!(alpha.tree().lines("lun 2"), [""; 0]);
    assert!(!alpha.exists("device_groups/dummy/devices/dummy_r1"));
    alpha.monitor(&most).exit(8);
    // The next monitor finishes, or the next reload.
    store(&alpha, &other, "drbd=primary");
    alpha.monitor(&most).exit(8).programs(0);
    alpha.run(&most, "reload").exit(0).writes(0);
    assert_eq!(alpha.tree().lines("lun 2"), ["lun 2 dummy_r1"; 2]);
}

#[test]
fn what_is_found_open_stays_open() {
    let (alpha, more, disk) = sample::serving().into_node("alpha").with(&Store::Disk);
    // As the shell agents add it.
    alpha.write("handlers/vdisk_blockio/mgmt", &format!("add_device dummy_r0 filename={}", disk.display()));
    alpha.write("devices/dummy_r0/prod_id", "SCST");
    alpha.write("device_groups/dummy/devices/mgmt", "add dummy_r0");
    let written = alpha.run(&more, "reload").exit(0).written();
    assert!(written.iter().all(|write| write.contains("luns/mgmt < add dummy_r0 1")), "{written:#?}");
    alpha.run(&more, "start").exit(0).writes(0);
}

#[test]
fn an_older_scst_adds_disks_closed_as_well() {
    let (alpha, group, disk) = sample::with_ports_of(ScstVersion::V3_7).into_node("alpha").with(&Store::Drbd);
    alpha.run(&group, "start").exit(0);
    assert_eq!(["active", "size"].map(|name| alpha.read(&format!("devices/dummy_r0/{name}"))), ["0", "1048576"]);
    store(&alpha, &disk, "drbd=primary");
    alpha.run(&group, "promote").exit(0);
    assert_eq!(alpha.read("devices/dummy_r0/active"), "1");
}

#[test]
fn d10_a_store_that_grew_is_served_with_its_size_after_a_failover_and_after_a_reload() {
    let (alpha, group, disk) = sample::serving().into_node("alpha").with(&Store::Drbd);
    let size = || alpha.read("devices/dummy_r0/size");
    store(&alpha, &disk, "drbd=primary");
    alpha.run(&group, "reload").exit(0);
    // Open, and grown: hosts are told by a reload.
    store(&alpha, &disk, "size=2097152");
    alpha.monitor(&group).exit(8);
    alpha.thorough(&group).exit(9).reason_has("dummy_r0: its store has 2097152 bytes, hosts were told 1048576");
    let written = alpha.run(&group, "reload").exit(0).written();
    assert_eq!(written, ["devices/dummy_r0/resync_size < 1"]);
    assert_eq!(size(), "2097152");
    alpha.run(&group, "reload").exit(0).writes(0);
    alpha.thorough(&group).exit(8);
    // Grown while this node was standby, and nobody reloaded.
    alpha.run(&group, "demote").exit(0);
    store(&alpha, &disk, "drbd=secondary");
    store(&alpha, &disk, "size=3145728");
    alpha.thorough(&group).exit(1).reason_has("3145728");
    store(&alpha, &disk, "drbd=primary");
    // Hosts send at once what they held back, so they are told before the group opens.
    alpha.run(&group, "promote").exit(0).in_order(&["dummy_r0/size < 3145728", "alpha/state < active"]);
    assert_eq!(size(), "3145728");
    // Grown and reloaded in standby: a host that looks sees it before the failover.
    alpha.run(&group, "demote").exit(0);
    store(&alpha, &disk, "drbd=secondary");
    store(&alpha, &disk, "size=4194304");
    let written = alpha.run(&group, "reload").exit(0).written();
    assert_eq!(written, ["devices/dummy_r0/size < 4194304"]);
    alpha.thorough(&group).exit(0).not_logged("WARNING");
    store(&alpha, &disk, "drbd=primary");
    alpha.run(&group, "promote").exit(0);
    assert_eq!(size(), "4194304");
    alpha.run(&group, "promote").exit(0).writes(0);
}

#[test]
fn d10_a_store_never_becomes_smaller_without_a_word() {
    let cluster = sample::with_ports();
    let alpha = cluster.node("alpha");
    let disk = cluster.disk("r0", 2 << 20);
    let group = above(&disk, "");
    cluster.configure(&[&group, &sample::ports()]);
    alpha.run(&group, "start").exit(0);
    store(alpha, &disk, "size=1048576");
    let both = "device dummy_r0: its store has 1048576 bytes, hosts were told 2097152";
    alpha.run(&group, "reload").exit(0).writes(0).logged(both);
    alpha.thorough(&group).exit(1).reason_has(both);
    let shown = alpha.tool("status").go().exit(3).stdout().to_owned();
    assert!(shown.contains(both), "{shown}");
    alpha.run(&group, "promote").exit(1).reason_has(both);
    assert_eq!(alpha.state("dummy", "alpha"), "standby");
    store(alpha, &disk, "size=2097152");
    alpha.run(&group, "promote").exit(0);
    store(alpha, &disk, "size=1048576");
    alpha.run(&group, "reload").exit(0).writes(0).logged(both);
    alpha.thorough(&group).exit(9).reason_has(both);
}

#[test]
fn d10_a_file_that_grew_is_looked_at_again() {
    let (alpha, group, _) = sample::started_above(&Store::File);
    alpha.cluster().file("f0", 2 << 20);
    // The size of a closed file cannot be written.
    alpha.run(&group, "reload").exit(0).writes(0).logged("hosts are told 1048576 bytes, its store has 2097152");
    alpha.run(&group, "promote").exit(0);
    assert_eq!(alpha.read("devices/dummy_r0/size"), "2097152");
}

#[test]
fn d11_a_demotion_leaves_no_store_open() {
    let (alpha, group, _) = sample::started_above(&Store::Disk);
    alpha.run(&group, "promote").exit(0);
    // The states of the group do not touch it.
    alpha.write("devices/dummy_r0/bind_alua_state", "0");
    alpha.run(&group, "demote").exit(0);
    assert_eq!(alpha.read("devices/dummy_r0/active"), "0");
    alpha.run(&group, "demote").exit(0).writes(0);
    // Nor do they open it: it is opened before the group is.
    alpha.run(&group, "promote").exit(0).in_order(&["dummy_r0/active < 1", "target_groups/alpha/state < active"]);
    alpha.run(&group, "demote").exit(0);
    // Opened by somebody in standby: told by a monitor, closed by a demotion.
    alpha.monitor(&group).exit(0).not_logged("WARNING");
    alpha.write("devices/dummy_r0/active", "1");
    alpha.monitor(&group).exit(0).logged("the backing store is open all the same: device dummy_r0");
    alpha.control("fault op=write path=**/dummy_r0/active action=fail errno=EIO at=1");
    alpha.run(&group, "demote").exit(1).reason_has("the backing store is still open: device dummy_r0");
    alpha.run(&group, "demote").exit(0);
    assert_eq!(alpha.read("devices/dummy_r0/active"), "0");
}

#[test]
fn a_demotion_on_an_older_scst_does_not_miss_what_files_do_not_have() {
    let (alpha, group, _) = sample::with_ports_of(ScstVersion::V3_7).into_node("alpha").with(&Store::File);
    for action in ["start", "promote", "demote"] {
        alpha.run(&group, action).exit(0);
    }
    alpha.monitor(&group).exit(0).not_logged("WARNING");
}

#[test]
fn d13_a_disk_that_vanished_is_seen_at_level_10() {
    let (alpha, group, disk) = sample::serving().into_node("alpha").with(&Store::Disk);
    alpha.cluster().configure(&[&group, &sample::ports()]);
    alpha.run(&group, "reload").exit(0);
    store(&alpha, &disk, "present=false");
    let gone = "device dummy_r0: its store";
    // It costs what it did; only the thorough one looks below.
    alpha.monitor(&group).exit(8);
    alpha.thorough(&group).exit(9).reason_has(gone);
    let shown = alpha.tool("status").go().exit(3).stdout().to_owned();
    assert!(shown.contains(gone), "{shown}");
    alpha.run(&group, "demote").exit(0);
    alpha.thorough(&group).exit(1).reason_has(gone);
    alpha.run(&group, "promote").exit(1).reason_has("backing store could not be opened: device dummy_r0");
    assert_eq!(alpha.state("dummy", "alpha"), "standby");
    store(&alpha, &disk, "present=true");
    alpha.run(&group, "promote").exit(0);
}

#[test]
fn d12_a_file_that_cannot_be_opened_fails_the_promotion_before_the_state_is_written() {
    let (alpha, group, file) = sample::started_above(&Store::File);
    // As a directory it is there, and no file.
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    let fails = |reason: &str| {
        let written = alpha.run(&group, "promote").exit(1).reason_has(reason).written();
        assert!(written.iter().all(|write| !write.contains("target_groups/alpha/state")), "{written:?}");
    };
    fails("backing store could not be opened: device dummy_r0");
    std::fs::remove_dir(&file).unwrap();
    fails("device dummy_r0");
    alpha.cluster().file("f0", 1 << 20);
    alpha.run(&group, "promote").exit(0);
    assert_eq!(alpha.read("devices/dummy_r0/active"), "1");
}

#[test]
fn a_store_that_only_the_promoted_node_has_may_be_absent_in_standby() {
    let cluster = sample::with_ports();
    let alpha = cluster.node("alpha");
    let volume = cluster.disk("lv0", 3 << 20);
    let device = format!("filename={},virtname=r0,export0=all:1,absent_in_standby=1", volume.display());
    let sized = group().param("device1", &format!("{device},size=2M"));
    let group = group().param("device1", &device);
    let size = || alpha.read("devices/dummy_r0/size");
    store(alpha, &volume, "present=false");
    // Nobody knows yet.
    alpha.run(&group, "start").exit(0).logged("size= says it");
    assert_eq!(size(), "0");
    alpha.run(&sized, "reload").exit(0);
    assert_eq!(size(), "2097152");
    alpha.thorough(&sized).exit(0).not_logged("WARNING");
    alpha.call(&sized).level(10).run("validate-all").exit(0);
    // A promotion insists on it.
    alpha.run(&sized, "promote").exit(1).reason_has("backing store could not be opened: device dummy_r0");
    assert_eq!(alpha.state("dummy", "alpha"), "standby");
    store(alpha, &volume, "present=true");
    alpha.run(&sized, "promote").exit(0);
    assert_eq!(size(), "3145728");
    let kept = || std::fs::read_to_string(alpha.var_lib().join("sizes/dummy_r0")).unwrap();
    assert!(kept().starts_with("3145728 "), "{}", kept());
    alpha.run(&sized, "demote").exit(0);
    store(alpha, &volume, "present=false");
    alpha.run(&sized, "stop").exit(0);
    // What this node served last is known also after a reboot.
    alpha.run(&group, "start").exit(0).not_logged("size= says it");
    assert_eq!(size(), "3145728");
    alpha.run(&group, "start").exit(0).writes(0);
    store(alpha, &volume, "present=true");
    alpha.run(&group, "promote").exit(0);
    store(alpha, &volume, "present=false");
    alpha.run(&group, "reload").kept().reason_has("backing store does not exist");
    alpha.thorough(&group).exit(9);
    let file = group.param("device1", &format!("{device},handler=vdisk_fileio"));
    alpha.run(&file, "validate-all").exit(6).reason_has("absent_in_standby");
}

#[test]
fn d13_a_promotion_adds_what_this_node_missed_and_names_what_it_leaves_out() {
    let cluster = sample::with_ports();
    let alpha = cluster.node("alpha");
    let (disk, other) = (cluster.drbd("r0", 1 << 20), cluster.drbd("r1", 1 << 20));
    alpha.run(&group(), "start").exit(0);
    let more = above(&disk, "")
        .param("device2", &format!("filename={},virtname=r1,export0=all:2", other.display()))
        .param("device3", "handler=vdisk_nullio,virtname=much.too-long,export0=all:3")
        .param("device4", "handler=vdisk_nullio,virtname=n,export0=all:4,export1=nobody:9");
    // Nobody reloaded this node. What cannot be served is a failure of the thorough monitor, and of nothing else.
    alpha.thorough(&more).exit(1);
    store(alpha, &disk, "drbd=primary");
    let promote = alpha.run(&more, "promote").exit(0);
    promote
        .logged("was missing: add device dummy_r0")
        .logged("device3")
        .logged("no initiator group for export nobody:9")
        .logged("dummy_r1: open failed");
    assert_eq!(alpha.read("devices/dummy_r0/active"), "1");
    assert_eq!(alpha.tree().lines("lun 1"), ["lun 1 dummy_r0"; 2]);
    assert_eq!(alpha.tree().lines("lun 4"), ["lun 4 dummy_n"; 2]);
    assert_eq!(alpha.tree().lines("lun 2"), [""; 0]);
    alpha.monitor(&more).exit(8);
    alpha.thorough(&more).exit(1);
    // A LUN alone.
    let right = above(&disk, "");
    alpha.run(&right, "reload").exit(0);
    alpha.run(&right, "demote").exit(0);
    alpha.write(&format!("targets/qla2x00t/{}/ini_groups/vmwtest/luns/mgmt", sample::ALPHA[1]), "del 1");
    alpha.run(&right, "promote").exit(0);
    assert_eq!(alpha.tree().lines("lun 1"), ["lun 1 dummy_r0"; 2]);
    alpha.run(&right, "promote").exit(0).writes(0);
    alpha.thorough(&right).exit(8).not_logged("WARNING");
    alpha.run(&right, "stop").exit(0);
    assert_eq!(alpha.tree().lines("device"), [""; 0]);
}

/// A reload of the serving node adds `more`, of which the disk cannot be opened: it stays behind closed, no member and not mapped.
#[track_caller]
fn left_behind(node: &Node, more: &Resource) {
    node.run(more, "reload").unfinished().reason_has("device dummy_r0: open failed");
    assert_eq!(node.read("devices/dummy_r0/active"), "0");
    assert!(!node.exists("device_groups/dummy/devices/dummy_r0"));
}

#[test]
fn a_device_that_a_reload_could_not_open_does_not_make_the_next_promotion_fail() {
    let (alpha, more, disk) = sample::serving().into_node("alpha").with(&Store::Drbd);
    left_behind(&alpha, &more);
    alpha.run(&more, "demote").exit(0);
    alpha.run(&more, "promote").exit(0).logged("not served: device dummy_r0: open failed");
    assert_eq!(alpha.state("dummy", "alpha"), "active");
    assert!(!alpha.exists("device_groups/dummy/devices/dummy_r0"));
    assert_eq!(alpha.tree().lines("lun 1"), [""; 0]);
    alpha.run(&more, "demote").exit(0);
    store(&alpha, &disk, "drbd=primary");
    alpha.run(&more, "promote").exit(0);
    assert_eq!(alpha.read("devices/dummy_r0/active"), "1");
    assert_eq!(alpha.tree().lines("lun 1"), ["lun 1 dummy_r0"; 2]);
    alpha.run(&more, "promote").exit(0).writes(0);
}

#[test]
fn a_device_left_behind_on_a_wrong_store_is_added_again_on_the_right_one() {
    for action in ["reload", "promote"] {
        let cluster = sample::serving();
        let alpha = cluster.node("alpha");
        let (wrong, right) = (cluster.drbd("r0", 1 << 20), cluster.disk("r1", 2 << 20));
        left_behind(alpha, &above(&wrong, ""));
        // By now it could be opened.
        store(alpha, &wrong, "drbd=primary");
        let corrected = above(&right, "");
        if action == "promote" {
            alpha.run(&corrected, "demote").exit(0);
        }
        alpha.run(&corrected, action).exit(0);
        assert_eq!(alpha.read("devices/dummy_r0/filename"), right.to_str().unwrap(), "{action}");
        assert_eq!(alpha.read("devices/dummy_r0/size"), "2097152", "{action}");
        assert_eq!(alpha.tree().lines("lun 1"), ["lun 1 dummy_r0"; 2], "{action}");
        alpha.run(&corrected, action).exit(0).writes(0);
    }
}

#[test]
fn a_file_that_was_left_closed_is_opened_before_a_promotion_maps_it() {
    let (alpha, more, _) = sample::serving().into_node("alpha").with(&Store::File);
    alpha.run(&group(), "demote").exit(0);
    alpha.run(&more, "reload").exit(0);
    for port in sample::ALPHA {
        alpha.write(&format!("targets/qla2x00t/{port}/ini_groups/vmwtest/luns/mgmt"), "del 1");
    }
    alpha.write("device_groups/dummy/devices/mgmt", "del dummy_r0");
    alpha.write("devices/dummy_r0/active", "0");
    alpha.run(&more, "promote").exit(0).in_order(&["dummy_r0/active < 1", "devices/mgmt < add dummy_r0"]);
    assert_eq!(alpha.read("devices/dummy_r0/active"), "1");
}

#[test]
fn a_promotion_that_serves_is_not_undone_because_sizes_could_not_be_read() {
    let (alpha, group, _) = sample::started_above(&Store::File);
    alpha.cluster().file("f0", 2 << 20);
    // The first look comes before the state is written.
    alpha.control("fault op=read path=**/dummy_r0/size action=fail errno=EIO at=2");
    alpha.run(&group, "promote").exit(0).logged("device dummy_r0: whether hosts are told its size is not known");
    assert_eq!(alpha.state("dummy", "alpha"), "active");
}

#[test]
fn what_was_left_out_for_a_mistake_is_missing() {
    let alpha = sample::serving().into_node("alpha");
    let level_10 = |group: &Resource| alpha.thorough(group);
    let with = |text: &str| group().param("device1", text);
    level_10(&with("handler=vdisk_nullio,virtname=much.too-long,export0=all:1")).exit(1).reason_has("device left out");
    let export = with("handler=vdisk_nullio,virtname=n,export0=all:1,export1=x");
    alpha.run(&export, "reload").exit(0);
    level_10(&export).exit(1).reason_has("export left out");
    level_10(&with("handler=vdisk_nullio,virtname=n,export0=all:1,export1=nobody:2"))
        .exit(1)
        .reason_has("no initiator group for export nobody:2");
    level_10(&with("handler=vdisk_nullio,virtname=n,export0=all:1")).exit(8);
}
