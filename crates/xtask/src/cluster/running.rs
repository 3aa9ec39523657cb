//! A running cluster: its nodes, what it is configured to be, and waiting for it.

use std::error::Error;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::config::{Cib, Config, Machine, description};
use super::rig::{Fencer, Member, Node, write_members};
use super::status::Status;
use crate::workspace;

/// The longest any wait may take. The cluster itself needs seconds; this only bounds what has gone wrong.
const LIMIT: Duration = Duration::from_mins(1);

/// Asks for the state of the controller that decides. Without a time-out it would wait long for one that is not elected yet.
const CONTROLLER: &str = "dc=$(crmadmin -q -t 1s -D) && [ \"$dc\" ] && crmadmin -q -t 5s -S \"$dc\" 2>&1";

/// What a scenario and its helpers answer.
pub(super) type Outcome<T> = Result<T, Box<dyn Error>>;

/// How a cluster is to come up.
pub(super) struct Plan {
    pub(super) machines: Vec<Machine>,
    /// What it runs; `None` leaves the configuration to the scenario.
    pub(super) config: Option<Config>,
    /// With the rig's fence agent.
    pub(super) fencing: bool,
    /// Whether processes are counted.
    pub(super) counted: bool,
    /// The directory of the agents; `None` for those beside this program.
    pub(super) agents: Option<PathBuf>,
    /// Further machines that the CIB knows and that are never switched on.
    pub(super) off: Vec<Machine>,
    /// The length of one more attribute of each node.
    pub(super) filler: usize,
}

impl Plan {
    /// Alpha and beta with the standard configuration.
    pub(super) fn standard() -> Self {
        Self {
            machines: vec![super::config::alpha(), super::config::beta()],
            config: Some(Config::standard()),
            fencing: false,
            counted: false,
            agents: None,
            off: Vec::new(),
            filler: 0,
        }
    }
}

/// The cluster.
pub(super) struct Cluster {
    nodes: Nodes,
    /// The machines, in the order of the nodes.
    pub(super) machines: Vec<Machine>,
    /// What the cluster is configured to run at this moment.
    pub(super) config: Config,
    /// Fenced nodes stay off.
    pub(super) stay_down: Arc<AtomicBool>,
    /// Where the agents come from.
    agents: PathBuf,
}

type Nodes = Arc<RwLock<Vec<Arc<Node>>>>;

impl Cluster {
    /// The sample configuration on two nodes, with shared LUNs.
    pub(super) fn standard() -> Outcome<Self> {
        Self::boot(Plan::standard())
    }

    /// Boots all nodes; the cluster forms by and by.
    pub(super) fn boot(plan: Plan) -> Outcome<Self> {
        let nodes: Nodes = Arc::default();
        let stay_down = Arc::new(AtomicBool::new(false));
        let agents = match plan.agents {
            Some(directory) => directory,
            None => workspace::binary("")?,
        };
        let config = plan.config.clone().unwrap_or_else(Config::standard);
        let mut cluster = Self { nodes, machines: Vec::new(), config, stay_down, agents };
        let known = [plan.machines.as_slice(), plan.off.as_slice()].concat();
        let cib = Cib { machines: &known, config: plan.config.as_ref(), fencing: plan.fencing, filler: plan.filler }
            .document();
        let members: Vec<Member> = plan.machines.iter().map(member).collect();
        for machine in plan.machines {
            cluster.add(machine, &members, &cib, plan.counted)?;
        }
        cluster.machines.extend(plan.off);
        for node in cluster.nodes() {
            node.boot()?;
        }
        cluster.serve_fencing();
        Ok(cluster)
    }

    /// Makes a machine, without power.
    pub(super) fn add(&mut self, machine: Machine, members: &[Member], cib: &str, counted: bool) -> Outcome<()> {
        let node = Node::new(member(&machine));
        let home = node.directory();
        fs::create_dir_all(home.join("agents"))?;
        write_members(&home, members)?;
        fs::write(home.join("machine.toml"), description(&machine))?;
        fs::write(home.join("cib.xml"), cib)?;
        if counted {
            fs::write(home.join("count"), "")?;
        }
        for agent in ["scst_qla2xtgt", "scst_target", "scst_aluadg"] {
            let program = self.agents.join(agent);
            // Older agents, and others in their place, are two.
            if program.exists() || agent != "scst_target" {
                install(&program, &home.join("agents"), agent)?;
            }
        }
        self.nodes.write().unwrap_or_else(PoisonError::into_inner).push(Arc::new(node));
        self.machines.push(machine);
        Ok(())
    }

    /// Fulfils the fencer's wishes as long as this process lives.
    fn serve_fencing(&self) {
        let (nodes, stay_down) = (Arc::clone(&self.nodes), Arc::clone(&self.stay_down));
        std::thread::spawn(move || {
            let fencer = Fencer::new();
            loop {
                for wish in fencer.wishes() {
                    let all = nodes.read().unwrap_or_else(PoisonError::into_inner).clone();
                    let Some(node) = all.iter().find(|node| node.name() == wish.node) else { continue };
                    // Of two nodes that would fence each other the first one wins, as with a switch that takes one command at a time.
                    if !all.iter().any(|node| node.name() == wish.asked_by && node.is_on()) {
                        fencer.done(&wish);
                        continue;
                    }
                    // Outcome before it boots: a node that hears that it has been fenced ends itself.
                    let fulfilled = node.cut_power().and_then(|()| {
                        fencer.done(&wish);
                        if wish.boot && !stay_down.load(Ordering::Relaxed) { node.boot() } else { Ok(()) }
                    });
                    if let Err(error) = fulfilled {
                        println!("cannot fence {}: {error}", wish.node);
                    }
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        });
    }

    /// All nodes.
    pub(super) fn nodes(&self) -> Vec<Arc<Node>> {
        self.nodes.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The node of that name.
    pub(super) fn node(&self, name: &str) -> Arc<Node> {
        let found = self.nodes().into_iter().find(|node| node.name() == name);
        found.unwrap_or_else(|| panic!("there is no node {name}"))
    }

    /// Any node that has power.
    pub(super) fn any(&self) -> Outcome<Arc<Node>> {
        self.nodes().into_iter().find(|node| node.is_on()).ok_or_else(|| "no node has power".into())
    }

    /// Runs a command on any node that has power.
    pub(super) fn run(&self, words: &[&str]) -> Outcome<String> {
        self.any()?.run(words)
    }

    /// Runs a command on a certain node.
    pub(super) fn run_on(&self, node: &str, words: &[&str]) -> Outcome<String> {
        self.node(node).run(words)
    }

    /// What the cluster knows of itself, once it can be asked.
    pub(super) fn status(&self) -> Outcome<Status> {
        self.status_of(self.any()?.name())
    }

    /// What the cluster, or the part of it that a node is in, knows of itself.
    pub(super) fn status_of(&self, node: &str) -> Outcome<Status> {
        let output = self.node(node).ask(&["crm_mon", "-1", "-A", "--output-as=xml"])?;
        Status::parse(&output.stdout)
            .map_err(|error| format!("crm_mon: {error}\n{}{}", output.stdout, output.stderr).into())
    }

    /// Waits until the cluster has nothing to do: the scheduler, asked on the side, plans nothing, and the controller rests. The first alone would
    /// miss notifications that are under way, for they leave no trace in the CIB; the second a change that has not been looked at yet.
    pub(super) fn idle(&self) -> Outcome<()> {
        until("a cluster with nothing to do", || {
            let node = self.any()?;
            let plan = node.run(&["crm_simulate", "--live-check", "--simulate"])?;
            let planned = plan.lines().skip_while(|line| *line != "Executing Cluster Transition:").skip(1);
            let planned: Vec<&str> = planned.take_while(|line| line.trim_start().starts_with("* ")).collect();
            if !planned.is_empty() {
                return Ok(Some(planned.join("\n")));
            }
            let controller = node.run(&["sh", "-c", CONTROLLER])?;
            Ok((controller.trim() != "S_IDLE").then_some(controller))
        })
    }

    /// Waits until the status is so.
    pub(super) fn status_is(&self, what: &str, wanted: impl Fn(&Status) -> bool) -> Outcome<()> {
        until(what, || {
            let status = self.status()?;
            Ok((!wanted(&status)).then(|| format!("the cluster says\n{status}")))
        })
    }
}

/// Waits until something is so. `check` answers what is still missing.
pub(super) fn until(what: &str, mut check: impl FnMut() -> Outcome<Option<String>>) -> Outcome<()> {
    let end = Instant::now() + LIMIT;
    loop {
        let missing = match check() {
            Ok(None) => return Ok(()),
            Ok(Some(missing)) => missing,
            // Daemons that come up or go down answer errors for a while.
            Err(error) => error.to_string(),
        };
        if Instant::now() > end {
            return Err(format!("{what}: not within {} s: {missing}", LIMIT.as_secs()).into());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The member that a machine is.
pub(super) fn member(machine: &Machine) -> Member {
    Member { name: machine.name.clone(), id: machine.id }
}

/// Puts a program in place by a rename, as a package would.
pub(super) fn install(program: &Path, directory: &Path, name: &str) -> Outcome<()> {
    let new = directory.join(format!(".{name}"));
    fs::copy(program, &new).map_err(|error| format!("{} cannot be copied: {error}", program.display()))?;
    fs::set_permissions(&new, fs::Permissions::from_mode(0o755))?;
    fs::rename(new, directory.join(name))?;
    Ok(())
}
