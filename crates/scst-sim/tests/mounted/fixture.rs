//! A machine on a temporary directory, and processes that use it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use scst_sim::model::Slow;
use scst_sim::mount::Mount;
use scst_sim::scenario::Scenario;

/// Two ports, all modules of a Fibre Channel target, a place for reservations; nothing configured.
pub(crate) const BARE: &str = r#"
modules = ["scst", "scst_disk", "scst_vdisk", "qla2x00tgt"]

[[port]]
wwpn = "21:00:00:24:ff:60:d0:10"

[[port]]
wwpn = "21:00:00:24:ff:60:d0:11"

[[file]]
path = "/var/lib/scst/pr"
kind = "dir"
"#;

/// The first port, below `kernel/scst_tgt`.
pub(crate) const PORT: &str = "targets/qla2x00t/21:00:00:24:ff:60:d0:10";

/// A mounted machine.
pub(crate) struct Fixture {
    pub(crate) mount: Mount,
    _dir: tempfile::TempDir,
}

impl Fixture {
    /// The bare machine.
    pub(crate) fn bare() -> Self {
        Self::of(BARE)
    }

    /// A machine by its scenario.
    pub(crate) fn of(scenario: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let scenario = Scenario::parse(Path::new("test.toml"), scenario).expect("the scenario is read");
        let setup = scenario.build().unwrap_or_else(|error| panic!("{error}"));
        let mount = Mount::start(dir.path(), setup).unwrap_or_else(|error| panic!("{error}"));
        Self { mount, _dir: dir }
    }

    /// A path below `kernel/scst_tgt`.
    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.mount.dir().join("kernel/scst_tgt").join(below)
    }

    /// Writes with one system call, without `O_TRUNC`.
    pub(crate) fn write(&self, below: &str, data: &str) -> io::Result<usize> {
        OpenOptions::new().write(true).open(self.path(below))?.write(data.as_bytes())
    }

    pub(crate) fn read(&self, below: &str) -> io::Result<String> {
        let mut text = String::new();
        File::open(self.path(below))?.read_to_string(&mut text)?;
        Ok(text)
    }

    /// Sorted names in a directory.
    pub(crate) fn names(&self, below: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(below)).expect("the directory can be listed");
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().expect("names are text")).collect();
        names.sort();
        names
    }

    /// A bash script in `kernel/scst_tgt`.
    pub(crate) fn script(&self, script: &str) -> Command {
        let mut bash = Command::new("bash");
        bash.arg("-c").arg(script).current_dir(self.path("")).stdin(Stdio::null());
        bash
    }

    /// Runs a bash script to its end.
    pub(crate) fn run(&self, script: &str) -> Output {
        self.script(script).output().expect("bash runs")
    }

    /// Starts a bash script that will wait in a write, and waits until so many callers in all do.
    pub(crate) fn start_until(&self, script: &str, waiting: usize) -> Child {
        let child = self.script(script).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("bash runs");
        self.until(|| self.mount.waiting() == waiting);
        child
    }

    /// Waits for something that happens soon.
    pub(crate) fn until(&self, mut happened: impl FnMut() -> bool) {
        let begin = Instant::now();
        while !happened() {
            assert!(begin.elapsed() < Duration::from_secs(20), "it did not happen; writes: {:#?}", self.mount.writes());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Makes the next command written to a path take that long in the machine.
    pub(crate) fn slow_down(&self, path: &str, takes: Duration) {
        let path = format!("kernel/scst_tgt/{path}").into_bytes();
        let slow = Slow { path, data: b"*".to_vec(), takes, holds_mutex: false, times: Some(1) };
        self.mount.with_machine(|machine| machine.slow_down(slow));
    }
}

/// What a finished process said, for assertions.
pub(crate) fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// The raw errno of a failed call.
#[track_caller]
pub(crate) fn errno<T: std::fmt::Debug>(result: io::Result<T>) -> nix::errno::Errno {
    let error = result.expect_err("the call fails");
    nix::errno::Errno::from_raw(error.raw_os_error().expect("the system said why"))
}
