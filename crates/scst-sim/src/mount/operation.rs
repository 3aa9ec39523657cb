//! The operations that faults can strike, and those of them that only look.

use super::core::Core;
use super::handles::Opened;
use crate::control;
use crate::faults::Op;
use crate::fuse::wire;
use crate::model::{Errno, Handle, Kind, Reading, Ticket};

/// The attribute that tells the result of the last queued command.
const LAST_RESULT: &[u8] = b"kernel/scst_tgt/last_sysfs_mgmt_res";

/// Bits of `open(2)`'s flags that say whether to read or write.
const ACCESS_MODE: u32 = 3;
const WRITE_ONLY: u32 = 1;

/// What became of a read.
pub(crate) enum Look {
    /// It is answered.
    Done(Result<Vec<u8>, Errno>),
    /// The machine owes the answer.
    Waiting(Ticket),
}

/// Something a process does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Operation {
    Open { path: Vec<u8>, id: u64, flags: u32 },
    Read { handle: u64, offset: u64, size: u32 },
    List { handle: u64, offset: u64, size: u32 },
    Readlink { path: Vec<u8>, id: u64 },
    Write { file: Handle, data: Vec<u8>, record: u64 },
}

impl Operation {
    /// What faults and counters know it as; `None` for the continuation of a read or listing, which is part of the first.
    pub(crate) fn kind(&self) -> Option<Op> {
        match self {
            Self::Open { .. } => Some(Op::Open),
            Self::Read { offset, .. } => (*offset == 0).then_some(Op::Read),
            Self::List { offset, .. } => (*offset == 0).then_some(Op::List),
            Self::Readlink { .. } => Some(Op::Readlink),
            Self::Write { .. } => Some(Op::Write),
        }
    }
}

/// Type bits of `st_mode`.
pub(crate) fn type_bits(kind: Kind) -> u32 {
    match kind {
        Kind::Dir => 0o040_000,
        Kind::File => 0o100_000,
        Kind::Link => 0o120_000,
    }
}

impl Core {
    /// Carries out an operation that changes nothing. A write is none.
    pub(crate) fn look(&mut self, operation: Operation) -> Result<Vec<u8>, Errno> {
        match operation {
            Operation::Open { path, id, flags } => self.open(&path, id, flags),
            Operation::Read { handle, offset, size } => match self.start_read(handle, offset, size) {
                Look::Done(result) => result,
                // Nobody is left whom an answer could reach.
                Look::Waiting(_) => Err(Errno::EINTR),
            },
            Operation::List { handle, offset, size } => self.list(handle, offset, size),
            Operation::Readlink { path, id } => {
                self.expect(&path, id)?;
                self.machine.readlink(&path)
            }
            Operation::Write { .. } => Err(Errno::EINVAL),
        }
    }

    /// The object at `path` is still the one that was looked up there.
    pub(crate) fn expect(&self, path: &[u8], id: u64) -> Result<(), Errno> {
        let same = path.is_empty() || self.machine.lookup(path)?.id == id;
        if same { Ok(()) } else { Err(Errno::ENOENT) }
    }

    fn open(&mut self, path: &[u8], id: u64, flags: u32) -> Result<Vec<u8>, Errno> {
        let (read, write) = (flags & ACCESS_MODE != WRITE_ONLY, flags & ACCESS_MODE != 0);
        let file = self.machine.open(path, read, write)?;
        if file.id != id {
            // The kernel looks the path up once more.
            return Err(Errno::ESTALE);
        }
        let handle = self.handles.add(Opened::Attribute { file, text: <_>::default() });
        Ok(wire::opened(handle, true))
    }

    /// Begins a read: most are answered at once.
    pub(crate) fn start_read(&mut self, handle: u64, offset: u64, size: u32) -> Look {
        if let Some(Opened::Attribute { file, text }) = self.handles.get(handle)
            && text.is_stale_at(offset)
            && !(self.command_is_held() && file.path == LAST_RESULT)
        {
            let file = file.clone();
            return match self.machine.start_read(&file) {
                Reading::Done(content) => Look::Done(self.finish_read(handle, offset, size, content)),
                Reading::Waiting(ticket) => Look::Waiting(ticket),
            };
        }
        Look::Done(self.read_on(handle, offset, size))
    }

    /// Answers a read of an attribute with its content as of now.
    pub(crate) fn finish_read(
        &mut self,
        handle: u64,
        offset: u64,
        size: u32,
        content: Result<Vec<u8>, Errno>,
    ) -> Result<Vec<u8>, Errno> {
        let content = content?;
        let Some(Opened::Attribute { text, .. }) = self.handles.get_mut(handle) else { return Err(Errno::EBADF) };
        text.renew(content);
        let bytes = text.take(offset, size);
        self.unless_gone(handle, bytes)
    }

    /// An attribute without content left has to be there still.
    fn unless_gone(&self, handle: u64, bytes: Vec<u8>) -> Result<Vec<u8>, Errno> {
        let Some(Opened::Attribute { file, .. }) = self.handles.get(handle) else { return Err(Errno::EBADF) };
        if bytes.is_empty() && self.expect(&file.path, file.id).is_err() {
            return Err(Errno::ENODEV);
        }
        Ok(bytes)
    }

    /// A read that goes on where the last one ended, or that is none of an attribute.
    fn read_on(&mut self, handle: u64, offset: u64, size: u32) -> Result<Vec<u8>, Errno> {
        match self.handles.get_mut(handle) {
            Some(Opened::Attribute { text, .. }) => {
                if text.is_stale_at(offset) {
                    // The last result, while a command is held back.
                    return Err(Errno::EAGAIN);
                }
                let bytes = text.take(offset, size);
                self.unless_gone(handle, bytes)
            }
            Some(Opened::Control { file, text }) => {
                if !text.is_stale_at(offset) {
                    return Ok(text.take(offset, size));
                }
                let file = *file;
                let content = control::content(self, file);
                match self.handles.get_mut(handle) {
                    Some(Opened::Control { text, .. }) => {
                        text.renew(content);
                        Ok(text.take(offset, size))
                    }
                    _ => Err(Errno::EBADF),
                }
            }
            _ => Err(Errno::EBADF),
        }
    }

    fn list(&mut self, handle: u64, offset: u64, size: u32) -> Result<Vec<u8>, Errno> {
        let Some(Opened::Directory { path, id, .. }) = self.handles.get(handle) else {
            return Err(Errno::EBADF);
        };
        if offset == 0 {
            let (path, id) = (path.clone(), *id);
            let mut found = vec![(b".".to_vec(), Kind::Dir), (b"..".to_vec(), Kind::Dir)];
            if let Some(files) = control::list(&path) {
                found.extend(files);
            } else {
                self.expect(&path, id)?;
                found.extend(self.machine.list(&path)?);
            }
            if let Some(Opened::Directory { entries, .. }) = self.handles.get_mut(handle) {
                *entries = found;
            }
        }
        let Some(Opened::Directory { entries, .. }) = self.handles.get(handle) else {
            return Err(Errno::EBADF);
        };
        let mut body = Vec::new();
        let skipped = usize::try_from(offset).unwrap_or(usize::MAX);
        for ((name, kind), next) in entries.iter().zip(1..).skip(skipped) {
            if !wire::push_entry(&mut body, size as usize, next, type_bits(*kind), name) {
                break;
            }
        }
        Ok(body)
    }
}
