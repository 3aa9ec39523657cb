//! The type [`Host`]: the machine and the cluster that one run of an agent works on, with everything that all agents do
//! with them in the same way: state files, locks, modules, names of nodes, carrying plans out. Every action gets one.

mod answer;
mod carry_out;
mod findings;
mod locks;
mod memory;
mod modules;
mod nodes;
mod removal;

use std::sync::Arc;

use scst_core::command::Tools;
use scst_core::deadline::Deadline;
use scst_core::observe::Observer;
use scst_core::ocf::run::Context;
use scst_core::state_file::StateFiles;
use scst_core::sysfs::Sysfs;

pub use self::answer::{
    Planned, first_failure, held_by, nothing_left, reload_incomplete, reload_not_begun, reload_refused,
};
pub use self::findings::{log_findings, refuse_errors, refuse_two_per_node, refuse_two_promoted, validate};
pub use self::modules::Module;
pub use self::removal::Removal;

/// What one run of an agent works on.
#[derive(Debug)]
pub struct Host<'a> {
    /// The environment of the run, its deadline, and whether it is a dry run.
    pub context: &'a Context,
    /// The kernel's tree.
    pub sysfs: Sysfs,
    /// This agent's state files and locks.
    pub state_files: StateFiles,
    /// Other programs.
    pub tools: Tools,
}

impl<'a> Host<'a> {
    /// What a run of `agent` in this context works on.
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

    /// A look at the kernel's tree that may last until `deadline`: an action that undoes its steps looks even after its
    /// own deadline.
    pub fn observer_until<'o>(&'o self, deadline: &'o Deadline) -> Observer<'o> {
        Observer { sysfs: &self.sysfs, deadline }
    }

    /// The run only prints what it would do.
    pub fn dry_run(&self) -> bool {
        self.context.dry_run
    }
}
