//! Writers that wait in the kernel: signals, and everybody else meanwhile.

use std::process::Child;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::fixture::{Fixture, said};

const NULLIO: &str = "handlers/vdisk_nullio/mgmt";
/// As long as the kernel lets a writer wait before it looks at its locks; after 15 s it may answer EAGAIN.
const LONG: Duration = Duration::from_secs(10);

fn signal(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id().cast_signed()), signal).expect("the process is there");
}

/// A bare machine in which this script waits in the kernel, which takes a long time to add the device `d1`.
fn long_waiting(script: &str) -> (Fixture, Child, Instant) {
    let fixture = Fixture::bare();
    fixture.slow_down(NULLIO, LONG);
    let writer = fixture.start_until(script, 1);
    (fixture, writer, Instant::now())
}

#[test]
fn a_writer_sleeps_until_its_command_ends() {
    let fixture = Fixture::bare();
    fixture.slow_down(NULLIO, Duration::from_millis(300));
    let begin = Instant::now();
    fixture.write(NULLIO, "add_device d1").unwrap();
    assert!(begin.elapsed() >= Duration::from_millis(300), "{:?}", begin.elapsed());
    assert_eq!(fixture.names("devices"), ["d1"]);
}

#[test]
fn a_signal_ends_the_wait_and_not_the_command() {
    let (fixture, writer, begin) = long_waiting("trap : USR1; echo add_device d1 > handlers/vdisk_nullio/mgmt");
    signal(&writer, Signal::SIGUSR1);
    let (code, _, err) = said(&writer.wait_with_output().unwrap());
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    assert_eq!(code, Some(1));
    assert!(err.contains("Interrupted system call"), "{err}");
    assert_eq!(fixture.mount.writes()[0].result, Some(Err(nix::errno::Errno::EINTR)));
    assert!(fixture.names("devices").is_empty());
    fixture.mount.skip(LONG);
    assert_eq!(fixture.names("devices"), ["d1"]);
}

#[test]
fn a_killed_writer_dies_at_once_and_its_command_is_carried_out() {
    let (fixture, writer, begin) = long_waiting("echo add_device d1 > handlers/vdisk_nullio/mgmt");
    signal(&writer, Signal::SIGKILL);
    let output = writer.wait_with_output().unwrap();
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    assert_eq!(output.status.code(), None);
    fixture.until(|| fixture.mount.waiting() == 0);
    fixture.mount.skip(LONG);
    assert_eq!(fixture.names("devices"), ["d1"]);
}

#[test]
fn a_second_writer_of_the_same_file_is_as_free_as_the_first() {
    let (fixture, first, _) = long_waiting("echo add_device d1 > handlers/vdisk_nullio/mgmt");
    // It waits for the first one's lock inside SCST, not in the file system: so it can be killed.
    let second = fixture.start_until("echo add_device d2 > handlers/vdisk_nullio/mgmt", 2);
    signal(&second, Signal::SIGKILL);
    assert_eq!(second.wait_with_output().unwrap().status.code(), None);
    fixture.mount.skip(LONG);
    let (code, _, err) = said(&first.wait_with_output().unwrap());
    assert_eq!((code, err.as_str()), (Some(0), ""));
    fixture.until(|| fixture.names("devices") == ["d1", "d2"]);
}

#[test]
fn nobody_else_waits_for_a_waiting_writer() {
    let (fixture, writer, begin) = long_waiting("echo add_device d1 > handlers/vdisk_nullio/mgmt");
    fixture.write("device_groups/mgmt", "create g1").unwrap();
    assert!(fixture.read("device_groups/g1/devices/mgmt").is_ok());
    assert!(fixture.read(NULLIO).is_ok());
    let (code, ..) = said(&fixture.run("find . > /dev/null; ls -lR > /dev/null; echo create g2 > device_groups/mgmt"));
    assert_eq!(code, Some(0));
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    fixture.mount.skip(LONG);
    assert!(writer.wait_with_output().unwrap().status.success());
}

#[test]
fn a_hundred_writers_at_once_are_all_served() {
    let fixture = Fixture::bare();
    std::thread::scope(|scope| {
        for number in 0..100 {
            let fixture = &fixture;
            scope.spawn(move || fixture.write(NULLIO, &format!("add_device d{number}")).unwrap());
        }
    });
    assert_eq!(fixture.names("devices").len(), 100);
    assert_eq!(fixture.mount.counters().total.writes, 100);
    std::thread::scope(|scope| {
        let adders: Vec<_> = (0..10).map(|_| scope.spawn(|| fixture.write(NULLIO, "add_device same"))).collect();
        let added = adders.into_iter().filter_map(|adder| adder.join().unwrap().ok()).count();
        assert_eq!(added, 1);
    });
}

/// A disk with a LUN, a host that is logged in, and a command of it in flight that `io finish 0` ends.
fn with_a_hanging_command(release: &str) -> Fixture {
    let port = "21:00:00:24:ff:60:d0:10";
    let fixture = Fixture::of(&format!(
        r#"
        scst = "{release}"
        modules = ["scst", "scst_vdisk", "qla2x00tgt"]

        [[port]]
        wwpn = "{port}"

        [[file]]
        path = "/var/lib/scst/pr"
        kind = "dir"

        [[write]]
        path = "kernel/scst_tgt/handlers/vdisk_nullio/mgmt"
        data = "add_device d1"

        [[write]]
        path = "kernel/scst_tgt/targets/qla2x00t/{port}/luns/mgmt"
        data = "add d1 0"

        [[write]]
        path = "kernel/scst_tgt/targets/qla2x00t/{port}/rel_tgt_id"
        data = "1"

        [[write]]
        path = "kernel/scst_tgt/targets/qla2x00t/{port}/enabled"
        data = "1"

        [[session]]
        driver = "qla2x00t"
        target = "{port}"
        initiator = "50:01:43:80:03:b0:23:34"

        [[io]]
        driver = "qla2x00t"
        target = "{port}"
        session = "50:01:43:80:03:b0:23:34"
        lun = 0
        "#
    ));
    assert_eq!(fixture.read("devices/d1/block").unwrap(), "0 0\n");
    fixture
}

const BLOCK: &str = "devices/d1/block";

/// Sends a signal, and waits until the mount has heard of it.
fn signal_heard(fixture: &Fixture, child: &std::process::Child, number: Signal) {
    let before = fixture.mount.interrupted();
    signal(child, number);
    fixture.until(|| fixture.mount.interrupted() > before);
}

#[test]
fn a_killed_writer_of_0_stays_until_the_disk_answers_and_its_0_is_lost_in_3_11_only() {
    for (release, after) in [("3.11", "1 0\n"), ("3.7", "0 0\n")] {
        let fixture = with_a_hanging_command(release);
        fixture.write(BLOCK, "11\n").unwrap();
        let mut writer = fixture.start_until("echo 0 > devices/d1/block", 1);
        signal_heard(&fixture, &writer, Signal::SIGKILL);
        assert_eq!(writer.try_wait().unwrap(), None, "{release}: the call ends with the command in flight");
        assert_eq!((fixture.mount.waiting(), fixture.read(BLOCK).unwrap().as_str()), (1, "1 1\n"), "{release}");
        fixture.mount.control("io finish 0").unwrap();
        assert_eq!(writer.wait().unwrap().code(), None, "{release}: it was killed");
        assert_eq!(fixture.read(BLOCK).unwrap(), after, "{release}");
        fixture.write(BLOCK, "0\n").unwrap();
        assert_eq!(fixture.read(BLOCK).unwrap(), "0 0\n", "{release}: a surplus 0 is harmless, a missing one cures");
    }
}

#[test]
fn a_caught_signal_costs_a_0_as_a_killing_one_does_and_the_call_succeeds() {
    for (release, after) in [("3.11", "1 0\n"), ("3.7", "0 0\n")] {
        let fixture = with_a_hanging_command(release);
        fixture.write(BLOCK, "11\n").unwrap();
        let writer = fixture.start_until("trap 'echo caught' USR1; echo 0 > devices/d1/block; echo went on", 1);
        signal_heard(&fixture, &writer, Signal::SIGUSR1);
        assert_eq!(fixture.read(BLOCK).unwrap(), "1 1\n");
        fixture.mount.control("io finish 0").unwrap();
        let (code, out, err) = said(&writer.wait_with_output().unwrap());
        assert_eq!((code, out.as_str(), err.as_str()), (Some(0), "caught\nwent on\n", ""), "{release}");
        assert_eq!(fixture.read(BLOCK).unwrap(), after, "{release}");
    }
}

#[test]
fn a_killed_writer_of_1_leaves_at_once_in_3_11_and_with_the_disk_in_3_7_and_its_block_stays() {
    for (release, leaves) in [("3.11", true), ("3.7", false)] {
        let fixture = with_a_hanging_command(release);
        let mut writer = fixture.start_until("echo 1 > devices/d1/block", 1);
        signal_heard(&fixture, &writer, Signal::SIGKILL);
        if leaves {
            assert_eq!(writer.wait().unwrap().code(), None);
            assert_eq!(fixture.mount.waiting(), 0);
        } else {
            assert_eq!((writer.try_wait().unwrap(), fixture.mount.waiting()), (None, 1));
        }
        assert_eq!(fixture.read(BLOCK).unwrap(), "1 1\n", "{release}");
        fixture.mount.control("io finish 0").unwrap();
        assert_eq!(writer.wait().unwrap().code(), None);
        assert_eq!(fixture.read(BLOCK).unwrap(), "1 0\n", "{release}: the block stays");
    }
}

#[test]
fn a_0_that_waits_outlives_others_that_block_and_unblock() {
    let fixture = with_a_hanging_command("3.11");
    fixture.write(BLOCK, "11\n").unwrap();
    let waiting = fixture.start_until("echo 0 > devices/d1/block", 1);
    fixture.write(BLOCK, "11\n").unwrap();
    assert_eq!(fixture.read(BLOCK).unwrap(), "2 1\n");
    let (code, ..) = said(&fixture.run("echo 0 > devices/d1/block"));
    assert_eq!((code, fixture.read(BLOCK).unwrap().as_str()), (Some(0), "1 1\n"));
    assert_eq!(fixture.mount.waiting(), 1);
    fixture.mount.control("io finish 0").unwrap();
    assert!(waiting.wait_with_output().unwrap().status.success());
    assert_eq!(fixture.read(BLOCK).unwrap(), "0 0\n");
}
