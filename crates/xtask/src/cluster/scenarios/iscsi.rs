//! Targets of iSCSI held in the cluster: the configuration of docs/operations.md by crmsh, by pcs and as XML, and what happens to it. The daemon is a stand-in.

use std::fs;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::super::chapter::Chapter;
use super::super::config::{Config, Device, Group, Machine};
use super::super::rig::stores::block_device;
use super::super::running::{Cluster, Outcome, Plan, until};
use super::processes::quiet_monitors;
use super::sample::{block, by_commands, erased, loaded, runs};

/// The resource of the targets.
const TARGETS: &str = "scst_iscsi";
/// The words before both configurations.
const CHAPTER_OF: &str = "## iSCSI from two bare machines";

pub(crate) const CHAPTER: Chapter = Chapter {
    name: "iscsi",
    begin,
    scenarios: &[
        ("the sample, verbatim, loaded by crm configure", by_crm),
        ("monitors of the targets and of the group start no process", monitors),
        ("the promoted role moves there and back", moved),
        ("a changed secret, a portal and an attribute reload, and no target is made anew", reloaded),
        ("the users are kept by cibsecret, outside the CIB", kept_secret),
        ("the daemon is killed, and everything is built anew within seconds of the next monitor", daemon_killed),
        ("power loss of the promoted node, and its return", power_lost),
        ("the same configuration as plain XML", by_xml),
        ("the same by the commands for pcs, verbatim", by_pcs),
    ],
};

/// A machine with the stores that the documents have as `/dev/drbd10` and on.
fn machine(name: &str, id: u16) -> Machine {
    let target = target(name);
    let store = |minor| block_device(&format!("/run/drbd{minor}"), &format!("147:{minor}"), 1_048_576, "");
    let stores = [10, 11, 12].map(store).concat();
    Machine { stores, ..Machine::new(name, id, &[&target]) }
}

fn target(node: &str) -> String {
    format!("iqn.2026-01.org.example:{node}")
}

fn group() -> Group {
    let device = |virtname, lun| Device { virtname, lun };
    Group { resource: "scst_dg_vm", name: "vm", devices: vec![device("root", 0), device("data", 1), device("lab", 0)] }
}

/// Two nodes without any resource but the fence device.
fn begin() -> Outcome<Cluster> {
    let machines = vec![machine("alpha", 1), machine("beta", 2)];
    let mut cluster = Cluster::boot(Plan { machines, config: None, fencing: true, counted: true, ..Plan::standard() })?;
    cluster.config = Config { hosts: Vec::new(), groups: vec![group()], own_scores: true };
    Ok(cluster)
}

/// A file of a node's target.
fn value(cluster: &Cluster, node: &str, file: &str) -> Option<String> {
    let path = cluster.node(node).path(&format!("/sys/kernel/scst_tgt/targets/iscsi/{}/{file}", target(node)))?;
    fs::read_to_string(path).ok()?.lines().next().map(str::to_owned)
}

/// Waits until both nodes have their target as the sample says, and one serves.
fn serves(cluster: &Cluster) -> Outcome<()> {
    runs(cluster, group().resource, TARGETS)?;
    for node in ["alpha", "beta"] {
        let number = if node == "alpha" { "101" } else { "201" };
        for (file, wanted) in [
            ("enabled", "1"),
            ("rel_tgt_id", number),
            ("allowed_portal", "10.0.1.*"),
            ("QueuedCommands", "64"),
            ("ini_groups/esx1/luns/1/read_only", "0"),
            ("ini_groups/esx2/luns/0/read_only", "0"),
            ("ini_groups/lab/initiators/iqn.1993-08.org.debian:01:*", "iqn.1993-08.org.debian:01:*"),
            ("ini_groups/lab/luns/0/read_only", "0"),
        ] {
            let found = value(cluster, node, file);
            if found.as_deref() != Some(wanted) {
                return Err(format!("{file} of the target of {node} is {found:?}, not {wanted:?}").into());
            }
        }
    }
    Ok(())
}

/// A block of the document, with the stores of the rig.
fn sample(place: usize) -> Outcome<String> {
    Ok(block("docs/operations.md", CHAPTER_OF, place)?.replace("/dev/drbd", "/run/drbd"))
}

fn by_crm(cluster: &mut Cluster) -> Outcome<()> {
    loaded(cluster, &sample(1)?)?;
    serves(cluster)
}

fn monitors(cluster: &mut Cluster) -> Outcome<()> {
    let monitor = format!("{TARGETS}-monitor-10s");
    cluster.monitor_every(&monitor, "1s")?;
    // Within 12 s a monitor of the group, which comes every 10 or 11 s, is among those of the targets.
    quiet_monitors(cluster, 12)?;
    cluster.monitor_every(&monitor, "10s")?;
    cluster.settles().map(drop)
}

fn promoted(cluster: &Cluster) -> Outcome<String> {
    let status = cluster.settles()?;
    status.promoted(group().resource).ok_or_else(|| format!("not one is promoted\n{status}").into())
}

fn moved(cluster: &mut Cluster) -> Outcome<()> {
    let first = promoted(cluster)?;
    let other = if first == "alpha" { "beta" } else { "alpha" };
    for node in [other, &first] {
        cluster.move_to(&group(), node)?;
        cluster.status_is("promoted there", |status| status.promoted(group().resource).as_deref() == Some(node))?;
        cluster.settles()?;
        cluster.clear(&group())?;
    }
    serves(cluster)
}

fn reloaded(cluster: &mut Cluster) -> Outcome<()> {
    let tids = || ["alpha", "beta"].map(|node| value(cluster, node, "tid"));
    let before = tids();
    cluster.set(TARGETS, "incoming_users", "esx changedsecret12;lab othersecret567")?;
    cluster.set(TARGETS, "portals", "10.0.1.*,10.0.3.*")?;
    cluster.set(TARGETS, "attributes", "QueuedCommands=64,NopInInterval=20")?;
    until("the change on both nodes", || {
        let seen = |node| {
            value(cluster, node, "IncomingUser").as_deref() == Some("esx changedsecret12")
                && value(cluster, node, "NopInInterval").as_deref() == Some("20")
                && ["allowed_portal", "allowed_portal1", "allowed_portal2"]
                    .iter()
                    .any(|file| value(cluster, node, file).as_deref() == Some("10.0.3.*"))
        };
        Ok((!seen("alpha") || !seen("beta")).then(|| "not yet".to_owned()))
    })?;
    cluster.settles()?;
    if tids() != before {
        return Err(format!("targets were made anew: {before:?}, now {:?}", tids()).into());
    }
    for node in cluster.nodes() {
        let log = fs::read_to_string(node.directory().join("log/syslog")).unwrap_or_default();
        if log.lines().any(|line| line.contains("scst_") && line.contains("changedsecret12")) {
            return Err(format!("the log of {} shows a secret", node.name()).into());
        }
    }
    Ok(())
}

/// `cibsecret` itself copies the files to the nodes by ssh, which the rig does not have.
fn kept_secret(cluster: &mut Cluster) -> Outcome<()> {
    let kept = "esx keptoutside123;lab othersecret567";
    let script = format!(
        "umask 077; file=/var/lib/pacemaker/lrm/secrets/{TARGETS}/incoming_users; mkdir -p ${{file%/*}} && printf %s '{kept}' > $file && \
         md5sum < $file | cut -d' ' -f1 > $file.sign"
    );
    for node in cluster.nodes() {
        node.run(&["sh", "-c", &script])?;
    }
    cluster.set(TARGETS, "incoming_users", "lrm://")?;
    until("the kept secret on both nodes", || {
        let seen = |node| value(cluster, node, "IncomingUser").as_deref() == Some("esx keptoutside123");
        Ok((!seen("alpha") || !seen("beta")).then(|| "not yet".to_owned()))
    })?;
    cluster.settles()?;
    let configuration = cluster.run(&["cibadmin", "--query"])?;
    if configuration.contains("keptoutside123") { Err("the CIB shows the secret".into()) } else { serves(cluster) }
}

/// The monitor comes every 10 s; what follows took 1 s on a machine with nothing else to do.
const BACK: Duration = Duration::from_secs(25);

fn daemon_killed(cluster: &mut Cluster) -> Outcome<()> {
    let node = promoted(cluster)?;
    let since = Instant::now();
    let machine = cluster.node(&node);
    let pid = machine.process("iscsi-scstd").ok_or("the daemon does not run")?;
    machine.run(&["kill", "-KILL", &pid.to_string()])?;
    until("the target gone", || Ok(value(cluster, &node, "enabled").map(|_| "it is there".to_owned())))?;
    until("another daemon, and the target anew", || {
        let there = machine.process("iscsi-scstd").is_some_and(|new| new != pid);
        let up = value(cluster, &node, "enabled").as_deref() == Some("1");
        Ok((!there || !up).then(|| format!("daemon {there}, target {up}")))
    })?;
    cluster.idle()?;
    cluster.status_is("a group that is promoted", |status| status.promoted(group().resource).is_some())?;
    if since.elapsed() > BACK {
        return Err(format!("the targets and the group were back after {:?}", since.elapsed()).into());
    }
    cluster.run(&["crm_resource", "--cleanup", "--resource", TARGETS])?;
    serves(cluster)
}

fn power_lost(cluster: &mut Cluster) -> Outcome<()> {
    let lost = promoted(cluster)?;
    let other = if lost == "alpha" { "beta" } else { "alpha" };
    cluster.stay_down.store(true, Ordering::Relaxed);
    cluster.node(&lost).cut_power()?;
    cluster.status_is("the survivor promoted", |status| status.promoted(group().resource).as_deref() == Some(other))?;
    cluster.settles()?;
    cluster.stay_down.store(false, Ordering::Relaxed);
    cluster.node(&lost).boot()?;
    serves(cluster)
}

fn by_xml(cluster: &mut Cluster) -> Outcome<()> {
    let part = |scope: &str| cluster.run(&["cibadmin", "--query", "--scope", scope]);
    let parts = [("nodes", part("nodes")?), ("resources", part("resources")?), ("constraints", part("constraints")?)];
    let changed = parts.map(|(scope, document)| (scope, document.replace("10.0.3.*", "10.0.2.*")));
    erased(cluster)?;
    for (scope, document) in &changed {
        cluster.run(&["cibadmin", "--replace", "--scope", scope, "--xml-text", document])?;
    }
    serves(cluster)?;
    erased(cluster)
}

fn by_pcs(cluster: &mut Cluster) -> Outcome<()> {
    by_commands(cluster, &sample(2)?)?;
    serves(cluster)?;
    erased(cluster)
}
