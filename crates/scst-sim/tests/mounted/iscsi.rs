//! iSCSI targets: the daemon behind them, users and portals, and what initiators get.

use std::io;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::fixture::{Fixture, errno, said};

const DISK: &str = "iqn.2026-11.org.example:disk";
const MGMT: &str = "targets/iscsi/mgmt";
const HOST: &str = "iqn.2026-11.org.example:host";

/// A machine with the daemon and the target, which has a LUN.
fn machine() -> String {
    include_str!("../data/iscsi-target.toml").replace("NAME", DISK)
}

fn fixture() -> Fixture {
    Fixture::of(&machine())
}

/// A file of the target.
fn of_disk(file: &str) -> String {
    format!("targets/iscsi/{DISK}/{file}")
}

/// What a login by these words comes to: the session, or the exit code of open-iscsi.
fn login(fixture: &Fixture, words: &str) -> Result<String, String> {
    fixture.mount.control(&format!("login iscsi {DISK} {HOST} {words}")).map_err(|refused| {
        let code = refused.reason.split_once("iscsiadm exit ").and_then(|(_, rest)| rest.split(':').next());
        code.unwrap_or(&refused.reason).to_owned()
    })
}

fn command(fixture: &Fixture, command: &str) {
    fixture.mount.control(command).unwrap_or_else(|error| panic!("{command}: {error}"));
}

#[test]
fn an_initiator_gets_in_by_an_allowed_portal_with_the_right_secret() {
    let fixture = fixture();
    fixture.write(MGMT, &format!("add_target_attribute {DISK} IncomingUser ann sesame-and-more")).unwrap();
    fixture.write(MGMT, &format!("add_target_attribute {DISK} allowed_portal 192.0.2.*")).unwrap();
    let by = |words: &str| login(&fixture, &format!("portal=192.0.2.7 from=192.0.2.8 {words}"));
    assert_eq!(by(""), Err("24".to_owned()));
    assert_eq!(by("user=ann secret=sesame-and-less"), Err("24".to_owned()));
    assert_eq!(login(&fixture, "portal=198.51.100.1 user=ann secret=sesame-and-more"), Err("19".to_owned()));
    assert_eq!(login(&fixture, "portal=192.0.2.7:3261 user=ann secret=sesame-and-more"), Err("8".to_owned()));
    assert_eq!(by("user=ann secret=sesame-and-more"), Ok(HOST.to_owned()));
    assert_eq!(by("user=ann secret=sesame-and-more"), Ok(format!("{HOST}_1")));
    let connection = of_disk(&format!("sessions/{HOST}/192.0.2.8/target_ip"));
    assert_eq!(fixture.read(&connection).unwrap(), "192.0.2.7");
    // The target proves itself too, if it is asked to.
    assert_eq!(by("user=ann secret=sesame-and-more user_in=disk secret_in=open-it-please"), Err("24".to_owned()));
    fixture.write(MGMT, &format!("add_target_attribute {DISK} OutgoingUser disk open-it-please")).unwrap();
    assert_eq!(by("user=ann secret=sesame-and-more user_in=disk secret_in=open-it-now!"), Err("19".to_owned()));
    assert!(by("user=ann secret=sesame-and-more user_in=disk secret_in=open-it-please").is_ok());
}

#[test]
fn what_is_off_or_absent_tells_by_the_exit_code() {
    let fixture = fixture();
    let discovers = |fixture: &Fixture| {
        fixture.mount.control(&format!("discover {HOST} portal=192.0.2.7")).map_err(|refused| refused.reason)
    };
    assert_eq!(discovers(&fixture), Ok(format!("192.0.2.7:3260,1 {DISK}")));
    fixture.write(&of_disk("enabled"), "0").unwrap();
    assert_eq!(login(&fixture, ""), Err("11".to_owned()));
    assert!(discovers(&fixture).is_err_and(|reason| reason.contains("iscsiadm exit 21")));
    fixture.write(&of_disk("enabled"), "1").unwrap();
    fixture.write("targets/iscsi/enabled", "0").unwrap();
    assert_eq!(login(&fixture, ""), Err("11".to_owned()));
    assert!(discovers(&fixture).is_err_and(|reason| reason.contains("iscsiadm exit 19")));
    fixture.write("targets/iscsi/enabled", "1").unwrap();
    fixture.write(&of_disk("luns/mgmt"), "clear").unwrap();
    assert_eq!(login(&fixture, ""), Err("19".to_owned()));
    fixture.write(&of_disk("luns/mgmt"), "add d1 5").unwrap();
    fixture.write(&of_disk("MaxSessions"), "1").unwrap();
    assert!(login(&fixture, "").is_ok());
    assert_eq!(login(&fixture, ""), Err("8".to_owned()));
    command(&fixture, "iscsi-daemon stop");
    assert_eq!(login(&fixture, ""), Err("8".to_owned()));
}

#[test]
fn a_lost_session_comes_back_unless_its_initiator_logged_out() {
    let fixture = fixture();
    let session = login(&fixture, "").unwrap();
    let sessions = of_disk("sessions");
    assert_eq!(errno(fixture.write(MGMT, &format!("del_target {DISK}"))), Errno::EBUSY);
    fixture.write(&of_disk(&format!("sessions/{session}/force_close")), "1").unwrap();
    assert!(fixture.names(&sessions).is_empty());
    fixture.mount.skip(Duration::from_secs(6));
    assert_eq!(fixture.names(&sessions), [session.as_str()]);
    // Disabled first, it stays away, and the target can be deleted.
    fixture.write(&of_disk("enabled"), "0").unwrap();
    assert_eq!(fixture.names(&sessions), [session.as_str()], "a session does not mind");
    fixture.write(&of_disk(&format!("sessions/{session}/force_close")), "1").unwrap();
    fixture.mount.skip(Duration::from_mins(1));
    fixture.write(MGMT, &format!("del_target {DISK}")).unwrap();
    fixture.mount.skip(Duration::from_mins(1));
    for (file, data) in [(MGMT.to_owned(), format!("add_target {DISK}")), (of_disk("luns/mgmt"), "add d1 0".to_owned())]
    {
        fixture.write(&file, &data).unwrap();
    }
    fixture.write(&of_disk("enabled"), "1").unwrap();
    fixture.mount.skip(Duration::from_secs(6));
    assert_eq!(fixture.names(&sessions), [session.as_str()]);
    command(&fixture, &format!("logout iscsi {DISK} {session}"));
    fixture.mount.skip(Duration::from_mins(1));
    assert!(fixture.names(&sessions).is_empty());
}

#[test]
fn the_daemon_takes_its_targets_along_and_goes_on_counting() {
    let fixture = fixture();
    assert_eq!(fixture.read(&of_disk("tid")).unwrap(), "1\n");
    command(&fixture, "iscsi-daemon stop");
    assert_eq!(fixture.read("targets/iscsi/open_state").unwrap(), "closed\n");
    assert_eq!(fixture.names("targets/iscsi"), ["mgmt", "open_state", "trace_level", "version"]);
    assert_eq!(errno(fixture.write(MGMT, "add_target x")), Errno::EPERM);
    assert_eq!(errno(fixture.write(MGMT, "del_target x")), Errno::ENOENT);
    assert!(fixture.mount.control("iscsi-daemon hang").is_err());
    command(&fixture, "iscsi-daemon start");
    assert!(fixture.mount.control("iscsi-daemon start").is_err(), "there is one");
    assert_eq!(fixture.read("targets/iscsi/enabled").unwrap(), "0\n\n");
    fixture.write(MGMT, "add_target x").unwrap();
    assert_eq!(fixture.read("targets/iscsi/x/tid").unwrap(), "2\n");
}

/// The errno of what a waiting process was answered, by the text the shell prints.
fn busy(output: &std::process::Output) -> bool {
    said(output).2.contains("Device or resource busy")
}

#[test]
fn who_asks_a_hanging_daemon_waits_for_thirty_seconds() {
    let fixture = fixture();
    command(&fixture, "iscsi-daemon hang");
    for (file, content) in [("enabled", "1\n"), ("tid", "1\n"), ("io_grouping_type", "auto\n")] {
        assert_eq!(fixture.read(&of_disk(file)).unwrap(), content, "{file}");
    }
    fixture.write(&of_disk("rel_tgt_id"), "44").unwrap();
    fixture.write(&of_disk("ini_groups/mgmt"), "create g").unwrap();
    assert_eq!(login(&fixture, ""), Err("11".to_owned()));
    let reader = fixture.start_until(&format!("cat {}", of_disk("alias")), 1);
    let setter = fixture.start_until(&format!("echo late > {}", of_disk("alias")), 2);
    let switch = fixture.start_until(&format!("echo 0 > {}", of_disk("enabled")), 3);
    let user = fixture.start_until(&format!("echo add_attribute IncomingUser joe 12charsecret1 > {MGMT}"), 4);
    fixture.mount.skip(Duration::from_secs(29));
    assert_eq!(fixture.mount.waiting(), 4);
    fixture.mount.skip(Duration::from_secs(2));
    for child in [reader, setter, switch, user] {
        assert!(busy(&child.wait_with_output().unwrap()));
    }
    assert_eq!(fixture.read("last_sysfs_mgmt_res").unwrap(), "-16\n");
    // It finds what it was asked; what the kernel has to agree to does not come true any more.
    command(&fixture, "iscsi-daemon continue");
    assert_eq!(fixture.read(&of_disk("enabled")).unwrap(), "1\n");
    assert_eq!(errno(fixture.read("targets/iscsi/IncomingUser")), Errno::ENOENT);
    assert_eq!(fixture.read(&of_disk("alias")).unwrap(), "late\n[key]\n\n");
    assert!(login(&fixture, "").is_ok());
}

#[test]
fn a_daemon_that_goes_on_in_time_answers_everybody_in_order() {
    let fixture = fixture();
    command(&fixture, "iscsi-daemon hang");
    let reader = fixture.start_until(&format!("cat {}", of_disk("QueuedCommands")), 1);
    let setter = fixture.start_until(&format!("echo 7 > {}", of_disk("QueuedCommands")), 2);
    let target = fixture.start_until(&format!("echo add_target other QueuedCommands=9 > {MGMT}"), 3);
    fixture.mount.skip(Duration::from_secs(20));
    assert_eq!(errno(fixture.read("last_sysfs_mgmt_res")), Errno::EAGAIN);
    command(&fixture, "iscsi-daemon continue");
    assert_eq!(said(&reader.wait_with_output().unwrap()).1, "32\n");
    for child in [setter, target] {
        assert_eq!(said(&child.wait_with_output().unwrap()).0, Some(0));
    }
    assert_eq!(fixture.read(&of_disk("QueuedCommands")).unwrap(), "7\n[key]\n\n");
    assert_eq!(fixture.read("targets/iscsi/other/QueuedCommands").unwrap(), "9\n[key]\n\n");
    assert_eq!(fixture.read("last_sysfs_mgmt_res").unwrap(), "0\n");
}

#[test]
fn a_signal_makes_the_wait_for_the_daemon_endless() {
    let fixture = fixture();
    command(&fixture, "iscsi-daemon hang");
    let mut reader = fixture.start_until(&format!("cat {}", of_disk("alias")), 1);
    kill(Pid::from_raw(reader.id().cast_signed()), Signal::SIGKILL).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    fixture.mount.skip(Duration::from_mins(5));
    assert_eq!(fixture.mount.waiting(), 1, "bash is gone, cat is not");
    // A queued command lets its writer go.
    let mut writer = fixture.start_until(&format!("exec echo add_target other > {MGMT}"), 2);
    kill(Pid::from_raw(writer.id().cast_signed()), Signal::SIGKILL).unwrap();
    writer.wait().unwrap();
    command(&fixture, "iscsi-daemon continue");
    fixture.until(|| fixture.mount.waiting() == 0);
    let _ = reader.wait();
    assert!(fixture.path("targets/iscsi/other").is_dir());
}

#[test]
fn a_second_outgoing_user_breaks_the_first() {
    let fixture = fixture();
    let add =
        |name: &str| fixture.write(MGMT, &format!("add_target_attribute {DISK} OutgoingUser {name} 12charsecret1"));
    add("one").unwrap();
    assert_eq!(errno(add("two")), Errno::EEXIST);
    assert_eq!(errno(fixture.read(&of_disk("OutgoingUser"))), Errno::EINVAL);
    let delete = |name: &str| fixture.write(MGMT, &format!("del_target_attribute {DISK} OutgoingUser {name}"));
    assert_eq!(errno(delete("one")), Errno::ENOENT);
    assert_eq!(errno(delete("two")), Errno::ENOENT);
    assert!(fixture.names(&format!("targets/iscsi/{DISK}")).contains(&"OutgoingUser".to_owned()));
    let owners_only = |file: &str| -> io::Result<u32> {
        use std::os::unix::fs::PermissionsExt;
        Ok(fixture.path(file).metadata()?.permissions().mode() & 0o777)
    };
    assert_eq!(owners_only(&of_disk("OutgoingUser")).unwrap(), 0o600);
}

#[test]
fn a_scenario_has_sessions_by_portal_and_a_daemon_that_hangs() {
    let scenario = machine().replace("iscsi_daemon = true", "iscsi_daemon = \"hanging\"")
        + &format!(
            "[[session]]\ndriver = \"iscsi\"\ntarget = \"{DISK}\"\ninitiator = \"{HOST}\"\nportal = \"192.0.2.7\"\n"
        );
    let fixture = Fixture::of(&scenario);
    assert_eq!(fixture.names(&of_disk("sessions")), [HOST]);
    assert_eq!(fixture.read(&of_disk(&format!("sessions/{HOST}/127.0.0.1/target_ip"))).unwrap(), "192.0.2.7");
    assert_eq!(login(&fixture, ""), Err("11".to_owned()));
}
