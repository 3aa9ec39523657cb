//! Block devices below a machine: DRBD roles, sizes, block sizes, disks that go and come back, and what `dev/block` says.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use nix::errno::Errno;

use crate::fixture::{BARE, Fixture, PORT, errno};

const HANDLER: &str = "handlers/vdisk_blockio/mgmt";

fn with_file(words: &str) -> Fixture {
    let fixture = Fixture::bare();
    ctl(&fixture, &format!("file {words}")).unwrap();
    fixture
}

fn ctl(fixture: &Fixture, command: &str) -> Result<String, Errno> {
    fixture.mount.control(command).map_err(|refused| refused.errno)
}

/// The first line of a file below the mount point.
fn sys(fixture: &Fixture, path: &str) -> Result<String, std::io::Error> {
    Ok(fs::read_to_string(fixture.mount.dir().join(path))?.lines().next().unwrap_or_default().to_owned())
}

fn first_line(fixture: &Fixture, path: &str) -> String {
    fixture.read(path).unwrap().lines().next().unwrap_or_default().to_owned()
}

#[test]
fn a_drbd_device_is_opened_by_its_role() {
    let fixture = Fixture::of(&format!(
        "{BARE}\n[[file]]\npath = \"/dev/drbd10\"\nkind = \"block\"\nnumber = \"147:10\"\nsize = 1048576\ndrbd = \"secondary\"\n"
    ));
    let add = "add_device d1 filename=/dev/drbd10";
    assert_eq!(errno(fixture.write(HANDLER, add)), Errno::EROFS);
    assert_eq!(errno(fixture.write("handlers/vdisk_fileio/mgmt", add)), Errno::EROFS);
    assert!(fixture.names("devices").is_empty());

    fixture.write(HANDLER, &format!("{add}; read_only=1")).unwrap();
    assert_eq!(
        (first_line(&fixture, "devices/d1/active"), first_line(&fixture, "devices/d1/size")),
        ("1".into(), "0".into())
    );
    assert_eq!(errno(fixture.write("devices/d1/resync_size", "1")), Errno::EMEDIUMTYPE);
    fixture.write(HANDLER, "del_device d1").unwrap();

    fixture.write(HANDLER, &format!("{add}; active=0")).unwrap();
    assert_eq!(errno(fixture.write("devices/d1/active", "1")), Errno::EROFS);
    // Its size is known without opening it, can be told, and the first opening replaces what was told.
    assert_eq!(sys(&fixture, "dev/block/147:10/size").unwrap(), "2048");
    fixture.write("devices/d1/size", "524288").unwrap();
    assert_eq!(first_line(&fixture, "devices/d1/size"), "524288");
    ctl(&fixture, "store /dev/drbd10 drbd=primary").unwrap();
    fixture.write("devices/d1/active", "1").unwrap();
    assert_eq!(first_line(&fixture, "devices/d1/size"), "1048576");
    assert_eq!(ctl(&fixture, "store /dev/drbd10 drbd=secondary"), Err(Errno::EBUSY), "it is held open");
    fixture.write("devices/d1/active", "0").unwrap();
    ctl(&fixture, "store /dev/drbd10 drbd=secondary").unwrap();
    assert_eq!(errno(fixture.write("devices/d1/active", "1")), Errno::EROFS);
}

#[test]
fn a_disk_is_listed_by_its_number_with_its_limits() {
    let fixture = with_file("path=/dev/sdx kind=block number=4001:16 size=8388608 logical_block=4096");
    ctl(&fixture, "file path=/dev/sdx1 kind=block number=4001:17 size=4096 partition_of=sdx").unwrap();
    let root = fixture.mount.dir();
    assert_eq!(fs::read_link(root.join("dev/block/4001:16")).unwrap(), Path::new("../../devices/virtual/block/sdx"));
    assert_eq!(sys(&fixture, "dev/block/4001:16/size").unwrap(), "16384", "in units of 512 bytes");
    assert_eq!(sys(&fixture, "dev/block/4001:16/queue/logical_block_size").unwrap(), "4096");
    assert_eq!(sys(&fixture, "dev/block/4001:17/size").unwrap(), "8");
    assert!(!root.join("dev/block/4001:17/queue").exists(), "a partition has no queue");
    assert_eq!(sys(&fixture, "dev/block/4001:17/../queue/logical_block_size").unwrap(), "4096");
    ctl(&fixture, "store /dev/sdx size=16777216").unwrap();
    assert_eq!(sys(&fixture, "dev/block/4001:16/size").unwrap(), "32768");
    ctl(&fixture, "store /dev/sdx present=false").unwrap();
    assert!(fs::symlink_metadata(root.join("dev/block/4001:16")).is_err());
    assert_eq!(ctl(&fixture, "store /dev/sdy size=1"), Err(Errno::ENOENT));
}

#[test]
fn a_smaller_block_size_than_the_disks_is_refused_when_it_is_opened() {
    let fixture = with_file("path=/dev/sdx kind=block size=8388608 logical_block=4096");
    assert_eq!(errno(fixture.write(HANDLER, "add_device d1 filename=/dev/sdx")), Errno::EINVAL);
    fixture.write(HANDLER, "add_device d1 filename=/dev/sdx; active=0").unwrap();
    assert_eq!(errno(fixture.write("devices/d1/active", "1")), Errno::EINVAL);
    fixture.write(HANDLER, "del_device d1").unwrap();
    fixture.write(HANDLER, "add_device d1 filename=/dev/sdx; blocksize=4096").unwrap();
    assert_eq!(first_line(&fixture, "devices/d1/size"), "8388608");
}

#[test]
fn a_disk_that_comes_back_is_another_one_with_the_old_size_until_it_is_looked_at() {
    let fixture = with_file("path=/dev/sdx kind=block size=1048576");
    fixture.write(HANDLER, "add_device d1 filename=/dev/sdx").unwrap();
    ctl(&fixture, "store /dev/sdx present=false").unwrap();
    assert_eq!(first_line(&fixture, "devices/d1/active"), "1");
    assert_eq!(errno(fixture.write("devices/d1/resync_size", "1")), Errno::ENOENT);
    fixture.write("devices/d1/active", "0").unwrap();
    assert_eq!(errno(fixture.write("devices/d1/active", "1")), Errno::ENOENT);
    ctl(&fixture, "store /dev/sdx present=true size=2097152").unwrap();
    fixture.write("devices/d1/active", "1").unwrap();
    assert_eq!(first_line(&fixture, "devices/d1/size"), "1048576");
    fixture.write("devices/d1/resync_size", "1").unwrap();
    assert_eq!(first_line(&fixture, "devices/d1/size"), "2097152");
}

#[test]
fn a_device_node_is_made_and_removed_with_its_disk() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("drbd10");
    let fixture = with_file(&format!("path={} kind=block number=4002:10 mknod=true size=512", path.display()));
    let node = fs::metadata(&path).unwrap();
    assert!(node.file_type().is_block_device());
    assert_eq!((nix::sys::stat::major(node.rdev()), nix::sys::stat::minor(node.rdev())), (4002, 10));
    ctl(&fixture, &format!("store {} present=false", path.display())).unwrap();
    assert!(!path.exists());
    ctl(&fixture, &format!("store {} present=true", path.display())).unwrap();
    // A node that is there tells the number to whoever declares it.
    let other = with_file(&format!("path={} kind=block size=1024", path.display()));
    assert_eq!(sys(&other, "dev/block/4002:10/size").unwrap(), "2");
}

/// A device on `/dev/sdx` or `/dev/file`, LUN 0 of an enabled port in a group that is active, and a host that is logged in.
fn with_host(handler: &str, file: &str) -> Fixture {
    let fixture = with_file(file);
    let path = file.split_whitespace().find_map(|word| word.strip_prefix("path=")).unwrap();
    fixture
        .write(&format!("handlers/{handler}/mgmt"), &format!("add_device d1 filename={path}; bind_alua_state=1"))
        .unwrap();
    for (place, data) in [("rel_tgt_id", "1"), ("enabled", "1"), ("luns/mgmt", "add d1 0")] {
        fixture.write(&format!("{PORT}/{place}"), data).unwrap();
    }
    for (place, data) in [
        ("mgmt", "create g"),
        ("g/devices/mgmt", "add d1"),
        ("g/target_groups/mgmt", "create here"),
        ("g/target_groups/here/group_id", "1"),
        ("g/target_groups/here/mgmt", "add 21:00:00:24:ff:60:d0:10"),
    ] {
        fixture.write(&format!("device_groups/{place}"), data).unwrap();
    }
    ctl(&fixture, &format!("login {} {HOST}", port())).unwrap();
    fixture
}

const HOST: &str = "50:01:43:80:03:b0:23:34";
const STATE: &str = "device_groups/g/target_groups/here/state";

fn port() -> String {
    PORT.strip_prefix("targets/").unwrap().replace('/', " ")
}

fn scsi(fixture: &Fixture, command: &str) -> String {
    ctl(fixture, &format!("scsi {} {HOST} 0 {command}", port())).unwrap()
}

#[test]
fn a_host_sees_states_capacity_and_errors_of_the_store() {
    let fixture = with_host("vdisk_blockio", "path=/dev/sdx kind=block size=1048576 discard=true");
    assert_eq!(scsi(&fixture, "tur"), "good");
    assert_eq!(scsi(&fixture, "readcap16"), "last_lba 0x7ff block 512 lbppbe 0 lbpme 1");
    assert_eq!(scsi(&fixture, "read 2047"), "good");
    assert_eq!(scsi(&fixture, "read 2048"), "check 5/21/00");
    // The store grows; the host is told when SCST looks at it.
    ctl(&fixture, "store /dev/sdx size=2097152").unwrap();
    assert_eq!(scsi(&fixture, "readcap10"), "last_lba 0x7ff block 512");
    fixture.write("devices/d1/resync_size", "1").unwrap();
    assert_eq!((scsi(&fixture, "tur"), scsi(&fixture, "tur")), ("check 6/2a/09".into(), "good".into()));
    assert_eq!(scsi(&fixture, "readcap10"), "last_lba 0xfff block 512");
    for (state, code) in [("standby", "2/04/0b"), ("unavailable", "2/04/0c"), ("offline", "2/04/0c")] {
        fixture.write(STATE, state).unwrap();
        assert_eq!(
            (scsi(&fixture, "tur"), scsi(&fixture, "read 0")),
            (format!("check {code}"), format!("check {code}"))
        );
    }
    assert_eq!(scsi(&fixture, "rtpg"), "group 1 state 14 ports 1");
    fixture.write(STATE, "active").unwrap();
    // The host's own handler has taken the news of the states.
    assert_eq!((scsi(&fixture, "tur"), scsi(&fixture, "read 4095")), ("good".into(), "good".into()));
    ctl(&fixture, "store /dev/sdx health=failing").unwrap();
    assert_eq!(["read 0", "write 0", "sync"].map(|c| scsi(&fixture, c)), ["check 3/11/00", "check 3/03/00", "good"]);
    ctl(&fixture, "store /dev/sdx health=good present=false").unwrap();
    assert_eq!(["tur", "read 0", "sync"].map(|c| scsi(&fixture, c)), ["good", "check 3/11/00", "check 3/03/00"]);
    fixture.write("devices/d1/active", "0").unwrap();
    assert_eq!(["tur", "read 0", "sync"].map(|c| scsi(&fixture, c)), ["good", "check 2/3a/00", "check 2/3a/00"]);
}

#[test]
fn a_command_at_a_hanging_store_ends_when_the_store_is_well_again() {
    let fixture = with_host("vdisk_blockio", "path=/dev/sdx kind=block size=1048576");
    ctl(&fixture, "store /dev/sdx health=hanging").unwrap();
    let waiting = scsi(&fixture, "write 0");
    let id = waiting.strip_prefix("waiting: io ").expect(&waiting).to_owned();
    // Neither the state nor the opening of the store waits for it.
    fixture.write(STATE, "standby").unwrap();
    fixture.write(STATE, "active").unwrap();
    assert_eq!(ctl(&fixture, &format!("io reply {id}")).unwrap(), "waiting");
    ctl(&fixture, "store /dev/sdx health=good").unwrap();
    fixture.until(|| ctl(&fixture, &format!("io reply {id}")).unwrap() == "good");
}

#[test]
fn a_command_in_a_transition_is_looked_at_again_once() {
    let fixture = with_host("vdisk_blockio", "path=/dev/sdx kind=block size=1048576");
    fixture.write(STATE, "transitioning").unwrap();
    for end in ["active", "transitioning"] {
        fixture.write(STATE, "transitioning").unwrap();
        let waiting = scsi(&fixture, "read 0");
        let id = waiting.strip_prefix("waiting: io ").expect(&waiting).to_owned();
        fixture.write(STATE, end).unwrap();
        ctl(&fixture, "skip 1s").unwrap();
        let reply = if end == "active" { "good" } else { "check 2/04/0a" };
        fixture.until(|| ctl(&fixture, &format!("io reply {id}")).unwrap() == reply);
    }
}

#[test]
fn a_closed_file_that_meets_a_command_in_an_open_group_crashes_the_kernel() {
    for command in ["read 0", "write 0", "sync"] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("image");
        fs::write(&path, [0; 4096]).unwrap();
        let fixture = with_host("vdisk_fileio", &format!("path={} kind=regular size=4096", path.display()));
        fixture.write(STATE, "standby").unwrap();
        assert_eq!(scsi(&fixture, command), "check 2/04/0b", "nobody gets as far as the file");
        ctl(&fixture, &format!("store {} present=false", path.display())).unwrap();
        fixture.write(STATE, "active").unwrap();
        assert_eq!((first_line(&fixture, "devices/d1/active"), scsi(&fixture, "tur")), ("0".into(), "good".into()));
        scsi(&fixture, command);
        // Nothing works any more, and whoever looks is told.
        assert_eq!(errno(fixture.write(STATE, "standby")), Errno::ENOTRECOVERABLE);
        assert_eq!(errno(fixture.read("devices/d1/active")), Errno::ENOTRECOVERABLE);
        let crash = fixture.mount.with_machine(|machine| machine.crashed().map(str::to_owned)).unwrap();
        assert!(crash.contains("device d1 of vdisk_fileio"), "{crash}");
        assert!(sys(&fixture, ".sim/unknowns").unwrap().contains("the kernel crashed"));
    }
}
