//! Initiators that were let in once: a session that is lost without a logout comes back as soon as the target lets it in.

use std::time::Duration;

use super::super::machine::Machine;
use super::super::state::SessId;
use super::initiator::IscsiInitiator;

/// How long an initiator waits after it has lost its session.
const PAUSE: Duration = Duration::from_secs(3);
/// How long it takes to notice that it would be let in.
const NOTICE: Duration = Duration::from_secs(1);

/// One session as its initiator sees it.
#[derive(Debug, Clone)]
pub(super) struct HostSession {
    target: String,
    initiator: IscsiInitiator,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    In(SessId),
    /// Lost then; logging in again is due at that time, if it would succeed.
    Lost(Duration, Option<Duration>),
}

impl HostSession {
    pub(super) fn new(target: &str, initiator: IscsiInitiator, session: SessId) -> Self {
        Self { target: target.to_owned(), initiator, state: State::In(session) }
    }
}

/// All of them, in the order of their logins.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct Hosts(Vec<HostSession>);

impl Hosts {
    pub(super) fn add(&mut self, session: HostSession) {
        self.0.push(session);
    }

    /// The session has ended; its initiator has not asked for it.
    pub(in super::super) fn lose(&mut self, session: SessId, now: Duration) {
        for host in self.0.iter_mut().filter(|host| host.state == State::In(session)) {
            host.state = State::Lost(now, None);
        }
    }

    /// The initiator itself ends the session.
    pub(in super::super) fn forget(&mut self, session: SessId) {
        self.0.retain(|host| host.state != State::In(session));
    }

    /// When the next of them comes back.
    pub(in super::super) fn next_event(&self) -> Option<Duration> {
        let due = |host: &HostSession| if let State::Lost(_, due) = host.state { due } else { None };
        self.0.iter().filter_map(due).min()
    }
}

impl Machine {
    /// How many sessions an initiator has with a target, the lost ones among them.
    pub fn iscsi_sessions(&self, target: &str, initiator: &str) -> usize {
        self.hosts.0.iter().filter(|host| host.target == target && host.initiator.name == initiator).count()
    }

    /// An initiator ends all its sessions with a target. Answers how many, the lost ones among them.
    pub fn iscsi_logout(&mut self, target: &str, initiator: &str) -> usize {
        let (ended, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut self.hosts.0)
            .into_iter()
            .partition(|host| host.target == target && host.initiator.name == initiator);
        self.hosts.0 = kept;
        for host in &ended {
            if let State::In(session) = host.state {
                self.close_session(session);
            }
        }
        self.run();
        ended.len()
    }

    /// Notices which lost sessions would be let in now.
    pub(in super::super) fn notice_hosts(&mut self) {
        let now = self.now;
        for at in 0..self.hosts.0.len() {
            let host = &self.hosts.0[at];
            let State::Lost(lost, due) = host.state else { continue };
            let welcome = self.iscsi_admits(&host.target, &host.initiator).is_ok();
            let due = welcome.then(|| due.unwrap_or_else(|| (lost + PAUSE).max(now + NOTICE)));
            self.hosts.0[at].state = State::Lost(lost, due);
        }
    }

    /// Lets those log in whose time has come.
    pub(in super::super) fn return_hosts(&mut self) {
        let now = self.now;
        for at in 0..self.hosts.0.len() {
            let host = &self.hosts.0[at];
            let State::Lost(lost, Some(due)) = host.state else { continue };
            if due > now {
                continue;
            }
            let (target, initiator) = (host.target.clone(), host.initiator.clone());
            self.hosts.0[at].state = match self.iscsi_enter(&target, &initiator) {
                Ok(session) => State::In(session),
                Err(_) => State::Lost(lost.max(now), None),
            };
        }
    }
}
