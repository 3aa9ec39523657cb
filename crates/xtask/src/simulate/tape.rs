//! What the actions of a history found, met and left, so that the real binaries can do them again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use scst_core::error::Verb;
use scst_core::ocf::action::Action;
use scst_core::system::{Operation, Output, StoreKind};
use scst_sim::model::Machine;
use scst_sim::stand_in::cib::CibFile;
use scst_sim::tree::snapshot_in;

use super::coverage::Kind;
use super::faults::Fault;
use super::node::Node;
use super::stage::{Outcome, Task, TaskId};
use super::world::{NODES, World};

/// One action: what it was called with, what it met, and what came of it.
pub(super) struct Call {
    pub(super) id: TaskId,
    pub(super) node: usize,
    pub(super) label: String,
    pub(super) kind: Kind,
    pub(super) action: Action,
    pub(super) env: Vec<(String, String)>,
    pub(super) before: Before,
    /// What it asked the kernel for, in this order.
    pub(super) operations: Vec<Operation>,
    pub(super) stores: BTreeMap<PathBuf, Option<StoreKind>>,
    /// What went wrong, and at which of the operations.
    pub(super) fault: Option<(Fault, usize)>,
    /// The path of that operation, as a mount knows it.
    pub(super) struck: PathBuf,
    pub(super) after: After,
}

/// What an action finds.
pub(super) struct Before {
    pub(super) node: Node,
    pub(super) cib: CibFile,
    pub(super) now: Duration,
    /// Why its call is not compared, as far as that is known by where it happens and what it meets.
    pub(super) apart: Option<&'static str>,
}

/// What an action leaves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct After {
    pub(super) exit: Option<u8>,
    pub(super) writes: Vec<String>,
    pub(super) tree: String,
    pub(super) score: Option<String>,
    pub(super) files: Vec<String>,
    pub(super) took: Duration,
    /// Others wrote to the same kernel meanwhile.
    pub(super) disturbed: bool,
}

impl Call {
    /// An action begins.
    pub(super) fn begin(world: &World, task: &Task, env: Vec<(String, String)>) -> Self {
        let node = world.nodes[task.node].fork(&Arc::default());
        let full = node.full.is_some().then_some("nothing can be written below /run");
        let broken = (!node.broken.is_empty()).then_some("a fault of an earlier action lasts");
        let shell = (node.shell && task.kind.agent == "scst_aluadg").then_some("the shell agent does it");
        let (cib, apart) = (world.cib.fork().expect("a CIB in memory"), full.or(broken).or(shell));
        Self {
            id: task.id,
            node: task.node,
            label: task.label.clone(),
            kind: task.kind.clone(),
            action: task.action,
            env,
            before: Before { node, cib, now: world.now, apart },
            operations: Vec::new(),
            stores: BTreeMap::new(),
            fault: None,
            struck: PathBuf::new(),
            after: After::default(),
        }
    }

    /// It has ended.
    pub(super) fn ended(mut self, world: &mut World, outcome: &Outcome) -> Self {
        let writes = self.operations.iter().filter(|done| done.verb == Verb::Write).map(line);
        let writes = side_by_side(writes.collect());
        let there = &mut world.nodes[self.node];
        let refused =
            self.fault.is_some_and(|(fault, at)| self.operations[at].verb == Verb::Write && !fault.reaches_kernel());
        let own = writes.len() as u64 - u64::from(refused);
        self.after = After {
            exit: outcome.exit,
            disturbed: there.writes - self.before.node.writes != own,
            writes,
            tree: snapshot_in(&mut there.machine).unwrap_or_else(|error| error.to_string()),
            files: self.names(there.run.keys().filter(|path| path.starts_with("/run"))),
            score: self.score(&world.cib),
            took: world.now.saturating_sub(self.before.now),
        };
        self
    }

    /// It is about to carry out an operation, and this goes wrong with it.
    pub(super) fn operation(&mut self, machine: &Machine, operation: &Operation, fault: Option<Fault>) {
        if let Some(fault) = fault {
            self.fault = Some((fault, self.operations.len()));
            match without_links(machine, &operation.path) {
                Some(path) => self.struck = path,
                None if operation.verb == Verb::Look => {}
                None => self.is_apart("a mount says that a path is not there before a fault can strike"),
            }
        }
        self.operations.push(operation.clone());
    }

    /// What an operation gave.
    pub(super) fn answered(&mut self, operation: &Operation, answer: &std::io::Result<Output>) {
        if matches!(operation.verb, Verb::Look | Verb::OpenToRead | Verb::OpenToWrite) {
            let found = match answer {
                Ok(Output::Store(kind)) => Some(*kind),
                _ => None,
            };
            self.stores.insert(operation.path.clone(), found);
        }
    }

    pub(super) fn value(&self, name: &str) -> &str {
        self.env.iter().find(|(other, _)| other == name).map_or("", |(_, value)| value)
    }

    pub(super) fn score(&self, cib: &CibFile) -> Option<String> {
        cib.score(NODES[self.node], self.value("OCF_RESOURCE_INSTANCE")).ok().flatten()
    }

    /// The names of its resource's own files, without locks and temporary ones: another resource may have written its own meanwhile.
    pub(super) fn names<'a>(&self, paths: impl Iterator<Item = &'a PathBuf>) -> Vec<String> {
        let resource = self.value("OCF_RESOURCE_INSTANCE");
        let names = paths.filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
        let stays = |name: &str| !name.starts_with('.') && Path::new(name).extension().is_none_or(|end| end != "lock");
        let mut names: Vec<String> = names.filter(|name| stays(name) && name.contains(resource)).collect();
        names.sort();
        names
    }

    /// It is not compared, for this reason.
    pub(super) fn is_apart(&mut self, why: &'static str) {
        self.before.apart.get_or_insert(why);
    }
}

/// The path of a kernel file below `/sys`, without links on the way; `None`: nothing is there.
fn without_links(machine: &Machine, path: &Path) -> Option<PathBuf> {
    fn walk(machine: &Machine, path: &Path, found: &mut PathBuf) {
        for part in path {
            if part == ".." {
                found.pop();
                continue;
            }
            found.push(part);
            if let Ok(target) = machine.readlink(found.as_os_str().as_encoded_bytes()) {
                found.pop();
                walk(machine, Path::new(&*String::from_utf8_lossy(&target)), found);
            }
        }
    }
    let mut found = PathBuf::new();
    walk(machine, path.strip_prefix("/sys").ok()?, &mut found);
    machine.lookup(found.as_os_str().as_encoded_bytes()).ok().map(|_| found)
}

/// A write in a line.
pub(super) fn line(write: &Operation) -> String {
    let path = write.path.to_string_lossy();
    let data = write.data.as_deref().unwrap_or_default();
    format!("{} < {data}", path.trim_start_matches("/sys/kernel/scst_tgt/"))
}

/// Ports are enabled side by side: which of them comes first says nothing.
pub(super) fn side_by_side(mut writes: Vec<String>) -> Vec<String> {
    writes.chunk_by_mut(|a, b| [a, b].iter().all(|line| line.contains("/enabled < "))).for_each(<[String]>::sort);
    writes
}
