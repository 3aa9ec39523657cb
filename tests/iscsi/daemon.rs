//! The daemon is gone, or hangs, in every action.

use std::time::Duration;

use nix::sys::signal::Signal;
use scst_sim::model::ScstVersion;

use super::{
    ALPHA, ESX, SECRET, call, group, hanging, login, monitor, nodes, run, serving, signal, started, stops, targets,
    thorough,
};
use crate::fixture::{Fixture, Resource};

#[test]
fn the_end_of_the_daemon_is_seen_at_once_and_the_restart_builds_everything_anew() {
    let alpha = started();
    let up = alpha.tree();
    for end in [Signal::SIGTERM, Signal::SIGKILL] {
        signal(&alpha, end);
        monitor(&alpha, &targets()).exit(7).programs(0);
        run(&alpha, &targets(), "reload").exit(7);
        run(&alpha, &targets(), "stop").exit(0).writes(0);
        run(&alpha, &targets(), "start").exit(0);
        assert_eq!(alpha.tree(), up);
    }
    run(&alpha, &targets(), "stop").exit(0);
}

#[test]
fn hosts_come_back_after_the_daemon_was_restarted() {
    let alpha = serving();
    login(&alpha, &format!("{ALPHA} {ESX} portal=10.0.1.1 user=esx secret={SECRET}")).unwrap();
    signal(&alpha, Signal::SIGKILL);
    run(&alpha, &targets(), "stop").exit(0);
    run(&alpha, &targets(), "start").exit(0);
    // What the device group had exported went with the target; its reload brings the LUNs back.
    alpha.run(&group(), "reload").exit(0);
    assert!(alpha.exists(&format!("targets/iscsi/{ALPHA}/ini_groups/esx1/luns/0")));
}

#[test]
fn a_group_leaves_it_to_the_targets_to_see_that_the_daemon_has_ended() {
    let alpha = serving();
    signal(&alpha, Signal::SIGKILL);
    // A failure would restart the group at once, which cannot start without targets and would be banned from the node.
    alpha.thorough(&group()).exit(8).logged(&format!("port {ALPHA} does not exist: its resource has to bring it up"));
    alpha.run(&group(), "stop").exit(0);
    alpha.run(&group(), "start").exit(5);
    run(&alpha, &targets(), "stop").exit(0);
    run(&alpha, &targets(), "start").exit(0);
    alpha.run(&group(), "start").exit(0);
    alpha.thorough(&group()).exit(0);
}

#[test]
fn a_hanging_daemon_holds_up_neither_monitor_nor_stop() {
    let alpha = hanging();
    let short = Duration::from_secs(1);
    monitor(&alpha, &targets()).exit(0).programs(0).within(short);
    let deep = call(&alpha, &targets()).timeout(Duration::from_secs(4)).level(10).recurring();
    deep.run("monitor").exit(1).reason_has("no answer within").within(Duration::from_secs(2));
    let stop = call(&alpha, &targets()).timeout(Duration::from_secs(8)).run("stop");
    let stop = stop.exit(1).within(Duration::from_secs(8)).logged("does not answer");
    stop.reason_has("disable failed: no answer within");
    // What needs no daemon is done: nobody is in a group any more.
    assert!(alpha.tree().lines("group").is_empty());
    signal(&alpha, Signal::SIGCONT);
    stops(&alpha);
}

#[test]
fn a_reload_that_meets_a_hanging_daemon_is_finished_by_a_monitor() {
    let alpha = hanging();
    let changed = targets().param("attributes", "QueuedCommands=16");
    call(&alpha, &changed).timeout(Duration::from_secs(4)).run("reload").unfinished();
    signal(&alpha, Signal::SIGCONT);
    monitor(&alpha, &changed).exit(0);
    assert_eq!(alpha.read(&format!("targets/iscsi/{ALPHA}/QueuedCommands")), "16");
    run(&alpha, &changed, "reload").exit(0).writes(0);
    run(&alpha, &changed, "stop").exit(0);
}

#[test]
fn a_start_that_meets_a_hanging_daemon_fails_in_time_and_stop_knows_what_it_left() {
    let alpha = started();
    run(&alpha, &targets(), "stop").exit(0);
    signal(&alpha, Signal::SIGSTOP);
    let start = call(&alpha, &targets()).timeout(Duration::from_secs(6)).run("start");
    start.exit(1).reason_has("no answer within").within(Duration::from_secs(6));
    // The daemon takes what it was asked, also when nobody waits for the answer any more.
    signal(&alpha, Signal::SIGCONT);
    stops(&alpha);
}

#[test]
fn an_agent_that_is_killed_leaves_no_killed_waiter() {
    let alpha = hanging();
    let running = call(&alpha, &targets()).begin("stop");
    let waiting = || {
        let writes = alpha.mount().writes();
        writes.iter().rev().find(|write| write.path.ends_with(b"/enabled") && write.data == b"0\n").cloned()
    };
    crate::fixture::eventually("the write that waits", || waiting().is_some());
    running.signal(Signal::SIGKILL);
    running.end();
    let helper = waiting().expect("it was seen").process;
    assert_eq!(helper.name, "exe");
    let status = std::fs::read_to_string(format!("/proc/{}/status", helper.pid)).expect("the one that waits goes on");
    assert!(status.contains("SigBlk:\tfffffffe7ffbfeff") || status.contains("SigBlk:\tffffffff"), "{status}");
    signal(&alpha, Signal::SIGCONT);
    stops(&alpha);
}

#[test]
fn a_daemon_that_somebody_else_starts_is_waited_for_a_while() {
    let alpha = nodes().into_node("alpha");
    let elsewhere = targets().param("daemon", "none");
    let start = || alpha.call(&elsewhere).timeout(Duration::from_secs(4));
    start().run("start").exit(1).reason("the daemon of driver iscsi does not run").within(Duration::from_secs(2));
    // Its unit starts it again a second after its end, and the monitor may have seen that end at once.
    let waits = alpha.call(&elsewhere).begin("start");
    std::thread::sleep(Duration::from_secs(1));
    alpha.control("iscsi-daemon start");
    waits.wait().exit(0);
    alpha.run(&elsewhere, "stop").exit(0);
    let missing = targets().param("daemon", "/nowhere/iscsi-scstd");
    alpha.control("iscsi-daemon stop");
    alpha.run(&missing, "start").exit(5).reason_has("/nowhere/iscsi-scstd not found");
}

#[test]
fn a_driver_that_nobody_can_log_in_to_is_seen_by_a_thorough_monitor() {
    let alpha = started();
    alpha.write("targets/iscsi/enabled", "0");
    // It is asked of the daemon, so the usual monitor does not look.
    monitor(&alpha, &targets()).exit(0);
    thorough(&alpha, &targets()).exit(1).reason("driver iscsi is not enabled: no host can log in");
    run(&alpha, &targets(), "start").exit(0);
    thorough(&alpha, &targets()).exit(0);
}

#[test]
fn a_kernel_that_does_not_say_whether_the_daemon_runs_is_taken_at_its_targets() {
    let cluster = nodes();
    let alpha = cluster.node("alpha");
    // Plain files: what a driver without `open_state` would show.
    let target = cluster.dir().join("plain/kernel/scst_tgt/targets/iscsi").join(ALPHA);
    std::fs::create_dir_all(target.join("ini_groups/esx1/initiators")).unwrap();
    for (file, text) in [("enabled", "1\n"), ("rel_tgt_id", "101\n"), ("../mgmt", "")] {
        std::fs::write(target.join(file), text).unwrap();
    }
    std::fs::create_dir_all(cluster.dir().join("plain/module")).unwrap();
    let plain = |resource: &_| {
        let root = cluster.dir().join("plain");
        call(alpha, resource).env("SCST_SYSFS_ROOT", root.to_str().expect("a plain path"))
    };
    plain(&targets()).recurring().run("monitor").exit(0);
    plain(&targets().without("attributes")).run("start").exit(1).logged("driver iscsi shows no open_state");
}

#[test]
fn an_attribute_that_this_kernel_does_not_have_is_refused_by_name() {
    let port = "fe80:0000:0000:0000:0002:c903:000f:2a1b";
    let alpha = Fixture::new().scst(ScstVersion::V3_7).node("alpha", 1).targetports(port).up().into_node("alpha");
    for command in ["modprobe ib_srpt", &format!("plug-target ib_srpt {port}")] {
        alpha.control(command);
    }
    let resource = Resource::targets("srp", "ib_srpt").param("initiators", "all=*");
    let unknown = resource.param("attributes", "aen_disabled=1");
    let reason = "attributes: this kernel has no aen_disabled";
    alpha.run(&unknown, "validate-all").exit(0);
    alpha.call(&unknown).level(10).run("validate-all").exit(5).reason(reason);
    alpha.run(&unknown, "start").exit(5).reason(reason).writes(0);
    alpha.run(&resource, "start").exit(0);
    alpha.run(&unknown, "reload").kept().reason(reason);
    alpha.run(&resource, "stop").exit(0);
}
