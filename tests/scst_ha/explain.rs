//! `scst-ha explain`: what agents said, explained.

use std::time::Duration;

use snapbox::str;

use super::data;
use crate::fixture::sample::{group, nodes, ports, serving};

#[test]
fn a_reason_and_a_code_are_explained() {
    let alpha = nodes().up().into_node("alpha");
    let reason = "backing store could not be opened: device dg_vm1";
    let told = alpha.tool("explain").argument(reason).go().code_is(0).programs(0);
    assert!(
        told.stdout().starts_with(&format!("{reason}\n  exit code 1\n  Promote: the store is missing")),
        "{told:?}"
    );
    alpha.tool("explain OCF_ERR_INSTALLED").go().code_is(0).printed(str![[r#"
exit code 5 (OCF_ERR_INSTALLED)
  as 2: something is missing on this node

"#]]);
    let found = data(&alpha.tool("explain --json 9").go().code_is(0));
    assert_eq!((&found["version"], &found["codes"][0]["number"]), (&1.into(), &9.into()));
}

#[test]
fn what_an_agent_said_is_found_in_its_log_and_in_what_the_cluster_shows() {
    let cluster = serving();
    let alpha = cluster.node("alpha");
    cluster.set_targetports("beta", None);
    let refused = cluster.node("beta").run(&ports(), "start").exit(5);
    let shown =
        format!("  * scst_qla start on beta returned 'not installed' (exitreason='{}')\n", refused.exit_reason());
    alpha.write("device_groups/dummy/devices/mgmt", "del dummy_lu0dummy");
    let seen = alpha.call(&group()).level(10).run("monitor").exit(1);
    let log = format!("{shown}{}{}{}", seen.log(), seen.stderr(), "kernel: something else\n");
    let told = alpha.tool("explain").input(&log).go().code_is(0).programs(0);
    assert!(told.stdout().contains("node beta has no targetports attribute\n  exit code 5\n"), "{told:?}");
    assert!(told.stdout().contains(&format!("{} (2 times)\n", seen.exit_reason())), "{told:?}");
    let found = data(&alpha.tool("explain --json").input(&log).go().code_is(0));
    assert_eq!(found["reasons"].as_array().unwrap().len(), 2, "{found}");
    assert_eq!(found["unknown"], serde_json::json!([]));
}

#[test]
fn what_is_not_of_these_agents_is_said_so() {
    let alpha = nodes().up().into_node("alpha");
    let asked = alpha.tool("explain").argument("the moon is full").go().code_is(1);
    assert_eq!(asked.stderr(), "scst-ha: no reason of these agents: the moon is full\n");
    let asked = alpha.tool("explain").input("nothing\n").go().code_is(1);
    assert_eq!(asked.stderr(), "scst-ha: there is no exit reason of these agents in it\n");
    // Whatever a log holds, nothing of it reaches the terminal as it is.
    let evil = "x ocf-exit-reason:device \u{1b}[2Ja is missing\n";
    let told = alpha.tool("explain").input(evil).go().code_is(0);
    assert!(!told.stdout().contains('\u{1b}'), "{told:?}");
}

#[test]
fn a_log_of_ten_megabytes_is_read_to_its_end() {
    let cluster = nodes().up();
    let line = "2026-11-25 alpha scst_aluadg(dg)[77]: ERROR: start: backing store does not exist: device dg_a /dev/a\n";
    let log = line.repeat(10_000_000 / line.len());
    let told = cluster.node("alpha").tool("explain").input(&log).go().code_is(0).within(Duration::from_secs(10));
    assert!(told.stdout().contains("times)"), "{told:?}");
}
