//! The stand-in of the iSCSI daemon: what the kernel shows while it lives, is stopped, and after it has ended.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use scst_sim::stand_in::install;

use crate::fixture::{Fixture, errno, said};

const MGMT: &str = "targets/iscsi/mgmt";
const STATE: &str = "targets/iscsi/open_state";

/// A machine and a directory with the stand-ins.
struct Bench {
    fixture: Fixture,
    dir: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        install(&dir.path().join("bin"), Path::new(env!("CARGO_BIN_EXE_scst-sim"))).expect("links");
        Self { fixture: Fixture::of("modules = [\"scst\", \"scst_vdisk\", \"iscsi_scst\"]"), dir }
    }

    fn daemon(&self, args: &[&str]) -> Command {
        let path = format!("{}:/usr/bin:/bin", self.dir.path().join("bin").display());
        let mut command = Command::new("iscsi-scstd");
        command.args(args).env_clear().env("PATH", path);
        command.env("SCST_SYSFS_ROOT", self.fixture.mount.dir()).env("STAND_IN_PID_FILE", self.pid_file());
        command
    }

    fn pid_file(&self) -> PathBuf {
        self.dir.path().join("pid")
    }

    fn start(&self) -> Output {
        self.daemon(&[]).output().expect("it starts")
    }

    /// The one in the background.
    fn pid(&self) -> Pid {
        let text = std::fs::read_to_string(self.pid_file()).expect("its process id");
        Pid::from_raw(text.trim().parse().expect("a number"))
    }

    fn state(&self) -> String {
        self.fixture.read(STATE).expect("the attribute")
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if let Ok(text) = std::fs::read_to_string(self.pid_file())
            && let Ok(pid) = text.trim().parse()
        {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

#[test]
fn it_is_there_when_the_command_has_returned() {
    let bench = Bench::new();
    assert_eq!(bench.state(), "closed\n");
    assert_eq!(said(&bench.start()), (Some(0), String::new(), String::new()));
    assert_eq!(bench.state(), "open\n");
    let comm = std::fs::read_to_string(format!("/proc/{}/comm", bench.pid())).expect("it lives");
    assert_eq!(comm, "iscsi-scstd\n");
    bench.fixture.write(MGMT, "add_target iqn.2026-11.org.example:t").unwrap();
    let second = said(&bench.start());
    assert_eq!((second.0, second.1.contains("resource busy")), (Some(255), true));
    assert!(bench.fixture.path("targets/iscsi/iqn.2026-11.org.example:t").is_dir(), "the first goes on");
}

#[test]
fn its_targets_go_with_it_however_it_ends() {
    let bench = Bench::new();
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        assert_eq!(said(&bench.start()).0, Some(0));
        bench.fixture.write(MGMT, "add_target t").unwrap();
        kill(bench.pid(), signal).unwrap();
        bench.fixture.until(|| bench.state() == "closed\n");
        assert!(!bench.fixture.path("targets/iscsi/t").exists());
        assert_eq!(errno(bench.fixture.write(MGMT, "add_target t")), Errno::EPERM);
    }
}

#[test]
fn stopped_by_a_signal_it_answers_nobody_until_it_goes_on() {
    let bench = Bench::new();
    assert_eq!(said(&bench.start()).0, Some(0));
    bench.fixture.write(MGMT, "add_target t").unwrap();
    kill(bench.pid(), Signal::SIGSTOP).unwrap();
    let stopped = || std::fs::read_to_string(format!("/proc/{}/stat", bench.pid())).is_ok_and(|s| s.contains(") T "));
    bench.fixture.until(stopped);
    let waiting = bench.fixture.start_until("cat targets/iscsi/t/alias", 1);
    assert_eq!(bench.state(), "open\n");
    kill(bench.pid(), Signal::SIGCONT).unwrap();
    assert_eq!(said(&waiting.wait_with_output().unwrap()), (Some(0), "\n".to_owned(), String::new()));
    kill(bench.pid(), Signal::SIGSTOP).unwrap();
    bench.fixture.until(stopped);
    let waiting = bench.fixture.start_until("cat targets/iscsi/t/alias", 1);
    bench.fixture.mount.skip(Duration::from_secs(31));
    assert!(said(&waiting.wait_with_output().unwrap()).2.contains("resource busy"));
}

#[test]
fn in_the_foreground_it_ends_with_its_simulator() {
    let bench = Bench::new();
    let mut child: Child = bench.daemon(&["-f"]).stderr(Stdio::null()).spawn().expect("it starts");
    bench.fixture.until(|| bench.state() == "open\n");
    let Bench { fixture, dir } = &bench;
    let report = std::fs::read_to_string(fixture.mount.dir().join(".sim/iscsi-daemon")).unwrap();
    assert_eq!(report, format!("{} iscsi-scstd running\n", child.id()));
    assert!(dir.path().join("pid").exists());
    std::fs::remove_file(bench.pid_file()).unwrap();
    drop(bench);
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

#[test]
fn without_the_module_it_fails_as_the_real_one_does() {
    let bench = Bench::new();
    bench.fixture.mount.control("rmmod iscsi_scst").unwrap();
    let (code, out, _) = said(&bench.start());
    assert_eq!((code, out.contains("make sure the module is loaded")), (Some(255), true));
    bench.fixture.mount.control("modprobe iscsi_scst").unwrap();
    assert_eq!(said(&bench.start()).0, Some(0));
    let held = bench.fixture.mount.control("rmmod iscsi_scst").unwrap_err();
    assert_eq!(held.errno, Errno::EBUSY);
}

#[test]
fn what_it_cannot_show_it_refuses() {
    let bench = Bench::new();
    for args in [&["-p", "3261"][..], &["--address=192.0.2.1"], &["-c", "/etc/other.conf"]] {
        let output = bench.daemon(args).output().unwrap();
        assert_eq!(output.status.code(), Some(255), "{args:?}");
    }
    assert_eq!(bench.daemon(&["-x"]).output().unwrap().status.code(), Some(1));
    assert_eq!(bench.daemon(&["-v"]).output().unwrap().status.code(), Some(0));
}
