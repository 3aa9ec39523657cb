//! Faults as real processes meet them.

use std::fs;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::Signal;
use scst_sim::faults::{Action, Fault, Op, When};

use crate::fixture::{Fixture, errno, said};

const NULLIO: &str = "handlers/vdisk_nullio/mgmt";
const ADD: &str = "echo add_device d1 > handlers/vdisk_nullio/mgmt";
const LAST: &str = "last_sysfs_mgmt_res";
const LONG: Duration = Duration::from_secs(100);

#[test]
fn the_kth_write_fails_and_has_no_effect() {
    let fixture = Fixture::bare();
    fixture.mount.arm(Fault::on(Op::Write).path("**/mgmt").at(2).fail(Errno::EBUSY));
    fixture.write("threads", "2").unwrap();
    fixture.write(NULLIO, "add_device d1").unwrap();
    assert_eq!(errno(fixture.write(NULLIO, "add_device d2")), Errno::EBUSY);
    fixture.write(NULLIO, "add_device d3").unwrap();
    assert_eq!(fixture.names("devices"), ["d1", "d3"]);
}

#[test]
fn a_persistent_fault_strikes_until_it_is_disarmed() {
    let fixture = Fixture::bare();
    fixture.mount.arm(Fault::on(Op::Read).path("kernel/scst_tgt/threads").from(2).fail(Errno::EIO));
    assert!(fixture.read("threads").is_ok());
    assert_eq!(errno(fixture.read("threads")), Errno::EIO);
    assert_eq!(errno(fixture.read("threads")), Errno::EIO);
    fixture.mount.disarm();
    assert!(fixture.read("threads").is_ok());
}

#[test]
fn opening_listing_and_following_links_can_fail() {
    let fixture = Fixture::bare();
    fixture.write(NULLIO, "add_device d1").unwrap();
    fixture.mount.arm(Fault::on(Op::Open).path("**/block").fail(Errno::EMFILE));
    fixture.mount.arm(Fault::on(Op::List).path("**/devices").fail(Errno::EIO));
    fixture.mount.arm(Fault::on(Op::Readlink).path("**/handler").fail(Errno::ENOMEM));
    assert_eq!(errno(fixture.read("devices/d1/block")), Errno::EMFILE);
    let listing = fs::read_dir(fixture.path("devices")).unwrap().collect::<Result<Vec<_>, _>>();
    assert_eq!(errno(listing), Errno::EIO);
    assert_eq!(errno(fs::read_dir(fixture.path("devices/d1/handler"))), Errno::ENOMEM);
    assert_eq!(fixture.names("devices"), ["d1"]);
}

#[test]
fn a_queued_command_is_carried_out_later() {
    let fixture = Fixture::bare();
    fixture.mount.arm(Fault::on(Op::Write).action(Action::Queue(LONG, None)));
    assert_eq!(errno(fixture.write(NULLIO, "add_device d1")), Errno::EAGAIN);
    assert!(fixture.names("devices").is_empty());
    assert_eq!(errno(fixture.read(LAST)), Errno::EAGAIN);
    fixture.mount.skip(LONG);
    assert_eq!(fixture.names("devices"), ["d1"]);
    assert_eq!(fixture.read(LAST).unwrap(), "0\n");
}

#[test]
fn a_queued_command_fails_later() {
    let fixture = Fixture::bare();
    fixture.mount.arm(Fault::on(Op::Write).action(Action::Queue(LONG, Some(Errno::EIO))));
    assert_eq!(errno(fixture.write(NULLIO, "add_device d1")), Errno::EAGAIN);
    fixture.mount.skip(LONG);
    assert!(fixture.names("devices").is_empty());
    assert_eq!(fixture.read(LAST).unwrap(), "-5\n");
    fixture.write(NULLIO, "add_device d2").unwrap();
    assert_eq!(fixture.read(LAST).unwrap(), "0\n");
}

#[test]
fn a_delayed_operation_takes_effect_late() {
    let fixture = Fixture::bare();
    fixture.mount.arm(Fault::on(Op::Write).action(Action::Delay(Duration::from_millis(300))));
    fixture.mount.arm(Fault::on(Op::Open).path("**/threads").action(Action::Delay(Duration::from_millis(200))));
    let begin = Instant::now();
    fixture.write(NULLIO, "add_device d1").unwrap();
    assert!(begin.elapsed() >= Duration::from_millis(300));
    fixture.read("threads").unwrap();
    assert!(begin.elapsed() >= Duration::from_millis(500));
    assert_eq!(fixture.names("devices"), ["d1"]);
}

#[test]
fn what_hangs_goes_on_when_released() {
    let fixture = Fixture::bare();
    fixture.mount.arm(Fault::on(Op::Write).action(Action::Hang));
    let writer = fixture.start_until(ADD, 1);
    assert!(fixture.names("devices").is_empty());
    assert_eq!(fixture.mount.writes()[0].result, None);
    assert_eq!(fixture.mount.release(), 1);
    assert!(writer.wait_with_output().unwrap().status.success());
    assert_eq!(fixture.names("devices"), ["d1"]);
}

#[test]
fn a_killed_writer_of_a_hanging_command_leaves_the_command_behind() {
    let fixture = Fixture::bare();
    fixture.mount.arm(Fault::on(Op::Write).action(Action::Hang));
    let mut writer = fixture.start_until(ADD, 1);
    writer.kill().unwrap();
    writer.wait().unwrap();
    fixture.until(|| fixture.mount.waiting() == 0);
    assert!(fixture.names("devices").is_empty());
    assert_eq!(errno(fixture.read(LAST)), Errno::EAGAIN);
    assert_eq!(fixture.mount.release(), 1);
    assert_eq!(fixture.names("devices"), ["d1"]);
}

#[test]
fn a_killed_reader_leaves_nothing_behind() {
    let fixture = Fixture::bare();
    fixture.mount.arm(Fault::on(Op::Read).path("**/threads").action(Action::Hang));
    let mut reader = fixture.start_until("exec cat threads", 1);
    reader.kill().unwrap();
    reader.wait().unwrap();
    fixture.until(|| fixture.mount.waiting() == 0);
    assert_eq!(fixture.mount.release(), 0);
}

#[test]
fn a_writer_is_killed_before_or_after_its_command() {
    let fixture = Fixture::bare();
    fixture.mount.arm(Fault::on(Op::Write).process("bash").action(Action::Kill(Signal::SIGKILL, When::Before)));
    assert_eq!(fixture.run(&format!("{ADD}; echo survived")).status.code(), None);
    assert!(fixture.names("devices").is_empty());
    fixture.mount.disarm();
    fixture.mount.arm(Fault::on(Op::Write).process("bash").action(Action::Kill(Signal::SIGKILL, When::After)));
    let (code, out, _) = said(&fixture.run(&format!("{ADD}; echo survived")));
    assert_eq!((code, out.as_str()), (None, ""));
    assert_eq!(fixture.names("devices"), ["d1"]);
}

#[test]
fn a_writer_can_be_asked_to_end() {
    let fixture = Fixture::bare();
    fixture.mount.arm(Fault::on(Op::Write).at(2).action(Action::Kill(Signal::SIGTERM, When::After)));
    let script = "trap 'echo del_device d2 > handlers/vdisk_nullio/mgmt; exit 9' TERM
         echo add_device d1 > handlers/vdisk_nullio/mgmt
         echo add_device d2 > handlers/vdisk_nullio/mgmt
         echo add_device d3 > handlers/vdisk_nullio/mgmt";
    assert_eq!(fixture.run(script).status.code(), Some(9));
    assert_eq!(fixture.names("devices"), ["d1"]);
}

#[test]
fn other_processes_are_spared() {
    let fixture = Fixture::bare();
    fixture.mount.arm(Fault::on(Op::Any).process("cat").from(1).fail(Errno::EIO));
    let (code, out, err) = said(&fixture.run("head -1 threads; cat threads; ls devices"));
    assert_eq!((code, out.as_str()), (Some(0), "1\n"));
    assert!(err.contains("Input/output error"), "{err}");
}

#[test]
fn a_fault_that_can_reach_nobody_is_reported() {
    let fixture = Fixture::bare();
    // This test is itself the process that writes; it must survive.
    fixture.mount.arm(Fault::on(Op::Write).action(Action::Kill(Signal::SIGKILL, When::After)));
    fixture.write("threads", "2").unwrap();
    assert_eq!(fixture.mount.unknowns().len(), 1);
}
