//! What the agents do that bring targets up: ports with their initiator groups and numbers, enabled last.
//!
//! One implementation for every driver: `ours` says what belongs to a resource, `params` and `wanted` what it should be, and each action
//! has a file of its own. An agent is a [`TargetAgent`]: a table of parameters, and the driver that it is for.

pub mod difference;
mod monitor;
pub mod ours;
pub mod params;
pub mod planned;
mod reload;
mod start;
mod stop;
mod thorough;
mod validate;
pub mod wanted;

use std::collections::BTreeSet;

use scst_core::cluster::Topology;
use scst_core::ocf::action::Action;
use scst_core::ocf::exit::{ExitCode, Failure};
use scst_core::ocf::param::{AgentTable, Finding};
use scst_core::ocf::run::{Agent, Context};
use scst_core::scst::names::{Driver, InitiatorGroup};
use scst_core::state::Ports;
use scst_core::state_file::Remembered;

use self::ours::Ours;
use self::params::Params;
use crate::host::Host;

/// The lock of these agents: a node has one set of ports.
const LOCK: &str = "ports";

/// An agent that brings targets up.
#[derive(Debug, Clone, Copy)]
pub struct TargetAgent {
    /// Its name, parameters and actions.
    pub table: &'static AgentTable,
    /// The driver of its targets.
    pub driver: Driver,
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
    /// A run of `agent` in this context.
    pub fn new(context: &'a Context, agent: TargetAgent) -> Self {
        Self { host: Host::new(context, agent.table.name), agent, driver: agent.driver }
    }

    /// The configuration, and what is wrong with it.
    pub fn params(&self) -> (Option<Params>, Vec<Finding>) {
        Params::parse(self.agent.table, &self.host.context.env)
    }
}

impl Agent for TargetAgent {
    fn metadata(&self) -> &'static AgentTable {
        self.table
    }

    fn run(&self, action: Action, context: &Context) -> Result<ExitCode, Failure> {
        let run = Run::new(context, *self);
        match action {
            Action::Start => start::start(&run),
            Action::Stop => stop::stop(&run),
            Action::Monitor => monitor::monitor(&run),
            Action::Reload => reload::reload(&run),
            Action::ValidateAll => validate::validate_all(&run),
            Action::Promote | Action::Demote | Action::Notify | Action::MetaData | Action::Usage => {
                Err(Failure::new(ExitCode::Unimplemented, format!("{action} is not an action of {}", self.table.name)))
            }
        }
    }
}

fn group_names(ports: &Ports) -> BTreeSet<InitiatorGroup> {
    ports.values().flat_map(|port| port.groups.keys().cloned()).collect()
}

/// The groups of these ports that are ours.
fn owned(ours: &Ours<'_>, ports: &Ports) -> BTreeSet<InitiatorGroup> {
    let groups = ports.iter().flat_map(|(name, port)| port.groups.keys().filter(move |group| ours.owns(name, group)));
    groups.cloned().collect()
}

/// The list of this node's ports, where nothing but it tells whose a port is. That the cluster cannot say it is no failure of
/// those who ask.
fn listed(run: &Run<'_>, record: &Remembered) -> Option<Topology> {
    let host = &run.host;
    host.topology(run.driver, record)
        .inspect_err(|failure| tracing::warn!("ports not compared with the cluster: {failure}"))
        .ok()
}
