//! What a device group is made of: every kind of device, its LUNs, and what was there before.

use snapbox::str;

use crate::fixture::sample::{self, ALPHA, group, grown, ports};
use crate::fixture::{Cluster, Fixture, Resource};

const BOTH: &str = "esx=50:01:43:80:03:b0:23:34;linux=50:01:43:80:03:b0:23:40";

/// A node with two initiator groups, and a configuration with one device of each kind.
fn every_kind() -> (Cluster, Resource) {
    let cluster = Fixture::new().node("alpha", 1).port(ALPHA[0]).node("beta", 2).port(sample::BETA[0]).up();
    cluster.node("alpha").run(&ports().param("initiators", BOTH), "start").exit(0);
    let disk = cluster.disk("disk", 1 << 20);
    let file = cluster.file("file", 1 << 20);
    let image = cluster.file("image", 1 << 20);
    let group = group()
        .param("device1", &format!("filename={},virtname=block,is_ssd=1,nv_cache=1,t10devid=block_id,export0=ESX:1", disk.display()))
        .param(
            "device2",
            &format!("handler=vdisk_fileio filename={} virtname=file usn=serial naa_id=5000000000000001 export0=linux:2", file.display()),
        )
        .param(
            "device255",
            &format!("handler=vdisk_fileio,filename={},virtname=image,read_only=1,removable=1,export0=esx:254,export1=linux:3", image.display()),
        );
    (cluster, group)
}

#[test]
fn one_device_of_each_kind() {
    let (cluster, group) = every_kind();
    let alpha = cluster.node("alpha");
    alpha.run(&group, "start").exit(0);
    alpha.tree().from("device dummy").eq(str![[r#"
device dummy_block vdisk_blockio filename=/fixture/disk active=0 nv_cache=1 prod_id=SCST rotational=0 size=1048576 t10_dev_id=block_id
device dummy_file vdisk_fileio filename=/fixture/file active=0 bind_alua_state=1 naa_id=0x5000000000000001 prod_id=SCST size=1048576 usn=serial write_through=1
device dummy_image vdisk_fileio filename=/fixture/image active=0 bind_alua_state=1 prod_id=SCST read_only=1 removable=1 size=1048576
device dummy_lu0dummy vdisk_nullio dummy=1 prod_id=SCST
device group dummy
  device dummy_block
  device dummy_file
  device dummy_image
  device dummy_lu0dummy
  target group alpha group_id=1 standby
    local 21:00:00:24:ff:60:d0:10 rel_tgt_id=101
  target group beta group_id=2 unavailable
    remote 21:00:00:1b:32:0b:52:75 rel_tgt_id=201

"#]]);
    assert_eq!(alpha.read("devices/dummy_block/t10_dev_id"), "block_id");
    assert_eq!(alpha.read("devices/dummy_file/usn"), "serial");
    assert_eq!(alpha.read("devices/dummy_file/naa_id"), "0x5000000000000001");
    for device in ["lu0dummy", "block", "file", "image"] {
        assert_eq!(alpha.read(&format!("devices/dummy_{device}/prod_id")), "SCST");
    }
    // What a writable file gets in any case, unless it is told not to.
    assert_eq!(alpha.read("devices/dummy_file/write_through"), "1");
    assert_eq!(alpha.read("devices/dummy_file/bind_alua_state"), "1");
    assert_eq!(alpha.read("devices/dummy_file/active"), "0");
    assert_eq!(alpha.read("devices/dummy_image/write_through"), "0");
    alpha.run(&group, "promote").exit(0);
    for device in ["block", "file", "image"] {
        assert_eq!(alpha.read(&format!("devices/dummy_{device}/active")), "1");
    }
    alpha.has_nothing_to_do(&group, 8);
    alpha.run(&group, "stop").exit(0);
    assert_eq!(alpha.tree().lines("device"), [""; 0]);
}

#[test]
fn an_existing_device_is_compared_not_believed() {
    let (cluster, group) = every_kind();
    let alpha = cluster.node("alpha");
    alpha.run(&group, "start").exit(0);
    alpha.run(&group, "stop").exit(0);
    // Leftovers of the same names, with other contents.
    let other = cluster.file("leftover", 1 << 20);
    alpha.write("handlers/vdisk_fileio/mgmt", &format!("add_device dummy_file filename={}", other.display()));
    alpha.write("handlers/vdisk_nullio/mgmt", "add_device dummy_block");
    alpha.write("device_groups/mgmt", "create dummy");
    alpha.write("device_groups/dummy/devices/mgmt", "add dummy_file");
    alpha.run(&group, "monitor").exit(1);
    alpha.run(&group, "start").exit(0);
    let filename = alpha.read("devices/dummy_file/filename");
    assert!(filename.ends_with("/file"), "{filename}");
    assert!(alpha.exists("handlers/vdisk_blockio/dummy_block"));
    alpha.run(&group, "start").exit(0).writes(0);
}

#[test]
fn a_leftover_group_without_a_lun_is_completed() {
    let alpha = sample::started();
    let whole = alpha.tree();
    for port in ALPHA {
        alpha.write(&format!("targets/qla2x00t/{port}/ini_groups/vmwtest/luns/mgmt"), "clear");
    }
    alpha.write("device_groups/dummy/target_groups/mgmt", "del beta");
    alpha.run(&group(), "start").exit(0);
    assert_eq!(alpha.tree(), whole);
}

#[test]
fn a_foreign_member_leaves_the_group_and_stays_a_device() {
    let alpha = sample::started();
    alpha.write("handlers/vdisk_nullio/mgmt", "add_device stranger");
    alpha.write("device_groups/dummy/devices/mgmt", "add stranger");
    alpha.run(&group(), "reload").exit(0);
    assert!(alpha.exists("devices/stranger"));
    assert!(!alpha.exists("device_groups/dummy/devices/stranger"));
}

#[test]
fn a_lun_mapped_by_hand_elsewhere_is_left_alone() {
    let alpha = sample::started();
    alpha.write("handlers/vdisk_nullio/mgmt", "add_device stranger");
    alpha.write(&format!("targets/qla2x00t/{}/ini_groups/vmwtest/luns/mgmt", ALPHA[0]), "add stranger 77");
    alpha.run(&group(), "reload").exit(0).writes(0);
    alpha.run(&group(), "stop").exit(0);
    assert_eq!(alpha.tree().lines("lun"), ["lun 77 stranger"]);
}

#[test]
fn p2_a_loop_initialisation_comes_once_per_port_and_only_after_a_change() {
    let alpha = sample::with_ports().into_node("alpha");
    let seen = || ["1", "2"].map(|host| alpha.control(&format!("lips {host}")));
    let bigger = grown();
    let started = alpha.run(&bigger, "start").exit(0).written();
    assert_eq!(seen(), ["1", "1"], "{started:#?}");
    assert!(started.iter().rev().take(2).all(|write| write.contains("issue_lip")), "{started:#?}");
    for action in ["start", "reload"] {
        assert_eq!(alpha.run(&bigger, action).exit(0).times("issue_lip"), 0, "{action}");
    }
    alpha.run(&bigger, "stop").exit(0);
    assert_eq!(alpha.run(&bigger.param("lip", "0"), "start").exit(0).times("issue_lip"), 0);
    alpha.run(&bigger, "stop").exit(0);
    assert_eq!(seen(), ["1", "1"]);
    // A port that is not enabled has nobody to tell; a failure is told to the log alone.
    alpha.write(&format!("targets/qla2x00t/{}/enabled", ALPHA[1]), "0");
    alpha.control("fault op=write path=**/issue_lip action=fail errno=EIO");
    let started = alpha.run(&bigger, "start").exit(0).logged("loop initialisation");
    assert_eq!(started.times("issue_lip"), 1);
    alpha.run(&bigger, "monitor").exit(0);
}

#[test]
fn a_start_that_fails_above_half_of_one_does_not_leave_the_node_serving() {
    let alpha = sample::with_ports().into_node("alpha");
    // The kernel gives a new target group the state active.
    alpha.control("fault op=write path=**/target_groups/alpha/state action=kill when=before at=1");
    assert!(alpha.run(&group(), "start").was_killed());
    assert_eq!(alpha.state("dummy", "alpha"), "active");
    alpha.control("fault op=write path=**/luns/mgmt action=fail errno=EIO at=1");
    let failed = alpha.run(&group(), "start").exit(1);
    let written = failed.written();
    assert!(written.iter().all(|write| !write.ends_with("/state < active")), "{written:#?}");
    assert_eq!(alpha.state("dummy", "alpha"), "standby");
    alpha.run(&group(), "start").exit(0);
    assert_eq!(alpha.state("dummy", "alpha"), "standby");
}

#[test]
fn f12_a_start_that_fails_undoes_its_own_steps() {
    let alpha = sample::with_ports().into_node("alpha");
    for module in ["scst_disk", "scst_vdisk"] {
        alpha.control(&format!("modprobe {module}"));
    }
    let before = alpha.tree();
    for fault in
        ["**/luns/mgmt at=2", "**/target_groups/mgmt at=2", "**/alpha/state", "**/prod_id", "device_groups/mgmt"]
    {
        let path = if fault.starts_with("**") { fault.to_owned() } else { format!("**/{fault}") };
        alpha.control(&format!("fault op=write path={path} action=fail errno=ENOMEM"));
        alpha.run(&group(), "start").exit(1).reason_has("ENOMEM");
        alpha.control("disarm");
        assert_eq!(alpha.tree(), before, "{fault}");
        assert_eq!(alpha.record(&group()), None, "{fault}");
        assert_eq!(alpha.score(&group()), None, "{fault}");
        alpha.run(&group(), "monitor").exit(7);
    }
    alpha.run(&group(), "start").exit(0);
}

#[test]
fn a_target_driver_whose_ports_are_made_by_hand() {
    let nodes = Fixture::new().node("alpha", 1).targetports("local1").node("beta", 2).targetports("local2");
    let alpha = nodes.up().into_node("alpha");
    alpha.control("modprobe scst_local");
    alpha.write("targets/scst_local/mgmt", "add_target local1");
    alpha.write("targets/scst_local/local1/ini_groups/mgmt", "create hosts");
    let group = group().param("tgtdriver", "scst_local");
    alpha.run(&group, "start").exit(0);
    alpha.run(&group, "promote").exit(0);
    alpha.tree().eq(str![[r#"
modules scst scst_disk scst_local scst_vdisk
port scst_local/local1 rel_tgt_id=101
  group hosts
    lun 0 dummy_lu0dummy
device dummy_lu0dummy vdisk_nullio dummy=1 prod_id=SCST
device group dummy
  device dummy_lu0dummy
  target group alpha group_id=1 active
    local local1 rel_tgt_id=101
  target group beta group_id=2 unavailable
    remote local2 rel_tgt_id=201

"#]]);
    alpha.run(&group, "monitor").exit(8);
    alpha.run(&group, "start").exit(0).writes(0);
    alpha.run(&group, "stop").exit(0);
    assert_eq!(alpha.tree().lines("device"), [""; 0]);
}

#[test]
fn many_devices_are_as_quick_to_ask_about_as_one() {
    let alpha = sample::with_ports().into_node("alpha");
    let many = (1..64).fold(group(), |group, n| {
        group.param(&format!("device{n}"), &format!("handler=vdisk_nullio,virtname=d{n},export0=all:{n}"))
    });
    alpha.run(&many, "start").exit(0);
    assert_eq!(alpha.tree().lines("lun").len(), 128);
    alpha.monitor(&many).exit(0).programs(0).writes(0);
    alpha.run(&many, "start").exit(0).writes(0);
    alpha.run(&many, "promote").exit(0);
    alpha.run(&many, "demote").exit(0);
    alpha.run(&many, "stop").exit(0);
    assert_eq!(alpha.tree().lines("device"), [""; 0]);
}
