//! The names in `targetports` and `initiators`: their spellings, names that are no port, and names that stand in two places.

use crate::fixture::sample::{self, ALPHA, BETA, GAMMA, HOST, group, ports};
use crate::fixture::{Cluster, Fixture};

/// Every usual spelling of a WWPN.
fn spellings(wwpn: &str) -> [String; 6] {
    let bare = wwpn.replace(':', "");
    let upper = bare.to_uppercase();
    [
        wwpn.to_uppercase(),
        wwpn.replace(':', "-"),
        bare.clone(),
        format!("0x{bare}"),
        format!("0X{upper}"),
        format!("naa.{bare}"),
    ]
}

#[test]
fn every_spelling_of_a_wwpn_is_the_same_port_and_the_same_initiator() {
    let expected = {
        let cluster = sample::serving();
        cluster.node("alpha").tree()
    };
    for (index, beta) in spellings(BETA[0]).iter().enumerate() {
        let alpha = ALPHA.map(|port| spellings(port)[index].clone()).join(", ");
        let beta = format!("{beta},{}", spellings(BETA[1])[index]);
        let hosts = HOST.map(|host| spellings(host)[index].clone()).join(",");
        let ports = ports().param("initiators", &format!("vmwtest={hosts}"));
        let cluster = sample::nodes().up();
        cluster.set_targetports("alpha", Some(&alpha));
        cluster.set_targetports("beta", Some(&beta));
        cluster.configure(&[&ports, &group()]);
        let node = cluster.node("alpha");
        node.run(&ports, "validate-all").exit(0).not_logged("WARNING");
        cluster.start(&ports, &["alpha", "beta"]);
        cluster.serve(&group());
        assert_eq!(node.tree(), expected, "{alpha} {hosts}");
        for resource in [&ports, &group()] {
            node.run(resource, "reload").exit(0).writes(0).not_logged("WARNING");
        }
        node.tool("status").go().code_is(0);
        node.tool("discover").go().code_is(0);
    }
}

#[test]
fn what_is_no_wwpn_is_left_out_and_the_status_differs() {
    let cluster = sample::nodes().up();
    let alpha = cluster.node("alpha");
    let bare = HOST[0].replace(':', "");
    for wrong in [&bare[1..], "21:00:00:24:ff:60:d0", "eui.2100002400000001", "0002:c903:0005:f34f"] {
        let resource = ports().param("initiators", &format!("vmwtest={},{wrong}", HOST[1]));
        cluster.configure(&[&resource]);
        alpha.run(&resource, "start").exit(0).logged(wrong);
        let shown = alpha.tool("status").go().code_is(3);
        assert!(shown.stdout().contains(wrong), "{shown:?}");
        alpha.run(&resource, "stop").exit(0);
    }
}

#[test]
fn the_status_differs_as_long_as_anything_configured_was_left_out() {
    let cluster = sample::serving();
    cluster.configure(&[&ports(), &group()]);
    let alpha = cluster.node("alpha");
    alpha.tool("status").go().code_is(0);
    let mut remarked = Vec::new();
    for (device, more) in [
        ("device1", "handler=vdisk_nullio,virtname=too.longname,export0=all:3"),
        ("device0", "handler=vdisk_nullio,virtname=lu0dummy,dummy=1,export0=all:0,export1=esx1:x"),
    ] {
        cluster.configure(&[&ports(), &group().param(device, more)]);
        remarked.push(alpha.tool("status").go().code_is(3));
    }
    cluster.configure(&[&ports(), &group()]);
    cluster.set_targetports("beta", Some(&format!("{},nonsense,{}", BETA[0], BETA[1])));
    remarked.push(alpha.tool("status --group dummy").go().code_is(3));
    for (shown, named) in remarked.iter().zip(["too.longname", "esx1:x", "nonsense"]) {
        assert!(shown.stdout().contains("to be known") && shown.stdout().contains(named), "{shown:?}");
    }
}

/// The pair, and one node more.
fn three() -> Cluster {
    sample::nodes().node("gamma", 3).port(GAMMA).up()
}

#[test]
fn a_port_of_two_nodes_keeps_only_these_two_from_starting() {
    let cluster = three();
    let bare = ALPHA[0].replace(':', "").to_uppercase();
    cluster.set_targetports("beta", Some(&format!("{bare},{}", BETA[1])));
    for node in ["alpha", "beta"] {
        for resource in [ports(), group()] {
            let started = cluster.node(node).run(&resource, "start").exit(2).writes(0);
            started.reason(&format!("port {bare} is listed in targetports of node alpha and of node beta"));
        }
    }
    let gamma = cluster.node("gamma");
    gamma.run(&ports(), "start").exit(0).logged(&bare);
    gamma.run(&group(), "start").exit(0).logged(&bare);
    // It is left out of both target groups, and the others keep their numbers.
    let remote = [format!("remote {} rel_tgt_id=102", ALPHA[1]), format!("remote {} rel_tgt_id=202", BETA[1])];
    assert_eq!(gamma.tree().lines("remote"), remote);
    gamma.run(&ports(), "monitor").exit(0);
    gamma.run(&group(), "monitor").exit(0);
    cluster.configure(&[&ports(), &group()]);
    gamma.tool("status").go().code_is(3);
    cluster.set_targetports("beta", Some(&BETA.join(",")));
    gamma.run(&group(), "reload").exit(0).not_logged("WARNING");
    assert_eq!(gamma.tree().lines("remote").len(), 4);
    cluster.node("alpha").run(&ports(), "start").exit(0);
}

#[test]
fn a_port_that_one_node_lists_twice_keeps_only_this_node_from_starting() {
    let cluster = three();
    cluster.set_targetports("alpha", Some(&format!("{},{}", ALPHA[0], ALPHA[0].to_uppercase())));
    let reason = format!("port {} is listed twice in targetports of node alpha", ALPHA[0].to_uppercase());
    for resource in [ports(), group()] {
        cluster.node("alpha").run(&resource, "start").exit(2).reason(&reason).writes(0);
        cluster.node("gamma").run(&resource, "start").exit(0).logged(&reason);
    }
    // Without a port a node has no target group.
    assert_eq!(cluster.node("gamma").tree().lines("target group").len(), 2);
}

#[test]
fn a_mistake_in_the_lists_of_others_takes_nothing_from_what_runs() {
    let cluster = sample::serving();
    let alpha = cluster.node("alpha");
    // Beta lists a port of alpha: alpha keeps everything and says so.
    cluster.set_targetports("beta", Some(&format!("{},{}", BETA[0], ALPHA[1])));
    let before = alpha.tree();
    for resource in [ports(), group()] {
        alpha.run(&resource, "reload").kept().reason_has("of node alpha and of node beta");
    }
    assert_eq!(alpha.tree(), before);
}

#[test]
fn entries_that_fit_no_driver_are_named_also_when_the_start_fails() {
    let list = "nonsense,not:a:port";
    let cluster = Fixture::new().node("alpha", 1).targetports(list).node("beta", 700).targetports(list).up();
    for node in ["alpha", "beta"] {
        for resource in [ports(), group()] {
            let code = if node == "alpha" { 5 } else { 2 };
            let started = cluster.node(node).run(&resource, "start").exit(code);
            started.logged(&format!("entry \"nonsense\" of targetports of node {node}")).logged("\"not:a:port\"");
        }
    }
    cluster.configure(&[&ports()]);
    let shown = cluster.node("alpha").tool("status").go().code_is(3);
    assert!(shown.stdout().contains("entry \"nonsense\" of targetports of node alpha is ignored"), "{shown:?}");
}
