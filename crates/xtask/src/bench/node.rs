//! A node on which actions are measured: a mounted machine with SCST loaded, and the cluster it belongs to.
//!
//! The mount is served by this process, so this process must be a release build: what is measured is the agents, not a
//! simulator that was built for debugging.

use std::error::Error;
use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use scst_sim::counters::Counts;
use scst_sim::host::Files;
use scst_sim::model::{FcPort, Machine, ScstVersion};
use scst_sim::mount::{Mount, Pace, Setup};
use scst_sim::stand_in::cib::CibFile;
use scst_sim::stand_in::{self, Role};
use tempfile::TempDir;

use super::call::{Agent, Call};
use super::size::Size;
use crate::workspace;

/// The release that is simulated.
pub(super) const SCST: ScstVersion = ScstVersion::V3_11;

/// The nodes and their ids.
const NODES: [(&str, u32); 2] = [("alpha", 1), ("beta", 2)];

/// How long an action may take before it counts as one that does not end.
const LIMIT: Duration = Duration::from_mins(10);

/// What came of one run.
#[derive(Debug, Clone)]
pub(super) struct Run {
    /// Exit code; `None` after a signal.
    pub(super) code: Option<i32>,
    /// From start to end of the process.
    pub(super) took: Duration,
    /// What the kernel was asked for meanwhile, by the agent and all it started.
    pub(super) counts: Counts,
    /// Its last words on stderr.
    pub(super) said: String,
}

impl Run {
    /// Attributes, directories and links that were opened.
    pub(super) fn opened(&self) -> u64 {
        self.counts.opens + self.counts.lists + self.counts.readlinks
    }

    /// Everything that was asked for.
    pub(super) fn asked(&self) -> u64 {
        self.counts.reads + self.counts.writes + self.counts.lists + self.counts.readlinks
    }

    /// The run, if it ended with this code.
    pub(super) fn ended(self, what: &str, code: i32) -> Result<Self, Box<dyn Error>> {
        if self.code == Some(code) { Ok(self) } else { Err(format!("{what} {}", self.failure()).into()) }
    }

    /// How it ended, in words.
    pub(super) fn failure(&self) -> String {
        let end = self.code.map_or_else(|| "was ended by a signal".to_owned(), |code| format!("ended with {code}"));
        if self.said.is_empty() { end } else { format!("{end}: {}", self.said) }
    }
}

/// Two nodes, each with a machine of its own.
pub(super) struct Cluster {
    nodes: Vec<Node>,
    cib: CibFile,
    size: Size,
    dir: TempDir,
}

/// One of them.
pub(super) struct Node {
    name: &'static str,
    id: u32,
    mount: Mount,
    dir: PathBuf,
}

impl Cluster {
    /// Nodes of this size, with SCST and its modules loaded and nothing configured.
    pub(super) fn new(size: Size) -> Result<Self, Box<dyn Error>> {
        let dir = tempfile::Builder::new().prefix("scst-bench-").tempdir()?;
        let ids = NODES.map(|(name, id)| (name, id.to_string()));
        let cib = CibFile::create(dir.path().join("cib.xml"), &ids.each_ref().map(|(name, id)| (*name, id.as_str())))?;
        stand_in::install(&dir.path().join("sbin"), &workspace::binary("scst-sim")?)?;
        let mut nodes = Vec::new();
        for (name, id) in NODES {
            cib.set_node_attribute(name, "targetports", Some(&size.ports_of(id).join(",")))?;
            nodes.push(Node::new(&dir.path().join(name), name, id, size)?);
        }
        Ok(Self { nodes, cib, size, dir })
    }

    /// A node: 0 or 1.
    pub(super) fn node(&self, index: usize) -> &Node {
        &self.nodes[index]
    }

    /// The command that calls an agent on a node, in the environment that Pacemaker gives it and no other.
    pub(super) fn command(&self, node: usize, program: &Path, arguments: &[&str], call: &Call) -> Command {
        let Node { name, id, dir, mount } = &self.nodes[node];
        let tools = self.dir.path().join("sbin");
        let mut command = Command::new(program);
        command.args(arguments).env_clear().envs(call.variables(self.size)).current_dir("/");
        command
            .env("OCF_RESKEY_CRM_meta_on_node", name)
            .env("OCF_RESKEY_CRM_meta_on_node_uuid", id.to_string())
            .env("PATH", format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", tools.display()))
            .env("HA_SBIN_DIR", &tools)
            .env("HA_RSCTMP", dir.join("run"))
            .env("HA_LOGFILE", dir.join("log"))
            .env("SCST_VAR_LIB", dir.join("scst"))
            .env("SCST_SYSFS_ROOT", mount.dir())
            .env("STAND_IN_CIB", self.cib.path())
            .env("STAND_IN_NODE", name);
        command
    }

    /// Calls an agent of these programs and waits for its end.
    pub(super) fn run(&self, node: usize, programs: &Path, call: &Call) -> Result<Run, Box<dyn Error>> {
        let command = self.command(node, &programs.join(call.agent.program()), &[call.verb()], call);
        let run = self.nodes[node].run(command)?;
        let role = match (call.action, run.code) {
            ("start" | "demote", Some(0)) if call.agent == Agent::Group => Some(Role::Unpromoted),
            ("start", Some(0)) => Some(Role::Started),
            ("promote", Some(0)) => Some(Role::Promoted),
            ("stop", Some(0)) => Some(Role::Stopped),
            _ => None,
        };
        if let Some(role) = role {
            self.cib.set_role(self.nodes[node].name, call.agent.resource(), role)?;
        }
        Ok(run)
    }

    /// Calls an agent, which must succeed.
    pub(super) fn succeed(&self, node: usize, programs: &Path, call: &Call) -> Result<Run, Box<dyn Error>> {
        let what = format!("{} {} of {}", call.agent.program(), call.action, self.size);
        self.run(node, programs, call)?.ended(&what, 0)
    }

    /// Brings the ports of a node up.
    pub(super) fn ports(&self, node: usize, programs: &Path) -> Result<Run, Box<dyn Error>> {
        self.succeed(node, programs, &Call::new(Agent::Ports, "start"))
    }
}

impl Node {
    fn new(dir: &Path, name: &'static str, id: u32, size: Size) -> Result<Self, Box<dyn Error>> {
        for part in ["sys", "run", "scst/pr"] {
            fs::create_dir_all(dir.join(part))?;
        }
        let files = Files::new().with_var_lib(&dir.join("scst"));
        let mut machine = Machine::new(SCST, Box::new(files.clone()));
        for (wwpn, host) in size.ports_of(id).into_iter().zip(1..) {
            machine.plug(FcPort::online(host, wwpn));
        }
        let setup = Setup { machine, files: Some(files), loadable: None, faults: Vec::new(), pace: Pace::Real };
        let mount = Mount::start(dir.join("sys"), setup)?;
        for module in ["scst", "scst_disk", "scst_vdisk", "qla2x00tgt"] {
            mount.control(&format!("modprobe {module}"))?;
        }
        Ok(Self { name, id, mount, dir: dir.to_owned() })
    }

    /// Its machine.
    pub(super) fn mount(&self) -> &Mount {
        &self.mount
    }

    /// What stands for its `/var/lib/scst`.
    pub(super) fn var_lib(&self) -> PathBuf {
        self.dir.join("scst")
    }

    /// Runs a command to its end, and counts what it asks of this node's kernel.
    pub(super) fn run(&self, mut command: Command) -> io::Result<Run> {
        let err = self.dir.join("err");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&err)?).process_group(0);
        self.mount.reset_counters();
        let began = Instant::now();
        let mut child = command.spawn()?;
        let group = Pid::from_raw(child.id().cast_signed());
        let (ended, wait) = channel::<()>();
        let watch = thread::spawn(move || {
            if wait.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
                // It and all it started; if they ended just now, nobody is there to be told.
                let _ = killpg(group, Signal::SIGKILL);
            }
        });
        let status = child.wait()?;
        let took = began.elapsed();
        drop(ended);
        let _ = watch.join();
        let text = String::from_utf8_lossy(&fs::read(&err)?).into_owned();
        let said = text.lines().map(|line| line.trim_start_matches("ocf-exit-reason:")).rfind(|line| !line.is_empty());
        let said = said.unwrap_or_default().to_owned();
        Ok(Run { code: status.code(), took, counts: self.mount.counters().total, said })
    }
}
