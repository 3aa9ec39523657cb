//! What happens to a cluster: changes of the configuration, nodes that go and come, time, and faults.

use std::time::Duration;

use nix::errno::Errno;
use scst_core::ocf::action::Action;

use scst_sim::host::{StoreChange, StoreHealth};
use scst_sim::model::Slow;

use super::faults::{Fault, Lasting};
use super::pacemaker::{Cluster, Resource};
use super::stores::Layer;
use super::world::NODES;

/// Something happens while the cluster is at rest.
pub(super) fn at_rest(cluster: &mut Cluster) {
    let (count, kind, node) = draw(cluster, 46);
    match kind {
        0..=4 => change(cluster),
        5 | 6 => {
            let on = !cluster.standby.contains(&node) && cluster.standby.len() + 1 < count;
            cluster.set_standby(node, on);
        }
        7 | 8 => prefer(cluster, node),
        9 => lose(cluster, node),
        10..=12 => boot(cluster),
        13 => cluster.refresh(),
        14..=18 => fault(cluster, node),
        19..=21 => command(cluster, node),
        22 => disks(cluster),
        23 => slow(cluster, node),
        24 | 25 => {
            let r = cluster.stage.lock().world.lot.below(cluster.resources.len());
            cluster.reload_by_hand(r, node);
        }
        26 => full(cluster, node),
        27..=29 => store(cluster, node),
        30 | 31 => lasting(cluster, node),
        32 | 33 => by_hand(cluster, node),
        34 => cluster.maintain(!cluster.maintenance),
        35 => misconfigure(cluster, node),
        36 => cluster.set_right(),
        37 if cluster.standby.len() + 1 < count => cluster.shut_down(node),
        38 => jump(cluster),
        40 => cluster.upgrade(),
        39 => {
            let group = cluster.stage.lock().world.groups[0].clone();
            cluster.restart(&group);
        }
        _ => {
            command(cluster, node);
            let time = cluster.stage.lock().world.lot.below(40) as u64;
            cluster.pass(Duration::from_secs(time));
        }
    }
}

/// Something may happen between two actions of a transition.
pub(super) fn between(cluster: &mut Cluster) {
    let (_, kind, node) = draw(cluster, 65);
    if kind <= 17 && !(8..=12).contains(&kind) {
        cluster.stage.lock().world.disturbed = true;
    }
    match kind {
        0..=2 => change(cluster),
        3 => prefer(cluster, node),
        4 => lose(cluster, node),
        5..=7 => fault(cluster, node),
        8..=12 | 18..=30 => command(cluster, node),
        13 => disks(cluster),
        14 => store(cluster, node),
        15 => lasting(cluster, node),
        16 => by_hand(cluster, node),
        17 => jump(cluster),
        _ => {}
    }
}

/// How many nodes there are, a number below `kinds`, and a node.
fn draw(cluster: &Cluster, kinds: usize) -> (usize, usize, usize) {
    let mut state = cluster.stage.lock();
    let count = state.world.nodes.len();
    (count, state.world.lot.below(kinds), state.world.lot.below(count))
}

/// A reloadable parameter changes: a device comes or goes, a LUN moves, or only the word `reload`.
fn change(cluster: &mut Cluster) {
    let groups = cluster.resources.len() - 1;
    let (r, kind, number) = {
        let mut state = cluster.stage.lock();
        (1 + state.world.lot.below(groups), state.world.lot.below(4), state.world.lot.below(1000))
    };
    let group = cluster.resources[r].group.clone().unwrap_or_default();
    let device = |n, lun| Some(cluster.stage.lock().world.device(&group, n, lun));
    let (second, third) = (device(1, 60 + 10 * r + number % 3), device(2, 40 + 10 * r));
    match kind {
        0 if cluster.resources[r].params.contains_key("device2") => cluster.configure(r, "device2", None),
        0 => cluster.configure(r, "device2", third),
        1 => cluster.configure(r, "device1", second),
        _ => cluster.configure(r, "reload", Some(number.to_string())),
    }
}

fn prefer(cluster: &mut Cluster, node: usize) {
    let groups = cluster.resources.len() - 1;
    let (r, anywhere) = {
        let mut state = cluster.stage.lock();
        (1 + state.world.lot.below(groups), state.world.lot.once_in(3))
    };
    cluster.prefer(r, (!anywhere).then_some(node));
}

/// A node is lost, unless it is the last one.
fn lose(cluster: &mut Cluster, node: usize) {
    let (alone, powered, cut) = {
        let mut state = cluster.stage.lock();
        let others =
            state.world.nodes.iter().enumerate().filter(|(other, there)| *other != node && there.powered && !there.cut);
        (others.count() == 0, state.world.nodes[node].powered, state.world.lot.once_in(3))
    };
    if powered && !alone {
        let shared = cluster.stage.lock().world.layers.values().all(|layer| *layer == Layer::Shared);
        if cut && !cluster.fencing && shared {
            cluster.serve_alone(node);
        } else {
            cluster.lose(node, cut && cluster.fencing);
        }
    }
}

/// A host sends a command, which its disk answers soon, or late, or not before the disks are well again.
fn command(cluster: &mut Cluster, node: usize) {
    let mut state = cluster.stage.lock();
    let group = state.world.groups.clone();
    let group = state.world.lot.one_of(&group).clone();
    let uses_dlm =
        |resource: &Resource| resource.group.as_ref() == Some(&group) && resource.params.contains_key("reservations");
    let shared = cluster.resources.iter().any(uses_dlm) && state.world.lot.once_in(2);
    let takes = match state.world.lot.below(12) {
        0 => {
            (state.world.disturbed, state.world.untold) = (true, true);
            None
        }
        1 => {
            state.world.disturbed = true;
            Some(Duration::from_secs(8))
        }
        ms => Some(Duration::from_millis(20 * ms as u64)),
    };
    if state.world.nodes[node].powered && state.world.state(node, &group, node).as_deref() == Some("active") {
        if shared {
            state.world.host_reserves(node, &group);
        }
        state.world.host_command(node, &group, takes);
    }
}

/// One of the next commands on a node takes its time.
fn slow(cluster: &mut Cluster, node: usize) {
    let mut state = cluster.stage.lock();
    let takes = Duration::from_secs(*state.world.lot.one_of(&[1, 10, 20]));
    state.world.disturbed = true;
    state.world.untold = true;
    let path = *state.world.lot.one_of(&["*mgmt", "*/state", "*/handlers/*/mgmt", "*/luns/mgmt"]);
    state.world.happened(format!("a command to {path} on {} takes {takes:?}", NODES[node]));
    let slow = Slow {
        path: path.into(),
        data: b"*".to_vec(),
        takes,
        holds_mutex: takes > Duration::from_secs(5),
        times: Some(1),
    };
    state.world.nodes[node].slow = true;
    state.world.nodes[node].machine.slow_down(slow);
}

/// Nothing can be written below a node's `/run` any more, or again.
fn full(cluster: &mut Cluster, node: usize) {
    let mut state = cluster.stage.lock();
    let errno = *state.world.lot.one_of(&[Errno::ENOSPC, Errno::EROFS]);
    state.world.disturbed = true;
    let there = &mut state.world.nodes[node];
    there.full = if there.full.is_some() { None } else { Some(errno) };
    let text = format!("writing below /run of {}: {:?}", NODES[node], there.full);
    state.world.happened(text);
}

/// A store goes away on a node and comes back as another disk, does not open, fails, hangs, or has grown on all nodes.
fn store(cluster: &mut Cluster, node: usize) {
    let mut state = cluster.stage.lock();
    let world = &mut state.world;
    let number = world.lot.below(world.stores.len());
    let (path, group) = (world.stores[number].path.clone(), world.stores[number].group.clone());
    let plain = StoreChange::default();
    let away = world.nodes[node].store(path.as_ref(), None).is_err();
    let change = match world.lot.below(6) {
        0 | 1 if world.layer(&group) != Layer::Volumes => StoreChange { present: Some(away), ..plain },
        2 => StoreChange { open_error: Some((*world.lot.one_of(&["EIO", "EBUSY", "none"])).to_owned()), ..plain },
        3 => StoreChange { health: Some(*world.lot.one_of(&[StoreHealth::Failing, StoreHealth::Good])), ..plain },
        4 => StoreChange { health: Some(*world.lot.one_of(&[StoreHealth::Hanging, StoreHealth::Good])), ..plain },
        _ => {
            world.stores[number].size += 1 << 20;
            StoreChange { size: Some(world.stores[number].size), ..plain }
        }
    };
    let everywhere = change.size.is_some();
    world.disturbed = true;
    world.untold |= !everywhere;
    world.count("event of a store".to_owned());
    world.happened(format!("{path} on {}: {change:?}", if everywhere { "all nodes" } else { NODES[node] }));
    for of in 0..world.nodes.len() {
        if world.nodes[of].powered && (everywhere || of == node) {
            world.change_store(of, &path, &change);
            if !everywhere {
                world.nodes[of].sick.insert(path.clone());
            }
        }
    }
}

/// Something goes wrong on a node for a while.
fn lasting(cluster: &mut Cluster, node: usize) {
    let mut state = cluster.stage.lock();
    let errno = *state.world.lot.one_of(&[Errno::EIO, Errno::EBUSY, Errno::ENOMEM]);
    let text = *state.world.lot.one_of(&["mgmt", "/state", "/block", "/active", "/enabled", "/device_groups/"]);
    let what = *state.world.lot.one_of(&[Lasting::Writes(text, errno), Lasting::ProgramsFail, Lasting::ProgramsHang]);
    let time = Duration::from_secs(*state.world.lot.one_of(&[1, 10, 60, 400]));
    let until = state.world.now + time;
    state.world.nodes[node].lasting = Some((what, until));
    state.world.happened(format!("{}: {what:?} for {time:?}", NODES[node]));
}

/// Somebody runs an action by hand. Nobody promotes so, which would be a second serving node.
fn by_hand(cluster: &mut Cluster, node: usize) {
    let actions = [
        Action::Monitor,
        Action::Start,
        Action::Reload,
        Action::Demote,
        Action::Stop,
        Action::Notify,
        Action::ValidateAll,
    ];
    let (r, action) = {
        let mut state = cluster.stage.lock();
        (state.world.lot.below(cluster.resources.len()), *state.world.lot.one_of(&actions))
    };
    cluster.by_hand(r, node, action);
}

fn misconfigure(cluster: &mut Cluster, node: usize) {
    let (r, kind) = {
        let mut state = cluster.stage.lock();
        (1 + state.world.lot.below(cluster.resources.len() - 1), state.world.lot.below(4))
    };
    cluster.misconfigure(r, node, kind);
}

/// All clocks jump forward.
fn jump(cluster: &mut Cluster) {
    let time = *cluster.stage.lock().world.lot.one_of(&[5, 30, 3600]);
    cluster.happened(format!("clocks jump by {time} s"));
    cluster.stage.pause(Duration::from_secs(time));
}

/// The disks answer everything.
fn disks(cluster: &mut Cluster) {
    let mut state = cluster.stage.lock();
    state.world.happened("the disks answer".to_owned());
    state.world.disks_answer();
}

/// A node that is off, or cut off, comes back.
fn boot(cluster: &mut Cluster) {
    let found = {
        let state = cluster.stage.lock();
        let away = |node: &super::node::Node| !node.powered || (node.cut && !cluster.fencing);
        let node = state.world.nodes.iter().position(away);
        node.map(|node| (node, state.world.nodes[node].powered))
    };
    match found {
        Some((node, true)) => cluster.rejoin(node),
        Some((node, false)) => cluster.boot(node),
        None => {}
    }
}

/// Something will go wrong in one of the next actions of a node.
fn fault(cluster: &mut Cluster, node: usize) {
    let mut state = cluster.stage.lock();
    let actions =
        [Action::Start, Action::Stop, Action::Promote, Action::Demote, Action::Notify, Action::Reload, Action::Monitor];
    let any = state.world.lot.once_in(2);
    let action = *state.world.lot.one_of(&actions);
    let most = *state.world.lot.one_of(&[6, 30, 120]);
    let operation = 1 + state.world.lot.below(most);
    let fault = *state.world.lot.one_of(&Fault::ALL);
    state.world.arm(node, (!any).then_some(action), u32::try_from(operation).expect("a small number"), fault);
}
