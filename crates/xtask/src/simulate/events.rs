//! What happens to a cluster: changes of the configuration, nodes that go and come, time, and faults.

use std::time::Duration;

use scst_core::ocf::action::Action;

use super::faults::Fault;
use super::mishaps::{command, disks, fault, full, jump, lasting, slow, store};
use super::pacemaker::{Cluster, Role};
use super::stores::Layer;

/// How many kinds of events there are at rest.
pub(super) const KINDS: usize = 52;

/// Something happens while the cluster is at rest.
pub(super) fn at_rest(cluster: &mut Cluster) {
    let (count, kind, node) = draw(cluster, KINDS);
    let (often, place) = {
        let lot = &mut cluster.stage.lock().world.lot;
        (lot.once_in(2), lot.below(cluster.focus.len()))
    };
    match if often { cluster.focus[place] } else { kind } {
        0..=4 => change(cluster),
        5 | 6 => {
            let on = !cluster.standby.contains(&node) && cluster.standby.len() + 1 < count;
            cluster.set_standby(node, on);
        }
        7 => prefer(cluster, node),
        8 => {
            change(cluster);
            prefer(cluster, node);
        }
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
        41 | 42 => waver(cluster, node),
        43 => {
            // What agents have left waiting in the kernel gets a signal.
            let world = &mut cluster.stage.lock().world;
            world.disturbed = true;
            world.process_ended(0);
        }
        44 => beside(cluster, node),
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

/// Somebody moves a group, and thinks again while it is moved.
fn waver(cluster: &mut Cluster, node: usize) {
    let (r, steps) = {
        let lot = &mut cluster.stage.lock().world.lot;
        (1 + lot.below(cluster.resources.len() - 1), lot.below(6))
    };
    let of = &cluster.resources[r];
    let before = of.lower.map_or(of.preferred, |lower| lower.preferred);
    cluster.prefer(r, Some(node));
    cluster.second_thoughts = Some((steps, r, before));
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
    cluster.by_hand(r, node, action, false);
}

/// Somebody starts again by hand what runs, which takes its time.
fn beside(cluster: &mut Cluster, node: usize) {
    let r = {
        let mut state = cluster.stage.lock();
        let operation = 1 + state.world.lot.below(12);
        let fault = *state.world.lot.one_of(&[Fault::Hangs, Fault::Queued]);
        state.world.arm(node, Some(Action::Start), u32::try_from(operation).expect("a small number"), fault);
        1 + state.world.lot.below(cluster.resources.len() - 1)
    };
    if cluster.resources[r].instances[node].role == Role::Unpromoted {
        cluster.by_hand(r, node, Action::Start, true);
    }
}

fn misconfigure(cluster: &mut Cluster, node: usize) {
    let (r, kind) = {
        let mut state = cluster.stage.lock();
        (1 + state.world.lot.below(cluster.resources.len() - 1), state.world.lot.below(4))
    };
    cluster.misconfigure(r, node, kind);
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
