//! How many processes the agents start, counted while the cluster runs them.

use super::super::chapter::Chapter;
use super::super::config::{PORTS, dummy};
use super::super::running::{Cluster, Outcome, Plan, until};
use super::super::runs::{Run, Since, Starter};
use super::planned::{promoted_and_other, promoted_on};

pub(crate) const CHAPTER: Chapter = Chapter {
    name: "processes",
    begin: || Cluster::boot(Plan { counted: true, ..Plan::standard() }),
    scenarios: &[
        ("counted from the boot to the promotion", first_start),
        ("counted through a move, a reload, a stop and a start", life),
        ("recurring monitors start none, probes of a running group one", monitors),
        ("by hand one more asks for the name of the node", by_hand),
    ],
};

const QUERY: &str = "cibadmin";
const SCORE: &str = "crm_attribute";
const STATUS: &str = "crm_mon";
const MODULE: &str = "modprobe";

/// What an action of an agent has to have started.
struct Rule {
    agent: &'static str,
    action: &'static str,
    started: &'static [&'static str],
}

/// With all modules loaded.
const RULES: [Rule; 11] = [
    Rule { agent: "scst_qla2xtgt", action: "start", started: &[QUERY] },
    Rule { agent: "scst_qla2xtgt", action: "stop", started: &[] },
    Rule { agent: "scst_qla2xtgt", action: "reload-agent", started: &[QUERY] },
    Rule { agent: "scst_aluadg", action: "start", started: &[QUERY, SCORE] },
    Rule { agent: "scst_aluadg", action: "stop", started: &[SCORE] },
    Rule { agent: "scst_aluadg", action: "promote", started: &[SCORE] },
    Rule { agent: "scst_aluadg", action: "demote", started: &[] },
    Rule { agent: "scst_aluadg", action: "notify", started: &[] },
    Rule { agent: "scst_aluadg", action: "reload-agent", started: &[QUERY, SCORE] },
    Rule { agent: "scst_aluadg", action: "reload", started: &[QUERY, SCORE] },
    Rule { agent: "scst_qla2xtgt", action: "reload", started: &[QUERY] },
];

/// Fails unless every run with a known action started what it has to, and every such action was seen at least once. One monitor may lower the score of
/// an instance that was demoted.
fn right(runs: &[Run], modules: bool, seen: &[(&str, &str)]) -> Outcome<()> {
    let mut demoted = runs.iter().filter(|run| run.action.as_deref() == Some("demote")).count();
    for (agent, action) in seen {
        if !runs.iter().any(|run| run.agent == *agent && run.action.as_deref() == Some(action)) {
            return Err(format!("no {action} of {agent} in {runs:#?}").into());
        }
    }
    for run in runs {
        let mut wanted: Vec<&str> = match &run.action {
            // Monitors and probes of what does not run; the meta-data.
            None => Vec::new(),
            Some(action) => {
                let rule = RULES.iter().find(|rule| rule.agent == run.agent && rule.action == action);
                rule.ok_or_else(|| format!("no rule for {run:?}"))?.started.to_vec()
            }
        };
        if modules && run.action.as_deref() == Some("start") {
            wanted.extend([MODULE, MODULE]);
        }
        wanted.sort_unstable();
        // It asks first whether anything is pending that a changed score would end, and looks again later if there is.
        if run.action.is_none() && run.by == Starter::Executor && demoted > 0 {
            if run.started == [SCORE, STATUS] {
                demoted -= 1;
                continue;
            }
            if run.started == [STATUS] {
                continue;
            }
        }
        // Where what it tells the other nodes of its devices has changed, one more.
        let tells = ["start", "stop", "reload", "reload-agent", "promote"];
        if run.agent == "scst_aluadg" && run.action.as_deref().is_some_and(|action| tells.contains(&action)) {
            let mut more = [&wanted[..], &[SCORE]].concat();
            more.sort_unstable();
            if run.started == more {
                continue;
            }
        }
        if run.started != wanted {
            return Err(format!("{run:?} has to start {wanted:?}").into());
        }
    }
    Ok(())
}

/// The accounts of a run are there only after its parent has seen its end; so wait until the cluster has settled and no agent runs.
fn runs(cluster: &Cluster, since: &Since) -> Outcome<Vec<Run>> {
    cluster.settles()?;
    ended(cluster)?;
    cluster.runs_since(since)
}

/// Waits until no agent runs.
fn ended(cluster: &Cluster) -> Outcome<()> {
    until("no run of an agent", || {
        let busy = cluster.nodes().iter().find_map(|node| node.process("scst_"));
        Ok(busy.map(|pid| format!("{pid} runs")))
    })
}

fn first_start(cluster: &mut Cluster) -> Outcome<()> {
    let runs = runs(cluster, &Since::default())?;
    // Nothing runs yet when Pacemaker probes; each start has two modules to load, which the other's have not brought.
    let seen =
        [("scst_qla2xtgt", "start"), ("scst_aluadg", "start"), ("scst_aluadg", "notify"), ("scst_aluadg", "promote")];
    right(&runs, true, &seen)?;
    if !runs.iter().any(|run| run.by == Starter::Controller) {
        return Err(format!("no meta-data in {runs:#?}").into());
    }
    Ok(())
}

fn life(cluster: &mut Cluster) -> Outcome<()> {
    let (promoted, other) = promoted_and_other(cluster)?;
    let group = dummy().resource;
    let since = cluster.count_from_here()?;
    promoted_on(cluster, &other)?;
    cluster.set(group, "reload", "counted")?;
    // One change after the other: until its monitor has answered, Pacemaker takes a promoted instance that was reloaded for an unpromoted one.
    cluster.settles()?;
    cluster.set(PORTS, "initiators", &format!("{};", cluster.config.initiators()))?;
    cluster.settles()?;
    cluster.stand_by(&promoted)?;
    cluster.settles()?;
    cluster.end_standby(&promoted)?;
    cluster.status_is("back", |status| status.role(group, &promoted).is_some())?;
    let seen = [
        ("scst_aluadg", "promote"),
        ("scst_aluadg", "demote"),
        ("scst_aluadg", "reload-agent"),
        ("scst_qla2xtgt", "reload-agent"),
        ("scst_aluadg", "stop"),
        ("scst_qla2xtgt", "stop"),
        ("scst_aluadg", "start"),
        ("scst_qla2xtgt", "start"),
    ];
    right(&runs(cluster, &since)?, false, &seen)
}

/// Waits until so many monitors have run on each of both nodes; they start no process, and nothing else runs.
pub(super) fn quiet_monitors(cluster: &Cluster, wanted: usize) -> Outcome<()> {
    cluster.settles()?;
    let since = cluster.count_from_here()?;
    until("several monitors on each node", || {
        let runs = cluster.runs_since(&since)?;
        let count = |node: &str| runs.iter().filter(|run| run.node == node && run.by == Starter::Executor).count();
        Ok((count("alpha") < wanted || count("beta") < wanted).then(|| format!("{runs:?}")))
    })?;
    let runs = cluster.runs_since(&since)?;
    match runs.iter().find(|run| run.action.is_some() || !run.started.is_empty()) {
        Some(run) => Err(format!("not a quiet monitor: {run:?}").into()),
        None => Ok(()),
    }
}

fn monitors(cluster: &mut Cluster) -> Outcome<()> {
    let group = dummy().resource;
    let monitor = |usual: &str| format!("{group}-monitor-{usual}");
    let intervals = [("10s", "1s"), ("11s", "2s")];
    for (usual, short) in intervals {
        cluster.monitor_every(&monitor(usual), short)?;
    }
    // Those of the ports, which come every 10 s, are among them.
    quiet_monitors(cluster, 5)?;
    for (usual, short) in intervals {
        let changed = cluster.monitor_every(&monitor(usual), usual);
        changed.map_err(|error| format!("back from {short}: {error}"))?;
    }
    cluster.settles()?;
    let since = cluster.count_from_here()?;
    cluster.run(&["crm_resource", "--refresh"])?;
    cluster.status_is("one promoted", |status| status.promoted(group).is_some())?;
    cluster.idle()?;
    ended(cluster)?;
    let probes = cluster.runs_since(&since)?;
    for node in ["alpha", "beta"] {
        let scores = probes.iter().filter(|run| run.node == node && run.started == [SCORE]).count();
        let others =
            probes.iter().filter(|run| run.node == node && !run.started.is_empty() && run.started != [SCORE]).count();
        // One probe of the group writes the score; the probe of the ports and the monitors that follow start nothing.
        if (scores, others) != (1, 0) {
            return Err(format!("probes on {node}: {probes:#?}").into());
        }
    }
    cluster.settles().map(drop)
}

fn by_hand(cluster: &mut Cluster) -> Outcome<()> {
    let (promoted, _) = promoted_and_other(cluster)?;
    let node = cluster.node(&promoted);
    for (action, wanted) in [
        // A monitor does with the name in the record; whoever changes something asks the cluster.
        ("check", &[SCORE][..]),
        ("start", &[QUERY, SCORE, "crm_node"]),
        ("promote", &[SCORE, "crm_node"]),
    ] {
        let since = cluster.count_from_here()?;
        node.ask(&["crm_resource", "--resource", dummy().resource, &format!("--force-{action}"), "--force"])?;
        let runs = cluster.runs_since(&since)?;
        let own: Vec<&Run> = runs.iter().filter(|run| run.by == Starter::Hand).collect();
        let started = own.iter().flat_map(|run| &run.started).map(String::as_str).collect::<Vec<_>>();
        if started != wanted {
            return Err(format!("{action} by hand has to start {wanted:?}: {runs:#?}").into());
        }
    }
    Ok(())
}
