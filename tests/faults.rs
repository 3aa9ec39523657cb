//! A kernel that is slow, busy or refuses, and runs that are killed: the time-out holds, and the next run puts things right.

use std::time::Duration;

use nix::sys::signal::Signal;

use crate::fixture::sample::{self, group, ports};
use crate::fixture::{Cluster, Node, Resource, eventually};

#[test]
fn f16_a_command_that_the_kernel_queued_is_waited_for_and_not_repeated() {
    let alpha = sample::with_ports().into_node("alpha");
    for path in ["**/vdisk_nullio/mgmt", "**/luns/mgmt", "**/alpha/state"] {
        alpha.control(&format!("fault op=write path={path} action=queue after=200ms"));
    }
    let started = alpha.run(&group(), "start").exit(0);
    assert_eq!((started.times("add_device"), started.times("add dummy_lu0dummy 0")), (1, 2), "{started:?}");
    alpha.run(&group(), "start").exit(0).writes(0);
    alpha.control("fault op=write path=**/luns/mgmt action=queue after=100ms errno=EBUSY");
    alpha.run(&group(), "stop").exit(1).reason_has("EBUSY");
    alpha.run(&group(), "stop").exit(0);
}

#[test]
fn an_interrupted_write_is_carried_out_once() {
    let alpha = sample::with_ports().into_node("alpha");
    alpha.control("fault op=write path=**/vdisk_nullio/mgmt action=delay after=500ms");
    let start = alpha.call(&group()).begin("start");
    eventually("the device is being added", || alpha.mount().waiting() == 1);
    // Stopping and continuing a process interrupts its system calls without any handler of its own.
    start.signal(Signal::SIGSTOP);
    eventually("the write is interrupted", || alpha.mount().waiting() == 0);
    start.signal(Signal::SIGCONT);
    let written = start.wait().exit(0).written();
    let added = written.iter().filter(|write| write.contains("add_device")).collect::<Vec<_>>();
    assert_eq!(added, ["handlers/vdisk_nullio/mgmt < add_device dummy_lu0dummy dummy=1 EINTR"]);
}

#[test]
fn a_queued_command_that_fails_is_a_failure() {
    let alpha = sample::with_ports().into_node("alpha");
    alpha.control("fault op=write path=**/vdisk_nullio/mgmt action=queue after=200ms errno=ENOMEM");
    let limit = Duration::from_secs(5);
    alpha.call(&group()).timeout(limit).run("start").exit(1).reason_has("dummy_lu0dummy").within(limit);
    assert_eq!(alpha.tree().lines("device"), [""; 0]);
}

/// A start that is killed while a slow write, to this path and of this text, waits in the kernel, which carries it out all the same.
fn killed_start(alpha: &Node, resource: &Resource, write: &str) {
    alpha.control(&format!("slow path={write} takes=1500ms holds_mutex=true times=1"));
    let start = alpha.call(resource).begin("start");
    eventually("the start waits in the kernel", || alpha.mount().waiting() == 1);
    start.signal(Signal::SIGKILL);
    assert!(start.wait().was_killed());
}

#[test]
fn a_lun_that_a_killed_start_has_given_to_the_kernel_goes_with_the_next_stop() {
    let alpha = sample::with_ports().into_node("alpha");
    // The first port has its LUN already, so that the stop waits for the device to be unmapped.
    killed_start(&alpha, &group(), "*:11/ini_groups/*/luns/mgmt data=add*");
    alpha.run(&group(), "stop").exit(0).within(Duration::from_secs(10));
    let written = alpha.mount().writes();
    let cleared = |port: &str| {
        let table = format!(":{port}/ini_groups/vmwtest/luns/mgmt");
        written.iter().any(|write| write.path.ends_with(table.as_bytes()) && write.data.starts_with(b"clear"))
    };
    assert!(cleared("10") && cleared("11"), "the LUN came late and was removed as well");
    for kind in ["device", "device group", "lun"] {
        assert_eq!(alpha.tree().lines(kind), [""; 0]);
    }
}

#[test]
fn an_initiator_group_that_a_killed_start_has_given_to_the_kernel_goes_with_the_next_stop() {
    let alpha = sample::with_ports().into_node("alpha");
    alpha.run(&ports(), "stop").exit(0);
    killed_start(&alpha, &ports(), "*:11/ini_groups/mgmt data=create*");
    alpha.run(&ports(), "stop").exit(0).within(Duration::from_secs(10));
    for port in ["10", "11"] {
        let group = format!("targets/qla2x00t/21:00:00:24:ff:60:d0:{port}/ini_groups/vmwtest");
        assert!(!alpha.exists(&group), "{group} is still there");
    }
}

#[test]
fn f6_a_write_that_hangs_does_not_make_the_agent_outlive_its_time() {
    let limit = Duration::from_millis(1500);
    for (action, path) in [
        ("start", "**/vdisk_nullio/mgmt"),
        ("start", "**/alpha/state"),
        ("promote", "**/alpha/state"),
        ("stop", "**/vdisk_nullio/mgmt"),
    ] {
        let alpha = sample::with_ports().into_node("alpha");
        if action != "start" {
            alpha.run(&group(), "start").exit(0);
        }
        alpha.control(&format!("fault op=write path={path} action=hang"));
        alpha.call(&group()).timeout(limit).run(action).exit(1).within(limit);
        alpha.control("release");
        alpha.run(&group(), "stop").exit(0);
        assert_eq!(alpha.tree().lines("device"), [""; 0], "{action} {path}");
    }
}

#[test]
fn a_delay_that_fits_into_the_time_is_no_failure() {
    let alpha = sample::with_ports().into_node("alpha");
    alpha.control("fault op=write path=** action=delay after=300ms");
    alpha.run(&group(), "start").exit(0);
}

#[test]
fn a_read_that_fails_is_reported_with_its_path() {
    let alpha = sample::serving().into_node("alpha");
    alpha.control("fault op=read path=**/alpha/state repeat=true action=fail errno=EIO");
    alpha.monitor(&group()).exit(1).reason_has("EIO").reason_has("target_groups/alpha/state");
}

/// Kills a run at each of its writes in turn, before or after the write takes effect; each time `prepare` comes before and
/// `recover` after it, on the same nodes.
fn killed_at_every_write(
    cluster: &Cluster,
    when: &str,
    (resource, action): (&Resource, &str),
    prepare: impl Fn(&Node),
    recover: impl Fn(&Node, &str),
) {
    let alpha = cluster.node("alpha");
    for at in 1.. {
        prepare(alpha);
        alpha.control(&format!("fault op=write process=scst_* at={at} action=kill signal=KILL when={when}"));
        let run = alpha.call(resource).begin(action).wait();
        alpha.control("disarm");
        recover(alpha, &format!("{action} killed {when} write {at}"));
        if !run.was_killed() {
            // It got through: there are no more writes to be killed at.
            assert!(at > 4, "{action} writes more than that");
            return;
        }
    }
}

/// Ports that are up, on one node of two.
fn alone() -> Cluster {
    let cluster = sample::nodes().up();
    cluster.node("alpha").run(&ports(), "start").exit(0);
    cluster
}

/// Nothing of the group is left.
#[track_caller]
fn gone(alpha: &Node, what: &str) {
    alpha.run(&group(), "stop").exit(0);
    for left in ["device", "lun"] {
        assert_eq!(alpha.tree().lines(left), [""; 0], "{what}");
    }
    alpha.run(&group(), "monitor").exit(7);
}

#[test]
fn a_start_killed_anywhere_is_completed_by_the_next() {
    let cluster = alone();
    cluster.node("alpha").run(&group(), "start").exit(0);
    let whole = cluster.node("alpha").tree();
    gone(cluster.node("alpha"), "a whole start");
    for when in ["before", "after"] {
        killed_at_every_write(
            &cluster,
            when,
            (&group(), "start"),
            |_| {},
            |alpha, what| {
                let probed = alpha.run(&group(), "monitor");
                // Nobody has promoted it.
                assert!(matches!(probed.code(), Some(0 | 1 | 7)), "{what}: {probed:?}");
                alpha.run(&group(), "start").exit(0);
                assert_eq!(alpha.tree(), whole, "{what}");
                gone(alpha, what);
            },
        );
    }
}

#[test]
fn a_start_killed_anywhere_is_completed_by_a_promotion() {
    killed_at_every_write(
        &alone(),
        "after",
        (&group(), "start"),
        |_| {},
        |alpha, what| {
            alpha.run(&group(), "promote").exit(0);
            assert_eq!(alpha.tree().lines("lun").len(), 2, "{what}");
            alpha.run(&group(), "monitor").exit(8);
            alpha.run(&group(), "start").exit(0).writes(0);
            gone(alpha, what);
        },
    );
}

#[test]
fn a_start_killed_anywhere_is_removed_by_a_stop() {
    killed_at_every_write(&alone(), "after", (&group(), "start"), |_| {}, gone);
}

#[test]
fn a_stop_killed_anywhere_is_completed_by_the_next() {
    let promote = |alpha: &Node| drop(alpha.run(&group(), "promote").exit(0));
    killed_at_every_write(&alone(), "after", (&group(), "stop"), promote, gone);
}

#[test]
fn a_demote_killed_anywhere_is_completed_by_the_next() {
    let promote = |alpha: &Node| drop(alpha.run(&group(), "promote").exit(0));
    for when in ["before", "after"] {
        killed_at_every_write(&alone(), when, (&group(), "demote"), promote, |alpha, what| {
            alpha.run(&group(), "demote").exit(0);
            let found = [alpha.state("dummy", "alpha"), alpha.read("devices/dummy_lu0dummy/block")];
            assert_eq!(found, ["standby", "0 0"], "{what}");
        });
    }
}

#[test]
fn ports_killed_anywhere_come_up_and_go_down_with_the_next() {
    let cluster = sample::nodes().up();
    cluster.node("alpha").control("modprobe qla2x00tgt");
    let down = |alpha: &Node| drop(alpha.run(&ports(), "stop").exit(0));
    killed_at_every_write(&cluster, "after", (&ports(), "start"), down, |alpha, what| {
        alpha.run(&ports(), "start").exit(0);
        assert_eq!(alpha.tree().lines("initiator").len(), 4, "{what}");
        alpha.run(&ports(), "monitor").exit(0);
    });
    let up = |alpha: &Node| drop(alpha.run(&ports(), "start").exit(0));
    killed_at_every_write(&cluster, "after", (&ports(), "stop"), up, |alpha, what| {
        alpha.run(&ports(), "stop").exit(0);
        assert_eq!(alpha.tree().lines("group"), [""; 0], "{what}");
        alpha.run(&ports(), "monitor").exit(7);
    });
}
