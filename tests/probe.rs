//! Probes: they say what is there and leave no trace but the score of a running instance.

use crate::fixture::sample::{self, group, ports};

#[test]
fn f3_a_bare_machine_runs_nothing_and_stays_bare() {
    let alpha = sample::nodes().up().into_node("alpha");
    for resource in [ports(), group()] {
        alpha.run(&resource, "monitor").exit(7).writes(0).programs(0);
        alpha.monitor(&resource).exit(7).writes(0).programs(0);
        alpha.call(&resource).level(10).run("monitor").exit(7).writes(0);
        alpha.call(&resource).without_cluster().run("monitor").exit(7);
    }
    assert_eq!(alpha.tree().lines(""), ["no SCST"]);
    assert_eq!(alpha.traces(), [""; 0]);
    assert!(!alpha.rsctmp().exists(), "a directory was made");
    assert!(alpha.mount().unknowns().is_empty());
}

#[test]
fn modules_without_anything_of_ours_are_not_a_running_resource() {
    let alpha = sample::nodes().up().into_node("alpha");
    for module in ["qla2x00tgt", "scst_vdisk"] {
        alpha.control(&format!("modprobe {module}"));
    }
    let before = alpha.tree();
    for resource in [ports(), group()] {
        alpha.run(&resource, "monitor").exit(7).writes(0).programs(0);
    }
    assert_eq!(alpha.tree(), before);
    assert_eq!(alpha.traces(), [""; 0]);
}

#[test]
fn a_probe_that_finds_the_group_running_gives_it_its_score_back() {
    let cluster = sample::serving();
    for (node, code, score) in [("alpha", 8, "10"), ("beta", 0, "5")] {
        cluster.set_score(node, None);
        let files = cluster.node(node).traces();
        cluster.node(node).run(&group(), "monitor").exit(code).writes(0).ran(&["crm_attribute"]);
        assert_eq!(cluster.node(node).score(&group()).as_deref(), Some(score));
        assert_eq!(cluster.node(node).traces(), files);
    }
}

#[test]
fn a_probe_with_a_broken_configuration_says_what_is_there_and_never_6() {
    let cluster = sample::nodes().up();
    let alpha = cluster.node("alpha");
    let broken = [
        group().without("device0"),
        group().param("tgtdriver", "nonsense"),
        group().param("device0", "nonsense"),
        group().without("groupname"),
        group().param("groupname", "../x"),
        ports().without("initiators"),
        ports().param("initiators", "nonsense"),
    ];
    for resource in &broken {
        alpha.run(resource, "monitor").exit(7).writes(0);
    }
    cluster.start(&ports(), &["alpha"]);
    cluster.start(&group(), &["alpha"]);
    for resource in &broken[..3] {
        alpha.run(resource, "monitor").exit(0).writes(0);
    }
    for resource in &broken[5..] {
        alpha.run(resource, "monitor").exit(0).writes(0);
    }
}

#[test]
fn a_dead_port_is_no_reason_to_ban_the_resource() {
    let alpha = sample::with_ports().into_node("alpha");
    alpha.control(&format!("unplug {}", sample::ALPHA[0]));
    alpha.control(&format!("unplug {}", sample::ALPHA[1]));
    // Nothing of ours is left: cleanly stopped.
    alpha.run(&ports(), "monitor").exit(7);
    alpha.run(&ports(), "start").exit(5).reason_has(sample::ALPHA[0]).reason_has(sample::ALPHA[1]);
    alpha.run(&ports(), "stop").exit(0);
}
