//! The daemon is killed, or stopped by a signal, at each moment of each action.

use std::time::Duration;

use nix::sys::signal::Signal;

use super::{ALPHA, call, group, hanging, monitor, run, signal, started, targets};
use crate::fixture::{Node, Outcome, Resource, eventually};

/// The time that Pacemaker gives such an action.
const TIME: Duration = Duration::from_secs(4);

/// Runs an action; at its `at`-th operation of this kind below the driver the daemon gets a signal, and then the operation goes on. `None`
/// when the action has fewer.
fn struck(alpha: &Node, resource: &Resource, action: &str, op: &str, at: u32, sent: Signal) -> Option<Outcome> {
    alpha.control(&format!("fault op={op} path=**/targets/iscsi/** at={at} action=hang"));
    let level = if action == "start" { 0 } else { 10 };
    let mut running = call(alpha, resource).timeout(TIME).level(level).recurring().begin(action);
    let mut held = false;
    eventually("the operation, or the end of the run", || {
        held = alpha.mount().waiting() == 1;
        held || !running.is_running()
    });
    if held {
        signal(alpha, sent);
    }
    alpha.control("disarm");
    alpha.control("release");
    let outcome = running.wait().within(TIME);
    held.then_some(outcome)
}

/// Brings the resource down and up again, whatever was left.
fn recovers(alpha: &Node, whole: &crate::fixture::Tree, what: &str) {
    run(alpha, &targets(), "stop").exit(0);
    assert_eq!(alpha.tree().lines("port"), [""; 0], "{what}");
    run(alpha, &targets(), "start").exit(0);
    assert_eq!(alpha.tree(), *whole, "{what}");
}

#[test]
fn a_daemon_that_dies_at_any_write_of_a_start_or_a_reload_is_recovered_from() {
    let alpha = &started();
    let whole = alpha.tree();
    let changed = targets()
        .param("portals", "10.0.3.*")
        .param("incoming_users", "esx changedsecret1;new newsecret12345")
        .param("initiators", "esx1=iqn.1998-01.com.vmware:*;new=iqn.2000-01.org.new:x");
    for (action, resource, least) in [("start", targets(), 12), ("reload", changed, 8)] {
        let mut at = 0;
        loop {
            at += 1;
            if action == "start" {
                run(alpha, &targets(), "stop").exit(0);
            }
            let Some(outcome) = struck(alpha, &resource, action, "write", at, Signal::SIGKILL) else { break };
            // A start has not done what it was to do; a reload may leave the rest to the monitor.
            let possible: &[i32] = if action == "start" { &[1] } else { &[0, 1] };
            assert!(outcome.code().is_some_and(|code| possible.contains(&code)), "{action} {at}: {outcome:?}");
            monitor(alpha, &resource).exit(7);
            recovers(alpha, &whole, &format!("{action} killed at write {at}"));
        }
        assert!(at > least, "{action} has {at} writes only");
        run(alpha, &targets(), "reload").exit(0);
    }
    run(alpha, &targets(), "stop").exit(0);
}

#[test]
fn a_daemon_that_dies_under_a_stop_or_a_look_takes_everything_along() {
    let alpha = &started();
    let whole = alpha.tree();
    for at in 1.. {
        let Some(outcome) = struck(alpha, &targets(), "stop", "write", at, Signal::SIGKILL) else {
            assert!(at > 4, "a stop has {at} writes only");
            break;
        };
        outcome.exit(0);
        recovers(alpha, &whole, &format!("stop, killed at write {at}"));
    }
    run(alpha, &targets(), "start").exit(0);
    for (action, reads) in [("monitor", 4), ("validate-all", 1)] {
        for at in 1..=reads {
            let outcome = struck(alpha, &targets(), action, "read", at, Signal::SIGKILL).expect("it reads more");
            assert!(outcome.code().is_some_and(|code| [0, 1, 7].contains(&code)), "{outcome:?}");
            monitor(alpha, &targets()).exit(7);
            recovers(alpha, &whole, &format!("{action}, killed at read {at}"));
        }
    }
}

#[test]
fn a_daemon_that_is_stopped_in_an_action_makes_none_outlive_its_time() {
    let alpha = &started();
    let whole = alpha.tree();
    let changed =
        targets().param("attributes", "QueuedCommands=16").param("initiators", "esx1=iqn.1998-01.com.vmware:*");
    // The target is made, a user is added, the target is enabled; an attribute; disabled and deleted.
    for (action, resource, at) in [
        ("start", targets(), 1),
        ("start", targets(), 4),
        ("start", targets(), 15),
        ("reload", changed.clone(), 1),
        ("reload", changed, 2),
        ("stop", targets(), 1),
        ("monitor", targets(), 4),
        ("validate-all", targets(), 1),
    ] {
        let op = if ["monitor", "validate-all"].contains(&action) { "read" } else { "write" };
        if action == "start" {
            run(alpha, &targets(), "stop").exit(0);
        }
        let outcome = struck(alpha, &resource, action, op, at, Signal::SIGSTOP);
        let outcome = outcome.unwrap_or_else(|| panic!("{action} has no operation {at}"));
        let what = format!("{action}, stopped at {op} {at}: {outcome:?}");
        assert!(outcome.code().is_some_and(|code| [0, 1].contains(&code)), "{what}");
        // Also a monitor that would finish the reload waits for a tenth of its time only.
        monitor(alpha, &resource).within(Duration::from_secs(3));
        signal(alpha, Signal::SIGCONT);
        recovers(alpha, &whole, &what);
    }
    run(alpha, &targets(), "stop").exit(0);
}

#[test]
fn a_device_group_needs_no_daemon() {
    let alpha = hanging();
    let soon = Duration::from_secs(2);
    for (action, code) in
        [("start", 0), ("promote", 0), ("monitor", 8), ("reload", 0), ("demote", 0), ("monitor", 0), ("stop", 0)]
    {
        alpha.run(&group(), action).exit(code).within(soon);
    }
    alpha.run(&group(), "promote").exit(0).within(soon);
    // Its targets go with the daemon, and with them all that it had exported; what is left it removes.
    signal(&alpha, Signal::SIGKILL);
    assert!(!alpha.exists(&format!("targets/iscsi/{ALPHA}")));
    alpha.run(&group(), "demote").exit(0).within(soon);
    alpha.run(&group(), "stop").exit(0).within(soon);
    assert_eq!(alpha.tree().lines("device"), [""; 0]);
}
