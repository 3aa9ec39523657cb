//! The simulated Pacemaker against what real ones did: the same events must lead to the same actions and notifications, in the same
//! order and with the same lists. `tests/data/pacemaker-env` holds every call of Pacemaker 2.1.5 and 3.0.2.

use std::collections::{BTreeMap, BTreeSet};

use scst_sim::model::ScstVersion;

use super::pacemaker::Cluster;
use super::stage::Stage;
use super::world::{NODES, World};
use crate::workspace;

/// The versions of Pacemaker that are recorded.
const VERSIONS: [&str; 2] = ["2.1.5", "3.0.2"];

/// The lists that are compared.
const LISTS: [&str; 6] = ["active", "promoted", "start", "stop", "promote", "demote"];

/// What some nodes were called for at a time, and the lists that they got.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Called {
    what: String,
    nodes: BTreeSet<String>,
    lists: BTreeMap<String, BTreeSet<String>>,
}

/// Puts calls for the same thing together, which run side by side.
fn together(calls: impl IntoIterator<Item = Called>) -> Vec<Called> {
    let mut all: Vec<Called> = Vec::new();
    for call in calls {
        match all.last_mut().filter(|last| last.what == call.what && last.lists == call.lists) {
            Some(last) => last.nodes.extend(call.nodes),
            None => all.push(call),
        }
    }
    all
}

/// The variable that has a list.
fn variable(list: &str) -> String {
    format!("OCF_RESKEY_CRM_meta_notify_{list}_uname")
}

fn lists(list: impl Fn(&str) -> Option<BTreeSet<String>>) -> BTreeMap<String, BTreeSet<String>> {
    LISTS.iter().filter_map(|name| Some(((*name).to_owned(), list(name)?))).collect()
}

fn words(text: &str) -> BTreeSet<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// What a real Pacemaker called, monitors and meta-data apart, where `alpha` stands for node `first`.
fn recorded(version: &str, scenario: &str, first: usize) -> Vec<Called> {
    let directory = workspace::root().join("tests/data/pacemaker-env");
    let files = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let begins = format!("{version}__{scenario}__");
    let mut files: Vec<_> = files.filter(|path| path.to_str().unwrap().contains(&begins)).collect();
    files.sort();
    assert!(!files.is_empty(), "{scenario} is recorded");
    let renamed =
        |text: &str| text.replace(&format!("node{first}"), "alpha").replace(&format!("node{}", 3 - first), "beta");
    let calls = files.into_iter().filter_map(|path| {
        let name = renamed(path.file_stem().unwrap().to_str().unwrap());
        let (node, what) = name.rsplit("__").next().unwrap()[3..].split_once('-').unwrap();
        if what.starts_with("monitor") || what == "meta-data" || path.extension().is_none_or(|end| end != "env") {
            return None;
        }
        let text = renamed(&std::fs::read_to_string(&path).unwrap());
        let list =
            |name: &str| text.lines().find_map(|line| line.strip_prefix(&variable(name))?.strip_prefix('=')).map(words);
        let what = what.replace("reload-agent", "reload");
        Some(Called { what, nodes: [node.to_owned()].into(), lists: lists(list) })
    });
    together(calls)
}

/// Two nodes with one group, at rest; `alpha` is promoted.
fn cluster() -> Cluster {
    let stage = Stage::new(World::new(1, 2, &["red"], ScstVersion::V3_11).unwrap());
    let mut cluster = Cluster::new(stage, &["red"], true);
    cluster.settle();
    cluster
}

/// What the simulated Pacemaker calls for the group after an event.
fn called(cluster: &mut Cluster, event: impl FnOnce(&mut Cluster)) -> Vec<Called> {
    cluster.stage.lock().tape = Some(Vec::new());
    event(cluster);
    cluster.settle();
    let mut state = cluster.stage.lock();
    assert_eq!(state.world.violation, None, "{:#?}", state.world.history);
    let calls = state.tape.take().expect("what was put there");
    together(calls.iter().filter_map(|call| {
        let what = call.label.strip_prefix("res_red ").filter(|what| *what != "monitor")?.to_owned();
        let list =
            |name: &str| call.env.iter().find(|(other, _)| *other == variable(name)).map(|(_, nodes)| words(nodes));
        Some(Called { what, nodes: [NODES[call.node].to_owned()].into(), lists: lists(list) })
    }))
}

#[track_caller]
fn same(scenario: &str, called: &[Called]) {
    for version in VERSIONS {
        let real = recorded(version, scenario, 2);
        for (number, (real, simulated)) in real.iter().zip(called).enumerate() {
            assert_eq!(simulated, real, "{version} {scenario}, step {number} (simulated, real)");
        }
        assert_eq!(called.len(), real.len(), "{version} {scenario}: steps (simulated, real)");
    }
}

#[test]
fn the_life_of_a_cluster_is_that_under_a_real_pacemaker() {
    let mut cluster = cluster();
    let calls = called(&mut cluster, |cluster| cluster.configure(1, "reload", Some("1".to_owned())));
    same("A2-reloadable-param-changed", &calls);
    // The recorded agent deletes its score in every stop, which ends a transition: only its first half can be compared.
    let calls = called(&mut cluster, |cluster| cluster.restart(Some("red")));
    for version in VERSIONS {
        let real = recorded(version, "A3-other-param-changed-restart", 2);
        let stopped = 1 + real.iter().position(|called| called.what == "stop").expect("a restart stops");
        assert_eq!(calls[..stopped], real[..stopped], "{version}");
    }
    let calls = called(&mut cluster, |cluster| cluster.set_standby(0, true));
    same("A4-standby-of-promoted", &calls);
    let calls = called(&mut cluster, |cluster| cluster.set_standby(0, false));
    same("A5-unstandby", &calls);
    let calls = called(&mut cluster, |cluster| cluster.lose(1, false));
    same("A6-power-loss-of-promoted-fenced", &calls);
    let calls = called(&mut cluster, |cluster| cluster.boot(1));
    same("A7-node-returns", &calls);
}

#[test]
fn without_fencing_nobody_notifies_of_the_dead() {
    let mut cluster = cluster();
    cluster.fencing = false;
    let calls = called(&mut cluster, |cluster| cluster.lose(0, false));
    for version in VERSIONS {
        // In one of them the other node was promoted.
        let real = [2, 1].map(|first| recorded(version, "B1-power-loss-of-promoted-NOT-fenced", first));
        let real = real.iter().find(|real| real[0].lists["promote"].contains("beta")).expect("somebody is promoted");
        assert_eq!(calls, *real, "{version} (simulated, real)");
    }
}
