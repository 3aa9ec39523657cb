//! What the agents do that bring targets up: ports with their initiator groups and numbers, enabled last.
//!
//! One implementation for every driver: `ours` says what belongs to a resource, `params` and `wanted` what it should be, and each action
//! has a file of its own. An agent is a [`TargetAgent`]: a table of parameters, and the driver that it is for.

mod convergence;
mod daemon;
pub mod difference;
mod foreign;
pub mod groups;
mod monitor;
pub mod ours;
pub mod params;
pub mod planned;
mod reload;
mod settings;
mod start;
mod stop;
mod thorough;
mod validate;
pub mod wanted;

use std::collections::BTreeSet;

use scst_core::cluster::Topology;
use scst_core::ocf::action::Action;
use scst_core::ocf::exit::{Answer, ExitCode, Failure};
use scst_core::ocf::param::{AgentTable, Finding};
use scst_core::ocf::run::{Agent, Context};
use scst_core::scst::names::{Driver, InitiatorGroup, TargetName};
use scst_core::state::Ports;
use scst_core::state_file::Remembered;

use self::ours::Ours;
use self::params::Params;
use crate::host::{self, Host, refuse_errors, reload_refused};
use crate::missing_ports::{Local, MissingPorts};

/// The lock of these agents: a node has one set of ports.
const LOCK: &str = "ports";

/// An agent that brings targets up.
#[derive(Debug, Clone, Copy)]
pub struct TargetAgent {
    /// Its name, parameters and actions.
    pub table: &'static AgentTable,
    /// The driver of its targets; `None` where a parameter says it.
    pub driver: Option<Driver>,
}

/// One run of such an agent.
#[derive(Debug)]
pub struct Run<'a> {
    /// The node it works on.
    pub host: Host<'a>,
    /// Which agent it is.
    pub agent: TargetAgent,
    /// The driver of its targets.
    pub driver: Driver,
}

impl<'a> Run<'a> {
    /// A run of `agent` in this context. Where the driver cannot be read from the parameters these are refused, so the
    /// default here is never used.
    pub fn new(context: &'a Context, agent: TargetAgent) -> Self {
        let driver = agent.driver(&context.env).unwrap_or(Driver::Qla2x00t);
        Self::on(context, agent, driver)
    }

    /// The same on the targets of a certain driver.
    fn on(context: &'a Context, agent: TargetAgent, driver: Driver) -> Self {
        Self { host: Host::new(context, agent.table.name), agent, driver }
    }

    /// The configuration, and what is wrong with it.
    pub fn params(&self) -> (Option<Params>, Vec<Finding>) {
        Params::parse(&self.agent, &self.host.context.env)
    }

    /// The ports of this node's list, as sysfs spells them. Targets that are made by command need not be there yet.
    ///
    /// # Errors
    ///
    /// Exit 5 naming every port this machine does not have, unless they may be missing and another one is there.
    fn local_ports(&self, topology: &Topology, policy: MissingPorts) -> Result<Local, Failure> {
        if !self.driver.makes_targets() {
            return match self.host.local_ports(self.driver, topology, policy) {
                // In a dry run the driver may not be loaded, and then there is no port yet.
                Err(_) if self.host.dry_run() && !self.host.observer().driver_loaded(self.driver)? => {
                    Ok(topology.local.listed().into())
                }
                local => local,
            };
        }
        let present = self.host.observer().port_names(self.driver)?;
        let spelled =
            |name: TargetName| present.iter().find(|other| name.matches(other.as_str())).cloned().unwrap_or(name);
        Ok(topology.local.listed().into_iter().map(|(name, id)| (spelled(name), id)).collect::<Vec<_>>().into())
    }

    fn act(&self, action: Action) -> Result<Answer, Failure> {
        let code = match action {
            Action::Start => start::start(self),
            Action::Stop => stop::stop(self),
            Action::Monitor => monitor::monitor(self),
            Action::Reload => return reload::reload(self),
            Action::ValidateAll => validate::validate_all(self),
            Action::Promote | Action::Demote | Action::Notify | Action::MetaData | Action::Usage => {
                let name = self.agent.table.name;
                Err(Failure::new(ExitCode::Unimplemented, format!("{action} is not an action of {name}")))
            }
        };
        code.map(Answer::Done)
    }
}

impl Agent for TargetAgent {
    fn metadata(&self) -> &'static AgentTable {
        self.table
    }

    fn run(&self, action: Action, context: &Context) -> Result<Answer, Failure> {
        if let Ok(driver) = self.driver(&context.env) {
            return Run::on(context, *self, driver).act(action);
        }
        let (_, findings) = Params::parse(self, &context.env);
        match action {
            // What runs is where it was started, whatever the parameter says now.
            Action::Stop | Action::Monitor => of_any_driver(*self, action, context),
            Action::ValidateAll => host::validate(&findings).map(|()| ExitCode::Success.into()),
            Action::Reload => Ok(reload_refused(refused(&findings))),
            _ => Err(refused(&findings)),
        }
    }
}

/// Why an action is refused that needs a driver and has none.
fn refused(findings: &[Finding]) -> Failure {
    refuse_errors(findings).err().unwrap_or_else(|| Failure::configured("no usable configuration"))
}

/// Acts on the driver that the state file names, else on each: the first answer that tells of something is the answer.
fn of_any_driver(agent: TargetAgent, action: Action, context: &Context) -> Result<Answer, Failure> {
    let record = Host::new(context, agent.table.name).state_files.read(None);
    let recorded = record.known().and_then(|record| record.driver);
    let drivers = recorded.map_or(Driver::ALL.to_vec(), |driver| vec![driver]);
    let mut answer = Ok(Answer::Done(ExitCode::Success));
    for driver in drivers {
        answer = Run::on(context, agent, driver).act(action);
        let nothing = matches!(&answer, Ok(Answer::Done(ExitCode::Success))) && action == Action::Stop;
        if !nothing && !matches!(&answer, Err(failure) if failure.code == ExitCode::NotRunning) {
            break;
        }
    }
    answer
}

fn group_names(ports: &Ports) -> BTreeSet<InitiatorGroup> {
    ports.values().flat_map(|port| port.groups.keys().cloned()).collect()
}

/// The groups of these ports that are ours.
fn owned(ours: &Ours<'_>, ports: &Ports) -> BTreeSet<InitiatorGroup> {
    let groups = ports.iter().flat_map(|(name, port)| port.groups.keys().filter(move |group| ours.owns(name, group)));
    groups.cloned().collect()
}

/// The list of this node's ports, where only it decides whose a port is. That the cluster does not answer is logged,
/// and no failure.
fn listed(run: &Run<'_>, record: &Remembered) -> Option<Topology> {
    let host = &run.host;
    host.topology(run.driver, record)
        .inspect_err(|failure| tracing::warn!("ports not compared with the cluster: {failure}"))
        .ok()
}
