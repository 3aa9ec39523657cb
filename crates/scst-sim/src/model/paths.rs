//! Where objects are, so that links can point at them, and what tells two objects of one path apart.

use super::machine::Machine;
use super::state::directory_name;
use super::tree::{Entry, Node};

impl Machine {
    /// A link in a directory to another object, by the shortest way as the kernel writes it.
    pub(super) fn link(&self, from: &Node, to: &Node) -> Entry {
        Entry::Link(relative(&self.path(from), &self.path(to)))
    }

    /// The path of a directory below `/sys`; empty for an object that is gone.
    pub(super) fn path(&self, node: &Node) -> Vec<u8> {
        let s = &self.scst;
        let below = |parent: &Node, name: &[u8]| {
            let mut path = self.path(parent);
            path.push(b'/');
            path.extend_from_slice(name);
            path
        };
        match node {
            Node::FcHost(host) => format!("class/fc_host/host{host}").into_bytes(),
            Node::Device(id) => {
                let name = s.devices.get(id).map(|d| &d.name[..]).unwrap_or_default();
                [b"kernel/scst_tgt/devices/", name].concat()
            }
            Node::Exported(id) => below(&Node::Device(*id), b"exported"),
            Node::Handler(name) => format!("kernel/scst_tgt/handlers/{name}").into_bytes(),
            Node::Driver(id) => {
                format!("kernel/scst_tgt/targets/{}", s.driver_by_id(*id).map_or("", |d| d.name)).into_bytes()
            }
            Node::Target(id) => {
                s.targets.get(id).map_or_else(Vec::new, |t| below(&Node::Driver(t.driver), &directory_name(&t.name)))
            }
            Node::Luns(acg) => s.acgs.get(acg).map_or_else(Vec::new, |a| match a.name {
                Some(_) => below(&Node::IniGroup(*acg), b"luns"),
                None => below(&Node::Target(a.target), b"luns"),
            }),
            Node::Lun(acg, number) => below(&Node::Luns(*acg), number.to_string().as_bytes()),
            Node::IniGroup(acg) => s.acgs.get(acg).map_or_else(Vec::new, |a| {
                let name = directory_name(a.name.as_deref().unwrap_or_default());
                below(&Node::Target(a.target), &[b"ini_groups/", &name[..]].concat())
            }),
            Node::Session(id) => s.sessions.get(id).map_or_else(Vec::new, |session| {
                below(&Node::Target(session.target), &[b"sessions/", &session.name[..]].concat())
            }),
            Node::GroupDevices(id) => s.groups.get(id).map_or_else(Vec::new, |g| {
                let name = directory_name(&g.name);
                [b"kernel/scst_tgt/device_groups/", &name[..], b"/devices"].concat()
            }),
            Node::TargetGroup(id) => s.target_groups.get(id).map_or_else(Vec::new, |t| {
                let group = s.groups.get(&t.group).map(|g| directory_name(&g.name)).unwrap_or_default();
                let name = directory_name(&t.name);
                [b"kernel/scst_tgt/device_groups/", &group[..], b"/target_groups/", &name[..]].concat()
            }),
            _ => Vec::new(),
        }
    }

    /// What makes a directory this one and no other, now and later.
    pub(super) fn identity(&self, node: &Node) -> u64 {
        let s = &self.scst;
        let root = |part: &str| mix(s.id, part.as_bytes());
        match node {
            Node::Top => 1,
            Node::Kernel => mix(1, b"kernel"),
            Node::Dev => mix(1, b"dev"),
            Node::DevBlock => mix(1, b"dev/block"),
            Node::HostDevices => mix(1, b"devices"),
            Node::VirtualDevices => mix(1, b"devices/virtual"),
            Node::VirtualBlock => mix(1, b"devices/virtual/block"),
            Node::Disk(name) => mix(mix(1, b"disk"), name.as_bytes()),
            Node::DiskQueue(name) => mix(mix(1, b"queue"), name.as_bytes()),
            Node::Dlm(path) => path.iter().fold(mix(1, b"dlm"), |id, name| mix(id, name)),
            Node::Class => mix(1, b"class"),
            Node::FcHosts => mix(1, b"fc_host"),
            Node::FcHost(host) => mix(u64::from(*host), b"host"),
            Node::Modules => mix(1, b"module"),
            Node::Module(name) => mix(self.modules.get(name).map_or(0, |m| m.id), name.as_bytes()),
            Node::ModuleParameters(name) => mix(self.modules.get(name).map_or(0, |m| m.id), b"parameters"),
            Node::Root => root("scst_tgt"),
            Node::Devices => root("devices"),
            Node::Handlers => root("handlers"),
            Node::Targets => root("targets"),
            Node::DeviceGroups => root("device_groups"),
            Node::Sgv => root("sgv"),
            Node::SgvCache(name) => mix(root("sgv"), name.as_bytes()),
            Node::Device(id) => mix(id.0, b"device"),
            Node::Exported(id) => mix(id.0, b"exported"),
            Node::Handler(name) => mix(s.handlers.iter().find(|h| h.name == *name).map_or(0, |h| h.id), b"handler"),
            Node::Driver(id) => mix(id.0, b"driver"),
            Node::Target(id) => mix(id.0, b"target"),
            Node::IniGroups(id) => mix(id.0, b"ini_groups"),
            Node::Sessions(id) => mix(id.0, b"sessions"),
            Node::IniGroup(id) => mix(id.0, b"acg"),
            Node::Luns(id) => mix(id.0, b"luns"),
            Node::Initiators(id) => mix(id.0, b"initiators"),
            Node::Lun(acg, number) => mix(s.acgs.get(acg).and_then(|a| a.luns.get(number)).map_or(0, |l| l.id), b"lun"),
            Node::Session(id) => mix(id.0, b"session"),
            Node::Latency(id) => mix(id.0, b"latency"),
            Node::Connection(id) => mix(id.0, b"connection"),
            Node::SessionLun(id, number) => {
                mix(s.sessions.get(id).and_then(|s| s.luns.get(number)).map_or(0, |l| l.id), b"session lun")
            }
            Node::DeviceGroup(id) => mix(id.0, b"group"),
            Node::GroupDevices(id) => mix(id.0, b"group devices"),
            Node::TargetGroups(id) => mix(id.0, b"target groups"),
            Node::TargetGroup(id) => mix(id.0, b"target group"),
            Node::RemotePort(tg, name) => {
                mix(s.target_groups.get(tg).and_then(|t| t.members.get(name)).map_or(0, |m| m.id), b"member")
            }
        }
    }

    /// The identity of an entry: a directory's own, else made of the directory and the name.
    pub(super) fn entry_identity(&self, parent: &Node, name: &[u8], entry: &Entry) -> u64 {
        match entry {
            Entry::Dir(node) => self.identity(node),
            Entry::Link(target) => mix(mix(self.identity(parent), name), target),
            Entry::Attr(_) => {
                let own = match parent {
                    Node::Initiators(acg) => {
                        self.scst.acgs.get(acg).and_then(|a| a.initiators.iter().find(|i| i.name == name)).map(|i| i.id)
                    }
                    _ => None,
                };
                mix(own.unwrap_or_else(|| self.identity(parent)), name)
            }
        }
    }
}

/// A number made of another and a text (FNV-1a), for identities.
fn mix(seed: u64, text: &[u8]) -> u64 {
    let bytes = seed.to_le_bytes();
    bytes.iter().chain(text).fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3))
}

/// The relative way from a directory to a path, by their nearest common directory.
fn relative(from: &[u8], to: &[u8]) -> Vec<u8> {
    let from: Vec<_> = from.split(|b| *b == b'/').collect();
    let to: Vec<_> = to.split(|b| *b == b'/').collect();
    let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = std::iter::repeat_n(&b".."[..], from.len() - common);
    up.chain(to[common..].iter().copied()).collect::<Vec<_>>().join(&b'/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_take_the_shortest_way() {
        assert_eq!(relative(b"a/b/c", b"a/x"), b"../../x");
        assert_eq!(relative(b"k/t/devices/d", b"k/t/handlers/h"), b"../../handlers/h");
        assert_eq!(relative(b"a", b"a/b"), b"b");
    }
}
