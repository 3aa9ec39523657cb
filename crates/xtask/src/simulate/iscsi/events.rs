//! What happens to daemons, to hosts and to the configuration of targets.

use std::time::Duration;

use scst_core::ocf::action::Action;
use scst_sim::model::{DaemonSignal, IscsiInitiator};

use super::{ATTRIBUTES, ESX2, PORTALS, Targets};
use crate::simulate::events::{Draw, times};
use crate::simulate::faults::Fault;
use crate::simulate::pacemaker::Cluster;
use crate::simulate::world::NODES;

/// What happens while a cluster is at rest.
pub(in crate::simulate) static AT_REST: Draw = Draw(&[
    times(4, "a parameter of targets changes", edit),
    times(2, "the daemon dies", |cluster| sent(cluster, DaemonSignal::End)),
    times(2, "the daemon hangs", |cluster| sent(cluster, DaemonSignal::Stop)),
    times(1, "the daemon goes on", |cluster| sent(cluster, DaemonSignal::Continue)),
    times(2, "the daemon dies in an action", |cluster| in_action(cluster, DaemonSignal::End)),
    times(2, "the daemon hangs in an action", |cluster| in_action(cluster, DaemonSignal::Stop)),
    times(2, "a host comes or goes", host),
    times(1, "the targets restart", |cluster| cluster.restart(None)),
    times(3, "a fault in an action of targets", fault),
]);

/// What happens between two actions of a transition.
pub(in crate::simulate) static BETWEEN: Draw = Draw(&[
    times(1, "a parameter of targets changes", edit),
    times(1, "the daemon dies", |cluster| signal(cluster, DaemonSignal::End)),
    times(1, "the daemon hangs", |cluster| signal(cluster, DaemonSignal::Stop)),
    times(1, "the daemon goes on", |cluster| signal(cluster, DaemonSignal::Continue)),
]);

/// A parameter of the targets changes.
fn edit(cluster: &mut Cluster) {
    let Some(before) = cluster.world().iscsi else { return };
    let (kind, n) = (cluster.below(8), cluster.below(3));
    let after = match kind {
        0 => Targets { esx: before.esx + 1, ..before },
        1 => Targets { lab: if before.lab.is_some() { None } else { Some(n) }, ..before },
        2 => Targets { own: (n > 0).then_some(n), ..before },
        3 => Targets { portals: n % PORTALS.len(), ..before },
        4 => Targets { attributes: n % ATTRIBUTES.len(), ..before },
        5 => Targets { alias: !before.alias, ..before },
        6 => Targets { more: !before.more, ..before },
        _ => Targets { third: !before.third, ..before },
    };
    cluster.world().iscsi = Some(after);
    cluster.world().count("parameters of targets".to_owned());
    let (before, after) = (before.params(), after.params());
    for name in before.keys().chain(after.keys()) {
        if before.get(name) != after.get(name) {
            cluster.configure(0, name, after.get(name).cloned());
        }
    }
    cluster.resources[0].right = after;
}

fn signal(cluster: &mut Cluster, signal: DaemonSignal) {
    let (node, time) = (cluster.any_node(), [1, 5, 12, 35, 100, 1000][cluster.below(6)]);
    // After the longest time somebody else continues it, or nobody.
    cluster.world().signal_daemon(node, signal, (time < 1000).then(|| Duration::from_secs(time)));
}

/// The same while nothing else happens, and then time passes.
fn sent(cluster: &mut Cluster, to: DaemonSignal) {
    signal(cluster, to);
    let time = cluster.below(40) as u64;
    cluster.pass(Duration::from_secs(time));
}

/// The daemon is sent something in one of the next actions, and something that needs it follows.
fn in_action(cluster: &mut Cluster, signal: DaemonSignal) {
    let (node, operations) = (cluster.any_node(), cluster.below(60));
    cluster.happened(format!("iscsi-scstd on {} gets {signal:?} after {operations} operations", NODES[node]));
    cluster.world().nodes[node].daemon.due = Some((operations, signal));
    if cluster.below(2) == 0 { edit(cluster) } else { cluster.restart(None) }
}

/// Something goes wrong in an action of the targets, which follows.
fn fault(cluster: &mut Cluster) {
    let (node, action) = (cluster.any_node(), [Action::Start, Action::Stop, Action::Reload][cluster.below(3)]);
    let (operation, fault) = (1 + cluster.below(100), Fault::ALL[cluster.below(Fault::ALL.len())]);
    cluster.world().armed = Some((node, Some(action), operation, fault));
    if action == Action::Reload { edit(cluster) } else { cluster.restart(None) }
}

/// A host logs in, with the right secret by the right portal or not, or logs out.
fn host(cluster: &mut Cluster) {
    let (node, n, kind) = (cluster.any_node(), cluster.below(2), cluster.below(5));
    let mut world = cluster.world();
    let Some(targets) = world.iscsi.filter(|_| world.nodes[node].powered) else { return };
    let target = world.target(node, n);
    let right = IscsiInitiator { name: ESX2.to_owned(), ..targets.host() };
    let initiator = Targets::strangers(&right).get(kind).cloned().unwrap_or_else(|| targets.host());
    let name = initiator.name.clone();
    let machine = &mut world.nodes[node].machine;
    if kind == 4 {
        let sessions = machine.iscsi_logout(&target, &name);
        return world.happened(format!("{name} ends {sessions} sessions with {target}"));
    }
    if machine.iscsi_sessions(&target, &name) > 0 {
        return;
    }
    let answer = machine.iscsi_login(&target, &initiator);
    world.happened(format!("{name} logs in to {target}: {answer:?}"));
    world.count(format!("login {}", if answer.is_ok() { "let in" } else { "refused" }));
    let how = || format!("{target} lets in a host without the right secret, or by another portal");
    world.check("no stranger is let in", false, (answer.is_ok() && kind < 3).then(how));
}

/// A daemon dies once more, and nothing else happens: then everything comes back by itself.
pub(in crate::simulate) fn die_once_more(cluster: &mut Cluster) {
    if cluster.world().iscsi.is_none() || cluster.world().is_over() {
        return;
    }
    let node = cluster.any_node();
    cluster.world().signal_daemon(node, DaemonSignal::End, None);
    cluster.pass(Duration::from_mins(1));
    cluster.settle();
    cluster.world().at_rest(cluster);
}
