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
pub(super) struct Draw(pub(super) &'static [(usize, Event)]);

pub(super) const fn times(times: usize, name: &'static str, happens: fn(&mut Cluster)) -> (usize, Event) {
    (times, event(name, happens))
}

impl Draw {
    pub(super) fn draw(&self, lot: &mut Lot) -> &'static Event {
        let times = self.0.iter().map(|(times, _)| times).sum();
        let mut all = self.0.iter().flat_map(|(times, event)| std::iter::repeat_n(event, *times));
        all.nth(lot.below(times)).expect("a number below the sum")
    }
}

/// What happens while a cluster is at rest.
pub(super) static AT_REST: Draw = Draw(&[
    times(5, "a parameter changes", change),
    times(2, "a node goes to standby, or is online", standby),
    times(1, "somebody prefers a node", prefer),
    times(1, "a parameter changes, and somebody prefers a node", |cluster| {
        change(cluster);
        prefer(cluster);
    }),
    times(1, "a node is lost", lose),
    times(3, "a node comes back", boot),
    times(1, "everything is probed again", Cluster::refresh),
    times(5, "a fault in an action", fault),
    times(3, "a command of a host", command),
    times(1, "the disks answer", disks),
    times(1, "a slow command", slow),
    times(2, "a reload by hand", reload_by_hand),
    times(1, "/run is full, or not any more", full),
    times(3, "a store changes", store),
    times(2, "a fault of a while", lasting),
    times(2, "an action by hand", by_hand),
    times(1, "maintenance mode on or off", |cluster| cluster.maintain(!cluster.maintenance)),
    times(1, "a mistake in the configuration", misconfigure),
    times(1, "the configuration is set right", Cluster::set_right),
    times(1, "a node is shut down", shut_down),
    times(1, "all clocks jump", jump),
    times(1, "all instances restart", |cluster| {
        let group = cluster.world().groups[0].clone();
        cluster.restart(Some(&group));
    }),
    times(1, "the shell agent is replaced", Cluster::upgrade),
    times(3, "a move does not go as planned", |cluster| {
        let event = moves::AWRY.draw(&mut cluster.world().lot);
        (event.happens)(cluster);
    }),
    times(1, "a signal to what waits in the kernel", |cluster| {
        let mut world = cluster.world();
        world.disturbed = true;
        world.process_ended(0);
    }),
    times(1, "a start by hand beside what runs", beside),
    times(7, "time passes after a command of a host", |cluster| {
        command(cluster);
        let time = cluster.below(40) as u64;
        cluster.pass(Duration::from_secs(time));
    }),
]);

/// What happens between two actions of a transition.
static BETWEEN: Draw = Draw(&[
    times(3, "a parameter changes", change),
    times(1, "somebody prefers a node", prefer),
    times(1, "a node is lost", lose),
    times(3, "a fault in an action", fault),
    times(18, "a command of a host", command),
    times(1, "the disks answer", disks),
    times(1, "a store changes", store),
    times(1, "a fault of a while", lasting),
    times(1, "an action by hand", by_hand),
    times(1, "all clocks jump", jump),
    times(34, "nothing", |_| {}),
]);

/// Something happens while the cluster is at rest: every second time one of what happens most in this history.
pub(super) fn at_rest(cluster: &mut Cluster) {
    let event = {
        let mut world = cluster.world();
        if world.iscsi.is_some() && world.lot.once_in(3) {
            iscsi::AT_REST.draw(&mut world.lot)
        } else if world.lot.once_in(2) {
            *world.lot.one_of(&cluster.focus)
        } else {
            AT_REST.draw(&mut world.lot)
        }
    };
    (event.happens)(cluster);
}

/// Something may happen between two actions of a transition.
pub(super) fn between(cluster: &mut Cluster) {
    let event = {
        let mut world = cluster.world();
        let targets = world.iscsi.is_some() && world.lot.once_in(30);
        if targets { &iscsi::BETWEEN } else { &BETWEEN }.draw(&mut world.lot)
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
        cut && !cluster.fencing && world.stores.iter().all(|store| store.layer == Layer::Shared)
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
