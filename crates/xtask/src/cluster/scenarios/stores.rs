//! Device groups above DRBD, ZFS and LVM, with the configurations of docs/operations.md. Stand-ins change the role, or the presence, of the stores.

use std::fs;

use super::super::chapter::{Chapter, Scenario};
use super::super::config::dummy;
use super::super::rig::stores;
use super::super::running::{Cluster, Outcome, Plan, until};
use super::super::states::never_two_active;
use super::super::status::Status;
use super::sample::{DOCUMENTED, block, by_commands, erased, loaded};

/// What stands below the group.
struct Layout {
    /// The resource on whose node the group is promoted.
    resource: &'static str,
    /// What a move names.
    moved: &'static str,
    store: &'static str,
    /// The size of the store in bytes, which hosts of both nodes are told.
    size: &'static str,
    /// What the parameter of the device has besides.
    keys: &'static str,
    /// Words of docs/operations.md before each block that configures it.
    blocks: &'static [&'static str],
}

const ABOVE_DRBD: Layout = Layout {
    resource: "drbd_r10",
    moved: "ms_drbd_r10",
    store: stores::DRBD,
    size: "1048576",
    keys: "",
    blocks: &["One DRBD resource below each group"],
};

const ABOVE_LVM: Layout = Layout {
    resource: "vg_hosts",
    moved: "ms_drbd_r10",
    store: stores::VOLUME,
    size: "4194304",
    keys: ",absent_in_standby=1,size=4M",
    blocks: &["One DRBD resource below each group", "lead the promotion:"],
};

const ABOVE_ZFS: Layout = Layout {
    resource: "pool_tank",
    moved: "pool_tank",
    store: stores::ZVOL,
    size: "2097152",
    keys: ",absent_in_standby=1,size=2M",
    blocks: &["The volumes of a pool"],
};

const SERVES: Scenario = ("started on both nodes, the store only where the group is promoted", serves);
const MOVED_BY_DRBD: Scenario = ("moved by the name of the DRBD clone, there and back", moved_there_and_back);
const LOST: Scenario = ("power loss of the promoted node, and its return", lost);
const BY_PCS: Scenario = ("the same by the commands for pcs, and moved", by_pcs);

pub(crate) const DRBD: Chapter = Chapter {
    name: "drbd",
    begin: || above(&ABOVE_DRBD),
    scenarios: &[
        ("started on both nodes, promoted where DRBD is", serves),
        MOVED_BY_DRBD,
        ("a move by the name of the group moves nothing", not_moved_by_group),
        LOST,
        BY_PCS,
    ],
};

pub(crate) const LVM: Chapter =
    Chapter { name: "lvm", begin: || above(&ABOVE_LVM), scenarios: &[SERVES, MOVED_BY_DRBD, LOST, BY_PCS] };

pub(crate) const ZFS: Chapter = Chapter {
    name: "zfs",
    begin: || above(&ABOVE_ZFS),
    scenarios: &[SERVES, ("moved by the name of the pool, there and back", moved_there_and_back), LOST, BY_PCS],
};

/// The layout of a cluster that runs.
fn layout(status: &Status) -> &'static Layout {
    let runs = |layout: &&Layout| status.roles.keys().any(|(resource, _)| resource == layout.resource);
    [&ABOVE_LVM, &ABOVE_ZFS].into_iter().find(runs).unwrap_or(&ABOVE_DRBD)
}

/// The documented configuration of ports and group, the device on a store, together with the documented blocks about that store: those for crmsh, or those
/// for pcs, which follow them.
fn configuration(layout: &Layout, words: &str, place: usize) -> Outcome<String> {
    let group = block("docs/operations.md", words, 1)?;
    let device = "handler=vdisk_nullio,virtname=lu0dummy,dummy=1,export0=all:0";
    let configured = format!("filename={},virtname=lu0dummy,export0=all:0{}", layout.store, layout.keys);
    if !group.contains(device) {
        return Err(format!("no device {device:?} in\n{group}").into());
    }
    let mut text = group.replace(device, &configured);
    for words in layout.blocks {
        text.push_str(&block("docs/operations.md", words, place)?);
    }
    Ok(text)
}

/// A cluster that is configured so by crmsh.
fn above(layout: &Layout) -> Outcome<Cluster> {
    let mut plan = Plan { config: None, fencing: true, ..Plan::standard() };
    for machine in &mut plan.machines {
        machine.stores = stores::scenario();
    }
    let mut cluster = Cluster::boot(plan)?;
    cluster.settles()?;
    cluster.config.hosts = DOCUMENTED.to_vec();
    loaded(&cluster, &configuration(layout, "For crmsh, `crm configure load update FILE`", 1)?)?;
    cluster.status_is("one promoted", |status| status.promoted(dummy().resource).is_some())?;
    Ok(cluster)
}

/// The same by pcs, in the place of what runs.
fn by_pcs(cluster: &mut Cluster) -> Outcome<()> {
    let layout = layout(&cluster.status()?);
    erased(cluster)?;
    let commands = configuration(layout, "For pcs, which takes operations", 2)?.replace("pcs ", "pcs -f /run/new.xml ");
    // In one step, as the document says: the group would be promoted before its constraints are there.
    by_commands(cluster, &format!("pcs cluster cib /run/new.xml\n{commands}pcs cluster cib-push /run/new.xml\n"))?;
    cluster.status_is("one promoted", |status| {
        status.promoted(dummy().resource).is_some() && status.with_role(dummy().resource, "Unpromoted").len() == 1
    })?;
    moved(cluster)
}

/// Where the group is promoted, and the other node; what is below is promoted on the same one, and the store is open there alone.
fn promoted_and_other(cluster: &Cluster) -> Outcome<(String, String)> {
    let status = cluster.settles()?;
    let group = dummy().resource;
    let promoted = status.promoted(group).ok_or_else(|| format!("not one is promoted\n{status}"))?;
    let below = layout(&status);
    if !matches!(status.role(below.resource, &promoted), Some("Promoted" | "Started")) {
        return Err(format!("{} is not where the group is promoted\n{status}", below.resource).into());
    }
    let mut other = String::new();
    for node in cluster.nodes().iter().filter(|node| node.is_on()) {
        let place = node.path("/sys/kernel/scst_tgt/devices/dummy_lu0dummy").ok_or("no power")?;
        let read = |name: &str| fs::read_to_string(place.join(name)).unwrap_or_default();
        let shown = [read("active"), read("size")].map(|text| text.lines().next().unwrap_or_default().to_owned());
        let wanted = [if node.name() == promoted { "1" } else { "0" }, below.size];
        if shown != wanted {
            return Err(format!("active and size on {} are {shown:?} instead of {wanted:?}", node.name()).into());
        }
        if node.name() != promoted {
            node.name().clone_into(&mut other);
        }
    }
    Ok((promoted, other))
}

fn serves(cluster: &mut Cluster) -> Outcome<()> {
    promoted_and_other(cluster).map(drop)
}

fn moved(cluster: &Cluster) -> Outcome<()> {
    let (promoted, other) = promoted_and_other(cluster)?;
    let name = layout(&cluster.status()?).moved;
    let role: &[&str] = if name.starts_with("ms_") { &["--promoted"] } else { &[] };
    let sampling = cluster.sample(dummy().name)?;
    cluster.run(&[&["crm_resource", "--resource", name, "--move", "--node", &other], role].concat())?;
    let there = cluster.status_is("moved", |status| status.promoted(dummy().resource).as_ref() == Some(&other));
    let settled = there.and_then(|()| promoted_and_other(cluster));
    never_two_active(&format!("moved from {promoted}"), &sampling.end()?)?;
    settled?;
    cluster.run(&["crm_resource", "--resource", name, "--clear"])?;
    let (still, _) = promoted_and_other(cluster)?;
    if still == other { Ok(()) } else { Err(format!("the role went back to {still}").into()) }
}

fn moved_there_and_back(cluster: &mut Cluster) -> Outcome<()> {
    moved(cluster)?;
    moved(cluster)
}

fn not_moved_by_group(cluster: &mut Cluster) -> Outcome<()> {
    let (promoted, other) = promoted_and_other(cluster)?;
    let moment = cluster.moment();
    cluster.move_to(&dummy(), &other)?;
    cluster.settles()?;
    cluster.clear(&dummy())?;
    let (still, _) = promoted_and_other(cluster)?;
    let done = cluster.changes_since(&moment)?;
    if still == promoted && done.is_empty() {
        return Ok(());
    }
    Err(format!("moved to {still} by the name of the group, which the document says cannot be: {done:?}").into())
}

fn lost(cluster: &mut Cluster) -> Outcome<()> {
    let (promoted, other) = promoted_and_other(cluster)?;
    let group = dummy().resource;
    cluster.node(&promoted).cut_power()?;
    cluster.status_is("the survivor promoted", |status| status.promoted(group).as_ref() == Some(&other))?;
    until("the lost node has power, by the fence agent", || {
        Ok((!cluster.node(&promoted).is_on()).then(|| "no power".to_owned()))
    })?;
    cluster.status_is("the lost node is back", |status| status.role(group, &promoted) == Some("Unpromoted"))?;
    let (now, _) = promoted_and_other(cluster)?;
    if now == other { Ok(()) } else { Err(format!("the role went to {now}").into()) }
}
