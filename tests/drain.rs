//! Demotion under load: commands in flight end before the state changes, or it does not change; and nobody stays frozen.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use scst_sim::model::ScstVersion;
use scst_sim::mount::WriteRecord;

use crate::fixture::sample::{self, BLOCK, Store, busy, busy_on, finish, group, killed, send};
use crate::fixture::{Lists, Node, OneNode, eventually};

#[test]
fn demote_waits_for_the_commands_in_flight() {
    let (alpha, io) = busy();
    let mut demote = alpha.call(&group()).begin("demote");
    eventually("the device is blocked", || alpha.read(BLOCK) == "1 1");
    assert_eq!(alpha.state("dummy", "alpha"), "active");
    assert!(demote.is_running());
    finish(&alpha, &io);
    demote.wait().exit(0).programs(0).wrote(&sample::DEMOTION);
    assert_eq!(alpha.state("dummy", "alpha"), "standby");
    assert_eq!(alpha.read(BLOCK), "0 0");
}

#[test]
fn a_demote_without_commands_in_flight_does_not_wait() {
    let alpha = sample::serving().into_node("alpha");
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
fn a_notification_gives_a_block_back_only_where_that_takes_no_other_process() {
    let (alpha, io) = killed(0);
    let notify = |when| {
        let lists = Lists::new().list("active", &["alpha", "beta"]).list("stop", &["beta"]).event(when, "stop");
        alpha.call(&group()).lists(&lists).run("notify").exit(0)
    };
    notify("pre").wrote(&["device_groups/dummy/target_groups/beta/state < transitioning"]);
    assert!(alpha.mount().writes().iter().all(|write| write.process.name != "exe"));
    finish(&alpha, &io);
    let given = ["devices/dummy_lu0dummy/block < 0", "device_groups/dummy/target_groups/beta/state < unavailable"];
    notify("post").wrote(&given);
    assert_eq!(alpha.read(BLOCK), "0 0");
}

#[test]
fn a_demotion_after_one_that_was_killed_between_its_two_states_blocks_nothing_again() {
    let alpha = sample::serving().into_node("alpha");
    alpha.control("fault op=write path=**/target_groups/alpha/state action=kill when=before at=2");
    drop(alpha.run(&group(), "demote"));
    assert_eq!(alpha.state("dummy", "alpha"), "transitioning");
    let [.., standby, given_back] = sample::DEMOTION;
    alpha.run(&group(), "demote").exit(0).wrote(&[given_back, standby]);
    assert_eq!(alpha.read(BLOCK), "0 0");
}

/// The kernel would hang with it, and every device of the machine.
#[test]
fn a_stop_leaves_a_device_alone_whose_block_cannot_be_given_back() {
    // Never, and only by the last of the writes that try to: the group, deleted with the device in it, would open it to hosts.
    let always = vec!["repeat=true".to_owned()];
    for faults in [always, (1..=4).map(|at| format!("at={at}")).collect()] {
        let (alpha, io) = killed(0);
        finish(&alpha, &io);
        for fault in &faults {
            alpha.control(&format!("fault op=write path=**/{BLOCK} action=fail errno=EIO {fault}"));
        }
        let stop = alpha.call(&group()).timeout(Duration::from_secs(4)).run("stop").exit(1).reason_has("EIO");
        let tree = alpha.tree();
        // It is seen on both ports, and is still there with its group and its place in it.
        assert_eq!(["lun", "device"].map(|line| tree.lines(line).len()), [2, 3], "{tree:?} {stop:?}");
        assert_eq!(alpha.read(BLOCK), if faults.len() == 1 { "1 0" } else { "0 0" }, "{stop:?}");
        alpha.control("disarm");
        alpha.run(&group(), "stop").exit(0);
        assert_eq!(alpha.tree().lines("device"), [""; 0]);
    }
}

#[test]
fn stop_of_an_active_group_demotes_first() {
    let (alpha, io) = busy();
    let stop = alpha.call(&group()).begin("stop");
    eventually("the device is blocked", || alpha.read(BLOCK) == "1 1");
    finish(&alpha, &io);
    stop.wait().exit(0).in_order(&[
        "block < 11",
        "state < standby",
        "block < 0",
        "state < unavailable",
        "luns/mgmt < clear",
        "mgmt < del_device",
        "device_groups/mgmt < del dummy",
    ]);
    assert_eq!(alpha.tree().lines("device"), [""; 0]);
}

/// A stop with so much time gives up its drain, goes on when the store answers, and leaves no device.
#[track_caller]
fn stop_that_gives_up(alpha: &Node, io: &str, limit: Duration) {
    let stop = alpha.call(&group()).timeout(limit).begin("stop");
    eventually("the drain is given up", || alpha.state("dummy", "alpha") == "unavailable");
    finish(alpha, io);
    stop.wait().exit(0).within(limit);
    assert_eq!(alpha.tree().lines("device"), [""; 0]);
}

#[test]
fn stop_goes_on_without_a_drain_that_takes_more_than_half_of_its_time() {
    let (alpha, io) = busy();
    stop_that_gives_up(&alpha, &io, Duration::from_secs(4));
    assert_eq!(alpha.score(&group()), None);
}

/// The kernel takes the device out of its group at once, and waits for the command before it deletes it.
#[test]
fn a_demotion_does_not_overlook_a_device_whose_deletion_waits_for_a_command() {
    let (alpha, grown, _) = sample::serving().into_node("alpha").with(&Store::File);
    alpha.run(&grown, "reload").exit(0);
    sample::log_in(&alpha);
    let io = send(&alpha, "1");
    let limit = Duration::from_secs(2);
    for _ in 0..2 {
        alpha.call(&group()).timeout(limit).run("reload").unfinished().within(limit);
    }
    let text = "the backing store is still open: device dummy_r0";
    alpha.call(&group()).timeout(limit).run("demote").exit(1).within(limit).reason_has(text);
    finish(&alpha, &io);
    eventually("the kernel carries on", || alpha.mount().waiting() == 0);
    alpha.run(&group(), "demote").exit(0);
    assert_eq!(alpha.tree().lines("device dummy_r0"), [""; 0]);
}

/// Alpha with a demotion that gave up: the device is blocked, and a process waits in the kernel to give that back.
fn gave_up(version: ScstVersion) -> (OneNode, String) {
    let (alpha, io) = busy_on(version);
    alpha.call(&group()).timeout(Duration::from_millis(1500)).run("demote").exit(1);
    eventually("somebody waits", || alpha.mount().waiting() == 1);
    assert_eq!(alpha.read(BLOCK), "1 1");
    (alpha, io)
}

/// What hosts can do in the end: the device is not blocked, and a command ends.
fn goes_on(alpha: &Node) {
    eventually("nobody waits", || alpha.mount().waiting() == 0);
    assert_eq!(alpha.read(BLOCK), "0 0");
    finish(alpha, &send(alpha, "0"));
}

const VERSIONS: [ScstVersion; 2] = [ScstVersion::V3_11, ScstVersion::V3_7];

#[test]
fn a_second_demotion_does_not_take_the_block_of_the_first_for_somebody_elses() {
    for version in VERSIONS {
        // The commands end while the second one waits for them.
        let (alpha, io) = gave_up(version);
        let demote = alpha.call(&group()).begin("demote");
        eventually("the second block", || alpha.read(BLOCK) == "2 1");
        // Killed now, it leaves a state file by which nobody sends a second process, which could take a block of somebody else.
        let file = alpha.record(&group()).expect("a state file");
        assert!(file.lines().any(|line| line == "block dummy_lu0dummy 0 returning"), "{file}");
        finish(&alpha, &io);
        demote.wait().exit(0);
        assert_eq!(alpha.state("dummy", "alpha"), "standby");
        goes_on(&alpha);
        alpha.run(&group(), "promote").exit(0);
        alpha.monitor(&group()).exit(8);

        // The second one gives up as well, and a third one is never made.
        let (alpha, io) = gave_up(version);
        alpha.call(&group()).timeout(Duration::from_millis(1500)).run("demote").exit(1);
        assert_eq!(alpha.read(BLOCK), "1 1");
        assert_eq!(alpha.mount().waiting(), 1, "one process that waits is enough");
        alpha.monitor(&group()).exit(9).reason_has("still blocked");
        finish(&alpha, &io);
        goes_on(&alpha);
        alpha.monitor(&group()).exit(8);
        // It is forgotten with that: what blocks the device from now on is somebody else's.
        alpha.write(BLOCK, "11");
        alpha.run(&group(), "demote").exit(0);
        assert_eq!(alpha.read(BLOCK), "1 0");
    }
}

#[test]
fn a_stop_after_a_demotion_that_gave_up_ends_when_the_store_answers() {
    for version in VERSIONS {
        let (alpha, io) = gave_up(version);
        stop_that_gives_up(&alpha, &io, Duration::from_secs(8));
        // And at once, when it answers during the drain.
        let (alpha, io) = gave_up(version);
        let stop = alpha.call(&group()).begin("stop");
        eventually("the second block", || alpha.read(BLOCK) == "2 1");
        finish(&alpha, &io);
        stop.wait().exit(0).within(Duration::from_secs(5));
        assert_eq!(alpha.tree().lines("device"), [""; 0]);
    }
}

#[test]
fn a_block_whose_return_was_lost_is_seen_and_given_back_by_the_next_action() {
    for action in ["demote", "stop", "promote", "start", "reload"] {
        let (alpha, io) = gave_up(ScstVersion::V3_11);
        kill_writer(&alpha);
        finish(&alpha, &io);
        eventually("the kernel has lost the 0", || alpha.read(BLOCK) == "1 0");
        alpha.monitor(&group()).exit(9).reason_has("left blocked");
        alpha.run(&group(), action).exit(0);
        if action == "stop" {
            assert_eq!(alpha.tree().lines("device"), [""; 0]);
        } else {
            assert_eq!(alpha.read(BLOCK), "0 0", "{action}");
        }
    }
    // During the next drain: both blocks are there then, and both are given back.
    let (alpha, io) = gave_up(ScstVersion::V3_11);
    kill_writer(&alpha);
    let demote = alpha.call(&group()).begin("demote");
    eventually("the second block", || alpha.read(BLOCK) == "2 1");
    finish(&alpha, &io);
    demote.wait().exit(0);
    assert_eq!(alpha.read(BLOCK), "0 0");
}

/// Kills whoever waits in a `0`, which nobody should do.
fn kill_writer(alpha: &Node) {
    let waiting = |write: &WriteRecord| write.result.is_none() && write.data.starts_with(b"0");
    let writes = alpha.mount().writes();
    let last = writes.iter().find(|write| waiting(write)).expect("somebody waits in a 0");
    let before = alpha.mount().interrupted();
    kill(Pid::from_raw(last.process.pid.cast_signed()), Signal::SIGKILL).expect("it is there");
    eventually("the kernel sees the signal", || alpha.mount().interrupted() > before);
}

#[test]
fn a_signal_to_the_process_group_of_the_action_does_not_meet_who_waits() {
    let (alpha, io) = gave_up(ScstVersion::V3_11);
    let writes = alpha.mount().writes();
    let waiting = writes.iter().find(|write| write.result.is_none()).expect("somebody waits");
    let pid = Pid::from_raw(waiting.process.pid.cast_signed());
    assert_eq!(nix::unistd::getpgid(Some(pid)).ok(), Some(pid), "a group of its own");
    for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT] {
        kill(pid, signal).expect("it is there");
    }
    finish(&alpha, &io);
    goes_on(&alpha);
}
