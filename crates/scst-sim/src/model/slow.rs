//! Faults for tests: commands that take their time, or end without having been carried out.

use std::time::Duration;

use super::Errno;
use super::machine::Machine;
use super::words::matches_glob;

/// An injected delay: commands that match are slow.
#[derive(Debug, Clone)]
pub struct Slow {
    /// Pattern of the path below `/sys` (`*` and `?`).
    pub path: Vec<u8>,
    /// Pattern of what is written.
    pub data: Vec<u8>,
    /// How long the command takes.
    pub takes: Duration,
    /// It holds SCST's main mutex meanwhile, so that its writer gets EAGAIN after 15 s and others have to wait.
    pub holds_mutex: bool,
    /// How many commands are slowed down; `None`: all.
    pub times: Option<u32>,
}

impl Machine {
    /// Makes the matching commands to come slow. Later rules are asked first.
    pub fn slow_down(&mut self, slow: Slow) {
        self.queue.slow.push(slow);
    }

    /// Forgets all injected delays; commands that are slow already stay so.
    pub fn slow_down_nothing(&mut self) {
        self.queue.slow.clear();
    }

    /// Ends a queued command that was never carried out, as a fault may have it: `last_sysfs_mgmt_res` shows its result.
    pub fn finish_command(&mut self, result: Result<(), Errno>) {
        self.queue.last_result = result.err();
    }

    /// The rule a command is slowed down by, which counts it.
    pub(super) fn take_slow(&mut self, path: &[u8], data: &[u8]) -> Option<Slow> {
        let rules = &mut self.queue.slow;
        let at = rules.iter().rposition(|s| {
            s.times != Some(0) && matches_glob(&s.path, path) && matches_glob(&s.data, data.trim_ascii_end())
        })?;
        if let Some(times) = &mut rules[at].times {
            *times -= 1;
        }
        Some(rules[at].clone())
    }
}
