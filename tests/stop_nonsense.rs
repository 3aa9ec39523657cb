//! Stop never validates: whatever has become of the configuration, the cluster, the hardware, what is ours goes.

use crate::fixture::sample::{self, ALPHA, HOST, group, ports};
use crate::fixture::{Cluster, Resource};

/// Nothing of the group is left on alpha, and nothing else has gone.
#[track_caller]
fn group_is_gone(cluster: &Cluster) {
    let alpha = cluster.node("alpha");
    assert_eq!(alpha.tree().lines("device"), [""; 0], "{:?}", alpha.tree());
    assert_eq!(alpha.tree().lines("lun"), [""; 0]);
    assert_eq!(alpha.record(&group()), None);
    assert_eq!(alpha.tree().lines("group vmwtest").len(), 2);
}

#[test]
fn f1_a_device_group_goes_with_nonsense_in_every_parameter() {
    let mut nonsense = group();
    for name in ["groupname", "tgtdriver", "reload", "lip", "device0", "device1", "device255", "nothing"] {
        nonsense = nonsense.param(name, "!\"§$%&/()=?; ../../x \n\u{7f}");
    }
    let mut empty = group();
    for name in ["groupname", "tgtdriver", "device0"] {
        empty = empty.param(name, "");
    }
    let none = Resource::group(group().id());
    let other = group().param("groupname", "other").param("device0", "handler=vdisk_nullio,virtname=x,export0=all:3");
    let one = |name: &str| group().param(name, "nonsense; ../x");
    let iscsi = group().param("tgtdriver", "iscsi");
    for resource in [nonsense, empty, none, iscsi, one("device0"), one("tgtdriver"), one("groupname")] {
        let cluster = sample::serving();
        let alpha = cluster.node("alpha");
        alpha.run(&resource, "stop").exit(0);
        group_is_gone(&cluster);
        assert_eq!(alpha.score(&group()), None);
        alpha.run(&resource, "stop").exit(0).writes(0);
    }
    // A valid name of another group: the record says which one this resource has started.
    let cluster = sample::serving();
    cluster.node("alpha").run(&other, "stop").exit(0);
    group_is_gone(&cluster);
}

#[test]
fn f1_ports_go_down_with_nonsense_in_every_parameter() {
    for text in [Some("!\"§$%&/()=?; ../../x \n\u{7f}"), Some(""), Some("other=50:01:43:80:03:b0:23:99"), None] {
        let alpha = sample::with_ports().into_node("alpha");
        let resource = match text {
            Some(text) => ports().param("initiators", text),
            None => ports().without("initiators"),
        };
        alpha.run(&resource, "stop").exit(0).programs(0);
        assert_eq!(
            alpha.tree().lines("port"),
            [
                "port qla2x00t/21:00:00:24:ff:60:d0:10 enabled=0 rel_tgt_id=101",
                "port qla2x00t/21:00:00:24:ff:60:d0:11 enabled=0 rel_tgt_id=102"
            ],
            "{text:?}"
        );
        assert_eq!(alpha.tree().lines("group"), [""; 0], "{text:?}");
        assert_eq!(alpha.record(&ports()), None);
    }
}

#[test]
fn a_cluster_that_cannot_be_asked_does_not_keep_anything_up() {
    let alpha = sample::serving().into_node("alpha");
    for (resource, by_hand) in [(group(), false), (ports(), true)] {
        let call = alpha.call(&resource).without_cluster();
        let call = if by_hand { call.by_hand().env("OCF_RESOURCE_INSTANCE", resource.id()) } else { call };
        call.run("stop").exit(0);
    }
    assert_eq!(alpha.tree().lines("device"), [""; 0]);
    assert_eq!(alpha.tree().lines("group"), [""; 0]);
}

#[test]
fn a_node_that_has_lost_its_attribute_still_knows_what_is_its_own() {
    let cluster = sample::serving();
    cluster.set_targetports("alpha", None);
    let alpha = cluster.node("alpha");
    alpha.monitor(&ports()).exit(0).programs(0);
    alpha.monitor(&group()).exit(8).programs(0);
    alpha.run(&group(), "stop").exit(0);
    alpha.run(&ports(), "stop").exit(0);
    assert!(alpha.tree().lines("port").iter().all(|port| port.contains("enabled=0")));
    assert_eq!(alpha.tree().lines("group"), [""; 0]);
}

#[test]
fn a_cluster_command_that_hangs_does_not_make_stop_fail() {
    let cluster = sample::serving();
    let alpha = cluster.node("alpha");
    let limit = std::time::Duration::from_secs(4);
    alpha.call(&group()).env("STAND_IN_FAIL", "crm_attribute:hang").timeout(limit).run("stop").exit(0).within(limit);
    group_is_gone(&cluster);
}

#[test]
fn a_vanished_port_does_not_keep_the_others_up() {
    let alpha = sample::serving().into_node("alpha");
    alpha.control(&format!("unplug {}", ALPHA[0]));
    alpha.run(&group(), "stop").exit(0);
    alpha.run(&ports(), "stop").exit(0);
    assert_eq!(alpha.tree().lines("port"), ["port qla2x00t/21:00:00:24:ff:60:d0:11 enabled=0 rel_tgt_id=102"]);
    assert_eq!(alpha.tree().lines("group"), [""; 0]);
}

#[test]
fn modules_that_were_unloaded_leave_nothing_to_stop() {
    let alpha = sample::serving().into_node("alpha");
    alpha.control("rmmod scst_vdisk");
    alpha.run(&group(), "stop").exit(0);
    assert_eq!(alpha.tree().lines("device group"), [""; 0]);
    alpha.control("rmmod qla2x00tgt");
    alpha.run(&ports(), "stop").exit(0).writes(0);
    assert_eq!((alpha.record(&group()), alpha.record(&ports())), (None, None));
}

#[test]
fn hosts_that_are_logged_in_do_not_keep_a_group() {
    let cluster = sample::serving();
    let alpha = cluster.node("alpha");
    for (port, host) in [(ALPHA[0], HOST[0]), (ALPHA[0], HOST[1]), (ALPHA[1], HOST[0])] {
        alpha.control(&format!("login qla2x00t {port} {host}"));
    }
    alpha.run(&group(), "stop").exit(0);
    group_is_gone(&cluster);
    let stopped = alpha.run(&ports(), "stop").exit(0);
    let written = stopped.written();
    assert!(written.iter().any(|write| write.ends_with("initiators/mgmt < clear")), "{written:#?}");
    assert_eq!(alpha.tree().lines("group"), [""; 0]);
}

#[test]
fn without_a_record_only_what_the_configuration_names_goes() {
    let alpha = sample::serving().into_node("alpha");
    let port = format!("targets/qla2x00t/{}", ALPHA[0]);
    alpha.write(&format!("{port}/ini_groups/mgmt"), "create foreign");
    alpha.write("handlers/vdisk_nullio/mgmt", "add_device dummy_else");
    for resource in [group(), ports()] {
        std::fs::remove_file(alpha.record_path(&resource)).expect("a running instance has a record");
        alpha.run(&resource, "stop").exit(0);
        alpha.run(&resource, "monitor").exit(7);
    }
    assert_eq!(alpha.tree().lines("group"), ["group foreign"]);
    assert_eq!(alpha.tree().lines("device"), ["device dummy_else vdisk_nullio"]);
    assert!(alpha.tree().lines("port").iter().all(|port| port.contains("enabled=0")));
}

#[test]
fn a_member_that_is_not_ours_is_taken_out_and_kept() {
    let alpha = sample::serving().into_node("alpha");
    alpha.write("handlers/vdisk_nullio/mgmt", "add_device stranger");
    alpha.write("device_groups/dummy/devices/mgmt", "add stranger");
    alpha.run(&group(), "stop").exit(0);
    assert_eq!(alpha.tree().lines("device"), ["device stranger vdisk_nullio"]);
}

#[test]
fn f10_what_cannot_go_makes_stop_fail_and_the_group_is_not_deleted() {
    let cluster = sample::serving();
    let alpha = cluster.node("alpha");
    alpha.control("fault op=write path=**/vdisk_nullio/mgmt repeat=true action=fail errno=EBUSY");
    let stopped = alpha.run(&group(), "stop").exit(1).reason_has("dummy_lu0dummy").reason_has("EBUSY");
    assert!(stopped.exit_reason().len() <= 400, "{}", stopped.exit_reason());
    assert_eq!(alpha.state("dummy", "alpha"), "unavailable");
    assert!(alpha.exists("device_groups/dummy/devices/dummy_lu0dummy"));
    assert!(alpha.record(&group()).is_some());
    assert_eq!(alpha.score(&group()).as_deref(), Some("10"), "the score is deleted last");
    alpha.run(&group(), "monitor").exit(0);
    alpha.control("disarm");
    alpha.run(&group(), "stop").exit(0);
    group_is_gone(&cluster);
    assert_eq!(alpha.score(&group()), None);
}
