//! Faults: what goes wrong, for whom, at which operation.
//!
//! A fault picks operations by kind, path and process and strikes at the k-th that matches, counted from when it was armed.
//! Scenario files and the control file write faults with the same keys; [`Fault::on`] builds them in tests.

mod text;

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::Signal;
use serde::Deserialize;

use crate::glob;
use crate::process::Process;

/// The operations a fault can pick.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Op {
    /// `write(2)`.
    Write,
    /// `read(2)` from the beginning of an attribute.
    Read,
    /// `getdents(2)` from the beginning of a directory.
    List,
    /// `open(2)` of an attribute.
    Open,
    /// `readlink(2)`, which also every path through a link does.
    Readlink,
    /// Each of them.
    Any,
}

/// When a signal is sent, seen from the operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum When {
    /// Instead of the operation, which has no effect and is answered EINTR.
    Before,
    /// After the operation took effect.
    After,
}

/// What a fault does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The operation has no effect and answers this errno.
    Fail(Errno),
    /// A write answers EAGAIN at once. After the time it is carried out (`None`), or fails: it never takes effect and
    /// `last_sysfs_mgmt_res` tells the errno.
    Queue(Duration, Option<Errno>),
    /// The operation takes effect, and is answered, that much later. A signal to the caller ends the wait, not the
    /// command.
    Delay(Duration),
    /// As `Delay`, until somebody releases it.
    Hang,
    /// The caller gets a signal.
    Kill(Signal, When),
}

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Which kind of operation.
    pub op: Op,
    /// Which paths, relative to the mount point: `*` and `?` match within a component, `**` across them. `None`: all.
    pub path: Option<String>,
    /// Which processes, by a pattern of their names. `None`: all.
    pub process: Option<String>,
    /// Which process, by its id. `None`: all.
    pub pid: Option<u32>,
    /// Which of the matching operations the fault meets, counted from 1.
    pub at: u32,
    /// All matching operations from that one on are struck, not only that one.
    pub repeat: bool,
    /// What happens.
    pub action: Action,
}

impl Fault {
    /// A fault at the first operation of a kind, by whomever and wherever. It answers EIO until an action is chosen.
    pub fn on(op: Op) -> Self {
        Self { op, path: None, process: None, pid: None, at: 1, repeat: false, action: Action::Fail(Errno::EIO) }
    }

    /// Only on paths that match.
    #[must_use]
    pub fn path(mut self, pattern: &str) -> Self {
        self.path = Some(pattern.to_owned());
        self
    }

    /// Only by processes whose name matches.
    #[must_use]
    pub fn process(mut self, pattern: &str) -> Self {
        self.process = Some(pattern.to_owned());
        self
    }

    /// At the k-th match, from 1.
    #[must_use]
    pub fn at(mut self, k: u32) -> Self {
        self.at = k.max(1);
        self
    }

    /// From the k-th match on.
    #[must_use]
    pub fn from(mut self, k: u32) -> Self {
        self.repeat = true;
        self.at(k)
    }

    /// What happens.
    #[must_use]
    pub fn action(mut self, action: Action) -> Self {
        self.action = action;
        self
    }

    /// The operation answers this errno.
    #[must_use]
    pub fn fail(self, errno: Errno) -> Self {
        self.action(Action::Fail(errno))
    }

    fn picks(&self, op: Op, path: &[u8], process: &Process) -> bool {
        let matches = |pattern: &Option<String>, text: &[u8]| {
            pattern.as_ref().is_none_or(|pattern| glob::matches(pattern.as_bytes(), text))
        };
        (self.op == op || (self.op == Op::Any && (op == Op::Write || !matches!(self.action, Action::Queue(..)))))
            && matches(&self.path, path)
            && matches(&self.process, process.name.as_bytes())
            && self.pid.is_none_or(|pid| pid == process.pid)
    }
}

/// An operation that a fault struck.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strike {
    /// Which kind of operation it was.
    pub op: Op,
    /// Its path, relative to the mount point.
    pub path: Vec<u8>,
    /// Who made it.
    pub process: Process,
}

/// The faults of a mount, how far each has counted, and what they struck.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    armed: Vec<Armed>,
    strikes: Vec<Strike>,
}

#[derive(Debug)]
struct Armed {
    fault: Fault,
    seen: u32,
    struck: u32,
}

impl Faults {
    /// Arms a fault: counting starts now.
    pub(crate) fn arm(&mut self, fault: Fault) {
        self.armed.push(Armed { fault, seen: 0, struck: 0 });
    }

    /// Forgets all faults and what they struck. What they hold back already stays held.
    pub(crate) fn disarm(&mut self) {
        self.armed.clear();
        self.strikes.clear();
    }

    /// What was struck since the last disarming, in order.
    pub(crate) fn strikes(&self) -> &[Strike] {
        &self.strikes
    }

    /// Counts an operation with every fault that picks it; the first armed one of those that strike now decides.
    pub(crate) fn strike(&mut self, op: Op, path: &[u8], process: &Process) -> Option<Action> {
        let mut action = None;
        for armed in &mut self.armed {
            if !armed.fault.picks(op, path, process) {
                continue;
            }
            armed.seen += 1;
            let due = armed.seen == armed.fault.at || (armed.fault.repeat && armed.seen > armed.fault.at);
            if due && action.is_none() {
                armed.struck += 1;
                action = Some(armed.fault.action);
            }
        }
        if action.is_some() {
            self.strikes.push(Strike { op, path: path.to_owned(), process: process.clone() });
        }
        action
    }
}

/// One line per fault: its keys, how many operations it has seen and struck.
impl Display for Faults {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.armed
            .iter()
            .try_for_each(|Armed { fault, seen, struck }| writeln!(f, "{fault} seen={seen} struck={struck}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent() -> Process {
        Process { pid: 7, parent: 1, name: "scst_aluadg".into() }
    }

    #[test]
    fn strikes_the_kth_match_once() {
        let mut faults = Faults::default();
        faults.arm(Fault::on(Op::Write).path("**/mgmt").at(2).fail(Errno::EBUSY));
        let mut write = |path: &str| faults.strike(Op::Write, path.as_bytes(), &agent());
        assert_eq!(write("kernel/scst_tgt/device_groups/mgmt"), None);
        assert_eq!(write("kernel/scst_tgt/threads"), None);
        assert_eq!(write("kernel/scst_tgt/device_groups/mgmt"), Some(Action::Fail(Errno::EBUSY)));
        assert_eq!(write("kernel/scst_tgt/device_groups/mgmt"), None);
        assert_eq!(faults.to_string(), "op=write path=**/mgmt at=2 action=fail errno=EBUSY seen=3 struck=1\n");
        let struck = Strike { op: Op::Write, path: b"kernel/scst_tgt/device_groups/mgmt".to_vec(), process: agent() };
        assert_eq!(faults.strikes(), [struck]);
        faults.disarm();
        assert!(faults.strikes().is_empty());
    }

    #[test]
    fn strikes_from_the_kth_match_on_and_only_the_named_process() {
        let mut faults = Faults::default();
        faults.arm(Fault::on(Op::Any).process("scst_*").from(2).action(Action::Hang));
        let shell = Process { pid: 8, parent: 1, name: "bash".into() };
        assert_eq!(faults.strike(Op::Read, b"a", &agent()), None);
        assert_eq!(faults.strike(Op::List, b"a", &shell), None);
        assert_eq!(faults.strike(Op::List, b"a", &agent()), Some(Action::Hang));
        assert_eq!(faults.strike(Op::Open, b"a", &agent()), Some(Action::Hang));
    }
}
