//! [`Machine`]: this computer as a [`System`], which the binaries use.

use std::ffi::OsStr;
use std::fmt::Debug;
use std::io::{self, Read};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

use super::helper::{Helper, launcher};
use super::kernel_files::perform;
use super::worker::Worker;
use super::{Ended, Locked, Operation, Output, Pending, System, own_files};
use crate::error::Verb;

/// More output than the largest CIB; what comes after is not read.
const MAX_OUTPUT: u64 = 64 << 20;

/// How long a killed program is waited for.
const REAPED: Duration = Duration::from_millis(100);

/// This computer.
#[derive(Debug, Default)]
pub struct Machine {
    /// Threads for operations on kernel files that have none to carry out.
    idle: Arc<Mutex<Vec<Worker>>>,
    /// The same of processes.
    helpers: Arc<Mutex<Vec<Helper>>>,
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
        if operation.apart && matches!(operation.verb, Verb::Read | Verb::Write) {
            let idle = self.helpers.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut helper = idle.map_or_else(Helper::spawn, Ok)?;
            helper.begin(&operation)?;
            return Ok(Box::new(AtWork { by: Some(helper), reply: Helper::reply, idle: Arc::clone(&self.helpers) }));
        }
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let worker = match idle {
            Some(worker) => worker,
            None => Worker::spawn(perform)?,
        };
        worker.begin(operation);
        Ok(Box::new(AtWork { by: Some(worker), reply: Worker::reply, idle: Arc::clone(&self.idle) }))
    }

    fn find_program(&self, directories: &[PathBuf], name: &str) -> Option<PathBuf> {
        directories.iter().map(|directory| directory.join(name)).find(|path| is_program(path))
    }

    fn run_program(&self, program: &Path, arguments: &[&str], limit: Duration) -> io::Result<Ended> {
        run(program, arguments, limit)
    }

    fn run_daemon(&self, program: &Path, limit: Duration) -> io::Result<Ended> {
        let (launcher, arguments) = launcher(program);
        run(launcher, &arguments, limit)
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

    fn read_head(&self, path: &Path, most: usize) -> io::Result<Vec<u8>> {
        own_files::read_head(path, most)
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

/// Runs a program to its end, for at most `limit`.
fn run(program: &Path, arguments: &[impl AsRef<OsStr>], limit: Duration) -> io::Result<Ended> {
    let started = Instant::now();
    // Its process group is ours, so that a SIGKILL by Pacemaker's time-out ends it as well.
    let mut command = Command::new(program);
    // Parameters are nobody else's business, least of all a daemon's that stays: some are secret.
    let parameters = std::env::vars_os().map(|(name, _)| name);
    parameters
        .filter(|name| name.to_string_lossy().starts_with("OCF_RESKEY_"))
        .for_each(|name| _ = command.env_remove(name));
    let mut child = command
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
        // The result of kill is of no interest: it fails only if the child has ended meanwhile. One that sleeps in the
        // kernel, such as a module that does not initialise, does not end of it.
        let _ = child.kill();
        let _ = wait(&mut child, REAPED);
        return Err(io::ErrorKind::TimedOut.into());
    };
    let failure = (!status.success()).then(|| ended(status));
    let stderr = match failure {
        Some(_) => errors.recv_timeout(left()).unwrap_or_default(),
        None => Vec::new(),
    };
    Ok(Ended { failure, stdout, stderr })
}

/// An operation that a thread or a process carries out, which is idle again when it has answered.
#[derive(Debug)]
struct AtWork<T> {
    by: Option<T>,
    reply: fn(&T, Duration) -> Option<io::Result<Output>>,
    idle: Arc<Mutex<Vec<T>>>,
}

impl<T: Debug> Pending for AtWork<T> {
    fn answer(&mut self, time: Duration) -> Option<io::Result<Output>> {
        let answer = (self.reply)(self.by.as_ref()?, time)?;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).extend(self.by.take());
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
