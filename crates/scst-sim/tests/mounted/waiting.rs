//! Writers that wait in the kernel: signals, and everybody else meanwhile.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::world::{World, said};

const NULLIO: &str = "handlers/vdisk_nullio/mgmt";
/// As long as the kernel lets a writer wait before it looks at its locks; after 15 s it may answer EAGAIN.
const LONG: Duration = Duration::from_secs(10);

fn signal(child: &std::process::Child, signal: Signal) {
    kill(Pid::from_raw(child.id().cast_signed()), signal).expect("the process is there");
}

#[test]
fn a_writer_sleeps_until_its_command_ends() {
    let world = World::bare();
    world.slow_down(NULLIO, Duration::from_millis(300));
    let begin = Instant::now();
    world.write(NULLIO, "add_device d1").unwrap();
    assert!(begin.elapsed() >= Duration::from_millis(300), "{:?}", begin.elapsed());
    assert_eq!(world.names("devices"), ["d1"]);
}

#[test]
fn a_signal_ends_the_wait_and_not_the_command() {
    let world = World::bare();
    world.slow_down(NULLIO, LONG);
    let writer = world.start_until("trap : USR1; echo add_device d1 > handlers/vdisk_nullio/mgmt", 1);
    let begin = Instant::now();
    signal(&writer, Signal::SIGUSR1);
    let (code, _, err) = said(&writer.wait_with_output().unwrap());
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    assert_eq!(code, Some(1));
    assert!(err.contains("Interrupted system call"), "{err}");
    assert_eq!(world.mount.writes()[0].result, Some(Err(nix::errno::Errno::EINTR)));
    assert!(world.names("devices").is_empty());
    world.mount.skip(LONG);
    assert_eq!(world.names("devices"), ["d1"]);
}

#[test]
fn a_killed_writer_dies_at_once_and_its_command_is_carried_out() {
    let world = World::bare();
    world.slow_down(NULLIO, LONG);
    let writer = world.start_until("echo add_device d1 > handlers/vdisk_nullio/mgmt", 1);
    let begin = Instant::now();
    signal(&writer, Signal::SIGKILL);
    let output = writer.wait_with_output().unwrap();
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    assert_eq!(output.status.code(), None);
    world.until(|| world.mount.waiting() == 0);
    world.mount.skip(LONG);
    assert_eq!(world.names("devices"), ["d1"]);
}

#[test]
fn a_second_writer_of_the_same_file_is_as_free_as_the_first() {
    let world = World::bare();
    world.slow_down(NULLIO, LONG);
    let first = world.start_until("echo add_device d1 > handlers/vdisk_nullio/mgmt", 1);
    // It waits for the first one's lock inside SCST, not in the file system: so it can be killed.
    let second = world.start_until("echo add_device d2 > handlers/vdisk_nullio/mgmt", 2);
    signal(&second, Signal::SIGKILL);
    assert_eq!(second.wait_with_output().unwrap().status.code(), None);
    world.mount.skip(LONG);
    let (code, _, err) = said(&first.wait_with_output().unwrap());
    assert_eq!((code, err.as_str()), (Some(0), ""));
    world.until(|| world.names("devices") == ["d1", "d2"]);
}

#[test]
fn nobody_else_waits_for_a_waiting_writer() {
    let world = World::bare();
    world.slow_down(NULLIO, LONG);
    let writer = world.start_until("echo add_device d1 > handlers/vdisk_nullio/mgmt", 1);
    let begin = Instant::now();
    world.write("device_groups/mgmt", "create g1").unwrap();
    assert!(world.read("device_groups/g1/devices/mgmt").is_ok());
    assert!(world.read(NULLIO).is_ok());
    let (code, ..) = said(&world.run("find . > /dev/null; ls -lR > /dev/null; echo create g2 > device_groups/mgmt"));
    assert_eq!(code, Some(0));
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    world.mount.skip(LONG);
    assert!(writer.wait_with_output().unwrap().status.success());
}

#[test]
fn a_hundred_writers_at_once_are_all_served() {
    let world = World::bare();
    std::thread::scope(|scope| {
        for number in 0..100 {
            let world = &world;
            scope.spawn(move || world.write(NULLIO, &format!("add_device d{number}")).unwrap());
        }
    });
    assert_eq!(world.names("devices").len(), 100);
    assert_eq!(world.mount.counters().total.writes, 100);
    std::thread::scope(|scope| {
        let adders: Vec<_> = (0..10).map(|_| scope.spawn(|| world.write(NULLIO, "add_device same"))).collect();
        let added = adders.into_iter().filter_map(|adder| adder.join().unwrap().ok()).count();
        assert_eq!(added, 1);
    });
}
