//! Block devices below a machine: DRBD roles, sizes, block sizes, disks that go and come back, and what `dev/block` says.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use nix::errno::Errno;

use crate::world::{BARE, World, errno};

const HANDLER: &str = "handlers/vdisk_blockio/mgmt";

fn with_file(words: &str) -> World {
    let world = World::bare();
    ctl(&world, &format!("file {words}")).unwrap();
    world
}

fn ctl(world: &World, command: &str) -> Result<String, Errno> {
    world.mount.control(command).map_err(|refused| refused.errno)
}

/// The first line of a file below the mount point.
fn sys(world: &World, path: &str) -> Result<String, std::io::Error> {
    Ok(fs::read_to_string(world.mount.dir().join(path))?.lines().next().unwrap_or_default().to_owned())
}

fn first_line(world: &World, path: &str) -> String {
    world.read(path).unwrap().lines().next().unwrap_or_default().to_owned()
}

#[test]
fn a_drbd_device_is_opened_by_its_role() {
    let world = World::of(&format!(
        "{BARE}\n[[file]]\npath = \"/dev/drbd10\"\nkind = \"block\"\nnumber = \"147:10\"\nsize = 1048576\ndrbd = \"secondary\"\n"
    ));
    let add = "add_device d1 filename=/dev/drbd10";
    assert_eq!(errno(world.write(HANDLER, add)), Errno::EROFS);
    assert_eq!(errno(world.write("handlers/vdisk_fileio/mgmt", add)), Errno::EROFS);
    assert!(world.names("devices").is_empty());

    world.write(HANDLER, &format!("{add}; read_only=1")).unwrap();
    assert_eq!(
        (first_line(&world, "devices/d1/active"), first_line(&world, "devices/d1/size")),
        ("1".into(), "0".into())
    );
    assert_eq!(errno(world.write("devices/d1/resync_size", "1")), Errno::EMEDIUMTYPE);
    world.write(HANDLER, "del_device d1").unwrap();

    world.write(HANDLER, &format!("{add}; active=0")).unwrap();
    assert_eq!(errno(world.write("devices/d1/active", "1")), Errno::EROFS);
    // Its size is known without opening it, can be told, and the first opening replaces what was told.
    assert_eq!(sys(&world, "dev/block/147:10/size").unwrap(), "2048");
    world.write("devices/d1/size", "524288").unwrap();
    assert_eq!(first_line(&world, "devices/d1/size"), "524288");
    ctl(&world, "store /dev/drbd10 drbd=primary").unwrap();
    world.write("devices/d1/active", "1").unwrap();
    assert_eq!(first_line(&world, "devices/d1/size"), "1048576");
    assert_eq!(ctl(&world, "store /dev/drbd10 drbd=secondary"), Err(Errno::EBUSY), "it is held open");
    world.write("devices/d1/active", "0").unwrap();
    ctl(&world, "store /dev/drbd10 drbd=secondary").unwrap();
    assert_eq!(errno(world.write("devices/d1/active", "1")), Errno::EROFS);
}

#[test]
fn a_disk_is_listed_by_its_number_with_its_limits() {
    let world = with_file("path=/dev/sdx kind=block number=4001:16 size=8388608 logical_block=4096");
    ctl(&world, "file path=/dev/sdx1 kind=block number=4001:17 size=4096 partition_of=sdx").unwrap();
    let root = world.mount.dir();
    assert_eq!(fs::read_link(root.join("dev/block/4001:16")).unwrap(), Path::new("../../devices/virtual/block/sdx"));
    assert_eq!(sys(&world, "dev/block/4001:16/size").unwrap(), "16384", "in units of 512 bytes");
    assert_eq!(sys(&world, "dev/block/4001:16/queue/logical_block_size").unwrap(), "4096");
    assert_eq!(sys(&world, "dev/block/4001:17/size").unwrap(), "8");
    assert!(!root.join("dev/block/4001:17/queue").exists(), "a partition has no queue");
    assert_eq!(sys(&world, "dev/block/4001:17/../queue/logical_block_size").unwrap(), "4096");
    ctl(&world, "store /dev/sdx size=16777216").unwrap();
    assert_eq!(sys(&world, "dev/block/4001:16/size").unwrap(), "32768");
    ctl(&world, "store /dev/sdx present=false").unwrap();
    assert!(fs::symlink_metadata(root.join("dev/block/4001:16")).is_err());
    assert_eq!(ctl(&world, "store /dev/sdy size=1"), Err(Errno::ENOENT));
}

#[test]
fn a_smaller_block_size_than_the_disks_is_refused_when_it_is_opened() {
    let world = with_file("path=/dev/sdx kind=block size=8388608 logical_block=4096");
    assert_eq!(errno(world.write(HANDLER, "add_device d1 filename=/dev/sdx")), Errno::EINVAL);
    world.write(HANDLER, "add_device d1 filename=/dev/sdx; active=0").unwrap();
    assert_eq!(errno(world.write("devices/d1/active", "1")), Errno::EINVAL);
    world.write(HANDLER, "del_device d1").unwrap();
    world.write(HANDLER, "add_device d1 filename=/dev/sdx; blocksize=4096").unwrap();
    assert_eq!(first_line(&world, "devices/d1/size"), "8388608");
}

#[test]
fn a_disk_that_comes_back_is_another_one_with_the_old_size_until_it_is_looked_at() {
    let world = with_file("path=/dev/sdx kind=block size=1048576");
    world.write(HANDLER, "add_device d1 filename=/dev/sdx").unwrap();
    ctl(&world, "store /dev/sdx present=false").unwrap();
    assert_eq!(first_line(&world, "devices/d1/active"), "1");
    assert_eq!(errno(world.write("devices/d1/resync_size", "1")), Errno::ENOENT);
    world.write("devices/d1/active", "0").unwrap();
    assert_eq!(errno(world.write("devices/d1/active", "1")), Errno::ENOENT);
    ctl(&world, "store /dev/sdx present=true size=2097152").unwrap();
    world.write("devices/d1/active", "1").unwrap();
    assert_eq!(first_line(&world, "devices/d1/size"), "1048576");
    world.write("devices/d1/resync_size", "1").unwrap();
    assert_eq!(first_line(&world, "devices/d1/size"), "2097152");
}

#[test]
fn a_device_node_is_made_and_removed_with_its_disk() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("drbd10");
    let world = with_file(&format!("path={} kind=block number=4002:10 mknod=true size=512", path.display()));
    let node = fs::metadata(&path).unwrap();
    assert!(node.file_type().is_block_device());
    assert_eq!((nix::sys::stat::major(node.rdev()), nix::sys::stat::minor(node.rdev())), (4002, 10));
    ctl(&world, &format!("store {} present=false", path.display())).unwrap();
    assert!(!path.exists());
    ctl(&world, &format!("store {} present=true", path.display())).unwrap();
    // A node that is there tells the number to whoever declares it.
    let other = with_file(&format!("path={} kind=block size=1024", path.display()));
    assert_eq!(sys(&other, "dev/block/4002:10/size").unwrap(), "2");
}
