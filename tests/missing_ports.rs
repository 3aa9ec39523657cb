//! A port of the list that does not exist: the parameter `missing_ports` of the agents.

use crate::fixture::sample::{self, ALPHA, group, ports};
use crate::fixture::{Cluster, Fixture, Resource};

/// The resource with `missing_ports=warn`.
fn warn(resource: &Resource) -> Resource {
    resource.param("missing_ports", "warn")
}

/// Alpha has one of the two ports that it lists.
fn half() -> Cluster {
    Fixture::new().node("alpha", 1).dead_port(ALPHA[0]).port(ALPHA[1]).up()
}

#[test]
fn by_default_a_missing_port_makes_the_start_fail_and_nobody_is_surprised() {
    let cluster = half();
    for resource in
        [ports(), ports().param("missing_ports", "fail"), group(), ports().param("missing_ports", "perhaps")]
    {
        let started = cluster.node("alpha").run(&resource, "start").exit(5).writes(0);
        started.reason(&format!("port does not exist on this node: {}", ALPHA[0]));
    }
    let wrong = ports().param("missing_ports", "perhaps");
    cluster.node("alpha").run(&wrong, "validate-all").exit(6).reason_has("missing_ports \"perhaps\"");
}

#[test]
fn the_ports_that_are_there_serve_and_the_others_are_named() {
    let cluster = half();
    let alpha = cluster.node("alpha");
    let (ports, group) = (warn(&ports()), warn(&group()));
    alpha.call(&ports).level(10).run("validate-all").exit(5);
    alpha.control("modprobe qla2x00tgt");
    alpha.call(&ports).level(10).run("validate-all").exit(0).logged(ALPHA[0]);
    alpha.run(&ports, "start").exit(0).logged(ALPHA[0]);
    alpha.run(&ports, "start").exit(0).writes(0);
    // The numbers are those of the places in the list.
    assert_eq!(alpha.tree().lines("port"), [format!("port qla2x00t/{} enabled=1 rel_tgt_id=102", ALPHA[1])]);
    for level in [0, 10] {
        let monitored = alpha.call(&ports).recurring().level(level).run("monitor").exit(0).programs(0);
        monitored.logged(&format!("port {} does not exist", ALPHA[0]));
    }
    alpha.run(&ports, "reload").exit(0).writes(0).logged(ALPHA[0]);
    alpha.run(&group, "promote").exit(0).logged(ALPHA[0]);
    alpha.run(&group, "start").exit(0).writes(0);
    alpha.run(&group, "reload").exit(0).writes(0);
    assert_eq!(alpha.tree().lines("local"), [format!("local {} rel_tgt_id=102", ALPHA[1])]);
    assert_eq!(alpha.tree().lines("remote"), [""; 0]);
    alpha.thorough(&group).exit(8);
    cluster.configure(&[&ports, &group]);
    let shown = alpha.tool("status").go().code_is(3);
    assert_eq!(
        shown.stdout().matches(&format!("port {} does not exist on this node", ALPHA[0])).count(),
        2,
        "{shown:?}"
    );
    // The port comes back: it is used after a restart of the ports and a reload of the group.
    alpha.control(&format!("plug wwpn={}", ALPHA[0]));
    alpha.monitor(&ports).exit(0).logged("is there again");
    alpha.run(&ports, "reload").exit(0).logged("is there again");
    alpha.monitor(&ports).exit(0).logged("is there again");
    alpha.run(&ports, "start").exit(0);
    alpha.run(&group, "reload").exit(0);
    assert_eq!(alpha.tree().lines("local").len(), 2);
    alpha.thorough(&ports).exit(0).not_logged("WARNING");
    alpha.thorough(&group).exit(8).not_logged("WARNING");
    alpha.tool("status").go().code_is(0);
    alpha.run(&group, "stop").exit(0);
    alpha.run(&ports, "stop").exit(0);
    assert_eq!(alpha.tree().lines("group"), [""; 0]);
}

#[test]
fn a_port_that_dies_later_does_not_take_the_others_down() {
    let alpha = sample::nodes().up().into_node("alpha");
    let (ports, group) = (warn(&ports()), warn(&group()));
    alpha.run(&ports, "start").exit(0).not_logged("WARNING");
    alpha.run(&group, "promote").exit(0);
    alpha.control(&format!("unplug {}", ALPHA[0]));
    alpha.monitor(&ports).exit(0).logged(&format!("port {} does not exist", ALPHA[0]));
    alpha.thorough(&group).exit(8).logged(ALPHA[0]);
    alpha.run(&ports, "reload").exit(0).not_logged("goes down when");
    // Without any port there is nothing to serve with.
    alpha.control(&format!("unplug {}", ALPHA[1]));
    alpha.monitor(&ports).exit(7);
    alpha.run(&ports, "start").exit(5).reason_has(ALPHA[0]).reason_has(ALPHA[1]);
    alpha.run(&group, "start").exit(5).reason_has(ALPHA[0]).reason_has(ALPHA[1]);
    alpha.run(&group, "stop").exit(0);
    alpha.run(&ports, "stop").exit(0);
}
