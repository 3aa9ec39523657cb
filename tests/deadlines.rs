//! A write that hangs for ever, at the beginning, in the middle and at the end of each action: the action ends before its
//! time-out, says which file did not answer, has undone what it could, and the next one puts everything right.

use std::time::Duration;

use crate::fixture::sample::{self, group, ports};
use crate::fixture::{Cluster, Lists, Node, Outcome, Resource};

/// The time-out of an action whose write hangs.
const LIMIT: Duration = Duration::from_secs(4);

/// An action in a fixture that `prepare` makes, and what must be so when it has ended.
struct Case {
    resource: Resource,
    action: &'static str,
    lists: Option<Lists>,
    prepare: fn() -> Cluster,
    /// Before the hanging write is let go.
    ended: fn(&Cluster, &Outcome, &Hung),
    /// After it.
    recovered: fn(&Node),
}

/// The write that hangs.
struct Hung {
    /// It and its place among the writes, from 1, and how many there are.
    at: usize,
    of: usize,
    /// The file below `kernel/scst_tgt`.
    path: String,
}

impl Case {
    fn run(&self, cluster: &Cluster) -> Outcome {
        let call = cluster.node("alpha").call(&self.resource).timeout(LIMIT);
        match &self.lists {
            Some(lists) => call.lists(lists).run(self.action),
            None => call.run(self.action),
        }
    }

    /// Lets the first, the middle and the last write hang, each in a fixture of its own.
    fn hang(&self) {
        let undisturbed = self.run(&(self.prepare)()).exit(0).written();
        let of = undisturbed.len();
        assert!(of > 0, "{} writes nothing", self.action);
        let mut places = vec![1, of.div_ceil(2), of];
        places.dedup();
        std::thread::scope(|scope| {
            for at in places {
                scope.spawn(move || self.hang_at(at, of));
            }
        });
    }

    fn hang_at(&self, at: usize, of: usize) {
        let cluster = (self.prepare)();
        let alpha = cluster.node("alpha");
        alpha.control(&format!("fault op=write process=scst_* at={at} action=hang"));
        let outcome = self.run(&cluster).within(LIMIT);
        // Ports are switched side by side, so which write is the first is known only now.
        let strikes = alpha.mount().strikes();
        let [strike] = &strikes[..] else { panic!("{strikes:?}\n{outcome:?}") };
        let path = String::from_utf8_lossy(&strike.path).trim_start_matches("kernel/scst_tgt/").to_owned();
        (self.ended)(&cluster, &outcome, &Hung { at, of, path });
        alpha.control("disarm");
        alpha.control("release");
        (self.recovered)(alpha);
    }
}

/// It failed, and says which file did not answer.
#[track_caller]
fn failed(outcome: &Outcome, hung: &Hung) {
    gave_up(outcome, hung, 1);
}

/// A reload took nothing from hosts and could not do everything: that is no failure, and has a reason all the same.
#[track_caller]
fn unfinished(outcome: &Outcome, hung: &Hung) {
    gave_up(outcome, hung, 0);
    assert!(outcome.log().contains("the reload is not finished"), "{outcome:?}");
}

#[track_caller]
fn gave_up(outcome: &Outcome, hung: &Hung, code: i32) {
    assert_eq!(outcome.code(), Some(code), "{} of {}: {outcome:?}", hung.at, hung.of);
    let reason = outcome.exit_reason();
    assert!(reason.contains(&hung.path), "no {} in the reason\n{outcome:?}", hung.path);
    assert!(reason.contains("no answer"), "{outcome:?}");
}

/// It did what it is for all the same, and the log says which file did not answer.
#[track_caller]
fn told(outcome: &Outcome, hung: &Hung) {
    assert_eq!(outcome.code(), Some(0), "{} of {}: {outcome:?}", hung.at, hung.of);
    assert!(outcome.log().contains(&hung.path), "no {} in the log\n{outcome:?}", hung.path);
}

/// The sample's device group without the courtesy of a loop initialisation, whose failure is no failure.
fn quiet() -> Resource {
    group().param("lip", "0")
}

/// Nothing of the device group is left after a stop.
fn stops(alpha: &Node) {
    alpha.run(&quiet(), "stop").exit(0);
    for left in ["device", "lun"] {
        assert_eq!(alpha.tree().lines(left), [""; 0]);
    }
    alpha.run(&quiet(), "monitor").exit(7);
}

fn started() -> Cluster {
    let cluster = sample::with_ports();
    cluster.node("alpha").run(&quiet(), "start").exit(0);
    cluster
}

fn promoted() -> Cluster {
    let cluster = started();
    cluster.node("alpha").run(&quiet(), "promote").exit(0);
    cluster
}

#[test]
fn start_takes_everything_back() {
    let ended = |cluster: &Cluster, outcome: &Outcome, hung: &Hung| {
        failed(outcome, hung);
        let alpha = cluster.node("alpha");
        for left in ["device", "lun"] {
            assert_eq!(alpha.tree().lines(left), [""; 0], "{} of {}: {outcome:?}", hung.at, hung.of);
        }
        assert_eq!(alpha.record(&quiet()), None, "{outcome:?}");
        assert_eq!(alpha.score(&quiet()), None);
    };
    let recovered = |alpha: &Node| {
        alpha.run(&quiet(), "start").exit(0);
        assert_eq!(alpha.state("dummy", "alpha"), "standby");
        stops(alpha);
    };
    Case { resource: quiet(), action: "start", lists: None, prepare: sample::with_ports, ended, recovered }.hang();
}

#[test]
fn promote_steps_back_to_standby() {
    // Beta is believed to serve, so its snapshot is put right first; a wrong snapshot does not keep alpha from serving.
    let prepare = || {
        let cluster = started();
        cluster.node("alpha").write("device_groups/dummy/target_groups/beta/state", "active\n");
        cluster
    };
    let ended = |cluster: &Cluster, outcome: &Outcome, hung: &Hung| {
        let expected = if hung.at < hung.of {
            told(outcome, hung);
            "active"
        } else {
            failed(outcome, hung);
            "standby"
        };
        assert_eq!(cluster.node("alpha").state("dummy", "alpha"), expected, "{outcome:?}");
    };
    let recovered = |alpha: &Node| {
        alpha.run(&quiet(), "promote").exit(0);
        assert_eq!(alpha.state("dummy", "alpha"), "active");
        alpha.run(&quiet(), "monitor").exit(8);
        stops(alpha);
    };
    Case { resource: quiet(), action: "promote", lists: None, prepare, ended, recovered }.hang();
}

#[test]
fn demote_leaves_no_device_blocked() {
    let ended = |cluster: &Cluster, outcome: &Outcome, hung: &Hung| {
        failed(outcome, hung);
        let alpha = cluster.node("alpha");
        // The last write is the one that unblocks; it cannot be made twice.
        let expected = if hung.at == hung.of { "1 0" } else { "0 0" };
        assert_eq!(alpha.read("devices/dummy_lu0dummy/block"), expected, "{} of {}: {outcome:?}", hung.at, hung.of);
        // What may still come about, blocking or unblocking, the record keeps for the next action.
        let record = alpha.record(&quiet()).unwrap_or_default();
        let unsure = hung.path.ends_with("/block");
        assert_eq!(record.contains("block dummy_lu0dummy 0\n"), unsure, "{record}\n{outcome:?}");
    };
    let recovered = |alpha: &Node| {
        alpha.run(&quiet(), "demote").exit(0);
        assert_eq!(alpha.state("dummy", "alpha"), "standby");
        assert_eq!(alpha.read("devices/dummy_lu0dummy/block"), "0 0");
        stops(alpha);
    };
    Case { resource: quiet(), action: "demote", lists: None, prepare: promoted, ended, recovered }.hang();
}

#[test]
fn stop_says_what_is_left() {
    let ended = |_: &Cluster, outcome: &Outcome, hung: &Hung| {
        // The last write takes effect, and what counts for a stop is what is left.
        assert!(matches!(outcome.code(), Some(0 | 1)), "{outcome:?}");
        let said = format!("{} {}", outcome.exit_reason(), outcome.log());
        assert!(said.contains(&hung.path), "no {} was named\n{outcome:?}", hung.path);
    };
    for prepare in [started, promoted] {
        Case { resource: quiet(), action: "stop", lists: None, prepare, ended, recovered: stops }.hang();
    }
}

#[test]
fn reload_is_completed_by_the_next() {
    fn more() -> Resource {
        quiet().param("device1", "handler=vdisk_nullio,virtname=more,export0=all:1")
    }
    let ended = |cluster: &Cluster, outcome: &Outcome, hung: &Hung| {
        unfinished(outcome, hung);
        let alpha = cluster.node("alpha");
        assert_eq!(alpha.state("dummy", "alpha"), "active", "what runs goes on");
        assert!(alpha.tree().lines("lun").iter().filter(|line| line.starts_with("lun 0")).count() == 2);
    };
    let recovered = |alpha: &Node| {
        alpha.run(&more(), "reload").exit(0);
        alpha.call(&more()).level(10).run("monitor").exit(8);
        assert_eq!(alpha.tree().lines("lun").len(), 4);
        stops(alpha);
    };
    Case { resource: more(), action: "reload", lists: None, prepare: promoted, ended, recovered }.hang();
}

#[test]
fn a_notification_never_fails() {
    let lists = Lists::new().list("active", &["alpha", "beta"]).list("promote", &["beta"]).event("pre", "promote");
    let ended = |_: &Cluster, outcome: &Outcome, hung: &Hung| told(outcome, hung);
    let recovered = |alpha: &Node| {
        let lists = Lists::new().list("active", &["alpha", "beta"]).list("promote", &["beta"]).event("post", "promote");
        alpha.call(&quiet()).lists(&lists).run("notify").exit(0);
        assert_eq!(alpha.state("dummy", "beta"), "active");
        stops(alpha);
    };
    let case = Case { resource: quiet(), action: "notify", lists: Some(lists), prepare: started, ended, recovered };
    case.hang();
}

#[test]
fn ports_that_are_started_reloaded_and_stopped() {
    fn down() -> Cluster {
        let cluster = sample::nodes().up();
        cluster.node("alpha").control("modprobe qla2x00tgt");
        cluster
    }
    fn more() -> Resource {
        ports().param("initiators", "vmwtest=50:01:43:80:03:b0:23:34;linux=50:01:43:80:03:b0:23:40")
    }
    fn up(alpha: &Node) {
        alpha.run(&more(), "start").exit(0);
        alpha.call(&more()).level(10).run("monitor").exit(0);
        alpha.run(&more(), "stop").exit(0);
        assert_eq!(alpha.tree().lines("group"), [""; 0]);
        alpha.run(&more(), "monitor").exit(7);
    }
    fn ended_down(cluster: &Cluster, outcome: &Outcome, hung: &Hung) {
        failed(outcome, hung);
        let tree = cluster.node("alpha").tree();
        assert_eq!(tree.lines("group"), [""; 0], "{} of {}: {outcome:?}", hung.at, hung.of);
        assert!(tree.lines("port").iter().all(|port| port.contains("enabled=0")), "{outcome:?}");
    }
    fn ended_up(cluster: &Cluster, outcome: &Outcome, hung: &Hung) {
        unfinished(outcome, hung);
        let tree = cluster.node("alpha").tree();
        assert!(tree.lines("port").iter().all(|port| port.contains("enabled=1")), "{outcome:?}");
    }
    fn ended_anyhow(_: &Cluster, outcome: &Outcome, hung: &Hung) {
        let said = format!("{} {}", outcome.exit_reason(), outcome.log());
        assert!(matches!(outcome.code(), Some(0 | 1)) && said.contains(&hung.path), "{outcome:?}");
    }
    let case = |resource, action, prepare, ended| Case { resource, action, lists: None, prepare, ended, recovered: up };
    let cases: [Case; 3] = [
        case(ports(), "start", down, ended_down),
        case(more(), "reload", sample::with_ports, ended_up),
        case(ports(), "stop", sample::with_ports, ended_anyhow),
    ];
    std::thread::scope(|scope| {
        for case in &cases {
            scope.spawn(|| case.hang());
        }
    });
}
