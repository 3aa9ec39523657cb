//! What an administrator does past the cluster: maintenance, and single actions by `crm_resource` and pcs.

use super::super::chapter::Chapter;
use super::super::config::{PORTS, dummy};
use super::super::running::{Cluster, Outcome, until};
use super::super::view;
use super::planned::{done_since, promoted_and_other};

pub(crate) const CHAPTER: Chapter = Chapter {
    name: "by hand",
    begin: Cluster::standard,
    scenarios: &[
        ("maintenance mode begins and ends without any action", maintained),
        ("check, demote and promote by crm_resource", forced_roles),
        ("stop and start by crm_resource", forced_restart),
        ("start, promote, demote and stop by pcs", debugged),
        ("validate by crm_resource, and what crmsh and pcs say of the agents", validated),
    ],
};

fn maintenance(cluster: &Cluster, on: bool) -> Outcome<()> {
    let property = ["crm_attribute", "--type", "crm_config", "--name", "maintenance-mode"];
    let change: &[&str] = if on { &["--update", "true"] } else { &["--delete"] };
    cluster.run(&[&property, change].concat())?;
    cluster.idle()
}

/// Where the group is promoted, and the other node, from now on in maintenance mode.
fn maintained_nodes(cluster: &Cluster) -> Outcome<(String, String)> {
    let nodes = promoted_and_other(cluster)?;
    maintenance(cluster, true)?;
    Ok(nodes)
}

/// Runs an action by `crm_resource` on a node; the agent must answer this code.
fn force(cluster: &Cluster, node: &str, resource: &str, action: &str, code: i32) -> Outcome<()> {
    let action = format!("--force-{action}");
    let answer = cluster.node(node).ask(&["crm_resource", "--resource", resource, &action, "--force"])?;
    if answer.code == Some(code) { Ok(()) } else { Err(format!("{action} of {resource} on {node}: {answer:?}").into()) }
}

/// Waits until a node shows a target group of the sample's device group in a state.
fn shows(cluster: &Cluster, node: &str, of: &str, state: &str) -> Outcome<()> {
    until(&format!("{node} shows {of} {state}"), || {
        let view = view::found(&cluster.node(node)).unwrap_or_default();
        let begins = format!("  target group {of} id ");
        let shown = view.lines().any(|line| line.starts_with(&begins) && line.contains(&format!(" {state}: ")));
        Ok((!shown).then_some(view))
    })
}

fn maintained(cluster: &mut Cluster) -> Outcome<()> {
    let moment = cluster.moment();
    maintenance(cluster, true)?;
    maintenance(cluster, false)?;
    done_since(cluster, &moment, "maintenance", &[])
}

fn forced_roles(cluster: &mut Cluster) -> Outcome<()> {
    let (promoted, other) = maintained_nodes(cluster)?;
    let (group, moment) = (dummy(), cluster.moment());
    force(cluster, &promoted, group.resource, "check", 8)?;
    force(cluster, &other, group.resource, "check", 0)?;
    // By the clone's name the agent is told another instance, and must find the same.
    force(cluster, &promoted, &group.clone_id(), "check", 8)?;
    force(cluster, &promoted, PORTS, "check", 0)?;
    force(cluster, &promoted, group.resource, "demote", 0)?;
    shows(cluster, &promoted, &promoted, "standby")?;
    force(cluster, &promoted, group.resource, "check", 0)?;
    force(cluster, &promoted, group.resource, "promote", 0)?;
    force(cluster, &promoted, group.resource, "check", 8)?;
    maintenance(cluster, false)?;
    done_since(cluster, &moment, "a role taken and given back by hand", &[])
}

fn forced_restart(cluster: &mut Cluster) -> Outcome<()> {
    let (promoted, other) = maintained_nodes(cluster)?;
    let group = dummy();
    force(cluster, &other, group.resource, "stop", 0)?;
    until("nothing of the group", || {
        let view = view::found(&cluster.node(&other)).unwrap_or_default();
        Ok(view.contains("dummy").then_some(view))
    })?;
    force(cluster, &other, group.resource, "check", 7)?;
    force(cluster, &other, group.resource, "stop", 0)?;
    force(cluster, &other, group.resource, "start", 0)?;
    force(cluster, &other, group.resource, "start", 0)?;
    shows(cluster, &other, &other, "standby")?;
    // Nobody has told it who runs elsewhere, so it says nothing that a host could rely on, until it is told or promoted.
    shows(cluster, &other, &promoted, "unavailable")?;
    maintenance(cluster, false)?;
    cluster.move_to(&group, &other)?;
    cluster
        .status_is("the restarted one promoted", |status| status.promoted(group.resource).as_ref() == Some(&other))?;
    cluster.settles()?;
    cluster.clear(&group)
}

fn debugged(cluster: &mut Cluster) -> Outcome<()> {
    let (promoted, _) = promoted_and_other(cluster)?;
    let group = dummy();
    cluster.stop_group()?;
    cluster.settles()?;
    for (action, state) in [("start", "standby"), ("promote", "active"), ("monitor", "active"), ("demote", "standby")] {
        let command = format!("debug-{action}");
        let answer = cluster.node(&promoted).ask(&["pcs", "resource", &command, group.resource])?;
        if !answer.stdout.contains("returned") && !answer.stderr.contains("returned") {
            return Err(format!("pcs resource {command}: {answer:?}").into());
        }
        shows(cluster, &promoted, &promoted, state)?;
    }
    cluster.run_on(&promoted, &["pcs", "resource", "debug-stop", group.resource])?;
    cluster.settles()?;
    cluster.start_group()
}

/// Output of a tool that has nothing to complain about; what it says of the cluster's own options does not count.
fn without_complaint(cluster: &Cluster, words: &[&str]) -> Outcome<String> {
    let answer = cluster.any()?.ask(words)?;
    let all = format!("{}{}", answer.stdout, answer.stderr);
    let is_complaint = |line: &&str| {
        let lower = line.to_lowercase();
        ["warning:", "error:", "traceback"].iter().any(|word| lower.contains(word)) && !lower.contains("blind faith")
    };
    match all.lines().find(is_complaint) {
        None if answer.code == Some(0) => Ok(all),
        found => Err(format!("{}: {found:?} in {answer:?}", words.join(" ")).into()),
    }
}

fn validated(cluster: &mut Cluster) -> Outcome<()> {
    for resource in [PORTS, dummy().resource] {
        for words in [
            &["crm_resource", "--validate", "--resource", resource][..],
            &["crm_resource", "--validate=10", "--resource", resource],
        ] {
            without_complaint(cluster, words)?;
        }
    }
    for agent in ["scst_qla2xtgt", "scst_aluadg"] {
        let name = format!("ocf:onesty:{agent}");
        for (words, shows) in [
            (&["crm", "ra", "info", &name][..], "Parameters"),
            (&["pcs", "resource", "describe", &name], "Resource options"),
            (&["crm_resource", "--show-metadata", &name], "<version>1.1</version>"),
        ] {
            let said = without_complaint(cluster, words)?;
            if !said.contains(shows) {
                return Err(format!("{} does not show {shows:?}:\n{said}", words.join(" ")).into());
            }
        }
    }
    without_complaint(cluster, &["crm", "configure", "verify"])?;
    without_complaint(cluster, &["crm_verify", "--live-check", "-V"])?;
    let device = dummy().devices[0].parameter();
    let device = format!("device0={device}");
    let validate = ["crm_resource", "--validate", "--class", "ocf", "--provider", "onesty", "--agent", "scst_aluadg"];
    let good = ["--option", "groupname=x1", "--option", "tgtdriver=qla2x00t", "--option", &device];
    without_complaint(cluster, &[&validate[..], &good].concat())?;
    let answer = cluster.any()?.ask(
        &[&validate[..], &["--option", "groupname=x 1", "--option", "tgtdriver=qla2x00t", "--option", &device]]
            .concat(),
    )?;
    if answer.code != Some(6) || !format!("{}{}", answer.stdout, answer.stderr).contains("groupname") {
        return Err(format!("a bad group name: {answer:?}").into());
    }
    Ok(())
}
