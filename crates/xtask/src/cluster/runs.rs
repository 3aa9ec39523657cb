//! Runs of the agents with the processes that each of them started: process accounting, and the executor's log, which knows the actions.

use std::collections::BTreeMap;

use super::config::PORTS;
use super::history::Moment;
use super::rig::{Ended, Node, ended};
use super::running::{Cluster, Outcome};

/// A run that has ended.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Run {
    pub(super) node: String,
    /// Its name; of a run that the executor does not tell of, possibly that of one of its threads.
    pub(super) agent: String,
    /// What the executor says it was; it is silent about monitors, and knows nothing of what others start.
    pub(super) action: Option<String>,
    /// Who started it.
    pub(super) by: Starter,
    /// The programs it ran, sorted.
    pub(super) started: Vec<String>,
}

/// Who starts an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Starter {
    /// The executor, for every action of a resource.
    Executor,
    /// The controller, for the meta-data.
    Controller,
    /// `crm_resource`.
    Hand,
}

/// A moment in the accounts and in the logs; the default is the boot.
#[derive(Default)]
pub(super) struct Since {
    accounts: BTreeMap<String, usize>,
    logs: Moment,
}

impl Cluster {
    /// Now, for [`Cluster::runs_since`].
    pub(super) fn count_from_here(&self) -> Outcome<Since> {
        let length = |node: &Node| {
            Ok((node.name().to_owned(), usize::try_from(node.directory().join("acct").metadata()?.len())?))
        };
        let accounts = self.nodes().iter().map(|node| length(node)).collect::<Outcome<_>>()?;
        Ok(Since { accounts, logs: self.moment() })
    }

    /// The runs that have ended since then, sorted.
    pub(super) fn runs_since(&self, since: &Since) -> Outcome<Vec<Run>> {
        let mut runs = Vec::new();
        for node in self.nodes() {
            let processes =
                ended(&node.directory().join("acct"), since.accounts.get(node.name()).copied().unwrap_or(0))?;
            let log = self.logged_since(&since.logs)?;
            let own = log.iter().filter(|line| line.split_whitespace().nth(3) == Some(node.name()));
            let finished: BTreeMap<u32, (String, String)> = own.filter_map(|line| finished(line)).collect();
            let (executor, controller) = (node.process("pacemaker-execd"), node.process("pacemaker-controld"));
            let by_hand = |process: &Ended| {
                processes.iter().any(|parent| parent.pid == process.parent && parent.name == "crm_resource")
            };
            for run in &processes {
                let by = match run.parent {
                    parent if Some(parent) == executor => Starter::Executor,
                    parent if Some(parent) == controller => Starter::Controller,
                    _ if by_hand(run) => Starter::Hand,
                    _ => continue,
                };
                let told = finished.get(&run.pid).filter(|_| by == Starter::Executor);
                // A record has the name of the thread that ended last, so the log goes before it.
                let agent = told.and_then(|(resource, _)| agent_of(resource)).unwrap_or(&run.name).to_owned();
                let mut started = below(&processes, run.pid);
                started.sort();
                let action = told.map(|(_, action)| action.clone());
                runs.push(Run { node: node.name().to_owned(), agent, action, by, started });
            }
        }
        runs.sort();
        Ok(runs)
    }
}

/// The names of all processes below one.
fn below(processes: &[Ended], pid: u32) -> Vec<String> {
    let children = processes.iter().filter(|process| process.parent == pid && process.pid != pid);
    children.flat_map(|child| std::iter::once(child.name.clone()).chain(below(processes, child.pid))).collect()
}

/// The agent of one of the resources that are configured here.
fn agent_of(resource: &str) -> Option<&'static str> {
    if resource == PORTS {
        return Some("scst_qla2xtgt");
    }
    resource.starts_with("scst_dg_").then_some("scst_aluadg")
}

/// Reads a line of the executor such as `… (log_finished) info: dg start (call 11, PID 114) exited with status 0 …`.
fn finished(line: &str) -> Option<(u32, (String, String))> {
    let (_, rest) = line.split_once("(log_finished)")?;
    let (_, rest) = rest.split_once("info: ")?;
    let (what, rest) = rest.split_once(" (call ")?;
    let (resource, action) = what.split_once(' ')?;
    let (_, rest) = rest.split_once("PID ")?;
    Some((rest.split(')').next()?.parse().ok()?, (resource.to_owned(), action.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_executor_is_read() {
        let line = "Nov 21 03:22:08.038 alpha pacemaker-execd     [45] (log_finished) \tinfo: scst_qla start (call 11, PID 114) \
                    exited with status 0 (execution time 130ms)";
        assert_eq!(finished(line), Some((114, ("scst_qla".to_owned(), "start".to_owned()))));
    }

    #[test]
    fn grandchildren_count() {
        let process = |pid, parent, name: &str| Ended { pid, parent, name: name.to_owned() };
        let processes = [process(5, 4, "true"), process(4, 3, "sh"), process(3, 1, "agent"), process(9, 1, "other")];
        assert_eq!(below(&processes, 3), ["sh", "true"]);
    }
}
