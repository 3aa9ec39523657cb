//! The files below `.sim`, used by scripts.

use std::fs;

use crate::fixture::{BARE, Fixture, PORT, errno, said};

fn sim(fixture: &Fixture, name: &str) -> String {
    fs::read_to_string(fixture.mount.dir().join(".sim").join(name)).expect("the control file can be read")
}

fn ctl(fixture: &Fixture, command: &str) -> std::io::Result<()> {
    fs::write(fixture.mount.dir().join(".sim/ctl"), command)
}

#[test]
fn modules_come_and_go() {
    let fixture = Fixture::of("loadable = [\"scst\", \"qla2x00tgt\"]");
    assert!(!fixture.path("").exists());
    assert_eq!(errno(ctl(&fixture, "modprobe scst_vdisk\n")), nix::errno::Errno::ENOENT);
    assert!(sim(&fixture, "ctl").contains("no such module here"));
    ctl(&fixture, "modprobe scst\n").unwrap();
    assert!(fixture.path("devices").is_dir());
    ctl(&fixture, "rmmod scst\n").unwrap();
    assert!(!fixture.path("").exists());
}

#[test]
fn ports_are_plugged_and_pulled() {
    let fixture = Fixture::bare();
    ctl(&fixture, "plug wwpn=21:00:00:24:FF:60:D0:99 speed=\"32 Gbit\" gen32=true\n").unwrap();
    let port = fixture.path("targets/qla2x00t/21:00:00:24:ff:60:d0:99");
    assert!(port.is_dir());
    ctl(&fixture, "unplug 21:00:00:24:ff:60:d0:99\n").unwrap();
    assert!(!port.exists());
}

#[test]
fn other_hardware_comes_and_goes() {
    let fixture = Fixture::of(
        "modules = [\"scst_disk\", \"ib_srpt\", \"qla2x00tgt\", \"iscsi_scst\"]\n[[port]]\nwwpn = \"21:00:00:24:ff:60:d0:10\"",
    );
    let iscsi = "targets/iscsi/mgmt";
    assert_eq!(errno(fixture.write(iscsi, "add_target iqn.2026-11.org.example:t")), nix::errno::Errno::EPERM);
    ctl(&fixture, "iscsi-daemon start").unwrap();
    fixture.write(iscsi, "add_target iqn.2026-11.org.example:t").unwrap();
    ctl(&fixture, "iscsi-daemon stop").unwrap();
    assert!(!fixture.path("targets/iscsi/iqn.2026-11.org.example:t").exists());

    ctl(&fixture, "plug-target ib_srpt fe80:0000:0000:0000:0002:c903:000f:2a1b").unwrap();
    assert!(fixture.path("targets/ib_srpt/fe80:0000:0000:0000:0002:c903:000f:2a1b/luns").is_dir());
    ctl(&fixture, "plug-disk 3:0:0:1").unwrap();
    assert_eq!(fixture.names("devices"), ["3:0:0:1"]);
    ctl(&fixture, "unplug-disk 3:0:0:1").unwrap();
    assert!(fixture.names("devices").is_empty());

    let host = fixture.mount.dir().join("class/fc_host/host0");
    ctl(&fixture, "port-state 21:00:00:24:ff:60:d0:10 Linkdown").unwrap();
    assert_eq!(fs::read_to_string(host.join("port_state")).unwrap(), "Linkdown\n");
    fs::write(host.join("issue_lip"), "1").unwrap();
    ctl(&fixture, "lips 0").unwrap();
    assert_eq!(sim(&fixture, "ctl"), "1\n");
}

#[test]
fn initiators_log_in_and_use_luns() {
    let fixture = Fixture::bare();
    fixture.write("handlers/vdisk_nullio/mgmt", "add_device d1").unwrap();
    fixture.write(&format!("{PORT}/luns/mgmt"), "add d1 0").unwrap();
    fixture.write(&format!("{PORT}/enabled"), "1").unwrap();
    let place = PORT.strip_prefix("targets/").unwrap().replace('/', " ");
    ctl(&fixture, &format!("login {place} 50:01:43:80:03:b0:23:34")).unwrap();
    assert_eq!(sim(&fixture, "ctl"), "50:01:43:80:03:b0:23:34\n");
    assert_eq!(fixture.names(&format!("{PORT}/sessions")), ["50:01:43:80:03:b0:23:34"]);
    ctl(&fixture, &format!("io start {place} 50:01:43:80:03:b0:23:34 0")).unwrap();
    let id = sim(&fixture, "ctl").trim().to_owned();
    ctl(&fixture, &format!("io done {id}")).unwrap();
    assert_eq!(sim(&fixture, "ctl"), "no\n");
    ctl(&fixture, &format!("io finish {id}")).unwrap();
    ctl(&fixture, &format!("io done {id}")).unwrap();
    assert_eq!(sim(&fixture, "ctl"), "yes\n");
    ctl(&fixture, &format!("logout {place} 50:01:43:80:03:b0:23:34")).unwrap();
    assert!(fixture.names(&format!("{PORT}/sessions")).is_empty());
}

#[test]
fn disks_change_under_a_running_machine() {
    let fixture = Fixture::of(&format!(
        "{BARE}\n[[file]]\npath = \"/dev/drbd7\"\nkind = \"block\"\nsize = 1048576\nopen_error = \"EMEDIUMTYPE\"\n"
    ));
    let add = "add_device d1 filename=/dev/drbd7";
    assert!(fixture.write("handlers/vdisk_blockio/mgmt", &format!("{add}; active=0")).is_ok());
    assert_eq!(errno(fixture.write("devices/d1/active", "1")), nix::errno::Errno::EMEDIUMTYPE);
    ctl(&fixture, "file path=/dev/drbd7 kind=block size=1048576").unwrap();
    fixture.write("devices/d1/active", "1").unwrap();
    assert!(fixture.read("devices/d1/active").unwrap().starts_with('1'));
}

#[test]
fn faults_are_armed_listed_and_disarmed() {
    let fixture = Fixture::bare();
    ctl(&fixture, "fault op=write path=**/threads at=2 action=fail errno=EBUSY").unwrap();
    let (code, _, err) = said(&fixture.run("echo 2 > threads; echo 3 > threads"));
    assert_eq!(code, Some(1));
    assert!(err.contains("Device or resource busy"), "{err}");
    assert_eq!(sim(&fixture, "faults"), "op=write path=**/threads at=2 action=fail errno=EBUSY seen=2 struck=1\n");
    ctl(&fixture, "disarm").unwrap();
    assert_eq!(sim(&fixture, "faults"), "");
}

#[test]
fn what_is_written_is_listed_in_order() {
    let fixture = Fixture::bare();
    let output = fixture.run("echo $$; echo 2 > threads; echo x > threads");
    let (_, out, _) = said(&output);
    let pid = out.trim();
    let expected =
        format!("{pid} bash kernel/scst_tgt/threads \"2\\n\" ok\n{pid} bash kernel/scst_tgt/threads \"x\\n\" EINVAL\n");
    assert_eq!(sim(&fixture, "writes"), expected);
    ctl(&fixture, "reset-counters").unwrap();
    assert_eq!(sim(&fixture, "writes"), "");
    assert_eq!(sim(&fixture, "counters"), "total opens=0 reads=0 writes=0 lists=0 lookups=0 readlinks=0\n");
}

#[test]
fn operations_are_counted_by_process_and_path_and_below_sim_not_at_all() {
    let fixture = Fixture::bare();
    fixture.write("handlers/vdisk_nullio/mgmt", "add_device d1").unwrap();
    fixture.mount.reset_counters();
    fixture
        .run("cat devices/d1/block; cat devices/d1/block; ls devices; readlink devices/d1/handler; cat ../../.sim/*");
    let counters = fixture.mount.counters();
    assert_eq!(counters.of_program("cat").reads, 2);
    assert_eq!(counters.of_program("cat").opens, 2);
    assert_eq!(counters.of_program("ls").lists, 1);
    assert_eq!(counters.of_program("readlink").readlinks, 1);
    assert_eq!(counters.by_path[&b"kernel/scst_tgt/devices/d1/block"[..]].reads, 2);
    assert_eq!((counters.total.reads, counters.total.writes), (2, 0));
    assert!(counters.by_path.keys().all(|path| !path.starts_with(b".sim")));
}

#[test]
fn a_wrong_command_is_explained() {
    let fixture = Fixture::bare();
    assert_eq!(errno(ctl(&fixture, "fly away\n")), nix::errno::Errno::EINVAL);
    let answer = sim(&fixture, "ctl");
    assert!(answer.starts_with("fly away: \"fly\" with 1 words is no command"), "{answer}");
    assert!(answer.contains("\nmodprobe MODULE"), "{answer}");
    assert_eq!(errno(fs::write(fixture.mount.dir().join(".sim/tree"), "")), nix::errno::Errno::EACCES);
}
