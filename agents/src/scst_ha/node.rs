//! A node as one run sees it: the kernel's tree, the cluster's commands, and the end of the run. It is this machine, or one that was.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use scst_core::cluster::{self, ClusterError, Configuration};
use scst_core::command::Tools;
use scst_core::deadline::Deadline;
use scst_core::observe::Observer;
use scst_core::ocf::env::Env;
use scst_core::ocf::run::Context;
use scst_core::sysfs::Sysfs;
use scst_core::system::{Machine, System};

use super::output::Page;
use super::snapshot::{Places, Recorder, Replay, Snapshot};

/// What one run works with.
#[derive(Debug)]
pub(super) struct Node {
    /// What lies outside the run.
    system: Arc<dyn System>,
    /// The kernel's tree.
    pub(super) sysfs: Sysfs,
    /// The cluster's commands.
    pub(super) tools: Tools,
    /// The end of the run.
    pub(super) deadline: Deadline,
    /// How long a run may take.
    timeout: Duration,
    /// Who keeps what is seen, if anybody does.
    recorder: Option<Arc<Recorder>>,
    /// Where another machine had its places.
    places: Option<Places>,
}

impl Node {
    /// This node, for so long.
    pub(super) fn new(timeout: Duration) -> Self {
        Self::of(Machine::system(), &Env::from_process(), timeout)
    }

    /// The same, with everything kept that is seen.
    pub(super) fn recording(timeout: Duration) -> Self {
        let env = Env::from_process();
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        let places =
            Places { sysfs_root: text(env.sysfs_root()), rsctmp: text(env.rsctmp()), var_lib: text(env.var_lib()) };
        let recorder = Arc::new(Recorder::new(Machine::system(), places));
        let system: Arc<dyn System> = Arc::<Recorder>::clone(&recorder);
        Self { recorder: Some(recorder), ..Self::of(system, &env, timeout) }
    }

    /// A node that was. It has no cluster and no time.
    pub(super) fn replaying(replay: Arc<Replay>, places: Places) -> Self {
        let env = Env::from_pairs(variables(&places));
        Self { places: Some(places), ..Self::of(replay, &env, Duration::from_mins(10)) }
    }

    /// A node whose outside is this, without a cluster.
    #[cfg(test)]
    pub(super) fn on(system: Arc<dyn System>) -> Self {
        Self::of(system, &Env::from_process(), Duration::from_mins(10))
    }

    fn of(system: Arc<dyn System>, env: &Env, timeout: Duration) -> Self {
        Self {
            sysfs: Sysfs::new(Arc::clone(&system), env.sysfs_root()),
            tools: Tools::from_env(Arc::clone(&system), env),
            deadline: Deadline::for_timeout(Arc::clone(&system), timeout, Arc::default()),
            system,
            timeout,
            recorder: None,
            places: None,
        }
    }

    /// This node for another look, which has its own time.
    pub(super) fn again(&self) -> Self {
        Self::new(self.timeout)
    }

    /// What was seen so far, where it is kept.
    pub(super) fn snapshot(&self) -> Option<Snapshot> {
        self.recorder.as_ref().map(|recorder| recorder.snapshot())
    }

    /// A look at the kernel's tree.
    pub(super) fn observer(&self) -> Observer<'_> {
        Observer { sysfs: &self.sysfs, deadline: &self.deadline }
    }

    /// What standard output is.
    pub(super) fn page(&self) -> Page {
        let limit = Duration::from_secs(1).min(self.deadline.remaining() / 2);
        Page::stdout(|| self.tools.run("stty", &["-F", "/dev/tty", "size"], limit).ok())
    }

    /// Where SCST keeps what outlives a reboot.
    pub(super) fn var_lib(&self) -> PathBuf {
        self.env(Vec::new()).var_lib()
    }

    /// Where the agents keep their state files.
    pub(super) fn rsctmp(&self) -> PathBuf {
        self.env(Vec::new()).rsctmp()
    }

    /// What an agent would be told that runs with these parameters. Everything it does is a dry run.
    pub(super) fn context(&self, resource: &str, params: &BTreeMap<String, String>) -> Context {
        let params = params.iter().map(|(name, value)| (format!("OCF_RESKEY_{name}").into(), value.into()));
        let instance = [("OCF_RESOURCE_INSTANCE".into(), resource.into())];
        Context {
            env: self.env(params.chain(instance).collect()),
            system: Arc::clone(&self.system),
            deadline: self.deadline.clone(),
            dry_run: true,
            cancelled: Arc::default(),
        }
    }

    /// Of the environment only the places: a variable of an agent that somebody exported is none of the resource's.
    fn env(&self, more: Vec<(OsString, OsString)>) -> Env {
        let own = std::env::vars_os().filter(|(name, _)| !name.to_string_lossy().starts_with("OCF_"));
        let places = self.places.iter().flat_map(variables).map(|(name, value)| (name.into(), value.into()));
        Env::from_pairs(own.chain(places).chain(more))
    }

    /// This node's name, and what the cluster has configured.
    pub(super) fn cluster(&self) -> Result<(String, Configuration), ClusterError> {
        let configuration = cluster::query_configuration(&self.tools, &self.deadline)?;
        Ok((cluster::local_node_name(&self.tools, &self.deadline)?, configuration))
    }

    /// The document that the cluster has configured.
    pub(super) fn configuration(&self) -> Result<String, ClusterError> {
        let limit = Duration::from_secs(10).min(self.deadline.remaining() / 2);
        Ok(self.tools.run("cibadmin", &["--query", "--scope", "configuration"], limit)?)
    }
}

/// The variables that say these places.
fn variables(places: &Places) -> [(&'static str, String); 3] {
    [
        ("SCST_SYSFS_ROOT", places.sysfs_root.clone()),
        ("HA_RSCTMP", places.rsctmp.clone()),
        ("SCST_VAR_LIB", places.var_lib.clone()),
    ]
}
