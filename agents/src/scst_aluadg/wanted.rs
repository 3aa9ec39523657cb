//! Makes the wanted state of this node's device group of the configuration, the cluster's nodes and the notification
//! lists: the input of the plan of a start, a reload and a level-10 monitor.

use std::collections::{BTreeMap, BTreeSet};

use scst_core::cluster::Topology;
use scst_core::ocf::notify::{Lists, PeerRole};
use scst_core::scst::alua::AluaState;
use scst_core::scst::device_attribute as attribute;
use scst_core::scst::names::{DeviceName, HandlerName, InitiatorGroup, NodeName, TargetName};
use scst_core::scst::target::LunTable;
use scst_core::state::{Device, DeviceGroup, Lun, LunAddress, Member, Storage, TargetGroup};

use super::params::{DeviceParams, ExportGroup, Params};

/// What the kernel's tree adds to the configuration: the local ports as sysfs spells them with their numbers, and the
/// initiator groups on each.
#[derive(Debug, Clone, Default)]
pub struct LocalPorts {
    /// The ports in the order of their numbers.
    pub ports: Vec<(TargetName, u16)>,
    /// The initiator groups found on each.
    pub groups: BTreeMap<TargetName, Vec<InitiatorGroup>>,
}

/// Which ALUA states a plan may change.
#[derive(Debug, Clone, Copy)]
pub enum States<'a> {
    /// All are as they are found; only target groups that are created get one.
    Kept,
    /// Our own becomes standby, the peers' follow the lists. Without lists a group that is there keeps its state, because
    /// nothing is known about its node.
    Started(Option<&'a Lists>),
}

/// The state a peer's role stands for.
pub fn state_of(role: PeerRole) -> AluaState {
    match role {
        PeerRole::Promoted => AluaState::Active,
        PeerRole::Running => AluaState::Standby,
        PeerRole::Stopped => AluaState::Unavailable,
        PeerRole::Changing => AluaState::Transitioning,
    }
}

/// Which devices a configuration has mistakes in.
#[derive(Debug, Clone, Default)]
pub struct Mistakes {
    /// Devices that were left out, as far as their names can be read.
    pub devices: BTreeSet<DeviceName>,
    /// A device was left out whose name cannot be read: it may be any.
    pub unnamed: bool,
    /// Devices of which an export was left out.
    pub exports: BTreeSet<DeviceName>,
}

impl Mistakes {
    /// Leaves what is found of such devices in what is wanted, and names them.
    pub fn spare(&self, wanted: &mut Storage, found: &Storage) -> BTreeSet<DeviceName> {
        let mut spared = BTreeSet::new();
        for (name, device) in &found.devices {
            let there = wanted.devices.contains_key(name);
            if !there && (self.unnamed || self.devices.contains(name)) {
                wanted.devices.insert(name.clone(), device.clone());
                if let Some(group) = &mut wanted.group {
                    group.devices.insert(name.clone());
                }
            } else if !(there && self.exports.contains(name)) {
                continue;
            }
            for (at, lun) in found.luns.iter().filter(|(_, lun)| lun.device == *name) {
                wanted.luns.entry(at.clone()).or_insert_with(|| lun.clone());
            }
            spared.insert(name.clone());
        }
        spared
    }
}

/// Everything as configured.
pub fn storage(
    params: &Params,
    topology: &Topology,
    local: &LocalPorts,
    states: States<'_>,
    found: &Storage,
) -> Storage {
    let group = DeviceGroup {
        devices: params.devices.iter().map(|device| device.name.clone()).collect(),
        target_groups: target_groups(topology, local, states, found.group.as_ref()),
    };
    Storage { devices: devices(params), luns: luns(params, local), group: Some(group) }
}

/// Devices and LUNs as configured, the target groups as they are: what can be said without asking the cluster.
pub fn without_cluster(params: &Params, local: &LocalPorts, found: &DeviceGroup) -> Storage {
    let group = DeviceGroup {
        devices: params.devices.iter().map(|device| device.name.clone()).collect(),
        target_groups: found.target_groups.clone(),
    };
    Storage { devices: devices(params), luns: luns(params, local), group: Some(group) }
}

/// The configured devices.
fn devices(params: &Params) -> BTreeMap<DeviceName, Device> {
    params.devices.iter().map(|device| (device.name.clone(), wanted_device(device))).collect()
}

fn wanted_device(params: &DeviceParams) -> Device {
    let flag = |on: bool| Some(String::from(if on { "1" } else { "0" }));
    let has_store = params.handler.has_backing();
    // Otherwise a file stays open in standby, and its page cache does not see what the active node writes.
    let follows_state = params.handler == HandlerName::VdiskFileio;
    let values = [
        (attribute::READ_ONLY, flag(params.read_only)),
        (attribute::REMOVABLE, flag(params.removable)),
        (attribute::ROTATIONAL, flag(params.rotational)),
        (attribute::CLUSTER_MODE, flag(params.shared)),
        (attribute::NV_CACHE, flag(params.nv_cache).filter(|_| has_store)),
        (attribute::DUMMY, flag(params.dummy).filter(|_| !has_store)),
        (attribute::WRITE_THROUGH, params.effective_write_through().and_then(flag)),
        (attribute::BIND_ALUA_STATE, flag(true).filter(|_| follows_state)),
        (attribute::BLOCKSIZE, text(params.blocksize.as_ref())),
        (attribute::THIN_PROVISIONED, params.thin_provisioned.and_then(flag)),
        (attribute::PROD_ID, Some(params.prod_id.clone().unwrap_or_else(|| "SCST".to_owned()))),
        (attribute::T10_DEV_ID, text(params.t10devid.as_ref())),
        (attribute::USN, text(params.usn.as_ref())),
        (attribute::NAA_ID, text(params.naa_id.as_ref())),
        (attribute::EUI64_ID, text(params.eui64_id.as_ref())),
        (attribute::PROD_REV_LVL, params.prod_rev_lvl.clone()),
        (attribute::INQ_VEND_SPECIFIC, params.inq_vend_specific.clone()),
        (attribute::VEND_SPECIFIC_ID, params.vend_specific_id.clone()),
        (attribute::THREADS_NUM, text(params.threads_num.as_ref())),
    ];
    let mut device = Device {
        handler: Some(params.handler),
        filename: text(params.filename.as_ref()),
        refused: params.refused.clone(),
        ..Device::default()
    };
    for (attribute, value) in values {
        if let Some(value) = value {
            device.set(attribute, value);
        }
    }
    device
}

fn text<T: ToString>(value: Option<&T>) -> Option<String> {
    value.map(ToString::to_string)
}

/// Every export on every local port, as far as its initiator group is there.
fn luns(params: &Params, local: &LocalPorts) -> BTreeMap<LunAddress, Lun> {
    let mut luns = BTreeMap::new();
    for (port, groups) in &local.groups {
        for device in &params.devices {
            for export in &device.exports {
                let matching = groups.iter().filter(|group| match &export.group {
                    ExportGroup::All => true,
                    ExportGroup::Named(name) => group.matches(name.as_str()),
                });
                for table in matching.filter_map(|group| LunTable::of_group(params.driver, port, group)) {
                    let at = LunAddress { table, lun: export.lun.into() };
                    luns.insert(at, Lun { device: device.name.clone(), read_only: device.read_only });
                }
            }
        }
    }
    luns
}

/// The exports that name an initiator group which no local port has: named to the operator, and mapped by a later reload.
pub fn unmatched<'a>(params: &'a Params, local: &LocalPorts) -> Vec<(&'a DeviceName, String)> {
    let known: BTreeSet<&InitiatorGroup> = local.groups.values().flatten().collect();
    let exports =
        params.devices.iter().flat_map(|device| device.exports.iter().map(move |export| (&device.name, export)));
    exports
        .filter(|(_, export)| match &export.group {
            ExportGroup::All => known.is_empty(),
            ExportGroup::Named(name) => !known.iter().any(|group| group.matches(name.as_str())),
        })
        .map(|(device, export)| (device, export.to_string()))
        .collect()
}

fn target_groups(
    topology: &Topology,
    local: &LocalPorts,
    states: States<'_>,
    found: Option<&DeviceGroup>,
) -> BTreeMap<NodeName, TargetGroup> {
    let there = |node: &NodeName| found.and_then(|group| group.target_groups.get(node));
    let mut groups = BTreeMap::new();
    let own = &topology.local;
    let state = match states {
        States::Kept => there(&own.name).map_or(AluaState::Standby, |group| group.state),
        States::Started(_) => AluaState::Standby,
    };
    let members = local.ports.iter().map(|(port, id)| (port.clone(), Member { local: true, rel_tgt_id: (*id).into() }));
    groups.insert(own.name.clone(), TargetGroup { group_id: own.id.into(), state, members: members.collect() });
    for peer in &topology.peers {
        let there = there(&peer.name);
        let state = match (states, there) {
            (States::Started(Some(lists)), _) => state_of(lists.role_at_start(peer.name.as_str())),
            (_, Some(there)) => there.state,
            (_, None) => AluaState::Unavailable,
        };
        let members = peer.ports.iter().map(|port| {
            let wanted = Member { local: false, rel_tgt_id: port.rel_tgt_id.into() };
            // A port of that name on this machine as well: the kernel made it a link, and nothing we do changes that.
            let found = there.and_then(|there| there.members.get(&port.name)).filter(|found| found.local);
            (port.name.clone(), *found.unwrap_or(&wanted))
        });
        groups.insert(peer.name.clone(), TargetGroup { group_id: peer.id.into(), state, members: members.collect() });
    }
    groups
}
