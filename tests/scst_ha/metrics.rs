//! `scst-ha metrics`, and the alert rules and the dashboard that are made for it.

#![allow(clippy::float_cmp, reason = "the numbers are whole, or written as they are compared")]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use scst_sim::stand_in::cib::Cib;
use scst_sim::stand_in::xml::Element;

use super::exposition::{Sample, alerts, holds, read};
use super::{serving, show};
use crate::fixture::sample::{self, ALPHA, HOST, finish, group, log_in, nodes, ports, send};
use crate::fixture::{Cluster, Node};

/// A file of the monitoring's documentation.
fn document(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/monitoring").join(name)).unwrap()
}

/// What a node tells.
#[track_caller]
fn metrics(node: &Node) -> Vec<Sample> {
    read(show(node, "metrics").code_is(0).stdout())
}

/// What Prometheus has of both nodes.
#[track_caller]
fn scraped(cluster: &Cluster) -> Vec<Sample> {
    let of = |name: &str| {
        let mut samples = metrics(cluster.node(name));
        for sample in &mut samples {
            sample.labels.insert("instance".to_owned(), name.to_owned());
        }
        samples
    };
    [of("alpha"), of("beta")].concat()
}

#[track_caller]
fn value(samples: &[Sample], name: &str, labels: &[(&str, &str)]) -> f64 {
    let fits = |sample: &&Sample| {
        sample.name == name
            && labels.iter().all(|(label, value)| sample.labels.get(*label).is_some_and(|has| has == value))
    };
    let found: Vec<&Sample> = samples.iter().filter(fits).collect();
    assert_eq!(found.len(), 1, "{name} {labels:?}: {found:?}");
    found[0].value
}

/// Every port of both nodes has a host.
fn with_hosts(cluster: &Cluster) {
    for (node, ports) in [("alpha", ALPHA), ("beta", sample::BETA)] {
        for (port, host) in ports.iter().zip(HOST) {
            cluster.node(node).control(&format!("login qla2x00t {port} {host}"));
        }
    }
}

/// The cluster notes a promotion of the group on alpha.
fn promoted(cluster: &Cluster, took: &str, code: &str) {
    let note = |cib: &mut Cib| {
        let operation = Element::new("lrm_rsc_op")
            .with("id", "scst_dg_dummy_last_0")
            .with("operation_key", "scst_dg_dummy_promote_0");
        let operation = operation
            .with("operation", "promote")
            .with("on_node", "alpha")
            .with("exec-time", took)
            .with("rc-code", code);
        let status = cib.root.child_made("status");
        status.children.retain(|child| child.name != "lrm_rsc_op");
        status.children.push(operation.with("last-rc-change", "1700000000"));
    };
    cluster.cib().change(note).unwrap();
}

#[test]
fn a_node_that_serves_is_told_in_numbers() {
    let cluster = serving();
    let alpha = cluster.node("alpha");
    promoted(&cluster, "1500", "0");
    log_in(alpha);
    let io = send(alpha, "0");
    let samples = metrics(alpha);
    let port = [("port", ALPHA[0])];
    assert_eq!(value(&samples, "scst_port_sessions", &port), 1.0);
    assert_eq!(value(&samples, "scst_port_link_up", &[("port", ALPHA[1]), ("listed", "yes")]), 1.0);
    assert_eq!(
        value(&samples, "scst_session_commands_in_flight", &[("initiator", HOST[0]), ("group", "vmwtest")]),
        1.0
    );
    assert_eq!(value(&samples, "scst_device_commands_in_flight", &[("device", "dummy_lu0dummy")]), 1.0);
    assert_eq!(value(&samples, "scst_device_luns", &[("device", "dummy_lu0dummy")]), 2.0);
    assert_eq!(value(&samples, "scst_group_role", &[("role", "promoted")]), 1.0);
    assert_eq!(value(&samples, "scst_alua_state", &[("node", "beta"), ("state", "standby"), ("local", "no")]), 1.0);
    assert_eq!(value(&samples, "scst_resource_differences", &[("resource", "scst_dg_dummy")]), 0.0);
    assert_eq!(value(&samples, "scst_group_last_promotion_seconds", &[("group", "dummy")]), 1.5);
    assert!(samples.iter().any(|sample| sample.name == "scst_port_bytes_total"), "the kernel's counters are there");
    finish(alpha, &io);
}

#[test]
fn a_file_is_written_as_a_whole_for_the_collector() {
    let cluster = serving();
    let alpha = cluster.node("alpha");
    let directory = cluster.dir().join("textfile");
    fs::create_dir(&directory).unwrap();
    let path: PathBuf = directory.join("scst.prom");
    for _ in 0..2 {
        let written = show(alpha, &format!("metrics --textfile {}", path.display())).code_is(0);
        assert_eq!(written.stdout(), "");
    }
    read(&fs::read_to_string(&path).unwrap());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
    let refused = show(alpha, "metrics --textfile /nonexistent/scst.prom").code_is(1);
    assert!(refused.stderr().starts_with("scst-ha: /nonexistent/scst.prom cannot be written: "), "{refused:?}");
}

#[test]
fn without_scst_and_without_a_cluster_that_is_what_is_told() {
    let cluster = nodes().up();
    let samples = read(cluster.node("alpha").tool("metrics").without_cluster().go().code_is(0).writes(0).stdout());
    assert_eq!(value(&samples, "scst_loaded", &[]), 0.0);
    assert_eq!(value(&samples, "scst_cluster_asked", &[]), 0.0);
}

#[test]
fn many_sessions_do_not_make_many_series() {
    let alpha = serving().into_node("alpha");
    for number in 0..60 {
        alpha.control(&format!("login qla2x00t {} 50:01:43:80:03:b0:00:{number:02x}", ALPHA[0]));
    }
    let count =
        |samples: &[Sample]| samples.iter().filter(|sample| sample.name == "scst_session_commands_in_flight").count();
    let samples = read(show(&alpha, "metrics --sessions 50").code_is(0).stdout());
    assert_eq!((count(&samples), value(&samples, "scst_session_series_left_out", &[])), (50, 10.0));
    assert_eq!(value(&samples, "scst_port_sessions", &[("port", ALPHA[0])]), 60.0);
    assert_eq!(count(&metrics(&alpha)), 60);
}

/// Makes one thing wrong, by the name of the alert that is to fire.
fn make_wrong(cluster: &Cluster, alert: &str) {
    let alpha = cluster.node("alpha");
    match alert {
        "ScstNotLoaded" | "ScstClusterSilent" | "ScstSeriesLeftOut" => {}
        "ScstUnread" => {
            alpha.control(
                "fault op=read action=fail errno=EIO path=kernel/scst_tgt/devices/dummy_lu0dummy/block repeat=true",
            );
        }
        "ScstPortDown" => alpha.write(&format!("targets/qla2x00t/{}/enabled", ALPHA[0]), "0"),
        "ScstLinkDown" => _ = alpha.control(&format!("port-state {} Linkdown", ALPHA[0])),
        "ScstNobodyLoggedIn" => {
            let sessions = format!("kernel/scst_tgt/targets/qla2x00t/{}/sessions/{}/force_close", ALPHA[0], HOST[0]);
            fs::write(alpha.mount().dir().join(sessions), "1").unwrap();
            crate::fixture::eventually("the host is logged out", || {
                !alpha.exists(&format!("targets/qla2x00t/{}/sessions/{}", ALPHA[0], HOST[0]))
            });
        }
        "ScstGroupNotServed" => alpha.write("device_groups/dummy/target_groups/alpha/state", "standby"),
        "ScstGroupServedTwice" => cluster.node("beta").write("device_groups/dummy/target_groups/beta/state", "active"),
        "ScstNoStandby" => _ = cluster.node("beta").run(&group(), "stop").exit(0),
        "ScstGroupFault" | "ScstTransitioning" => {
            cluster.node("beta").write("device_groups/dummy/target_groups/beta/state", "transitioning");
        }
        "ScstBlocked" => alpha.write("devices/dummy_lu0dummy/block", "1"),
        "ScstDiffers" => cluster.configure(&[&ports().param("initiators", &format!("vmwtest={}", HOST[0]))]),
        "ScstPromotionFailed" => promoted(cluster, "100", "1"),
        "ScstPromotionSlow" => promoted(cluster, "21000", "0"),
        other => panic!("nobody knows how to make {other} fire"),
    }
}

/// What is seen when it is wrong.
fn wrong(cluster: &Cluster, alert: &str) -> Vec<Sample> {
    let alpha = cluster.node("alpha");
    match alert {
        "ScstNotLoaded" => metrics(nodes().up().node("alpha")),
        "ScstClusterSilent" => read(alpha.tool("metrics").without_cluster().go().code_is(0).stdout()),
        "ScstUnread" => read(show(alpha, "metrics").code_is(1).stdout()),
        "ScstSeriesLeftOut" => read(show(alpha, "metrics --sessions 1").code_is(0).stdout()),
        _ => scraped(cluster),
    }
}

#[test]
fn every_alert_fires_when_its_matter_is_wrong_and_none_when_all_is_well() {
    let rules = alerts(&document("alerts.yml"));
    assert!(rules.len() > 12, "{rules:?}");
    let well = serving();
    with_hosts(&well);
    promoted(&well, "1500", "0");
    let samples = scraped(&well);
    for (alert, expression) in &rules {
        assert!(!holds(expression, &samples), "{alert} fires and nothing is wrong");
    }
    drop(well);
    for (alert, expression) in &rules {
        let cluster = serving();
        with_hosts(&cluster);
        make_wrong(&cluster, alert);
        assert!(holds(expression, &wrong(&cluster, alert)), "{alert} does not fire");
    }
}

#[test]
fn rules_and_dashboard_ask_for_metrics_that_there_are() {
    let cluster = sample::with_ports();
    let store = format!("filename={},virtname=vm1,export0=all:1", cluster.disk("disk", 1 << 30).display());
    let group = group().param("device1", &store);
    cluster.serve(&group);
    cluster.configure(&[&ports(), &group]);
    with_hosts(&cluster);
    promoted(&cluster, "1500", "0");
    let names: BTreeSet<String> = scraped(&cluster).into_iter().map(|sample| sample.name).collect();
    let dashboard: serde_json::Value = serde_json::from_str(&document("dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let asked = panels
        .flat_map(|panel| panel["targets"].as_array().unwrap())
        .map(|target| target["expr"].as_str().unwrap().to_owned());
    let asked: Vec<String> =
        asked.chain(alerts(&document("alerts.yml")).into_iter().map(|(_, expression)| expression)).collect();
    assert!(asked.len() > 20);
    for expression in asked {
        let words = expression.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
        let metrics: Vec<&str> = words.filter(|word| word.starts_with("scst_")).collect();
        assert!(!metrics.is_empty(), "{expression}");
        assert!(metrics.iter().all(|metric| names.contains(*metric)), "{expression}: {names:?}");
    }
}

#[test]
fn a_kernel_that_does_not_answer_does_not_hold_the_collector_up() {
    let alpha = serving().into_node("alpha");
    alpha.control("fault op=read action=hang path=kernel/scst_tgt/devices/dummy_lu0dummy/block repeat=true");
    let told = show(&alpha, "metrics --timeout 2").code_is(1).within(Duration::from_secs(2));
    assert!(value(&read(told.stdout()), "scst_unread", &[]) >= 1.0);
    alpha.control("release");
}
