//! The type [`Convergence`]: the ports of this node as they are and as they are configured, and the plan between the two.
//!
//! Every plan of these agents is made here: that of a start, of a reload and of the monitor that finishes one, and those
//! that are only shown, by a level-10 monitor, by `planned` (`scst-ha plan`) and by `difference` (`scst-ha status`).

use scst_core::cluster::{Member, Topology};
use scst_core::deadline::Deadline;
use scst_core::error::Error;
use scst_core::ocf::exit::Failure;
use scst_core::ocf::param::{Finding, Severity};
use scst_core::plan::{Step, ports::plan};
use scst_core::scst::names::{InitiatorGroup, TargetName};
use scst_core::state::{Port, Ports};
use scst_core::state_file::StateFile;

use super::order;
use super::ours::Ours;
use super::params::Params;
use super::run::Run;
use super::settings;
use super::wanted::{self, group_names};
use crate::missing_ports::Local;

/// What the ports converge to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Goal {
    /// Of a start: every port up with its number.
    Started,
    /// Of a reload: groups and settings as configured, on ports that stay as they are.
    Reloaded,
}

/// What an action has gathered before it plans.
#[derive(Debug)]
pub(super) struct Convergence<'r> {
    run: &'r Run<'r>,
    ours: &'r Ours<'r>,
    goal: Goal,
    /// Of a reload of a configuration that has a mistake: a host that was left out by it would lose its disks.
    pub(super) removes_nothing: bool,
    pub(super) params: Params,
    /// The ports with their numbers.
    pub(super) local: Local,
    /// The ports as they are, with our initiator groups.
    pub(super) found: Ports,
    /// The ports as they should be.
    pub(super) wanted: Ports,
}

impl<'r> Convergence<'r> {
    /// What a start or a reload does with this configuration on a node with these ports. Of targets only what the
    /// kernel says by itself has been read: see [`Convergence::read_settings`].
    ///
    /// # Errors
    ///
    /// Why the action refuses the configuration; exit 1 where a port could not be read.
    pub(super) fn of_cluster(
        run: &'r Run<'r>,
        ours: &'r Ours<'r>,
        (params, findings): (Params, &[Finding]),
        topology: &Topology,
        goal: Goal,
    ) -> Result<Self, Failure> {
        let params = params.after(ours.remembered);
        let local = run.local_ports(topology, params.missing_ports)?;
        let local = match goal {
            Goal::Started => local,
            Goal::Reloaded => ours.known_ports(local),
        };
        ours.refuse_held(&local.ports)?;
        settings::refuse_unknown(run, &local.ports, &params.settings)?;
        let started = wanted::started(&params, topology.local.id, &local.ports)?;
        Self::new(run, ours, (params, findings), started, local, goal)
    }

    /// The same for a monitor, which asks nobody: what a reload does on the ports that the state file names. `None`
    /// where it names none, where nobody says which node this is, and where the configuration cannot be used, which is
    /// logged: what runs goes on running with what it had.
    ///
    /// # Errors
    ///
    /// Exit 1 where a port could not be read.
    pub(super) fn of_state_file(
        run: &'r Run<'r>,
        ours: &'r Ours<'r>,
        (params, findings): (Option<Params>, &[Finding]),
    ) -> Result<Option<Self>, Failure> {
        let (Some(params), Some(ports), Some(id)) = (params, ours.recorded(), ours.node_id) else { return Ok(None) };
        let params = params.after(ours.remembered);
        match wanted::started(&params, id, ports) {
            Ok(started) => {
                Self::new(run, ours, (params, findings), started, ports.to_vec().into(), Goal::Reloaded).map(Some)
            }
            Err(refused) => {
                tracing::warn!("the configuration is not compared: {refused}");
                Ok(None)
            }
        }
    }

    fn new(
        run: &'r Run<'r>,
        ours: &'r Ours<'r>,
        (params, findings): (Params, &[Finding]),
        started: Ports,
        local: Local,
        goal: Goal,
    ) -> Result<Self, Failure> {
        let names: Vec<_> = local.ports.iter().map(|(name, _)| name.clone()).collect();
        let observer = run.host.observer();
        let (found, wanted) = match goal {
            Goal::Started => (ours.ports(observer, &names, is_in(&started))?, started),
            Goal::Reloaded => {
                let found = ours.ports(observer, &names, |group| ours.configured.contains(group))?;
                let wanted = wanted::reloaded(started, &found);
                (found, wanted)
            }
        };
        let mistyped = findings.iter().any(|finding| finding.severity >= Severity::Warning);
        let removes_nothing = goal == Goal::Reloaded && mistyped;
        Ok(Self { run, ours, goal, removes_nothing, params, local, found, wanted })
    }

    /// For a start that is only shown: ports that the driver will make are as it makes them.
    pub(super) fn suppose_missing_ports(&mut self) {
        if self.goal == Goal::Started && !self.run.driver.makes_targets() {
            for (name, _) in &self.local.ports {
                self.found.entry(name.clone()).or_default();
            }
        }
    }

    /// For a start: ports that an earlier one brought up and that are not listed any more go down, or nobody would ever
    /// take them down.
    ///
    /// # Errors
    ///
    /// One of them cannot be read.
    pub(super) fn take_down_unlisted(&mut self) -> Result<(), Error> {
        let ours = self.ours;
        let recorded = ours.recorded().unwrap_or_default().iter();
        let unlisted: Vec<_> = recorded
            .filter(|(name, _)| !self.wanted.contains_key(name) && ours.holder(name).is_none())
            .cloned()
            .collect();
        let names: Vec<TargetName> = unlisted.iter().map(|(name, _)| name.clone()).collect();
        let found = ours.ports(self.run.host.observer(), &names, is_in(&self.wanted))?;
        self.found.extend(found);
        self.wanted.extend(unlisted.into_iter().map(|(name, id)| {
            let deleted = ours.made(&name);
            (name, Port { rel_tgt_id: id.into(), deleted, ..Port::default() })
        }));
        Ok(())
    }

    /// Reads what else is configured of each target, for some of which the driver's daemon is asked.
    ///
    /// # Errors
    ///
    /// As for [`Ours::with_settings`].
    pub(super) fn read_settings(&mut self, until: &Deadline) -> Result<(), Error> {
        let found = std::mem::take(&mut self.found);
        self.found = self.ours.with_settings(self.run.host.observer_until(until), found, &self.wanted)?;
        Ok(())
    }

    /// Everything that differs, as steps. It is what a start carries out on the ports.
    pub(super) fn differences(&self) -> Vec<Step> {
        plan(self.run.driver, &self.found, &self.wanted)
    }

    /// The steps that the action carries out on the ports.
    pub(super) fn steps(&self) -> Vec<Step> {
        self.steps_from(&self.found)
    }

    /// The same for ports that were observed again.
    pub(super) fn steps_from(&self, found: &Ports) -> Vec<Step> {
        let mut steps = plan(self.run.driver, found, &self.wanted);
        if self.removes_nothing {
            steps.retain(|step| !step.takes_from_hosts());
        }
        steps
    }

    /// What is said where [`Convergence::steps`] leaves something out because of a mistake in the configuration.
    pub(super) fn kept_by_mistake(&self) -> Option<&'static str> {
        let less = self.removes_nothing && self.differences().iter().any(Step::takes_from_hosts);
        less.then_some("initiators has a mistake: nothing is removed until it is corrected")
    }

    /// Groups that the kernel tries in another order than they are configured, where that matters, a sentence each: no
    /// step changes that.
    pub(super) fn out_of_order(&self) -> Vec<String> {
        order::differences(&self.ours.order(&self.found, &self.wanted), &self.params.groups)
    }

    /// The step of a start that enables the driver, where that is not enabled as a whole.
    ///
    /// # Errors
    ///
    /// As for [`scst_core::observe::Observer::driver_enabled`].
    pub(super) fn enable_driver(&self, until: &Deadline) -> Result<Option<Step>, Error> {
        let driver = self.run.driver;
        let disabled = self.run.host.observer_until(until).driver_enabled(driver)? == Some(false);
        Ok(disabled.then_some(Step::EnableDriver { driver }))
    }

    /// Observes the ports again after steps were carried out: the plan of a state that has been reached is empty.
    ///
    /// # Errors
    ///
    /// One of the ports cannot be read.
    pub(super) fn observe_again(&self, until: &Deadline) -> Result<Ports, Error> {
        let observer = self.run.host.observer_until(until);
        let now = observer.ports_listed(self.run.driver, &self.found, &self.wanted)?;
        self.ours.with_settings(observer, now, &self.wanted)
    }

    /// What the state file says before the first step: everything that is ours or is about to be.
    pub(super) fn state_file(&self, node: &Member) -> StateFile {
        let mut groups = group_names(&self.wanted);
        groups.extend(self.ours.groups_of(&self.found));
        self.ours.to_remember(node, &self.local, groups, &self.wanted, &self.found)
    }
}

/// Whether an initiator group is on one of these ports.
fn is_in(ports: &Ports) -> impl Fn(&InitiatorGroup) -> bool {
    let groups = group_names(ports);
    move |group| groups.contains(group)
}
