//! This node as one run sees it: the kernel's tree, the cluster's commands, and the end of the run.

use std::collections::BTreeMap;
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
}

impl Node {
    /// This node, for so long.
    pub(super) fn new(timeout: Duration) -> Self {
        let env = Env::from_process();
        let system = Machine::system();
        Self {
            sysfs: Sysfs::new(Arc::clone(&system), env.sysfs_root()),
            tools: Tools::from_env(Arc::clone(&system), &env),
            deadline: Deadline::for_timeout(Arc::clone(&system), timeout, Arc::default()),
            system,
        }
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

    /// What an agent would be told that runs with these parameters. Everything it does is a dry run.
    pub(super) fn context(&self, resource: &str, params: &BTreeMap<String, String>) -> Context {
        // Of the environment only the places: a variable of an agent that somebody exported is none of the resource's.
        let own = std::env::vars_os().filter(|(name, _)| !name.to_string_lossy().starts_with("OCF_"));
        let params = params.iter().map(|(name, value)| (format!("OCF_RESKEY_{name}").into(), value.into()));
        let instance = [("OCF_RESOURCE_INSTANCE".into(), resource.into())];
        let env = Env::from_pairs(own.chain(params).chain(instance));
        Context {
            env,
            system: Arc::clone(&self.system),
            deadline: self.deadline.clone(),
            dry_run: true,
            cancelled: Arc::default(),
        }
    }

    /// This node's name, and what the cluster has configured.
    pub(super) fn cluster(&self) -> Result<(String, Configuration), ClusterError> {
        let configuration = cluster::query_configuration(&self.tools, &self.deadline)?;
        Ok((cluster::local_node_name(&self.tools, &self.deadline)?, configuration))
    }
}
