//! Persistent reservations of hosts, the files that keep them, and the cluster they are shared in.

use std::fs;

use nix::errno::Errno;

use crate::fixture::{BARE, Fixture, errno};

const HOSTS: [&str; 2] = ["50:01:43:80:03:b0:23:34", "50:01:43:80:03:b0:23:35"];
const PORT: &str = "21:00:00:24:ff:60:d0:10";
const NULLIO: &str = "handlers/vdisk_nullio/mgmt";

/// A port with a LUN that two hosts see.
fn machine(extra: &str) -> Fixture {
    let bare = BARE.split_once("[[file]]").expect("the directory of reservations comes last").0;
    let fixture = Fixture::of(&format!("{extra}\n{bare}"));
    with_hosts(&fixture);
    fixture
}

fn with_hosts(fixture: &Fixture) {
    fixture.write(NULLIO, "add_device d1").unwrap();
    let port = format!("targets/qla2x00t/{PORT}");
    fixture.write(&format!("{port}/luns/mgmt"), "add d1 0").unwrap();
    if fixture.read(&format!("{port}/enabled")).unwrap() == "0\n" {
        fixture.write(&format!("{port}/rel_tgt_id"), "7").unwrap();
        fixture.write(&format!("{port}/enabled"), "1").unwrap();
    }
    for host in HOSTS {
        fixture.mount.control(&format!("login qla2x00t {PORT} {host}")).unwrap();
    }
}

fn without_hosts(fixture: &Fixture) {
    for host in HOSTS {
        fixture.mount.control(&format!("logout qla2x00t {PORT} {host}")).unwrap();
    }
    fixture.write(NULLIO, "del_device d1").unwrap();
}

fn pr(fixture: &Fixture, host: usize, command: &str) -> String {
    fixture.mount.control(&format!("pr qla2x00t {PORT} {} 0 {command}", HOSTS[host])).unwrap()
}

fn state(fixture: &Fixture) -> String {
    fixture.read("devices/d1/pr_state").unwrap()
}

fn var_lib() -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("pr")).unwrap();
    let line = format!("var_lib = \"{}\"", dir.path().display());
    (dir, line)
}

#[test]
fn registrations_survive_a_new_device_in_two_files_only_if_they_are_meant_to() {
    let (dir, line) = var_lib();
    let (first, second) = (dir.path().join("pr/d1"), dir.path().join("pr/d1.1"));
    let fixture = machine(&line);
    assert_eq!(pr(&fixture, 0, "register 0 abc"), "good");
    assert!(!first.exists());
    without_hosts(&fixture);
    with_hosts(&fixture);
    assert_eq!(state(&fixture), "version 1\ngeneration 0\n");

    assert_eq!(pr(&fixture, 0, "register 0 abc aptpl"), "good");
    assert_eq!(fs::metadata(&first).unwrap().len(), 55);
    assert_eq!(pr(&fixture, 1, "register 0 def aptpl"), "good");
    assert_eq!(pr(&fixture, 0, "reserve abc 5"), "good");
    assert_eq!((fs::metadata(&first).unwrap().len(), fs::metadata(&second).unwrap().len()), (90, 90));
    assert_eq!(pr(&fixture, 1, "reserve def 5"), "conflict");
    let before = state(&fixture);
    assert!(before.contains("reservation 05 00\nregistrant 7 0000000000000abc 1 24 00"), "{before}");
    without_hosts(&fixture);
    with_hosts(&fixture);
    assert_eq!(state(&fixture), before.replace("generation 2", "generation 0"));
    // The hosts are known again by the names of their ports.
    assert_eq!(pr(&fixture, 1, "preempt def abc 6"), "good");
    assert_eq!(pr(&fixture, 0, "keys"), "check 6/2a/05", "the other one is told");
    assert_eq!(pr(&fixture, 0, "keys"), "generation 1 keys 0000000000000def");
    assert_eq!(pr(&fixture, 1, "clear def"), "good");
    assert!(!first.exists() && !second.exists());
}

#[test]
fn two_damaged_files_refuse_the_device_and_one_costs_the_last_step() {
    let (dir, line) = var_lib();
    let (first, second) = (dir.path().join("pr/d1"), dir.path().join("pr/d1.1"));
    let fixture = machine(&line);
    pr(&fixture, 0, "register 0 abc aptpl");
    pr(&fixture, 0, "reserve abc 3");
    without_hosts(&fixture);
    fs::write(&first, "rubbish\n").unwrap();
    fixture.write(NULLIO, "add_device d1").unwrap();
    assert!(
        state(&fixture).starts_with("version 1\ngeneration 0\nregistrant 7 0000000000000abc 0 "),
        "{}",
        state(&fixture)
    );
    fixture.write(NULLIO, "del_device d1").unwrap();
    fs::write(&second, "rubbish\n").unwrap();
    assert_eq!(errno(fixture.write(NULLIO, "add_device d1")), Errno::EINVAL);
    assert!(fixture.names("devices").is_empty());
    fs::remove_file(second).unwrap();
    assert_eq!(errno(fixture.write(NULLIO, "add_device d1")), Errno::EINVAL, "a damaged file alone refuses it too");
    fs::remove_file(first).unwrap();
    fixture.write(NULLIO, "add_device d1").unwrap();
}

#[test]
fn a_scenario_can_declare_damaged_files_and_the_control_file_removes_them() {
    let files = ["d1", "d1.1"]
        .map(|name| format!("[[file]]\npath = \"/var/lib/scst/pr/{name}\"\nkind = \"regular\"\nsize = 8\n"));
    let fixture = Fixture::of(&format!("{BARE}\n{}", files.concat()));
    assert_eq!(errno(fixture.write(NULLIO, "add_device d1")), Errno::EINVAL);
    fixture.write(NULLIO, "add_device d2").unwrap();
    for name in ["d1", "d1.1"] {
        fixture.mount.control(&format!("file path=/var/lib/scst/pr/{name} kind=missing")).unwrap();
    }
    with_hosts(&fixture);
    // What SCST writes there is kept for this machine only.
    assert_eq!(pr(&fixture, 0, "register 0 abc aptpl"), "good");
    without_hosts(&fixture);
    with_hosts(&fixture);
    assert_eq!(pr(&fixture, 0, "keys"), "generation 0 keys 0000000000000abc");
}

#[test]
fn states_of_the_group_decide_over_reservation_commands_and_lose_nothing() {
    let (_dir, line) = var_lib();
    let fixture = machine(&line);
    for (path, data) in [
        ("device_groups/mgmt", "create dg1"),
        ("device_groups/dg1/devices/mgmt", "add d1"),
        ("device_groups/dg1/target_groups/mgmt", "create tg1"),
        ("device_groups/dg1/target_groups/tg1/mgmt", &format!("add {PORT}")),
    ] {
        fixture.write(path, data).unwrap();
    }
    pr(&fixture, 0, "register 0 abc");
    let keys = "generation 1 keys 0000000000000abc";
    for (name, answer) in [
        ("nonoptimized", keys),
        ("standby", keys),
        ("unavailable", "check 2/04/0c"),
        ("offline", "check 2/04/0c"),
        ("transitioning", "check 2/04/0a"),
        ("active", keys),
    ] {
        fixture.write("device_groups/dg1/target_groups/tg1/state", name).unwrap();
        let first = pr(&fixture, 0, "keys");
        // Where a command gets as far as that, the host is told first that there is another state.
        let got = if first == "check 6/2a/06" { pr(&fixture, 0, "keys") } else { first };
        assert_eq!(got, answer, "{name}");
    }
}

#[test]
fn lockspaces_are_there_where_a_lock_manager_is() {
    let (_dir, line) = var_lib();
    let fixture = machine(&line);
    let lockspaces = || fixture.mount.control("lockspaces").unwrap();
    fixture.write("devices/d1/cluster_mode", "1").unwrap();
    assert_eq!(lockspaces(), "");
    assert_eq!(pr(&fixture, 0, "register 0 abc"), "good");
    fixture.mount.control("dlm start").unwrap();
    let id = fixture.read("devices/d1/t10_dev_id").unwrap();
    assert_eq!(lockspaces(), format!("scst-{}", id.lines().next().unwrap()));
    assert_eq!(pr(&fixture, 0, "keys"), "generation 1 keys 0000000000000abc");
    assert_eq!(errno(fixture.write("devices/d1/t10_dev_id", "x")), Errno::EPERM);
    fixture.write("devices/d1/cluster_mode", "0").unwrap();
    assert_eq!(lockspaces(), "");
}
