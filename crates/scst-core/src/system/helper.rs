//! The helper process, which reads and writes kernel files for an action: operations with `apart` set
//! ([`Sysfs::apart`](crate::sysfs::Sysfs::apart)) are carried out here.
//!
//! Some writes sleep where no signal reaches them, and some, once a signal has come, spin in the kernel until a daemon
//! answers: the process of an agent that Pacemaker ends with SIGKILL must not have such a thread. So this program is
//! started a second time, in a process group of its own and with every signal blocked. It reads one request after the
//! other from its standard input, and ends when that is closed. What it is asked to write is in no argument and no
//! environment.

use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitCode, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::SigSet;

use super::kernel_files::perform;
use super::{Operation, Output};
use crate::error::Verb;

/// The argument that makes a helper of this program.
const ARGUMENT: &str = "--kernel-files-helper";

/// Between the words of a request: no kernel file takes it.
const SEPARATOR: char = '\0';

/// The helper, seen from the run. Dropped while it is at work, it is left behind; otherwise it ends.
#[derive(Debug)]
pub(super) struct Helper {
    requests: ChildStdin,
    answers: Receiver<io::Result<Output>>,
}

impl Helper {
    pub(super) fn spawn() -> io::Result<Self> {
        let mut command = Command::new("/proc/self/exe");
        command.arg(ARGUMENT).env_clear().current_dir("/").process_group(0);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let requests = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let (sender, answers) = mpsc::channel();
        thread::Builder::new().name("helper".into()).stack_size(128 * 1024).spawn(move || {
            let mut replies = BufReader::new(child.stdout.take()?);
            while let Ok(Some(reply)) = receive(&mut replies) {
                sender.send(reply).ok()?;
            }
            reap(child)
        })?;
        Ok(Self { requests, answers })
    }

    /// Has it carry out an operation. It must be idle.
    pub(super) fn begin(&mut self, operation: &Operation) -> io::Result<()> {
        let path = operation.path.to_str().ok_or(Errno::EINVAL)?;
        let verb = if operation.verb == Verb::Write { "write" } else { "read" };
        let data = operation.data.as_deref().unwrap_or_default();
        let request = [verb, path, data].join(&SEPARATOR.to_string());
        // A line is one request: a part of one is none.
        if request.contains('\n') {
            return Err(Errno::EINVAL.into());
        }
        writeln!(self.requests, "{request}")
    }

    /// Waits for the answer, for `time` at most.
    pub(super) fn reply(&self, time: Duration) -> Option<io::Result<Output>> {
        match self.answers.recv_timeout(time) {
            Ok(answer) => Some(answer),
            Err(mpsc::RecvTimeoutError::Timeout) => None,
            Err(mpsc::RecvTimeoutError::Disconnected) => Some(Err(Errno::EIO.into())),
        }
    }
}

fn reap(mut child: Child) -> Option<()> {
    child.wait().ok().map(drop)
}

/// Reads one answer; `None` when the helper has ended.
fn receive(replies: &mut impl BufRead) -> io::Result<Option<io::Result<Output>>> {
    let mut line = String::new();
    if replies.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let words: Vec<&str> = line.split_whitespace().collect();
    let number = |text: &str| text.parse::<i32>().map_err(|_| io::Error::from(io::ErrorKind::InvalidData));
    Ok(Some(match words.as_slice() {
        ["errno", errno] => Err(io::Error::from_raw_os_error(number(errno)?)),
        ["written"] => Ok(Output::Written),
        ["text", length] => {
            let mut text = vec![0; usize::try_from(number(length)?).unwrap_or_default()];
            replies.read_exact(&mut text)?;
            Ok(Output::Text(String::from_utf8_lossy(&text).into_owned()))
        }
        _ => Err(io::ErrorKind::InvalidData.into()),
    }))
}

/// Program and arguments that start `program` without the blocked signals of an agent: a daemon would have them blocked
/// for ever.
pub(super) fn launcher(program: &Path) -> (&'static Path, [&OsStr; 2]) {
    (Path::new("/proc/self/exe"), [OsStr::new(ARGUMENT), program.as_os_str()])
}

/// Serves as a helper if this process was started as one, and gives the exit code when it is done; `None` for any other
/// process. It is the first that a program which uses [`super::Machine`] calls.
pub fn serve() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_none_or(|argument| argument != ARGUMENT) {
        return None;
    }
    if let Some(program) = arguments.next() {
        let _ = SigSet::empty().thread_set_mask();
        let error = Command::new(&program).exec();
        eprintln!("{}: {error}", program.display());
        return Some(ExitCode::FAILURE);
    }
    // A signal that is blocked does not meet a write that waits in the kernel.
    let _ = SigSet::all().thread_block();
    for request in io::stdin().lock().lines().map_while(Result::ok) {
        let mut words = request.split(SEPARATOR);
        let (Some(verb), Some(path), Some(data)) = (words.next(), words.next(), words.next()) else { break };
        let (verb, data) = if verb == "write" { (Verb::Write, Some(data.to_owned())) } else { (Verb::Read, None) };
        let reply = match perform(&Operation { data, ..Operation::new(verb, path) }) {
            Ok(Output::Text(text)) => format!("text {}\n{text}", text.len()),
            Ok(_) => "written\n".to_owned(),
            Err(error) => format!("errno {}\n", error.raw_os_error().unwrap_or(Errno::EIO as i32)),
        };
        // Nobody waits any more.
        if print(&reply).is_err() {
            break;
        }
    }
    Some(ExitCode::SUCCESS)
}

fn print(reply: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    write!(out, "{reply}")?;
    out.flush()
}
