//! What administrators do on purpose: moving roles, changing parameters, and looking again.

use super::super::chapter::Chapter;
use super::super::config::{Device, ESX2, PORTS, dummy, group_constraints, group_resource, ssd};
use super::super::history::Moment;
use super::super::running::{Cluster, Outcome, until};
use super::super::states::{never_all_standby, never_two_active};

pub(crate) const CHAPTER: Chapter = Chapter {
    name: "planned",
    begin: Cluster::standard,
    scenarios: &[
        ("standby of the promoted node, and back without a failback", standby),
        ("the promoted role is moved, and stays when the constraint goes", moved),
        ("demoted by target-role, and promoted again", target_role),
        ("stopped and started by target-role", stopped),
        ("a new device and its removal reload, and touch nothing else", reloaded),
        ("a change after a move reaches the demoted node too, once it was refreshed", changed_after_move),
        ("another group name restarts", restarted),
        ("a new initiator group, and the group told to look again", new_initiator_group),
        ("two groups promoted on different nodes", two_groups),
        ("cleanup, refresh and the probes after it change nothing", looked_again),
        ("a peer that was left between two states is put right by a monitor", left_between),
    ],
};

/// The node where the group is promoted, and the other one.
pub(crate) fn promoted_and_other(cluster: &Cluster) -> Outcome<(String, String)> {
    let status = cluster.settles()?;
    let promoted = status.promoted(dummy().resource).ok_or_else(|| format!("not one is promoted\n{status}"))?;
    let other = status.online.iter().find(|node| **node != promoted).ok_or("there is one node only")?.clone();
    Ok((promoted, other))
}

/// Waits until the cluster is at rest, and fails unless it has done since then what is wanted, in any order.
pub(super) fn done_since(cluster: &Cluster, moment: &Moment, what: &str, wanted: &[String]) -> Outcome<()> {
    cluster.settles()?;
    let (mut done, mut wanted) = (cluster.changes_since(moment)?, wanted.to_vec());
    wanted.sort();
    done.sort();
    if done == wanted { Ok(()) } else { Err(format!("{what}: done was {done:#?} instead of {wanted:#?}").into()) }
}

/// `action resource node` for each node.
pub(super) fn on_both(action: &str, resource: &str) -> Vec<String> {
    ["alpha", "beta"].map(|node| format!("{action} {resource} {node}")).to_vec()
}

/// Moves the promoted role to a node, takes the constraint away, and looks at everything.
pub(super) fn promoted_on(cluster: &Cluster, node: &str) -> Outcome<()> {
    promoted_after(cluster, node, |cluster| cluster.settles().map(drop))
}

/// The same with another `rest`, where the standard view does not know of everything.
pub(super) fn promoted_after(cluster: &Cluster, node: &str, rest: impl Fn(&Cluster) -> Outcome<()>) -> Outcome<()> {
    let group = dummy();
    rest(cluster)?;
    if cluster.status()?.promoted(group.resource).as_deref() != Some(node) {
        cluster.move_to(&group, node)?;
    }
    cluster.status_is("promoted there", |status| status.promoted(group.resource).as_deref() == Some(node))?;
    rest(cluster)?;
    cluster.clear(&group)?;
    rest(cluster)
}

fn standby(cluster: &mut Cluster) -> Outcome<()> {
    let (promoted, other) = promoted_and_other(cluster)?;
    let group = dummy().resource;
    cluster.stand_by(&promoted)?;
    cluster.status_is("the other one promoted", |status| status.promoted(group).as_ref() == Some(&other))?;
    cluster.settles()?;
    let moment = cluster.moment();
    cluster.end_standby(&promoted)?;
    cluster.status_is("it runs again, unpromoted", |status| status.role(group, &promoted) == Some("Unpromoted"))?;
    let wanted = [format!("start {PORTS} {promoted}"), format!("start {group} {promoted}")];
    done_since(cluster, &moment, "back from standby", &wanted)
}

/// Moves the promoted role to the other node, where it stays when the constraint has gone. Nothing else is done.
pub(super) fn role_moved(cluster: &Cluster) -> Outcome<()> {
    let (promoted, other) = promoted_and_other(cluster)?;
    let group = dummy().resource;
    let moment = cluster.moment();
    promoted_on(cluster, &other)?;
    let wanted = [format!("demote {group} {promoted}"), format!("promote {group} {other}")];
    done_since(cluster, &moment, "a move and the end of its constraint", &wanted)
}

fn moved(cluster: &mut Cluster) -> Outcome<()> {
    let sampling = cluster.sample(dummy().name)?;
    let moved = role_moved(cluster);
    let samples = sampling.end()?;
    moved?;
    never_two_active("a move", &samples)?;
    never_all_standby("a move", &samples)
}

fn target_role(cluster: &mut Cluster) -> Outcome<()> {
    let (promoted, _) = promoted_and_other(cluster)?;
    let group = dummy().resource;
    let moment = cluster.moment();
    cluster.target_role(Some("Unpromoted"))?;
    cluster.status_is("both unpromoted", |status| status.with_role(group, "Unpromoted").len() == 2)?;
    cluster.settles()?;
    cluster.start_group()?;
    let now = cluster.settles()?.promoted(group).unwrap_or_default();
    let wanted = [format!("demote {group} {promoted}"), format!("promote {group} {now}")];
    done_since(cluster, &moment, "demoted and promoted", &wanted)
}

fn stopped(cluster: &mut Cluster) -> Outcome<()> {
    cluster.stop_group()?;
    cluster.settles()?;
    cluster.start_group()
}

fn reloaded(cluster: &mut Cluster) -> Outcome<()> {
    let group = dummy().resource;
    let device = Device { virtname: "added", lun: 3 };
    let moment = cluster.moment();
    cluster.set(group, "device7", &device.parameter())?;
    cluster.config.groups[0].devices.push(device);
    done_since(cluster, &moment, "a new device", &on_both("reload-agent", group))?;
    let moment = cluster.moment();
    cluster.unset(group, "device7")?;
    cluster.config.groups[0].devices.pop();
    done_since(cluster, &moment, "a device less", &on_both("reload-agent", group))
}

/// Pacemaker remembers the parameters of the last action that was not recurring, and of a demote it remembers none: it does not see that an instance
/// which was demoted last has to be reloaded. A probe puts that right.
fn changed_after_move(cluster: &mut Cluster) -> Outcome<()> {
    moved(cluster)?;
    let group = dummy().resource;
    let device = Device { virtname: "added", lun: 3 };
    cluster.set(group, "device7", &device.parameter())?;
    cluster.idle()?;
    cluster.run(&["crm_resource", "--refresh", "--resource", group])?;
    cluster.idle()?;
    cluster.set(group, "reload", "after the move")?;
    cluster.config.groups[0].devices.push(device);
    cluster.settles()?;
    cluster.unset(group, "device7")?;
    cluster.config.groups[0].devices.pop();
    Ok(())
}

fn restarted(cluster: &mut Cluster) -> Outcome<()> {
    restarted_by_name(cluster)
}

/// Gives the device group another name, and the old one again. Each restarts it on both nodes.
pub(super) fn restarted_by_name(cluster: &mut Cluster) -> Outcome<()> {
    let group = dummy().resource;
    for name in ["other", dummy().name] {
        let moment = cluster.moment();
        cluster.set(group, "groupname", name)?;
        cluster.config.groups[0].name = name;
        let status = cluster.settles()?;
        let now = status.promoted(group).ok_or_else(|| format!("not one is promoted\n{status}"))?;
        let done = cluster.changes_since(&moment)?;
        for step in [on_both("stop", group), on_both("start", group), vec![format!("promote {group} {now}")]].concat() {
            if !done.contains(&step) {
                return Err(format!("another group name: {step:?} is not in {done:#?}").into());
            }
        }
    }
    Ok(())
}

fn new_initiator_group(cluster: &mut Cluster) -> Outcome<()> {
    let group = dummy().resource;
    let moment = cluster.moment();
    cluster.config.hosts.push(ESX2);
    cluster.set(PORTS, "initiators", &cluster.config.initiators())?;
    until("both ports reloaded", || {
        let done = cluster.changes_since(&moment)?;
        Ok((done.len() < 2).then(|| format!("{done:?}")))
    })?;
    cluster.idle()?;
    cluster.set(group, "reload", "1")?;
    let wanted = [on_both("reload-agent", PORTS), on_both("reload-agent", group)].concat();
    done_since(cluster, &moment, "a new initiator group", &wanted)?;
    cluster.config.hosts.pop();
    cluster.set(PORTS, "initiators", &cluster.config.initiators())
}

fn two_groups(cluster: &mut Cluster) -> Outcome<()> {
    let (promoted, other) = promoted_and_other(cluster)?;
    let group = ssd();
    cluster.run(&["cibadmin", "--create", "--scope", "resources", "--xml-text", &group_resource(&group)])?;
    for constraint in group_constraints(&group).lines() {
        cluster.run(&["cibadmin", "--create", "--scope", "constraints", "--xml-text", constraint])?;
    }
    cluster.config.groups.push(group.clone());
    cluster.status_is("the second group promoted", |status| status.promoted(group.resource).is_some())?;
    cluster.settles()?;
    for node in [&other, &promoted, &other] {
        if cluster.status()?.promoted(group.resource).as_ref() != Some(node) {
            cluster.move_to(&group, node)?;
        }
        cluster.status_is("the second group on its node", |status| {
            status.promoted(group.resource).as_ref() == Some(node)
        })?;
        let status = cluster.settles()?;
        if status.promoted(dummy().resource).as_ref() != Some(&promoted) {
            return Err(format!("the first group has moved with the second\n{status}").into());
        }
        cluster.clear(&group)?;
    }
    // Without its constraints and its definition it is stopped, and nothing of it stays.
    for constraint in group_constraints(&group).lines() {
        cluster.run(&["cibadmin", "--delete", "--scope", "constraints", "--xml-text", constraint])?;
    }
    cluster.run(&["cibadmin", "--delete", "--xml-text", &format!("<clone id=\"{}\"/>", group.clone_id())])?;
    cluster.status_is("the second group gone", |status| {
        !status.roles.keys().any(|(resource, _)| resource == group.resource)
    })?;
    cluster.config.groups.pop();
    Ok(())
}

fn looked_again(cluster: &mut Cluster) -> Outcome<()> {
    let group = dummy().resource;
    for words in [
        &["crm_resource", "--cleanup"][..],
        &["crm_resource", "--refresh"],
        &["crm_resource", "--refresh", "--resource", group],
    ] {
        let before = cluster.settles()?;
        let moment = cluster.moment();
        cluster.run(words)?;
        cluster.status_is("the same roles as before", |status| status.roles == before.roles)?;
        cluster.idle()?;
        done_since(cluster, &moment, &words.join(" "), &[])?;
    }
    Ok(())
}

/// Announces, by the notification that comes before it, something that is then not carried out. A refresh can do that, when the probes have answered.
fn announced(cluster: &Cluster, to: &str, operation: &str, of: &str) -> Outcome<()> {
    let agent = format!("{}/scst_aluadg", super::super::rig::PROVIDER);
    let device = format!("OCF_RESKEY_device0={}", dummy().devices[0].parameter());
    let instance = format!("OCF_RESOURCE_INSTANCE={}", dummy().resource);
    let meta = |name: &str, value: &str| format!("OCF_RESKEY_CRM_meta_{name}={value}");
    let mut words =
        ["env", "OCF_ROOT=/usr/lib/ocf", &instance, "OCF_RESKEY_groupname=dummy"].map(str::to_owned).to_vec();
    words.extend(["OCF_RESKEY_tgtdriver=qla2x00t".to_owned(), device, meta("on_node", to), meta("notify", "true")]);
    words.extend([meta("notify_type", "pre"), meta("notify_operation", operation)]);
    words.extend([meta("notify_active_uname", "alpha beta"), meta(&format!("notify_{operation}_uname"), of)]);
    words.extend([agent, "notify".to_owned()]);
    cluster.run_on(to, &words.iter().map(String::as_str).collect::<Vec<_>>()).map(drop)
}

fn left_between(cluster: &mut Cluster) -> Outcome<()> {
    let (promoted, other) = promoted_and_other(cluster)?;
    let moment = cluster.moment();
    announced(cluster, &other, "demote", &promoted)?;
    announced(cluster, &promoted, "stop", &other)?;
    let status = cluster.status()?;
    if !cluster.wrong_view(&status).is_some_and(|wrong| wrong.contains("transitioning")) {
        return Err("what was announced is not shown".into());
    }
    done_since(cluster, &moment, "two views put right", &[])
}
