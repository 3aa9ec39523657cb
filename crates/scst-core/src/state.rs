//! The part of SCST's tree that the agents own, as plain data: [`Ports`] for the agents that bring ports up,
//! [`Storage`] for the device group agent.
//!
//! What is found ([`crate::observe`] makes it) and what is wanted (the agents make it of the configuration) have the
//! same types, so that the difference between them is a pure function ([`crate::plan`]). A field that only one of the
//! two has says so.

use std::collections::{BTreeMap, BTreeSet};

use crate::scst::alua::AluaState;
use crate::scst::device::{Block, Owed};
use crate::scst::device_attribute::{BIND_ALUA_STATE, BLOCKSIZE, CLUSTER_MODE, DeviceAttribute, READ_ONLY, Written};
use crate::scst::iscsi::{Credential, Portal, UserName};
use crate::scst::names::{DeviceName, HandlerName, InitiatorGroup, InitiatorName, NodeName, TargetName};
use crate::scst::target::LunTable;

/// Ports of one driver, by their names.
pub type Ports = BTreeMap<TargetName, Port>;

/// One port.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Port {
    /// It answers initiators.
    pub enabled: bool,
    /// The relative target port identifier, 1 to 65535; 0 when none is set.
    pub rel_tgt_id: u32,
    /// Its initiator groups, without those that are not ours.
    pub groups: BTreeMap<InitiatorGroup, IniGroup>,
    /// Its attributes, portals and users. Found: those that were asked for.
    pub settings: Settings,
    /// It is to be deleted. Only wanted.
    pub deleted: bool,
}

/// What is configured of a target beside its initiator groups and its number.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// Attributes by their names ([`crate::scst::attribute`]).
    pub attributes: BTreeMap<&'static str, String>,
    /// The addresses by which initiators may reach it; none: every address.
    pub portals: BTreeSet<Portal>,
    /// The CHAP users by which initiators prove who they are; none: no initiator has to.
    pub incoming: BTreeMap<UserName, Credential>,
    /// The CHAP user by which the target proves who it is.
    pub outgoing: Option<(UserName, Credential)>,
}

/// One initiator group of a port.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IniGroup {
    /// `io_grouping_type`: the I/O group, a number from 1, or one of the kernel's words (`auto`, `never`,
    /// `this_group_only`).
    pub io_grouping: String,
    /// The initiators' names.
    pub initiators: BTreeSet<InitiatorName>,
    /// LUNs are mapped in it. Only found: the device group agent maps them.
    pub has_luns: bool,
}

/// One device group on this node: its devices, where they are exported, and which ALUA state hosts are told of which
/// node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Storage {
    /// Our devices.
    pub devices: BTreeMap<DeviceName, Device>,
    /// The LUNs of our devices, wherever they are mapped; the copy manager's are left out.
    pub luns: BTreeMap<LunAddress, Lun>,
    /// The device group, if it is there.
    pub group: Option<DeviceGroup>,
}

impl Storage {
    /// Neither the group nor a device of ours is there.
    pub fn is_empty(&self) -> bool {
        self.group.is_none() && self.devices.is_empty()
    }

    /// The state of a node's target group, if there is one.
    pub fn state(&self, node: &NodeName) -> Option<AluaState> {
        self.group.as_ref()?.state(node)
    }

    /// How often its devices are blocked.
    pub fn blocks(&self) -> Blocks {
        let held = |device: &Device| Held { block: device.block, owed: device.owed };
        self.devices.iter().map(|(name, device)| (name.clone(), held(device))).collect()
    }

    /// Puts these numbers of blocks into its devices.
    pub fn set_blocks(&mut self, blocks: &Blocks) {
        for (name, held) in blocks {
            if let Some(device) = self.devices.get_mut(name) {
                (device.block, device.owed) = (held.block, held.owed);
            }
        }
    }
}

/// How often devices are blocked.
pub type Blocks = BTreeMap<DeviceName, Held>;

/// How often a device is blocked, and by whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Held {
    /// What the kernel shows.
    pub block: Block,
    /// The block of ours among these that is still to be given back.
    pub owed: Option<Owed>,
}

/// Where a LUN is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LunAddress {
    /// The table it stands in.
    pub table: LunTable,
    /// The logical unit number.
    pub lun: u32,
}

/// What a LUN is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lun {
    /// The device behind it.
    pub device: DeviceName,
    /// Hosts cannot write to it.
    pub read_only: bool,
}

/// The logical block size of a device for which none was given, in bytes (`DEF_DISK_BLOCK_SHIFT` in `scst_vdisk.c`).
const DEFAULT_BLOCK_SIZE: u64 = 512;

/// One device.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Device {
    /// Its handler; `None` for a handler that no agent configures.
    pub handler: Option<HandlerName>,
    /// The path of its backing file or block device; `None` for `vdisk_nullio`.
    pub filename: Option<String>,
    /// What can be said only when it is added, by the kernel's names and in its units: `read_only`, `nv_cache`,
    /// `blocksize` (bytes), … Wanted: those that are configured; found: those that this kernel has.
    pub settings: BTreeMap<&'static str, String>,
    /// What a host knows it by: `prod_id`, `t10_dev_id`, `usn`, `naa_id`, … Wanted: those to be written.
    pub identity: BTreeMap<&'static str, String>,
    /// What can be written at any time, also while hosts use it: `threads_num` (a number of threads). Wanted: what is
    /// to be written.
    pub tuning: BTreeMap<&'static str, String>,
    /// Why it cannot be added on this node, if it cannot. Only wanted.
    pub refused: Option<String>,
    /// How often it is blocked. Only found.
    pub block: Block,
    /// The block of ours among these that is still to be given back. Only found, out of the state file.
    pub owed: Option<Owed>,
    /// Its backing store is open; `None` where the kernel has no such attribute. Only found.
    pub active: Option<bool>,
    /// Its lockspace is there; `None` for one that keeps its reservations to itself. Only found.
    pub joined: Option<bool>,
    /// Its size in bytes. Found: what hosts are told; wanted: what its backing store has, where that is known.
    pub size: Option<u64>,
}

impl Device {
    /// Gives an attribute a value.
    pub fn set(&mut self, attribute: &DeviceAttribute, value: String) {
        let values = match attribute.written {
            Written::Added => &mut self.settings,
            Written::Unseen => &mut self.identity,
            Written::Always => &mut self.tuning,
        };
        values.insert(attribute.name, value);
    }

    /// A switch that can be said only when the device is added is on.
    pub fn is_on(&self, attribute: &DeviceAttribute) -> bool {
        self.settings.get(attribute.name).is_some_and(|value| value == "1")
    }

    /// The ALUA state of its group opens and closes its store.
    pub fn follows_state(&self) -> bool {
        self.is_on(BIND_ALUA_STATE)
    }

    /// Hosts cannot write to it.
    pub fn read_only(&self) -> bool {
        self.is_on(READ_ONLY)
    }

    /// Its persistent reservations are shared with other nodes.
    pub fn is_shared(&self) -> bool {
        self.is_on(CLUSTER_MODE)
    }

    /// Its logical block size in bytes: 512, the kernel's default, where no `blocksize` is set.
    pub fn block_size(&self) -> u64 {
        let said = self.settings.get(BLOCKSIZE.name).and_then(|bytes| bytes.parse().ok());
        said.filter(|bytes| *bytes > 0).unwrap_or(DEFAULT_BLOCK_SIZE)
    }

    /// What hosts can use of a store of `bytes` bytes: the whole blocks of it, in bytes.
    pub fn whole_blocks(&self, bytes: u64) -> u64 {
        bytes - bytes % self.block_size()
    }
}

/// A device group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeviceGroup {
    /// Its devices, ours and others'.
    pub devices: BTreeSet<DeviceName>,
    /// Its target groups, by node.
    pub target_groups: BTreeMap<NodeName, TargetGroup>,
}

impl DeviceGroup {
    /// The state of a node's target group, if there is one.
    pub fn state(&self, node: &NodeName) -> Option<AluaState> {
        self.target_groups.get(node).map(|group| group.state)
    }

    /// Its target groups, with no more than a plan that changes their states looks at.
    pub fn view(&self) -> View {
        self.target_groups.iter().map(|(node, group)| (node.clone(), group.view())).collect()
    }
}

/// The target groups of a device group, by node, with no more than a plan that changes their states looks at.
pub type View = BTreeMap<NodeName, TargetGroupView>;

/// A target group, as far as its state is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TargetGroupView {
    /// The state hosts are told.
    pub state: AluaState,
    /// It has a port of another machine. Without one the kernel takes the whole group for local: its state then opens
    /// and closes the devices of this node.
    pub remote: bool,
}

/// The ports of one node, which share an ALUA state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetGroup {
    /// The target port group identifier, 1 to 65535: the id of its node. 0 when none is set.
    pub group_id: u32,
    /// The state hosts are told.
    pub state: AluaState,
    /// Its ports.
    pub members: BTreeMap<TargetName, Member>,
}

impl TargetGroup {
    /// A target group as the kernel creates it: active, without an identifier and without ports.
    pub fn fresh() -> Self {
        Self { group_id: 0, state: AluaState::Active, members: BTreeMap::new() }
    }

    /// It has a port of another machine ([`TargetGroupView::remote`]).
    pub fn has_remote(&self) -> bool {
        self.members.values().any(|member| !member.local)
    }

    /// Its state, and whether the kernel takes it for remote.
    pub fn view(&self) -> TargetGroupView {
        TargetGroupView { state: self.state, remote: self.has_remote() }
    }
}

/// A port in a target group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// It is a port of this machine, in sysfs a link; otherwise it is a name with an identifier, in sysfs a directory.
    pub local: bool,
    /// The relative target port identifier, 1 to 65535; 0 when none is set. Of a local port it is the port's own.
    pub rel_tgt_id: u32,
}
