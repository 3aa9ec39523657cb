//! What happens to a cluster: changes of the configuration, nodes that go and come, time, and faults.

use std::time::Duration;

use scst_core::ocf::action::Action;

use super::faults::Fault;
use super::iscsi;
use super::lot::Lot;
use super::mishaps::{command, disks, fault, full, jump, lasting, slow, store};
use super::moves;
use super::pacemaker::{Cluster, Role};
use super::stores::Layer;

/// Something that happens to a cluster.
pub(super) struct Event {
    pub(super) name: &'static str,
    pub(super) happens: fn(&mut Cluster),
}

pub(super) const fn event(name: &'static str, happens: fn(&mut Cluster)) -> Event {
    Event { name, happens }
}

/// Events, and how often each is drawn beside the others.
pub(super) struct Draw<const N: usize>(pub(super) [(usize, Event); N]);

impl<const N: usize> Draw<N> {
    pub(super) fn draw(&self, lot: &mut Lot) -> &Event {
        let mut number = lot.below(self.0.iter().map(|(times, _)| times).sum());
        let drawn = self.0.iter().find(|(times, _)| {
            let found = number < *times;
            number = number.saturating_sub(*times);
            found
        });
        &drawn.expect("a number below the sum").1
    }
}

/// What happens while a cluster is at rest.
pub(super) static AT_REST: Draw<27> = Draw([
    (5, event("a parameter changes", change)),
    (2, event("a node goes to standby, or is online", standby)),
    (1, event("somebody prefers a node", prefer)),
    (
        1,
        event("a parameter changes, and somebody prefers a node", |cluster| {
            change(cluster);
            prefer(cluster);
        }),
    ),
    (1, event("a node is lost", lose)),
    (3, event("a node comes back", boot)),
    (1, event("everything is probed again", Cluster::refresh)),
    (5, event("a fault in an action", fault)),
    (3, event("a command of a host", command)),
    (1, event("the disks answer", disks)),
    (1, event("a slow command", slow)),
    (2, event("a reload by hand", reload_by_hand)),
    (1, event("/run is full, or not any more", full)),
    (3, event("a store changes", store)),
    (2, event("a fault of a while", lasting)),
    (2, event("an action by hand", by_hand)),
    (1, event("maintenance mode on or off", |cluster| cluster.maintain(!cluster.maintenance))),
    (1, event("a mistake in the configuration", misconfigure)),
    (1, event("the configuration is set right", Cluster::set_right)),
    (1, event("a node is shut down", shut_down)),
    (1, event("all clocks jump", jump)),
    (
        1,
        event("all instances restart", |cluster| {
            let group = cluster.world().groups[0].clone();
            cluster.restart(&group);
        }),
    ),
    (1, event("the shell agent is replaced", Cluster::upgrade)),
    (
        3,
        event("a move does not go as planned", |cluster| {
            let event = moves::AWRY.draw(&mut cluster.world().lot);
            (event.happens)(cluster);
        }),
    ),
    (
        1,
        event("a signal to what waits in the kernel", |cluster| {
            let mut world = cluster.world();
            world.disturbed = true;
            world.process_ended(0);
        }),
    ),
    (1, event("a start by hand beside what runs", beside)),
    (
        7,
        event("time passes after a command of a host", |cluster| {
            command(cluster);
            let time = cluster.below(40) as u64;
            cluster.pass(Duration::from_secs(time));
        }),
    ),
]);

/// What happens between two actions of a transition.
static BETWEEN: Draw<11> = Draw([
    (3, event("a parameter changes", change)),
    (1, event("somebody prefers a node", prefer)),
    (1, event("a node is lost", lose)),
    (3, event("a fault in an action", fault)),
    (18, event("a command of a host", command)),
    (1, event("the disks answer", disks)),
    (1, event("a store changes", store)),
    (1, event("a fault of a while", lasting)),
    (1, event("an action by hand", by_hand)),
    (1, event("all clocks jump", jump)),
    (34, event("nothing", |_| {})),
]);

/// Something happens while the cluster is at rest: every second time one of what happens most in this history.
pub(super) fn at_rest(cluster: &mut Cluster) {
    let event = {
        let mut world = cluster.world();
        let iscsi = world.iscsi.is_some();
        let lot = &mut world.lot;
        if iscsi && lot.once_in(3) {
            iscsi::AT_REST.draw(lot)
        } else if lot.once_in(2) {
            *lot.one_of(&cluster.focus)
        } else {
            AT_REST.draw(lot)
        }
    };
    (event.happens)(cluster);
}

/// Something may happen between two actions of a transition.
pub(super) fn between(cluster: &mut Cluster) {
    let event = {
        let mut world = cluster.world();
        let iscsi = world.iscsi.is_some();
        let lot = &mut world.lot;
        if iscsi && lot.once_in(30) { iscsi::BETWEEN.draw(lot) } else { BETWEEN.draw(lot) }
    };
    // A host's command disturbs nothing by itself.
    cluster.world().disturbed |= !["a command of a host", "nothing"].contains(&event.name);
    (event.happens)(cluster);
}

impl Cluster {
    /// A number below `end`, drawn.
    pub(super) fn below(&self, end: usize) -> usize {
        self.world().lot.below(end)
    }

    /// A node, drawn.
    pub(super) fn any_node(&self) -> usize {
        self.below(self.resources[0].instances.len())
    }

    /// The resource of a group, drawn.
    pub(super) fn any_group(&self) -> usize {
        1 + self.below(self.resources.len() - 1)
    }

    /// The device group of a resource; empty for the ports.
    pub(super) fn group(&self, r: usize) -> String {
        self.resources[r].group.clone().unwrap_or_default()
    }

    fn may_go(&self) -> bool {
        self.standby.len() + 1 < self.resources[0].instances.len()
    }
}

/// A reloadable parameter changes: a device comes or goes, a LUN moves, or only the word `reload`.
fn change(cluster: &mut Cluster) {
    let (r, kind, number) = (cluster.any_group(), cluster.below(4), cluster.below(1000));
    let group = cluster.group(r);
    let device = |n, lun| Some(cluster.world().device(&group, n, lun));
    let (second, third) = (device(1, 60 + 10 * r + number % 3), device(2, 340 + 10 * r));
    match kind {
        0 if cluster.resources[r].params.contains_key("device2") => cluster.configure(r, "device2", None),
        0 => cluster.configure(r, "device2", third),
        1 => cluster.configure(r, "device1", second),
        _ => cluster.configure(r, "reload", Some(number.to_string())),
    }
}

fn standby(cluster: &mut Cluster) {
    let node = cluster.any_node();
    cluster.set_standby(node, !cluster.standby.contains(&node) && cluster.may_go());
}

fn shut_down(cluster: &mut Cluster) {
    let node = cluster.any_node();
    if cluster.may_go() {
        cluster.shut_down(node);
    }
}

fn prefer(cluster: &mut Cluster) {
    let (r, node, anywhere) = (cluster.any_group(), cluster.any_node(), cluster.below(3) == 0);
    cluster.prefer(r, (!anywhere).then_some(node));
}

/// A node is lost, unless it is the last one.
fn lose(cluster: &mut Cluster) {
    let (node, cut) = (cluster.any_node(), cluster.below(3) == 0);
    let serves_alone = {
        let world = cluster.world();
        let mut others = world.nodes.iter().enumerate().filter(|(other, _)| *other != node);
        if !world.nodes[node].powered || !others.any(|(_, there)| there.powered && !there.cut) {
            return;
        }
        cut && !cluster.fencing && world.layers.values().all(|layer| *layer == Layer::Shared)
    };
    if serves_alone {
        cluster.serve_alone(node);
    } else {
        cluster.lose(node, cut && cluster.fencing);
    }
}

fn reload_by_hand(cluster: &mut Cluster) {
    let (r, node) = (cluster.below(cluster.resources.len()), cluster.any_node());
    cluster.reload_by_hand(r, node);
}

/// Somebody runs an action by hand. Nobody promotes so, which would be a second serving node.
fn by_hand(cluster: &mut Cluster) {
    let actions = [
        Action::Monitor,
        Action::Start,
        Action::Reload,
        Action::Demote,
        Action::Stop,
        Action::Notify,
        Action::ValidateAll,
    ];
    let (r, node) = (cluster.below(cluster.resources.len()), cluster.any_node());
    let action = actions[cluster.below(actions.len())];
    cluster.by_hand(r, node, action, false);
}

/// Somebody starts again by hand what runs, which takes its time.
fn beside(cluster: &mut Cluster) {
    let (r, node, operation) = (cluster.any_group(), cluster.any_node(), 1 + cluster.below(12));
    let fault = [Fault::Hangs, Fault::Queued][cluster.below(2)];
    cluster.world().armed = Some((node, Some(Action::Start), operation, fault));
    if cluster.resources[r].instances[node].role == Role::Unpromoted {
        cluster.by_hand(r, node, Action::Start, true);
    }
}

fn misconfigure(cluster: &mut Cluster) {
    let (r, node, kind) = (cluster.any_group(), cluster.any_node(), cluster.below(5));
    cluster.misconfigure(r, node, kind);
}

/// A node that is off, or cut off, comes back.
pub(super) fn boot(cluster: &mut Cluster) {
    let fencing = cluster.fencing;
    let away = cluster.world().nodes.iter().position(|node| !node.powered || (node.cut && !fencing));
    let Some(node) = away else { return };
    if cluster.world().nodes[node].powered {
        cluster.rejoin(node);
    } else {
        cluster.boot(node);
    }
}
