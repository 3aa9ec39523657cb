//! Environments that real Pacemakers passed to an agent, and what each of them means.
//!
//! `tests/data/pacemaker-env` holds one file per call of two versions, named after the scenario it was recorded in. What is expected here
//! was written down from the scenarios, not computed from the files: who was promoted, who was switched off, who came back.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use scst_core::ocf::action::Action;
use scst_core::ocf::env::Env;
use scst_core::ocf::notify::{Notify, PeerRole};

/// What a call says about the other node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    /// It is this.
    Peer(PeerRole),
    /// Nothing that has to be changed.
    Nothing,
}

use Says::{Nothing, Peer};

const PROMOTED: Says = Peer(PeerRole::Promoted);
const RUNNING: Says = Peer(PeerRole::Running);
const STOPPED: Says = Peer(PeerRole::Stopped);
const CHANGING: Says = Peer(PeerRole::Changing);

/// Calls that follow one another: node and call, and what it says about the other one of the two nodes.
type Phase = &'static [(&'static str, Says)];

/// The promoted node2 is set to standby, in one transition or in several.
const STANDBY_OF_PROMOTED: Phase = &[
    ("node1-notify-pre-demote", CHANGING),
    ("node2-notify-pre-demote", Nothing),
    ("node1-notify-post-demote", CHANGING),
    ("node2-notify-post-demote", Nothing),
    ("node1-notify-pre-stop", CHANGING),
    ("node2-notify-pre-stop", Nothing),
    ("node1-notify-post-stop", STOPPED),
    ("node1-notify-pre-promote", Nothing),
    ("node1-promote", STOPPED),
    ("node1-notify-post-promote", Nothing),
];

/// Both nodes start.
const BOTH_START: Phase = &[
    ("node1-start", RUNNING),
    ("node2-start", RUNNING),
    ("node1-notify-post-start", RUNNING),
    ("node2-notify-post-start", RUNNING),
];

/// Then node2 is promoted.
const NODE2_PROMOTED: Phase = &[
    ("node1-notify-pre-promote", CHANGING),
    ("node2-notify-pre-promote", Nothing),
    ("node2-promote", RUNNING),
    ("node1-notify-post-promote", PROMOTED),
    ("node2-notify-post-promote", Nothing),
];

/// node2 is demoted, and goes on as unpromoted.
const NODE2_DEMOTED: Phase = &[
    ("node1-notify-pre-demote", CHANGING),
    ("node2-notify-pre-demote", Nothing),
    ("node1-notify-post-demote", RUNNING),
    ("node2-notify-post-demote", Nothing),
];

/// Scenario, and its phases.
const MEANINGS: &[(&str, &[Phase])] = &[
    // Both nodes boot, node2 is promoted.
    ("A1-boot", &[BOTH_START, NODE2_PROMOTED]),
    // A parameter asks for a restart of both instances; node2 is the promoted one before and after.
    (
        "A3-other-param-changed-restart",
        &[
            NODE2_DEMOTED,
            &[("node1-notify-pre-stop", CHANGING), ("node2-notify-pre-stop", CHANGING)],
            BOTH_START,
            NODE2_PROMOTED,
        ],
    ),
    // The promoted node2 is set to standby, node1 takes over.
    ("A4-standby-of-promoted", &[STANDBY_OF_PROMOTED]),
    // node2 comes back while node1 serves.
    (
        "A5-unstandby",
        &[&[
            ("node1-notify-pre-start", Nothing),
            ("node2-start", PROMOTED),
            ("node1-notify-post-start", RUNNING),
            ("node2-notify-post-start", PROMOTED),
        ]],
    ),
    // The serving node1 loses power and is fenced.
    (
        "A6-power-loss-of-promoted-fenced",
        &[&[
            ("node2-notify-pre-demote", CHANGING),
            ("node2-notify-post-demote", CHANGING),
            ("node2-notify-pre-stop", CHANGING),
            ("node2-notify-post-stop", STOPPED),
            ("node2-notify-pre-promote", Nothing),
            ("node2-promote", STOPPED),
            ("node2-notify-post-promote", STOPPED),
        ]],
    ),
    // node1 boots again while node2 serves.
    (
        "A7-node-returns",
        &[&[
            ("node2-notify-pre-start", Nothing),
            ("node1-start", PROMOTED),
            ("node1-notify-post-start", PROMOTED),
            ("node2-notify-post-start", RUNNING),
        ]],
    ),
    // Nobody shall be promoted any more.
    ("A9-target-role-Unpromoted", &[NODE2_DEMOTED]),
    // Everything shall stop.
    ("A10-target-role-Stopped", &[&[("node1-notify-pre-stop", CHANGING), ("node2-notify-pre-stop", CHANGING)]]),
    // The promoted node loses power and nobody fences it: no list names it. It was another node in each recording.
    (
        "B1-power-loss-of-promoted-NOT-fenced",
        &[&[
            ("node1-notify-pre-promote", Nothing),
            ("node2-notify-pre-promote", Nothing),
            ("node1-promote", STOPPED),
            ("node2-promote", STOPPED),
            ("node1-notify-post-promote", Nothing),
            ("node2-notify-post-promote", Nothing),
        ]],
    ),
    // A restart of both was wanted, and only the one of node1 happened.
    (
        "D1-score-in-demote-param-changed-LOST-RESTART",
        &[
            NODE2_DEMOTED,
            &[
                ("node1-notify-pre-stop", Nothing),
                ("node2-notify-pre-stop", CHANGING),
                ("node2-notify-post-stop", STOPPED),
                ("node2-notify-pre-start", Nothing),
                ("node1-start", RUNNING),
                ("node1-notify-post-start", RUNNING),
                ("node2-notify-post-start", RUNNING),
            ],
            NODE2_PROMOTED,
        ],
    ),
    // As A4, over several transitions.
    ("D2-score-in-demote-standby-of-promoted", &[STANDBY_OF_PROMOTED]),
    // Both nodes boot with globally unique instances, node1 is promoted.
    (
        "E1-globally-unique-boot",
        &[
            BOTH_START,
            &[
                ("node1-notify-pre-promote", Nothing),
                ("node2-notify-pre-promote", CHANGING),
                ("node1-promote", RUNNING),
                ("node1-notify-post-promote", Nothing),
                ("node2-notify-post-promote", PROMOTED),
            ],
        ],
    ),
];

/// One recorded call.
struct Call {
    file: String,
    version: String,
    scenario: String,
    node: String,
    /// Node, action and detail, without the number.
    what: String,
    action: Action,
    pairs: Vec<(String, String)>,
}

impl Call {
    fn env(&self) -> Env {
        Env::from_pairs(self.pairs.iter().cloned())
    }

    fn other(&self) -> &'static str {
        if self.node == "node1" { "node2" } else { "node1" }
    }
}

/// Every file, taken apart by its name: `VERSION__STORY__NN-NODE-ACTION[-DETAIL].env`.
fn calls() -> Vec<Call> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/pacemaker-env");
    let mut calls = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "env") {
            continue;
        }
        let file = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let [version, scenario, call] = file.split("__").collect::<Vec<_>>()[..] else { panic!("{file}") };
        let what = call.split_once('-').unwrap().1.to_owned();
        let (node, name) = what.split_once('-').unwrap();
        // The longest action the name begins with: `reload-agent` is not `reload` with a detail.
        let action = name.match_indices('-').map(|(end, _)| &name[..end]).chain([name]).rev().find_map(Action::parse);
        let action = action.unwrap_or_else(|| panic!("{file}"));
        let text = std::fs::read_to_string(&path).unwrap();
        let pair = |line: &str| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        let pairs = text.lines().filter_map(pair).collect();
        let (version, scenario, node) = (version.to_owned(), scenario.to_owned(), node.to_owned());
        calls.push(Call { file, version, scenario, node, what, action, pairs });
    }
    assert_eq!(calls.len(), 331);
    calls
}

/// What an environment says about the other node.
fn says(call: &Call, env: &Env) -> Says {
    let notify = Notify::from_env(env);
    let lists = || notify.lists.as_ref().unwrap();
    match call.action {
        Action::Start => Peer(lists().role_at_start(call.other())),
        Action::Promote => lists().role_at_promote(call.other()).map_or(Nothing, Peer),
        _ => match &notify.changes(Some(&call.node))[..] {
            [] => Nothing,
            [(node, role)] if node == call.other() => Peer(*role),
            more => panic!("{}: {more:?}", call.file),
        },
    }
}

#[test]
fn every_notification_start_and_promotion_says_what_happened_in_its_scenario() {
    let mut used = BTreeSet::new();
    for call in calls() {
        let expected = MEANINGS
            .iter()
            .find(|(scenario, _)| *scenario == call.scenario)
            .and_then(|(_, phases)| phases.iter().copied().flatten().find(|(what, _)| *what == call.what));
        let asked = matches!(call.action, Action::Start | Action::Promote | Action::Notify);
        let Some((what, expected)) = expected else {
            // By hand there are no lists.
            assert!(!asked || call.scenario.starts_with("M-"), "{} has no meaning", call.file);
            continue;
        };
        used.insert((call.scenario.clone(), *what));
        assert_eq!(says(&call, &call.env()), *expected, "{}", call.file);
        // The same with only one of the two languages for the roles.
        for dropped in [["_promoted_", "_unpromoted_"], ["_master_", "_slave_"]] {
            let kept = call.pairs.iter().filter(|(name, _)| !dropped.iter().any(|word| name.contains(word))).cloned();
            assert_eq!(says(&call, &Env::from_pairs(kept)), *expected, "{} without {dropped:?}", call.file);
        }
    }
    assert_eq!(
        used.len(),
        MEANINGS.iter().map(|(_, phases)| phases.concat().len()).sum::<usize>(),
        "every row was met"
    );
}

#[test]
fn lists_come_with_these_actions_and_no_others() {
    for call in calls() {
        let by_hand = call.scenario.starts_with("M-");
        let with_lists =
            matches!(call.action, Action::Start | Action::Stop | Action::Promote | Action::Demote | Action::Notify);
        let notify = Notify::from_env(&call.env());
        assert_eq!(notify.lists.is_some(), with_lists && !by_hand, "{}", call.file);
        assert_eq!(notify.event.is_some(), call.action == Action::Notify, "{}", call.file);
    }
}

#[test]
fn everything_else_of_an_environment_is_read_as_its_name_tells() {
    for call in calls() {
        let (env, file) = (call.env(), &call.file);
        let by_hand = call.scenario.starts_with("M-");
        let describes = call.action == Action::MetaData;
        // Pacemaker says which node it is, except by hand and for meta-data.
        let told = !by_hand && !describes;
        let id = call.node.trim_start_matches("node").parse().unwrap();
        assert_eq!(env.node_name(), told.then_some(&*call.node), "{file}");
        assert_eq!(env.node_id(), told.then_some(id), "{file}");
        // A monitor is a probe unless it recurs.
        assert_eq!(env.interval_ms() > 0, call.what.contains("-recurring"), "{file}");
        assert!(env.timeout() >= Duration::from_secs(15) && env.timeout() <= Duration::from_mins(1), "{file}");
        let feature_set = if call.version == "2.1.5" { "3.16.1" } else { "3.20.5" };
        assert_eq!(env.feature_set(), (!describes).then_some(feature_set), "{file}");
        let clone = !describes && call.scenario != "M-validate-by-class";
        assert_eq!(env.clone_node_max(), clone.then_some(1), "{file}");
        assert_eq!(env.promoted_max(), clone.then_some(1), "{file}");
        assert_eq!(env.notify_enabled(), clone.then_some(true), "{file}");
        assert_eq!(env.check_level(), 0, "{file}");
        let names: Vec<&str> = env.params().map(|(name, _)| name).collect();
        let expected: &[&str] = match (describes, &*call.scenario) {
            (true, _) => &[],
            (false, "M-validate-by-class") => &["plain"],
            _ => &["plain", "rel", "uniq"],
        };
        assert_eq!(names, expected, "{file}");
        assert_eq!(env.exit_reason_prefix(), "ocf-exit-reason:", "{file}");
    }
}

#[test]
fn the_instance_is_the_resource_except_by_hand_and_for_unique_clones() {
    for call in calls() {
        let env = call.env();
        let (instance, resource) = match &*call.scenario {
            "E1-globally-unique-boot" => {
                assert!(["env:0", "env:1"].contains(&env.instance()), "{}", call.file);
                continue;
            }
            "M-force-check-clone" => ("env-clone", "env"),
            "M-validate-by-class" => ("test", "test"),
            "M-show-metadata" => (env.instance(), env.instance()),
            _ => ("env", "env"),
        };
        assert_eq!((env.instance(), env.resource_id()), (instance, resource), "{}", call.file);
    }
}
