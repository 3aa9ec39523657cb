//! The types [`TargetAgent`], an agent that brings targets up, and [`Run`], one run of it: which node and which driver every
//! action works on.

use scst_core::cluster::Topology;
use scst_core::ocf::env::Env;
use scst_core::ocf::exit::Failure;
use scst_core::ocf::param::{AgentTable, Finding};
use scst_core::ocf::run::Context;
use scst_core::scst::names::{Driver, TargetName};
use scst_core::state_file::Remembered;

use crate::host::Host;
use crate::missing_ports::{Local, MissingPorts};

/// The parameter that names the driver, of an agent that serves several.
pub(super) const TGTDRIVER: &str = "tgtdriver";

/// The lock of these agents: a node has one set of ports.
pub(super) const LOCK: &str = "ports";

/// The agent whose lock both take for ports of Fibre Channel: either may have them.
const OF_FIBRE_CHANNEL: &str = "scst_qla2xtgt";

/// An agent that brings targets up.
#[derive(Debug, Clone, Copy)]
pub struct TargetAgent {
    /// Its name, parameters and actions.
    pub table: &'static AgentTable,
    /// The driver of its targets; `None` where a parameter says it.
    pub driver: Option<Driver>,
}

impl TargetAgent {
    /// The driver: that of the agent, or the one that is configured.
    ///
    /// # Errors
    ///
    /// The parameter is missing, or names no driver that the agents know.
    pub fn driver(&self, env: &Env) -> Result<Driver, Finding> {
        if let Some(driver) = self.driver {
            return Ok(driver);
        }
        let text = env.param(TGTDRIVER).map(str::trim).unwrap_or_default();
        Driver::parse(text).map_err(|error| Finding::error(TGTDRIVER, error).value(text))
    }
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
    pub(super) fn on(context: &'a Context, agent: TargetAgent, driver: Driver) -> Self {
        let mut host = Host::new(context, agent.table.name);
        if driver == Driver::Qla2x00t {
            host.state_files = host.state_files.with_locks_of(OF_FIBRE_CHANNEL);
        }
        Self { host, agent, driver }
    }

    /// The ports of this node's list, as sysfs spells them. Targets that are made by command need not be there yet.
    ///
    /// # Errors
    ///
    /// Exit 5 naming every port this machine does not have, unless they may be missing and another one is there.
    pub(super) fn local_ports(&self, topology: &Topology, policy: MissingPorts) -> Result<Local, Failure> {
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

    /// The list of this node's ports, where only it decides whose a port is. That the cluster does not answer is logged,
    /// and no failure.
    pub(super) fn listed(&self, remembered: &Remembered) -> Option<Topology> {
        self.host
            .topology(self.driver, remembered)
            .inspect_err(|failure| tracing::warn!("ports not compared with the cluster: {failure}"))
            .ok()
    }
}
