//! Two nodes on which actions are measured: each a mounted machine with SCST loaded, in one cluster.
//!
//! The mounts are served by this process, so this process must be a release build: what is measured is the agents, not a
//! simulator that was built for debugging.

use std::error::Error;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use scst_sim::counters::Counts;
use scst_sim::host::Files;
use scst_sim::model::{FcPort, Machine, ScstVersion};
use scst_sim::mount::{Mount, Pace, Setup};
use scst_sim::stand_in::cib::CibFile;
use scst_sim::stand_in::{self, Role};
use tempfile::TempDir;

use super::call::{Call, NODES, ports};
use super::size::Size;
use crate::workspace;

/// What came of one run.
#[derive(Debug, Clone)]
pub(super) struct Run {
    /// From start to end of the process.
    pub(super) took: Duration,
    /// What the kernel was asked for meanwhile, by the program and all it started.
    pub(super) counts: Counts,
}

impl Run {
    /// Attributes, directories and links that were opened.
    pub(super) fn opened(&self) -> u64 {
        self.counts.opens + self.counts.lists + self.counts.readlinks
    }
}

/// Two nodes, each with a machine of its own.
pub(super) struct Cluster {
    programs: PathBuf,
    mounts: Vec<Mount>,
    cib: CibFile,
    size: Size,
    dir: TempDir,
}

impl Cluster {
    /// Nodes of this size, with SCST and its modules loaded; these calls of the agents were made already on the first.
    pub(super) fn new(programs: &Path, size: Size, before: &[Call]) -> Result<Self, Box<dyn Error>> {
        let dir = tempfile::Builder::new().prefix("scst-bench-").tempdir()?;
        let cib = CibFile::create(dir.path().join("cib.xml"), &[(NODES[0], "1"), (NODES[1], "2")])?;
        stand_in::install(&dir.path().join("sbin"), &workspace::binary("scst-sim")?)?;
        let mut mounts = Vec::new();
        for (name, id) in NODES.into_iter().zip(1..) {
            cib.set_node_attribute(name, "targetports", Some(&size.ports_of(id).join(",")))?;
            mounts.push(machine(&dir.path().join(name), id, size)?);
        }
        let cluster = Self { programs: programs.to_owned(), mounts, cib, size, dir };
        cluster.call(0, &ports("start"))?;
        before.iter().try_for_each(|call| cluster.call(0, call).map(drop))?;
        Ok(cluster)
    }

    /// The machine of a node: 0 or 1.
    pub(super) fn mount(&self, node: usize) -> &Mount {
        &self.mounts[node]
    }

    /// The command that calls an agent on a node, in the environment that Pacemaker gives it and no other.
    pub(super) fn command(&self, node: usize, call: &Call) -> Command {
        let (own, tools) = (self.dir.path().join(NODES[node]), self.dir.path().join("sbin"));
        let mut command = Command::new(self.programs.join(call.program));
        command.arg(call.verb()).env_clear().envs(call.variables(self.size, node)).current_dir("/");
        command
            .env("PATH", format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", tools.display()))
            .env("HA_SBIN_DIR", &tools)
            .env("HA_RSCTMP", own.join("run"))
            .env("HA_LOGFILE", own.join("log"))
            .env("SCST_VAR_LIB", own.join("scst"))
            .env("SCST_SYSFS_ROOT", self.mounts[node].dir())
            .env("STAND_IN_CIB", self.cib.path())
            .env("STAND_IN_NODE", NODES[node]);
        command
    }

    /// Calls an agent, which must succeed.
    pub(super) fn call(&self, node: usize, call: &Call) -> Result<Run, Box<dyn Error>> {
        let run = self.run(node, self.command(node, call), &[0, 8])?;
        let role = match call.action {
            "start" | "demote" if call.is_of_group() => Role::Unpromoted,
            "start" => Role::Started,
            "promote" => Role::Promoted,
            "stop" => Role::Stopped,
            _ => return Ok(run),
        };
        self.cib.set_role(NODES[node], call.resource, role)?;
        Ok(run)
    }

    /// Runs a command to its end, which must be one of these codes, and counts what it asks of a node's kernel.
    pub(super) fn run(&self, node: usize, mut command: Command, codes: &[i32]) -> Result<Run, Box<dyn Error>> {
        let err = self.dir.path().join("err");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&err)?);
        self.mounts[node].reset_counters();
        let began = Instant::now();
        let status = command.status()?;
        let took = began.elapsed();
        if !status.code().is_some_and(|code| codes.contains(&code)) {
            let said = fs::read(&err)?;
            let said = String::from_utf8_lossy(&said);
            return Err(format!("{command:?} with {} ended with {status}: {}", self.size, said.trim()).into());
        }
        Ok(Run { took, counts: self.mounts[node].counters().total })
    }
}

fn machine(dir: &Path, id: u32, size: Size) -> Result<Mount, Box<dyn Error>> {
    for part in ["sys", "run", "scst/pr"] {
        fs::create_dir_all(dir.join(part))?;
    }
    let files = Files::new().with_var_lib(&dir.join("scst"));
    let mut machine = Machine::new(ScstVersion::V3_11, Box::new(files.clone()));
    for (wwpn, host) in size.ports_of(id).into_iter().zip(1..) {
        machine.plug(FcPort::online(host, wwpn));
    }
    let setup = Setup { machine, files: Some(files), loadable: None, faults: Vec::new(), pace: Pace::Real };
    let mount = Mount::start(dir.join("sys"), setup)?;
    for module in ["scst", "scst_disk", "scst_vdisk", "qla2x00tgt"] {
        mount.control(&format!("modprobe {module}"))?;
    }
    Ok(mount)
}
