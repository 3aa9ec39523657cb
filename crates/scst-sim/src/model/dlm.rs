//! DLM, the lock manager of a cluster, as far as SCST uses it (`scst_dlm.c`): devices in `cluster_mode` share their persistent
//! reservations with the devices of other nodes that have the same `t10_dev_id`, in a lockspace of that name.
//!
//! What is modelled was seen on one node (recorded) and on two. A lockspace is there as soon as a device asks for it, except that of a
//! `vdisk_nullio` device which no host sees. Who joins one that is there takes over its registrations; with a lost node that has not
//! been fenced nobody joins, and commands that change reservations wait. Whether hosts of other nodes are told of a preemption is not
//! known, and reported where it would matter.
//!
//! The kernel shows lockspaces in `kernel/dlm`, and `dlm_controld` the nodes in each in `kernel/config/dlm/cluster`. Here both have
//! directories only: what their attributes say is not known.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Errno;
use super::backing::VdiskKind;
use super::machine::Machine;
use super::pr_command::PrCommand;
use super::reservations::Reservations;
use super::state::{DevId, Device, Name};
use super::tree::{Entry, Node};

/// The lock manager of one cluster; clones are the same one. Machines take part by [`Machine::join_lock_manager`].
#[derive(Debug, Clone, Default)]
pub struct LockManager(Arc<Mutex<Cluster>>);

#[derive(Debug, Clone, Default)]
struct Cluster {
    /// The nodes on which it runs.
    nodes: BTreeSet<u32>,
    /// Those of them that do not answer and have not been fenced.
    lost: BTreeSet<u32>,
    spaces: BTreeMap<Name, Space>,
}

/// A lockspace.
#[derive(Debug, Clone)]
struct Space {
    members: BTreeSet<u32>,
    /// How often the reservations have changed.
    version: u64,
    /// The reservations, without the sessions that use them.
    reservations: Reservations,
}

/// A machine's part in a cluster.
#[derive(Debug, Clone)]
pub(super) struct Seat {
    manager: LockManager,
    node: u32,
}

impl Seat {
    /// The same part in a cluster of its own.
    pub(super) fn fork(&self) -> Self {
        Self { manager: self.manager.fork(), node: self.node }
    }
}

impl LockManager {
    /// A lock manager in the same state, which goes its own way. Machines that were copied take part in it by
    /// [`Machine::change_lock_manager`].
    #[must_use]
    pub fn fork(&self) -> Self {
        let cluster = self.lock().clone();
        Self(Arc::new(Mutex::new(cluster)))
    }

    /// A node lost power, or its network: nobody knows whether it will go on.
    pub fn lose(&self, node: u32) {
        self.lock().lost.insert(node);
    }

    /// A node that was lost is known to be down. It takes part again when it joins again.
    pub fn fence(&self, node: u32) {
        let mut cluster = self.lock();
        cluster.lost.remove(&node);
        cluster.nodes.remove(&node);
        cluster.leave(node, |_| false);
    }

    fn lock(&self) -> MutexGuard<'_, Cluster> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cluster {
    /// A node leaves the lockspaces that it does not keep; one that nobody is in is forgotten with its reservations.
    fn leave(&mut self, node: u32, keeps: impl Fn(&Name) -> bool) {
        for (name, space) in &mut self.spaces {
            if !keeps(name) {
                space.members.remove(&node);
            }
        }
        self.spaces.retain(|_, space| !space.members.is_empty());
    }
}

/// Reservations without the sessions of a machine.
fn portable(reservations: &Reservations) -> Reservations {
    let mut all = Reservations { attentions: Vec::new(), ..reservations.clone() };
    all.registrants.iter_mut().for_each(|registrant| registrant.nexus = None);
    all
}

fn space_of(device: &Device) -> Option<Name> {
    device.vdisk.as_ref().map(|vdisk| [b"scst-", vdisk.ids.t10_dev_id()].concat())
}

impl Machine {
    /// The lock manager of a cluster of its own runs on this machine from now on, or does not any more.
    ///
    /// # Errors
    ///
    /// EBUSY for one that is to be stopped under a lockspace: that hangs for good, and a cluster fences the node.
    pub fn lock_manager(&mut self, running: bool) -> Result<(), Errno> {
        if running {
            if self.dlm.is_none() {
                self.join_lock_manager(&LockManager::default(), 1);
            }
            return Ok(());
        }
        if !self.lockspaces().is_empty() {
            return Err(Errno::EBUSY);
        }
        if let Some(seat) = self.dlm.take() {
            seat.manager.lock().nodes.remove(&seat.node);
        }
        Ok(())
    }

    /// The lock manager of a cluster runs on this machine, which is its node of that number.
    pub fn join_lock_manager(&mut self, manager: &LockManager, node: u32) {
        if let Some(seat) = self.dlm.take() {
            seat.manager.fence(seat.node);
        }
        manager.lock().nodes.insert(node);
        self.dlm = Some(Seat { manager: manager.clone(), node });
        self.share_reservations();
    }

    /// This machine, a copy, is the same node of a copied cluster.
    pub fn change_lock_manager(&mut self, manager: &LockManager) {
        if let Some(seat) = &mut self.dlm {
            seat.manager = manager.clone();
        }
    }

    /// A node of this machine's cluster is lost, or, `fenced`, known to be down. ENODEV where no lock manager runs.
    pub fn node_lost(&mut self, node: u32, fenced: bool) -> Result<(), Errno> {
        let seat = self.dlm.as_ref().ok_or(Errno::ENODEV)?;
        if fenced {
            seat.manager.fence(node);
        } else {
            seat.manager.lose(node);
        }
        Ok(())
    }

    /// The lockspaces that this machine is in, sorted by name. Without a lock manager there are none, and reservations stay on this
    /// machine.
    pub fn lockspaces(&mut self) -> Vec<String> {
        self.share_reservations();
        self.joined().iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect()
    }

    fn joined(&self) -> Vec<Name> {
        let Some(seat) = &self.dlm else { return Vec::new() };
        let cluster = seat.manager.lock();
        let joined = cluster.spaces.iter().filter(|(_, space)| space.members.contains(&seat.node));
        joined.map(|(name, _)| name.clone()).collect()
    }

    /// The devices that share, by their lockspaces.
    fn sharing(&self) -> BTreeMap<Name, DevId> {
        let is_shared = |device: &Device| {
            let has_host = || device.seen_by.iter().any(|(session, _)| self.initiator_port(*session).is_some());
            let null = device.vdisk.as_ref().is_none_or(|v| v.kind == VdiskKind::Null);
            device.cluster_mode && !device.leaving && (!null || has_host())
        };
        let shared = self.scst.devices.iter().filter(|(_, device)| is_shared(device));
        shared.filter_map(|(id, device)| Some((space_of(device)?, *id))).collect()
    }

    /// Joins and leaves lockspaces, and takes over what other nodes have changed in those that this machine is in.
    pub(super) fn share_reservations(&mut self) {
        let Some(seat) = self.dlm.clone() else { return };
        let mut cluster = seat.manager.lock();
        if cluster.lost.contains(&seat.node) {
            return;
        }
        let here = cluster.nodes.contains(&seat.node);
        let sharing = if here { self.sharing() } else { BTreeMap::new() };
        for (id, device) in &mut self.scst.devices {
            device.shared = device.shared.filter(|_| sharing.values().any(|sharing| sharing == id));
        }
        cluster.leave(seat.node, |name| sharing.contains_key(name));
        let complete = cluster.lost.is_empty();
        for (name, id) in sharing {
            let Some(device) = self.scst.devices.get(&id) else { continue };
            match cluster.spaces.get_mut(&name) {
                None if complete => {
                    let reservations = portable(&device.reservations);
                    let members = BTreeSet::from([seat.node]);
                    cluster.spaces.insert(name, Space { members, version: 0, reservations });
                    self.take_over(id, 0, None);
                }
                Some(space) if device.shared != Some(space.version) && (complete || device.shared.is_some()) => {
                    if device.shared.is_none() && !device.reservations.registrants.is_empty() {
                        self.note_unknown(&name, "joining a lockspace with registrations of its own");
                    }
                    space.members.insert(seat.node);
                    self.take_over(id, space.version, Some(space.reservations.clone()));
                }
                _ => {}
            }
        }
    }

    /// A device has the reservations of its lockspace from now on, which the sessions of this machine use.
    fn take_over(&mut self, id: DevId, version: u64, reservations: Option<Reservations>) {
        let Some(device) = self.scst.devices.get_mut(&id) else { return };
        device.shared = Some(version);
        let Some(reservations) = reservations else { return };
        let attentions = std::mem::take(&mut device.reservations.attentions);
        device.reservations = Reservations { attentions, ..reservations };
        for (session, lun) in device.seen_by.clone() {
            self.attach_reservations(session, lun, id);
        }
    }

    /// Whether a command that changes reservations has to wait for a node that was lost.
    pub(super) fn recovers(&self, device: DevId) -> bool {
        let shared = self.scst.devices.get(&device).is_some_and(|device| device.shared.is_some());
        shared && self.dlm.as_ref().is_some_and(|seat| !seat.manager.lock().lost.is_empty())
    }

    /// Other nodes see what a command has changed. `strangers`: it met registrations that no session of this machine uses.
    pub(super) fn publish_reservations(&mut self, id: DevId, command: PrCommand, strangers: bool) {
        let Some(seat) = self.dlm.clone() else { return };
        let Some(device) = self.scst.devices.get_mut(&id).filter(|device| device.shared.is_some()) else { return };
        let Some(name) = space_of(device) else { return };
        let mut cluster = seat.manager.lock();
        let Some(space) = cluster.spaces.get_mut(&name) else { return };
        space.version += 1;
        space.reservations = portable(&device.reservations);
        device.shared = Some(space.version);
        let tells = matches!(command, PrCommand::Preempt { .. } | PrCommand::Clear { .. } | PrCommand::Release { .. });
        if strangers && tells && space.members.len() > 1 {
            self.note_unknown(
                &name,
                "whether hosts of another node are told that registrations or a reservation ended",
            );
        }
    }

    // ---- the tree ------------------------------------------------------------------------

    /// What is in `kernel`.
    pub(super) fn kernel_entries(&self) -> Vec<(Name, Entry)> {
        let dir = |name: &str, node| (name.as_bytes().to_vec(), Entry::Dir(node));
        let mut all = Vec::new();
        if self.dlm.is_some() {
            all.extend(["config", "dlm"].map(|name| dir(name, Node::Dlm(vec![name.into()]))));
        }
        if self.scst.loaded {
            all.push(dir("scst_tgt", Node::Root));
        }
        all
    }

    /// What is in a directory of `kernel/dlm` or `kernel/config`, by its path.
    pub(super) fn dlm_entries(&self, path: &[Name]) -> Vec<(Name, Entry)> {
        let Some(seat) = &self.dlm else { return Vec::new() };
        let ids = |ids: &BTreeSet<u32>| ids.iter().map(|id| id.to_string().into_bytes()).collect::<Vec<_>>();
        let steps: Vec<&[u8]> = path.iter().map(Vec::as_slice).collect();
        let names: Vec<Name> = match steps.as_slice() {
            [b"dlm"] | [b"config", b"dlm", b"cluster", b"spaces"] => self.joined(),
            [b"config"] => vec![b"dlm".to_vec()],
            [b"config", b"dlm"] => vec![b"cluster".to_vec()],
            [b"config", b"dlm", b"cluster"] => vec![b"comms".to_vec(), b"spaces".to_vec()],
            [b"config", b"dlm", b"cluster", b"comms"] => ids(&seat.manager.lock().nodes),
            [b"config", b"dlm", b"cluster", b"spaces", _] => vec![b"nodes".to_vec()],
            [b"config", b"dlm", b"cluster", b"spaces", name, b"nodes"] => {
                seat.manager.lock().spaces.get(*name).map(|space| ids(&space.members)).unwrap_or_default()
            }
            _ => Vec::new(),
        };
        let below = |name: Name| (name.clone(), Entry::Dir(Node::Dlm([path, &[name]].concat())));
        names.into_iter().map(below).collect()
    }
}
