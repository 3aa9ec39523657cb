//! Where a replay asks its questions: the same questions to the pure model and to a mounted file system.
//!
//! [`Surface`] is what a program can do to sysfs, system call by system call; [`ModelSurface`] answers it from a
//! [`Machine`] directly, with the little that the kernel's file layer adds (file positions, `O_CREAT`, permissions of
//! other users). The mounted one lives in [`mounted`](super::mounted).

use std::time::Duration;

use crate::model::{Errno, Handle, Kind, Machine, Ticket, Written};

/// Prefix of every recorded path.
pub const ROOT: &str = "kernel/scst_tgt";

/// At most this many bytes of one write(2) reach an attribute.
const PAGE: usize = 4096;

/// What a file is opened for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Access {
    /// `O_RDONLY`.
    #[default]
    Read,
    /// `O_WRONLY`.
    Write,
    /// `O_RDWR`.
    Both,
}

impl Access {
    /// It is opened for reading.
    pub fn reads(self) -> bool {
        self != Access::Write
    }

    /// It is opened for writing.
    pub fn writes(self) -> bool {
        self != Access::Read
    }
}

/// How a file is opened.
#[derive(Debug, Clone, Copy, Default)]
pub struct How {
    /// For what.
    pub access: Access,
    /// `O_CREAT`.
    pub create: bool,
    /// `O_TRUNC`.
    pub truncate: bool,
    /// `O_APPEND`.
    pub append: bool,
    /// The user who opens it; root where absent.
    pub uid: Option<u32>,
}

impl From<Access> for How {
    fn from(access: Access) -> Self {
        Self { access, ..Self::default() }
    }
}

/// What lstat(2) says, as far as recordings hold it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// Directory, file or link.
    pub kind: Kind,
    /// Permission bits.
    pub mode: u32,
    /// Size in bytes.
    pub size: u64,
}

/// How a write ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The call returned.
    Returned(Result<usize, Errno>),
    /// A signal ended the call.
    Interrupted,
    /// A signal ended the writer.
    Killed,
    /// It never ends: nothing is left that could happen.
    Stuck,
}

/// Signals a waiting writer may get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// One that the writer survives.
    User1,
    /// One that it does not.
    Kill,
}

/// Entries of a directory.
pub type Entries = Vec<(Vec<u8>, Kind)>;

/// What a program can do to sysfs. Paths are relative to `/sys`.
pub trait Surface {
    /// An opened file.
    type File;
    /// A write in a process of its own.
    type Started;

    /// The machine behind, for what is not sysfs: modules, time, commands of initiators.
    fn machine<R>(&mut self, work: impl FnOnce(&mut Machine) -> R) -> R;

    /// lstat(2).
    fn lstat(&mut self, path: &str) -> Result<Found, Errno>;
    /// The entries of a directory.
    fn list(&mut self, path: &str) -> Result<Entries, Errno>;
    /// readlink(2).
    fn readlink(&mut self, path: &str) -> Result<Vec<u8>, Errno>;

    /// open(2).
    fn open(&mut self, path: &str, how: How) -> Result<Self::File, Errno>;
    /// One read(2) of up to `count` bytes at the file's position.
    fn read(&mut self, file: &mut Self::File, count: usize) -> Result<Vec<u8>, Errno>;
    /// lseek(2) to the start.
    fn rewind(&mut self, file: &mut Self::File) -> Result<(), Errno>;
    /// One write(2), or pwrite(2) where an offset is given; time passes until it is answered.
    fn write(&mut self, file: &mut Self::File, data: &[u8], offset: Option<u64>) -> Ending;
    /// Writes begun at the same moment, and their answers in the order given.
    fn write_together(&mut self, writes: &[(String, Vec<u8>)]) -> Vec<Ending>;

    /// Begins a write in a process of its own.
    fn start(&mut self, path: &str, data: &[u8]) -> Self::Started;
    /// How it ended, if it has by now.
    fn ended(&mut self, started: &mut Self::Started) -> Option<Ending>;
    /// Sends the writer a signal.
    fn signal(&mut self, started: &mut Self::Started, signal: Signal);

    /// mkdir(2).
    fn mkdir(&mut self, path: &str) -> Result<(), Errno>;
    /// rmdir(2).
    fn rmdir(&mut self, path: &str) -> Result<(), Errno>;
    /// unlink(2).
    fn unlink(&mut self, path: &str) -> Result<(), Errno>;
    /// truncate(2) to nothing.
    fn truncate(&mut self, path: &str) -> Result<(), Errno>;
    /// chmod(2).
    fn chmod(&mut self, path: &str, mode: u32) -> Result<(), Errno>;

    /// Lets time pass.
    fn pass(&mut self, time: Duration) {
        self.machine(|machine| machine.advance(machine.now() + time));
    }

    /// Lets time pass until the next thing happens, at most up to `limit`; false if nothing would.
    fn pass_to_next_event(&mut self, limit: Duration) -> bool {
        self.machine(|machine| match machine.next_event().filter(|at| *at <= limit) {
            Some(at) => {
                machine.advance(at);
                true
            }
            None => false,
        })
    }
}

/// The model itself, without a file system.
pub struct ModelSurface {
    machine: Machine,
}

impl ModelSurface {
    /// A machine to ask.
    pub fn new(machine: Machine) -> Self {
        Self { machine }
    }

    /// The directory a path lies in, if it is one.
    fn is_in_directory(&self, path: &str) -> bool {
        let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
        self.machine.list(parent.as_bytes()).is_ok()
    }

    fn wait(&mut self, written: Written) -> Ending {
        let ticket = match written {
            Written::Done(result) => return Ending::Returned(result),
            Written::Waiting(ticket) => ticket,
        };
        loop {
            if let Some(result) = self.machine.poll(ticket) {
                return Ending::Returned(result);
            }
            if !self.pass_to_next_event(Duration::MAX) {
                return Ending::Stuck;
            }
        }
    }
}

/// A file opened on the model.
pub enum ModelFile {
    /// An attribute.
    Attribute {
        /// What the model knows it by.
        handle: Handle,
        /// What the first read since the last rewind found, and how much of it has been handed out.
        content: Option<(Vec<u8>, usize)>,
    },
    /// A directory: it opens for reading, but has nothing to read.
    Directory,
}

/// A write of another process on the model.
pub struct ModelStarted {
    written: Result<Written, Errno>,
    killed: bool,
    interrupted: bool,
    ended: Option<Ending>,
}

impl Surface for ModelSurface {
    type File = ModelFile;
    type Started = ModelStarted;

    fn machine<R>(&mut self, work: impl FnOnce(&mut Machine) -> R) -> R {
        work(&mut self.machine)
    }

    fn lstat(&mut self, path: &str) -> Result<Found, Errno> {
        self.machine.lookup(path.as_bytes()).map(|attr| Found { kind: attr.kind, mode: attr.mode, size: attr.size })
    }

    fn list(&mut self, path: &str) -> Result<Entries, Errno> {
        self.machine.list(path.as_bytes())
    }

    fn readlink(&mut self, path: &str) -> Result<Vec<u8>, Errno> {
        self.machine.readlink(path.as_bytes())
    }

    fn open(&mut self, path: &str, how: How) -> Result<Self::File, Errno> {
        let attr = match self.machine.lookup(path.as_bytes()) {
            Err(Errno::ENOENT) if how.create && self.is_in_directory(path) => {
                return Err(Errno::EACCES);
            }
            attr => attr?,
        };
        if attr.kind == Kind::Dir {
            return if how.access.writes() { Err(Errno::EISDIR) } else { Ok(ModelFile::Directory) };
        }
        if how.uid.is_some_and(|uid| uid != 0) && attr.kind == Kind::File {
            // Everything belongs to root, so the bits for others decide.
            let wanted = (u32::from(how.access.reads()) * 0o4) | (u32::from(how.access.writes()) * 0o2);
            if attr.mode & wanted != wanted {
                return Err(Errno::EACCES);
            }
        }
        let handle = self.machine.open(path.as_bytes(), how.access.reads(), how.access.writes())?;
        Ok(ModelFile::Attribute { handle, content: None })
    }

    fn read(&mut self, file: &mut Self::File, count: usize) -> Result<Vec<u8>, Errno> {
        let ModelFile::Attribute { handle, content } = file else {
            return Err(Errno::EISDIR);
        };
        if content.is_none() {
            *content = Some((self.machine.read(handle)?, 0));
        }
        let Some((content, at)) = content else {
            return Ok(Vec::new());
        };
        let end = content.len().min(at.saturating_add(count));
        let piece = content[*at..end].to_vec();
        *at = end;
        Ok(piece)
    }

    fn rewind(&mut self, file: &mut Self::File) -> Result<(), Errno> {
        if let ModelFile::Attribute { content, .. } = file {
            *content = None;
        }
        Ok(())
    }

    fn write(&mut self, file: &mut Self::File, data: &[u8], _offset: Option<u64>) -> Ending {
        let ModelFile::Attribute { handle, .. } = file else {
            return Ending::Returned(Err(Errno::EBADF));
        };
        let written = write_page(&mut self.machine, handle, data);
        self.wait(written)
    }

    fn write_together(&mut self, writes: &[(String, Vec<u8>)]) -> Vec<Ending> {
        let mut all: Vec<_> = writes.iter().map(|(path, data)| self.start(path, data)).collect();
        let mut endings = Vec::new();
        for started in &mut all {
            endings.push(loop {
                if let Some(ending) = self.ended(started) {
                    break ending;
                }
                if !self.pass_to_next_event(Duration::MAX) {
                    break Ending::Stuck;
                }
            });
        }
        endings
    }

    fn start(&mut self, path: &str, data: &[u8]) -> Self::Started {
        let written = self.open(path, Access::Write.into()).map(|file| match file {
            ModelFile::Attribute { handle, .. } => write_page(&mut self.machine, &handle, data),
            ModelFile::Directory => Written::Done(Err(Errno::EBADF)),
        });
        ModelStarted { written, killed: false, interrupted: false, ended: None }
    }

    fn ended(&mut self, started: &mut Self::Started) -> Option<Ending> {
        if started.ended.is_none() {
            let result = match started.written {
                Err(errno) => Some(Err(errno)),
                Ok(Written::Done(result)) => Some(result),
                Ok(Written::Waiting(ticket)) => self.machine.poll(ticket),
            };
            started.ended = result.map(|result| match result {
                Err(Errno::EINTR) if started.killed => Ending::Killed,
                Err(Errno::EINTR) if started.interrupted => Ending::Interrupted,
                result => Ending::Returned(result),
            });
        }
        started.ended
    }

    fn signal(&mut self, started: &mut Self::Started, signal: Signal) {
        let Ok(Written::Waiting(ticket)) = started.written else {
            return;
        };
        match signal {
            Signal::User1 => started.interrupted = true,
            Signal::Kill => started.killed = true,
        }
        self.interrupt(ticket);
    }

    fn mkdir(&mut self, path: &str) -> Result<(), Errno> {
        if self.machine.lookup(path.as_bytes()).is_ok() {
            return Err(Errno::EEXIST);
        }
        Err(if self.is_in_directory(path) { Errno::EPERM } else { Errno::ENOENT })
    }

    fn rmdir(&mut self, path: &str) -> Result<(), Errno> {
        match self.machine.lookup(path.as_bytes())?.kind {
            Kind::Dir => Err(Errno::EPERM),
            Kind::File | Kind::Link => Err(Errno::ENOTDIR),
        }
    }

    fn unlink(&mut self, path: &str) -> Result<(), Errno> {
        match self.machine.lookup(path.as_bytes())?.kind {
            Kind::Dir => Err(Errno::EISDIR),
            Kind::File | Kind::Link => Err(Errno::EPERM),
        }
    }

    fn truncate(&mut self, path: &str) -> Result<(), Errno> {
        match self.machine.lookup(path.as_bytes())?.kind {
            Kind::Dir => Err(Errno::EISDIR),
            Kind::File | Kind::Link => Ok(()),
        }
    }

    fn chmod(&mut self, path: &str, mode: u32) -> Result<(), Errno> {
        self.machine.chmod(path.as_bytes(), mode)
    }
}

impl ModelSurface {
    fn interrupt(&mut self, ticket: Ticket) {
        self.machine.interrupt(ticket);
    }
}

/// write(2) as the kernel's file layer hands it on: nothing for nothing, one page at most.
fn write_page(machine: &mut Machine, handle: &Handle, data: &[u8]) -> Written {
    if data.is_empty() {
        return Written::Done(Ok(0));
    }
    machine.write(handle, &data[..data.len().min(PAGE)])
}
