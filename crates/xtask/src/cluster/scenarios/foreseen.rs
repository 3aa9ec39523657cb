//! What `scst-ha` says of a change before it is made, and what the agents then do.

use std::fs;

use serde_json::Value;

use super::super::chapter::Chapter;
use super::super::config::{Device, dummy};
use super::super::running::{Cluster, Outcome};
use super::planned::{promoted_and_other, promoted_on};
use crate::workspace;

pub(crate) const CHAPTER: Chapter = Chapter {
    name: "foreseen",
    begin: Cluster::standard,
    scenarios: &[
        ("a new device is reloaded step by step as it was planned", device_planned),
        ("a device less is reloaded step by step as it was planned", removal_planned),
        ("a check finds the order that is missing, and is content when it is back", order_checked),
        ("a check finds that nobody is notified, and is content when they are again", notify_checked),
        ("metrics know how long the last promotion took", promotion_measured),
    ],
};

/// The log of a node's daemons and agents.
const LOG: &str = "log/pacemaker/pacemaker.log";

/// What `scst-ha` prints on a node, as data.
fn tool(cluster: &Cluster, node: &str, words: &[&str]) -> Outcome<Value> {
    let program = workspace::binary("scst-ha")?.display().to_string();
    let output = cluster.node(node).ask(&[&[program.as_str()], words].concat())?;
    serde_json::from_str(&output.stdout)
        .map_err(|error| format!("{words:?} on {node}: {error}\n{}{}", output.stdout, output.stderr).into())
}

fn log(cluster: &Cluster, node: &str) -> Outcome<String> {
    Ok(String::from_utf8_lossy(&fs::read(cluster.node(node).directory().join(LOG))?).into_owned())
}

/// The whole plan on a node, for the configuration that was written there, and that of a resource.
fn plan_of(cluster: &Cluster, node: &str, resource: &str) -> Outcome<(Value, Value)> {
    let plan = tool(cluster, node, &["plan", "--json", "--cib", "/run/new.xml"])?;
    let resources = plan["nodes"][0]["resources"].as_array().cloned().unwrap_or_default();
    let found = resources.into_iter().find(|found| found["id"] == resource);
    let found = found.ok_or_else(|| format!("{resource} is not in {plan:#}"))?;
    Ok((plan, found))
}

/// The cluster notes how long operations take, and `scst-ha metrics` finds it there.
fn promotion_measured(cluster: &mut Cluster) -> Outcome<()> {
    let (_, other) = promoted_and_other(cluster)?;
    promoted_on(cluster, &other)?;
    let program = workspace::binary("scst-ha")?.display().to_string();
    let text = cluster.run_on(&other, &[&program, "metrics"])?;
    let name = "scst_group_last_promotion_seconds{group=\"dummy\"} ";
    let seconds: f64 =
        text.lines().find_map(|line| line.strip_prefix(name)).ok_or_else(|| format!("not in\n{text}"))?.parse()?;
    if seconds > 0.0 && seconds < 30.0 { Ok(()) } else { Err(format!("a promotion of {seconds} s").into()) }
}

/// Plans the change of a resource that these words of `crm_resource` make, on both nodes, makes it, and compares what each agent has logged with
/// its plan.
fn planned(cluster: &mut Cluster, resource: &str, words: &[&str], adapt: impl FnOnce(&mut Cluster)) -> Outcome<()> {
    let mut plans = Vec::new();
    for node in ["alpha", "beta"] {
        let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
        let change = format!(
            "cibadmin --query > /run/new.xml && CIB_file=/run/new.xml crm_resource --resource {resource} {}",
            quoted.join(" ")
        );
        cluster.run_on(node, &["sh", "-c", &change])?;
        let (whole, found) = plan_of(cluster, node, resource)?;
        let cluster_says = whole["cluster"].as_array().into_iter().flatten().filter_map(Value::as_str);
        if !cluster_says.clone().any(|line| line.contains("Reload") && line.contains(resource)) {
            return Err(format!("crm_simulate foresees {:#?}", cluster_says.collect::<Vec<_>>()).into());
        }
        if found["what"] != "reload" {
            return Err(format!("{resource} on {node}: {found:#}").into());
        }
        let steps: Vec<String> = found["steps"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|step| Some(step.as_str()?.to_owned()))
            .collect();
        plans.push((node, steps, log(cluster, node)?.len()));
    }
    cluster.run(&[&["crm_resource", "--resource", resource][..], words].concat())?;
    adapt(cluster);
    cluster.settles()?;
    for (node, steps, before) in plans {
        let log = log(cluster, node)?;
        let since = log.get(before..).unwrap_or_default();
        // An agent logs what comes, goes or changes its state: some of its steps.
        let mark = format!("({resource})");
        let own = since.lines().filter(|line| line.contains(&mark));
        let done: Vec<&str> = own.filter_map(|line| Some(line.split_once("INFO: reload: ")?.1)).collect();
        let mut rest = steps.iter();
        for line in &done {
            if !rest.any(|step| step == line) {
                return Err(format!(
                    "{node}: {line:?} was not planned in its place: planned {steps:#?}, done {done:#?}"
                )
                .into());
            }
        }
        if done.is_empty() {
            return Err(format!("{node}: planned {steps:#?}, and nothing is logged").into());
        }
        // The others were done as well: nothing is left of the plan.
        let (_, left) = plan_of(cluster, node, resource)?;
        if left["what"] != "nothing" {
            return Err(format!("{node}: after the change {left:#}").into());
        }
    }
    Ok(())
}

fn device_planned(cluster: &mut Cluster) -> Outcome<()> {
    let device = Device { virtname: "added", lun: 3 };
    let value = device.parameter();
    let words = ["--set-parameter", "device7", "--parameter-value", &value];
    planned(cluster, dummy().resource, &words, |cluster| cluster.config.groups[0].devices.push(device))?;
    cluster.unset(dummy().resource, "device7")?;
    cluster.config.groups[0].devices.pop();
    Ok(())
}

fn removal_planned(cluster: &mut Cluster) -> Outcome<()> {
    let device = Device { virtname: "added", lun: 3 };
    cluster.set(dummy().resource, "device7", &device.parameter())?;
    cluster.config.groups[0].devices.push(device);
    cluster.settles()?;
    planned(cluster, dummy().resource, &["--delete-parameter", "device7"], |cluster| {
        cluster.config.groups[0].devices.pop();
    })
}

/// The findings of a check that are wrong, as `about: text`.
fn wrong(cluster: &Cluster) -> Outcome<Vec<String>> {
    let checked = tool(cluster, "alpha", &["check", "--json"])?;
    let findings = checked["findings"].as_array().cloned().unwrap_or_default();
    let bad = findings.into_iter().filter(|finding| finding["level"] == "wrong");
    Ok(bad
        .map(|finding| {
            format!(
                "{}: {}",
                finding["about"].as_str().unwrap_or_default(),
                finding["text"].as_str().unwrap_or_default()
            )
        })
        .collect())
}

/// Takes something out of the configuration, sees a check name it, puts it back, and sees the check content.
fn checked(cluster: &mut Cluster, take: &str, part: &str) -> Outcome<()> {
    let has = |found: &[String]| found.iter().any(|finding| finding.contains(part));
    let before = wrong(cluster)?;
    if has(&before) {
        return Err(format!("{part:?} is found before anything is changed: {before:#?}").into());
    }
    let change = format!("cibadmin --query > /run/good.xml && {take}");
    cluster.run_on("alpha", &["sh", "-c", &change])?;
    let found = wrong(cluster)?;
    cluster.run_on("alpha", &["sh", "-c", "cibadmin --query --scope configuration > /run/bad.xml; sed -n '/<configuration/,/<\\/configuration>/p' /run/good.xml > /run/back.xml && cibadmin --replace --scope configuration --xml-file /run/back.xml"])?;
    if !has(&found) {
        return Err(format!("{part:?} is not in {found:#?}").into());
    }
    let after = wrong(cluster)?;
    if has(&after) { Err(format!("{part:?} is still found: {after:#?}").into()) } else { Ok(()) }
}

fn order_checked(cluster: &mut Cluster) -> Outcome<()> {
    checked(
        cluster,
        "cibadmin --delete-all --force --xpath '//rsc_order'",
        "no order says that it starts after the ports",
    )
}

fn notify_checked(cluster: &mut Cluster) -> Outcome<()> {
    let take = "cibadmin --delete-all --force --xpath \"//nvpair[@name='notify']\"";
    checked(cluster, take, "notify is not true")
}
