//! What operators see when something is wrong, and configurations and clusters that are in no good state.

use super::super::chapter::Chapter;
use super::super::config::{Machine, PORTS, alpha, beta, dummy};
use super::super::running::{Cluster, Outcome, Plan, until};
use super::super::view;
use super::planned::{promoted_and_other, promoted_on};

pub(crate) const CHAPTER: Chapter = Chapter {
    name: "failures",
    begin: Cluster::standard,
    scenarios: &[
        ("the exit reason of a failed monitor in crm_mon and pcs status", reason_seen),
        ("a node without its attribute stays out and says why", attribute_missing),
        ("lines in syslog: resource, action and level", logged),
        ("nothing on standard output but the meta-data", silent),
        ("an unreachable cluster: clear words, and a stop that stops", unreachable),
    ],
};

pub(crate) const LARGE: Chapter = Chapter {
    name: "large",
    begin: large,
    scenarios: &[("64 nodes in a CIB of more than 1 MB: moved, reloaded, stopped and started", among_many)],
};

fn reason_seen(cluster: &mut Cluster) -> Outcome<()> {
    let (promoted, other) = promoted_and_other(cluster)?;
    let group = dummy().resource;
    let monitor = format!("{group}-monitor-11s");
    cluster.monitor_every(&monitor, "2s")?;
    cluster.settles()?;
    // Somebody sets a state behind the cluster's back, and no action of the group runs.
    let file =
        cluster.node(&other).path(&format!("/sys/kernel/scst_tgt/device_groups/dummy/target_groups/{other}/state"));
    std::fs::write(file.ok_or("no power")?, "transitioning")?;
    cluster.status_is("the failure, and its reason", |status| {
        let failed = |failure: &String| failure.contains("_monitor_2000 ") && failure.contains("transitioning");
        status.failures.iter().any(failed) && status.role(group, &other) == Some("Unpromoted")
    })?;
    cluster.idle()?;
    for words in [&["crm_mon", "-1"][..], &["pcs", "status", "--full"]] {
        let shown = cluster.node(&promoted).ask(words)?;
        if !shown.stdout.lines().any(|line| line.contains(group) && line.contains("transitioning")) {
            return Err(format!("{} does not show why: {shown:?}", words.join(" ")).into());
        }
    }
    cluster.monitor_every(&monitor, "11s")?;
    cluster.idle()?;
    cluster.run(&["crm_resource", "--cleanup", "--resource", group, "--node", &other]).map(drop)
}

fn attribute_missing(cluster: &mut Cluster) -> Outcome<()> {
    let (promoted, other) = promoted_and_other(cluster)?;
    let ports = if other == "alpha" { alpha().targetports() } else { beta().targetports() };
    let attribute = ["crm_attribute", "--node", &other, "--name", "targetports"];
    cluster.stand_by(&other)?;
    cluster.settles()?;
    cluster.run(&[&attribute[..], &["--delete"]].concat())?;
    cluster.end_standby(&other)?;
    cluster.status_is("a reason that names the attribute", |status| {
        status.failures.iter().any(|failure| failure.contains(&other) && failure.contains("targetports"))
    })?;
    cluster.idle()?;
    let status = cluster.status()?;
    let (group, runs) = (dummy().resource, |node: &String| status.roles.keys().any(|(_, on)| on == node));
    if status.promoted(group).as_ref() != Some(&promoted) || runs(&other) || status.role(PORTS, &promoted).is_none() {
        return Err(format!("more is lost than one node\n{status}").into());
    }
    cluster.run(&[&attribute[..], &["--update", &ports]].concat())?;
    cluster.run(&["crm_resource", "--cleanup"])?;
    cluster.status_is("the node serves again", |status| status.role(group, &other) == Some("Unpromoted"))
}

/// An agent's line in syslog: `<PRIORITY>TIME AGENT(RESOURCE)[PID]: LEVEL: ACTION: TEXT`.
fn is_right(line: &str) -> bool {
    let levels = [("<27>", "ERROR"), ("<28>", "WARNING"), ("<30>", "INFO")];
    let Some((priority, rest)) = line.split_at_checked(4) else { return false };
    let Some((_, level)) = levels.iter().find(|(number, _)| *number == priority) else { return false };
    let Some((tag, rest)) = rest.split_once(")[") else { return false };
    let resource = tag.rsplit('(').next().unwrap_or_default();
    let mut words = rest.splitn(4, ": ").skip(1);
    let right_level = words.next() == Some(*level);
    let actions = ["start", "stop", "promote", "demote", "notify", "monitor", "reload-agent", "reload", "validate-all"];
    let right_action = words.next().is_some_and(|word| actions.contains(&word));
    let text = words.next().is_some_and(|text| !text.is_empty());
    [PORTS, dummy().resource, &dummy().clone_id()].contains(&resource) && right_level && right_action && text
}

fn logged(cluster: &mut Cluster) -> Outcome<()> {
    let mut count = [0, 0];
    for (node, count) in cluster.nodes().iter().zip(&mut count) {
        let log = std::fs::read_to_string(node.directory().join("log/syslog"))?;
        for line in log.lines().filter(|line| line.contains(" scst_aluadg(") || line.contains(" scst_qla2xtgt(")) {
            *count += 1;
            if !is_right(line) {
                return Err(format!("not a line of an agent: {line:?}").into());
            }
        }
        for (level, what) in [("<30>", "start: create device group dummy"), ("<30>", "start: enable port ")] {
            if !log.lines().any(|line| line.starts_with(level) && line.contains(what)) {
                return Err(format!("no {what:?} at level {level} in the log of {}:\n{log}", node.name()).into());
            }
        }
    }
    if count.contains(&0) { Err(format!("lines of agents: {count:?}").into()) } else { Ok(()) }
}

/// The words that run an agent by hand in a node.
fn call(agent: &str, parameters: &[&str], action: &str) -> Vec<String> {
    let resource = if agent == "scst_aluadg" { dummy().resource } else { PORTS };
    let mut words =
        vec!["env".to_owned(), "OCF_ROOT=/usr/lib/ocf".to_owned(), format!("OCF_RESOURCE_INSTANCE={resource}")];
    words.extend(parameters.iter().map(|parameter| format!("OCF_RESKEY_{parameter}")));
    words.extend([format!("{}/{agent}", super::super::rig::PROVIDER), action.to_owned()]);
    words
}

fn group_call(action: &str) -> Vec<String> {
    let device = format!("device0={}", dummy().devices[0].parameter());
    call("scst_aluadg", &["groupname=dummy", "tgtdriver=qla2x00t", "reload=0", &device], action)
}

fn ports_call(cluster: &Cluster, action: &str) -> Vec<String> {
    call("scst_qla2xtgt", &[&format!("initiators={}", cluster.config.initiators())], action)
}

fn silent(cluster: &mut Cluster) -> Outcome<()> {
    let (promoted, _) = promoted_and_other(cluster)?;
    let node = cluster.node(&promoted);
    for action in ["monitor", "start", "promote", "reload", "reload-agent", "notify", "validate-all", "nonsense"] {
        for words in [group_call(action), ports_call(cluster, action)] {
            let answer = node.ask(&words.iter().map(String::as_str).collect::<Vec<_>>())?;
            if !answer.stdout.is_empty() {
                return Err(format!("{}: {answer:?}", words.join(" ")).into());
            }
        }
    }
    for words in [group_call("meta-data"), ports_call(cluster, "meta-data")] {
        let document = node.run(&words.iter().map(String::as_str).collect::<Vec<_>>())?;
        if !document.starts_with("<?xml") || !document.trim_end().ends_with("</resource-agent>") {
            return Err(format!("not a document: {document}").into());
        }
    }
    Ok(())
}

/// Corosync and Pacemaker of a node die while its SCST goes on serving.
fn unreachable(cluster: &mut Cluster) -> Outcome<()> {
    let (promoted, other) = promoted_and_other(cluster)?;
    let node = cluster.node(&other);
    node.run(&["sh", "-c", "kill -KILL $(for name in pacemakerd pacemaker- corosync; do grep -l \"$name\" /proc/[0-9]*/comm; done | cut -d / -f 3)"])?;
    until("no daemon left", || {
        Ok(["pacemaker", "corosync"].iter().find_map(|name| node.process(name)).map(|pid| pid.to_string()))
    })?;
    let ask = |words: Vec<String>, code: i32, says: &str| -> Outcome<()> {
        let answer = node.ask(&words.iter().map(String::as_str).collect::<Vec<_>>())?;
        if answer.code == Some(code) && answer.stderr.contains(says) {
            return Ok(());
        }
        Err(format!("{} has to end with {code} and say {says:?}: {answer:?}", words.join(" ")).into())
    };
    let before = view::found(&node);
    ask(group_call("monitor"), 0, "")?;
    ask(ports_call(cluster, "monitor"), 0, "")?;
    // Nothing is reloaded, and nothing is lost by it.
    ask(group_call("reload"), 0, "cluster could not be asked")?;
    ask(ports_call(cluster, "start"), 1, "cluster could not be asked")?;
    if view::found(&node) != before {
        return Err(format!("changed without a cluster: {before:?}, now {:?}", view::found(&node)).into());
    }
    ask(group_call("stop"), 0, "")?;
    ask(ports_call(cluster, "stop"), 0, "")?;
    let left = view::found(&node).unwrap_or_default();
    if ["dummy", "vmwtest", "enabled 1"].iter().any(|word| left.contains(word)) {
        return Err(format!("a stop without a cluster left\n{left}").into());
    }
    ask(group_call("start"), 1, "cluster could not be asked")?;
    node.cut_power()?;
    node.boot()?;
    let group = dummy().resource;
    cluster.status_is("the node is back", |status| {
        status.role(group, &other) == Some("Unpromoted") && status.promoted(group).as_ref() == Some(&promoted)
    })
}

/// Two nodes that run among 62 that are configured and switched off.
fn large() -> Outcome<Cluster> {
    let machine = |id: u16| {
        let ports = [1, 2].map(|port| format!("21:00:00:24:ff:00:{port:02x}:{id:02x}"));
        Machine::new(&format!("node{id}"), id, &[&ports[0], &ports[1]])
    };
    let off = (3..=64).map(machine).collect();
    // In the part of the CIB that the agents ask for, and more than a pipe or a message holds.
    Cluster::boot(Plan { off, filler: 17_000, ..Plan::standard() })
}

fn among_many(cluster: &mut Cluster) -> Outcome<()> {
    let size = cluster.run(&["cibadmin", "--query", "--xpath", "//nodes"])?.len();
    if size < 1_000_000 {
        return Err(format!("the nodes of the CIB have {size} bytes only").into());
    }
    let (promoted, other) = promoted_and_other(cluster)?;
    let group = dummy().resource;
    promoted_on(cluster, &other)?;
    cluster.set(group, "reload", "large")?;
    cluster.settles()?;
    cluster.stand_by(&promoted)?;
    cluster.settles()?;
    cluster.end_standby(&promoted)?;
    cluster.status_is("back", |status| status.role(group, &promoted) == Some("Unpromoted"))
}
