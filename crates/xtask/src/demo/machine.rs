//! A node of the demo: a mounted SCST, the directories that stand for its `/run` and `/var/lib`, and calls of the agents.

use std::error::Error;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use scst_sim::mount::Mount;
use scst_sim::scenario::Scenario;
use scst_sim::stand_in::cib::CibFile;

use super::kernel::Kernel;
use super::pacemaker::{action, environment};
use super::scenario::{Agent, Call, Fabric, Node, Power, Transition};
use crate::workspace;

/// The resource whose score the cluster keeps.
const PROMOTABLE: &str = "scst_dg_dummy";

/// What the nodes have in common.
#[derive(Clone, Copy)]
pub(super) struct Fixture<'a> {
    /// A directory for everything.
    pub(super) directory: &'a Path,
    /// Stand-ins for the cluster's commands and modprobe.
    pub(super) commands: &'a Path,
    /// What the cluster knows.
    pub(super) cib: &'a CibFile,
    /// What lies between the nodes and their hosts.
    pub(super) fabric: &'static Fabric,
}

/// What came of a call on one node.
#[derive(Debug)]
pub(super) struct Called {
    /// Exit code; a signal has none.
    pub(super) exit: Option<i32>,
    /// From start to end of the process.
    pub(super) took: Duration,
    /// Writes into the simulated kernel's files meanwhile.
    pub(super) writes: usize,
    /// What the agent printed on stderr: the exit reason above all.
    pub(super) stderr: String,
}

/// A node.
pub(super) struct Machine<'a> {
    node: &'static Node,
    fixture: Fixture<'a>,
    directory: PathBuf,
    mount: Option<Mount>,
    /// What the simulator did not know before power was lost.
    unknowns: Vec<String>,
}

impl<'a> Machine<'a> {
    /// A machine without power.
    pub(super) fn new(node: &'static Node, fixture: Fixture<'a>) -> io::Result<Self> {
        let directory = fixture.directory.join(node.name);
        fs::create_dir_all(directory.join("sys"))?;
        fs::create_dir_all(directory.join("var-lib-scst"))?;
        Ok(Self { node, fixture, directory, mount: None, unknowns: Vec::new() })
    }

    pub(super) fn node(&self) -> &'static Node {
        self.node
    }

    pub(super) fn fabric(&self) -> &'static Fabric {
        self.fixture.fabric
    }

    pub(super) fn name(&self) -> &'static str {
        self.node.name
    }

    /// Switches it on or off.
    pub(super) fn set_power(&mut self, power: Power) -> Result<(), Box<dyn Error>> {
        match power {
            Power::Unchanged => {}
            Power::Lost => {
                self.unknowns = self.unknowns();
                if let Some(mount) = self.mount.take() {
                    mount.unmount()?;
                }
                // What is in memory goes with the power: /run, and with the node the cluster's transient attributes.
                fs::remove_dir_all(self.run_directory())?;
                self.fixture.cib.set_status_attribute(self.node.name, &format!("master-{PROMOTABLE}"), None)?;
            }
            Power::Boots => {
                let scenario = Scenario::parse(&self.directory.join("machine.toml"), &self.scenario())?;
                self.mount = Some(Mount::start(self.directory.join("sys"), scenario.build()?)?);
            }
        }
        Ok(())
    }

    /// The machine in the simulator's words: SCST is installed and not loaded yet, the ports are in their slots.
    fn scenario(&self) -> String {
        if !self.fixture.fabric.hardware {
            return "var_lib = \"var-lib-scst\"\n".to_owned();
        }
        let ports = self.node.ports.map(|(name, _)| format!("[[port]]\nwwpn = \"{name}\"\n"));
        format!("var_lib = \"var-lib-scst\"\n\n{}", ports.join("\n"))
    }

    fn run_directory(&self) -> PathBuf {
        self.directory.join("run")
    }

    /// What its kernel shows.
    pub(super) fn kernel(&self) -> Kernel {
        let root = self.mount.as_ref().map(|mount| mount.dir().to_owned());
        let score = self.fixture.cib.score(self.node.name, PROMOTABLE).unwrap_or_default();
        Kernel { root, score, driver: self.fixture.fabric.driver }
    }

    /// What was asked of the simulator that it does not know.
    pub(super) fn unknowns(&self) -> Vec<String> {
        let now = self.mount.iter().flat_map(Mount::unknowns);
        let lines = now.map(|unknown| format!("{}: {}", unknown.path.escape_ascii(), unknown.what));
        self.unknowns.iter().cloned().chain(lines).collect()
    }

    fn writes(&self) -> usize {
        self.mount.as_ref().map_or(0, |mount| mount.writes().len())
    }

    /// Calls an agent, in the environment that Pacemaker gives it and no other.
    pub(super) fn call(&self, call: &Call, transition: &Transition) -> io::Result<Called> {
        let agent = match call.agent {
            Agent::Ports => self.fixture.fabric.resource.1,
            Agent::Group => "scst_aluadg",
        };
        let mut command = Command::new(workspace::binary(agent)?);
        command
            .arg(action(call))
            .env_clear()
            .envs(environment(call, transition, self.fixture.fabric, self.node))
            .env("PATH", format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", self.fixture.commands.display()))
            .env("HA_LOGFILE", self.directory.join("log"))
            .env("HA_RSCTMP", self.run_directory())
            .env("SCST_SYSFS_ROOT", self.directory.join("sys"))
            .env("SCST_VAR_LIB", self.directory.join("var-lib-scst"))
            .env("STAND_IN_CIB", self.fixture.cib.path())
            .env("STAND_IN_NODE", self.node.name)
            .stdin(Stdio::null());
        let before = self.writes();
        let started = Instant::now();
        let output = command.output()?;
        let took = started.elapsed();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        Ok(Called { exit: output.status.code(), took, writes: self.writes() - before, stderr })
    }
}
