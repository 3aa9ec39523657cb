//! What an initiator gets: a session, a list of targets, or one of the refusals that open-iscsi tells apart
//! (`iscsi-scst/usr/iscsid.c`, `chap.c`, `target.c`).

use std::fmt;

use super::super::machine::Machine;
use super::super::state::{DrvId, SessId, TgtId};
use super::super::words::matches_initiator;
use super::daemon::Daemon;
use super::hosts::HostSession;
use super::initiator::IscsiInitiator;
use super::listed::List;
use super::values::PORT;
use super::{Lists, Negotiated};

/// Why an initiator is not let in, as open-iscsi tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IscsiRefusal {
    /// Nobody listens, or the target has no room for a session.
    TimedOut,
    /// The connection is taken and nothing answered: the driver or the target is disabled, or the daemon is stopped.
    Silent,
    /// There is no such target for this initiator by this portal, or the target cannot prove who it is.
    Refused,
    /// The initiator does not prove who it is.
    Unauthorized,
    /// A session is there already.
    Present,
    /// There is no target to be told of, or no session to end.
    Nothing,
    /// Nobody knows what would happen.
    Unknown(&'static str),
}

impl IscsiRefusal {
    /// The exit code of `iscsiadm -m node -l`.
    pub fn login_code(self) -> Option<u8> {
        match self {
            Self::TimedOut => Some(8),
            Self::Silent => Some(11),
            Self::Present => Some(15),
            Self::Refused => Some(19),
            Self::Nothing => Some(21),
            Self::Unauthorized => Some(24),
            Self::Unknown(_) => None,
        }
    }

    /// The exit code of `iscsiadm -m discovery -t st`, which gives up in its own way where nobody answers.
    pub fn discovery_code(self) -> Option<u8> {
        match self {
            Self::TimedOut => Some(4),
            Self::Silent => Some(19),
            other => other.login_code(),
        }
    }
}

impl fmt::Display for IscsiRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TimedOut => "connection timed out",
            Self::Silent => "iSCSI PDU timed out",
            Self::Refused => "encountered non-retryable iSCSI login failure",
            Self::Unauthorized => "iSCSI login failed due to authorization failure",
            Self::Present => "session exists",
            Self::Nothing => "no objects found",
            Self::Unknown(what) => what,
        })
    }
}

impl Machine {
    /// An initiator logs in to a target and, from then on, comes back whenever its session is lost. Answers the name of
    /// the session's directory.
    ///
    /// # Errors
    /// What the initiator is told instead.
    pub fn iscsi_login(&mut self, target: &str, initiator: &IscsiInitiator) -> Result<String, IscsiRefusal> {
        let session = self.iscsi_enter(target, initiator)?;
        self.hosts.add(HostSession::new(target, initiator.clone(), session));
        let name = self.scst.sessions.get(&session).map(|s| s.name.clone()).unwrap_or_default();
        Ok(String::from_utf8_lossy(&name).into_owned())
    }

    /// One login, without anything that comes after it.
    pub(super) fn iscsi_enter(&mut self, target: &str, initiator: &IscsiInitiator) -> Result<SessId, IscsiRefusal> {
        let (target, name) = self.iscsi_admits(target, initiator)?;
        // A session that cannot be made for a LUN is refused as for want of resources: the initiator tries again.
        let session = self.log_in(target, name.as_bytes()).map_err(|_| IscsiRefusal::TimedOut)?;
        let negotiated =
            self.iscsi_target(target).map(|iscsi| Negotiated::new(&iscsi.keys, &initiator.from, &initiator.to));
        if let Some(session) = self.scst.sessions.get_mut(&session) {
            session.iscsi = negotiated;
        }
        Ok(session)
    }

    /// The target an initiator would be let in to, and the name it would have there.
    pub(super) fn iscsi_admits(
        &self,
        target: &str,
        initiator: &IscsiInitiator,
    ) -> Result<(TgtId, String), IscsiRefusal> {
        let driver = self.iscsi_listener(initiator)?;
        let id = self.daemons_target(driver, target.as_bytes()).ok_or(IscsiRefusal::Refused)?;
        let port = self.scst.targets.get(&id).ok_or(IscsiRefusal::Refused)?;
        if !port.enabled {
            return Err(IscsiRefusal::Silent);
        }
        let iscsi = self.iscsi_target(id).ok_or(IscsiRefusal::Refused)?;
        if !self.portal_allows(id, initiator) {
            return Err(IscsiRefusal::Refused);
        }
        if iscsi.redirect.as_ref().is_some_and(|redirect| redirect.address != initiator.to.as_bytes()) {
            // Another machine, of which nothing is known: nobody answers there.
            return Err(IscsiRefusal::TimedOut);
        }
        let most = iscsi.keys.get("MaxSessions") as usize;
        if most != 0 && port.sessions.len() >= most {
            return Err(IscsiRefusal::TimedOut);
        }
        prove(&iscsi.lists, initiator)?;
        Ok((id, full_name(iscsi.per_portal_acl, initiator)))
    }

    /// The driver, where its daemon listens and answers.
    fn iscsi_listener(&self, initiator: &IscsiInitiator) -> Result<DrvId, IscsiRefusal> {
        let driver = self.iscsi_driver().ok_or(IscsiRefusal::TimedOut)?;
        let iscsi = self.iscsi(driver).ok_or(IscsiRefusal::TimedOut)?;
        match iscsi.daemon {
            Daemon::Absent | Daemon::Closing => Err(IscsiRefusal::TimedOut),
            Daemon::Running | Daemon::Stopped if u32::from(initiator.port) != PORT => Err(IscsiRefusal::TimedOut),
            Daemon::Running if iscsi.settings.enabled => Ok(driver),
            // Connections wait to be taken.
            Daemon::Running | Daemon::Stopped => Err(IscsiRefusal::Silent),
        }
    }

    /// The portal is one that the target may be reached by, and the initiator would find a LUN.
    fn portal_allows(&self, target: TgtId, initiator: &IscsiInitiator) -> bool {
        let Some(iscsi) = self.iscsi_target(target) else { return false };
        let portals = &iscsi.lists.portals;
        let allowed = portals.is_empty() || portals.iter().any(|p| matches_initiator(&p.key, initiator.to.as_bytes()));
        let name = full_name(iscsi.per_portal_acl, initiator);
        let group = self.group_for(target, name.as_bytes());
        allowed && self.scst.acgs.get(&group).is_some_and(|acg| !acg.luns.is_empty())
    }

    /// An initiator asks by one portal which targets there are. Answers `ADDRESS:PORT,1 NAME` for each.
    ///
    /// # Errors
    /// What the initiator is told instead.
    pub fn iscsi_discover(&self, initiator: &IscsiInitiator) -> Result<Vec<String>, IscsiRefusal> {
        let driver = self.iscsi_listener(initiator)?;
        let iscsi = self.iscsi(driver).ok_or(IscsiRefusal::TimedOut)?;
        prove(&iscsi.settings.lists, initiator)?;
        let mut targets: Vec<TgtId> =
            self.scst.driver_by_id(driver).map(|d| d.targets.values().copied().collect()).unwrap_or_default();
        targets.sort_unstable();
        targets.retain(|id| {
            self.scst.targets.get(id).is_some_and(|port| port.enabled) && self.portal_allows(*id, initiator)
        });
        if targets.is_empty() {
            return Err(IscsiRefusal::Nothing);
        }
        let line = |id: &TgtId| {
            let name = self.scst.targets.get(id).map(|port| String::from_utf8_lossy(&port.name).into_owned());
            format!("{}:{},1 {}", initiator.to, initiator.port, name.unwrap_or_default())
        };
        Ok(targets.iter().map(line).collect())
    }
}

/// The name by which groups know an initiator.
fn full_name(per_portal_acl: bool, initiator: &IscsiInitiator) -> String {
    if per_portal_acl { format!("{}#{}", initiator.name, initiator.to) } else { initiator.name.clone() }
}

/// CHAP: the initiator proves itself where users are listed, and may want the target to do so then.
fn prove(lists: &Lists, initiator: &IscsiInitiator) -> Result<(), IscsiRefusal> {
    if lists.incoming.is_empty() {
        return match initiator.chap_in {
            Some(_) => Err(IscsiRefusal::Unknown("an initiator that wants proof of a target that wants none")),
            None => Ok(()),
        };
    }
    let (user, secret) = initiator.chap.as_ref().ok_or(IscsiRefusal::Unauthorized)?;
    if !knows(&lists.incoming, user, secret)? {
        return Err(IscsiRefusal::Unauthorized);
    }
    let Some((user, secret)) = &initiator.chap_in else { return Ok(()) };
    match lists.outgoing.first() {
        // The target has nothing to prove itself with, and gives up first.
        None => Err(IscsiRefusal::Unauthorized),
        Some(_) if knows(&lists.outgoing, user, secret)? => Ok(()),
        Some(_) => Err(IscsiRefusal::Refused),
    }
}

fn knows(list: &List, user: &str, secret: &str) -> Result<bool, IscsiRefusal> {
    match list.of_key(user.as_bytes()).map(|listed| listed.value.as_deref()) {
        Some(Some(known)) => Ok(known == secret.as_bytes()),
        Some(None) => Err(IscsiRefusal::Unknown("a user whose secret was written away")),
        None => Ok(false),
    }
}
