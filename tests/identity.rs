//! What hosts know a disk by: identifiers that are given, made, or equal to another disk's, and the names that they follow from.

use crate::fixture::sample::{self, group};
use crate::fixture::{Cluster, Resource};

/// The sample group with a device at LUN 1 and these words about it.
fn with(words: &str) -> Resource {
    group().param("device1", &format!("handler=vdisk_nullio,virtname=a,export0=all:1,{words}"))
}

/// The cluster is called so.
fn named(cluster: &Cluster, name: &str) {
    cluster.cib().set_option("cluster-name", name).unwrap();
}

#[test]
fn strings_and_identifiers_that_hosts_see_are_what_was_said() {
    let alpha = sample::with_ports().into_node("alpha");
    let words = "eui64_id=0011223344556677,prod_id=Virtual%20Disk,vend_specific_id=old:1,prod_rev_lvl=0001,inq_vend_specific=x%2cy";
    let resource = with(words);
    alpha.run(&resource, "validate-all").exit(0).not_logged("known to hosts");
    alpha.run(&resource, "start").exit(0);
    for (attribute, value) in [
        ("eui64_id", "0x0011223344556677"),
        ("prod_id", "Virtual Disk"),
        ("vend_specific_id", "old:1"),
        ("prod_rev_lvl", "0001"),
        ("inq_vend_specific", "x,y"),
    ] {
        assert_eq!(alpha.read(&format!("devices/dummy_a/{attribute}")), value, "{attribute}");
    }
    alpha.run(&resource, "promote").exit(0);
    alpha.has_nothing_to_do(&resource, 8);
    // What hosts know a disk by does not change under them.
    let other = with("eui64_id=0011223344556677,prod_id=Other");
    alpha
        .run(&other, "reload")
        .exit(0)
        .writes(0)
        .logged("device dummy_a: prod_id is Virtual Disk, configured is Other");
    for words in ["eui64_id=00112233", "prod_id=seventeen-letters", "prod_rev_lvl=12345", "inq_vend_specific=%zz"] {
        alpha.run(&with(words), "validate-all").exit(6).reason_has(words.split_once('=').unwrap().0);
    }
}

#[test]
fn an_identifier_is_made_of_the_cluster_and_the_names_and_is_the_same_on_all_nodes() {
    let read = |name: &str, mark: Option<&str>, device: &str| {
        let cluster = sample::with_ports();
        named(&cluster, name);
        if let Some(mark) = mark {
            cluster.cib().set_option("scst-uuid", mark).unwrap();
        }
        let resource = with("naa_id=auto");
        cluster.serve(&resource);
        let [alpha, beta] = ["alpha", "beta"].map(|node| cluster.node(node));
        let path = format!("devices/{device}/naa_id");
        assert_eq!(alpha.read(&path), beta.read(&path));
        // Whoever does not ask the cluster knows it all the same.
        alpha.has_nothing_to_do(&resource, 8);
        alpha.read(&path)
    };
    let one = read("berlin", None, "dummy_a");
    assert!(one.starts_with("0x3") && one.len() == 18, "{one}");
    assert_ne!(read("hamburg", None, "dummy_a"), one);
    assert_ne!(read("berlin", Some("b7"), "dummy_a"), one);
    assert_eq!(read("berlin", None, "dummy_lu0dummy"), "", "nobody asked for one");
}

#[test]
fn without_the_clusters_name_none_is_made_and_a_promotion_adds_the_same_as_a_start() {
    let cluster = sample::with_ports();
    let (alpha, resource) = (cluster.node("alpha"), with("naa_id=auto"));
    let why = "naa_id=auto is made of the cluster's name, which is not known";
    alpha.run(&resource, "start").exit(0).logged(&format!("device dummy_a is left out: {why}"));
    alpha.call(&resource).level(10).run("validate-all").exit(0).logged(why);
    alpha.run(&resource, "stop").exit(0);
    let first = group().param("device0", "handler=vdisk_nullio,virtname=a,export0=all:0,naa_id=auto");
    alpha.run(&first, "start").exit(5).reason(&format!("device dummy_a cannot be added: {why}"));
    // A name that many clusters have is no good either, and may be used.
    named(&cluster, "debian");
    let advice = "other clusters are likely to be called debian as well";
    alpha.call(&resource).level(10).run("validate-all").exit(0).logged(advice);
    alpha.run(&resource, "start").exit(0);
    let path = "devices/dummy_a/naa_id";
    let made = alpha.read(path);
    alpha.write("handlers/vdisk_nullio/mgmt", "del_device dummy_a");
    alpha.run(&resource, "promote").exit(0);
    assert_eq!(alpha.read(path), made);
    named(&cluster, "berlin");
    alpha.call(&resource).level(10).run("validate-all").exit(0).not_logged(advice);
    alpha.run(&resource, "stop").exit(0);
    assert!(!alpha.traces().iter().any(|name| name.contains("published")), "{:?}", alpha.traces());
}

#[test]
fn two_disks_that_are_one_to_hosts_are_refused_in_a_resource_and_on_a_node() {
    let alpha = sample::with_ports().into_node("alpha");
    let null =
        |name: &str, lun: u8, more: &str| format!("handler=vdisk_nullio,virtname={name},export0=all:{lun},{more}");
    let twins = group()
        .param("device1", &null("a", 1, "t10devid=production-1"))
        .param("device2", &null("b", 2, "t10devid=production-2"));
    let reason = "device2: t10devid \"production-2\": is one disk to hosts with device1 (eui.70726f6475637469)";
    alpha.run(&twins, "validate-all").exit(6).reason_has(reason);
    alpha.run(&twins, "start").exit(6).reason_has(reason).writes(0);
    // In whatever way they come to be equal.
    let eui = twins.param("device2", &null("b", 2, "eui64_id=70726F6475637469"));
    alpha.run(&eui, "validate-all").exit(6).reason_has("device2: is one disk to hosts with device1");
    let apart = twins.param("device2", &null("b", 2, "t10devid=production-2,naa_id=5000000000000001"));
    alpha.run(&apart, "validate-all").exit(0);
    alpha.run(&apart, "start").exit(0);
    // Another resource on this node.
    let other = Resource::device_group("other", &null("c", 7, "t10devid=production-3"));
    let reason = "device other_c: hosts take it for device dummy_a of this node: eui.70726f6475637469";
    alpha.run(&other, "start").exit(5).reason(reason).writes(0);
    let free = other.param("device0", &null("c", 7, ""));
    alpha.run(&free, "start").exit(0);
    let more = free.param("device1", &null("d", 8, "naa_id=5000000000000001"));
    alpha
        .run(&more, "reload")
        .kept()
        .reason("device other_d: hosts take it for device dummy_b of this node: naa.5000000000000001");
    alpha.run(&more, "promote").exit(0).logged("not served: device other_d: hosts take it for");
    assert!(!alpha.exists("devices/other_d"));
    // What runs is not stopped for it, and can be.
    alpha.run(&twins, "reload").kept().logged("is one disk to hosts");
    alpha.run(&twins, "monitor").exit(0);
    alpha.run(&twins, "stop").exit(0);
}

#[test]
fn a_device_gets_another_name_and_stays_the_disk_that_it_was() {
    let device = |name: &str| format!("handler=vdisk_nullio,virtname={name},export0=all:1,naa_id=5000000000000001");
    let named = |name| group().param("device1", &device(name));
    let renamed = named("b").param("device2", "handler=vdisk_nullio,virtname=more,export0=all:2");
    let serving = || {
        let cluster = sample::with_ports();
        cluster.serve(&named("a"));
        cluster.into_node("alpha")
    };
    let alpha = serving();
    alpha.run(&renamed, "reload").exit(0).reason("");
    assert!(!alpha.exists("devices/dummy_a"));
    assert_eq!(alpha.read("devices/dummy_b/naa_id"), "0x5000000000000001");
    assert!(alpha.exists("devices/dummy_more"));
    alpha.has_nothing_to_do(&renamed, 8);
    // One that cannot go is never beside the other one.
    let alpha = serving();
    alpha.control("fault op=write path=**/vdisk_nullio/mgmt repeat=true action=fail errno=EBUSY");
    alpha.run(&renamed, "reload").exit(1).reason_has("dummy_a").reason_has("EBUSY");
    assert!(alpha.exists("devices/dummy_a") && !alpha.exists("devices/dummy_b"));
    alpha.control("disarm");
    alpha.monitor(&renamed).exit(8);
    assert!(!alpha.exists("devices/dummy_a") && alpha.exists("devices/dummy_b"));
}

#[test]
fn longer_names_are_taken_and_those_that_a_shell_agent_does_not_know_are_named() {
    let cluster = sample::with_ports();
    let alpha = cluster.node("alpha");
    let long = group()
        .param("groupname", "storage-of-vm-16")
        .param("device0", "handler=vdisk_nullio,virtname=a_name-of_all_of_32_characters-1,export0=all:0")
        .param("device1", "handler=vdisk_nullio,virtname=a_name-of_all_of_32_characters-2,export0=all:1");
    alpha
        .call(&long)
        .level(10)
        .run("validate-all")
        .exit(0)
        .logged("groupname \"storage-of-vm-16\": a shell agent in the cluster does not take it");
    cluster.serve(&long);
    let names = ["1", "2"].map(|last| format!("storage-of-vm-16_a_name-of_all_of_32_characters-{last}"));
    // Identifiers of the kernel's making are cut, and differ all the same.
    let [one, two] = names.map(|name| alpha.read(&format!("devices/{name}/t10_dev_id")));
    assert_eq!((one.len(), two.len()), (25, 25));
    assert_ne!(one[..8], two[..8]);
    alpha.thorough(&long).exit(8).not_logged("WARNING");
    alpha.run(&long, "start").exit(0).writes(0);
    alpha.run(&long, "demote").exit(0);
    alpha.run(&long, "stop").exit(0);
    assert_eq!(alpha.tree().lines("device"), [""; 0]);
    alpha.call(&group()).level(10).run("validate-all").exit(0).not_logged("shell agent");
    // SCST itself takes no device with a dot in its name.
    for name in ["a.b", "a_b", "storage-of-vm-xxx"] {
        alpha.run(&group().param("groupname", name), "start").exit(6).reason_has("groupname").writes(0);
    }
}
