//! What an action reaches outside itself, as the simulation has it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use nix::errno::Errno;
use scst_core::error::Verb;
use scst_core::system::{Ended, Lock, Locked, Operation, Pending, System};
use scst_sim::model::{FileKind, Host as _};

use super::faults::{Fault, Lasting, PAUSE};
use super::kernel::{Answer, Answered, InKernel, perform};
use super::stage::{Stage, State, TaskId};
use super::task::die;

/// How long an operation on a kernel file takes.
const OPERATION: Duration = Duration::from_micros(20);

/// How long a program of the cluster takes.
const PROGRAM: Duration = Duration::from_millis(12);

/// One operation in so many lets another action go first.
const INTERLEAVE: usize = 12;

/// The outside of one action.
#[derive(Debug, Clone)]
pub(super) struct Outside {
    pub(super) stage: Arc<Stage>,
    pub(super) node: usize,
    pub(super) task: TaskId,
}

impl Outside {
    /// The action meets what goes wrong for a while; `matters`: it may fail for that.
    fn meets(&self, what: &str, matters: bool) {
        let mut state = self.stage.lock();
        let task = state.task(self.task);
        task.faulted |= matters;
        if let Some(call) = &mut task.call {
            call.is_apart("it meets a fault of a while");
        }
        let label = task.label.clone();
        state.world.disturbed = true;
        state.world.count("fault of a while".to_owned());
        state.world.happened(format!("    {label} meets {what}"));
    }

    fn interleave(&self) {
        let others = {
            let mut state = self.stage.lock();
            state.world.now += OPERATION;
            state.tasks.len() > 1 && state.world.lot.once_in(INTERLEAVE)
        };
        if others {
            self.stage.sleep(self.task, Duration::ZERO);
        }
    }
}

impl System for Outside {
    fn now(&self) -> Duration {
        self.stage.world().uptime(self.node)
    }

    fn sleep(&self, time: Duration) {
        self.stage.sleep(self.task, time);
    }

    fn boot(&self) -> String {
        self.stage.world().nodes[self.node].boot.to_string()
    }

    fn begin(&self, operation: Operation) -> io::Result<Box<dyn Pending>> {
        self.interleave();
        self.stage.world().daemon_meets(self.node);
        let fault = self.stage.operation(self.task, &operation);
        let refused = |errno: Errno| Ok(Answered::now(Err(errno.into())));
        match fault {
            Some(Fault::KillBefore) => die(),
            Some(Fault::Fails(errno)) => return refused(errno),
            Some(Fault::Lasts(errno)) => {
                let broken = (operation.verb, operation.path.clone(), errno);
                self.stage.world().nodes[self.node].broken.push(broken);
            }
            Some(Fault::QueuedFails) => {
                self.stage.world().nodes[self.node].machine.finish_command(Err(Errno::EIO));
                return refused(Errno::EAGAIN);
            }
            Some(Fault::Term) => self.stage.lock().task(self.task).cancelled.store(true, Ordering::Relaxed),
            Some(Fault::Pause) => self.stage.pause(PAUSE),
            Some(Fault::Hangs) => return Ok(Box::new(InKernel { outside: self.clone(), ticket: None })),
            // They come after it.
            Some(Fault::KillAfter | Fault::Queued) | None => {}
        }
        let lasting = self.stage.world().lasting(self.node);
        if let Some(Lasting::Writes(text, errno)) = lasting
            && operation.verb == Verb::Write
            && operation.path.to_string_lossy().contains(text)
        {
            self.meets(&format!("{errno:?} for a while at {}", operation.path.display()), true);
            return refused(errno);
        }
        let mut state = self.stage.lock();
        let broken = &state.world.nodes[self.node].broken;
        let broken = broken.iter().find(|(verb, path, _)| *verb == operation.verb && *path == operation.path);
        if let Some((.., errno)) = broken.cloned() {
            state.task(self.task).faulted = true;
            return refused(errno);
        }
        let State { tasks, world, .. } = &mut *state;
        // Nothing that happens to the action meets a process of its own.
        let writer = tasks.get(&self.task).filter(|_| !operation.apart);
        let answer = perform(world, self.node, &operation, writer);
        drop(state);
        if fault == Some(Fault::KillAfter) {
            die();
        }
        if fault == Some(Fault::Queued) {
            if let Answer::Now(answer) = answer {
                let errno = answer.err().and_then(|error| error.raw_os_error()).map(Errno::from_raw);
                self.stage.world().nodes[self.node].machine.finish_command(errno.map_or(Ok(()), Err));
            }
            return refused(Errno::EAGAIN);
        }
        Ok(match answer {
            Answer::Now(answer) => {
                if let Some(call) = &mut self.stage.lock().task(self.task).call {
                    call.answered(&operation, &answer);
                }
                Answered::now(answer)
            }
            Answer::Later(ticket) => Box::new(InKernel { outside: self.clone(), ticket: Some(ticket) }),
        })
    }

    fn find_program(&self, _: &[PathBuf], name: &str) -> Option<PathBuf> {
        Some(PathBuf::from(name))
    }

    fn run_program(&self, program: &Path, arguments: &[&str], limit: Duration) -> io::Result<Ended> {
        let lasting = self.stage.world().lasting(self.node);
        let fails = match lasting {
            Some(Lasting::ProgramsHang) => {
                self.meets("a program that does not end", true);
                self.stage.sleep(self.task, limit);
                return Err(io::ErrorKind::TimedOut.into());
            }
            Some(Lasting::ProgramsFail) => Some(true),
            Some(Lasting::NoAttributes) => arguments.contains(&"-v").then_some(false),
            Some(Lasting::Writes(..)) | None => None,
        };
        self.stage.sleep(self.task, PROGRAM);
        if let Some(matters) = fails {
            self.meets("a program that fails", matters);
            let stderr = b"Could not connect to the CIB: Transport endpoint is not connected\n".to_vec();
            return Ok(Ended { failure: Some("exit code 102".to_owned()), stdout: Vec::new(), stderr });
        }
        Ok(self.stage.world().program(self.node, &program.to_string_lossy(), arguments))
    }

    fn run_daemon(&self, program: &Path, limit: Duration) -> io::Result<Ended> {
        self.run_program(program, &[], limit)
    }

    fn read_file(&self, path: &Path) -> io::Result<String> {
        self.stage.world().nodes[self.node].run.get(path).cloned().ok_or_else(|| Errno::ENOENT.into())
    }

    fn replace_file(&self, path: &Path, text: &str) -> io::Result<()> {
        self.stage.world().may_write(self.node)?;
        self.keep_file(path, text)
    }

    fn keep_file(&self, path: &Path, text: &str) -> io::Result<()> {
        self.stage.world().nodes[self.node].run.insert(path.to_owned(), text.to_owned());
        Ok(())
    }

    /// The only one, for reservations, is there from the boot on: other devices need it too.
    fn make_directory(&self, _: &Path) -> io::Result<()> {
        Err(Errno::EEXIST.into())
    }

    fn is_directory(&self, path: &Path) -> bool {
        let found = self.stage.world().nodes[self.node].disks.file(path.as_os_str().as_encoded_bytes());
        found.is_ok_and(|file| file.kind == FileKind::Dir)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut world = self.stage.world();
        world.may_write(self.node)?;
        world.nodes[self.node].run.remove(path).map(drop).ok_or_else(|| Errno::ENOENT.into())
    }

    fn list_files(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        let world = self.stage.world();
        let node = &world.nodes[self.node];
        let files = node.run.keys().chain(node.locks.keys());
        Ok(files.filter(|path| path.parent() == Some(directory)).cloned().collect())
    }

    fn lock_file(&self, path: &Path, make: bool) -> io::Result<Locked> {
        let mut state = self.stage.lock();
        let locks = &mut state.world.nodes[self.node].locks;
        if locks.get(path).is_some_and(|holder| *holder != 0) {
            if let Some(call) = &mut state.task(self.task).call {
                call.is_apart("another action has the lock");
            }
            return Ok(Locked::ByAnother);
        }
        if !locks.contains_key(path) {
            if !make {
                return Err(Errno::ENOENT.into());
            }
            state.world.may_write(self.node)?;
        }
        state.world.nodes[self.node].locks.insert(path.to_owned(), self.task);
        Ok(Locked::Taken(Box::new(Held { outside: self.clone(), path: path.to_owned() })))
    }
}

/// A lock that an action has; the kernel takes it back when the action dies.
#[derive(Debug)]
struct Held {
    outside: Outside,
    path: PathBuf,
}

impl Lock for Held {}

impl Drop for Held {
    fn drop(&mut self) {
        let Outside { stage, node, task } = &self.outside;
        // After a reboot there is no such file any more, or another one.
        if let Some(holder) = stage.world().nodes[*node].locks.get_mut(&self.path).filter(|holder| **holder == *task) {
            *holder = 0;
        }
    }
}
