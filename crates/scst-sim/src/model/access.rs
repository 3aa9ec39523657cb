//! Files as system calls see them: look up, list, open, read, write.

use super::command::Store;
use super::iscsi::Asking;
use super::machine::Machine;
use super::tree::{Entry, Found, Node};
use super::words::c_text;
use super::{Attr, Errno, Handle, Kind, Reading, Ticket, Written};

/// What sysfs says every attribute holds, and the most one write hands over.
const PAGE: usize = 4096;

impl Machine {
    /// `lstat(2)`.
    pub fn lookup(&self, path: &[u8]) -> Result<Attr, Errno> {
        let found = self.walk(path, false)?;
        let id = self.entry_identity(&found.parent, &found.name, &found.entry);
        let (kind, mode, size) = match found.entry {
            Entry::Dir(_) => (Kind::Dir, 0o755, 0),
            Entry::Link(_) => (Kind::Link, 0o777, 0),
            Entry::Attr(mode) => (Kind::File, mode, PAGE as u64),
        };
        Ok(Attr { kind, mode: self.modes.get(&id).copied().unwrap_or(mode), size, id })
    }

    /// The entries of a directory, in byte order of their names. EIO for a directory that has a name with a slash.
    pub fn list(&self, path: &[u8]) -> Result<Vec<(Vec<u8>, Kind)>, Errno> {
        let Entry::Dir(node) = self.walk(path, true)?.entry else { return Err(Errno::ENOTDIR) };
        let children = self.children(&node);
        if children.iter().any(|(name, _)| name.contains(&b'/')) {
            return Err(Errno::EIO);
        }
        let kind = |entry: &Entry| match entry {
            Entry::Dir(_) => Kind::Dir,
            Entry::Link(_) => Kind::Link,
            Entry::Attr(_) => Kind::File,
        };
        Ok(children.into_iter().map(|(name, entry)| (name, kind(&entry))).collect())
    }

    /// `readlink(2)`. EINVAL for anything but a link.
    pub fn readlink(&self, path: &[u8]) -> Result<Vec<u8>, Errno> {
        match self.walk(path, false)?.entry {
            Entry::Link(target) => Ok(target),
            _ => Err(Errno::EINVAL),
        }
    }

    /// `open(2)` of an attribute (links on the way are followed); permission checks as for root on sysfs: what the
    /// attribute cannot do at all answers EACCES, a directory EISDIR.
    pub fn open(&self, path: &[u8], read: bool, write: bool) -> Result<Handle, Errno> {
        let found = self.walk(path, true)?;
        let Entry::Attr(mode) = found.entry else { return Err(Errno::EISDIR) };
        let id = self.entry_identity(&found.parent, &found.name, &found.entry);
        let mode = self.modes.get(&id).copied().unwrap_or(mode);
        if (read && mode & 0o444 == 0) || (write && mode & 0o222 == 0) {
            return Err(Errno::EACCES);
        }
        Ok(Handle { path: path.to_vec(), id })
    }

    /// The whole content, as a fresh read from offset 0. ENODEV if the object is gone, EBUSY where the reader would have to
    /// wait.
    pub fn read(&mut self, handle: &Handle) -> Result<Vec<u8>, Errno> {
        let found = self.still_there(handle)?;
        if matches!(found.entry, Entry::Attr(mode) if mode & 0o444 == 0) {
            // Permission bits do not make an attribute that has nothing to show.
            return Err(Errno::EIO);
        }
        let content = match self.daemons_file(&found.parent, &found.name).map(|ask| self.ask_daemon(ask)) {
            None => self.show(&found.parent, &found.name),
            Some(Asking::Answered(answer)) => answer,
            // One who cannot wait has to come again.
            Some(Asking::Waiting(number)) => {
                self.asked.withdraw(number);
                Err(Errno::EBUSY)
            }
        };
        if content == Err(Errno::ENOTSUP) {
            self.note_unknown(&handle.path, "read");
        }
        let mut content = content?;
        content.truncate(PAGE);
        Ok(content)
    }

    /// As [`Machine::read`], but a read that has to wait for the iSCSI daemon is not answered yet.
    pub fn start_read(&mut self, handle: &Handle) -> Reading {
        let found = match self.still_there(handle) {
            Ok(found) => found,
            Err(errno) => return Reading::Done(Err(errno)),
        };
        match self.daemons_file(&found.parent, &found.name).map(|ask| self.ask_daemon(ask)) {
            None => Reading::Done(self.read(handle)),
            Some(Asking::Answered(answer)) => Reading::Done(answer),
            Some(Asking::Waiting(number)) => Reading::Waiting(Ticket(number)),
        }
    }

    /// One `write(2)`: one command. At most 4096 bytes are used; writing nothing does nothing.
    pub fn write(&mut self, handle: &Handle, data: &[u8]) -> Written {
        let found = match self.still_there(handle) {
            Ok(found) => found,
            Err(errno) => return Written::Done(Err(errno)),
        };
        let data = &data[..data.len().min(PAGE)];
        if data.is_empty() {
            return Written::Done(Ok(0));
        }
        if matches!(found.entry, Entry::Attr(mode) if mode & 0o222 == 0) {
            return Written::Done(Err(Errno::EIO));
        }
        let store = self.store(&found.parent, &found.name, data);
        if matches!(store, Store::Done(Err(Errno::ENOTSUP))) {
            self.note_unknown(&handle.path, &format!("write {:?}", String::from_utf8_lossy(data)));
        }
        self.submit(store, &handle.path, data)
    }

    /// `chmod(2)`, which works on sysfs and sticks.
    pub fn chmod(&mut self, path: &[u8], mode: u32) -> Result<(), Errno> {
        let found = self.walk(path, true)?;
        let id = self.entry_identity(&found.parent, &found.name, &found.entry);
        self.modes.insert(id, mode & 0o7777);
        Ok(())
    }

    fn still_there(&self, handle: &Handle) -> Result<Found, Errno> {
        let gone = |errno| if errno == Errno::ENOTRECOVERABLE { errno } else { Errno::ENODEV };
        let found = self.walk(&handle.path, true).map_err(gone)?;
        let id = self.entry_identity(&found.parent, &found.name, &found.entry);
        if id == handle.id { Ok(found) } else { Err(Errno::ENODEV) }
    }

    /// The content of an attribute.
    fn show(&self, node: &Node, name: &[u8]) -> Result<Vec<u8>, Errno> {
        // Attributes have ASCII names; other bytes occur in names of initiators only, which their directory handles.
        let attr = std::str::from_utf8(name).unwrap_or_default();
        match node {
            Node::Root => self.show_root(attr),
            Node::Device(id) => self.show_device(*id, attr),
            Node::Handler(name) => self.show_handler(name, attr),
            Node::Driver(id) => self.show_driver(*id, attr),
            Node::Target(id) => self.show_target(*id, attr),
            Node::Luns(_) => Ok(super::lun::USAGE.into()),
            Node::Lun(acg, number) => self.show_lun(*acg, *number),
            Node::IniGroups(_) => Ok(super::ini_group::USAGE.into()),
            Node::IniGroup(id) => self.show_group(*id, attr),
            Node::Initiators(_) if attr == "mgmt" => Ok(super::ini_group::INITIATORS_USAGE.into()),
            Node::Initiators(_) => Ok([name, b"\n"].concat()),
            Node::Session(id) => self.show_session(*id, attr),
            Node::SessionLun(id, number) => Ok(self.show_session_lun(*id, *number, attr)),
            Node::Connection(id) => self.show_connection(*id, attr),
            Node::DeviceGroups | Node::TargetGroups(_) => Ok(super::device_group::USAGE.into()),
            Node::GroupDevices(_) => Ok(super::device_group::DEVICES_USAGE.into()),
            Node::TargetGroup(id) => self.show_target_group(*id, attr),
            Node::RemotePort(tg, name) => self.show_remote_port(*tg, name),
            Node::FcHost(host) => self.show_fc_host(*host, attr),
            Node::ModuleParameters(module) => self.show_module_parameter(module, attr),
            Node::Disk(name) => self.show_disk(name, attr),
            Node::DiskQueue(name) => self.show_queue(name, attr),
            Node::Sgv | Node::SgvCache(_) => Ok(b"Name    Hit    Total    % merged\n".to_vec()),
            _ => Err(Errno::ENOENT),
        }
    }

    /// A write to an attribute: answered at once, or a command to run.
    fn store(&mut self, node: &Node, name: &[u8], data: &[u8]) -> Store {
        let attr = std::str::from_utf8(name).unwrap_or_default();
        let text = c_text(data);
        match node {
            Node::Root => self.store_root(attr, data),
            Node::Device(id) => self.store_device(*id, attr, data),
            Node::Handler(name) => self.store_handler(name, attr, text),
            Node::Driver(id) => self.store_driver(*id, name, attr, text),
            Node::Target(id) => self.store_target(*id, name, attr, data),
            Node::Luns(acg) => Store::Queue(super::command::Command::Luns(*acg, text.to_vec())),
            Node::IniGroups(target) => Store::Queue(super::command::Command::IniGroups(*target, text.to_vec())),
            Node::IniGroup(id) => self.store_group(*id, attr, data),
            Node::Initiators(acg) => Store::Queue(super::command::Command::Initiators(*acg, text.to_vec())),
            Node::Session(id) => self.store_session(*id, attr),
            Node::DeviceGroups => Store::Done(self.device_groups_command(text)),
            Node::GroupDevices(id) => Store::Queue(super::command::Command::GroupDevices(*id, text.to_vec())),
            Node::TargetGroups(id) => Store::Queue(super::command::Command::TargetGroups(*id, text.to_vec())),
            Node::TargetGroup(id) => self.store_target_group(*id, attr, text),
            Node::RemotePort(tg, name) => Store::Done(self.store_remote_port(*tg, name, text)),
            Node::FcHost(host) => Store::Done(self.store_fc_host(*host, attr)),
            _ => Store::Done(Err(Errno::ENOTSUP)),
        }
    }
}
