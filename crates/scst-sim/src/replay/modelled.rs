//! The questions answered by a [`Machine`] directly, with the little that the kernel's file layer adds: file positions,
//! `O_CREAT`, permissions of other users.

use std::time::Duration;

use super::surface::{Access, Ending, Entries, Found, How, Signal, Surface};
use crate::model::{Errno, Handle, Kind, Machine, Reading, Written};

/// At most this many bytes of one write(2) reach an attribute.
const PAGE: usize = 4096;

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

/// A read of another process on the model.
pub struct ModelReading(Reading);

impl Surface for ModelSurface {
    type File = ModelFile;
    type Started = ModelStarted;
    type Reading = ModelReading;

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
            let answer = match self.machine.start_read(handle) {
                Reading::Done(answer) => answer,
                Reading::Waiting(ticket) => loop {
                    if let Some(answer) = self.machine.poll_read(ticket) {
                        break answer;
                    }
                    // Nothing is left that could end it; read(2) would not return.
                    let Some(at) = self.machine.next_event() else { break Err(Errno::EDEADLK) };
                    self.machine.advance(at);
                },
            };
            *content = Some((answer?, 0));
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
            // Whatever the call answered, the process died of the signal, or its handler ran.
            started.ended = result.map(|result| match result {
                _ if started.killed => Ending::Killed,
                _ if started.interrupted => Ending::Interrupted,
                result => Ending::Returned(result),
            });
        }
        started.ended
    }

    fn signal(&mut self, started: &mut Self::Started, signal: Signal) {
        let Ok(Written::Waiting(ticket)) = started.written else {
            return;
        };
        if self.ended(started).is_some() {
            return;
        }
        match signal {
            Signal::User1 => started.interrupted = true,
            Signal::Kill => started.killed = true,
        }
        self.machine.interrupt(ticket);
    }

    fn start_read(&mut self, path: &str) -> Result<Self::Reading, Errno> {
        Ok(ModelReading(match self.open(path, Access::Read.into())? {
            ModelFile::Attribute { handle, .. } => self.machine.start_read(&handle),
            ModelFile::Directory => Reading::Done(Err(Errno::EISDIR)),
        }))
    }

    fn read_ended(&mut self, reading: &mut Self::Reading) -> Option<Result<Vec<u8>, Errno>> {
        match &reading.0 {
            Reading::Done(answer) => Some(answer.clone()),
            Reading::Waiting(ticket) => self.machine.poll_read(*ticket),
        }
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

/// write(2) as the kernel's file layer hands it on: nothing for nothing, one page at most.
fn write_page(machine: &mut Machine, handle: &Handle, data: &[u8]) -> Written {
    if data.is_empty() {
        return Written::Done(Ok(0));
    }
    machine.write(handle, &data[..data.len().min(PAGE)])
}
