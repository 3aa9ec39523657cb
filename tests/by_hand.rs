//! Run by hand: nothing but the parameters and a reachable cluster; or the clone's id where the primitive's was.

use crate::fixture::sample::{self, group, ports};

#[test]
fn a_whole_life_with_nothing_but_parameters() {
    let alpha = sample::nodes().up().into_node("alpha");
    let ports_by_hand = |action: &str| alpha.call(&ports()).by_hand().run(action);
    let by_hand = |action: &str| alpha.call(&group()).by_hand().run(action);
    ports_by_hand("monitor").exit(7);
    ports_by_hand("start").exit(0).ran(&["crm_node", "cibadmin", "modprobe", "modprobe"]);
    ports_by_hand("monitor").exit(0);
    by_hand("monitor").exit(7).programs(0);
    by_hand("start").exit(0);
    by_hand("monitor").exit(0);
    by_hand("promote").exit(0);
    by_hand("monitor").exit(8);
    by_hand("notify").exit(0).writes(0);
    by_hand("reload").exit(0).writes(0);
    by_hand("demote").exit(0);
    by_hand("demote").exit(0).writes(0);
    by_hand("stop").exit(0);
    by_hand("stop").exit(0).writes(0);
    by_hand("monitor").exit(7);
    ports_by_hand("stop").exit(0);
    ports_by_hand("monitor").exit(7);
    assert_eq!(alpha.tree().lines("device"), [""; 0]);
    assert_eq!(alpha.tree().lines("group"), [""; 0]);
}

#[test]
fn by_hand_and_by_pacemaker_is_the_same() {
    let cluster = sample::nodes().up();
    let [alpha, beta] = ["alpha", "beta"].map(|name| cluster.node(name));
    alpha.run(&ports(), "start").exit(0);
    alpha.call(&ports()).by_hand().run("start").exit(0).writes(0);
    beta.call(&ports()).by_hand().run("start").exit(0);
    beta.run(&ports(), "start").exit(0).writes(0);
    beta.call(&group()).by_hand().run("start").exit(0);
    beta.run(&group(), "start").exit(0).writes(0);
    beta.run(&group(), "stop").exit(0);
    assert_eq!(beta.tree().lines("device"), [""; 0]);
}

#[test]
fn without_a_cluster_the_error_says_which_command_failed_and_how() {
    let alpha = sample::nodes().up().into_node("alpha");
    for resource in [ports(), group()] {
        let reason = alpha.call(&resource).by_hand().without_cluster().run("start").exit(1);
        let reason = reason.exit_reason();
        assert!(reason.contains("crm_node") && reason.contains("exit code 102"), "{reason}");
    }
    // What needs nobody's answer works.
    for resource in [ports(), group()] {
        alpha.call(&resource).by_hand().without_cluster().run("monitor").exit(7);
        alpha.call(&resource).by_hand().without_cluster().run("stop").exit(0);
        alpha.call(&resource).by_hand().without_cluster().run("validate-all").exit(0);
        alpha.call(&resource).by_hand().without_cluster().run("meta-data").exit(0);
    }
}

#[test]
fn the_record_tells_the_node_where_nobody_else_does() {
    let alpha = sample::serving().into_node("alpha");
    let call = || alpha.call(&group()).by_hand().env("OCF_RESOURCE_INSTANCE", group().id()).without_cluster();
    call().run("monitor").exit(8);
    call().run("demote").exit(0);
    call().run("monitor").exit(0);
    call().run("stop").exit(0);
    assert_eq!(alpha.tree().lines("device"), [""; 0]);
}

#[test]
fn the_clones_id_finds_what_the_primitive_started() {
    let alpha = sample::serving().into_node("alpha");
    let clone = group().called("ms_scst_dg_dummy");
    let mut force = alpha.call(&clone).by_hand().env("OCF_RESOURCE_INSTANCE", clone.id());
    force = force.meta("id", group().id());
    force.run("monitor").exit(8).writes(0);
    assert_eq!(alpha.score(&clone), None, "a score of a resource that does not exist");
    let force = |action: &str| {
        let call = alpha.call(&clone).by_hand().env("OCF_RESOURCE_INSTANCE", clone.id());
        call.meta("id", group().id()).run(action)
    };
    force("demote").exit(0);
    force("stop").exit(0);
    assert_eq!(alpha.tree().lines("device"), [""; 0]);
    assert_eq!(alpha.record(&group()), None);
    assert_eq!(alpha.score(&group()), None);
    alpha.run(&group(), "monitor").exit(7);
}

#[test]
fn f20_meta_data_asks_nobody_and_needs_nothing() {
    let alpha = sample::nodes().up().into_node("alpha");
    for resource in [ports(), group()] {
        let mut call = alpha.call(&resource).by_hand().without_cluster();
        for name in ["PATH", "HA_SBIN_DIR", "HA_RSCTMP", "SCST_VAR_LIB", "SCST_SYSFS_ROOT"] {
            call = call.unset(name);
        }
        let outcome = call.run("meta-data").exit(0).programs(0).writes(0);
        assert!(outcome.stdout().contains(&format!("<resource-agent name=\"{}\"", resource.agent())));
        assert_eq!(outcome.stderr(), "");
    }
    assert_eq!(alpha.counters().total, scst_sim::counters::Counts::default());
}
