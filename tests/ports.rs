//! Bringing ports up: the order of the steps, hardware that is particular, and what others did to the ports before.

use crate::fixture::sample::{self, ALPHA, HOST, ports};
use crate::fixture::{Fixture, Resource, eventually};

fn port(index: usize, attribute: &str) -> String {
    format!("targets/qla2x00t/{}/{attribute}", ALPHA[index])
}

#[test]
fn groups_come_first_then_ids_then_enabling() {
    let cluster = sample::nodes().up();
    let started = cluster.node("alpha").run(&ports(), "start").exit(0);
    let kind = |write: &String| {
        let path = write.split(' ').next().unwrap_or_default();
        let last = path.rsplit('/').next().unwrap_or_default();
        match last {
            "rel_tgt_id" => 1,
            "enabled" => 2,
            _ => 0,
        }
    };
    let kinds: Vec<u32> = started.written().iter().map(kind).collect();
    assert!(kinds.is_sorted(), "{:#?}", started.written());
    assert_eq!(kinds.iter().filter(|kind| **kind == 2).count(), 2);
}

#[test]
fn modules_are_loaded_once_and_named_when_they_are_missing() {
    let cluster = sample::nodes().up();
    let alpha = cluster.node("alpha");
    alpha.run(&ports(), "start").exit(0).ran(&["cibadmin", "modprobe", "modprobe"]);
    alpha.run(&ports(), "start").exit(0).ran(&["cibadmin"]);
    let beta = cluster.node("beta");
    beta.call(&ports()).env("STAND_IN_FAIL", "modprobe:1").run("start").exit(5).reason_has("module scst").writes(0);
    beta.run(&ports(), "monitor").exit(7);
}

#[test]
fn k4_a_port_of_the_32_gb_generation_is_never_enabled_twice() {
    let alpha = Fixture::new().node("alpha", 1).port_of_32_gb(ALPHA[0]).port_of_32_gb(ALPHA[1]).up().into_node("alpha");
    alpha.run(&ports(), "start").exit(0);
    alpha.run(&ports(), "start").exit(0).writes(0);
    alpha.run(&ports(), "reload").exit(0).writes(0);
    // One was switched off by hand: only that one is switched on.
    alpha.write(&port(1, "enabled"), "0");
    alpha.run(&ports(), "start").exit(0).wrote(&[&format!("{} < 1", port(1, "enabled"))]);
    alpha.run(&ports(), "stop").exit(0);
    alpha.run(&ports(), "stop").exit(0).writes(0);
}

#[test]
fn a_port_that_is_enabled_with_another_id_is_disabled_renumbered_and_enabled() {
    let alpha = sample::with_ports().into_node("alpha");
    alpha.run(&ports(), "stop").exit(0);
    // Without an id the kernel makes one up.
    alpha.write(&port(0, "rel_tgt_id"), "0");
    alpha.write(&port(0, "enabled"), "1");
    assert_eq!(alpha.read(&port(0, "rel_tgt_id")), "1");
    let started = alpha.run(&ports(), "start").exit(0).written();
    let of_port: Vec<&String> = started
        .iter()
        .filter(|write| write.starts_with(&port(0, "enabled")) || write.starts_with(&port(0, "rel_tgt_id")))
        .collect();
    assert_eq!(
        of_port,
        [
            &format!("{} < 0", port(0, "enabled")),
            &format!("{} < 101", port(0, "rel_tgt_id")),
            &format!("{} < 1", port(0, "enabled"))
        ]
    );
}

#[test]
fn an_id_that_another_enabled_port_has_is_reported_and_the_start_undone() {
    let alpha = Fixture::new().node("alpha", 1).port(ALPHA[0]).up().into_node("alpha");
    alpha.control("modprobe scst_local");
    alpha.write("targets/scst_local/mgmt", "add_target thief");
    alpha.write("targets/scst_local/thief/rel_tgt_id", "101");
    alpha.run(&ports(), "start").exit(1).reason_has(ALPHA[0]).reason_has("EBADSLT");
    assert_eq!(alpha.tree().lines("group"), [""; 0]);
    assert_eq!(alpha.read(&port(0, "enabled")), "0");
    alpha.run(&ports(), "monitor").exit(7);
    assert_eq!(alpha.record(&ports()), None);
}

#[test]
fn f12_a_start_that_fails_half_way_leaves_nothing_of_its_own() {
    let alpha = sample::nodes().up().into_node("alpha");
    alpha.control("modprobe qla2x00tgt");
    alpha.write(&format!("{}/mgmt", port(0, "ini_groups")), "create foreign");
    let before = alpha.tree();
    alpha.control(&format!("fault op=write path=**/{}/enabled at=1 action=fail errno=EIO", ALPHA[1]));
    alpha.run(&ports(), "start").exit(1).reason(&format!(
        "port {}: enable failed: EIO writing \"1\" to {}",
        ALPHA[1],
        alpha.mount().dir().join("kernel/scst_tgt").join(port(1, "enabled")).display()
    ));
    assert_eq!(alpha.tree(), before);
    assert_eq!(alpha.record(&ports()), None);
    alpha.run(&ports(), "monitor").exit(7);
    alpha.run(&ports(), "start").exit(0);
}

#[test]
fn ports_are_enabled_side_by_side() {
    let alpha = sample::nodes().up().into_node("alpha");
    alpha.control("modprobe qla2x00tgt");
    alpha.control("fault op=write path=**/enabled at=1 action=hang");
    alpha.control("fault op=write path=**/enabled at=2 action=hang");
    let start = alpha.call(&ports()).begin("start");
    eventually("both ports are being enabled", || alpha.mount().waiting() == 2);
    alpha.control("release");
    start.wait().exit(0);
}

#[test]
fn hosts_find_their_group_at_their_first_login() {
    let alpha = sample::with_ports().into_node("alpha");
    for (index, host) in [(0, HOST[0]), (1, HOST[1])] {
        alpha.control(&format!("login qla2x00t {} {host}", ALPHA[index]));
    }
    alpha.control(&format!("login qla2x00t {} 50:01:43:80:03:b0:23:99", ALPHA[0]));
    assert_eq!(
        alpha.tree().lines("session"),
        [
            "session 50:01:43:80:03:b0:23:34 in group vmwtest",
            "session 50:01:43:80:03:b0:23:99 in default group",
            "session 50:01:43:80:03:b0:23:36 in group vmwtest"
        ]
    );
}

#[test]
fn longer_group_names_with_some_signs_are_ours_to_accept() {
    let alpha = sample::nodes().up().into_node("alpha");
    let resource = ports().param("initiators", &format!("esx-cluster_2.example={}", HOST[0]));
    alpha.run(&resource, "start").exit(0);
    assert_eq!(alpha.tree().lines("group")[0], "group esx-cluster_2.example io_grouping_type=101");
    alpha.run(&resource, "stop").exit(0);
    assert_eq!(alpha.tree().lines("group"), [""; 0]);
}

#[test]
fn no_action_of_another_resource_touches_the_ports() {
    let alpha = sample::with_ports().into_node("alpha");
    let before = alpha.tree();
    alpha.run(&Resource::ports("scst_qla2"), "monitor").exit(7);
    alpha.run(&Resource::ports("scst_qla2"), "stop").exit(0).writes(0);
    alpha.run(&sample::group(), "stop").exit(0).writes(0);
    assert_eq!(alpha.tree(), before);
}
