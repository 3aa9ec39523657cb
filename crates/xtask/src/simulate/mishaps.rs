//! What goes wrong while a cluster runs, and what hosts do meanwhile.

use std::time::Duration;

use nix::errno::Errno;
use scst_core::ocf::action::Action;
use scst_sim::host::{StoreChange, StoreHealth};
use scst_sim::model::Slow;

use super::faults::{Fault, Lasting};
use super::pacemaker::Cluster;
use super::stores::Layer;
use super::world::{NODES, World};

/// One of the next commands on a node takes its time, and only one: several would be as long as any action may be.
pub(super) fn slow(cluster: &mut Cluster) {
    let node = cluster.any_node();
    let mut world = cluster.world();
    let takes = Duration::from_secs(*world.lot.one_of(&[1, 10, 20]));
    (world.disturbed, world.untold) = (true, true);
    let path = *world.lot.one_of(&["*mgmt", "*/state", "*/handlers/*/mgmt", "*/luns/mgmt"]);
    world.happened(format!("a command to {path} on {} takes {takes:?}", NODES[node]));
    let slow = Slow {
        path: path.into(),
        data: b"*".to_vec(),
        takes,
        holds_mutex: takes > Duration::from_secs(5),
        times: Some(1),
    };
    world.nodes[node].slow = true;
    world.nodes[node].machine.slow_down_nothing();
    world.nodes[node].machine.slow_down(slow);
}

/// Nothing can be written below a node's `/run` any more, or again.
pub(super) fn full(cluster: &mut Cluster) {
    let node = cluster.any_node();
    let mut world = cluster.world();
    let errno = *world.lot.one_of(&[Errno::ENOSPC, Errno::EROFS]);
    world.disturbed = true;
    let there = &mut world.nodes[node];
    there.full = if there.full.is_some() { None } else { Some(errno) };
    there.forgets = true;
    let text = format!("writing below /run of {}: {:?}", NODES[node], there.full);
    world.happened(text);
}

/// A store goes away on a node and comes back as another disk, does not open, fails, hangs, or has grown on all nodes.
pub(super) fn store(cluster: &mut Cluster) {
    let node = cluster.any_node();
    let mut world = cluster.world();
    let count = world.stores.len();
    let number = world.lot.below(count);
    let (path, group) = (world.stores[number].path.clone(), world.stores[number].group.clone());
    let plain = StoreChange::default();
    let away = world.nodes[node].store(path.as_ref(), None).is_err();
    let change = match world.lot.below(7) {
        0 | 1 if world.layer(&group) != Layer::Volumes => StoreChange { present: Some(away), ..plain },
        2 => StoreChange { open_error: Some((*world.lot.one_of(&["EIO", "EBUSY", "none"])).to_owned()), ..plain },
        3 => StoreChange { health: Some(*world.lot.one_of(&[StoreHealth::Failing, StoreHealth::Good])), ..plain },
        4 => StoreChange { health: Some(*world.lot.one_of(&[StoreHealth::Hanging, StoreHealth::Good])), ..plain },
        5 => StoreChange { size: Some(world.stores[number].size - (1 << 20)), ..plain },
        _ => return world.grow(number),
    };
    world.sicken(node, &path, &change);
}

impl World {
    /// A store grows, on all nodes. Whoever does that changes the word `reload` next.
    pub(super) fn grow(&mut self, number: usize) {
        self.stores[number].size += 1 << 20;
        (self.disturbed, self.owes_reload, self.grew) = (true, true, self.now);
        let (path, size) = (self.stores[number].path.clone(), Some(self.stores[number].size));
        self.happened(format!("{path} grows to {size:?} bytes"));
        for node in (0..self.nodes.len()).filter(|node| self.nodes[*node].powered).collect::<Vec<_>>() {
            self.change_store(node, &path, &StoreChange { size, ..StoreChange::default() });
        }
    }

    /// A store is not as it should be on one node.
    pub(super) fn sicken(&mut self, node: usize, path: &str, change: &StoreChange) {
        (self.disturbed, self.untold) = (true, true);
        self.happened(format!("{path} on {}: {change:?}", NODES[node]));
        if self.nodes[node].powered {
            self.change_store(node, path, change);
            self.nodes[node].sick.insert(path.to_owned());
        }
    }
}

/// Something goes wrong on a node for a while.
pub(super) fn lasting(cluster: &mut Cluster) {
    let node = cluster.any_node();
    let mut world = cluster.world();
    let errno = *world.lot.one_of(&[Errno::EIO, Errno::EBUSY, Errno::ENOMEM]);
    let text = *world.lot.one_of(&["mgmt", "/state", "/block", "/active", "/enabled", "/device_groups/"]);
    let what = *world.lot.one_of(&[
        Lasting::Writes(text, errno),
        Lasting::NoAttributes,
        Lasting::ProgramsFail,
        Lasting::ProgramsHang,
    ]);
    let time = Duration::from_secs(*world.lot.one_of(&[1, 10, 60, 400]));
    let until = world.now + time;
    world.nodes[node].lasting = Some((what, until));
    world.happened(format!("{}: {what:?} for {time:?}", NODES[node]));
    let group = world.groups[0].clone();
    drop(world);
    if what == Lasting::NoAttributes {
        cluster.restart(Some(&group));
    }
}

/// All clocks jump forward.
pub(super) fn jump(cluster: &mut Cluster) {
    let time = *cluster.world().lot.one_of(&[5, 30, 3600]);
    cluster.happened(format!("clocks jump by {time} s"));
    cluster.stage.pause(Duration::from_secs(time));
}

/// The disks answer everything.
pub(super) fn disks(cluster: &mut Cluster) {
    let mut world = cluster.world();
    world.happened("the disks answer".to_owned());
    world.disks_answer();
}

/// Something will go wrong in one of the next actions of a node.
pub(super) fn fault(cluster: &mut Cluster) {
    let node = cluster.any_node();
    let mut world = cluster.world();
    let actions =
        [Action::Start, Action::Stop, Action::Promote, Action::Demote, Action::Notify, Action::Reload, Action::Monitor];
    let any = world.lot.once_in(2);
    let action = *world.lot.one_of(&actions);
    let most = *world.lot.one_of(&[6, 30, 120]);
    let operation = 1 + world.lot.below(most);
    let fault = *world.lot.one_of(&Fault::ALL);
    world.armed = Some((node, (!any).then_some(action), operation, fault));
    drop(world);
    let (r, other, number) = (cluster.any_group(), cluster.any_node(), cluster.world().lot.next());
    let group = cluster.world().groups[r - 1].clone();
    // Something that needs this action follows.
    match action {
        Action::Start | Action::Stop => cluster.restart(Some(&group)),
        Action::Reload => cluster.configure(r, "reload", Some(number.to_string())),
        Action::Promote => cluster.prefer(r, Some(node)),
        Action::Demote | Action::Notify => cluster.prefer(r, Some(other)),
        _ => {}
    }
}

/// A host sends a command, which its disk answers soon, or late, or not before the disks are well again.
pub(super) fn command(cluster: &mut Cluster) {
    let node = cluster.any_node();
    let mut world = cluster.world();
    let group = world.groups.clone();
    let group = world.lot.one_of(&group).clone();
    let uses_dlm = cluster.of_group(&group).is_some_and(|of| of.params.contains_key("reservations"));
    let shared = uses_dlm && world.lot.once_in(2);
    let takes = match world.lot.below(12) {
        0 => {
            (world.disturbed, world.untold) = (true, true);
            None
        }
        1 => {
            world.disturbed = true;
            Some(Duration::from_secs(8))
        }
        ms => Some(Duration::from_millis(20 * ms as u64)),
    };
    if world.nodes[node].powered && world.state(node, &group, node).as_deref() == Some("active") {
        if shared {
            world.host_reserves(node, &group);
        }
        world.host_command(node, &group, takes);
    }
}
