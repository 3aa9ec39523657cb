//! `scst-sim mount` and `scst-sim tree`.

use std::fs;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use super::{Mount, MountError};
use crate::control;
use crate::model::{Errno, ScstVersion};
use crate::scenario::{Scenario, ScenarioError};
use crate::tree;

/// Why a command did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The scenario is wrong.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// The mount failed.
    #[error(transparent)]
    Mount(#[from] MountError),
    /// Signals cannot be waited for.
    #[error("cannot wait for signals: {0}")]
    Signals(Errno),
    /// The mount point could not be freed.
    #[error("cannot unmount {}: {errno}", dir.display())]
    Unmount {
        /// The mount point.
        dir: PathBuf,
        /// What `umount2(2)` answered.
        errno: Errno,
    },
    /// Nobody takes what is printed.
    #[error("cannot write to standard output: {0}")]
    Output(io::Error),
    /// The tree could not be read.
    #[error("cannot read the tree below {}: {source}", dir.display())]
    Tree {
        /// What stands for `/sys`.
        dir: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Mounts a scenario, or the built-in machine, on `dir` and serves it until SIGINT, SIGTERM, SIGHUP or `umount`. Says so on
/// standard output once it is mounted, and at the end names on standard error whatever was asked that the simulator does
/// not know; then the exit code is 1.
///
/// To be called before the program starts any thread: it blocks those signals.
pub fn mount_command(
    dir: &Path,
    scenario: Option<&Path>,
    version: Option<ScstVersion>,
) -> Result<ExitCode, CommandError> {
    let ends = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP]);
    ends.thread_block().map_err(CommandError::Signals)?;
    let signals = SignalFd::with_flags(&ends, SfdFlags::SFD_CLOEXEC).map_err(CommandError::Signals)?;

    let scenario = scenario.map_or_else(|| Ok(Scenario::built_in()), Scenario::load)?;
    let mount = Mount::start(dir, scenario.with_version(version).build()?)?;
    writeln!(io::stdout(), "mounted on {}", mount.dir().display()).map_err(CommandError::Output)?;

    let mut sources = [signals.as_fd(), mount.server.ended().as_fd()].map(|fd| PollFd::new(fd, PollFlags::POLLIN));
    while poll(&mut sources, PollTimeout::NONE) == Err(Errno::EINTR) {}

    let dir = mount.dir().to_owned();
    let unknowns = mount.unknowns();
    mount.unmount().map_err(|errno| CommandError::Unmount { dir, errno })?;
    for unknown in &unknowns {
        eprintln!("scst-sim: not known: {}: {}", unknown.path.escape_ascii(), unknown.what);
    }
    Ok(if unknowns.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Prints the snapshot of what is below `dir`. A mounted machine draws it itself, so that looking leaves no trace in its
/// counters and meets none of its faults.
pub fn tree_command(dir: &Path) -> Result<ExitCode, CommandError> {
    let own = dir.join(control::DIR).join("tree");
    let snapshot = if own.exists() { fs::read_to_string(own) } else { tree::snapshot(dir) };
    let unread = |source| CommandError::Tree { dir: dir.to_owned(), source };
    match io::stdout().write_all(snapshot.map_err(unread)?.as_bytes()) {
        // The reader has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        written => written.map(|()| ExitCode::SUCCESS).map_err(CommandError::Output),
    }
}
