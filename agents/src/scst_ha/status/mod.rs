//! `scst-ha status`: ports, device groups, and what differs from the configuration.

mod agreement;
pub(super) mod groups;
mod peers;
mod report;

use std::collections::BTreeMap;
use std::time::Duration;

use scst_core::cluster::{Configuration, Configured, Refused, Topology};
use scst_core::ocf::exit::Failure;
use scst_core::ocf::param::{Finding, Severity};
use scst_core::scst::names::HandlerName;
use scst_core::scst::names::{Driver, GroupName, NodeName, TargetName};
use serde::Serialize;

use self::groups::{Group, Role};
use super::Verdict;
use super::cli;
use super::node::Node;
use super::output::{print, print_json};
use super::plan::State;
use super::ports::{self, Port};
use crate::target::{self, Run, TargetAgent};
use crate::{scst_aluadg, scst_qla2xtgt, scst_target};

/// Everything that is shown.
#[derive(Debug, Serialize)]
pub(super) struct Status {
    /// This node's name in the cluster, if the cluster said it.
    pub(super) node: Option<String>,
    /// SCST's release; nothing when it is not loaded.
    pub(super) scst: Option<String>,
    /// Why the cluster says nothing.
    pub(super) cluster: Option<String>,
    /// All ports that are targets.
    pub(super) ports: Vec<Port>,
    /// The resources of the ports' agent.
    pub(super) port_resources: Vec<PortResource>,
    /// All device groups that are here or configured.
    pub(super) groups: Vec<Group>,
    /// What could not be read.
    pub(super) unread: Vec<String>,
    /// What else is to be known.
    pub(super) remarks: Vec<String>,
    /// What a plan needs of the node. Only for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<State>,
}

/// A resource that brings ports up.
#[derive(Debug, Serialize)]
pub(super) struct PortResource {
    pub(super) id: String,
    /// Something of it is here.
    pub(super) running: bool,
    /// What a start would do.
    pub(super) differences: Vec<String>,
    /// Something that is configured was left out; the remarks name it.
    pub(super) left_out: bool,
    /// What else is to be known.
    pub(super) remarks: Vec<String>,
}

/// Shows everything there is, once or until it is interrupted.
pub(super) fn run(node: &Node, options: &cli::Status) -> Result<Verdict, Failure> {
    let Some(seconds) = options.watch else { return once(node, options) };
    // Nobody sends anything: waiting for it is a sleep that has an end.
    let (_sender, never) = std::sync::mpsc::channel::<()>();
    loop {
        let page = node.page();
        if page.is_terminal() {
            print("\u{1b}[H\u{1b}[2J")?;
        }
        if let Err(failure) = once(&node.again(), options) {
            print(&format!("{failure}\n"))?;
        }
        let _ = never.recv_timeout(Duration::from_secs(seconds));
        if !page.is_terminal() {
            print("\n")?;
        }
    }
}

/// Shows everything once.
fn once(node: &Node, options: &cli::Status) -> Result<Verdict, Failure> {
    let status = look(node, options.group.as_ref())?;
    if options.json {
        print_json(&status)?;
    } else {
        print(&report::text(&status, node.page()))?;
    }
    if let Some(name) = options.group.as_ref().filter(|_| status.groups.is_empty()) {
        return Err(Failure::generic(format!("device group {name} is neither here nor configured")));
    }
    Ok(status.verdict())
}

impl Status {
    fn verdict(&self) -> Verdict {
        let wrong = |group: &Group| !group.faults.is_empty() || !group.differences.is_empty() || group.left_out;
        let differs = |resource: &PortResource| !resource.differences.is_empty() || resource.left_out;
        if !self.unread.is_empty() {
            Verdict::Failed
        } else if self.groups.iter().any(wrong) || self.port_resources.iter().any(differs) {
            Verdict::Differs
        } else {
            Verdict::Right
        }
    }

    fn unread(&mut self, what: &str, failure: &Failure) {
        self.unread.push(format!("{what}: {failure}"));
    }
}

/// What the cluster says, as far as it was asked and answered.
struct Known {
    local: Option<NodeName>,
    configuration: Configuration,
}

impl Known {
    /// The resources of an agent.
    fn of_agent<'a>(&'a self, agent: &'a str) -> impl Iterator<Item = &'a Configured> + 'a {
        self.configuration.resources.iter().filter(move |resource| resource.agent == agent)
    }

    /// The numbers of all nodes, and what was left out of them.
    fn topology(&self, driver: Driver) -> Option<(Result<Topology, Failure>, Vec<String>)> {
        Some(match Topology::build(&self.configuration.nodes, self.local.as_ref()?.as_str(), driver) {
            Ok((topology, warnings)) => (Ok(topology), warnings),
            Err(Refused { failure, warnings }) => (Err(failure), warnings),
        })
    }
}

pub(super) fn look(node: &Node, only: Option<&GroupName>) -> Result<Status, Failure> {
    let observer = node.observer();
    let mut status = Status {
        node: None,
        scst: observer.scst_version()?,
        cluster: None,
        ports: Vec::new(),
        port_resources: Vec::new(),
        groups: Vec::new(),
        unread: Vec::new(),
        remarks: Vec::new(),
        state: None,
    };
    let mut known = Known { local: None, configuration: Configuration::default() };
    match node.cluster() {
        Ok((name, configuration)) => {
            let local = NodeName::parse(&name);
            if let Err(error) = &local {
                status
                    .remarks
                    .push(format!("nothing is compared: node name {name} cannot name a target group: {error}"));
            }
            known = Known { local: local.ok(), configuration };
            status.node = Some(name);
        }
        Err(error) => status.cluster = Some(error.to_string()),
    }
    let hosts = ports::fc_hosts(observer)?;
    for driver in Driver::ALL {
        match ports::of_driver(observer, driver, &hosts) {
            Ok(ports) => {
                for (port, error) in ports.iter().filter_map(|port| Some((port, port.unread.clone()?))) {
                    status.unread(&format!("users and portals of target {}", port.name), &error.into());
                }
                status.ports.extend(ports);
            }
            Err(error) => status.unread(&format!("ports of driver {driver}"), &error.into()),
        }
    }
    if let Some(local) = known.local.as_ref().and_then(|local| known.configuration.nodes.node(local.as_str())) {
        let entries: Vec<&str> = scst_core::cluster::entries(local).collect();
        for port in &mut status.ports {
            port.listed = Some(entries.iter().any(|entry| is_port(entry, port)));
        }
    }
    if only.is_none() {
        for agent in [scst_qla2xtgt::AGENT, scst_target::AGENT] {
            for resource in known.of_agent(agent.table.name) {
                let shown = ports_of(node, agent, resource, &known, &mut status);
                status.port_resources.push(shown);
            }
        }
    }
    every_group(node, only, &known, &mut status)?;
    if known.local.is_some() {
        peers::add(node, &mut status);
    }
    if node.snapshot().is_some() {
        prepare(node, &status.ports)?;
        status.state = node.snapshot().map(|machine| State::new(&known.configuration, machine));
    }
    Ok(status)
}

/// Whether an entry of `targetports`, in whatever spelling, is this port.
fn is_port(entry: &str, port: &Port) -> bool {
    let driver = Driver::parse(port.driver).ok();
    driver.and_then(|driver| TargetName::parse(driver, entry).ok()).is_some_and(|name| name.matches(&port.name))
}

/// Looks at what a plan for another configuration may ask, too: so it is in the state.
fn prepare(node: &Node, ports: &[Port]) -> Result<(), Failure> {
    let observer = node.observer();
    observer.scst_loaded()?;
    observer.setup_id()?;
    for handler in HandlerName::ALL {
        observer.handler_parameters(handler)?;
    }
    for driver in Driver::ALL {
        observer.driver_loaded(driver)?;
    }
    for port in ports {
        let Some((driver, name)) = Driver::parse(port.driver).ok().zip(TargetName::seen(&port.name).ok()) else {
            continue;
        };
        observer.port(driver, &name)?;
        for group in observer.ini_groups(driver, &name)? {
            observer.luns_in_use(driver, &name, &group)?;
        }
    }
    Ok(())
}

/// What stands in the configuration for a value that cibsecret keeps outside of it.
const ELSEWHERE: &str = "lrm://";

/// One resource of an agent that brings ports up, compared.
fn ports_of(
    node: &Node,
    agent: TargetAgent,
    resource: &Configured,
    known: &Known,
    status: &mut Status,
) -> PortResource {
    let (elsewhere, params): (BTreeMap<_, _>, BTreeMap<_, _>) =
        resource.params.clone().into_iter().partition(|(_, value)| value == ELSEWHERE);
    let context = node.context(&resource.id, &params);
    let run = Run::new(&context, agent);
    let (params, findings) = run.params();
    let mut shown = PortResource {
        id: resource.id.clone(),
        running: false,
        differences: Vec::new(),
        left_out: leaves_out(&findings),
        remarks: resource.left_out.clone(),
    };
    shown.remarks.extend(findings.iter().map(ToString::to_string));
    shown.remarks.extend(elsewhere.keys().map(|name| format!("{name} is kept by cibsecret: users are not compared")));
    let (Some(params), Some((topology, warnings))) = (params, known.topology(run.driver)) else {
        return shown;
    };
    shown.left_out |= !warnings.is_empty();
    shown.remarks.extend(warnings);
    let compared =
        topology.and_then(|topology| target::difference::difference(&run, &params, &topology, elsewhere.is_empty()));
    match compared {
        Ok(None) => {}
        Ok(Some(differences)) => (shown.running, shown.differences) = (true, differences),
        Err(failure) if failure.code == scst_core::ocf::exit::ExitCode::Generic => {
            status.unread(&format!("resource {}", resource.id), &failure);
        }
        Err(failure) => shown.differences.push(failure.reason),
    }
    shown
}

/// The groups that are configured, and those that are here.
fn every_group(node: &Node, only: Option<&GroupName>, known: &Known, status: &mut Status) -> Result<(), Failure> {
    let mut configured: BTreeMap<GroupName, Vec<&Configured>> = BTreeMap::new();
    for resource in known.of_agent(scst_aluadg::table::TABLE.name) {
        let context = node.context(&resource.id, &resource.params);
        match groups::configured_name(&context.env) {
            Some(name) => configured.entry(name).or_default().push(resource),
            None => status.remarks.push(format!("resource {} does not name a device group", resource.id)),
        }
    }
    let mut names = node.observer().group_names()?;
    names.extend(configured.keys().cloned());
    for name in names.iter().filter(|name| only.is_none_or(|only| only == *name)) {
        let resources = configured.get(name).map(Vec::as_slice).unwrap_or_default();
        match group(node, name, resources, known, status) {
            Ok(group) => status.groups.push(group),
            Err(failure) => status.unread(&format!("device group {name}"), &failure),
        }
    }
    Ok(())
}

/// Whether the agents leave out something of a configuration, or read it in another way than it looks.
fn leaves_out(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.severity >= Severity::Warning)
}

fn group(
    node: &Node,
    name: &GroupName,
    resources: &[&Configured],
    known: &Known,
    status: &Status,
) -> Result<Group, Failure> {
    let context = match resources.first() {
        Some(resource) => node.context(&resource.id, &resource.params),
        None => groups::unconfigured(node, name),
    };
    let host = groups::host(&context);
    let (mut group, found) = groups::look(node, name, &host, known.local.as_ref(), &status.ports)?;
    group.resources = resources.iter().map(|resource| resource.id.clone()).collect();
    let Some(resource) = resources.first() else {
        if known.local.is_some() {
            // Whatever it is, it is not ours to judge.
            group.remarks.push("no resource of the cluster configures it".to_owned());
            group.remarks.append(&mut group.faults);
        }
        return Ok(group);
    };
    if resources.len() > 1 {
        group.faults.push("more than one resource configures it; it is compared with the first".to_owned());
    }
    let (params, findings) = scst_aluadg::params::Params::parse(&context.env);
    group.remarks.extend(resource.left_out.iter().cloned());
    group.remarks.extend(findings.iter().map(ToString::to_string));
    group.left_out = leaves_out(&findings);
    let Some(params) = params else { return Ok(group) };
    let Some((topology, warnings)) = known.topology(params.driver) else { return Ok(group) };
    group.left_out |= !warnings.is_empty();
    group.remarks.extend(warnings);
    let compared = topology.and_then(|topology| {
        if group.role == Role::Stopped {
            return Ok(Vec::new());
        }
        if let Some(told) = known.configuration.told.get(&scst_aluadg::agreement::attribute(name)) {
            agreement::compare(&mut group, &params, &found, &topology.local.name, told);
        }
        scst_aluadg::difference::difference(&host, &params, &findings, &topology, found)
    });
    match compared {
        Ok(differences) => group.differences = differences,
        Err(failure) if failure.code == scst_core::ocf::exit::ExitCode::Generic => return Err(failure),
        // The node cannot run it, whatever is here of it.
        Err(failure) if group.role == Role::Stopped => group.remarks.push(failure.reason),
        Err(failure) => group.differences.push(failure.reason),
    }
    Ok(group)
}
