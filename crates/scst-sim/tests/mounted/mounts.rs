//! Mounting and unmounting: several at once, with processes still inside.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use scst_sim::faults::{Action, Fault, Op};
use scst_sim::mount::{Mount, MountError};
use scst_sim::scenario::Scenario;

use crate::fixture::{Fixture, said};

fn is_mounted(dir: &Path) -> bool {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    mounts.lines().any(|line| line.split(' ').nth(1) == dir.to_str())
}

#[test]
fn two_machines_side_by_side_know_nothing_of_each_other() {
    let (one, other) = (Fixture::bare(), Fixture::bare());
    one.write("handlers/vdisk_nullio/mgmt", "add_device d1").unwrap();
    other.write("handlers/vdisk_nullio/mgmt", "add_device d2").unwrap();
    assert_eq!((one.names("devices"), other.names("devices")), (vec!["d1".into()], vec!["d2".into()]));
}

#[test]
fn the_kernel_forgets_and_so_do_we() {
    let fixture = Fixture::bare();
    for _ in 0..300 {
        fixture.write("handlers/vdisk_nullio/mgmt", "add_device d1").unwrap();
        fixture.read("devices/d1/block").unwrap();
        fixture.write("handlers/vdisk_nullio/mgmt", "del_device d1").unwrap();
    }
    // What is left are the names the kernel has seen, each once.
    fixture.until(|| fixture.mount.held_for_kernel().0 < 20);
    fixture.until(|| fixture.mount.held_for_kernel().1 == 0);
}

#[test]
fn unmounting_frees_those_who_wait() {
    let fixture = Fixture::bare();
    fixture.mount.arm(Fault::on(Op::Write).action(Action::Hang));
    let writer = fixture.start_until("exec 3> threads; echo 2 >&3", 1);
    let begin = Instant::now();
    let dir = fixture.mount.dir().to_owned();
    drop(fixture);
    let (code, _, err) = said(&writer.wait_with_output().unwrap());
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    assert_eq!(code, Some(1));
    assert!(err.contains("write error"), "{err}");
    assert!(!is_mounted(&dir));
}

#[test]
fn a_mount_with_users_disappears_all_the_same() {
    let fixture = Fixture::bare();
    let dir = fixture.mount.dir().to_owned();
    let mut sleeper = fixture.script("cat threads > /dev/null; exec sleep 100").spawn().unwrap();
    fixture.until(|| fixture.mount.counters().of_program("cat").reads == 1);
    fixture.mount.unmount().unwrap();
    assert!(!is_mounted(&dir));
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
}

#[test]
fn somebody_else_may_unmount() {
    let fixture = Fixture::bare();
    let output = std::process::Command::new("umount").arg(fixture.mount.dir()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(fixture.mount.unmount().is_ok());
}

#[test]
fn a_directory_that_is_not_there_is_named() {
    let setup = Scenario::built_in().build().unwrap();
    let error = Mount::start("/nowhere/at/all", setup).err().expect("it cannot be mounted");
    assert!(matches!(error, MountError::Mount { errno: Errno::ENOENT, .. }));
    assert!(error.to_string().starts_with("cannot mount on /nowhere/at/all: ENOENT"), "{error}");
}
