//! Initiator groups: patterns, their order, and several resources on one node.

use std::time::Duration;

use super::{ALPHA, BETA, ESX, call, group, nodes, run, targets, thorough};
use crate::fixture::{Fixture, OneNode, Resource};

#[test]
fn the_first_group_that_matches_is_the_one_that_was_configured_first() {
    let alpha = nodes().into_node("alpha");
    // By the alphabet `all` would come first.
    let ordered =
        targets().without("incoming_users").without("portals").param("initiators", &format!("zesx={ESX};all=*"));
    run(&alpha, &ordered, "validate-all")
        .exit(0)
        .logged("group all, initiator \"*\": can match initiators of group zesx as well");
    run(&alpha, &ordered, "start").exit(0);
    alpha.control("modprobe scst_vdisk");
    std::fs::create_dir_all(alpha.var_lib().join("pr")).unwrap();
    for group in ["zesx", "all"] {
        alpha.write("handlers/vdisk_nullio/mgmt", &format!("add_device {group} dummy=1"));
        alpha.write(&format!("targets/iscsi/{ALPHA}/ini_groups/{group}/luns/mgmt"), &format!("add {group} 0"));
    }
    alpha.control(&format!("login iscsi {ALPHA} {ESX}"));
    assert!(alpha.tree().lines("session")[0].contains("zesx"), "{:?}", alpha.tree());
    let more = ordered.param("initiators", &format!("new=iqn.1998-01.com.vmware:*;zesx={ESX};all=*"));
    let reloaded = run(&alpha, &more, "reload").exit(0);
    reloaded.logged("initiator group new comes after all, which counts");
    run(&alpha, &more, "stop").exit(0);
}

#[test]
fn an_order_that_the_kernel_does_not_follow_is_named_until_the_restart() {
    let cluster = nodes();
    let alpha = cluster.node("alpha");
    let resource = |initiators: &str| targets().param("initiators", initiators);
    let (wide, narrow) = ("lab=iqn.1993-08.org.debian:*", "seven=iqn.1993-08.org.debian:01:lab7");
    let (other, third) = ("esx=iqn.1998-01.com.vmware:x", "one=iqn.1993-08.org.debian:01:lab1");
    run(alpha, &resource(&format!("{wide};{narrow};{other}")), "start").exit(0);
    // What does not overlap may come in any order.
    let same = resource(&format!("{other};{wide};{narrow}"));
    run(alpha, &same, "reload").exit(0).not_logged("which counts");
    thorough(alpha, &same).exit(0).not_logged("which counts");
    let turned = resource(&format!("{third};{narrow};{wide};{other}"));
    let sentence = |first: &str| {
        format!(
            "initiator group {first} comes after lab, which counts for initiators of both until the resource is restarted"
        )
    };
    for group in ["seven", "one"] {
        run(alpha, &turned, "reload").exit(0).logged(&sentence(group));
        // Also when nothing else differs.
        thorough(alpha, &turned).exit(0).writes(0).logged(&sentence(group));
    }
    cluster.configure(&[&turned]);
    let shown = alpha.tool("status").go().code_is(3);
    assert!(shown.stdout().contains(&sentence("seven")), "{shown:?}");
    run(alpha, &turned, "stop").exit(0);
    run(alpha, &turned, "start").exit(0);
    thorough(alpha, &turned).exit(0).not_logged("which counts");
    run(alpha, &turned, "reload").exit(0).not_logged("which counts");
    run(alpha, &turned, "stop").exit(0);
}

#[test]
fn two_resources_serve_two_drivers_of_one_list() {
    let wwpn = "21:00:00:24:ff:60:d0:10";
    let fixture = Fixture::new().node("alpha", 1).port(wwpn).targetports(&format!("{WWPN},{ALPHA},local1"));
    let alpha = fixture.up().into_node("alpha");
    let fc = Resource::ports("scst_qla").param("initiators", "esx1=50:01:43:80:03:b0:23:34");
    let local = Resource::targets("scst_local", "scst_local").param("initiators", "host=*");
    for resource in [&fc, &targets(), &local] {
        run(&alpha, resource, "start").exit(0);
    }
    for (target, id) in
        [(format!("qla2x00t/{WWPN}"), "101"), (format!("iscsi/{ALPHA}"), "102"), ("scst_local/local1".into(), "103")]
    {
        assert_eq!(alpha.read(&format!("targets/{target}/rel_tgt_id")), id);
    }
    assert_eq!(alpha.tree().lines("port").len(), 3);
    for resource in [&fc, &targets(), &local] {
        run(&alpha, resource, "monitor").exit(0);
        run(&alpha, resource, "start").exit(0).writes(0);
    }
    run(&alpha, &targets(), "stop").exit(0);
    run(&alpha, &fc, "monitor").exit(0);
    run(&alpha, &local, "stop").exit(0);
    run(&alpha, &local, "monitor").exit(7);
    run(&alpha, &fc, "stop").exit(0);
    assert_eq!(alpha.tree().lines("port"), [format!("port qla2x00t/{WWPN} enabled=0 rel_tgt_id=101")]);
}

#[test]
fn one_name_on_two_nodes_is_refused_on_both() {
    let twice = format!("{BETA},{}", ALPHA.to_uppercase());
    let cluster = Fixture::new().node("alpha", 1).targetports(ALPHA).node("beta", 2).targetports(&twice).up();
    for node in ["alpha", "beta"] {
        for resource in [targets(), group()] {
            let refused = run(cluster.node(node), &resource, "start").exit(2).writes(0);
            refused.reason_has("is listed in targetports of node alpha and of node beta");
        }
    }
}

#[test]
fn a_driver_that_there_is_not_is_refused_and_keeps_nothing_up() {
    let alpha = Fixture::new().node("alpha", 1).targetports("local1").up().into_node("alpha");
    let local = Resource::targets("scst_local", "scst_local").param("initiators", "host=*");
    run(&alpha, &local.param("tgtdriver", "srp"), "start").exit(6).reason_has("tgtdriver \"srp\": not one of");
    run(&alpha, &local.param("attributes", "comment=lab"), "start").exit(0);
    // Whatever the parameter says now, what runs is where it was started.
    run(&alpha, &local.param("tgtdriver", "srp"), "monitor").exit(0);
    run(&alpha, &local.param("tgtdriver", "srp"), "reload").kept();
    run(&alpha, &local.param("tgtdriver", "srp"), "stop").exit(0);
    assert!(alpha.tree().lines("port").is_empty());
}

#[test]
fn a_target_that_is_not_listed_any_more_goes_with_the_next_start() {
    let cluster = Fixture::new().node("alpha", 1).targetports(&format!("{ALPHA},{BETA}")).up();
    let alpha = cluster.node("alpha");
    run(alpha, &targets(), "start").exit(0);
    cluster.set_targetports("alpha", Some(ALPHA));
    run(alpha, &targets(), "reload").exit(0).logged("is no longer in targetports").writes(0);
    run(alpha, &targets(), "start").exit(0);
    assert!(!alpha.exists(&format!("targets/iscsi/{BETA}")));
    assert!(alpha.exists(&format!("targets/iscsi/{ALPHA}")));
    run(alpha, &targets(), "stop").exit(0);
}

/// A port of Fibre Channel.
const WWPN: &str = "21:00:00:24:ff:60:d0:10";

/// A node with that port, and the resource that brings it up by each of the two agents.
fn either_agent() -> (OneNode, [Resource; 2]) {
    let alpha = Fixture::new().node("alpha", 1).port(WWPN).up().into_node("alpha");
    let resources = [Resource::ports("scst_qla"), Resource::targets("scst_fc", "qla2x00t")];
    (alpha, resources.map(|resource| resource.param("initiators", "esx1=50:01:43:80:03:b0:23:34")))
}

#[test]
fn a_port_that_one_agent_has_is_refused_to_the_other() {
    let (alpha, [old, new]) = either_agent();
    for (first, second) in [(&old, &new), (&new, &old)] {
        run(&alpha, first, "start").exit(0);
        let refused = call(&alpha, second).timeout(Duration::from_secs(2)).run("start").exit(2).writes(0);
        refused.reason(&format!("port {WWPN} belongs to resource {} on this node", first.id()));
        run(&alpha, second, "stop").exit(0).writes(0);
        run(&alpha, first, "monitor").exit(0);
        run(&alpha, first, "stop").exit(0);
    }
}

#[test]
fn a_start_waits_for_the_stop_of_the_resource_that_it_replaces() {
    let (alpha, [old, new]) = either_agent();
    run(&alpha, &old, "start").exit(0);
    let up = alpha.tree();
    for (from, to) in [(&old, &new), (&new, &old), (&old, &old.called("scst_qla_two"))] {
        // The start comes first, and the stop takes longer than a start waits for one to begin.
        let mut start = call(&alpha, to).timeout(Duration::from_secs(6)).begin("start");
        std::thread::sleep(Duration::from_millis(300));
        alpha.control("fault op=write path=**/ini_groups/mgmt action=hang");
        let stop = call(&alpha, from).begin("stop");
        std::thread::sleep(Duration::from_millis(1700));
        assert!(start.is_running(), "{} does not wait for {}", to.id(), from.id());
        alpha.control("release");
        stop.wait().exit(0);
        start.wait().exit(0);
        assert_eq!(alpha.tree(), up);
        run(&alpha, from, "monitor").exit(7);
        run(&alpha, to, "monitor").exit(0);
    }
}
