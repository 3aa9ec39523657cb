//! The ports of this machine, their initiator groups, and who is logged in.

use scst_core::error::Error;
use scst_core::observe::fc_hosts::FcHost;
use scst_core::observe::{Observer, Unlistable};
use scst_core::scst::names::{Driver, EntryName, TargetName};
use scst_core::state::Settings;
use serde::Serialize;

/// A port that is a target.
#[derive(Debug, Serialize)]
pub(super) struct Port {
    /// Its driver.
    pub(super) driver: &'static str,
    /// Its name.
    pub(super) name: String,
    /// It answers initiators.
    pub(super) enabled: bool,
    /// Its relative target port id; 0 when none is set.
    pub(super) rel_tgt_id: u32,
    /// The Fibre Channel port it is.
    pub(super) fc_host: Option<FcHost>,
    /// It stands in the targetports of this node; nothing where nobody knows that.
    pub(super) listed: Option<bool>,
    /// Its initiator groups.
    pub(super) groups: Vec<Group>,
    /// The addresses by which a target of iSCSI may be reached; none: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) portals: Vec<String>,
    /// The names of its users, the outgoing one in parentheses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) users: Vec<String>,
    /// Why users and portals are not known.
    #[serde(skip)]
    pub(super) unread: Option<Error>,
    /// Who is logged in.
    pub(super) sessions: Vec<Session>,
}

/// An initiator group.
#[derive(Debug, Serialize)]
pub(super) struct Group {
    /// Its name.
    pub(super) name: String,
    /// Which commands are ordered together: a number, or the kernel's word.
    pub(super) io_grouping: String,
    /// The initiators in it.
    pub(super) initiators: Vec<String>,
}

/// A session.
#[derive(Debug, Serialize)]
pub(super) struct Session {
    /// Its directory.
    #[serde(skip)]
    pub(super) name: EntryName,
    /// The initiator.
    pub(super) initiator: String,
    /// The group whose LUNs it sees; none for the default group.
    pub(super) group: Option<String>,
    /// Commands in flight.
    pub(super) commands: u32,
    /// The addresses it comes from, of iSCSI.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) addresses: Vec<String>,
}

impl Port {
    /// How other tables call it: by its number where it has one.
    pub(super) fn short(&self) -> String {
        if self.rel_tgt_id == 0 { self.name.clone() } else { format!("port {}", self.rel_tgt_id) }
    }
}

/// The ports of a driver: those of Fibre Channel in the order of their hosts, the others by name.
pub(super) fn of_driver(observer: Observer<'_>, driver: Driver, hosts: &[FcHost]) -> Result<Vec<Port>, Error> {
    let host = |name: &TargetName| hosts.iter().position(|host| name.matches(&host.wwpn));
    let mut names = observer.port_names(driver)?;
    names.sort_by_key(|name| (host(name).unwrap_or(usize::MAX), name.clone()));
    let mut states = observer.ports(driver, &names, |_| true, Unlistable::Empty)?;
    let mut ports = Vec::new();
    for name in names {
        // A port that went away meanwhile is no port.
        let Some(state) = states.remove(&name) else { continue };
        let groups = state.groups.into_iter().map(|(group, content)| Group {
            name: group.to_string(),
            io_grouping: content.io_grouping,
            initiators: content.initiators.iter().map(ToString::to_string).collect(),
        });
        let sessions = observer.logged_in(driver, &name)?.into_iter().map(|session| Session {
            name: session.name,
            initiator: session.initiator,
            group: session.group.map(|group| group.to_string()),
            commands: session.active_commands,
            addresses: session.addresses,
        });
        // A daemon that hangs must not keep everything else from being shown.
        let quarter = observer.deadline.share(1, 4);
        let asked = Observer { deadline: &quarter, ..observer }.settings(driver, &name, []);
        let (settings, unread) =
            asked.map_or_else(|error| (Settings::default(), Some(error)), |settings| (settings, None));
        let incoming = settings.incoming.keys().map(ToString::to_string);
        let users = incoming.chain(settings.outgoing.iter().map(|(user, _)| format!("({user})")));
        ports.push(Port {
            driver: driver.dir(),
            enabled: state.enabled,
            rel_tgt_id: state.rel_tgt_id,
            listed: None,
            fc_host: host(&name).map(|place| hosts[place].clone()),
            groups: groups.collect(),
            portals: settings.portals.iter().map(ToString::to_string).collect(),
            users: users.collect(),
            unread,
            sessions: sessions.collect(),
            name: name.to_string(),
        });
    }
    Ok(ports)
}
