//! What one resource would do on one node.

use std::collections::{BTreeMap, BTreeSet};

use scst_core::cluster::{Configured, Refused, Topology};
use scst_core::observe::Detail;
use scst_core::ocf::exit::{ExitCode, Failure, Kind};
use scst_core::scst::names::{Driver, GroupName};
use serde::Serialize;

use super::change::{Change, change};
use super::notice::notices;
use super::state::Past;
use crate::host::{Host, Planned};
use crate::scst_ha::cib::Cib;
use crate::scst_ha::node::Node;
use crate::scst_ha::secrets::{Readable, is_secret};
use crate::target::{self, Run};
use crate::{scst_aluadg, scst_qla2xtgt, scst_target};

/// What the cluster has the agent do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum What {
    /// Nothing.
    Nothing,
    /// It starts.
    Start,
    /// It is reloaded.
    Reload,
    /// It is restarted on every node.
    Restart,
    /// It stops.
    Stop,
    /// It is reloaded or started, and refuses to.
    Refused,
    /// It cannot be told.
    Unknown,
}

/// What a resource would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Resource {
    pub(super) id: String,
    pub(super) what: What,
    /// The parameters that differ, or what else is the reason.
    pub(super) because: Vec<String>,
    /// The agent's steps, in their order.
    pub(super) steps: Vec<String>,
    /// What hosts notice; none: nothing.
    pub(super) hosts: Vec<String>,
    /// What the agent would only name.
    pub(super) remarks: Vec<String>,
    /// The exit code of a start or a reload that is refused.
    pub(super) exit_code: Option<u8>,
}

/// A resource of the new configuration on a node whose old one is `old`.
pub(super) fn planned(past: &Past, resource: &Configured, old: Option<&Configured>, new: &Cib) -> Resource {
    let (node, name, replayed) = (&past.machine, past.node.as_str(), past.replay.is_some());
    let mut shown = Resource::named(&resource.id);
    shown.remarks.clone_from(&resource.left_out);
    let changed = old.map(|old| {
        // A state has none of the parameters that are secret.
        let compared = |resource: &Configured| {
            let params = resource.params.clone().into_iter();
            params.filter(|(name, _)| !replayed || !is_secret(name)).collect::<BTreeMap<_, _>>()
        };
        change(table(resource), &compared(old), &compared(resource))
    });
    shown.because = changed.as_ref().map_or_else(|| vec!["it is new".to_owned()], |change| change.because.clone());
    let readable = Readable::of(&resource.params);
    shown.remarks.extend(readable.remarks());
    if !readable.is_enough() {
        shown.what = What::Unknown;
        return shown;
    }
    let driver = resource.params.get("tgtdriver").and_then(|driver| Driver::parse(driver.trim()).ok());
    if replayed && resource.agent == scst_target::table::TABLE.name && driver.is_some_and(Driver::has_daemon) {
        shown.remarks.push("users are not compared: the state of a node has none".to_owned());
    }
    let users = readable.kept.is_empty() && !replayed;
    let resource = &Configured { params: readable.params, ..resource.clone() };
    // An instance stops before it starts anew: what it is now does not stand in its way.
    if let Some(change) = changed.as_ref().filter(|change| !change.restart.is_empty()) {
        match possible(node, name, resource, new) {
            Ok(warnings) => shown.restarts(change, warnings),
            Err(failure) => shown.refuses(failure),
        }
        return shown;
    }
    let answer = match ask(node, name, resource, new, users) {
        Err(failure) if failure.kind == Kind::Permanent => runs(node, resource).map(|running| {
            let refused = Some(failure);
            Planned { running, steps: Vec::new(), remarks: Vec::new(), refused }
        }),
        answer => answer,
    };
    match answer {
        Err(failure) => {
            shown.what = What::Unknown;
            shown.remarks.push(failure.reason);
        }
        Ok(Planned { running, remarks, refused: Some(failure), .. }) => {
            shown.refuses(failure);
            shown.remarks.extend(remarks);
            // Something may be there already that nobody had configured: the start goes over it.
            if running && changed.is_some() {
                shown.exit_code = Some(ExitCode::Success.number());
                shown.remarks.push("the reload changes nothing, and what runs goes on".to_owned());
            }
        }
        Ok(answer) => shown.decided(answer, changed.as_ref()),
    }
    shown
}

/// Whether a start could succeed, as far as configuration and nodes tell; and what is to be warned about.
fn possible(node: &Node, name: &str, resource: &Configured, new: &Cib) -> Result<Vec<String>, Failure> {
    let context = node.context(&resource.id, &resource.params);
    let driver = if resource.agent == scst_aluadg::table::TABLE.name {
        let (params, findings) = scst_aluadg::params::Params::parse(&context.env);
        crate::host::refuse_errors(&findings)?;
        params.map(|params| params.driver).ok_or_else(|| Failure::configured("no usable configuration"))?
    } else {
        let run = Run::new(&context, agent(resource));
        crate::host::refuse_errors(&run.params().1)?;
        run.driver
    };
    let built = Topology::build(&new.configuration.nodes, name, driver);
    built.map(|(_, warnings)| warnings).map_err(|Refused { failure, .. }| failure)
}

/// A resource that the new configuration does not have.
pub(super) fn removed(node: &Node, resource: &Configured) -> Resource {
    let mut shown = Resource::named(&resource.id);
    (shown.what, shown.because) = (What::Stop, vec!["it goes".to_owned()]);
    let ports = resource.agent != scst_aluadg::table::TABLE.name;
    if ports {
        shown.hosts.push("the ports go down: hosts are disconnected from this node".to_owned());
        return shown;
    }
    let group = resource.params.get("groupname").and_then(|name| GroupName::parse(name).ok());
    let Some(group) = group else { return shown };
    let found = node.observer().storage(&group, &BTreeSet::new(), |_| true, Detail::Settings);
    for (at, lun) in found.map(|found| found.luns).unwrap_or_default() {
        let who = at.table.group.as_ref().map_or("no initiator group".to_owned(), ToString::to_string);
        let text = format!("hosts of {who} lose LUN {} ({})", at.lun, lun.device);
        if !shown.hosts.contains(&text) {
            shown.hosts.push(text);
        }
    }
    shown
}

fn table(resource: &Configured) -> &'static scst_core::ocf::param::AgentTable {
    if resource.agent == scst_aluadg::table::TABLE.name { scst_aluadg::table::TABLE } else { agent(resource).table }
}

/// The agent of a resource that brings targets up.
fn agent(resource: &Configured) -> target::TargetAgent {
    if resource.agent == scst_target::table::TABLE.name { scst_target::AGENT } else { scst_qla2xtgt::AGENT }
}

/// Whether the agent would find an instance that runs.
fn runs(node: &Node, resource: &Configured) -> Result<bool, Failure> {
    let context = node.context(&resource.id, &resource.params);
    if resource.agent == scst_aluadg::table::TABLE.name {
        return scst_aluadg::planned::runs(&Host::new(&context, scst_aluadg::table::TABLE.name));
    }
    target::planned::runs(&Run::new(&context, agent(resource)))
}

/// Has the agent make its plan; `users`: of users as well.
fn ask(node: &Node, name: &str, resource: &Configured, new: &Cib, users: bool) -> Result<Planned, Failure> {
    let context = node.context(&resource.id, &resource.params);
    let topology = |driver: Driver| -> Result<(Topology, Vec<String>), Failure> {
        Topology::build(&new.configuration.nodes, name, driver).map_err(|Refused { failure, .. }| failure)
    };
    if resource.agent == scst_aluadg::table::TABLE.name {
        let (params, findings) = scst_aluadg::params::Params::parse(&context.env);
        crate::host::refuse_errors(&findings)?;
        let driver =
            params.map(|params| params.driver).ok_or_else(|| Failure::configured("no usable configuration"))?;
        let (topology, warnings) = topology(driver)?;
        let host = Host::new(&context, scst_aluadg::table::TABLE.name);
        let mut planned = scst_aluadg::planned::planned(&host, &topology, new.cluster())?;
        planned.remarks.extend(warnings);
        return Ok(planned);
    }
    let run = Run::new(&context, agent(resource));
    let (topology, warnings) = topology(run.driver)?;
    let mut planned = target::planned::planned(&run, &topology, users)?;
    planned.remarks.extend(warnings);
    Ok(planned)
}

impl Resource {
    fn named(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            what: What::Nothing,
            because: Vec::new(),
            steps: Vec::new(),
            hosts: Vec::new(),
            remarks: Vec::new(),
            exit_code: None,
        }
    }

    fn refuses(&mut self, failure: Failure) {
        self.what = What::Refused;
        self.exit_code = Some(failure.code.number());
        self.because.push(failure.reason);
        self.remarks.extend(failure.hint);
    }

    fn restarts(&mut self, change: &Change, warnings: Vec<String>) {
        self.what = What::Restart;
        let which = change.restart.join(", ");
        self.because.push(format!("{which} cannot be reloaded: every instance stops before the first one starts"));
        self.hosts = vec!["no node serves until it has started again: hosts have no path meanwhile".to_owned()];
        self.remarks.extend(warnings);
    }

    fn decided(&mut self, answer: Planned, changed: Option<&Change>) {
        self.remarks.extend(answer.remarks);
        self.what = match (answer.running, changed) {
            (true, Some(change)) if !change.because.is_empty() || !answer.steps.is_empty() => What::Reload,
            // Something may be there already that nobody had configured: the start goes over it.
            (_, None) => What::Start,
            // Nothing differs; or it does not run here, and why is the cluster's business.
            (_, Some(_)) => What::Nothing,
        };
        if self.what != What::Nothing {
            self.hosts = notices(&answer.steps);
            self.steps = answer.steps.iter().map(ToString::to_string).collect();
        } else if !answer.running {
            self.because.push("it does not run on this node".to_owned());
        }
    }
}
