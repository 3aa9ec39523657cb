//! The files below `.sim`, used by scripts.

use std::fs;

use crate::world::{BARE, PORT, World, errno, said};

fn sim(world: &World, name: &str) -> String {
    fs::read_to_string(world.mount.dir().join(".sim").join(name)).expect("the control file can be read")
}

fn ctl(world: &World, command: &str) -> std::io::Result<()> {
    fs::write(world.mount.dir().join(".sim/ctl"), command)
}

#[test]
fn modules_come_and_go() {
    let world = World::of("loadable = [\"scst\", \"qla2x00tgt\"]");
    assert!(!world.path("").exists());
    assert_eq!(errno(ctl(&world, "modprobe scst_vdisk\n")), nix::errno::Errno::ENOENT);
    assert!(sim(&world, "ctl").contains("no such module here"));
    ctl(&world, "modprobe scst\n").unwrap();
    assert!(world.path("devices").is_dir());
    ctl(&world, "rmmod scst\n").unwrap();
    assert!(!world.path("").exists());
}

#[test]
fn ports_are_plugged_and_pulled() {
    let world = World::bare();
    ctl(&world, "plug wwpn=21:00:00:24:FF:60:D0:99 speed=\"32 Gbit\" gen32=true\n").unwrap();
    let port = world.path("targets/qla2x00t/21:00:00:24:ff:60:d0:99");
    assert!(port.is_dir());
    ctl(&world, "unplug 21:00:00:24:ff:60:d0:99\n").unwrap();
    assert!(!port.exists());
}

#[test]
fn other_hardware_comes_and_goes() {
    let world = World::of(
        "modules = [\"scst_disk\", \"ib_srpt\", \"qla2x00tgt\", \"iscsi_scst\"]\n[[port]]\nwwpn = \"21:00:00:24:ff:60:d0:10\"",
    );
    let iscsi = "targets/iscsi/mgmt";
    assert_eq!(errno(world.write(iscsi, "add_target iqn.2026-11.org.example:t")), nix::errno::Errno::EPERM);
    ctl(&world, "iscsi-daemon start").unwrap();
    world.write(iscsi, "add_target iqn.2026-11.org.example:t").unwrap();
    ctl(&world, "iscsi-daemon stop").unwrap();
    assert!(!world.path("targets/iscsi/iqn.2026-11.org.example:t").exists());

    ctl(&world, "plug-target ib_srpt fe80:0000:0000:0000:0002:c903:000f:2a1b").unwrap();
    assert!(world.path("targets/ib_srpt/fe80:0000:0000:0000:0002:c903:000f:2a1b/luns").is_dir());
    ctl(&world, "plug-disk 3:0:0:1").unwrap();
    assert_eq!(world.names("devices"), ["3:0:0:1"]);
    ctl(&world, "unplug-disk 3:0:0:1").unwrap();
    assert!(world.names("devices").is_empty());

    let host = world.mount.dir().join("class/fc_host/host0");
    ctl(&world, "port-state 21:00:00:24:ff:60:d0:10 Linkdown").unwrap();
    assert_eq!(fs::read_to_string(host.join("port_state")).unwrap(), "Linkdown\n");
    fs::write(host.join("issue_lip"), "1").unwrap();
    ctl(&world, "lips 0").unwrap();
    assert_eq!(sim(&world, "ctl"), "1\n");
}

#[test]
fn initiators_log_in_and_use_luns() {
    let world = World::bare();
    world.write("handlers/vdisk_nullio/mgmt", "add_device d1").unwrap();
    world.write(&format!("{PORT}/luns/mgmt"), "add d1 0").unwrap();
    world.write(&format!("{PORT}/enabled"), "1").unwrap();
    let place = PORT.strip_prefix("targets/").unwrap().replace('/', " ");
    ctl(&world, &format!("login {place} 50:01:43:80:03:b0:23:34")).unwrap();
    assert_eq!(sim(&world, "ctl"), "50:01:43:80:03:b0:23:34\n");
    assert_eq!(world.names(&format!("{PORT}/sessions")), ["50:01:43:80:03:b0:23:34"]);
    ctl(&world, &format!("io start {place} 50:01:43:80:03:b0:23:34 0")).unwrap();
    let id = sim(&world, "ctl").trim().to_owned();
    ctl(&world, &format!("io done {id}")).unwrap();
    assert_eq!(sim(&world, "ctl"), "no\n");
    ctl(&world, &format!("io finish {id}")).unwrap();
    ctl(&world, &format!("io done {id}")).unwrap();
    assert_eq!(sim(&world, "ctl"), "yes\n");
    ctl(&world, &format!("logout {place} 50:01:43:80:03:b0:23:34")).unwrap();
    assert!(world.names(&format!("{PORT}/sessions")).is_empty());
}

#[test]
fn disks_change_under_a_running_machine() {
    let world = World::of(&format!(
        "{BARE}\n[[file]]\npath = \"/dev/drbd7\"\nkind = \"block\"\nsize = 1048576\nopen_error = \"EMEDIUMTYPE\"\n"
    ));
    let add = "add_device d1 filename=/dev/drbd7";
    assert!(world.write("handlers/vdisk_blockio/mgmt", &format!("{add}; active=0")).is_ok());
    assert_eq!(errno(world.write("devices/d1/active", "1")), nix::errno::Errno::EMEDIUMTYPE);
    ctl(&world, "file path=/dev/drbd7 kind=block size=1048576").unwrap();
    world.write("devices/d1/active", "1").unwrap();
    assert!(world.read("devices/d1/active").unwrap().starts_with('1'));
}

#[test]
fn faults_are_armed_listed_and_disarmed() {
    let world = World::bare();
    ctl(&world, "fault op=write path=**/threads at=2 action=fail errno=EBUSY").unwrap();
    let (code, _, err) = said(&world.run("echo 2 > threads; echo 3 > threads"));
    assert_eq!(code, Some(1));
    assert!(err.contains("Device or resource busy"), "{err}");
    assert_eq!(sim(&world, "faults"), "op=write path=**/threads at=2 action=fail errno=EBUSY seen=2 struck=1\n");
    ctl(&world, "disarm").unwrap();
    assert_eq!(sim(&world, "faults"), "");
}

#[test]
fn what_is_written_is_listed_in_order() {
    let world = World::bare();
    let output = world.run("echo $$; echo 2 > threads; echo x > threads");
    let (_, out, _) = said(&output);
    let pid = out.trim();
    let expected =
        format!("{pid} bash kernel/scst_tgt/threads \"2\\n\" ok\n{pid} bash kernel/scst_tgt/threads \"x\\n\" EINVAL\n");
    assert_eq!(sim(&world, "writes"), expected);
    ctl(&world, "reset-counters").unwrap();
    assert_eq!(sim(&world, "writes"), "");
    assert_eq!(sim(&world, "counters"), "total opens=0 reads=0 writes=0 lists=0 lookups=0 readlinks=0\n");
}

#[test]
fn operations_are_counted_by_process_and_path_and_below_sim_not_at_all() {
    let world = World::bare();
    world.write("handlers/vdisk_nullio/mgmt", "add_device d1").unwrap();
    world.mount.reset_counters();
    world.run("cat devices/d1/block; cat devices/d1/block; ls devices; readlink devices/d1/handler; cat ../../.sim/*");
    let counters = world.mount.counters();
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
    let world = World::bare();
    assert_eq!(errno(ctl(&world, "fly away\n")), nix::errno::Errno::EINVAL);
    let answer = sim(&world, "ctl");
    assert!(answer.starts_with("fly away: \"fly\" with 1 words is no command"), "{answer}");
    assert!(answer.contains("\nmodprobe MODULE"), "{answer}");
    assert_eq!(errno(fs::write(world.mount.dir().join(".sim/tree"), "")), nix::errno::Errno::EACCES);
}
