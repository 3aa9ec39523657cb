//! Random sequences on one node: actions of the targets, a daemon that dies, hangs and goes on, hosts that come and go.
//!
//! The seeds are fixed, so that a failure is the same again. After every event the properties hold that need no history, and at the end of
//! a sequence everything comes up whole and goes without a trace.

use std::time::Duration;

use nix::sys::signal::Signal;

use super::{ALPHA, ESX, LAB, SECRET, call, group, login, nodes, pid_file, run, signal, targets};
use crate::fixture::{Node, Outcome, Resource};

/// What Pacemaker gives an action here: one that meets a hanging daemon uses much of it.
const TIME: Duration = Duration::from_secs(3);

/// Marsaglia's xorshift, of 64 bits.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// The daemon, as far as the sequence knows.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Daemon {
    Gone,
    Runs,
    Hangs,
}

struct Sequence<'c> {
    alpha: &'c Node,
    resource: Resource,
    daemon: Daemon,
    events: Vec<String>,
}

impl Sequence<'_> {
    /// Runs an action, which ends in its time, says no secret, and answers one of these codes.
    fn act(&mut self, action: &str, level: u32, codes: &[i32]) -> Outcome {
        self.events.push(format!("{action} with the daemon {:?}", self.daemon));
        let call = call(self.alpha, &self.resource).timeout(TIME).level(level);
        let call = if action == "monitor" { call.recurring() } else { call };
        let outcome = call.run(action).within(TIME);
        let code = outcome.code().unwrap_or(-1);
        assert!(codes.contains(&code), "{:#?}\n{outcome:?}", self.events);
        assert!(!outcome.log().contains(SECRET) && !outcome.stderr().contains(SECRET), "{outcome:?}");
        if action == "start" && code == 0 {
            self.daemon = Daemon::Runs;
        }
        outcome
    }

    fn event(&mut self, dice: &mut Dice) {
        let hangs = self.daemon == Daemon::Hangs;
        match dice.throw(12) {
            0 | 1 => {
                let code = if hangs { &[1][..] } else { &[0][..] };
                self.act("start", 0, code);
            }
            2 => {
                // What is already gone needs no daemon.
                self.act("stop", 0, if hangs { &[0, 1] } else { &[0] });
            }
            3 | 4 => {
                let change = [("NopInInterval", 10), ("NopInInterval", 20), ("QueuedCommands", 64)];
                let (name, value) = change[usize::try_from(dice.throw(3)).unwrap_or_default()];
                self.resource = targets().param("attributes", &format!("{name}={value}"));
                self.act("reload", 0, &[0, 7]);
            }
            5 => {
                // Nothing is asked of the daemon but by a reload that is still to be finished.
                let outcome = self.act("monitor", 0, &[0, 1, 7]).programs(0);
                assert!(outcome.took() < Duration::from_secs(2), "{outcome:?}");
            }
            6 => drop(self.act("monitor", 10, &[0, 1, 7])),
            7 | 8 => {
                let host = if dice.throw(2) == 0 { (ESX, "esx", SECRET) } else { (LAB, "lab", "othersecret567") };
                let words = format!("{ALPHA} {} portal=10.0.1.1 user={} secret={}", host.0, host.1, host.2);
                let came = login(self.alpha, &words);
                self.events.push(format!("{} logs in: {}", host.1, came.is_ok()));
                assert!(came.is_err() || self.daemon == Daemon::Runs, "{:#?}", self.events);
            }
            9 => self.sends(Signal::SIGSTOP),
            10 => self.sends(Signal::SIGCONT),
            _ => self.sends(Signal::SIGKILL),
        }
    }

    fn sends(&mut self, sent: Signal) {
        let (from, to) = match sent {
            Signal::SIGSTOP => (Daemon::Runs, Daemon::Hangs),
            Signal::SIGCONT => (Daemon::Hangs, Daemon::Runs),
            _ => (self.daemon, Daemon::Gone),
        };
        if self.daemon == Daemon::Gone || self.daemon != from || !pid_file(self.alpha).exists() {
            return;
        }
        self.events.push(format!("{sent}"));
        signal(self.alpha, sent);
        self.daemon = to;
        if to == Daemon::Gone {
            assert!(!self.alpha.exists(&format!("targets/iscsi/{ALPHA}")), "{:#?}", self.events);
        }
    }
}

#[test]
fn whatever_becomes_of_the_daemon_and_of_hosts_everything_comes_up_whole_and_goes_without_a_trace() {
    for seed in [1, 2, 3] {
        let cluster = nodes();
        let alpha = cluster.node("alpha");
        run(alpha, &targets(), "start").exit(0);
        let whole = alpha.tree().lines("port").join("\n");
        cluster.transition(&group()).start(&["alpha"]).promote(&["alpha"]).carry_out();
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed));
        let resource = targets();
        let mut sequence = Sequence { alpha, resource, daemon: Daemon::Runs, events: Vec::new() };
        for _ in 0..25 {
            sequence.event(&mut dice);
        }
        sequence.sends(Signal::SIGCONT);
        sequence.resource = targets();
        sequence.act("stop", 0, &[0]);
        assert_eq!(alpha.tree().lines("port"), [""; 0], "{seed}: {:#?}", sequence.events);
        sequence.act("start", 0, &[0]);
        let again = alpha.tree().lines("port").join("\n");
        assert_eq!(again, whole, "{seed}: {:#?}", sequence.events);
        sequence.act("start", 0, &[0]).writes(0);
        sequence.act("monitor", 10, &[0]);
        alpha.run(&group(), "reload").exit(0);
        let came = login(alpha, &format!("{ALPHA} {ESX} portal=10.0.1.1 user=esx secret={SECRET}"));
        assert!(came.is_ok(), "{seed}: {came:?} {:#?}", sequence.events);
        alpha.run(&group(), "stop").exit(0);
        sequence.act("stop", 0, &[0]);
        assert!(alpha.mount().unknowns().is_empty(), "{:?}", alpha.mount().unknowns());
    }
}
