//! This computer: the outside that the binaries work on.

use std::io::{self, Read};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

use super::kernel_files::perform;
use super::worker::Worker;
use super::{Ended, Locked, Operation, Output, Pending, System, own_files};

/// More output than the largest CIB; what comes after is not read.
const MAX_OUTPUT: u64 = 64 << 20;

/// This computer.
#[derive(Debug, Default)]
pub struct Machine {
    /// Threads for operations on kernel files that have none to carry out.
    idle: Arc<Mutex<Vec<Worker>>>,
}

impl Machine {
    /// This computer, as one run sees it.
    pub fn system() -> Arc<dyn System> {
        Arc::new(Self::default())
    }
}

impl System for Machine {
    fn now(&self) -> Duration {
        clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::ZERO, Duration::from)
    }

    fn sleep(&self, time: Duration) {
        thread::sleep(time);
    }

    fn boot(&self) -> String {
        std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
    }

    fn begin(&self, operation: Operation) -> io::Result<Box<dyn Pending>> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let worker = match idle {
            Some(worker) => worker,
            None => Worker::spawn(perform)?,
        };
        worker.begin(operation);
        Ok(Box::new(AtWork { worker: Some(worker), idle: Arc::clone(&self.idle) }))
    }

    fn write_apart(&self, operation: &Operation) -> io::Result<()> {
        let mut shell = Command::new("/bin/sh");
        // One `printf`, one write(2).
        // A signal that is ignored does not meet a write that waits in the kernel; one that is caught or kills makes it go for nothing.
        let script = r#"trap '' HUP INT QUIT USR1 USR2 PIPE ALRM TERM; printf '%s\n' "$1" > "$2""#;
        shell.args(["-c", script, "sh", operation.data.as_deref().unwrap_or_default()]);
        shell.arg(&operation.path);
        // Nobody must wait for its end: no pipe of ours is kept open, and a signal to our group does not meet it.
        shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        shell.spawn().map(drop)
    }

    fn find_program(&self, directories: &[PathBuf], name: &str) -> Option<PathBuf> {
        directories.iter().map(|directory| directory.join(name)).find(|path| is_program(path))
    }

    fn run_program(&self, program: &Path, arguments: &[&str], limit: Duration) -> io::Result<Ended> {
        let started = Instant::now();
        // Its process group is ours, so that a SIGKILL by Pacemaker's time-out ends it as well.
        let mut child = Command::new(program)
            .args(arguments)
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let output = collect(child.stdout.take());
        let errors = collect(child.stderr.take());
        let left = || limit.saturating_sub(started.elapsed());
        let answer = output.recv_timeout(left()).ok();
        let Some((stdout, status)) = answer.zip(wait(&mut child, left())) else {
            // The result of kill is of no interest: it fails only if the child has ended meanwhile.
            let _ = child.kill();
            let _ = child.wait();
            return Err(io::ErrorKind::TimedOut.into());
        };
        let failure = (!status.success()).then(|| ended(status));
        let stderr = match failure {
            Some(_) => errors.recv_timeout(left()).unwrap_or_default(),
            None => Vec::new(),
        };
        Ok(Ended { failure, stdout, stderr })
    }

    fn read_file(&self, path: &Path) -> io::Result<String> {
        own_files::read(path)
    }

    fn replace_file(&self, path: &Path, text: &str) -> io::Result<()> {
        own_files::replace(path, text, false)
    }

    fn keep_file(&self, path: &Path, text: &str) -> io::Result<()> {
        own_files::replace(path, text, true)
    }

    fn make_directory(&self, path: &Path) -> io::Result<()> {
        std::fs::create_dir_all(path)
    }

    fn is_directory(&self, path: &Path) -> bool {
        path.is_dir()
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        own_files::remove(path)
    }

    fn list_files(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        own_files::list(directory)
    }

    fn lock_file(&self, path: &Path, make: bool) -> io::Result<Locked> {
        own_files::lock(path, make)
    }
}

/// An operation that a thread carries out.
#[derive(Debug)]
struct AtWork {
    worker: Option<Worker>,
    idle: Arc<Mutex<Vec<Worker>>>,
}

impl Pending for AtWork {
    fn answer(&mut self, time: Duration) -> Option<io::Result<Output>> {
        let answer = self.worker.as_ref()?.reply(time)?;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).extend(self.worker.take());
        Some(answer)
    }
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

/// Waits until a child that has closed its output has ended, which is normally at once.
fn wait(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let end = Instant::now() + limit;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if Instant::now() < end => thread::sleep(Duration::from_millis(1)),
            Ok(None) | Err(_) => return None,
        }
    }
}

/// Reads a pipe to its end in a thread of its own, so that neither pipe can fill up while the other is read, and so that
/// a reader which never sees the end holds up nobody.
fn collect(pipe: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(pipe) = pipe {
            // A broken pipe leaves what was read until then; the exit code says the rest.
            let _ = pipe.take(MAX_OUTPUT).read_to_end(&mut bytes);
        }
        // Nobody listens after a time-out.
        let _ = sender.send(bytes);
    });
    receiver
}

fn ended(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => status.to_string(),
    }
}
