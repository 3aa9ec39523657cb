//! Device groups above DRBD, ZFS and LVM, with the configurations of docs/operations.md. Stand-ins change the role, or the presence, of the stores.

use std::fs;

use super::super::chapter::{Chapter, Story};
use super::super::config::dummy;
use super::super::rig::stores;
use super::super::states::never_two_active;
use super::super::world::{Cluster, Plan, Told, until};
use super::sample::{DOCUMENTED, block};

pub(crate) const DRBD: Chapter = Chapter {
    name: "drbd",
    begin: || above(stores::DRBD, "One DRBD resource below each group"),
    stories: &[
        Story { name: "started on both nodes, promoted where DRBD is", tell: serves },
        Story { name: "moved by the name of the DRBD clone, there and back", tell: moved_by_drbd },
        Story { name: "a move by the name of the group moves nothing", tell: not_moved_by_group },
        Story { name: "power loss of the promoted node, and its return", tell: lost },
    ],
};

/// What stands below the group, by its name in the configuration.
const DRBD_CLONE: &str = "ms_drbd_r10";

/// Loads the documented configuration of ports and group, the device on a store, together with the documented block about that store.
fn above(store: &str, words: &str) -> Told<Cluster> {
    let mut plan = Plan { config: None, fencing: true, ..Plan::standard() };
    for machine in &mut plan.machines {
        machine.stores = stores::SCENARIO;
    }
    let mut cluster = Cluster::boot(plan)?;
    cluster.settles()?;
    cluster.config.hosts = DOCUMENTED.to_vec();
    let group = block("docs/operations.md", "For crmsh, `crm configure load update FILE`")?;
    let device = "handler=vdisk_nullio,virtname=lu0dummy,dummy=1,export0=all:0";
    let configured = format!("filename={store},virtname=lu0dummy,export0=all:0");
    if !group.contains(device) {
        return Err(format!("no device {device:?} in\n{group}").into());
    }
    let alpha = cluster.node("alpha");
    let file = alpha.directory().join("stores.crm");
    fs::write(&file, group.replace(device, &configured) + &block("docs/operations.md", words)?)?;
    alpha.run(&["crm", "configure", "load", "update", &file.to_string_lossy()])?;
    cluster.status_is("one promoted", |status| status.promoted(dummy().resource).is_some())?;
    Ok(cluster)
}

/// Where the group is promoted, and the other node; what is below is promoted on the same one, and the store is open there alone.
fn promoted_and_other(cluster: &Cluster) -> Told<(String, String)> {
    let status = cluster.settles()?;
    let group = dummy().resource;
    let promoted = status.promoted(group).ok_or_else(|| format!("not one is promoted\n{status}"))?;
    if status.promoted("drbd_r10").as_ref() != Some(&promoted) {
        return Err(format!("DRBD is not promoted where the group is\n{status}").into());
    }
    let mut other = String::new();
    for node in cluster.nodes().iter().filter(|node| node.is_on()) {
        let place = node.path("/sys/kernel/scst_tgt/devices/dummy_lu0dummy").ok_or("no power")?;
        let read = |name: &str| fs::read_to_string(place.join(name)).unwrap_or_default();
        let shown = [read("active"), read("size")].map(|text| text.lines().next().unwrap_or_default().to_owned());
        let wanted = [if node.name() == promoted { "1" } else { "0" }, "1048576"];
        if shown != wanted {
            return Err(format!("active and size on {} are {shown:?} instead of {wanted:?}", node.name()).into());
        }
        if node.name() != promoted {
            node.name().clone_into(&mut other);
        }
    }
    Ok((promoted, other))
}

fn serves(cluster: &mut Cluster) -> Told<()> {
    promoted_and_other(cluster).map(drop)
}

fn moved(cluster: &Cluster, name: &str) -> Told<()> {
    let (promoted, other) = promoted_and_other(cluster)?;
    let sampling = cluster.sample(dummy().name)?;
    cluster.run(&["crm_resource", "--resource", name, "--move", "--promoted", "--node", &other])?;
    let there = cluster.status_is("moved", |status| status.promoted(dummy().resource).as_ref() == Some(&other));
    let settled = there.and_then(|()| promoted_and_other(cluster));
    never_two_active(&format!("moved from {promoted}"), &sampling.end()?)?;
    settled?;
    cluster.run(&["crm_resource", "--resource", name, "--clear"])?;
    let (still, _) = promoted_and_other(cluster)?;
    if still == other { Ok(()) } else { Err(format!("the role went back to {still}").into()) }
}

fn moved_by_drbd(cluster: &mut Cluster) -> Told<()> {
    moved(cluster, DRBD_CLONE)?;
    moved(cluster, DRBD_CLONE)
}

fn not_moved_by_group(cluster: &mut Cluster) -> Told<()> {
    let (promoted, other) = promoted_and_other(cluster)?;
    let clone = dummy().clone_id();
    let moment = cluster.moment();
    cluster.run(&["crm_resource", "--resource", &clone, "--move", "--promoted", "--node", &other])?;
    cluster.settles()?;
    cluster.run(&["crm_resource", "--resource", &clone, "--clear"])?;
    let (still, _) = promoted_and_other(cluster)?;
    let done = cluster.changes_since(&moment)?;
    if still == promoted && done.is_empty() {
        return Ok(());
    }
    Err(format!("moved to {still} by the name of the group, which the document says cannot be: {done:?}").into())
}

fn lost(cluster: &mut Cluster) -> Told<()> {
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
