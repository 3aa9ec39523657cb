//! The sample configuration as users have it, by each of the tools with which a cluster is configured; and those of our documents.
//!
//! In `tests/data/cluster/sample.crm` the ports are no clone: they come up on one node, and the device group beside them in any order. So SCST is loaded at boot here, as its
//! service does it, and the LUNs are sure only after the group has been told to look again, as the sample's text says.

use std::fs;

use super::super::chapter::Chapter;
use super::super::config::{Cib, Config, Hosts, Machine, PORTS, alpha, beta, dummy};
use super::super::running::{Cluster, Outcome, Plan, until};
use super::super::view;
use crate::workspace;

pub(crate) const CHAPTER: Chapter = Chapter {
    name: "sample",
    begin,
    scenarios: &[
        ("the sample, verbatim, loaded by crm configure", by_crm),
        ("the same, built by pcs", by_pcs),
        ("the same as plain XML, with the roles of today", by_xml),
        ("the configuration of README.md, verbatim, by crm configure", of_readme),
        ("the configuration of docs/operations.md, verbatim, by crm configure", of_operations),
        ("the same by the commands for pcs, verbatim", of_operations_by_pcs),
    ],
};

/// Two nodes without any resource but the fence device.
fn begin() -> Outcome<Cluster> {
    let mut plan = Plan { config: None, fencing: true, ..Plan::standard() };
    for machine in &mut plan.machines {
        machine.loaded = true;
    }
    Cluster::boot(plan)
}

/// Waits until one node is promoted and the other runs, with the right ALUA states on both; then lets the group look again.
fn comes_up(cluster: &mut Cluster, reload: &[&str]) -> Outcome<()> {
    let group = dummy();
    cluster.status_is("one promoted, one unpromoted, and the ports", |status| {
        status.promoted(group.resource).is_some()
            && status.with_role(group.resource, "Unpromoted").len() == 1
            && !status.with_role(PORTS, "Started").is_empty()
    })?;
    cluster.idle()?;
    until("the right ALUA view on both nodes", || {
        let status = cluster.status()?;
        for (node, machine) in cluster.nodes().iter().zip(&cluster.machines) {
            let found = view::found(node).unwrap_or_default();
            for line in view::wanted(cluster, machine, &status).lines().skip_while(|line| !line.starts_with("device "))
            {
                if !found.lines().any(|there| there == line) {
                    return Ok(Some(format!("{} shows\n{found}\nwithout {line:?}", node.name())));
                }
            }
        }
        Ok(None)
    })?;
    cluster.run(reload)?;
    cluster.settles()?;
    Ok(())
}

/// Takes everything but the fence device out of the configuration; what ran is stopped, and nothing of it may be left in the kernels.
pub(super) fn erased(cluster: &mut Cluster) -> Outcome<()> {
    let resources = Cib { machines: &[], config: None, fencing: true, filler: 0 }.resources();
    let replace = |scope: &str, document: &str| {
        cluster.run(&["cibadmin", "--replace", "--scope", scope, "--xml-text", document]).map(drop)
    };
    // Stopped while the constraints are there: without them a store could be taken from a device that is open.
    let stop = ["crm_attribute", "--type", "crm_config", "--name", "stop-all-resources"];
    cluster.run(&[&stop[..], &["--update", "true"]].concat())?;
    cluster.status_is("nothing that runs", |status| status.roles.keys().all(|(resource, _)| resource == "fence"))?;
    cluster.idle()?;
    replace("constraints", "<constraints/>")?;
    replace("resources", &resources)?;
    cluster.run(&[&stop[..], &["--delete"]].concat())?;
    cluster.idle()?;
    // Last: a stop deletes its score by the name of the node.
    replace("nodes", "<nodes/>")?;
    cluster.settles()?;
    Ok(())
}

fn by_crm(cluster: &mut Cluster) -> Outcome<()> {
    let file = cluster.node("alpha").directory().join("sample.crm");
    fs::copy(workspace::root().join("tests/data/cluster/sample.crm"), &file)?;
    let alpha = cluster.node("alpha");
    // The sample has the words of Pacemaker 1.1 and 2.0. Pacemaker 3 warns of `master-max`, and crmsh 5 then wants to be told that it is meant.
    alpha.run(&["crm", "--force", "configure", "load", "update", &file.to_string_lossy()])?;
    comes_up(cluster, &["crm", "resource", "param", dummy().resource, "set", "reload", "1"])?;
    erased(cluster)
}

fn by_pcs(cluster: &mut Cluster) -> Outcome<()> {
    let (config, group) = (Config::standard(), dummy());
    for machine in [alpha(), beta()] {
        let ports = format!("targetports={}", machine.targetports());
        cluster.run(&["pcs", "node", "attribute", &machine.name, "nodetype=fctarget", &ports])?;
    }
    let initiators = format!("initiators={}", config.initiators());
    let mut words = vec!["pcs", "resource", "create", PORTS, "ocf:onesty:scst_qla2xtgt", &initiators];
    words.extend([
        "op",
        "start",
        "timeout=120s",
        "op",
        "stop",
        "timeout=360s",
        "op",
        "monitor",
        "interval=120s",
        "timeout=20s",
    ]);
    cluster.run(&words)?;
    let device = format!("device0={}", group.devices[0].parameter());
    let clone = group.clone_id();
    let mut words = vec!["pcs", "resource", "create", group.resource, "ocf:onesty:scst_aluadg"];
    words.extend(["groupname=dummy", "tgtdriver=qla2x00t", "reload=0", &device]);
    words.extend(["op", "start", "timeout=120s", "op", "stop", "timeout=240s", "op", "demote", "timeout=120s"]);
    words.extend(["promotable", &clone, "interleave=true", "clone-max=2", "clone-node-max=1", "notify=true"]);
    cluster.run(&words)?;
    comes_up(cluster, &["pcs", "resource", "update", group.resource, "reload=1"])?;
    erased(cluster)
}

fn by_xml(cluster: &mut Cluster) -> Outcome<()> {
    let config = Config::standard();
    let cib = Cib { machines: &cluster.machines, config: Some(&config), fencing: true, filler: 0 };
    for (scope, document) in
        [("nodes", cib.nodes()), ("constraints", "<constraints/>".to_owned()), ("resources", cib.resources())]
    {
        cluster.run(&["cibadmin", "--replace", "--scope", scope, "--xml-text", &document])?;
    }
    cluster.run(&["cibadmin", "--replace", "--scope", "constraints", "--xml-text", &cib.constraints()])?;
    comes_up(
        cluster,
        &["crm_resource", "--resource", dummy().resource, "--set-parameter", "reload", "--parameter-value", "1"],
    )?;
    let status = cluster.status()?;
    if status.with_role(PORTS, "Started").len() != 2 {
        return Err(format!("the ports are not on both nodes\n{status}").into());
    }
    erased(cluster)
}

/// The block of code of a document that is so far after these words, 1 for the first.
pub(super) fn block(document: &str, after: &str, place: usize) -> Outcome<String> {
    let text = fs::read_to_string(workspace::root().join(document))?;
    let block = text.split_once(after).and_then(|(_, rest)| rest.split("```").nth(2 * place - 1));
    let block = block.ok_or_else(|| format!("{document} has no block of code after {after:?}"))?;
    // Its first line says what language it is.
    Ok(block.split_once('\n').map_or(block, |(_, code)| code).to_owned())
}

/// Loads a block by crmsh.
pub(super) fn loaded(cluster: &Cluster, block: &str) -> Outcome<()> {
    let alpha = cluster.node("alpha");
    let file = alpha.directory().join("block.crm");
    fs::write(&file, block)?;
    alpha.run(&["crm", "configure", "load", "update", &file.to_string_lossy()]).map(drop)
}

/// Waits until a group is promoted on one of two nodes, and until its targets run on both.
pub(super) fn runs(cluster: &Cluster, group: &str, targets: &str) -> Outcome<()> {
    cluster.status_is("one promoted, one unpromoted, and the targets of both", |status| {
        status.promoted(group).is_some()
            && status.with_role(group, "Unpromoted").len() == 1
            && status.with_role(targets, "Started").len() == 2
    })?;
    cluster.settles().map(drop)
}

fn serves(cluster: &mut Cluster) -> Outcome<()> {
    runs(cluster, dummy().resource, PORTS)?;
    erased(cluster)
}

fn of_readme(cluster: &mut Cluster) -> Outcome<()> {
    loaded(cluster, &block("README.md", "For crmsh, with your WWPNs", 1)?)?;
    serves(cluster)
}

/// The hosts of the document.
pub(super) const DOCUMENTED: [Hosts; 2] = [
    Hosts { name: "esx1", initiators: &["50:01:43:80:03:b0:23:34", "50:01:43:80:03:b0:23:36"] },
    Hosts { name: "esx2", initiators: &["50:01:43:80:03:b0:23:44", "50:01:43:80:03:b0:23:46"] },
];

fn of_operations(cluster: &mut Cluster) -> Outcome<()> {
    cluster.config.hosts = DOCUMENTED.to_vec();
    loaded(cluster, &block("docs/operations.md", "For crmsh, `crm configure load update FILE`", 1)?)?;
    serves(cluster)
}

fn of_operations_by_pcs(cluster: &mut Cluster) -> Outcome<()> {
    cluster.config.hosts = DOCUMENTED.to_vec();
    by_commands(cluster, &block("docs/operations.md", "For pcs, which takes operations", 1)?)?;
    serves(cluster)
}

/// Runs a block of commands, after those that set the nodes' ports.
pub(super) fn by_commands(cluster: &Cluster, commands: &str) -> Outcome<()> {
    let attribute =
        |machine: &Machine| format!("pcs node attribute {} targetports={}\n", machine.name, machine.targetports());
    let attributes: String = cluster.machines.iter().map(attribute).collect();
    cluster.run(&["sh", "-e", "-c", &(attributes + commands)]).map(drop)
}
