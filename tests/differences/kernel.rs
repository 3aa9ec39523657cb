//! Rows of "Kernel": where SCST does something else than its words suggest.

use crate::fixture::sample::{self, ALPHA, BETA, Store, group, ports};
use crate::fixture::{Fixture, Lists, eventually};

#[test]
fn k1_a_peers_group_has_its_ports_before_its_state_and_our_disks_stay_open() {
    let cluster = Fixture::new().node("alpha", 1).port(ALPHA[0]).node("beta", 2).without_targetports().up();
    let alpha = cluster.node("alpha");
    let group = sample::above(&cluster.disk("r0", 1 << 20), "");
    alpha.run(&ports(), "start").exit(0);
    alpha.run(&group, "promote").exit(0);
    // A peer comes into the cluster while we serve.
    cluster.set_targetports("beta", Some(BETA[0]));
    alpha.run(&group, "reload").exit(0).in_order(&["beta/mgmt < add", "beta/state <"]);
    assert_eq!(alpha.read("devices/dummy_r0/active"), "1");
    // Somebody takes its port away: by now its state would be ours.
    alpha.write("device_groups/dummy/target_groups/beta/mgmt", &format!("del {}", BETA[0]));
    let lists = Lists::new().list("active", &["alpha", "beta"]).list("stop", &["beta"]).event("pre", "stop");
    alpha.call(&group).lists(&lists).run("notify").exit(0).writes(0).logged("no remote port");
    assert_eq!(alpha.read("devices/dummy_r0/active"), "1");
}

#[test]
fn k2_an_interrupted_command_is_waited_for_and_not_repeated() {
    let alpha = sample::with_ports().into_node("alpha");
    let devices = "device_groups/dummy/devices";
    alpha.control(&format!("fault op=write path=**/{devices}/mgmt action=fail errno=EINTR"));
    let mut start = alpha.call(&group()).begin("start");
    let struck = || alpha.mount().strikes().len() == 1;
    eventually("the command is interrupted", struck);
    let looks = || {
        let path = format!("kernel/scst_tgt/{devices}").into_bytes();
        alpha.counters().by_path.get(&path).map_or(0, |counts| counts.lists)
    };
    let before = looks();
    eventually("its effect is looked for", || looks() > before + 2 || !start.is_running());
    // The kernel carries it out all the same.
    alpha.write(&format!("{devices}/mgmt"), "add dummy_lu0dummy");
    let started = start.wait().exit(0);
    assert_eq!(started.times(&format!("{devices}/mgmt < add")), 1, "{started:?}");
}

#[test]
fn k3_what_is_there_already_is_compared() {
    let (alpha, group, disk) = sample::with_ports().into_node("alpha").with(&Store::Disk);
    let other = alpha.cluster().disk("other", 1 << 20);
    alpha.run(&group, "start").exit(0);
    alpha.run(&group, "stop").exit(0);
    // Left over: our device on another disk, and our LUN with another device of ours.
    alpha.write("handlers/vdisk_blockio/mgmt", &format!("add_device dummy_r0 filename={}", other.display()));
    alpha.write("handlers/vdisk_nullio/mgmt", "add_device dummy_lu0dummy dummy=1");
    let luns = format!("targets/qla2x00t/{}/ini_groups/vmwtest/luns", ALPHA[0]);
    alpha.write(&format!("{luns}/mgmt"), "add dummy_lu0dummy 1");
    alpha.run(&group, "start").exit(0);
    assert_eq!(alpha.read("devices/dummy_r0/filename"), disk.display().to_string());
    assert_eq!(alpha.tree().lines("lun 1"), ["lun 1 dummy_r0"; 2]);
    assert_eq!(alpha.tree().lines("lun 0"), ["lun 0 dummy_lu0dummy"; 2]);
    // Read-only, and by another handler.
    alpha.write(&format!("{luns}/mgmt"), "del 1");
    alpha.write(&format!("{luns}/mgmt"), "add dummy_r0 1 read_only=1");
    alpha.run(&group, "start").exit(0);
    assert_eq!(alpha.read(&format!("{luns}/1/read_only")), "0");
}
