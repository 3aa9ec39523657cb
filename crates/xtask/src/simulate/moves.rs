//! Moves of the promoted role that do not go as planned, and what a disk that hangs makes of a drain and of a reload: coincidences that
//! other events bring about too seldom.

use nix::errno::Errno;
use scst_core::ocf::action::Action;
use scst_sim::host::StoreChange;

use super::events::{Draw, times};
use super::pacemaker::{Cluster, Role};
use super::world::{DISKS, NODES};

/// One of them is also the last thing that happens in a history, so that nothing comes after it that puts right what it leaves.
pub(super) static AWRY: Draw = Draw(&[
    times(3, "a move of which one node does not hear everything", unheard),
    times(2, "a move is taken back", waver),
    times(2, "a move to where a store does not open", closed),
    times(3, "drains of a disk that hangs", drains),
    times(1, "a reload removes disks that hang", removed),
    times(1, "a store grows, and the group moves there and back", grown),
]);

/// A group that is served, where it is, and where it could be as well: resource, node, node.
fn served(cluster: &Cluster) -> Option<(usize, usize, usize)> {
    let (r, first) = (cluster.any_group(), cluster.any_node());
    let instances = &cluster.resources[r].instances;
    let from = instances.iter().position(|one| one.role == Role::Promoted)?;
    let mut others = (first..instances.len()).chain(0..first);
    Some((r, from, others.find(|node| instances[*node].role == Role::Unpromoted)?))
}

/// A notification of a move does not reach one of the nodes, which may have forgotten what it knew as well.
fn unheard(cluster: &mut Cluster) {
    let Some((r, _, to)) = served(cluster) else { return };
    let (node, number, forgets) = (cluster.any_node(), cluster.below(4), cluster.below(3) == 0);
    if forgets {
        let mut world = cluster.world();
        world.happened(format!("the state files of groups on {} are gone", NODES[node]));
        let of_group = |path: &std::path::Path| path.to_string_lossy().contains("/scst_aluadg-");
        // Nothing else knows whose a block is: a group that still has one cannot be stopped without its file.
        let blocks = |text: &str| text.lines().any(|line| line.starts_with("block "));
        world.nodes[node].run.retain(|path, text| !of_group(path) || blocks(text));
    }
    cluster.deaf = Some((node, number));
    cluster.prefer(r, Some(to));
}

/// Somebody moves a group, and thinks again while it is moved.
fn waver(cluster: &mut Cluster) {
    let (r, node, steps) = (cluster.any_group(), cluster.any_node(), cluster.below(6));
    let before = cluster.resources[r].preferred;
    cluster.prefer(r, Some(node));
    cluster.second_thoughts = Some((steps, r, before));
}

/// A group is to move where one of its stores does not open.
fn closed(cluster: &mut Cluster) {
    let Some((r, _, to)) = served(cluster) else { return };
    let exports = cluster.exports(&cluster.group(r));
    let stores: Vec<String> = exports.into_iter().filter_map(|export| export.store).collect();
    if !stores.is_empty() {
        let store = stores[cluster.below(stores.len())].clone();
        let errno = [Errno::EIO, Errno::EBUSY][cluster.below(2)];
        let change = StoreChange { open_error: Some(format!("{errno:?}")), ..StoreChange::default() };
        cluster.world().sicken(to, &store, &change);
    }
    cluster.prefer(r, Some(to));
}

/// A disk hangs while somebody demotes by hand: the drain ends without success, and what waits in the kernel to give its blocks back may be
/// killed. The next drain is another one by hand, or one without a demotion: right after a reload, which the cluster notes as a start,
/// another node is promoted.
fn drains(cluster: &mut Cluster) {
    let Some((r, from, to)) = served(cluster) else { return };
    hang(cluster, r, from, 1);
    cluster.by_hand(r, from, Action::Demote, false);
    if cluster.below(2) == 0 {
        cluster.world().process_ended(0);
    }
    if cluster.below(2) == 0 {
        cluster.by_hand(r, from, Action::Demote, false);
    } else {
        let number = cluster.below(1000);
        cluster.configure(r, "reload", Some(number.to_string()));
        cluster.second_thoughts = Some((0, r, Some(to)));
    }
}

/// A store that a node has had open grows while another node serves it, and the group moves back.
fn grown(cluster: &mut Cluster) {
    let Some((r, from, to)) = served(cluster) else { return };
    cluster.prefer(r, Some(to));
    cluster.settle();
    let number = cluster.below(DISKS);
    cluster.world().grow(DISKS * (r - 1) + r - 1 + number);
    cluster.prefer(r, Some(from));
}

/// Disks hang, and one of them may be removed from the configuration.
fn removed(cluster: &mut Cluster) {
    let Some((r, from, _)) = served(cluster) else { return };
    let group = cluster.group(r);
    let third = cluster.world().device(&group, 2, 340 + 10 * r);
    cluster.configure(r, "device2", Some(third));
    cluster.settle();
    hang(cluster, r, from, 3);
    cluster.configure(r, "device2", None);
}

/// The disks of a group do not answer some commands of a host.
fn hang(cluster: &mut Cluster, r: usize, node: usize, commands: usize) {
    let group = cluster.group(r);
    let mut world = cluster.world();
    (world.disturbed, world.untold) = (true, true);
    for _ in 0..commands {
        world.host_command(node, &group, None);
    }
}
