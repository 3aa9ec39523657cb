//! The same disk on every node: what a node has told of its devices keeps another one from showing hosts something else, at start, and
//! costs a process only where it has changed.

use crate::fixture::sample::{self, group};
use crate::fixture::{Cluster, Lists, Resource};

/// The sample group on a disk of 1 MiB, with these words about it.
fn disk(cluster: &Cluster, words: &str) -> Resource {
    let path = cluster.disk("d0", 1 << 20);
    group().param("device0", &format!("filename={},virtname=d0,export0=all:0,{words}", path.display()))
}

/// Changes the disk on one node.
fn store(cluster: &Cluster, node: &str, words: &str) {
    let path = cluster.dir().join("d0");
    cluster.node(node).control(&format!("store {} {words}", path.display()));
}

/// What a node has told.
fn told(cluster: &Cluster, node: &str) -> Option<String> {
    cluster.cib().load().unwrap().transient(node, "scst-devices-dummy").map(str::to_owned)
}

const ID: &str = "naa_id=5000000000000001";

/// The sample group on that disk, promoted on alpha.
fn serving() -> (Cluster, Resource) {
    let cluster = sample::with_ports();
    let resource = disk(&cluster, ID);
    cluster.serve(&resource);
    (cluster, resource)
}

#[test]
fn a_smaller_store_another_block_size_or_identifier_keeps_a_node_from_standby() {
    for (change, words, reason) in [
        ("size=524288", ID, "device dummy_d0: it has 524288 bytes on node beta, hosts are told 1048576 by node alpha"),
        ("logical_block=4096", ID, "device dummy_d0: its blocks have 4096 bytes on node beta, 512 on node alpha"),
        (
            "health=good",
            "naa_id=5000000000000002",
            "device dummy_d0: hosts know it as naa.5000000000000002 by node beta, as naa.5000000000000001 by node alpha",
        ),
    ] {
        let cluster = sample::with_ports();
        let [alpha, beta] = ["alpha", "beta"].map(|node| cluster.node(node));
        alpha.run(&disk(&cluster, ID), "start").exit(0);
        alpha.run(&disk(&cluster, ID), "promote").exit(0);
        store(&cluster, "beta", change);
        let other = disk(&cluster, words);
        let started = beta.run(&other, "start").exit(5).reason(reason).writes(0);
        started.logged("hosts would see another disk on this node");
        // Whoever does not go on running does not count, and neither does what nobody here can read.
        let lists = Lists::new().list("active", &["alpha"]).list("stop", &["alpha"]).list("start", &["beta"]);
        beta.call(&other).lists(&lists).run("start").exit(0);
        beta.run(&other, "stop").exit(0);
        for text in ["2;dummy_d0=what:a:later:version", "nonsense", ""] {
            cluster.cib().set_status_attribute("alpha", "scst-devices-dummy", Some(text)).unwrap();
            beta.run(&other, "start").exit(0);
            beta.run(&other, "stop").exit(0);
        }
        // An older agent tells nothing.
        cluster.cib().set_status_attribute("alpha", "scst-devices-dummy", None).unwrap();
        beta.run(&other, "start").exit(0);
    }
}

#[test]
fn what_runs_is_told_by_a_level_10_monitor_and_a_promotion_asks_nobody() {
    let (cluster, resource) = serving();
    let [alpha, beta] = ["alpha", "beta"].map(|node| cluster.node(node));
    let level_10 = |node: &str| cluster.node(node).thorough(&resource);
    level_10("alpha").exit(8).not_logged("WARNING").ran(&["cibadmin"]);
    level_10("beta").exit(0).not_logged("WARNING").ran(&["cibadmin"]);
    // The store of the one that serves grows, and hosts are told.
    store(&cluster, "alpha", "size=2097152");
    alpha.run(&resource, "reload").exit(0).ran(&["cibadmin", "crm_attribute", "crm_attribute"]);
    let reason = "device dummy_d0: it has 1048576 bytes on node beta, hosts are told 2097152 by node alpha";
    level_10("beta").exit(1).reason(reason);
    level_10("alpha").exit(8);
    beta.run(&resource, "reload").exit(0).logged(reason);
    // A promotion does not wait for anybody's opinion.
    beta.run(&resource, "promote").exit(0).ran(&["crm_attribute"]);
    let before = told(&cluster, "beta").unwrap();
    // It tells what hosts see from now on, where that has changed.
    beta.run(&resource, "demote").exit(0);
    store(&cluster, "beta", "size=2097152");
    beta.run(&resource, "promote").exit(0).ran(&["crm_attribute", "crm_attribute"]);
    let after = told(&cluster, "beta").unwrap();
    assert_eq!(after, before.replace("=1048576:", "=2097152:"));
    level_10("beta").exit(8).not_logged("WARNING");
}

#[test]
fn a_process_more_where_something_has_changed_and_none_where_nothing_has() {
    let cluster = sample::with_ports();
    let alpha = cluster.node("alpha");
    let resource = disk(&cluster, ID);
    alpha.run(&resource, "start").exit(0).ran(&["cibadmin", "modprobe", "modprobe", "crm_attribute", "crm_attribute"]);
    let text = told(&cluster, "alpha").unwrap();
    assert!(text.starts_with("1;dummy_d0=1048576:512:naa.5000000000000001:"), "{text}");
    assert!(!text.contains(' '));
    alpha.run(&resource, "start").exit(0).ran(&["cibadmin", "crm_attribute"]);
    alpha.run(&resource, "promote").exit(0).ran(&["crm_attribute"]);
    alpha.run(&resource, "reload").exit(0).ran(&["cibadmin", "crm_attribute"]);
    alpha.monitor(&resource).exit(8).programs(0);
    alpha.run(&resource, "demote").exit(0).programs(0);
    // One that could not be told is told later.
    alpha.run(&resource, "stop").exit(0).ran(&["crm_attribute"; 2]);
    assert_eq!(told(&cluster, "alpha"), None);
    alpha.call(&resource).env("STAND_IN_FAIL", "crm_attribute:124").run("start").exit(0).logged("are not told");
    alpha.run(&resource, "start").exit(0);
    assert_eq!(told(&cluster, "alpha"), Some(text));
    // After a reboot the cluster has forgotten, and so has the node.
    alpha.run(&resource, "stop").exit(0);
    assert_eq!(alpha.traces().iter().filter(|name| name.contains("published")).count(), 0);
}

#[test]
fn registrations_that_the_next_node_does_not_have_are_named_when_it_is_promoted() {
    let (cluster, resource) = serving();
    let [alpha, beta] = ["alpha", "beta"].map(|node| cluster.node(node));
    sample::log_in(alpha);
    assert_eq!(sample::answer(alpha, "pr register 0 abc"), "good");
    // The one that serves tells it, the other one remembers it.
    alpha.thorough(&resource).exit(8).ran(&["cibadmin", "crm_attribute"]);
    alpha.thorough(&resource).exit(8).ran(&["cibadmin"]);
    beta.thorough(&resource).exit(0).ran(&["cibadmin"]);
    let moved = cluster.transition(&resource).demote(&["alpha"]).promote(&["beta"]).carry_out();
    let (_, promoted) = moved.into_iter().find(|(what, _)| what == "promote beta").unwrap();
    promoted.logged("hosts had registered persistent reservations on node alpha; this node does not have them");
}
