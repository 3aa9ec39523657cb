//! What a recurring monitor answers for every state the kernel can be in, and the one thing it repairs.

use std::time::Duration;

use crate::fixture::sample::{self, ALPHA, HOST, Store, group, grown, null, ports};
use crate::fixture::{Cluster, Lists, eventually};

const LOCAL: &str = "device_groups/dummy/target_groups/alpha/state";
const PEER: &str = "device_groups/dummy/target_groups/beta/state";

fn port(index: usize, attribute: &str) -> String {
    format!("targets/qla2x00t/{}/{attribute}", ALPHA[index])
}

#[test]
fn ports_run_when_every_one_is_enabled_with_its_id() {
    let alpha = sample::with_ports().into_node("alpha");
    let monitor = || alpha.monitor(&ports());
    monitor().exit(0).writes(0).programs(0);
    alpha.run(&ports(), "status").exit(0).writes(0);
    alpha.write(&port(1, "enabled"), "0");
    monitor().exit(1).reason_has(ALPHA[1]);
    alpha.write(&port(1, "rel_tgt_id"), "7");
    alpha.write(&port(1, "enabled"), "1");
    monitor().exit(1).reason_has(ALPHA[1]);
    // All down, and our groups are there still.
    alpha.write(&port(0, "enabled"), "0");
    alpha.write(&port(1, "enabled"), "0");
    monitor().exit(1);
    // A dead HBA.
    alpha.run(&ports(), "start").exit(0);
    monitor().exit(0);
    alpha.control(&format!("unplug {}", ALPHA[0]));
    monitor().exit(1).reason(&format!("port {} does not exist", ALPHA[0]));
}

#[test]
fn a_port_that_somebody_else_enabled_is_not_ours() {
    let alpha = sample::nodes().up().into_node("alpha");
    alpha.control("modprobe qla2x00tgt");
    alpha.write(&port(0, "rel_tgt_id"), "7");
    alpha.write(&port(0, "enabled"), "1");
    alpha.run(&ports(), "monitor").exit(7);
    alpha.monitor(&ports()).exit(7);
    alpha.run(&ports(), "stop").exit(0);
    assert_eq!(alpha.read(&port(0, "enabled")), "1");
}

#[test]
fn an_empty_or_missing_record_is_learned_once_by_a_recurring_monitor() {
    let alpha = sample::with_ports().into_node("alpha");
    let known = alpha.record(&ports()).expect("start leaves a record");
    for empty in [true, false] {
        if empty {
            alpha.set_record(&ports(), "");
        } else {
            std::fs::remove_file(alpha.record_path(&ports())).unwrap();
        }
        let before = alpha.record(&ports());
        alpha.run(&ports(), "monitor").exit(0).programs(0);
        assert_eq!(alpha.record(&ports()), before, "a probe leaves no trace");
        alpha.monitor(&ports()).exit(0).ran(&["cibadmin"]);
        assert_eq!(alpha.record(&ports()).as_deref(), Some(known.as_str()));
        alpha.monitor(&ports()).exit(0).programs(0);
    }
}

#[test]
fn p10_a_thorough_look_at_the_ports_misses_what_is_gone_and_tells_what_differs() {
    let alpha = sample::with_ports().into_node("alpha");
    let monitor = || alpha.thorough(&ports());
    let group = port(0, "ini_groups/vmwtest");
    monitor().exit(0).writes(0).not_logged("WARNING");
    // More than configured, and another I/O group: only a reload would change that.
    alpha.write(&format!("{group}/initiators/mgmt"), "add 50:01:43:80:00:00:00:99");
    monitor().exit(0).logged("50:01:43:80:00:00:00:99");
    alpha.write(&format!("{group}/io_grouping_type"), "7");
    monitor().exit(0).logged("I/O group");
    alpha.write(&format!("{group}/initiators/mgmt"), &format!("del {}", HOST[1]));
    monitor().exit(1).reason_has(HOST[1]);
    alpha.monitor(&ports()).exit(0);
    alpha.write(&port(0, "ini_groups/mgmt"), "del vmwtest");
    monitor().exit(1).reason_has("initiator group vmwtest");
}

#[test]
fn a_device_group_answers_by_the_state_of_its_own_target_group() {
    let alpha = sample::serving().into_node("alpha");
    let monitor = || alpha.monitor(&group());
    monitor().exit(8).writes(0).programs(0);
    alpha.write(LOCAL, "nonoptimized");
    monitor().exit(8);
    for state in ["standby", "unavailable", "offline"] {
        alpha.write(LOCAL, state);
        // It does not serve any more: the higher score goes, once, unless the cluster has something pending that would be aborted by it.
        let programs: &[&str] = if state == "standby" { &["crm_mon", "crm_attribute"] } else { &[] };
        monitor().exit(0).writes(0).ran(programs);
    }
    alpha.write(LOCAL, "transitioning");
    monitor().exit(1).reason_has("transitioning");
    alpha.write(LOCAL, "active");
    // Half there, in both ways.
    alpha.write("device_groups/dummy/target_groups/mgmt", "del alpha");
    monitor().exit(1).reason_has("dummy");
    alpha.write("device_groups/mgmt", "del dummy");
    monitor().exit(1).reason_has("dummy");
    alpha.write("handlers/vdisk_nullio/mgmt", "del_device dummy_lu0dummy");
    monitor().exit(7);
}

#[test]
fn an_active_group_with_a_closed_device_is_a_failed_promoted_one() {
    let (alpha, group, _) = sample::with_ports().into_node("alpha").with(&Store::Disk);
    alpha.run(&group, "promote").exit(0);
    alpha.run(&group, "monitor").exit(8);
    alpha.write("devices/dummy_r0/active", "0");
    alpha.run(&group, "monitor").exit(9).reason_has("dummy_r0");
    alpha.write(LOCAL, "standby");
    alpha.run(&group, "monitor").exit(0);
}

#[test]
fn p10_a_thorough_look_at_a_group_misses_what_is_gone_and_tells_what_differs() {
    let alpha = sample::serving().into_node("alpha");
    let thorough = || alpha.thorough(&group());
    thorough().exit(8).writes(0).ran(&["cibadmin"]).not_logged("WARNING");
    alpha.thorough(&grown()).exit(1).reason_has("dummy_lu1");
    alpha.monitor(&grown()).exit(8);
    let read_only = group().param("device0", &null("lu0dummy", "dummy=1,read_only=1,export0=all:0"));
    alpha.thorough(&read_only).exit(8).logged("read_only");
    alpha.write(&port(0, "ini_groups/vmwtest/luns/mgmt"), "del 0");
    alpha.monitor(&group()).exit(8);
    thorough().exit(1).reason_has("LUN 0");
    alpha.write(LOCAL, "standby");
    thorough().exit(1).reason_has("LUN 0");
    alpha.run(&group(), "reload").exit(0);
    thorough().exit(0);
    alpha.write("device_groups/dummy/devices/mgmt", "del dummy_lu0dummy");
    thorough().exit(1).reason_has("dummy");
    alpha.run(&group(), "reload").exit(0);
    alpha.write("device_groups/dummy/target_groups/alpha/mgmt", &format!("del {}", ALPHA[1]));
    thorough().exit(1).reason_has(ALPHA[1]);
}

/// Alpha with a peer that its hosts see in transition, by a notification that came so long ago.
fn halfway(seconds_ago: u64) -> Cluster {
    let cluster = sample::serving_clone();
    let alpha = cluster.node("alpha");
    let lists = Lists::new().list("active", &["alpha", "beta"]).list("stop", &["beta"]).event("pre", "stop");
    alpha.call(&group()).lists(&lists).run("notify").exit(0);
    assert_eq!(alpha.read(PEER), "transitioning");
    alpha.age(&group(), seconds_ago);
    cluster
}

#[test]
fn p5_a_peer_between_two_states_is_given_time() {
    let alpha = halfway(15).into_node("alpha");
    alpha.monitor(&group()).exit(8).writes(0).programs(0);
    assert_eq!(alpha.read(PEER), "transitioning");
}

#[test]
fn a_peer_that_a_promotion_could_not_write_is_put_right_by_a_monitor() {
    let alpha = halfway(0).into_node("alpha");
    alpha.control("fault op=write path=**/beta/state action=fail errno=EIO");
    let lists = Lists::new().list("active", &["alpha", "beta"]).list("promote", &["alpha"]);
    alpha.call(&group()).lists(&lists).run("promote").exit(0).logged("EIO");
    assert_eq!(alpha.read(PEER), "transitioning");
    alpha.age(&group(), 160);
    alpha.monitor(&group()).exit(8).ran(&["crm_mon"]);
    assert_eq!(alpha.read(PEER), "standby");
}

#[test]
fn p5_a_lost_notification_is_made_good_by_asking_the_cluster_once() {
    let cluster = halfway(160);
    let alpha = cluster.node("alpha");
    alpha.call(&group()).run("monitor").exit(8).writes(0).ran(&["crm_attribute"]);
    alpha
        .monitor(&group())
        .exit(8)
        .ran(&["crm_mon"])
        .wrote(&["device_groups/dummy/target_groups/beta/state < standby"]);
    alpha.monitor(&group()).exit(8).writes(0).programs(0);
    let cluster = halfway(160);
    cluster.cib().set_role("beta", group().id(), scst_sim::stand_in::Role::Stopped).expect("the CIB can be changed");
    let alpha = cluster.node("alpha");
    alpha.monitor(&group()).exit(8);
    assert_eq!(alpha.read(PEER), "unavailable");
    // A cluster that cannot be asked leaves the peer as it is, and is no failure of this node.
    let cluster = halfway(160);
    let alpha = cluster.node("alpha");
    alpha.call(&group()).recurring().without_cluster().run("monitor").exit(8).writes(0).logged("crm_mon");
    assert_eq!(alpha.read(PEER), "transitioning");
}

#[test]
fn a_peer_that_a_start_or_reload_finds_between_two_states_is_looked_after_from_then_on() {
    for action in ["start", "reload"] {
        for nothing_known in ["missing", "empty"] {
            let alpha = halfway(160).into_node("alpha");
            match nothing_known {
                "missing" => std::fs::remove_file(alpha.record_path(&group())).expect("there was a record"),
                _ => alpha.set_record(&group(), ""),
            }
            alpha.call(&group()).run(action).exit(0);
            assert_eq!(alpha.read(PEER), "transitioning", "{action}, record {nothing_known}");
            alpha.monitor(&group()).exit(8).writes(0).programs(0);
            // Said again, it does not begin to wait anew.
            alpha.age(&group(), 10);
            alpha.call(&group()).run(action).exit(0);
            alpha.age(&group(), 15);
            alpha.monitor(&group()).exit(8);
            assert_eq!(alpha.read(PEER), "standby", "{action}, record {nothing_known}");
        }
    }
}

#[test]
fn monitor_during_an_action_of_the_same_group_does_not_see_a_failure() {
    let alpha = sample::serving().into_node("alpha");
    alpha.control("fault op=write path=**/alpha/state at=2 action=hang");
    let demote = alpha.call(&group()).begin("demote");
    eventually("the demotion is half done", || alpha.read(LOCAL) == "transitioning");
    eventually("the next step waits", || alpha.mount().waiting() == 1);
    alpha.monitor(&group()).exit(0);
    alpha.control("release");
    demote.wait().exit(0).within(Duration::from_secs(15));
    assert_eq!(alpha.read(LOCAL), "standby");
}
