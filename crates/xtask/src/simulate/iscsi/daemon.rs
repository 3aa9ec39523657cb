//! The daemon of a node: who starts it, what becomes of it, and what others have made with it.

use std::time::Duration;

use nix::errno::Errno;
use scst_sim::model::DaemonSignal;

use super::ESX1;
use crate::simulate::world::{NODES, World};

/// How long systemd waits before it starts the daemon again.
const RESTART: Duration = Duration::from_secs(1);

/// How long questions to a daemon that is gone may keep the kernel from closing its targets.
const CLOSING: Duration = Duration::from_secs(31);

/// A target that is not the cluster's, and what is on it.
const OTHER: &str = "iqn.2020-05.com.example:other";

/// The daemon of a node.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::simulate) struct Daemon {
    /// When it started, ended, was stopped or went on last.
    pub(in crate::simulate) changed: Duration,
    /// What it is sent, and after how many more operations of actions.
    pub(super) due: Option<(usize, DaemonSignal)>,
    /// When it goes on by itself, or systemd starts it again.
    pub(in crate::simulate) next: Option<Duration>,
    /// The target of others has been there.
    other: bool,
    /// The cluster's first target was there before the cluster made any.
    pub(super) found: bool,
}

impl World {
    /// What of iSCSI there is when a node has booted.
    pub(in crate::simulate) fn boot_iscsi(&mut self, node: usize) {
        let Some(targets) = self.iscsi.filter(|targets| targets.unit) else { return };
        self.nodes[node].machine.modprobe("iscsi_scst", "").expect("a known module");
        self.daemon_starts(node).expect("a driver without a daemon");
        if targets.found {
            let name = self.target(node, 0);
            self.command(node, "targets/iscsi/mgmt", &format!("add_target {name}"));
            self.command(node, &format!("targets/iscsi/{name}/ini_groups/mgmt"), "create backup");
            self.nodes[node].daemon.found = true;
        }
    }

    /// The program of the daemon is run.
    pub(in crate::simulate) fn daemon_starts(&mut self, node: usize) -> Result<(), Errno> {
        self.nodes[node].machine.iscsi_daemon(true)?;
        self.happened(format!("    iscsi-scstd starts on {}", NODES[node]));
        self.nodes[node].daemon.changed = self.now;
        let at = |rest: &str| format!("targets/iscsi/{OTHER}/{rest}");
        for (path, command) in [
            ("targets/iscsi/mgmt".to_owned(), format!("add_target {OTHER}")),
            ("targets/iscsi/mgmt".to_owned(), format!("add_target_attribute {OTHER} IncomingUser joe {OTHER}")),
            (at("ini_groups/mgmt"), "create theirs".to_owned()),
            (at("ini_groups/theirs/initiators/mgmt"), format!("add {ESX1}")),
            (at("enabled"), "1".to_owned()),
        ] {
            // Where the kernel is busy it comes later, and what needs it does not come.
            self.commanded(node, &path, &command);
        }
        Ok(())
    }

    pub(super) fn daemon_hangs(&self, node: usize) -> bool {
        self.nodes[node].machine.makes_readers_wait()
    }

    pub(super) fn daemon_lives(&mut self, node: usize) -> bool {
        self.value(node, "targets/iscsi/open_state").as_deref() == Some("open")
    }

    /// The daemon of a node gets a signal, if it lives.
    pub(super) fn signal_daemon(&mut self, node: usize, signal: DaemonSignal, next: Option<Duration>) {
        if !self.nodes[node].powered || !self.daemon_lives(node) {
            return;
        }
        let (uptime, now, hung) = (self.uptime(node), self.now, self.daemon_hangs(node));
        let unit = self.iscsi.is_some_and(|targets| targets.unit);
        self.happened(format!("    iscsi-scstd on {}: {signal:?}", NODES[node]));
        self.count(format!("daemon {signal:?}"));
        self.disturbed = true;
        let there = &mut self.nodes[node];
        there.machine.advance(uptime);
        there.machine.signal_iscsi_daemon(signal).expect("a daemon that lives");
        there.daemon.changed = now;
        there.daemon.next = match signal {
            DaemonSignal::Stop => next.map(|time| now + time),
            DaemonSignal::Continue => None,
            DaemonSignal::End => unit.then_some(now + RESTART),
        };
        if signal == DaemonSignal::End {
            (there.daemon.other, there.daemon.found) = (false, false);
            there.faulted = if hung { now + CLOSING } else { there.faulted.max(now) };
        }
        self.collect();
        self.never_open_to_all(node);
    }

    /// What daemons do by themselves when their time has come.
    pub(in crate::simulate) fn daemons_go_on(&mut self) {
        for node in 0..self.nodes.len() {
            let there = &mut self.nodes[node];
            if there.daemon.next.is_none_or(|time| time > self.now) {
                continue;
            }
            there.daemon.next = None;
            if self.daemon_hangs(node) {
                self.signal_daemon(node, DaemonSignal::Continue, None);
            } else if self.daemon_starts(node).is_err() {
                // The kernel still cleans up behind the last one.
                self.nodes[node].daemon.next = Some(self.now + RESTART);
            }
        }
    }

    /// An action is about to carry out an operation on a node.
    pub(in crate::simulate) fn daemon_meets(&mut self, node: usize) {
        let Some((operations, signal)) = self.nodes[node].daemon.due else { return };
        self.nodes[node].daemon.due = operations.checked_sub(1).map(|left| (left, signal));
        if operations == 0 {
            self.signal_daemon(node, signal, None);
        }
    }

    /// The daemon is a reason for an action of the targets to fail that began at `begun`: it hangs or is away, or something has become of it
    /// meanwhile.
    pub(in crate::simulate) fn daemon_hampers(&self, node: usize, begun: Duration) -> bool {
        let Daemon { next, changed, .. } = self.nodes[node].daemon;
        self.iscsi.is_some() && (self.daemon_hangs(node) || next.is_some() || changed >= begun)
    }

    /// All daemons go on, and none is sent anything any more.
    pub(in crate::simulate) fn daemons_recover(&mut self) {
        for node in 0..self.nodes.len() {
            self.nodes[node].daemon.due = None;
            if self.daemon_hangs(node) {
                self.signal_daemon(node, DaemonSignal::Continue, None);
            }
        }
    }

    /// What others have made is as they made it.
    pub(super) fn others_untouched(&mut self, node: usize) {
        let at = |rest: &str| format!("targets/iscsi/{OTHER}/{rest}");
        let enabled = self.value(node, &at("enabled")).is_some_and(|on| on.starts_with('1'));
        let other = enabled
            && [at("IncomingUser"), at(&format!("ini_groups/theirs/initiators/{ESX1}"))]
                .iter()
                .all(|path| self.exists(node, path));
        let lives = self.daemon_lives(node);
        let backup = format!("targets/iscsi/{}/ini_groups/backup", self.target(node, 0));
        let daemon = &mut self.nodes[node].daemon;
        let gone = daemon.other && !other;
        daemon.other |= other && lives;
        let wrong = gone || (daemon.found && !self.exists(node, &backup));
        let what = if gone { OTHER } else { &backup };
        let how = || format!("{what} of {} was not the cluster's, and is not as it was", NODES[node]);
        self.check("no target of others is touched", false, wrong.then(how));
    }
}
