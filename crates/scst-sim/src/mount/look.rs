//! Operations that change nothing: opening, reading, listing, reading links.

use super::core::{Core, Look};
use super::handles::Opened;
use crate::control;
use crate::fuse::wire;
use crate::model::{Errno, Kind, Reading};
use crate::served::Operation;

/// The attribute that tells the result of the last queued command.
const LAST_RESULT: &[u8] = b"kernel/scst_tgt/last_sysfs_mgmt_res";

/// Bits of `open(2)`'s flags that say whether to read or write.
const ACCESS_MODE: u32 = 3;
const WRITE_ONLY: u32 = 1;

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
                self.served.machine.readlink(&path)
            }
            Operation::Write { .. } => Err(Errno::EINVAL),
        }
    }

    /// The object at `path` is still the one that was looked up there.
    pub(crate) fn expect(&self, path: &[u8], id: u64) -> Result<(), Errno> {
        let same = path.is_empty() || self.served.machine.lookup(path)?.id == id;
        if same { Ok(()) } else { Err(Errno::ENOENT) }
    }

    fn open(&mut self, path: &[u8], id: u64, flags: u32) -> Result<Vec<u8>, Errno> {
        let (read, write) = (flags & ACCESS_MODE != WRITE_ONLY, flags & ACCESS_MODE != 0);
        let file = self.served.machine.open(path, read, write)?;
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
            && !(self.served.command_is_held() && file.path == LAST_RESULT)
        {
            let file = file.clone();
            return match self.served.machine.start_read(&file) {
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
                let content = control::content(&mut self.served, file);
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
                found.extend(self.served.machine.list(&path)?);
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
