//! What lies below the devices: stores that are not open yet, that grow, shrink, vanish, or exist on the promoted node alone.

use std::path::Path;

use crate::world::sample::{self, group};
use crate::world::{Node, Resource};

/// The sample group with a disk at LUN 1.
fn above(disk: &Path) -> Resource {
    let device = format!("filename={},virtname=r0,export0=all:1", disk.display());
    group().param("device1", &device)
}

/// Something happens to a disk on a node.
#[track_caller]
fn store(node: &Node, disk: &Path, words: &str) {
    node.control(&format!("store {} {words}", disk.display()));
}

#[test]
fn a_group_above_a_drbd_secondary_starts_and_is_promoted_with_it() {
    let cluster = sample::with_ports();
    let alpha = cluster.node("alpha");
    let disk = cluster.drbd("r0", 1 << 20);
    let group = above(&disk);
    alpha.run(&group, "start").exit(0);
    assert_eq!(alpha.read("devices/dummy_r0/active"), "0");
    // A host that logs in now sees the true capacity.
    assert_eq!(alpha.read("devices/dummy_r0/size"), "1048576");
    alpha.run(&group, "start").exit(0).writes(0);
    alpha.run(&group, "reload").exit(0).writes(0);
    alpha.call(&group).recurring().level(10).run("monitor").exit(0).not_logged("WARNING");
    store(alpha, &disk, "drbd=primary");
    alpha.run(&group, "promote").exit(0);
    assert_eq!(alpha.read("devices/dummy_r0/active"), "1");
    alpha.run(&group, "demote").exit(0);
    assert_eq!(alpha.read("devices/dummy_r0/active"), "0");
    store(alpha, &disk, "drbd=secondary");
    alpha.run(&group, "stop").exit(0);
    assert_eq!(alpha.tree().lines("device"), [""; 0]);
}

#[test]
fn a_device_is_added_to_a_standby_without_opening_its_store() {
    let cluster = sample::with_ports();
    let alpha = cluster.node("alpha");
    let disk = cluster.drbd("r0", 1 << 20);
    let more = above(&disk);
    alpha.run(&group(), "start").exit(0);
    alpha.run(&more, "reload").exit(0);
    assert_eq!(alpha.tree().lines("lun 1"), ["lun 1 dummy_r0"; 2]);
    assert_eq!(
        (alpha.read("devices/dummy_r0/active"), alpha.read("devices/dummy_r0/size")),
        ("0".into(), "1048576".into())
    );
    alpha.run(&more, "reload").exit(0).writes(0);
}

#[test]
fn a_device_is_added_to_a_serving_group_open_and_only_then_mapped() {
    let cluster = sample::serving();
    let alpha = cluster.node("alpha");
    let disk = cluster.disk("r0", 1 << 20);
    let more = above(&disk);
    let written = alpha.run(&more, "reload").exit(0).written();
    let at = |what: &str| {
        written.iter().position(|write| write.contains(what)).unwrap_or_else(|| panic!("{what}: {written:#?}"))
    };
    assert!(written[at("add_device")].ends_with("; active=0"), "{written:#?}");
    assert!(at("devices/dummy_r0/active < 1") < at("luns/mgmt < add dummy_r0"), "{written:#?}");
    assert_eq!(alpha.read("devices/dummy_r0/active"), "1");
    alpha.run(&more, "reload").exit(0).writes(0);
    // One that cannot be opened is mapped nowhere, and is no member that would make the group fail.
    let other = cluster.drbd("r1", 1 << 20);
    let most = more.param("device2", &format!("filename={},virtname=r1,export0=all:2", other.display()));
    alpha.run(&most, "reload").exit(1).reason_has("device dummy_r1: open failed: EROFS");
    assert_eq!(alpha.tree().lines("lun 2"), [""; 0]);
    assert!(!alpha.exists("device_groups/dummy/devices/dummy_r1"));
    alpha.call(&most).recurring().run("monitor").exit(8);
    // The next reload finishes.
    store(alpha, &other, "drbd=primary");
    alpha.run(&most, "reload").exit(0);
    assert_eq!(alpha.tree().lines("lun 2"), ["lun 2 dummy_r1"; 2]);
}

#[test]
fn what_is_found_open_stays_open() {
    let cluster = sample::serving();
    let alpha = cluster.node("alpha");
    let disk = cluster.disk("r0", 1 << 20);
    let more = above(&disk);
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
    let cluster = sample::nodes().scst(scst_sim::model::ScstVersion::V3_7).up();
    for node in ["alpha", "beta"] {
        cluster.node(node).run(&sample::ports(), "start").exit(0);
    }
    let alpha = cluster.node("alpha");
    let disk = cluster.drbd("r0", 1 << 20);
    let group = above(&disk);
    alpha.run(&group, "start").exit(0);
    assert_eq!(
        (alpha.read("devices/dummy_r0/active"), alpha.read("devices/dummy_r0/size")),
        ("0".into(), "1048576".into())
    );
    store(alpha, &disk, "drbd=primary");
    alpha.run(&group, "promote").exit(0);
    assert_eq!(alpha.read("devices/dummy_r0/active"), "1");
}
