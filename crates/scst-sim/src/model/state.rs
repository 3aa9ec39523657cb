//! The kernel's objects as plain data, linked by ids that are never used twice.
//!
//! Ids grow with time, so that maps and sets of ids are in the order of creation, which is the order of the kernel's lists.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::alua::AluaState;
use super::backing::Vdisk;
use super::block::Blocking;
use super::handler::Handler;
use super::iscsi::{IscsiDriver, IscsiTarget, Negotiated};
use super::reservations::Reservations;
use super::root::RootAttrs;
use super::trace::Trace;

/// A name as the kernel holds it: any bytes but NUL.
pub(super) type Name = Vec<u8>;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(super) struct $name(pub(super) u64);
    )*};
}

ids! {
    /// A device of `devices/`.
    DevId,
    /// A port: `targets/<driver>/<target>`.
    TgtId,
    /// An access control group: an `ini_groups/<g>` or the default group of a port.
    AcgId,
    /// A session of a port.
    SessId,
    /// A device group.
    GroupId,
    /// A target group.
    TgId,
    /// A target driver.
    DrvId,
}

/// The name of an object as its directory shows it: kobjects replace `/`.
pub(super) fn directory_name(name: &[u8]) -> Name {
    name.iter().map(|b| if *b == b'/' { b'!' } else { *b }).collect()
}

/// Everything the `scst` module holds.
#[derive(Clone, Default)]
pub(super) struct Scst {
    /// The module is loaded.
    pub(super) loaded: bool,
    /// Identity of `scst_tgt` and its fixed directories; new with every load.
    pub(super) id: u64,
    /// Module parameter `auto_cm_assignment`.
    pub(super) auto_cm_assignment: bool,
    /// Module parameter `forcibly_close_sessions`.
    pub(super) forcibly_close_sessions: bool,
    pub(super) root: RootAttrs,
    pub(super) handlers: Vec<Handler>,
    pub(super) drivers: Vec<Driver>,
    pub(super) devices: BTreeMap<DevId, Device>,
    pub(super) device_names: BTreeMap<Name, DevId>,
    pub(super) targets: BTreeMap<TgtId, Target>,
    pub(super) acgs: BTreeMap<AcgId, Acg>,
    pub(super) sessions: BTreeMap<SessId, Session>,
    pub(super) groups: BTreeMap<GroupId, DeviceGroup>,
    pub(super) group_names: BTreeMap<Name, GroupId>,
    pub(super) target_groups: BTreeMap<TgId, TargetGroup>,
    /// The next relative target port id to generate.
    pub(super) next_rel_tgt_id: u16,
    /// The next LUN of the copy manager.
    pub(super) next_copy_manager_lun: u64,
}

impl Scst {
    /// The state without the module.
    pub(super) fn absent() -> Self {
        Self { auto_cm_assignment: true, next_rel_tgt_id: 1, ..Self::default() }
    }

    /// The device of that name, unless it is being removed.
    pub(super) fn device_named(&self, name: &[u8]) -> Option<DevId> {
        let id = *self.device_names.get(name)?;
        self.devices.get(&id).filter(|d| !d.leaving).map(|_| id)
    }

    /// The driver of that name.
    pub(super) fn driver(&self, name: &[u8]) -> Option<&Driver> {
        self.drivers.iter().find(|d| d.name.as_bytes() == name)
    }

    /// The driver with that id.
    pub(super) fn driver_by_id(&self, id: DrvId) -> Option<&Driver> {
        self.drivers.iter().find(|d| d.id == id)
    }

    /// The driver with that id, to change.
    pub(super) fn driver_mut(&mut self, id: DrvId) -> Option<&mut Driver> {
        self.drivers.iter_mut().find(|d| d.id == id)
    }
}

/// What kind of target driver it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flavour {
    /// SCST's own: one port that is always there.
    CopyManager,
    /// `scst_local` and drivers made of it: ports come by `add_target`.
    Local,
    /// `iscsi-scst`.
    Iscsi,
    /// Ports are hardware.
    Hardware,
}

/// A target driver: `targets/<driver>`.
#[derive(Debug, Clone)]
pub(super) struct Driver {
    pub(super) id: DrvId,
    pub(super) name: &'static str,
    pub(super) flavour: Flavour,
    /// Its ports have `enabled`; the others count as enabled always.
    pub(super) can_disable: bool,
    /// Ports by directory name.
    pub(super) targets: BTreeMap<Name, TgtId>,
    pub(super) trace: Trace,
    pub(super) iscsi: Option<IscsiDriver>,
    /// `allow_not_connected_copy` of the copy manager.
    pub(super) allow_not_connected_copy: bool,
    /// How many sessions it has made.
    pub(super) logins: u32,
}

/// What only some drivers' ports have.
#[derive(Debug, Clone)]
pub(super) enum PortKind {
    /// The copy manager's.
    CopyManager,
    /// Transport versions to claim.
    Local {
        scsi_transport_version: u16,
        phys_transport_version: u16,
        /// The SCSI host of a port that the stand-in made when it was loaded.
        host: Option<u32>,
    },
    Iscsi(Box<IscsiTarget>),
    /// A Fibre Channel port of an HBA.
    Fc {
        host: u32,
        node_name: String,
        gen32: bool,
        explicit_confirmation: bool,
    },
    /// A hardware port without attributes of its own.
    Plain,
}

/// A port: `targets/<driver>/<target>`.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is an attribute of the port")]
pub(super) struct Target {
    pub(super) driver: DrvId,
    pub(super) name: Name,
    pub(super) kind: PortKind,
    pub(super) enabled: bool,
    pub(super) rel_tgt_id: u16,
    pub(super) default_acg: AcgId,
    /// Initiator groups by directory name.
    pub(super) ini_groups: BTreeMap<Name, AcgId>,
    /// Sessions by directory name.
    pub(super) sessions: BTreeMap<Name, SessId>,
    pub(super) comment: Vec<u8>,
    pub(super) forward_src: bool,
    pub(super) forward_dst: bool,
    pub(super) aen_disabled: bool,
}

/// How LUN numbers are shown to initiators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AddrMethod {
    Peripheral,
    Flat,
    Lun,
}

/// A group of initiators that see the same LUNs.
#[derive(Debug, Clone)]
pub(super) struct Acg {
    pub(super) target: TgtId,
    /// `None` for the default group of a port.
    pub(super) name: Option<Name>,
    pub(super) addr_method: AddrMethod,
    pub(super) io_grouping_type: i32,
    pub(super) cpu_mask: u64,
    pub(super) black_hole: u8,
    pub(super) dedicated_threads: bool,
    pub(super) luns: BTreeMap<u64, Lun>,
    /// Initiator names (any case) in the order they were added.
    pub(super) initiators: Vec<Initiator>,
    pub(super) sessions: BTreeSet<SessId>,
}

/// A name in `initiators/`.
#[derive(Debug, Clone)]
pub(super) struct Initiator {
    pub(super) id: u64,
    pub(super) name: Name,
}

/// A LUN of a group.
#[derive(Debug, Clone)]
pub(super) struct Lun {
    pub(super) id: u64,
    pub(super) device: DevId,
    pub(super) read_only: bool,
    /// The number of its link in the device's `exported`.
    pub(super) export: u32,
}

/// A device: `devices/<d>`.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a state of the device")]
pub(super) struct Device {
    pub(super) name: Name,
    /// The handler's name; a SCSI disk of the host may be without one.
    pub(super) handler: Option<&'static str>,
    /// It is attached to its handler: links and the handler's attributes are there.
    pub(super) linked: bool,
    pub(super) vdisk: Option<Vdisk>,
    /// Links of `exported` by number.
    pub(super) exports: BTreeMap<u32, (AcgId, u64)>,
    pub(super) next_export: u32,
    pub(super) group: Option<GroupId>,
    /// Where sessions see it: session and LUN.
    pub(super) seen_by: BTreeSet<(SessId, u64)>,
    pub(super) blocking: Blocking,
    pub(super) read_only: bool,
    pub(super) cluster_mode: bool,
    pub(super) numa_node_id: i32,
    pub(super) max_tgt_dev_commands: i32,
    pub(super) threads_num: i32,
    pub(super) threads_shared: bool,
    /// `None`: the default path.
    pub(super) pr_file_name: Option<Vec<u8>>,
    pub(super) reservations: Reservations,
    /// It shares them in a lockspace: the version that it has.
    pub(super) shared: Option<u64>,
    /// It is being removed: nobody finds it by its name any more.
    pub(super) leaving: bool,
    /// A failed `replace` left a reference that is never dropped: deleting it hangs.
    pub(super) stuck: bool,
}

/// A session: `targets/<driver>/<target>/sessions/<s>`.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub(super) target: TgtId,
    pub(super) acg: AcgId,
    /// Its directory name.
    pub(super) name: Name,
    pub(super) initiator: Name,
    /// The initiator's port as SCSI names it; the copy manager has none.
    pub(super) transport_id: Option<Vec<u8>>,
    pub(super) luns: BTreeMap<u64, SessionLun>,
    /// The disks that a Linux host has made of the LUNs it found.
    pub(super) disks: BTreeMap<u64, super::initiator::FoundDisk>,
    /// It logs out as soon as its commands are answered.
    pub(super) closing: bool,
    /// What an iSCSI session has besides.
    pub(super) iscsi: Option<Negotiated>,
}

/// A LUN as one session sees it.
#[derive(Debug, Clone)]
pub(super) struct SessionLun {
    pub(super) id: u64,
    pub(super) device: DevId,
    /// What it tells instead of carrying out the next commands.
    pub(super) attentions: VecDeque<super::scsi::Sense>,
}

/// A device group.
#[derive(Debug, Clone, Default)]
pub(super) struct DeviceGroup {
    pub(super) name: Name,
    /// Devices in the order they joined.
    pub(super) devices: Vec<DevId>,
    /// Target groups by directory name.
    pub(super) target_groups: BTreeMap<Name, TgId>,
    /// Which target group a port name is in.
    pub(super) members: BTreeMap<Name, TgId>,
}

/// A target group of a device group.
#[derive(Debug, Clone)]
pub(super) struct TargetGroup {
    pub(super) group: GroupId,
    pub(super) name: Name,
    pub(super) group_id: u16,
    pub(super) preferred: bool,
    pub(super) state: AluaState,
    /// Members by name.
    pub(super) members: BTreeMap<Name, Member>,
    /// The links to local ports. One stays behind when its member is deleted through another target group.
    pub(super) links: BTreeMap<Name, Vec<u8>>,
}

impl TargetGroup {
    /// The remote port whose directory has that name.
    pub(super) fn remote(&self, shown: &[u8]) -> Option<&Member> {
        let direct = self.members.get(shown).filter(|m| directory_name(&m.name) == shown);
        let any = || self.members.values().find(|m| m.target.is_none() && directory_name(&m.name) == shown);
        direct.filter(|m| m.target.is_none()).or_else(any)
    }
}

/// A member of a target group.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) id: u64,
    pub(super) name: Name,
    /// The port; `None` for a remote one.
    pub(super) target: Option<TgtId>,
    /// The id of a remote port.
    pub(super) rel_tgt_id: u16,
}
