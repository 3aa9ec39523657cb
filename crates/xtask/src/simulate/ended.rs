//! What must hold when an action has ended: it told the truth, had a cause if it failed, and left nothing that must not be.

use std::time::Duration;

use scst_core::ocf::action::Action;
use scst_sim::model::{FileKind, Host as _, ScstVersion};

use super::faults::Lasting;
use super::pacemaker::Export;
use super::stage::{Outcome, Task};
use super::world::{FOREIGN, NODES, PORTS, World, port};

/// Every node waits for a notification: so long it takes at most, unless it takes its node out of service.
const NOTIFY: Duration = Duration::from_secs(6);

/// What invariants ask about the end of an action beside the action itself.
pub(super) struct Around {
    /// No other action is under way on this node.
    pub(super) alone: bool,
    /// Somebody runs another action of the instance by hand, which holds it up.
    pub(super) beside: bool,
    /// The devices that are configured.
    pub(super) exports: Vec<Export>,
}

impl World {
    /// An action has ended: it told the truth, and left nothing that must not be.
    pub(super) fn ended(&mut self, node: usize, group: Option<&str>, task: &Task, outcome: &Outcome, around: &Around) {
        let exit = outcome.exit.map_or_else(|| "killed".to_owned(), |code| code.to_string());
        let reason = if outcome.reason.is_empty() { String::new() } else { format!(" ({})", outcome.reason) };
        let name = NODES[node];
        self.happened(format!("  {name} {} -> {exit}{reason}", task.label));
        let how = || format!("{} on {name} panicked: {}", task.label, outcome.reason);
        self.check("no action panics", false, outcome.panicked.then(how));
        if task.faulted {
            self.unheard |= task.action == Action::Notify;
            self.untold |= task.action == Action::Notify;
            // It could not ask the cluster what was changed elsewhere.
            let unasked = matches!(self.nodes[node].lasting, Some((Lasting::ProgramsFail | Lasting::ProgramsHang, _)));
            self.owes_reload |= task.action == Action::Reload && unasked;
            self.nodes[node].faulted = self.now;
        }
        if self.nodes[node].shell {
            let serves = |group| self.state(node, group, node).as_deref() == Some("active");
            if task.action == Action::Stop && group.is_some_and(serves) {
                self.over =
                    Some("a stop of the shell agent, whose state file could not be written, left the group in service");
            }
            return;
        }
        self.has_reason_to_fail(node, group, task, outcome, around);
        self.kernel_well(node);
        self.foreign_untouched();
        if self.iscsi.is_some() {
            self.target_action_ended(node, group, task, outcome);
        }
        let (Some(group), Some(exit)) = (group, outcome.exit) else { return };
        let daemon = self.nodes[node].daemon.changed;
        let unhurt =
            !task.faulted && daemon <= task.begun && self.lasting(node).is_none() && !self.hampered(node, self.now);
        let took = self.now.saturating_sub(task.begun);
        let undisturbed = unhurt && !self.has_cause(node, self.now) && around.alone;
        match task.action {
            Action::Monitor => self.monitored(node, group, exit),
            Action::Stop if exit == 0 => self.stopped(node, group, &around.exports),
            Action::Stop => self.names_what_is_left(node, group, task.faulted, &outcome.reason),
            Action::Demote if exit == 0 => self.demoted(node, group, task.moves, &around.exports),
            Action::Notify => {
                let excused = !unhurt || self.nodes[node].slow || self.nodes[node].left >= task.begun;
                let how = || format!("{} on {name} takes {took:?}", task.label);
                self.check("a notification is over soon", excused, (took > NOTIFY).then(how));
            }
            _ => {}
        }
        let succeeded = matches!(task.action, Action::Start | Action::Promote | Action::Demote | Action::Reload);
        if succeeded && exit == 0 {
            self.unblocked(node, group, !undisturbed);
        }
        let (promoted, serves) = (
            task.action == Action::Promote,
            matches!((task.thorough, exit), (true, 8)) && !self.misconfigured.contains(&node),
        );
        let hangs = self.nodes[node].commands.iter().any(|command| command.hangs);
        // What an action that failed has given to a slow kernel may still come.
        let unhurt = unhurt && !hangs && !self.nodes[node].slow;
        let begins = exit == 0 && (promoted || task.action == Action::Start);
        if begins || serves {
            // It may have looked before a store grew.
            let excused = (!unhurt && !serves) || self.grew >= task.begun;
            self.complete(node, group, promoted || serves, excused, &around.exports, &task.label);
        }
        self.none_shrinks(node, group, promoted && exit == 0);
    }

    /// No action fails, and so nobody is fenced, without a cause. Nothing went wrong for monitors either where nothing was changed.
    fn has_reason_to_fail(
        &mut self,
        node: usize,
        group: Option<&str>,
        task: &Task,
        outcome: &Outcome,
        around: &Around,
    ) {
        let monitor = task.action == Action::Monitor;
        let well = if monitor { matches!(outcome.exit, Some(0 | 7 | 8)) } else { outcome.exit == Some(0) };
        // Commands that do not end are no reason for a reload to fail that takes nothing from hosts.
        let luns = group.map(|group| self.luns(node, group)).unwrap_or_default();
        let kept = around.exports.iter().all(|export| luns.contains(&(export.lun, export.device.clone())));
        let cause = if task.action == Action::Reload && kept {
            self.misconfigured.contains(&node) || self.hampered(node, task.begun)
        } else {
            self.has_cause(node, task.begun) || (monitor && self.disturbed)
        };
        // Targets need their daemon, and groups need targets and no daemon.
        let cause =
            cause || if group.is_some() { self.target_gone(node) } else { self.daemon_hampers(node, task.begun) };
        // There may be no time for it beside what is slow.
        let short = self.nodes[node].slow && task.end.saturating_sub(task.begun) <= Duration::from_mins(1);
        // What the shell agent left behind is still seen by hosts, so that it cannot be closed before it is removed.
        let leftover = self.shell && outcome.reason.contains("the backing store is still open");
        let stopped = outcome.exit == Some(7) && group.is_none_or(|group| self.left(node, group).is_empty());
        let excused = cause || short || leftover || stopped || task.faulted || task.by_hand() || around.beside;
        let how = || format!("{} on {} failed without a cause: {}", task.label, NODES[node], outcome.reason);
        self.check("no action fails without a cause", excused, (!well).then(how));
    }

    /// The kernel has not crashed, and was asked nothing that the model does not know.
    fn kernel_well(&mut self, node: usize) {
        let machine = &self.nodes[node].machine;
        let crash = machine.crashed().map(|why| format!("the kernel of {} crashed: {why}", NODES[node]));
        let unknown = machine.unknowns().first();
        let unknown = unknown.map(|unknown| format!("{}: {unknown:?} is not known", NODES[node]));
        self.check("the kernel is well", false, crash.or(unknown));
    }

    /// Nothing that does not belong to the cluster has gone.
    fn foreign_untouched(&mut self) {
        for (node, name) in NODES.iter().enumerate().take(self.nodes.len()) {
            if !self.nodes[node].powered {
                continue;
            }
            let paths = FOREIGN.map(|path| path.replace("PORT", &port(node, 0)));
            let gone = paths.iter().find(|path| !self.exists(node, path));
            let mut wrong = gone.map(|path| format!("{path} of {name} was not the cluster's, and is gone"));
            let unlisted = port(node, PORTS);
            if self.value(node, &format!("targets/qla2x00t/{unlisted}/enabled")).as_deref() != Some("1") {
                wrong = Some(format!("port {unlisted} of {name} was not the cluster's, and is down"));
            }
            self.check("nothing foreign is touched", false, wrong);
        }
    }

    /// A stop that said 0 has left nothing, as far as somebody knows what was the group's: a device that is not configured any more, and
    /// did not become a member, is known to a state file only.
    fn stopped(&mut self, node: usize, group: &str, exports: &[Export]) {
        let mut left = self.left(node, group);
        let is_known = |name: &String| name == group || exports.iter().any(|export| export.device == *name);
        left.retain(|name| !self.nodes[node].forgets || is_known(name));
        let how = || format!("stop of {group} on {} said 0 and left {left:?}", NODES[node]);
        self.check("a stop that says 0 leaves nothing", self.shell, (!left.is_empty()).then(how));
    }

    /// A stop that failed has left something, and names it.
    fn names_what_is_left(&mut self, node: usize, group: &str, excused: bool, reason: &str) {
        let left = self.left(node, group);
        // LUNs that are being removed are not seen any more while commands keep them.
        let named = reason.starts_with("LUN ") || left.iter().any(|name| reason.contains(name));
        let how = || format!("stop of {group} on {} failed, left {left:?} and says: {reason}", NODES[node]);
        self.check("a stop that fails names what is left", excused, (left.is_empty() || !named).then(how));
    }

    /// A demotion that said 0 has closed every store, and is over unless the group moves.
    fn demoted(&mut self, node: usize, group: &str, moves: bool, exports: &[Export]) {
        // Up to 3.7 files do not follow the state, nor can they be closed.
        let closes = |path: &&String| self.version != ScstVersion::V3_7 || !path.starts_with("/srv");
        let mut stores = exports.iter().filter_map(|export| export.store.as_ref()).filter(closes);
        let open = stores.find(|path| self.is_open(node, path)).map(|path| format!("{path} is open"));
        let between = !moves && self.state(node, group, node).as_deref() == Some("transitioning");
        let wrong = open.or(between.then(|| "the state is transitioning".to_owned()));
        let wrong = wrong.map(|how| format!("demote of {group} on {} said 0 and {how}", NODES[node]));
        self.check("a demotion closes every store", false, wrong);
    }

    /// Whoever serves has everything that is configured, and tells hosts what the stores are; others have the sizes for the day when they serve.
    fn complete(&mut self, node: usize, group: &str, serves: bool, excused: bool, exports: &[Export], who: &str) {
        let luns = self.luns(node, group);
        // Whoever stops ports by hand takes the LUNs of all groups away.
        let ports = self.exists(node, &format!("{}/esx1", self.tables(node)));
        for Export { device, lun, store } in exports {
            let mut wrong = None;
            if serves && ports && !self.misconfigured.contains(&node) && !luns.contains(&(*lun, device.clone())) {
                wrong = Some(format!("is not LUN {lun}"));
            }
            let number = |text: Option<String>| text.and_then(|text| text.parse::<u64>().ok());
            let size = number(self.value(node, &format!("devices/{device}/size")));
            let block = number(self.value(node, &format!("devices/{device}/blocksize")));
            let file = store.as_ref().map(|store| (store, self.nodes[node].disks.file(store.as_bytes()).ok()));
            match file {
                Some((_, None)) if serves => wrong = Some("has lost its store".to_owned()),
                Some((path, Some(file))) if size.is_some() && (serves || file.kind == FileKind::Block) => {
                    if size != Some(file.size) {
                        wrong = Some(format!("has {size:?} bytes, and {path} {}", file.size));
                    } else if block.is_some_and(|block| block < file.limits.logical_block.into()) {
                        wrong =
                            Some(format!("has blocks of {block:?} bytes, and {path} of {}", file.limits.logical_block));
                    }
                }
                _ => {}
            }
            let wrong = wrong.map(|how| format!("{who} of {group} on {} is content, and {device} {how}", NODES[node]));
            self.check("whoever is content has what is configured", excused, wrong);
        }
    }

    /// A promotion makes no disk smaller than this node's kernel has told since the device is there.
    fn none_shrinks(&mut self, node: usize, group: &str, promotes: bool) {
        let there = self.left(node, group);
        self.nodes[node].told.retain(|device, _| !device.starts_with(group) || there.contains(device));
        for device in there {
            let size = self.value(node, &format!("devices/{device}/size")).and_then(|size| size.parse().ok());
            let told = self.nodes[node].told.get(&device).copied();
            let name = NODES[node];
            let how = || format!("promote on {name} makes {device} smaller: {told:?} bytes before, now {size:?}");
            if promotes {
                self.check("a promotion makes no disk smaller", false, (size < told).then(how));
            }
            size.map(|size: u64| self.nodes[node].told.insert(device, size));
        }
    }

    /// What a monitor answered is true.
    fn monitored(&mut self, node: usize, group: &str, exit: u8) {
        let state = self.state(node, group, node);
        let fits = match exit {
            8 | 9 => state.as_deref() == Some("active"),
            0 => matches!(state.as_deref(), Some("standby" | "unavailable" | "transitioning")),
            7 => state.is_none(),
            _ => true,
        };
        let state = state.unwrap_or_else(|| "none".to_owned());
        let how = || format!("monitor of {group} on {} answers {exit}, the state is {state}", NODES[node]);
        self.check("a monitor's answer is true", false, (!fits).then(how));
    }
}
