//! A machine as a mounted file system: what `/sys` looks like where SCST is loaded.
//!
//! One thread per mount reads the kernel's requests and answers them; it never waits for anything but the next request, the
//! next event of the machine, or somebody here who changed something. A write that waits in the machine, or that a fault
//! keeps back, keeps its number and is answered when its time has come, so it blocks nobody else.
//!
//! When the process dies, the kernel ends the connection by itself and all waiting callers with it.

mod command;
mod core;
mod dispatch;
mod handles;
mod look;
mod nodes;
mod server;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

pub use self::command::{CommandError, mount_command, tree_command};
pub use crate::fuse::device::MountError;
pub use crate::process::Process;
pub use crate::served::{Pace, Setup, WriteRecord};

use self::server::Server;
use crate::control;
use crate::counters::Counters;
use crate::faults::{Fault, Strike};
use crate::fuse::device::{self, Connection};
use crate::model::{Errno, Machine, Unknown};
use crate::tree;

/// A mounted machine. Dropping it unmounts; callers that still wait are answered ECONNABORTED.
///
/// Its methods may be called from any thread and while others use the mount. None of them may be called from within
/// [`Mount::with_machine`].
pub struct Mount {
    dir: PathBuf,
    server: Arc<Server>,
    thread: Option<JoinHandle<()>>,
}

impl Mount {
    /// Mounts a machine on an existing directory.
    ///
    /// # Errors
    /// When FUSE is missing or forbidden, or the directory cannot be mounted on.
    pub fn start(dir: impl AsRef<Path>, setup: impl Into<Setup>) -> Result<Self, MountError> {
        let dir = dir.as_ref();
        let dir = dir.canonicalize().map_err(|error| MountError::Mount {
            dir: dir.to_owned(),
            errno: error.raw_os_error().map_or(Errno::EIO, Errno::from_raw),
            hint: "",
        })?;
        let unserved = |errno| MountError::Serve { dir: dir.clone(), errno };
        let server = Arc::new(Server::new(setup.into()).map_err(unserved)?);
        let connection = Connection::mount(&dir)?;
        let serving = Arc::clone(&server);
        let name = "scst-sim mount".to_owned();
        let spawned = std::thread::Builder::new().name(name).spawn(move || serving.serve(&connection));
        let thread = spawned.map_err(|error| {
            // The connection went with the closure; its mount point must not stay behind dead.
            let _ = device::unmount(&dir);
            unserved(error.raw_os_error().map_or(Errno::EAGAIN, Errno::from_raw))
        })?;
        Ok(Self { dir, server, thread: Some(thread) })
    }

    /// The mount point: what stands for `/sys`.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Looks at the machine or changes it: modules, ports, sessions, I/O. No request is served meanwhile, so the closure must
    /// not use the mounted files.
    pub fn with_machine<R>(&self, change: impl FnOnce(&mut Machine) -> R) -> R {
        self.server.with(|core| change(&mut core.served.machine))
    }

    /// Arms a fault: its counting starts now.
    pub fn arm(&self, fault: Fault) {
        self.server.with(|core| core.served.faults.arm(fault));
    }

    /// Forgets all faults. Operations they keep back stay so until released.
    pub fn disarm(&self) {
        self.server.with(|core| core.served.faults.disarm());
    }

    /// The operations that faults struck since the last disarming, in order. A fault that delays everything by nothing, from
    /// the first match on, makes this a list of all that was done.
    pub fn strikes(&self) -> Vec<Strike> {
        self.server.with(|core| core.served.faults.strikes().to_vec())
    }

    /// Lets every operation go on that hangs by a fault. Answers how many.
    pub fn release(&self) -> usize {
        self.server.with(|core| core.served.release())
    }

    /// How many callers wait for an answer, by a fault or because their command waits.
    pub fn waiting(&self) -> usize {
        self.server.with(|core| core.waiting())
    }

    /// How many requests a signal of their caller has reached.
    pub fn interrupted(&self) -> u64 {
        self.server.with(|core| core.interrupted)
    }

    /// What was counted since the mount or the last reset.
    pub fn counters(&self) -> Counters {
        self.server.with(|core| core.served.counters.clone())
    }

    /// Counters start at zero again, and the list of writes is empty.
    pub fn reset_counters(&self) {
        self.server.with(|core| core.served.reset_counters());
    }

    /// All writes since the mount or the last reset, in the order they arrived.
    pub fn writes(&self) -> Vec<WriteRecord> {
        self.server.with(|core| core.served.writes().to_vec())
    }

    /// Everything asked that nobody knows the answer of. A good run leaves none.
    pub fn unknowns(&self) -> Vec<Unknown> {
        self.server.with(|core| core.served.unknowns())
    }

    /// One command of the control file, such as `login qla2x00t PORT INITIATOR`; answers what the command says.
    ///
    /// # Errors
    /// The reason in one sentence, with the errno a writer of the file would get.
    pub fn control(&self, command: &str) -> Result<String, control::Refused> {
        self.server.with(|core| control::command(&mut core.served, command))
    }

    /// The state as text, see [`tree::snapshot`], without a trace in counters or faults.
    ///
    /// # Errors
    /// As [`tree::snapshot`].
    pub fn snapshot(&self) -> io::Result<String> {
        self.server.with(|core| tree::snapshot_of(&mut tree::Inside(&mut core.served.machine)))
    }

    /// Lets that much of the machine's time pass at once.
    pub fn skip(&self, time: Duration) {
        self.server.with(|core| core.served.skip(time));
    }

    /// What the mount holds for the kernel: known nodes and open files. Both are small when nobody uses it.
    pub fn held_for_kernel(&self) -> (usize, usize) {
        self.server.with(|core| (core.nodes.len(), core.handles.len()))
    }

    /// Ends the mount and says whether that worked.
    ///
    /// # Errors
    /// What `umount2(2)` answered.
    pub fn unmount(mut self) -> Result<(), Errno> {
        self.end()
    }

    fn end(&mut self) -> Result<(), Errno> {
        let Some(thread) = self.thread.take() else { return Ok(()) };
        // The thread still serves, for unmounting may ask it something.
        let result = device::unmount(&self.dir);
        self.server.stop();
        let _ = thread.join();
        result
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        if let Err(errno) = self.end() {
            eprintln!("scst-sim: cannot unmount {}: {errno}", self.dir.display());
        }
    }
}
