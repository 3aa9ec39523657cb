//! One system call each: what sysfs answers, and what it refuses.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::errno::Errno;

use crate::fixture::{Fixture, errno, said};

const NULLIO: &str = "handlers/vdisk_nullio/mgmt";

fn nullio(fixture: &Fixture, command: &str) {
    assert_eq!(fixture.write(NULLIO, command).expect("the command is accepted"), command.len());
}

#[test]
fn one_write_is_one_command_wherever_it_is_written() {
    let fixture = Fixture::bare();
    let mut mgmt = OpenOptions::new().write(true).open(fixture.path(NULLIO)).unwrap();
    assert_eq!(mgmt.write(b"add_device c1\n").unwrap(), 14);
    assert_eq!(mgmt.write(b"add_device c2\n").unwrap(), 14);
    assert_eq!(errno(mgmt.write(b"\n")), Errno::EINVAL);
    assert_eq!(mgmt.write_at(b"add_device c3\n", 100_000).unwrap(), 14);
    let mut append = OpenOptions::new().append(true).open(fixture.path(NULLIO)).unwrap();
    assert_eq!(append.write(b"add_device c4\n").unwrap(), 14);
    let mut both = OpenOptions::new().read(true).write(true).truncate(true).open(fixture.path(NULLIO)).unwrap();
    assert_eq!(both.write(b"add_device c5\n").unwrap(), 14);
    assert_eq!(fixture.names("devices"), ["c1", "c2", "c3", "c4", "c5"]);
}

#[test]
fn a_page_at_most_is_used_of_a_write_and_nothing_is_done_by_an_empty_one() {
    let fixture = Fixture::bare();
    nullio(&fixture, "add_device d1");
    let mut mgmt = OpenOptions::new().write(true).open(fixture.path("device_groups/mgmt")).unwrap();
    let mut command = b"create g1 ".to_vec();
    command.resize(300_000, b' ');
    assert_eq!(mgmt.write(&command).unwrap(), 4096);
    assert_eq!(mgmt.write(b"").unwrap(), 0);
    assert_eq!(fixture.names("device_groups"), ["g1", "mgmt"]);
    assert_eq!(fixture.mount.writes().len(), 2);
}

#[test]
fn a_kept_file_shows_its_old_end_until_it_is_rewound() {
    let fixture = Fixture::bare();
    nullio(&fixture, "add_device d1");
    fixture.write("devices/d1/prod_id", "three\n").unwrap();
    let mut file = File::open(fixture.path("devices/d1/prod_id")).unwrap();
    let mut start = [0; 2];
    file.read_exact(&mut start).unwrap();
    fixture.write("devices/d1/prod_id", "four\n").unwrap();
    let mut rest = String::new();
    file.read_to_string(&mut rest).unwrap();
    assert_eq!((&start, rest.as_str()), (b"th", "ree\n[key]\n"));
    assert_eq!(file.read(&mut start).unwrap(), 0);
    file.seek(SeekFrom::Start(0)).unwrap();
    rest.clear();
    file.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "four\n[key]\n");
}

#[test]
fn a_file_of_a_deleted_device_answers_enodev() {
    let fixture = Fixture::bare();
    nullio(&fixture, "add_device d1");
    let mut file = OpenOptions::new().read(true).write(true).open(fixture.path("devices/d1/block")).unwrap();
    nullio(&fixture, "del_device d1");
    nullio(&fixture, "add_device d1");
    assert_eq!(errno(file.read(&mut [0; 10])), Errno::ENODEV);
    assert_eq!(errno(file.write(b"1")), Errno::ENODEV);
    assert_eq!(file.metadata().unwrap().nlink(), 0);
    assert_eq!(fixture.read("devices/d1/block").unwrap(), "0 0\n");
}

#[test]
fn the_mode_decides_for_root_too() {
    let fixture = Fixture::bare();
    nullio(&fixture, "add_device d1");
    let open = |below: &str, write: bool| OpenOptions::new().read(!write).write(write).open(fixture.path(below));
    assert_eq!(errno(open("last_sysfs_mgmt_res", true)), Errno::EACCES);
    assert_eq!(errno(open("devices/d1/dump_prs", false)), Errno::EACCES);
    assert!(open("devices/d1/dump_prs", true).is_ok());
}

#[test]
fn other_users_may_read_only() {
    let fixture = Fixture::bare();
    nullio(&fixture, "add_device d1");
    fs::set_permissions(fixture.mount.dir().parent().unwrap(), fs::Permissions::from_mode(0o755)).unwrap();
    let script = "cat devices/d1/block; echo 1 > devices/d1/block; cat devices/d1/dump_prs";
    let output = Command::new("bash").arg("-c").arg(script).current_dir(fixture.path("")).uid(65534).output().unwrap();
    let (_, out, err) = said(&output);
    assert_eq!(out, "0 0\n");
    assert_eq!(err.matches("Permission denied").count(), 2, "{err}");
    assert!(fixture.mount.writes().iter().all(|write| write.data != b"1\n"));
}

#[test]
fn nothing_is_made_or_removed_by_hand() {
    let fixture = Fixture::bare();
    let path = |below: &str| fixture.path(below);
    assert_eq!(errno(fs::create_dir(path("devices/x"))), Errno::EPERM);
    assert_eq!(errno(fs::remove_dir(path("devices"))), Errno::EPERM);
    assert_eq!(errno(fs::remove_file(path("version"))), Errno::EPERM);
    assert_eq!(errno(fs::rename(path("devices"), path("handlers/devices"))), Errno::EPERM);
    assert_eq!(errno(symlink("devices", path("link"))), Errno::EPERM);
    assert_eq!(errno(fs::hard_link(path("version"), path("link"))), Errno::EPERM);
    assert_eq!(errno(fs::write(path("devices/x"), "")), Errno::EACCES);
    assert_eq!(errno(fs::write(path("nowhere/x"), "")), Errno::ENOENT);
    assert_eq!(errno(OpenOptions::new().write(true).open(path("devices/x"))), Errno::ENOENT);
}

#[test]
fn names_may_be_longer_than_other_file_systems_have_them() {
    let fixture = Fixture::bare();
    let name = "n".repeat(256);
    fixture.write("device_groups/mgmt", &format!("create {name}")).unwrap();
    assert_eq!(fixture.names("device_groups"), ["mgmt", &name]);
    assert_eq!(fixture.names(&format!("device_groups/{name}")), ["devices", "target_groups"]);
}

#[test]
fn truncation_is_harmless_and_chmod_sticks() {
    let fixture = Fixture::bare();
    let threads = fixture.path("threads");
    let before = fs::read_to_string(&threads).unwrap();
    OpenOptions::new().write(true).open(&threads).unwrap().set_len(0).unwrap();
    OpenOptions::new().write(true).truncate(true).custom_flags(0).open(&threads).unwrap();
    assert_eq!(fs::read_to_string(&threads).unwrap(), before);
    assert!(fixture.mount.writes().is_empty());
    fs::set_permissions(&threads, fs::Permissions::from_mode(0o600)).unwrap();
    let status = fs::metadata(&threads).unwrap();
    assert_eq!((status.mode() & 0o7777, status.size()), (0o600, 4096));
}

#[test]
fn directories_files_and_links_have_their_sizes_and_modes() {
    let fixture = Fixture::bare();
    nullio(&fixture, "add_device d1");
    let status = |below| {
        let status = fs::symlink_metadata(fixture.path(below)).unwrap();
        (format!("{:o}", status.mode()), status.size())
    };
    assert_eq!(status("devices"), ("40755".into(), 0));
    assert_eq!(status("devices/d1/block"), ("100644".into(), 4096));
    assert_eq!(status("devices/d1/dump_prs"), ("100200".into(), 4096));
    assert_eq!(status("devices/d1/handler"), ("120777".into(), 0));
    assert_eq!(
        fs::read_link(fixture.path("devices/d1/handler")).unwrap().to_str(),
        Some("../../handlers/vdisk_nullio")
    );
}

#[test]
fn what_nobody_knows_is_enotsup_and_reported() {
    let fixture = Fixture::bare();
    let threads = fixture.path("threads");
    let error = std::os::unix::fs::chown(&threads, Some(1), None);
    assert_eq!(errno(error), Errno::EOPNOTSUPP);
    let unknowns = fixture.mount.unknowns();
    assert_eq!(unknowns.len(), 1);
    assert_eq!((unknowns[0].path.as_slice(), unknowns[0].what.as_str()), (&b"kernel/scst_tgt/threads"[..], "chown"));
}

#[test]
fn a_directory_can_be_read_while_it_changes() -> io::Result<()> {
    let fixture = Fixture::bare();
    for number in 0..200 {
        nullio(&fixture, &format!("add_device device-{number}"));
    }
    let mut seen = 0;
    for entry in fs::read_dir(fixture.path("devices"))? {
        let name = entry?.file_name().into_string().expect("names are text");
        nullio(&fixture, &format!("del_device {name}"));
        seen += 1;
    }
    assert_eq!(seen, 200);
    assert!(fixture.names("devices").is_empty());
    Ok(())
}
