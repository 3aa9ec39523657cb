//! A world of one case after the other: a node with its simulated SCST, foreign objects on it, and runs of the agents.
//!
//! The node has two ports of ours and one of somebody else, who has also made an initiator group, a device, a device group
//! and a LUN. A second node is known to the cluster only. Nothing of this machine is touched.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use scst_sim::host::{EntryKind, FileEntry, Files};
use scst_sim::model::{FcPort, Machine, ScstVersion};
use scst_sim::mount::{Mount, Pace, Setup};
use scst_sim::stand_in::{self, cib::CibFile};
use tempfile::TempDir;

use super::story::Agent;
use crate::workspace;

/// The local ports, in the order of their numbers.
pub(super) const PORTS: [&str; 2] = ["21:00:00:24:ff:60:d0:10", "21:00:00:24:ff:60:d0:11"];
/// A port of the same driver that is not ours.
const FOREIGN_PORT: &str = "21:00:00:24:ff:60:d0:99";
/// The ports of the other node.
const PEER: [&str; 2] = ["21:00:00:1b:32:0b:52:75", "21:01:00:1b:32:2b:52:75"];
/// The device on which somebody else holds a block.
pub(super) const HELD: &str = "ssd_nul";

/// Longer than any run may take that is not meant to hang.
const LIMIT: Duration = Duration::from_mins(1);

/// One run's outcome.
#[derive(Debug)]
pub(super) struct Outcome {
    /// Exit code; `None` after a signal.
    pub(super) code: Option<i32>,
    /// The exit reasons on stderr, in order.
    pub(super) reasons: Vec<String>,
    /// The log.
    pub(super) log: String,
    /// From start to end of the process.
    pub(super) took: Duration,
}

impl Outcome {
    /// Code and reason in one line.
    pub(super) fn brief(&self) -> String {
        let code = self.code.map_or_else(|| "a signal".to_owned(), |code| code.to_string());
        format!("{code} after {} ms, {:?}", self.took.as_millis(), self.reasons)
    }
}

/// What an action is called with besides its parameters.
#[derive(Debug, Clone, Default)]
pub(super) struct Call<'a> {
    /// Other parameters than the usual ones.
    pub(super) earlier: bool,
    /// Meta attributes, such as the notification lists.
    pub(super) meta: Vec<(String, String)>,
    /// The time-out; 20 s if none is given.
    pub(super) timeout: Option<Duration>,
    /// Level 10, as a recurring monitor has it.
    pub(super) thorough: bool,
    /// The action.
    pub(super) action: &'a str,
}

/// The node.
pub(super) struct World {
    // Before the directory it is mounted in.
    mount: Mount,
    cib: CibFile,
    dir: TempDir,
}

impl World {
    /// A node with SCST loaded and somebody else's objects.
    pub(super) fn new() -> io::Result<Self> {
        let dir = tempfile::Builder::new().prefix("scst-faults-").tempdir()?;
        let path = dir.path();
        for name in ["sys", "scst", "scst/pr", "run"] {
            fs::create_dir(path.join(name))?;
        }
        let cib = CibFile::create(path.join("cib.xml"), &[("alpha", "1"), ("beta", "2")])?;
        for (node, ports) in [("alpha", PORTS), ("beta", PEER)] {
            cib.set_node_attribute(node, "targetports", Some(&ports.join(",")))?;
        }
        stand_in::install(&path.join("sbin"), &workspace::binary("scst-sim")?)?;
        let files = Files::new().with_var_lib(&path.join("scst"));
        for name in ["disk", "file"] {
            File::create(path.join(name))?.set_len(1 << 20)?;
        }
        files.declare(&disk(&path.join("disk"))).map_err(io::Error::other)?;
        let mut machine = Machine::new(ScstVersion::V3_11, Box::new(files.clone()));
        for (wwpn, host) in PORTS.iter().chain([&FOREIGN_PORT]).zip(1..) {
            machine.plug(port(wwpn, host));
        }
        let setup = Setup { machine, files: Some(files), loadable: None, faults: Vec::new(), pace: Pace::Real };
        let mount = Mount::start(path.join("sys"), setup).map_err(io::Error::other)?;
        let world = Self { mount, cib, dir };
        world.foreign()?;
        Ok(world)
    }

    /// Somebody else's objects, of every kind there is.
    fn foreign(&self) -> io::Result<()> {
        for module in ["scst", "scst_disk", "scst_vdisk", "qla2x00tgt"] {
            self.mount.control(&format!("modprobe {module}")).map_err(io::Error::other)?;
        }
        let port = format!("targets/qla2x00t/{FOREIGN_PORT}");
        let shared = format!("targets/qla2x00t/{}/ini_groups", PORTS[0]);
        self.write("handlers/vdisk_nullio/mgmt", "add_device other_lu0")?;
        self.write(&format!("{port}/rel_tgt_id"), "77")?;
        self.write(&format!("{port}/enabled"), "1")?;
        self.write(&format!("{port}/luns/mgmt"), "add other_lu0 0")?;
        self.write(&format!("{shared}/mgmt"), "create guest")?;
        self.write(&format!("{shared}/guest/initiators/mgmt"), "add 50:00:00:00:00:00:00:77")?;
        self.write(&format!("{shared}/guest/luns/mgmt"), "add other_lu0 7")?;
        self.write("device_groups/mgmt", "create other")?;
        self.write("device_groups/other/devices/mgmt", "add other_lu0")?;
        self.write("device_groups/other/target_groups/mgmt", "create theirs")?;
        self.write("device_groups/other/target_groups/theirs/group_id", "9")?;
        self.write("device_groups/other/target_groups/theirs/mgmt", &format!("add {FOREIGN_PORT}"))?;
        self.write("device_groups/other/target_groups/theirs/state", "nonoptimized")
    }

    /// Somebody else blocks one of our devices, and somebody maps a device of theirs for our hosts.
    pub(super) fn hold(&self) -> io::Result<()> {
        self.write(&format!("devices/{HELD}/block"), "1")
    }

    /// The machine.
    pub(super) fn mount(&self) -> &Mount {
        &self.mount
    }

    /// Everything that an action may change: the tree, and the score in the cluster.
    pub(super) fn picture(&self) -> io::Result<String> {
        let score = self.cib.score("alpha", Agent::Group.resource())?;
        Ok(format!("{}score {}\n", self.mount.picture()?, score.unwrap_or_default()))
    }

    /// The names of the records that an agent has left.
    pub(super) fn records(&self, agent: Agent) -> Vec<String> {
        let entries = fs::read_dir(self.dir.path().join("run")).into_iter().flatten().flatten();
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names
            .filter(|name| {
                name.contains(agent.program()) && Path::new(name).extension().is_none_or(|end| end != "lock")
            })
            .collect()
    }

    /// Writes an attribute by hand.
    fn write(&self, path: &str, text: &str) -> io::Result<()> {
        let file = self.mount.dir().join("kernel/scst_tgt").join(path);
        fs::write(file, text).map_err(|error| io::Error::other(format!("{text:?} to {path}: {error}")))
    }

    /// Runs an agent to its end. A run that does not end is freed, and said to have taken that long.
    pub(super) fn run(&self, agent: Agent, call: &Call<'_>) -> io::Result<Outcome> {
        let dir = self.dir.path();
        let [log, out, err] = ["log", "out", "err"].map(|name| dir.join(name));
        let _ = fs::remove_file(&log);
        let mut command = Command::new(workspace::binary(agent.program())?);
        command.arg(call.action).env_clear().current_dir("/");
        command.envs(self.environment(agent, call));
        command.env("HA_LOGFILE", &log);
        command.stdin(Stdio::null()).stdout(File::create(&out)?).stderr(File::create(&err)?);
        let began = Instant::now();
        let mut child = command.spawn()?;
        let code = self.end(&mut child, began)?;
        let took = began.elapsed();
        let text = |path: &Path| fs::read(path).map(|text| String::from_utf8_lossy(&text).into_owned());
        let reasons = text(&err)?.lines().map(|line| line.trim_start_matches("ocf-exit-reason:").to_owned()).collect();
        Ok(Outcome { code, reasons, log: text(&log).unwrap_or_default(), took })
    }

    fn end(&self, child: &mut Child, began: Instant) -> io::Result<Option<i32>> {
        let mut step = Duration::from_millis(1);
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status.code());
            }
            if began.elapsed() > LIMIT {
                self.mount.disarm();
                self.mount.release();
                child.kill()?;
            }
            std::thread::sleep(step);
            step = (step * 2).min(Duration::from_millis(8));
        }
    }

    /// What Pacemaker sets, and where this world's things are.
    fn environment(&self, agent: Agent, call: &Call<'_>) -> Vec<(String, String)> {
        let path = |path: PathBuf| path.to_string_lossy().into_owned();
        let dir = self.dir.path();
        let mut variables: Vec<(String, String)> = Vec::new();
        let mut set = |name: &str, value: &str| variables.push((name.to_owned(), value.to_owned()));
        let tools = path(dir.join("sbin"));
        set("PATH", &format!("{tools}:/usr/bin:/bin"));
        set("HA_SBIN_DIR", &tools);
        set("HA_RSCTMP", &path(dir.join("run")));
        set("SCST_VAR_LIB", &path(dir.join("scst")));
        set("SCST_SYSFS_ROOT", &path(self.mount.dir().to_owned()));
        set("STAND_IN_CIB", &path(self.cib.path().to_owned()));
        set("STAND_IN_NODE", "alpha");
        set("OCF_ROOT", "/usr/lib/ocf");
        set("OCF_RA_VERSION_MAJOR", "1");
        set("OCF_RA_VERSION_MINOR", "1");
        set("OCF_EXIT_REASON_PREFIX", "ocf-exit-reason:");
        set("OCF_RESOURCE_INSTANCE", agent.resource());
        set("OCF_RESOURCE_TYPE", agent.program());
        set("OCF_RESOURCE_PROVIDER", "onesty");
        set("OCF_RESKEY_crm_feature_set", "3.16.1");
        for (name, value) in agent.parameters(call.earlier, dir) {
            set(&format!("OCF_RESKEY_{name}"), &value);
        }
        let mut meta = |name: &str, value: &str| set(&format!("OCF_RESKEY_CRM_meta_{name}"), value);
        meta("timeout", &call.timeout.unwrap_or(Duration::from_secs(20)).as_millis().to_string());
        meta("on_node", "alpha");
        meta("on_node_uuid", "1");
        for (name, value) in [("clone", "0"), ("clone_max", "2"), ("clone_node_max", "1"), ("notify", "true")] {
            meta(name, value);
        }
        for (name, value) in &call.meta {
            meta(name, value);
        }
        if call.thorough {
            meta("interval", "10000");
            set("OCF_CHECK_LEVEL", "10");
        }
        variables
    }
}

/// A regular file that SCST takes for a disk.
fn disk(path: &Path) -> FileEntry {
    FileEntry {
        path: path.to_string_lossy().into_owned(),
        kind: EntryKind::Block,
        size: Some(1 << 20),
        ..FileEntry::default()
    }
}

fn port(wwpn: &str, host: u32) -> FcPort {
    FcPort {
        host,
        wwpn: wwpn.to_owned(),
        wwnn: format!("20{}", &wwpn[2..]),
        state: "Online".to_owned(),
        speed: "16 Gbit".to_owned(),
        target_capable: true,
        gen32: false,
    }
}
