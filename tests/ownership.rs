//! What is ours beside another resource of the same agent, and beside what others set up on the ports of the node.

use std::time::Duration;

use crate::fixture::sample::{self, ALPHA, group, ports};
use crate::fixture::{Cluster, Fixture, Lists, Resource};

const STRANGER: &str = "21:00:00:24:ff:60:d0:77";

/// A second resource for the ports, with an initiator group of its own.
fn second() -> Resource {
    ports().called("scst_qla_two").param("initiators", "other=50:01:43:80:03:b0:23:40")
}

/// The ports of alpha up, and a host logged in that sees a disk.
fn in_use() -> Cluster {
    let cluster = sample::serving();
    sample::log_in(cluster.node("alpha"));
    cluster
}

#[test]
fn a_second_resource_for_the_ports_of_a_node_does_not_start_and_changes_nothing() {
    let cluster = in_use();
    let alpha = cluster.node("alpha");
    let before = alpha.tree();
    for other in [second(), ports().called("scst_qla_two")] {
        alpha.run(&other, "monitor").exit(7);
        alpha.monitor(&other).exit(7);
        let started = alpha.call(&other).timeout(Duration::from_secs(2)).run("start").exit(2).writes(0);
        started.reason(&format!("port {} belongs to resource scst_qla on this node", ALPHA[0]));
        alpha.run(&other, "reload").exit(7).writes(0);
        alpha.run(&other, "stop").exit(0).writes(0);
        let by_hand = || alpha.call(&other).by_hand().env("OCF_RESOURCE_INSTANCE", other.id());
        by_hand().run("start").exit(2).writes(0);
        by_hand().meta("id", other.id()).run("stop").exit(0).writes(0);
        assert_eq!(alpha.record(&other), None);
    }
    assert_eq!(alpha.tree(), before);
    alpha.run(&ports(), "monitor").exit(0);
    alpha.run(&ports(), "reload").exit(0).writes(0);
    cluster.configure(&[&ports(), &second(), &group()]);
    let shown = alpha.tool("status").go().code_is(3);
    assert!(shown.stdout().contains("belongs to resource scst_qla on this node"), "{shown:?}");
}

#[test]
fn a_second_resource_without_a_record_or_with_an_empty_one_owns_nothing_of_the_first() {
    let alpha = sample::with_ports().into_node("alpha");
    let before = alpha.tree();
    let two = second();
    for record in [None, Some("")] {
        if let Some(text) = record {
            alpha.set_record(&two, text);
        }
        for resource in [&two, &ports().called(two.id())] {
            alpha.run(resource, "monitor").exit(7);
            if record.is_none() {
                alpha.run(resource, "stop").exit(0).writes(0);
            }
        }
    }
    alpha.run(&two, "stop").exit(0).writes(0);
    assert_eq!(alpha.tree(), before);
    assert!(alpha.record(&ports()).is_some());
    // The first is gone: nothing stands in the way of the second.
    alpha.run(&ports(), "stop").exit(0);
    alpha.run(&two, "start").exit(0);
    alpha.run(&ports(), "start").exit(2).reason_has("scst_qla_two").writes(0);
    alpha.run(&two, "stop").exit(0);
    alpha.run(&ports(), "start").exit(0);
    assert_eq!(alpha.tree(), before);
}

#[test]
fn what_was_started_by_hand_is_taken_over_by_one_resource() {
    let alpha = sample::nodes().up().into_node("alpha");
    alpha.call(&ports()).by_hand().run("start").exit(0);
    alpha.run(&ports(), "monitor").exit(0);
    alpha.run(&ports(), "start").exit(0).writes(0);
    alpha.run(&second(), "start").exit(2).reason_has("resource scst_qla ").writes(0);
    // By hand without an id the only resource there is is meant.
    alpha.call(&ports()).by_hand().run("monitor").exit(0);
    alpha.call(&ports()).by_hand().run("stop").exit(0);
    assert_eq!(alpha.record(&ports()), None);
    assert_eq!(alpha.tree().lines("group"), [""; 0]);
}

#[test]
fn by_the_clones_id_the_ports_are_the_same() {
    let alpha = sample::with_ports().into_node("alpha");
    let force = |action: &str| {
        let call = alpha.call(&ports()).by_hand().env("OCF_RESOURCE_INSTANCE", "cl_scst_qla").meta("id", ports().id());
        call.run(action)
    };
    force("monitor").exit(0);
    force("stop").exit(0);
    assert_eq!((alpha.record(&ports()), alpha.tree().lines("group")), (None, vec![]));
    force("start").exit(0);
    alpha.run(&ports(), "monitor").exit(0);
    alpha.run(&ports(), "start").exit(0).writes(0);
}

/// A second resource with the device group of the first.
fn same_group() -> Resource {
    group().called("scst_dg_two").param("device0", "handler=vdisk_nullio,virtname=x,export0=all:3")
}

#[test]
fn a_second_resource_with_the_same_device_group_is_refused_and_sees_what_the_group_does() {
    let cluster = in_use();
    let (alpha, beta) = (cluster.node("alpha"), cluster.node("beta"));
    let two = same_group();
    cluster.configure(&[&group(), &two]);
    let reason = "device group dummy belongs to resource scst_dg_dummy on this node";
    let before = [alpha.tree(), beta.tree()];
    for resource in [&two, &group().called("scst_dg_two")] {
        for (node, code) in [(alpha, 8), (beta, 0)] {
            node.run(resource, "monitor").exit(code).writes(0).logged(reason);
            node.monitor(resource).exit(code).writes(0);
            for action in ["start", "promote"] {
                let call = node.call(resource).timeout(Duration::from_secs(2));
                call.run(action).exit(2).reason(reason).writes(0);
                node.call(resource).without_cluster().run(action).exit(1).reason(reason).writes(0);
            }
            node.run(resource, "reload").kept().reason(reason);
            node.run(resource, "notify").exit(0).writes(0);
            assert_eq!(node.record(resource), None);
        }
        // The first resource runs, and nothing serves where the second one says that it is stopped.
        beta.run(resource, "stop").exit(0).writes(0);
    }
    assert_eq!([alpha.tree(), beta.tree()], before);
    beta.run(&group(), "monitor").exit(0);
    alpha.run(&group(), "monitor").exit(8);
    // It ran under another name, which it gives up without touching the first.
    let other = two.param("groupname", "other");
    beta.run(&other, "start").exit(0);
    beta.run(&two, "stop").exit(0);
    assert_eq!(beta.tree(), before[1]);
    // A group that serves is never left behind by a stop that succeeds.
    alpha.run(&two, "stop").exit(0);
    assert!(!alpha.exists("device_groups/dummy"));
    alpha.run(&two, "start").exit(0);
    alpha.run(&two, "stop").exit(0);
}

/// Pacemaker stops the old resource and starts the new one at the same moment.
#[test]
fn a_start_waits_for_the_stop_of_the_resource_whose_group_it_gets() {
    let cluster = sample::serving();
    let alpha = cluster.node("alpha");
    let new = group().called("scst_dg_two");
    cluster.configure(&[&group(), &new]);
    let before = alpha.tree();
    let mut start = alpha.call(&new).timeout(Duration::from_secs(8)).begin("start");
    std::thread::sleep(Duration::from_millis(300));
    assert!(start.is_running(), "it does not wait");
    alpha.run(&group(), "stop").exit(0);
    start.wait().exit(0).not_logged("belongs to resource");
    assert_eq!(alpha.tree().lines("device"), before.lines("device"));
    alpha.run(&new, "monitor").exit(0);
}

#[test]
fn a_resource_that_was_created_anew_under_another_id_goes_on_with_its_group() {
    for leave in ["stop", "demote", "notify", "reload", "promote"] {
        let cluster = in_use();
        let (alpha, beta) = (cluster.node("alpha"), cluster.node("beta"));
        let anew = group().called("scst_dg_anew");
        cluster.configure(&[&anew]);
        let before = alpha.tree();
        alpha.run(&anew, "monitor").exit(8).writes(0);
        beta.run(&anew, "monitor").exit(0).writes(0);
        assert_eq!(
            ["alpha", "beta"].map(|node| cluster.node(node).score(&anew)),
            [Some("10".into()), Some("5".into())]
        );
        match leave {
            "stop" => {
                for node in [alpha, beta] {
                    node.run(&anew, "stop").exit(0);
                    assert!(!node.exists("device_groups/dummy"));
                    assert_eq!([node.record(&group()), node.record(&anew)], [None, None]);
                }
                cluster.start(&anew, &["alpha", "beta"]);
                cluster.promote(&anew, "alpha");
                assert_eq!(alpha.tree(), before);
            }
            "demote" => {
                alpha.run(&anew, "demote").exit(0);
                assert_eq!(alpha.state("dummy", "alpha"), "standby");
                alpha.run(&anew, "monitor").exit(0);
            }
            "notify" => {
                let lists = Lists::new().list("active", &["alpha", "beta"]).list("promote", &["beta"]);
                alpha.call(&anew).lists(&lists.event("pre", "promote")).run("notify").exit(0).programs(0);
                assert_eq!(alpha.state("dummy", "alpha"), "standby");
            }
            "reload" => {
                let grown = anew.param("device1", "handler=vdisk_nullio,virtname=lu1,export0=all:1");
                alpha.run(&grown, "reload").exit(0);
                assert_eq!(alpha.tree().lines("lun 1 dummy_lu1").len(), 2);
            }
            _ => {
                alpha.run(&anew, "demote").exit(0);
                beta.run(&anew, "promote").exit(0);
                assert_eq!(beta.state("dummy", "beta"), "active");
            }
        }
    }
}

/// Alpha with its ports and one more that is not listed, which somebody has enabled with a number of alpha's range.
fn with_a_stranger() -> Cluster {
    let cluster = Fixture::new().node("alpha", 1).port(ALPHA[0]).port(STRANGER).targetports(ALPHA[0]).up();
    let alpha = cluster.node("alpha");
    alpha.control("modprobe qla2x00tgt");
    alpha.write(&format!("targets/qla2x00t/{STRANGER}/rel_tgt_id"), "105");
    alpha.write(&format!("targets/qla2x00t/{STRANGER}/enabled"), "1");
    cluster
}

#[test]
fn a_port_that_is_not_listed_is_not_ours_whatever_its_number_is() {
    let alpha = with_a_stranger().into_node("alpha");
    let before = alpha.tree();
    for empty in [false, true] {
        if empty {
            alpha.set_record(&ports(), "");
        }
        alpha.run(&ports(), "monitor").exit(7).writes(0);
        alpha.monitor(&ports()).exit(7).writes(0);
        alpha.run(&ports(), "reload").exit(7).writes(0);
        alpha.run(&ports(), "stop").exit(0).writes(0);
    }
    assert_eq!(alpha.tree(), before);
    alpha.run(&ports(), "start").exit(0);
    alpha.run(&ports(), "monitor").exit(0);
    alpha.run(&ports(), "stop").exit(0);
    assert_eq!(alpha.read(&format!("targets/qla2x00t/{STRANGER}/enabled")), "1");
    assert_eq!(alpha.read(&format!("targets/qla2x00t/{}/enabled", ALPHA[0])), "0");
    alpha.run(&ports(), "monitor").exit(7);
}

#[test]
fn a_port_that_is_not_listed_keeps_its_groups_also_when_ours_are_called_so() {
    for record in [None, Some("")] {
        let alpha = with_a_stranger().into_node("alpha");
        alpha.run(&ports(), "start").exit(0);
        alpha.write(&format!("targets/qla2x00t/{STRANGER}/ini_groups/mgmt"), "create vmwtest");
        std::fs::remove_file(alpha.record_path(&ports())).expect("a running instance has a record");
        if let Some(text) = record {
            alpha.set_record(&ports(), text);
        }
        alpha.run(&ports(), "stop").exit(0);
        let port = |name: &str, attribute: &str| format!("targets/qla2x00t/{name}/{attribute}");
        assert!(alpha.exists(&port(STRANGER, "ini_groups/vmwtest")));
        assert!(!alpha.exists(&port(ALPHA[0], "ini_groups/vmwtest")));
        assert_eq!([STRANGER, ALPHA[0]].map(|name| alpha.read(&port(name, "enabled"))), ["1", "0"]);
    }
}

#[test]
fn a_stop_without_a_record_needs_no_cluster() {
    let alpha = sample::with_ports().into_node("alpha");
    std::fs::remove_file(alpha.record_path(&ports())).expect("a running instance has a record");
    alpha.call(&ports()).without_cluster().run("stop").exit(0);
    assert_eq!(alpha.tree().lines("group"), [""; 0]);
    assert!(alpha.tree().lines("port").iter().all(|port| port.contains("enabled=0")));
}

#[test]
fn a_device_of_another_handler_is_neither_blocked_by_a_stop_nor_taken_for_ours_after_it() {
    let alpha = sample::serving().into_node("alpha");
    alpha.write("handlers/vcdrom/mgmt", "add_device dummy_lu1");
    let grown = sample::grown();
    alpha.run(&grown, "reload").kept().reason("device dummy_lu1 exists with a handler that is not ours");
    alpha.run(&grown, "demote").exit(0);
    alpha.run(&grown, "promote").exit(0);
    let stopped = alpha.run(&grown, "stop").exit(0);
    assert!(!stopped.written().iter().any(|write| write.contains("dummy_lu1")), "{stopped:?}");
    assert!(alpha.exists("devices/dummy_lu1"));
    alpha.run(&grown, "monitor").exit(7);
    alpha.run(&grown, "stop").exit(0).writes(0);
}
