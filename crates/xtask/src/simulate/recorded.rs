//! The simulated Pacemaker against what real ones did: the same events must lead to the same actions and notifications, in the same
//! order and with the same lists. `tests/data/pacemaker-env` holds every call of Pacemaker 2.1.5 and 3.0.2.

use std::collections::{BTreeMap, BTreeSet};

use scst_sim::model::ScstVersion;

use super::pacemaker::Cluster;
use super::stage::Stage;
use super::world::World;
use crate::workspace;

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

fn words(text: &str) -> BTreeSet<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// What a real Pacemaker called, monitors and meta-data apart. The node that was promoted first is `alpha` here.
fn recorded(scenario: &str) -> Vec<Called> {
    let directory = workspace::root().join("tests/data/pacemaker-env");
    let mut files: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(&format!("{scenario}__")))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{scenario} is recorded");
    let calls = files.into_iter().filter_map(|path| {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let (node, what) = name.rsplit("__").next().unwrap()[3..].split_once('-').unwrap();
        if what.starts_with("monitor") || what == "meta-data" || path.extension().is_none_or(|end| end != "env") {
            return None;
        }
        let text = std::fs::read_to_string(&path).unwrap().replace("node2", "alpha").replace("node1", "beta");
        let list = |name: &str| {
            let key = format!("OCF_RESKEY_CRM_meta_notify_{name}_uname=");
            text.lines().find_map(|line| line.strip_prefix(&key)).map(words)
        };
        let lists = LISTS.iter().filter_map(|name| Some(((*name).to_owned(), list(name)?))).collect();
        let node = node.replace("node2", "alpha").replace("node1", "beta");
        Some(Called { what: what.replace("reload-agent", "reload"), nodes: [node].into(), lists })
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
    cluster.world().calls.clear();
    event(cluster);
    cluster.settle();
    let state = cluster.stage.lock();
    assert_eq!(state.world.violation, None, "{:#?}", state.world.history);
    let calls = state.world.calls.iter().filter(|call| call.resource == "res_red" && call.what != "monitor");
    together(calls.map(|call| {
        let list = |name: &str| call.lists.iter().find(|(other, _)| *other == format!("CRM_meta_notify_{name}_uname"));
        let lists = LISTS.iter().filter_map(|name| Some(((*name).to_owned(), words(&list(name)?.1)))).collect();
        Called { what: call.what.clone(), nodes: [call.node.to_owned()].into(), lists }
    }))
}

#[track_caller]
fn same(scenario: &str, called: &[Called]) {
    for version in ["2.1.5", "3.0.2"] {
        let real = recorded(&format!("{version}__{scenario}"));
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
    let calls = called(&mut cluster, |cluster| cluster.restart("red"));
    for version in ["2.1.5", "3.0.2"] {
        let real = recorded(&format!("{version}__A3-other-param-changed-restart"));
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
    // There the other one of the two was promoted.
    let swapped = recorded_swapped("B1-power-loss-of-promoted-NOT-fenced");
    for (version, real) in swapped {
        assert_eq!(calls, real, "{version} (simulated, real)");
    }
}

/// The same for both versions, with the names of the nodes exchanged where needed.
fn recorded_swapped(scenario: &str) -> Vec<(&'static str, Vec<Called>)> {
    ["2.1.5", "3.0.2"]
        .into_iter()
        .map(|version| {
            let mut real = recorded(&format!("{version}__{scenario}"));
            let promoted = &real[0].lists["promote"];
            if promoted.contains("alpha") {
                let swap = |names: &BTreeSet<String>| -> BTreeSet<String> {
                    names.iter().map(|name| if name == "alpha" { "beta" } else { "alpha" }.to_owned()).collect()
                };
                for called in &mut real {
                    called.nodes = swap(&called.nodes);
                    called.lists.values_mut().for_each(|names| *names = swap(names));
                }
            }
            (version, real)
        })
        .collect()
}
