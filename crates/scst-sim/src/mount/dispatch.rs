//! Each request of the kernel, turned into operations on the machine; what sysfs refuses is refused here.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::core::Core;
use super::handles::Opened;
use super::look::type_bits;
use super::nodes::ROOT;
use crate::control::{self, ControlFile};
use crate::counters::Counted;
use crate::faults::Op;
use crate::fuse::wire::{self, Ask, Head, Inode};
use crate::model::{Attr, Errno};
use crate::process::Process;
use crate::served::Operation;

/// What sysfs takes of one write: a page.
const PAGE: usize = 4096;
/// Callers remembered by thread before all are looked up again.
const CALLERS: usize = 4096;

impl Core {
    /// Handles one request; its answer, if it has one now, is put with the answers to be sent.
    pub(crate) fn handle(&mut self, head: Head, ask: Ask<'_>) {
        let Head { unique, node, .. } = head;
        let answer = match ask {
            Ask::Init { major, minor, readahead, flags } => wire::init(major, minor, readahead, flags),
            Ask::Lookup { name } => self.lookup(head, name),
            Ask::Getattr => self.attributes(node),
            Ask::Setattr { mode, owner } => self.set_attributes(node, mode, owner),
            Ask::Opendir => self.open_directory(node),
            Ask::Open { flags } => match self.control_of(node) {
                Some(file) => self.open_control(head, file, flags),
                None => return self.on_node(head, |path, id| Operation::Open { path, id, flags }),
            },
            Ask::Readlink => return self.on_node(head, |path, id| Operation::Readlink { path, id }),
            Ask::Read { handle, offset, size } => {
                return self.on_handle(head, handle, Operation::Read { handle, offset, size });
            }
            Ask::Readdir { handle, offset, size } => {
                return self.on_handle(head, handle, Operation::List { handle, offset, size });
            }
            Ask::Write { handle, data } => return self.write(head, handle, data),
            Ask::Release { handle } | Ask::Releasedir { handle } => {
                self.handles.close(handle);
                self.served.daemon.closed(handle, &mut self.served.machine);
                Ok(Vec::new())
            }
            Ask::Forget(nodes) => {
                for (node, count) in nodes {
                    self.nodes.forget(node, count);
                }
                return;
            }
            Ask::Interrupt { unique } => return self.interrupt(unique),
            Ask::Statfs => Ok(wire::statistics()),
            Ask::Destroy => Ok(Vec::new()),
            // The directories of sysfs have no create operation, which open(2) reports so; the others answer EPERM.
            Ask::Create => Err(Errno::EACCES),
            Ask::Alter => Err(Errno::EPERM),
            Ask::Ioctl => Err(Errno::ENOTTY),
            Ask::Other => Err(Errno::ENOSYS),
        };
        self.answer(unique, answer);
    }

    // ---- names -------------------------------------------------------------------------------

    fn lookup(&mut self, head: Head, name: &[u8]) -> Result<Vec<u8>, Errno> {
        let parent = self.nodes.get(head.node).ok_or(Errno::ESTALE)?;
        let (mut path, parent_id) = (parent.path.clone(), parent.id);
        let in_control = control::list(&path).is_some();
        if !in_control {
            self.expect(&path, parent_id)?;
        }
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend(name);
        let attr = match control::attr(&path) {
            Some(attr) => attr,
            None if in_control => return Err(Errno::ENOENT),
            None => {
                let caller = self.recent_caller(head.tid);
                self.served.counters.count(Counted::Lookup, &caller, &path);
                self.served.machine.lookup(&path)?
            }
        };
        let inode = self.inode(&path, &attr);
        let number = self.nodes.refer(path, attr.id, attr.kind, inode.mode);
        Ok(wire::entry(number, &inode))
    }

    fn inode(&self, path: &[u8], attr: &Attr) -> Inode {
        let mut hasher = DefaultHasher::new();
        (path, attr.id).hash(&mut hasher);
        // 0 and 1 mean "none" and the root.
        let number = hasher.finish().max(2);
        Inode { number, mode: type_bits(attr.kind) | attr.mode, links: 1, size: attr.size, time: self.born }
    }

    fn attributes(&self, number: u64) -> Result<Vec<u8>, Errno> {
        let node = self.nodes.get(number).ok_or(Errno::ESTALE)?;
        let root = Inode { number: ROOT, mode: node.mode, links: 1, size: 0, time: self.born };
        if number == ROOT {
            return Ok(wire::attributes(&root));
        }
        let found = control::attr(&node.path).ok_or(Errno::ENOENT).or_else(|_| self.served.machine.lookup(&node.path));
        let inode = match found {
            Ok(attr) if attr.id == node.id => self.inode(&node.path, &attr),
            // fstat(2) of an object that is gone, through a file still open.
            _ => Inode { number, links: 0, ..root },
        };
        Ok(wire::attributes(&inode))
    }

    fn set_attributes(&mut self, number: u64, mode: Option<u32>, owner: bool) -> Result<Vec<u8>, Errno> {
        let node = self.nodes.get(number).ok_or(Errno::ESTALE)?;
        let (path, id) = (node.path.clone(), node.id);
        if owner {
            self.served.report(&path, "chown".to_owned());
            return Err(Errno::ENOTSUP);
        }
        if let Some(mode) = mode {
            if control::attr(&path).is_some() {
                return Err(Errno::EPERM);
            }
            self.expect(&path, id)?;
            self.served.machine.chmod(&path, mode & 0o7777)?;
        }
        // A new size or time is accepted and means nothing.
        self.attributes(number)
    }

    // ---- opening -----------------------------------------------------------------------------

    fn open_directory(&mut self, number: u64) -> Result<Vec<u8>, Errno> {
        let node = self.nodes.get(number).ok_or(Errno::ESTALE)?;
        let (path, id) = (node.path.clone(), node.id);
        Ok(wire::opened(self.handles.add(Opened::Directory { path, id, entries: Vec::new() }), false))
    }

    fn control_of(&self, number: u64) -> Option<ControlFile> {
        control::file(&self.nodes.get(number)?.path)
    }

    fn open_control(&mut self, head: Head, file: ControlFile, flags: u32) -> Result<Vec<u8>, Errno> {
        let writes = flags & 3 != 0;
        if writes && !file.takes_writers() {
            return Err(Errno::EACCES);
        }
        let starts = writes && file == ControlFile::IscsiDaemon;
        if starts {
            self.served.machine.iscsi_daemon(true)?;
        }
        let handle = self.handles.add(Opened::Control { file, text: <_>::default() });
        if starts {
            self.served.daemon.remember(handle, Process::of_thread(head.tid));
        }
        Ok(wire::opened(handle, true))
    }

    // ---- operations --------------------------------------------------------------------------

    /// An operation on what a node stands for.
    fn on_node(&mut self, head: Head, operation: impl FnOnce(Vec<u8>, u64) -> Operation) {
        let Some(node) = self.nodes.get(head.node) else { return self.answer(head.unique, Err(Errno::ESTALE)) };
        let path = node.path.clone();
        let operation = operation(path.clone(), node.id);
        self.count_and_submit(head, &path, operation);
    }

    /// An operation on an open file.
    fn on_handle(&mut self, head: Head, handle: u64, operation: Operation) {
        let path = match self.handles.get(handle) {
            Some(Opened::Attribute { file, .. }) => file.path.clone(),
            Some(Opened::Directory { path, .. }) if control::list(path).is_none() => path.clone(),
            // Below .sim nothing is counted or spoilt.
            Some(Opened::Control { .. } | Opened::Directory { .. }) => {
                let answer = self.look(operation);
                return self.answer(head.unique, answer);
            }
            None => return self.answer(head.unique, Err(Errno::EBADF)),
        };
        self.count_and_submit(head, &path, operation);
    }

    fn count_and_submit(&mut self, head: Head, path: &[u8], operation: Operation) {
        let caller = self.caller(head.tid);
        let counted = match operation.kind() {
            Some(Op::Open) => Some(Counted::Open),
            Some(Op::Read) => Some(Counted::Read),
            Some(Op::List) => Some(Counted::List),
            Some(Op::Readlink) => Some(Counted::Readlink),
            Some(Op::Write) => Some(Counted::Write),
            Some(Op::Any) | None => None,
        };
        if let Some(counted) = counted {
            self.served.counters.count(counted, &caller, path);
        }
        self.submit(head.unique, &caller, path, operation);
    }

    fn write(&mut self, head: Head, handle: u64, data: &[u8]) {
        let file = match self.handles.get(handle) {
            Some(Opened::Attribute { file, .. }) => file.clone(),
            Some(Opened::Control { file: ControlFile::IscsiDaemon, .. }) => {
                return self.answer(head.unique, Err(Errno::EINVAL));
            }
            Some(Opened::Control { .. }) => {
                let answer = control::write(&mut self.served, data).map(|()| wire::written(data.len()));
                return self.answer(head.unique, answer);
            }
            _ => return self.answer(head.unique, Err(Errno::EBADF)),
        };
        let data = data[..data.len().min(PAGE)].to_vec();
        let caller = self.caller(head.tid);
        let path = file.path.clone();
        let record = self.served.log_write(caller, &path, &data);
        self.count_and_submit(head, &path, Operation::Write { file, data, record });
    }

    // ---- callers -----------------------------------------------------------------------------

    /// Who calls, asked of the system.
    fn caller(&mut self, tid: u32) -> Process {
        let process = Process::of_thread(tid);
        if self.callers.len() >= CALLERS {
            self.callers.clear();
        }
        self.callers.insert(tid, process.clone());
        process
    }

    /// Who calls, as known from an operation before: for look-ups, of which each path has many.
    fn recent_caller(&mut self, tid: u32) -> Process {
        match self.callers.get(&tid) {
            Some(process) => process.clone(),
            None => self.caller(tid),
        }
    }
}
