//! The model of a node against the agent itself: the same drawn life, on the model and by the real binary on a mounted machine. After
//! every call both must have the same tree, the same record and the answer that Pacemaker expects.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use scst_core::ocf::notify::PeerRole;
use scst_core::scst::alua::AluaState;
use scst_core::scst::names::NodeName;
use scst_core::state_file::{Remembered, StateFile};
use scst_core::system::Machine;
use scst_sim::host::Files;
use scst_sim::mount::{Mount, Pace, Setup};
use scst_sim::stand_in::cib::CibFile;
use scst_sim::stand_in::{self, Role};
use tempfile::TempDir;

use super::call::{Call, Masks, Op, members};
use super::life::{attributes, call};
use super::native::NodeState;
use super::nodes::Nodes;
use super::real::{Real, booted, tree};
use super::site::{ATTRIBUTES, Attributes, GROUP, NODES, Site};
use super::walk::Lot;
use crate::workspace;

const COUNT: usize = 3;
/// The node that lives; of the others there is only what the cluster tells.
const NODE: usize = 0;
const RESOURCE: &str = "scst_dg";
/// More than a lost notification is waited for, in seconds.
const LONG: u64 = 200;

/// Lives for so many calls; answers what differs, if anything.
pub(super) fn live(calls: usize, seed: u64) -> Result<Option<String>, Box<dyn Error>> {
    if let Some(reason) = workspace::cannot_mount() {
        return Err(reason.into());
    }
    workspace::build_binaries()?;
    if Machine::system().now().as_secs() < 2 * LONG {
        return Err("this machine has booted too lately for stamps that are old".into());
    }
    let world = World::new()?;
    let mut lot = Lot::new(seed);
    let mut nodes = Nodes::new(Site::new(COUNT), None);
    let mut number = nodes.booted(NODE, false);
    for done in 0..calls {
        let (call, attributes) = (call(&mut lot), attributes(&mut lot));
        // The real disk opens always.
        if matches!(call, Call::PromoteFails(_)) {
            continue;
        }
        let run = nodes.run(NODE, number, call, attributes);
        let differs = world.differs(call, attributes, &run.state)?;
        if let Some(differs) = differs {
            return Ok(Some(format!("call {done}, {call:?}: {differs}")));
        }
        number = nodes.call(NODE, number, call, attributes).state;
    }
    Ok(None)
}

/// The real node and its cluster.
struct World {
    // Before the directory it is mounted in.
    mount: Mount,
    cib: CibFile,
    dir: TempDir,
}

impl World {
    fn new() -> Result<Self, Box<dyn Error>> {
        let dir = tempfile::Builder::new().prefix("scst-model-").tempdir()?;
        let path = dir.path();
        for name in ["sys", "scst", "scst/pr", "run"] {
            fs::create_dir(path.join(name))?;
        }
        let ids = ["1", "2", "3"];
        let named: Vec<_> = NODES.into_iter().zip(ids).collect();
        let cib = CibFile::create(path.join("cib.xml"), &named)?;
        cib.add_promotable("ms_scst_dg", RESOURCE, "ocf:onesty:scst_aluadg")?;
        stand_in::install(&path.join("sbin"), &workspace::binary("scst-sim")?)?;
        let files = Files::new().with_var_lib(&path.join("scst"));
        // A file to the agent, a disk to the kernel.
        let disk = path.join("disk");
        fs::File::create(&disk)?.set_len(1 << 20)?;
        let machine = booted(NODE, files.clone(), &disk.to_string_lossy());
        let setup = Setup { machine, files: Some(files), loadable: None, faults: Vec::new(), pace: Pace::Real };
        let mount = Mount::start(path.join("sys"), setup)?;
        Ok(Self { mount, cib, dir })
    }

    fn record_file(&self) -> PathBuf {
        self.dir.path().join("run").join(format!("scst_aluadg-{RESOURCE}.state"))
    }

    fn record(&self) -> Option<StateFile> {
        StateFile::parse(&fs::read_to_string(self.record_file()).ok()?)
    }

    /// Carries a call out and compares what comes of it with the model's state.
    fn differs(&self, call: Call, attributes: Attributes, model: &NodeState) -> Result<Option<String>, Box<dyn Error>> {
        match call {
            Call::Age => return self.age().map(|()| None),
            Call::Forget => {
                // There may be none.
                let _ = fs::remove_file(self.record_file());
                return Ok(None);
            }
            _ => {}
        }
        self.tell(call, attributes)?;
        let was_there = self.mount.with_machine(|machine| Real(machine).tree(NODE)).contains(&format!("group {GROUP}"));
        let output = self.command(call)?.output()?;
        let (real, small) = (self.mount.with_machine(|machine| Real(machine).tree(NODE)), tree(&model.kernel, NODE));
        let groups = model.kernel.storage.group.iter().flat_map(|group| &group.target_groups);
        let own = groups.into_iter().find(|(node, _)| node.as_str() == NODES[NODE]).map(|(_, own)| own.state);
        let expected = match (call, own) {
            (Call::Monitor(_), None) => 7,
            (Call::Monitor(_), Some(AluaState::Active)) => 8,
            (Call::Reload, _) if !was_there => 7,
            _ => 0,
        };
        let said = String::from_utf8_lossy(&output.stderr);
        if output.status.code() != Some(expected) {
            return Ok(Some(format!("{} instead of {expected}: {said}", output.status)));
        }
        if real != small {
            let only = |a: &BTreeSet<String>, b| a.difference(b).cloned().collect::<Vec<_>>();
            return Ok(Some(format!("machine {:#?}, model {:#?}", only(&real, &small), only(&small, &real))));
        }
        let (real, small) =
            (remembered(self.record().as_ref(), Machine::system().now().as_secs()), known(&model.record));
        Ok((real != small).then(|| format!("record {real:#?}, model {small:#?}")))
    }

    /// What the cluster knows at this call.
    fn tell(&self, call: Call, attributes: Attributes) -> Result<(), Box<dyn Error>> {
        if call.asks_the_cluster() {
            for (node, value) in attributes.into_iter().enumerate().take(COUNT) {
                let ports = ATTRIBUTES[usize::from(value)].iter().map(|n| Site::port(node, *n).to_string());
                let text = ports.collect::<Vec<_>>().join(",");
                self.cib.set_node_attribute(NODES[node], "targetports", Some(&text))?;
            }
        }
        if let Call::Monitor(roles) = call {
            for (node, name) in NODES.into_iter().enumerate().take(COUNT) {
                let role = match roles.of(node) {
                    PeerRole::Promoted => Role::Promoted,
                    PeerRole::Running => Role::Unpromoted,
                    _ => Role::Stopped,
                };
                self.cib.set_role(name, RESOURCE, role)?;
            }
        }
        Ok(())
    }

    /// The agent, as Pacemaker calls it.
    fn command(&self, call: Call) -> Result<Command, Box<dyn Error>> {
        let dir = self.dir.path();
        let tools = dir.join("sbin");
        let mut command = Command::new(workspace::binary("scst_aluadg")?);
        command.env_clear().current_dir("/").stdin(Stdio::null());
        command.env("PATH", format!("{}:/usr/bin:/bin", tools.display()));
        command.env("HA_SBIN_DIR", &tools).env("HA_RSCTMP", dir.join("run")).env("HA_LOGFILE", dir.join("log"));
        command.env("SCST_VAR_LIB", dir.join("scst")).env("SCST_SYSFS_ROOT", self.mount.dir());
        command.env("STAND_IN_CIB", self.cib.path()).env("STAND_IN_NODE", NODES[NODE]);
        command.env("OCF_ROOT", "/usr/lib/ocf").env("OCF_RA_VERSION_MAJOR", "1").env("OCF_RA_VERSION_MINOR", "1");
        command.env("OCF_RESOURCE_INSTANCE", RESOURCE).env("OCF_RESOURCE_PROVIDER", "onesty");
        for (name, value) in Site::parameters(&dir.join("disk").to_string_lossy()) {
            command.env(format!("OCF_RESKEY_{name}"), value);
        }
        let meta = |name: &str| format!("OCF_RESKEY_CRM_meta_{name}");
        for (name, value) in
            [("timeout", "60000"), ("on_node", NODES[NODE]), ("clone_node_max", "1"), ("notify", "true")]
        {
            command.env(meta(name), value);
        }
        let mut lists = |masks: Masks| {
            let unpromoted = masks.active & !masks.promoted;
            for (name, set) in [("active", masks.active), ("promoted", masks.promoted), ("unpromoted", unpromoted)]
                .into_iter()
                .chain(Op::ALL.into_iter().map(|op| (op.name(), masks.of(op))))
            {
                let names: Vec<&str> = members(set).map(|node| NODES[node]).collect();
                let text = if names.is_empty() { " ".to_owned() } else { names.join(" ") };
                command.env(meta(&format!("notify_{name}_uname")), text);
            }
        };
        let action = match call {
            Call::Start(masks) => {
                masks.map(&mut lists);
                "start"
            }
            Call::Promote(masks) | Call::PromoteFails(masks) => {
                lists(masks);
                "promote"
            }
            Call::Notify(after, op, masks) => {
                lists(masks);
                command.env(meta("notify_type"), if after { "post" } else { "pre" });
                command.env(meta("notify_operation"), op.name());
                "notify"
            }
            Call::Monitor(_) => {
                command.env(meta("interval"), "10000");
                "monitor"
            }
            Call::Demote | Call::DemoteFails => "demote",
            Call::Stop => "stop",
            Call::Reload => "reload",
            Call::Age | Call::Upgrade | Call::Forget => return Err("not an action".into()),
        };
        command.arg(action);
        Ok(command)
    }

    /// Every stamp is old by now.
    fn age(&self) -> Result<(), Box<dyn Error>> {
        if let Some(mut record) = self.record() {
            record.peers.values_mut().for_each(|(_, at)| *at = at.saturating_sub(LONG));
            fs::write(self.record_file(), record.text())?;
        }
        Ok(())
    }
}

/// What of a record is compared: who, which devices and ports, and of each peer the last state and whether its stamp is old.
type Aged = (StateFile, BTreeMap<NodeName, (AluaState, bool)>);

fn remembered(record: Option<&StateFile>, now: u64) -> Option<Aged> {
    let record = record?;
    let old = |at: u64| now.saturating_sub(at) > LONG / 2;
    let peers = record.peers.iter().map(|(node, (state, at))| (node.clone(), (*state, old(*at)))).collect();
    Some((StateFile { peers: BTreeMap::new(), boot: String::new(), ..record.clone() }, peers))
}

fn known(record: &Remembered) -> Option<Aged> {
    remembered(record.known(), super::native::NOW)
}
