//! `iscsi-scst`: a driver whose targets are kept by a daemon (`iscsi-scst/kernel`, `iscsi-scst/usr`).
//!
//! The kernel has the files; what they show, and what a write to them or to `mgmt` does, it asks of the daemon
//! (`daemon`, `serve`). `login` is what an initiator gets, `hosts` the initiators that come back by themselves.

mod daemon;
mod hosts;
mod initiator;
mod keys;
mod listed;
mod login;
mod serve;
mod session;
mod values;

use std::collections::BTreeMap;

use super::Errno;
use super::machine::Machine;
use super::port_attrs::keyed;
use super::state::{DrvId, Name, PortKind, TgtId};
use super::tree::{AttrSpec, Entry, RO, RW};

use daemon::Daemon;
use keys::Keys;
use listed::{Kind, List};
use values::Redirect;

pub use daemon::DaemonSignal;
pub(super) use daemon::{Ask, Asked, Asking};
pub(super) use hosts::Hosts;
pub use initiator::IscsiInitiator;
pub use login::IscsiRefusal;
pub(super) use session::{CONNECTION, Negotiated, SESSION};

/// The driver's attributes while its daemon runs.
const DRIVER: [AttrSpec; 5] =
    [("enabled", RW), ("iSNSServer", RW), ("internal_portal", RW), ("isns_entity_name", RW), ("link_local", RW)];

/// Users, portals, and the files that show them.
#[derive(Debug, Clone, Default)]
struct Lists {
    incoming: List,
    outgoing: List,
    portals: List,
    /// The files by name, with their permission bits.
    files: BTreeMap<Name, u32>,
}

impl Lists {
    fn of(&self, kind: Kind) -> &List {
        match kind {
            Kind::Incoming => &self.incoming,
            Kind::Outgoing => &self.outgoing,
            Kind::Portal => &self.portals,
        }
    }

    fn of_mut(&mut self, kind: Kind) -> &mut List {
        match kind {
            Kind::Incoming => &mut self.incoming,
            Kind::Outgoing => &mut self.outgoing,
            Kind::Portal => &mut self.portals,
        }
    }
}

/// What the daemon knows besides its targets; a new one knows nothing.
#[derive(Debug, Clone)]
struct Settings {
    enabled: bool,
    link_local: bool,
    internal_portal: Vec<u8>,
    isns_entity: Vec<u8>,
    lists: Lists,
}

impl Settings {
    fn new() -> Self {
        Self {
            enabled: false,
            link_local: true,
            internal_portal: Vec::new(),
            isns_entity: Vec::new(),
            lists: Lists::default(),
        }
    }
}

/// What the driver itself holds.
#[derive(Debug, Clone)]
pub(super) struct IscsiDriver {
    daemon: Daemon,
    settings: Settings,
    /// The id of the last target. It belongs to the module: a new daemon goes on counting.
    last_tid: u32,
}

impl IscsiDriver {
    pub(super) fn new() -> Self {
        Self { daemon: Daemon::Absent, settings: Settings::new(), last_tid: 0 }
    }

    /// The module cannot be unloaded under its daemon.
    pub(super) fn is_held(&self) -> bool {
        self.daemon != Daemon::Absent
    }

    /// The attributes that are the driver's own while nobody has added any.
    pub(super) fn attributes(&self) -> &'static [AttrSpec] {
        if self.daemon == Daemon::Absent { &[] } else { &DRIVER }
    }
}

/// What a target holds.
#[derive(Debug, Clone)]
pub(super) struct IscsiTarget {
    tid: u32,
    keys: Keys,
    alias: Vec<u8>,
    per_portal_acl: bool,
    redirect: Option<Redirect>,
    lists: Lists,
}

impl IscsiTarget {
    fn new() -> Self {
        Self {
            tid: 0,
            keys: Keys::new(),
            alias: Vec::new(),
            per_portal_acl: false,
            redirect: None,
            lists: Lists::default(),
        }
    }

    pub(super) fn attributes() -> Vec<AttrSpec> {
        let mut all: Vec<AttrSpec> = Keys::attributes().map(|name| (name, RW)).collect();
        all.extend([("alias", RW), ("per_portal_acl", RW), ("redirect", RW), ("tid", RO)]);
        all
    }

    /// The files of its users and portals.
    pub(super) fn files(&self) -> Vec<(Name, Entry)> {
        self.lists.files.iter().map(|(name, mode)| (name.clone(), Entry::Attr(*mode))).collect()
    }

    /// The one attribute that the kernel answers itself.
    pub(super) fn show(&self, attr: &str) -> Option<Vec<u8>> {
        (attr == "tid").then(|| keyed(self.tid, false))
    }
}

impl Machine {
    /// The driver's state.
    fn iscsi(&self, id: DrvId) -> Option<&IscsiDriver> {
        self.scst.driver_by_id(id)?.iscsi.as_ref()
    }

    fn iscsi_mut(&mut self, id: DrvId) -> Option<&mut IscsiDriver> {
        self.scst.driver_mut(id)?.iscsi.as_mut()
    }

    /// The driver, if its module is loaded.
    fn iscsi_driver(&self) -> Option<DrvId> {
        self.scst.drivers.iter().find(|driver| driver.iscsi.is_some()).map(|driver| driver.id)
    }

    fn iscsi_target(&self, id: TgtId) -> Option<&IscsiTarget> {
        match &self.scst.targets.get(&id)?.kind {
            PortKind::Iscsi(iscsi) => Some(iscsi),
            _ => None,
        }
    }

    fn iscsi_target_mut(&mut self, id: TgtId) -> Option<&mut IscsiTarget> {
        match &mut self.scst.targets.get_mut(&id)?.kind {
            PortKind::Iscsi(iscsi) => Some(iscsi),
            _ => None,
        }
    }

    /// The users and portals of a target, or of the driver.
    fn lists(&self, driver: DrvId, target: Option<TgtId>) -> Option<&Lists> {
        match target {
            Some(target) => self.iscsi_target(target).map(|iscsi| &iscsi.lists),
            None => self.iscsi(driver).map(|iscsi| &iscsi.settings.lists),
        }
    }

    fn lists_mut(&mut self, driver: DrvId, target: Option<TgtId>) -> Option<&mut Lists> {
        match target {
            Some(target) => self.iscsi_target_mut(target).map(|iscsi| &mut iscsi.lists),
            None => self.iscsi_mut(driver).map(|iscsi| &mut iscsi.settings.lists),
        }
    }

    /// The files of the users of the driver.
    pub(super) fn iscsi_files(&self, driver: DrvId) -> Vec<(Name, Entry)> {
        let files = self.lists(driver, None).map(|lists| &lists.files).into_iter().flatten();
        files.map(|(name, mode)| (name.clone(), Entry::Attr(*mode))).collect()
    }

    /// One of those files.
    pub(super) fn iscsi_file(&self, driver: DrvId, name: &[u8]) -> Option<Entry> {
        self.lists(driver, None)?.files.get(name).map(|mode| Entry::Attr(*mode))
    }

    /// A write to a driver's `mgmt` that neither adds nor deletes a target goes to the daemon as it is.
    pub(super) fn iscsi_command(&mut self, driver: DrvId, text: &[u8]) -> Asking {
        self.ask_daemon(Ask::Manage(driver, text.to_vec()))
    }

    /// `add_target`.
    pub(super) fn add_iscsi_target(&mut self, driver: DrvId, name: &[u8], parameters: &[u8]) -> Asking {
        let text = [b"Target ", name, b"; ", parameters].concat();
        self.ask_daemon(Ask::AddTarget(driver, text))
    }

    /// `del_target`. The kernel knows whether there is one, with and without the daemon.
    pub(super) fn delete_iscsi_target(&mut self, driver: DrvId, name: &[u8]) -> Asking {
        match self.port_of(driver, name) {
            Some(target) => self.ask_daemon(Ask::DelTarget(target)),
            None => Asking::Answered(Err(Errno::ENOENT)),
        }
    }
}
