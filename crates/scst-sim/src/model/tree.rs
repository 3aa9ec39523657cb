//! The tree: which directories, links and attributes there are, and where a path leads.
//!
//! Nothing of the tree is stored. A [`Node`] names a directory by the object behind it, and its entries are computed
//! from the state, so that a look-up costs a few map accesses whatever the number of LUNs.

use super::Errno;
use super::machine::Machine;
use super::state::{AcgId, DevId, DrvId, GroupId, Name, SessId, TgId, TgtId};

/// A directory, by the object it shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    /// `/sys`.
    Top,
    Kernel,
    Class,
    FcHosts,
    FcHost(u32),
    Modules,
    Module(&'static str),
    ModuleParameters(&'static str),
    /// `kernel/scst_tgt`.
    Root,
    Devices,
    Device(DevId),
    Exported(DevId),
    Handlers,
    Handler(&'static str),
    Targets,
    Driver(DrvId),
    Target(TgtId),
    Luns(AcgId),
    Lun(AcgId, u64),
    IniGroups(TgtId),
    IniGroup(AcgId),
    Initiators(AcgId),
    Sessions(TgtId),
    Session(SessId),
    SessionLun(SessId, u64),
    Latency(SessId),
    Connection(SessId),
    DeviceGroups,
    DeviceGroup(GroupId),
    GroupDevices(GroupId),
    TargetGroups(GroupId),
    TargetGroup(TgId),
    RemotePort(TgId, Name),
    Sgv,
    SgvCache(&'static str),
    /// `dev` and `dev/block`.
    Dev,
    DevBlock,
    /// `devices`, `devices/virtual`, `devices/virtual/block`.
    HostDevices,
    VirtualDevices,
    VirtualBlock,
    /// A disk or partition of the host, and the limits of a disk.
    Disk(String),
    DiskQueue(String),
    /// A directory of the lock manager, by its path below `kernel`.
    Dlm(Vec<Name>),
}

/// An entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    Dir(Node),
    /// A link and the text of its target.
    Link(Vec<u8>),
    /// An attribute and its permission bits.
    Attr(u32),
}

/// An attribute of a directory: name and permission bits.
pub(super) type AttrSpec = (&'static str, u32);

pub(super) const RO: u32 = 0o444;
pub(super) const RW: u32 = 0o644;
pub(super) const WO: u32 = 0o200;

const SGV_CACHES: [&str; 6] = ["sgv", "sgv-0", "sgv-clust", "sgv-clust-0", "sgv-dma", "sgv-dma-0"];

/// Where a path leads.
#[derive(Debug, Clone)]
pub(super) struct Found {
    /// The directory the entry is in; for [`Node::Top`] itself.
    pub(super) parent: Node,
    /// Its name there.
    pub(super) name: Name,
    pub(super) entry: Entry,
}

/// How many links the kernel follows in one path.
const MAX_LINKS: u32 = 40;
/// The longest path a system call takes. Single names may be of any length: sysfs does not limit them.
const PATH_MAX: usize = 4096;

impl Machine {
    /// Walks a path from `/sys`. Links on the way are followed, the last one if asked for.
    /// ENOENT, ENOTDIR, ENAMETOOLONG or ELOOP as the kernel.
    pub(super) fn walk(&self, path: &[u8], follow: bool) -> Result<Found, Errno> {
        let split = |text: &[u8]| -> Vec<Name> {
            text.split(|b| *b == b'/').filter(|c| !c.is_empty() && *c != b".").rev().map(<[u8]>::to_vec).collect()
        };
        if self.crashed().is_some() {
            return Err(Errno::ENOTRECOVERABLE);
        }
        if path.len() >= PATH_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        let mut todo = split(path);
        let mut above: Vec<Found> = Vec::new();
        let mut found = Found { parent: Node::Top, name: Vec::new(), entry: Entry::Dir(Node::Top) };
        let mut links = 0;
        while let Some(name) = todo.pop() {
            let Entry::Dir(node) = &found.entry else { return Err(Errno::ENOTDIR) };
            if name == b".." {
                if let Some(parent) = above.pop() {
                    found = parent;
                }
                continue;
            }
            let entry = self.child(node, &name).ok_or(Errno::ENOENT)?;
            if let Entry::Link(target) = &entry
                && (follow || !todo.is_empty())
            {
                links += 1;
                if links > MAX_LINKS {
                    return Err(Errno::ELOOP);
                }
                todo.extend(split(target));
                continue;
            }
            let next = Found { parent: node.clone(), name, entry };
            above.push(std::mem::replace(&mut found, next));
        }
        Ok(found)
    }

    /// One entry of a directory.
    pub(super) fn child(&self, node: &Node, name: &[u8]) -> Option<Entry> {
        if let Some((_, mode)) = self.attributes(node).iter().find(|(n, _)| n.as_bytes() == name) {
            return Some(Entry::Attr(*mode));
        }
        self.dynamic_child(node, name)
    }

    /// All entries of a directory, in byte order.
    pub(super) fn children(&self, node: &Node) -> Vec<(Name, Entry)> {
        let attributes = self.attributes(node).into_iter().map(|(n, m)| (n.as_bytes().to_vec(), Entry::Attr(m)));
        let mut all: Vec<_> = attributes.chain(self.dynamic_children(node)).collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    }

    /// The attributes a directory has by its kind.
    pub(super) fn attributes(&self, node: &Node) -> Vec<AttrSpec> {
        match node {
            Node::FcHost(_) => super::fc_host::ATTRIBUTES.to_vec(),
            Node::ModuleParameters(module) => self.module_parameters(module),
            Node::Root => self.root_attributes(),
            Node::Device(id) => self.device_attributes(*id),
            Node::Handler(name) => self.handler_attributes(name),
            Node::Driver(id) => self.driver_attributes(*id),
            Node::Target(id) => self.target_attributes(*id),
            Node::Luns(_)
            | Node::IniGroups(_)
            | Node::Initiators(_)
            | Node::DeviceGroups
            | Node::GroupDevices(_)
            | Node::TargetGroups(_) => vec![("mgmt", RW)],
            Node::Lun(..) => vec![("read_only", RO)],
            Node::IniGroup(id) => self.ini_group_attributes(*id),
            Node::Session(id) => self.session_attributes(*id),
            Node::SessionLun(..) => vec![("active_commands", RO), ("thread_index", RO), ("thread_pid", RO)],
            Node::Connection(_) => super::iscsi::CONNECTION.to_vec(),
            Node::TargetGroup(_) => vec![("group_id", RW), ("mgmt", RW), ("preferred", RW), ("state", RW)],
            Node::RemotePort(..) => vec![("rel_tgt_id", RW)],
            Node::Sgv => vec![("global_stats", RW)],
            Node::SgvCache(_) => vec![("stats", RW)],
            Node::Disk(name) => self.disk_attributes(name),
            Node::DiskQueue(_) => super::disk::QUEUE.to_vec(),
            Node::Top
            | Node::Dlm(_)
            | Node::Dev
            | Node::DevBlock
            | Node::HostDevices
            | Node::VirtualDevices
            | Node::VirtualBlock
            | Node::Kernel
            | Node::Class
            | Node::FcHosts
            | Node::Modules
            | Node::Module(_)
            | Node::Devices
            | Node::Exported(_)
            | Node::Handlers
            | Node::Targets
            | Node::Sessions(_)
            | Node::Latency(_)
            | Node::DeviceGroup(_) => Vec::new(),
        }
    }

    /// A sub-directory, a link, or an attribute that is an object of its own.
    fn dynamic_child(&self, node: &Node, name: &[u8]) -> Option<Entry> {
        let s = &self.scst;
        let dir = |node| Some(Entry::Dir(node));
        match node {
            Node::Targets => dir(Node::Driver(s.driver(name)?.id)),
            Node::Driver(id) => match s.driver_by_id(*id)?.targets.get(name) {
                Some(target) => dir(Node::Target(*target)),
                None => self.iscsi_file(*id, name),
            },
            Node::Devices => dir(Node::Device(*s.device_names.get(name)?)),
            Node::Luns(acg) => {
                let number = lun_number(name)?;
                s.acgs.get(acg)?.luns.get(&number).map(|_| Entry::Dir(Node::Lun(*acg, number)))
            }
            Node::IniGroups(target) => dir(Node::IniGroup(*s.targets.get(target)?.ini_groups.get(name)?)),
            Node::Initiators(acg) => {
                s.acgs.get(acg)?.initiators.iter().find(|i| i.name == name).map(|_| Entry::Attr(RO))
            }
            Node::Sessions(target) => dir(Node::Session(*s.targets.get(target)?.sessions.get(name)?)),
            Node::DeviceGroups => dir(Node::DeviceGroup(*s.group_names.get(name)?)),
            Node::TargetGroups(group) => dir(Node::TargetGroup(*s.groups.get(group)?.target_groups.get(name)?)),
            Node::TargetGroup(tg) => {
                let group = s.target_groups.get(tg)?;
                match group.links.get(name) {
                    Some(target) => Some(Entry::Link(target.clone())),
                    None => group.remote(name).map(|m| Entry::Dir(Node::RemotePort(*tg, m.name.clone()))),
                }
            }
            Node::GroupDevices(group) => {
                let device = *s.device_names.get(name)?;
                (s.devices.get(&device)?.group == Some(*group)).then(|| self.link(node, &Node::Device(device)))
            }
            Node::Handler(handler) => {
                let device = *s.device_names.get(name)?;
                self.is_listed_by(handler, device).then(|| self.link(node, &Node::Device(device)))
            }
            Node::Exported(device) => {
                let number: u32 = std::str::from_utf8(name.strip_prefix(b"export")?).ok()?.parse().ok()?;
                let (acg, lun) = *s.devices.get(device)?.exports.get(&number)?;
                (name == format!("export{number}").as_bytes()).then(|| self.link(node, &Node::Lun(acg, lun)))
            }
            _ => self.dynamic_children(node).into_iter().find(|(n, _)| n == name).map(|(_, e)| e),
        }
    }

    fn dynamic_children(&self, node: &Node) -> Vec<(Name, Entry)> {
        let s = &self.scst;
        let dir = |name: &str, node| (name.as_bytes().to_vec(), Entry::Dir(node));
        match node {
            Node::Top | Node::Dev | Node::DevBlock | Node::HostDevices | Node::VirtualDevices | Node::VirtualBlock => {
                self.host_entries(node)
            }
            Node::Disk(name) => self.disk_entries(name),
            Node::Kernel => self.kernel_entries(),
            Node::Dlm(path) => self.dlm_entries(path),
            Node::Class => vec![dir("fc_host", Node::FcHosts)],
            Node::FcHosts => {
                self.fc_ports.iter().map(|p| dir(&format!("host{}", p.host), Node::FcHost(p.host))).collect()
            }
            Node::Modules => self.modules.keys().map(|m| dir(m, Node::Module(m))).collect(),
            Node::Module(m) if !self.module_parameters(m).is_empty() => {
                vec![dir("parameters", Node::ModuleParameters(m))]
            }
            Node::Root => vec![
                dir("device_groups", Node::DeviceGroups),
                dir("devices", Node::Devices),
                dir("handlers", Node::Handlers),
                dir("sgv", Node::Sgv),
                dir("targets", Node::Targets),
            ],
            Node::Devices => s.device_names.iter().map(|(n, d)| (n.clone(), Entry::Dir(Node::Device(*d)))).collect(),
            Node::Device(id) => self.device_entries(*id),
            Node::Exported(device) => s.devices.get(device).map_or_else(Vec::new, |d| {
                let link = |(n, (acg, lun)): (&u32, &(AcgId, u64))| {
                    (format!("export{n}").into_bytes(), self.link(node, &Node::Lun(*acg, *lun)))
                };
                d.exports.iter().map(link).collect()
            }),
            Node::Handlers => s.handlers.iter().map(|h| dir(h.name, Node::Handler(h.name))).collect(),
            Node::Handler(name) => {
                let of_handler = s.device_names.iter().filter(|(_, d)| self.is_listed_by(name, **d));
                of_handler.map(|(n, d)| (n.clone(), self.link(node, &Node::Device(*d)))).collect()
            }
            Node::Targets => s.drivers.iter().map(|d| dir(d.name, Node::Driver(d.id))).collect(),
            Node::Driver(id) => {
                let targets = s.driver_by_id(*id).into_iter().flat_map(|d| &d.targets);
                let mut all: Vec<_> = targets.map(|(n, t)| (n.clone(), Entry::Dir(Node::Target(*t)))).collect();
                all.extend(self.iscsi_files(*id));
                all
            }
            Node::Target(id) => self.target_entries(*id),
            Node::Luns(acg) => s
                .acgs
                .get(acg)
                .map_or_else(Vec::new, |a| a.luns.keys().map(|n| dir(&n.to_string(), Node::Lun(*acg, *n))).collect()),
            Node::Lun(acg, number) => s
                .acgs
                .get(acg)
                .and_then(|a| a.luns.get(number))
                .map_or_else(Vec::new, |lun| vec![(b"device".to_vec(), self.link(node, &Node::Device(lun.device)))]),
            Node::IniGroups(target) => s.targets.get(target).map_or_else(Vec::new, |t| {
                t.ini_groups.iter().map(|(n, g)| (n.clone(), Entry::Dir(Node::IniGroup(*g)))).collect()
            }),
            Node::IniGroup(acg) => vec![dir("initiators", Node::Initiators(*acg)), dir("luns", Node::Luns(*acg))],
            Node::Initiators(acg) => s
                .acgs
                .get(acg)
                .map_or_else(Vec::new, |a| a.initiators.iter().map(|i| (i.name.clone(), Entry::Attr(RO))).collect()),
            Node::Sessions(target) => s.targets.get(target).map_or_else(Vec::new, |t| {
                t.sessions.iter().map(|(n, s)| (n.clone(), Entry::Dir(Node::Session(*s)))).collect()
            }),
            Node::Session(id) => self.session_entries(*id),
            Node::DeviceGroups => {
                s.group_names.iter().map(|(n, g)| (n.clone(), Entry::Dir(Node::DeviceGroup(*g)))).collect()
            }
            Node::DeviceGroup(id) => {
                vec![dir("devices", Node::GroupDevices(*id)), dir("target_groups", Node::TargetGroups(*id))]
            }
            Node::GroupDevices(group) => {
                let devices = s.groups.get(group).into_iter().flat_map(|g| &g.devices);
                let named = devices.filter_map(|d| Some((s.devices.get(d)?.name.clone(), *d)));
                named.map(|(n, d)| (n, self.link(node, &Node::Device(d)))).collect()
            }
            Node::TargetGroups(group) => s.groups.get(group).map_or_else(Vec::new, |g| {
                g.target_groups.iter().map(|(n, t)| (n.clone(), Entry::Dir(Node::TargetGroup(*t)))).collect()
            }),
            Node::TargetGroup(tg) => s.target_groups.get(tg).map_or_else(Vec::new, |group| {
                let links = group.links.iter().map(|(n, target)| (n.clone(), Entry::Link(target.clone())));
                let remote = group
                    .members
                    .iter()
                    .filter(|(_, m)| m.target.is_none())
                    .map(|(n, _)| (super::state::directory_name(n), Entry::Dir(Node::RemotePort(*tg, n.clone()))));
                links.chain(remote).collect()
            }),
            Node::Sgv => SGV_CACHES.iter().map(|n| dir(n, Node::SgvCache(n))).collect(),
            Node::Module(_)
            | Node::ModuleParameters(_)
            | Node::FcHost(_)
            | Node::SessionLun(..)
            | Node::Latency(_)
            | Node::Connection(_)
            | Node::RemotePort(..)
            | Node::DiskQueue(_)
            | Node::SgvCache(_) => Vec::new(),
        }
    }
}

/// The number a LUN directory is named by; only the spelling the kernel writes.
fn lun_number(name: &[u8]) -> Option<u64> {
    let number: u64 = std::str::from_utf8(name).ok()?.parse().ok()?;
    (number.to_string().as_bytes() == name).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lun_directories_have_one_spelling() {
        assert_eq!(lun_number(b"16383"), Some(16383));
        assert_eq!(lun_number(b"007"), None);
        assert_eq!(lun_number(b"+7"), None);
    }
}
