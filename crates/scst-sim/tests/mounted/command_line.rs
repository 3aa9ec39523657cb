//! `scst-sim mount` and `scst-sim tree` as programs.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::fixture::said;

fn scst_sim() -> Command {
    Command::new(env!("CARGO_BIN_EXE_scst-sim"))
}

/// A running mount. A test that fails leaves none behind.
struct Mounted(Child);

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a mount and waits until it says so.
fn mount(dir: &Path, more: &[&str]) -> Mounted {
    let child = scst_sim()
        .arg("mount")
        .arg(dir)
        .args(more)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut mounted = Mounted(child);
    let mut line = String::new();
    BufReader::new(mounted.0.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, format!("mounted on {}\n", dir.display()));
    mounted
}

/// Waits for its end: exit code and standard error.
fn wait(mut mounted: Mounted) -> (Option<i32>, String) {
    let mut err = String::new();
    mounted.0.stderr.as_mut().unwrap().read_to_string(&mut err).unwrap();
    (mounted.0.wait().unwrap().code(), err)
}

fn end(mounted: Mounted) -> (Option<i32>, String) {
    kill(Pid::from_raw(mounted.0.id().cast_signed()), Signal::SIGTERM).unwrap();
    wait(mounted)
}

#[test]
fn a_mount_lasts_until_a_signal() {
    let dir = tempfile::tempdir().unwrap();
    let child = mount(dir.path(), &[]);
    fs::write(dir.path().join("kernel/scst_tgt/handlers/vdisk_nullio/mgmt"), "add_device d1\n").unwrap();
    let output = scst_sim().arg("tree").arg(dir.path()).output().unwrap();
    let (code, out, err) = said(&output);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(out.contains("\ndevice d1 vdisk_nullio"), "{out}");
    assert_eq!(end(child), (Some(0), String::new()));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_scenario_describes_the_machine() {
    let dir = tempfile::tempdir().unwrap();
    let (root, scenario) = (dir.path().join("sys"), dir.path().join("one.toml"));
    fs::create_dir(&root).unwrap();
    fs::write(&scenario, "modules = [\"scst\"]\n[[fault]]\nop = \"read\"\naction = \"fail\"\nerrno = \"EIO\"\n")
        .unwrap();
    let child = mount(&root, &["--scenario", scenario.to_str().unwrap()]);
    let threads = root.join("kernel/scst_tgt/threads");
    assert!(fs::read(&threads).is_err());
    assert!(fs::read(&threads).is_ok());
    assert_eq!(end(child), (Some(0), String::new()));
}

#[test]
fn the_release_can_be_chosen() {
    let dir = tempfile::tempdir().unwrap();
    let child = mount(dir.path(), &["--scst", "3.7"]);
    assert!(!dir.path().join("kernel/scst_tgt/cluster_name").exists());
    assert_eq!(end(child), (Some(0), String::new()));
}

#[test]
fn unknown_things_are_reported_at_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let child = mount(dir.path(), &[]);
    let threads = dir.path().join("kernel/scst_tgt/threads");
    assert!(std::os::unix::fs::chown(threads, Some(1), None).is_err());
    let (code, err) = end(child);
    assert_eq!(code, Some(1));
    assert_eq!(err, "scst-sim: not known: kernel/scst_tgt/threads: chown\n");
}

#[test]
fn umount_ends_the_program() {
    let dir = tempfile::tempdir().unwrap();
    let child = mount(dir.path(), &[]);
    assert!(Command::new("umount").arg(dir.path()).status().unwrap().success());
    assert_eq!(wait(child), (Some(0), String::new()));
}

#[test]
fn a_wrong_scenario_is_named_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let scenario = dir.path().join("wrong.toml");
    fs::write(&scenario, "\n\nmodule = 1\n").unwrap();
    let output = scst_sim().arg("mount").arg(dir.path()).arg("--scenario").arg(&scenario).output().unwrap();
    let (code, _, err) = said(&output);
    assert_ne!(code, Some(0));
    assert!(err.contains(&format!("{}:3: unknown field `module`", scenario.display())), "{err}");
}

#[test]
fn a_machine_without_fuse_is_told_so() {
    let dir = tempfile::tempdir().unwrap();
    // An empty /dev, in a mount namespace of its own.
    let script = "mount -t tmpfs none /dev && exec \"$0\" mount \"$1\"";
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-c", script, env!("CARGO_BIN_EXE_scst-sim")])
        .arg(dir.path())
        .output();
    let (code, _, err) = said(&output.unwrap());
    assert_ne!(code, Some(0));
    assert!(err.contains("cannot open /dev/fuse: ENOENT"), "{err}");
}

#[test]
fn killing_the_program_frees_those_who_wait() {
    let dir = tempfile::tempdir().unwrap();
    let mounted = mount(dir.path(), &[]);
    fs::write(dir.path().join(".sim/ctl"), "fault op=write action=hang").unwrap();
    let threads = dir.path().join("kernel/scst_tgt/threads");
    let writer = std::thread::spawn(move || fs::write(threads, "2"));
    let log = dir.path().join(".sim/writes");
    while !fs::read_to_string(&log).unwrap().ends_with("waiting\n") {}
    drop(mounted);
    assert!(writer.join().unwrap().is_err());
    assert!(Command::new("umount").arg(dir.path()).status().unwrap().success());
}
