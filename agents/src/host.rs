//! The machine and the cluster that one run of an agent works on, and what both agents do with them in the same way.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;
use scst_core::apply::{AfterFailure, Applied, Failed, apply};
use scst_core::cluster::{self, ClusterError, Member, Nodes, Port, Refused, Survey, Topology};
use scst_core::command::Tools;
use scst_core::deadline::Deadline;
use scst_core::error::Error;
use scst_core::observe::Observer;
use scst_core::ocf::env::Env;
use scst_core::ocf::exit::{ExitCode, Failure, one_line};
use scst_core::ocf::param::{Finding, Severity};
use scst_core::ocf::run::Context;
use scst_core::plan::Step;
use scst_core::scst;
use scst_core::scst::names::{Driver, GroupName, NodeName, TargetName};
use scst_core::state_file::{Remembered, StateFile, StateFiles};
use scst_core::sysfs::Sysfs;

use crate::missing_ports::{Local, MissingPorts};
use crate::reservations;

/// The longest a module may take to load: its hardware is set up meanwhile.
const MODPROBE: Duration = Duration::from_mins(1);

/// One run's view of the world.
#[derive(Debug)]
pub struct Host<'a> {
    /// What was asked, and until when.
    pub context: &'a Context,
    /// The kernel's tree.
    pub sysfs: Sysfs,
    /// This agent's state files and locks.
    pub state_files: StateFiles,
    /// Other programs.
    pub tools: Tools,
}

impl<'a> Host<'a> {
    /// The world of `agent` in this context.
    pub fn new(context: &'a Context, agent: &'static str) -> Self {
        let env = &context.env;
        let files = StateFiles::new(Arc::clone(&context.system), env.rsctmp(), agent, env.resource_id());
        Self {
            context,
            sysfs: Sysfs::new(Arc::clone(&context.system), env.sysfs_root()),
            state_files: if env.resource_is_known() { files.of_resource() } else { files },
            tools: Tools::from_env(Arc::clone(&context.system), env),
        }
    }

    /// The end of the run.
    pub fn deadline(&self) -> &Deadline {
        &self.context.deadline
    }

    /// Seconds since this machine booted: unlike the time of day it never jumps.
    pub fn boot_seconds(&self) -> u64 {
        self.context.system.now().as_secs()
    }

    /// A look at the kernel's tree.
    pub fn observer(&self) -> Observer<'_> {
        Observer { sysfs: &self.sysfs, deadline: self.deadline() }
    }

    /// A look at the kernel's tree that may last until `deadline`: what is left must be known also when the time of the
    /// action is over.
    pub fn observer_until<'o>(&'o self, deadline: &'o Deadline) -> Observer<'o> {
        Observer { sysfs: &self.sysfs, deadline }
    }

    /// Waits for other actions on `name` to end. A dry run disturbs nobody and waits for nobody.
    pub fn lock(&self, name: &str) -> Result<Option<impl Drop + use<>>, Failure> {
        if self.dry_run() {
            return Ok(None);
        }
        self.state_files.lock(name, self.deadline()).map(Some).map_err(Failure::from)
    }

    /// The same, but for no longer than `time`.
    pub fn lock_within(&self, name: &str, time: Duration) -> Result<Option<impl Drop + use<>>, Failure> {
        if self.dry_run() {
            return Ok(None);
        }
        let time = time.min(self.deadline().remaining());
        let deadline = Deadline::within(Arc::clone(&self.context.system), time, Arc::clone(&self.context.cancelled));
        self.state_files.lock(name, &deadline).map(Some).map_err(Failure::from)
    }

    /// The run only prints what it would do.
    pub fn dry_run(&self) -> bool {
        self.context.dry_run
    }

    /// This node's name: from Pacemaker, else from the cluster, else from the state file.
    pub fn node_name(&self, remembered: &Remembered) -> Result<NodeName, Failure> {
        if let Some(name) = self.told_name() {
            return name;
        }
        match cluster::local_node_name(&self.tools, self.deadline()) {
            Ok(name) => parse_node(&name),
            Err(error) => recorded_name(remembered).ok_or_else(|| unreachable(&error)),
        }
    }

    /// This node's name without asking anybody: from Pacemaker, else from the state file.
    pub fn node_name_offline(&self, remembered: &Remembered) -> Option<NodeName> {
        self.told_name().and_then(Result::ok).or_else(|| recorded_name(remembered))
    }

    /// This node's id without asking anybody.
    pub fn node_id_offline(&self, remembered: &Remembered) -> Option<u16> {
        let told = self.context.env.node_id().and_then(|id| u16::try_from(id).ok());
        told.or_else(|| remembered.known().and_then(|file| file.node_id))
    }

    fn told_name(&self) -> Option<Result<NodeName, Failure>> {
        self.context.env.node_name().map(parse_node)
    }

    /// The nodes and their ports, by one query.
    pub fn nodes(&self) -> Result<Nodes, Failure> {
        cluster::query_nodes(&self.tools, self.deadline()).map_err(|error| unreachable(&error))
    }

    /// The numbers of all nodes, as this node sees them. Warnings are logged.
    pub fn topology(&self, driver: Driver, remembered: &Remembered) -> Result<Topology, Failure> {
        // The name first: by hand it is asked for as well.
        let name = self.node_name(remembered)?;
        Self::topology_of(&self.nodes()?, &name, driver)
    }

    /// All nodes, what the cluster is called, and the value of the transient node attribute `told` on each node, by one query.
    pub fn survey(&self, told: &str) -> Result<Survey, Failure> {
        cluster::query_survey(&self.tools, self.deadline(), told).map_err(|error| unreachable(&error))
    }

    /// The numbers of these nodes, as the node `name` sees them. Warnings are logged.
    pub fn topology_of(nodes: &Nodes, name: &NodeName, driver: Driver) -> Result<Topology, Failure> {
        let (topology, warnings) = match Topology::build(nodes, name.as_str(), driver) {
            Ok((topology, warnings)) => (Ok(topology), warnings),
            Err(Refused { failure, warnings }) => (Err(failure), warnings),
        };
        for warning in warnings {
            tracing::warn!("{warning}");
        }
        topology
    }

    /// This node as the state file knows it, where the cluster cannot be asked: without any peer.
    pub fn recorded_topology(remembered: &Remembered) -> Option<Topology> {
        let remembered = remembered.known().filter(|file| !file.ports.is_empty())?;
        let port = |(name, rel_tgt_id): &(TargetName, u16)| Port { name: name.clone(), rel_tgt_id: *rel_tgt_id };
        let local = Member {
            name: remembered.node.clone()?,
            id: remembered.node_id?,
            ports: remembered.ports.iter().map(port).collect(),
        };
        Some(Topology { local, peers: Vec::new() })
    }

    /// The local ports as sysfs spells them, with their numbers.
    ///
    /// # Errors
    ///
    /// Exit 5 naming every port this machine does not have, unless they may be missing and another one is there.
    pub fn local_ports(&self, driver: Driver, topology: &Topology, policy: MissingPorts) -> Result<Local, Failure> {
        let present = self.observer().port_names(driver)?;
        let mut local = Local::default();
        let mut missing = Vec::new();
        for port in &topology.local.ports {
            match present.iter().find(|name| name.matches(port.name.as_str())) {
                Some(name) => local.ports.push((name.clone(), port.rel_tgt_id)),
                None => missing.push(port.name.to_string()),
            }
        }
        if missing.is_empty() {
            return Ok(local);
        }
        let names = missing.join(", ");
        if policy == MissingPorts::Warn && !local.ports.is_empty() {
            tracing::warn!("port does not exist on this node, the others are used: {names}");
            let is_missing = |port: &&Port| missing.iter().any(|name| port.name.as_str() == name);
            let numbers = topology.local.ports.iter().filter(is_missing);
            local.missing = numbers.map(|port| (port.name.clone(), port.rel_tgt_id)).collect();
            return Ok(local);
        }
        Err(Failure::installed(format!("port does not exist on this node: {names}")).with_hint(format!(
            "compare targetports of node {} with the directories of {}: a dead HBA, a driver that is not in target mode, or a wrong name",
            topology.local.name,
            self.sysfs.full(&scst::target::driver(driver)).display()
        )))
    }

    /// Loads the modules whose directory below `/sys/module`, and whose other sign of life, are missing.
    ///
    /// # Errors
    ///
    /// Exit 5 naming the module that could not be loaded.
    pub fn load_modules(&self, modules: &[Module]) -> Result<(), Failure> {
        for module in modules {
            if self.is_loaded(module)? {
                continue;
            }
            if self.dry_run() {
                println!("load module {}", module.name);
                continue;
            }
            let limit = MODPROBE.min(self.deadline().remaining());
            self.tools.run("modprobe", &[module.name], limit).map_err(|error| {
                Failure::installed(format!("module {} could not be loaded: {error}", module.name))
                    .with_hint("SCST must be installed for the running kernel")
            })?;
            tracing::info!("load module {}", module.name);
        }
        Ok(())
    }

    fn is_loaded(&self, module: &Module) -> Result<bool, Failure> {
        let there = |path: &str| self.sysfs.optional_list(path, self.deadline()).map(|entries| entries.is_some());
        // A module that is built into the kernel, or a driver with another module's name, shows only by what it does.
        Ok(there(&module.shows)? || there(&scst::module(module.dir))?)
    }

    /// Applies steps, or prints them in a dry run. What the log should know of failures that do not matter is logged.
    pub fn apply(&self, steps: &[Step], after: AfterFailure) -> Applied {
        self.apply_until(steps, after, self.deadline())
    }

    /// The same with another end.
    pub fn apply_until(&self, steps: &[Step], after: AfterFailure, deadline: &Deadline) -> Applied {
        if self.dry_run() {
            for step in steps {
                println!("{step}");
            }
            return Applied::default();
        }
        let mut applied = apply(steps, &self.sysfs, deadline, after);
        for failed in &mut applied.failed {
            self.explain(failed);
        }
        for failed in &applied.warnings {
            tracing::warn!("{failed}");
        }
        applied
    }

    /// Names a cause that the kernel's answer does not tell.
    fn explain(&self, failed: &mut Failed) {
        if let Step::AddDevice { device, .. } = &failed.step
            && failed.error.errno() == Some(Errno::EINVAL)
            && let Some(files) = reservations::damaged(&self.context.env.var_lib(), device)
        {
            failed.error = Error::Reservations { files };
        }
    }

    /// Writes the state file, and tells whether that succeeded. Without one the next action knows less, which is a reason not to
    /// block a device, and none to fail anything else.
    pub fn remember(&self, remembered: &StateFile) -> bool {
        if self.dry_run() {
            return true;
        }
        let written = self.state_files.write(remembered);
        if let Err(error) = &written {
            tracing::warn!("state file {} could not be written: {error}", self.state_files.path().display());
        }
        written.is_ok()
    }

    /// Puts the state file back as it was before a start that was undone.
    pub fn restore(&self, group: Option<&GroupName>, remembered: &Remembered) {
        let restored = match remembered {
            Remembered::Known(remembered) => self.state_files.write(remembered),
            // Made by the shell agent, and still true: everything there is its own.
            Remembered::Unknown => self.state_files.write_unknown(group),
            Remembered::Nothing => self.state_files.remove(group),
        };
        if let Err(error) = restored {
            tracing::warn!("state file {} could not be put back: {error}", self.state_files.path().display());
        }
    }

    /// Takes the lock of `name` for a stop: one that cannot be made at all (a full or read-only file system), or that a hung action
    /// does not give back in a quarter of the time, is no reason to leave anything behind.
    pub fn lock_to_stop(&self, name: &str) -> Result<Option<impl Drop + use<>>, Failure> {
        if self.dry_run() {
            return Ok(None);
        }
        match self.state_files.lock(name, &self.deadline().share(1, 4)) {
            Ok(lock) => Ok(Some(lock)),
            Err(error @ Error::NotSeen { .. }) => {
                tracing::error!("stopping all the same, without the lock: {error}");
                Ok(None)
            }
            Err(error) if error.errno().is_some() => {
                tracing::warn!("going on without a lock: {error}");
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Removes the state file after a stop. What is left of it names nothing that is still there.
    pub fn forget(&self, group: Option<&GroupName>) {
        if let Err(error) = self.state_files.remove(group) {
            tracing::warn!("state file {} could not be removed: {error}", self.state_files.path().display());
        }
    }

    /// Creates a directory and its parents, unless this is a dry run.
    pub fn make_dir(&self, dir: &Path) -> Result<(), Failure> {
        if self.context.system.is_directory(dir) {
            return Ok(());
        }
        if self.dry_run() {
            println!("create directory {}", dir.display());
            return Ok(());
        }
        self.context.system.make_directory(dir).map_err(|error| {
            Failure::generic(format!("directory {} could not be created: {error}", dir.display()))
                .with_hint("SCST keeps persistent reservations there and refuses every device without it")
        })
    }
}

/// A kernel module, and how to see that it is there.
#[derive(Debug, Clone)]
pub struct Module {
    /// What modprobe is asked for.
    pub name: &'static str,
    /// Its directory below `/sys/module`.
    pub dir: &'static str,
    /// The directory it makes in SCST's tree.
    pub shows: String,
}

impl Module {
    /// SCST itself.
    pub fn scst() -> Self {
        Self { name: "scst", dir: "scst", shows: scst::ROOT.to_owned() }
    }

    /// A module that makes the handler `handler`.
    pub fn handler(name: &'static str, handler: &str) -> Self {
        Self { name, dir: name, shows: format!("{}/handlers/{handler}", scst::ROOT) }
    }

    /// A target driver.
    pub fn driver(driver: Driver) -> Self {
        Self { name: driver.module(), dir: driver.module_dir(), shows: scst::target::driver(driver) }
    }
}

/// Logs findings at their level, and refuses to go on if one of them leaves nothing to start.
pub fn refuse_errors(findings: &[Finding]) -> Result<(), Failure> {
    let mut errors = Vec::new();
    for finding in findings {
        match finding.severity {
            Severity::Error => errors.push(finding),
            Severity::Warning | Severity::Advice => tracing::warn!("{finding}"),
        }
    }
    for error in errors.iter().skip(1) {
        tracing::error!("{error}");
    }
    match errors.first() {
        None => Ok(()),
        Some(first) => Err(Failure::configured(first.to_string())),
    }
}

/// Logs findings without refusing anything.
pub fn log_findings(findings: &[Finding]) {
    for finding in findings {
        tracing::warn!("{finding}");
    }
}

/// validate-all at level 0: every finding is named, and each but mere advice fails it.
pub fn validate(findings: &[Finding]) -> Result<(), Failure> {
    let (advice, faults): (Vec<_>, Vec<_>) = findings.iter().partition(|finding| finding.severity == Severity::Advice);
    for finding in advice {
        tracing::warn!("{finding}");
    }
    for finding in faults.iter().skip(1) {
        tracing::error!("{finding}");
    }
    match faults.as_slice() {
        [] => Ok(()),
        [only] => Err(Failure::configured(only.to_string())),
        [first, rest @ ..] => Err(Failure::configured(format!("{first} (and {} more, see the log)", rest.len()))
            .with_hint(rest.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))),
    }
}

/// The answer of a reload that changes nothing, because a start would refuse the configuration: success, because Pacemaker answers a
/// failed reload with a restart, and the reason all the same, which Pacemaker keeps with the result.
///
/// # Errors
///
/// Always, with exit code 0.
pub fn kept(failure: Failure) -> Result<ExitCode, Failure> {
    tracing::error!("nothing reloaded, everything keeps running as it was");
    Err(Failure { code: ExitCode::Success, ..failure })
}

/// The answer of a reload that took nothing from hosts and could not do everything: success, because Pacemaker would stop what runs for
/// it and fence the node where the same reason keeps it from stopping. The reason all the same, as an error. `noted` says whether the state file
/// has it: the monitor that finishes a reload knows of it from there only, so a reload that nobody would finish has failed.
///
/// # Errors
///
/// Always: with exit code 0 where it is noted, else with that of the failure.
pub fn unfinished(failure: Failure, noted: bool) -> Result<ExitCode, Failure> {
    if !noted {
        tracing::error!("the reload is not finished, and no state file says so to the next monitor");
        return Err(failure);
    }
    tracing::error!("the reload is not finished, and took nothing from hosts: the next monitor or reload goes on");
    Err(Failure { code: ExitCode::Success, ..failure })
}

/// The plan of a state that has been reached is empty.
pub fn nothing_left(steps: &[Step]) -> Result<(), Failure> {
    match steps.first() {
        None => Ok(()),
        Some(step) => Err(Failure::generic(format!("still to be done after all steps succeeded: {step}"))
            .with_hint("another program changes the same objects")),
    }
}

/// A clone that puts two instances on one node: they would share everything.
pub fn refuse_two_per_node(env: &Env) -> Result<(), Failure> {
    match env.clone_node_max() {
        Some(max) if max > 1 => Err(Failure::configured("clone-node-max is over 1: a node runs one instance")),
        _ => Ok(()),
    }
}

/// A clone with two promoted instances: two nodes would write to one store, and share neither reservations nor what makes a
/// COMPARE AND WRITE atomic.
pub fn refuse_two_promoted(env: &Env) -> Result<(), Failure> {
    match env.promoted_max() {
        Some(max) if max > 1 => Err(Failure::configured("promoted-max is over 1: one node serves a device group")),
        _ => Ok(()),
    }
}

/// Names of those who hold something, as the end of an exit reason.
pub fn held_by(holders: &[impl ToString]) -> String {
    let holders: Vec<String> = holders.iter().map(ToString::to_string).collect();
    if holders.is_empty() { String::new() } else { format!(" (held by {})", holders.join(", ")) }
}

/// The first failure of a plan, if any; further ones are logged. A device that stays blocked comes before everything: its hosts
/// wait until somebody does something about it.
pub fn first_failure(applied: &Applied) -> Option<Failure> {
    let blocked = applied.failed.iter().position(|failed| matches!(failed.step, Step::Unblock { .. }));
    let at = blocked.unwrap_or(0);
    let first = applied.failed.get(at)?;
    for (_, failed) in applied.failed.iter().enumerate().filter(|(other, _)| *other != at) {
        tracing::error!("{failed}");
    }
    let failure = Failure { reason: one_line(&first.to_string()), ..Failure::from(first.error.clone()) };
    Some(if first.is_unanswered() && first.step.asks_daemon() {
        failure.with_hint("the daemon behind the targets does not answer: it is stopped, or hangs; end it (SIGKILL), and start the resource anew")
    } else {
        failure
    })
}

fn parse_node(name: &str) -> Result<NodeName, Failure> {
    NodeName::parse(name)
        .map_err(|error| Failure::args(format!("node name {name:?} cannot name a target group: {error}")))
}

fn recorded_name(remembered: &Remembered) -> Option<NodeName> {
    remembered.known().and_then(|file| file.node.clone())
}

fn unreachable(error: &ClusterError) -> Failure {
    Failure::generic(error.to_string())
        .with_hint("the agent asks the cluster with its own commands: is Pacemaker running on this node?")
}
