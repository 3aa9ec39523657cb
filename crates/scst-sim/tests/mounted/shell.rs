//! What people do by hand: cat, echo, find, ls, scripts.

use crate::fixture::{Fixture, PORT, said};

#[test]
fn cat_reads_and_echo_writes() {
    let fixture = Fixture::bare();
    let output = fixture.run(
        "cat threads
         echo add_device d1 > handlers/vdisk_nullio/mgmt
         printf 'add_device d2' > handlers/vdisk_nullio/mgmt
         ls devices
         cat devices/d1/handler/type | head -1",
    );
    let (code, out, err) = said(&output);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(out.ends_with("d1\nd2\n0 - processor, disk device\n") || out.contains("d1\nd2\n"), "{out}");
}

#[test]
fn a_refused_command_is_a_write_error() {
    let fixture = Fixture::bare();
    let output = fixture.run(
        "echo add_device d1 > handlers/vdisk_nullio/mgmt
         echo add_device d1 > handlers/vdisk_nullio/mgmt || echo refused
         cat last_sysfs_mgmt_res",
    );
    let (code, out, err) = said(&output);
    assert_eq!((code, out.as_str()), (Some(0), "refused\n-17\n"));
    assert!(err.contains("File exists"), "{err}");
}

#[test]
fn find_and_ls_walk_the_whole_tree() {
    let fixture = Fixture::bare();
    assert_eq!(fixture.write("handlers/vdisk_nullio/mgmt", "add_device d1\n").unwrap(), 14);
    assert_eq!(fixture.write(&format!("{PORT}/luns/mgmt"), "add d1 0\n").unwrap(), 9);
    let (code, out, err) =
        said(&fixture.run("find . -name read_only; find -L handlers/vdisk_nullio/d1 -maxdepth 1 -name block"));
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(out.contains(&format!("./{PORT}/luns/0/read_only\n")), "{out}");
    assert!(out.contains("handlers/vdisk_nullio/d1/block\n"), "{out}");
    let (code, out, err) = said(&fixture.run("cd ../..; ls -lR | grep -e '-> ' | head -3; find . | sort | uniq -d"));
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert_eq!(out.lines().count(), 3, "{out}");
}

#[test]
fn the_control_directory_is_in_no_listing() {
    let fixture = Fixture::bare();
    let (code, out, _) = said(&fixture.run("cd ../..; ls -A; find . -name '.sim*'; test -d .sim && ls .sim"));
    assert_eq!(code, Some(0));
    assert_eq!(
        out,
        "class\ndev\ndevices\nkernel\nmodule\ncounters\nctl\nfaults\niscsi-daemon\ntree\nunknowns\nwrites\n"
    );
}

#[test]
fn python_reads_and_writes() {
    let fixture = Fixture::bare();
    let script = "import os
open('handlers/vdisk_nullio/mgmt', 'w').write('add_device p1')
print(os.listdir('devices'), open('devices/p1/block').read(), os.readlink('devices/p1/handler'))";
    let output = std::process::Command::new("python3").arg("-c").arg(script).current_dir(fixture.path("")).output();
    let (code, out, err) = said(&output.expect("python3 is installed"));
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert_eq!(out, "['p1'] 0 0\n ../../handlers/vdisk_nullio\n");
}

#[test]
fn a_working_directory_that_goes_away_is_no_trouble() {
    let fixture = Fixture::bare();
    fixture.write("handlers/vdisk_nullio/mgmt", "add_device d1").unwrap();
    let output = fixture.run(
        "cd devices/d1
         exec 3< block
         echo del_device d1 > ../../handlers/vdisk_nullio/mgmt
         echo add_device d1 > /proc/$$/cwd/../../handlers/vdisk_nullio/mgmt 2> /dev/null
         cat block
         cat <&3",
    );
    let (_, out, err) = said(&output);
    assert_eq!(out, "");
    assert!(err.contains("cat: block: No such file or directory"), "{err}");
    assert!(err.contains("No such device"), "{err}");
}
