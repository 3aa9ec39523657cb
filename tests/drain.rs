//! Demotion under load: commands in flight end before the state changes, or it does not change; and nobody stays frozen.

use std::time::Duration;

use nix::sys::signal::Signal;

use crate::world::sample::{self, ALPHA, HOST, group};
use crate::world::{Cluster, Node, eventually};

const BLOCK: &str = "devices/dummy_lu0dummy/block";

/// A serving pair; a host has sent alpha a command that does not end by itself. Answers its number.
fn busy() -> (Cluster, String) {
    let cluster = sample::serving();
    let alpha = cluster.node("alpha");
    alpha.control(&format!("login qla2x00t {} {}", ALPHA[0], HOST[0]));
    let io = send(alpha);
    (cluster, io)
}

fn send(node: &Node) -> String {
    node.control(&format!("io start qla2x00t {} {} 0", ALPHA[0], HOST[0]))
}

fn finish(node: &Node, io: &str) {
    node.control(&format!("io finish {io}"));
}

#[test]
fn demote_waits_for_the_commands_in_flight() {
    let (cluster, io) = busy();
    let alpha = cluster.node("alpha");
    let mut demote = alpha.call(&group()).begin("demote");
    eventually("the device is blocked", || alpha.read(BLOCK) == "1 1");
    assert_eq!(alpha.state("dummy", "alpha"), "active");
    assert!(demote.is_running());
    finish(alpha, &io);
    demote.wait().exit(0).programs(0).wrote(&[
        "devices/dummy_lu0dummy/block < 11",
        "device_groups/dummy/target_groups/alpha/state < transitioning",
        "device_groups/dummy/target_groups/alpha/state < standby",
        "devices/dummy_lu0dummy/block < 0",
    ]);
    assert_eq!(alpha.state("dummy", "alpha"), "standby");
    assert_eq!(alpha.read(BLOCK), "0 0");
}

#[test]
fn a_demote_without_commands_in_flight_does_not_wait() {
    let cluster = sample::serving();
    let alpha = cluster.node("alpha");
    // The best of some runs: this machine may be busy with other tests.
    let demote = || {
        alpha.run(&group(), "promote").exit(0);
        alpha.run(&group(), "demote").exit(0).took()
    };
    let quickest = (0..3).map(|_| demote()).min().expect("three runs");
    assert!(quickest < Duration::from_millis(500), "{quickest:?}");
    alpha.run(&group(), "demote").exit(0).writes(0).programs(0);
    assert_eq!(alpha.read(BLOCK), "0 0");
}

#[test]
fn a_drain_that_does_not_end_leaves_the_group_active_and_unblocked() {
    let (cluster, io) = busy();
    let alpha = cluster.node("alpha");
    let limit = Duration::from_millis(1500);
    alpha
        .call(&group())
        .timeout(limit)
        .run("demote")
        .exit(1)
        .within(limit)
        .reason_has("dummy_lu0dummy")
        .reason_has(HOST[0]);
    assert_eq!(alpha.state("dummy", "alpha"), "active");
    assert_eq!(cluster.score("alpha", &group()).as_deref(), Some("10"));
    // Unblocking waits in the kernel for the same commands, but has been asked for.
    finish(alpha, &io);
    eventually("the device is unblocked", || alpha.read(BLOCK) == "0 0");
    alpha.run(&group(), "monitor").exit(8);
    alpha.run(&group(), "demote").exit(0);
}

#[test]
fn a_terminated_demote_unblocks() {
    let (cluster, io) = busy();
    let alpha = cluster.node("alpha");
    let demote = alpha.call(&group()).begin("demote");
    eventually("the device is blocked", || alpha.read(BLOCK) == "1 1");
    demote.signal(Signal::SIGTERM);
    demote.wait().exit(1).within(Duration::from_secs(5));
    finish(alpha, &io);
    eventually("the device is unblocked", || alpha.read(BLOCK) == "0 0");
    assert_eq!(alpha.state("dummy", "alpha"), "active");
}

/// Alpha with a demote that was killed while it held the device blocked; what others blocked stands beside it.
fn killed(others: u32) -> (Cluster, String) {
    let (cluster, io) = busy();
    let alpha = cluster.node("alpha");
    for _ in 0..others {
        alpha.write(BLOCK, "11");
    }
    let demote = alpha.call(&group()).begin("demote");
    eventually("the device is blocked", || alpha.read(BLOCK).starts_with(&format!("{} ", others + 1)));
    demote.signal(Signal::SIGKILL);
    drop(demote.end());
    assert!(alpha.read(BLOCK).starts_with(&format!("{} ", others + 1)));
    (cluster, io)
}

#[test]
fn what_a_killed_demote_left_blocked_is_seen_and_released_by_the_next_action() {
    let (cluster, io) = killed(0);
    let alpha = cluster.node("alpha");
    alpha.run(&group(), "monitor").exit(9).reason_has("dummy_lu0dummy");
    finish(alpha, &io);
    alpha.run(&group(), "demote").exit(0);
    assert_eq!((alpha.read(BLOCK).as_str(), alpha.state("dummy", "alpha").as_str()), ("0 0", "standby"));
    for action in ["promote", "start", "reload", "stop"] {
        let (cluster, io) = killed(0);
        let alpha = cluster.node("alpha");
        finish(alpha, &io);
        let written = alpha.run(&group(), action).exit(0).written();
        assert_eq!(
            written.first().map(String::as_str),
            Some("devices/dummy_lu0dummy/block < 0"),
            "{action}: {written:#?}"
        );
        if action != "stop" {
            assert_eq!(alpha.read(BLOCK), "0 0", "{action}");
            alpha.run(&group(), "monitor").exit(8);
        }
    }
}

#[test]
fn blocks_of_others_are_counted_and_left() {
    let (cluster, io) = killed(1);
    let alpha = cluster.node("alpha");
    finish(alpha, &io);
    alpha.run(&group(), "promote").exit(0);
    assert_eq!(alpha.read(BLOCK), "1 0");
    alpha.run(&group(), "demote").exit(0);
    assert_eq!(alpha.read(BLOCK), "1 0");
}

#[test]
fn stop_of_an_active_group_demotes_first() {
    let (cluster, io) = busy();
    let alpha = cluster.node("alpha");
    let stop = alpha.call(&group()).begin("stop");
    eventually("the device is blocked", || alpha.read(BLOCK) == "1 1");
    finish(alpha, &io);
    let written = stop.wait().exit(0).written();
    let place = |part: &str| {
        written.iter().position(|write| write.contains(part)).unwrap_or_else(|| panic!("{part}: {written:#?}"))
    };
    let order = [
        "block < 11",
        "state < standby",
        "block < 0",
        "state < unavailable",
        "luns/mgmt < clear",
        "mgmt < del_device",
        "device_groups/mgmt < del dummy",
    ];
    assert!(order.windows(2).all(|pair| place(pair[0]) < place(pair[1])), "{written:#?}");
    assert_eq!(alpha.tree().lines("device"), [""; 0]);
}

#[test]
fn stop_goes_on_without_a_drain_that_takes_more_than_half_of_its_time() {
    let (cluster, io) = busy();
    let alpha = cluster.node("alpha");
    let limit = Duration::from_secs(4);
    let stop = alpha.call(&group()).timeout(limit).begin("stop");
    eventually("the drain is given up", || alpha.state("dummy", "alpha") == "unavailable");
    finish(alpha, &io);
    stop.wait().exit(0).within(limit);
    assert_eq!(alpha.tree().lines("device"), [""; 0]);
    assert_eq!(cluster.score("alpha", &group()), None);
}

#[test]
fn stop_with_a_command_that_never_ends_says_who_holds_what_and_leaves_nothing_open() {
    let (cluster, io) = busy();
    let alpha = cluster.node("alpha");
    let limit = Duration::from_secs(3);
    let stopped = alpha.call(&group()).timeout(limit).run("stop").exit(1).within(limit);
    let text = format!("{}\n{}", stopped.exit_reason(), stopped.log());
    assert!(text.contains("dummy_lu0dummy") && text.contains(HOST[0]), "{text}");
    // The group is there still: deleting it would make what is left reachable.
    assert_eq!(alpha.state("dummy", "alpha"), "unavailable");
    finish(alpha, &io);
    eventually("the kernel carries on", || alpha.mount().waiting() == 0);
    alpha.run(&group(), "stop").exit(0);
    assert_eq!(alpha.tree().lines("device"), [""; 0]);
}
