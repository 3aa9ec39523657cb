//! `iscsi-scst`: parameters of targets, portals and users, and its daemon (`iscsi-scst/kernel`, `usr/param.c`).

use super::Errno;
use super::machine::Machine;
use super::port_attrs::{keyed, keyed_bytes};
use super::state::{DrvId, Name, PortKind, TgtId};
use super::tree::{AttrSpec, RO, RW};
use super::words::{Words, same_word, trimmed};

/// What a parameter of a target can be.
#[derive(Debug, Clone, Copy)]
enum Range {
    YesNo,
    Digest,
    Number(u64, u64),
}

/// Parameters of a target, their defaults and what they can be.
const PARAMETERS: [(&str, &str, Range); 15] = [
    ("DataDigest", "None", Range::Digest),
    ("FirstBurstLength", "65536", Range::Number(512, 16_777_215)),
    ("HeaderDigest", "None", Range::Digest),
    ("ImmediateData", "Yes", Range::YesNo),
    ("InitialR2T", "No", Range::YesNo),
    ("MaxBurstLength", "1048576", Range::Number(512, 16_777_215)),
    ("MaxOutstandingR2T", "32", Range::Number(1, 65535)),
    ("MaxRecvDataSegmentLength", "1048576", Range::Number(512, 16_777_215)),
    ("MaxSessions", "0", Range::Number(0, 65535)),
    ("MaxXmitDataSegmentLength", "1048576", Range::Number(512, 16_777_215)),
    ("NopInInterval", "30", Range::Number(0, 65535)),
    ("NopInTimeout", "30", Range::Number(0, 65535)),
    ("QueuedCommands", "32", Range::Number(1, 2048)),
    ("RDMAExtensions", "No", Range::YesNo),
    ("RspTimeout", "90", Range::Number(2, 65535)),
];

/// The driver's attributes while its daemon runs.
pub(super) const DRIVER: [AttrSpec; 5] =
    [("enabled", RW), ("iSNSServer", RW), ("internal_portal", RW), ("isns_entity_name", RW), ("link_local", RW)];
/// The attributes a session has besides the common ones, and their values.
pub(super) const SESSION: [(&str, &str); 12] = [
    ("DataDigest", "None\n"),
    ("FirstBurstLength", "65536\n"),
    ("HeaderDigest", "None\n"),
    ("ImmediateData", "Yes\n"),
    ("InitialR2T", "No\n"),
    ("MaxBurstLength", "1048576\n"),
    ("MaxOutstandingR2T", "1\n"),
    ("MaxRecvDataSegmentLength", "1048576\n"),
    ("MaxXmitDataSegmentLength", "262144\n"),
    ("reinstating", "0\n"),
    ("sid", ""),
    ("thread_pid", ""),
];
/// The attributes of a connection.
pub(super) const CONNECTION: [AttrSpec; 5] =
    [("cid", RO), ("ip", RO), ("state", RO), ("target_ip", RO), ("transport", RO)];

const PORTAL: &str = "allowed_portal";
const USERS: [&str; 2] = ["IncomingUser", "OutgoingUser"];

/// The content of a session's own attributes.
pub(super) fn show_session(attr: &str) -> Option<Vec<u8>> {
    SESSION.iter().find(|(name, _)| *name == attr).map(|(_, value)| value.as_bytes().to_vec())
}

/// The content of a connection's attributes; these have no line ends.
pub(super) fn show_connection(attr: &str) -> Vec<u8> {
    match attr {
        "cid" => "0",
        "state" => "established idle ",
        "transport" => "iSCSI-TCP\n",
        _ => "127.0.0.1",
    }
    .into()
}

/// A value followed by the extra line end that the daemon's answers have.
fn answered(value: &[u8], key: bool) -> Vec<u8> {
    [&keyed_bytes(value, key)[..], b"\n"].concat()
}

/// An attribute that was added by command: kind, file name, value.
#[derive(Debug)]
struct Optional {
    kind: &'static str,
    file: String,
    value: Vec<u8>,
}

/// Attributes that come and go by command.
#[derive(Debug, Default)]
struct Optionals(Vec<Optional>);

impl Optionals {
    /// What makes two of them the same: a portal, or the name of a user.
    fn key<'a>(kind: &str, value: &'a [u8]) -> &'a [u8] {
        if kind == PORTAL { value } else { value.split(|b| *b == b' ').next().unwrap_or(value) }
    }

    fn find(&self, kind: &str, value: &[u8]) -> Option<usize> {
        let key = Self::key(kind, value);
        self.0.iter().position(|o| o.kind == kind && Self::key(kind, &o.value) == key)
    }

    fn add(&mut self, kind: &'static str, value: Vec<u8>) -> Result<(), Errno> {
        if self.find(kind, &value).is_some() {
            return Err(Errno::EINVAL);
        }
        let names = std::iter::once(kind.to_owned()).chain((1..).map(|n| format!("{kind}{n}")));
        let mut free = names.filter(|name| !self.0.iter().any(|o| o.file == *name));
        let file = free.next().ok_or(Errno::EINVAL)?;
        self.0.push(Optional { kind, file, value });
        Ok(())
    }

    fn remove(&mut self, kind: &str, value: &[u8]) -> Result<(), Errno> {
        let at = self.find(kind, value).ok_or(Errno::EINVAL)?;
        self.0.remove(at);
        Ok(())
    }

    fn names(&self) -> Vec<Name> {
        self.0.iter().map(|o| o.file.clone().into_bytes()).collect()
    }

    fn show(&self, file: &[u8]) -> Option<Vec<u8>> {
        self.0.iter().find(|o| o.file.as_bytes() == file).map(|o| answered(&o.value, true))
    }
}

/// What the driver itself holds.
#[derive(Debug)]
pub(super) struct IscsiDriver {
    pub(super) daemon: bool,
    pub(super) enabled: bool,
    users: Optionals,
    next_tid: u32,
}

impl IscsiDriver {
    pub(super) fn new() -> Self {
        Self { daemon: false, enabled: false, users: Optionals::default(), next_tid: 1 }
    }

    pub(super) fn show(&self, name: &[u8]) -> Option<Vec<u8>> {
        Some(match name {
            b"open_state" => keyed(if self.daemon { "open" } else { "closed" }, false),
            b"enabled" => answered(if self.enabled { b"1" } else { b"0" }, false),
            b"iSNSServer" | b"internal_portal" => answered(b"", false),
            b"isns_entity_name" => keyed("", false),
            b"link_local" => answered(b"1", false),
            _ => return self.users.show(name),
        })
    }

    /// Only `enabled` can be changed in the model.
    pub(super) fn store(&mut self, attr: &str, text: &[u8]) -> Result<(), Errno> {
        if attr != "enabled" {
            return Err(Errno::ENOTSUP);
        }
        self.enabled = match trimmed(text) {
            b"0" => false,
            b"1" => true,
            _ => return Err(Errno::EINVAL),
        };
        Ok(())
    }
}

/// What a target holds.
#[derive(Debug)]
pub(super) struct IscsiTarget {
    tid: u32,
    values: [Vec<u8>; PARAMETERS.len()],
    per_portal_acl: bool,
    redirect: Vec<u8>,
    optionals: Optionals,
}

impl IscsiTarget {
    fn new(tid: u32) -> Self {
        Self {
            tid,
            values: PARAMETERS.map(|(_, default, _)| default.into()),
            per_portal_acl: false,
            redirect: Vec::new(),
            optionals: Optionals::default(),
        }
    }

    pub(super) fn attributes() -> Vec<AttrSpec> {
        let mut all: Vec<AttrSpec> = PARAMETERS.iter().map(|(name, _, _)| (*name, RW)).collect();
        all.extend([("alias", RW), ("per_portal_acl", RW), ("redirect", RW), ("tid", RO)]);
        all
    }

    pub(super) fn optional_names(&self) -> Vec<Name> {
        self.optionals.names()
    }

    pub(super) fn show(&self, name: &[u8]) -> Option<Vec<u8>> {
        if let Some(at) = PARAMETERS.iter().position(|(parameter, _, _)| parameter.as_bytes() == name) {
            let (value, default) = (&self.values[at], PARAMETERS[at].1.as_bytes());
            return Some(if value == default { keyed_bytes(value, false) } else { answered(value, true) });
        }
        Some(match name {
            b"alias" => keyed("", false),
            b"per_portal_acl" => answered(if self.per_portal_acl { b"1" } else { b"0" }, self.per_portal_acl),
            b"redirect" if self.redirect.is_empty() => keyed("", false),
            b"redirect" => answered(&self.redirect, true),
            b"tid" => keyed(self.tid, false),
            _ => return self.optionals.show(name),
        })
    }

    pub(super) fn store(&mut self, attr: &str, text: &[u8]) -> Result<(), Errno> {
        let value = trimmed(text);
        if let Some(at) = PARAMETERS.iter().position(|(parameter, _, _)| *parameter == attr) {
            self.values[at] = checked(value, PARAMETERS[at].2)?;
            return Ok(());
        }
        match attr {
            "per_portal_acl" => {
                self.per_portal_acl = match value {
                    b"0" => false,
                    b"1" => true,
                    _ => return Err(Errno::EINVAL),
                };
            }
            "redirect" => {
                let mut words = Words::new(value);
                let (address, how) = (words.word(), words.word());
                let known = same_word(how, "temp") || same_word(how, "perm");
                if !address.is_empty() && (!known || !words.word().is_empty()) {
                    return Err(Errno::EINVAL);
                }
                self.redirect = value.to_vec();
            }
            _ => return Err(Errno::ENOTSUP),
        }
        Ok(())
    }
}

/// A parameter's value as it is shown. EINVAL outside the range.
fn checked(value: &[u8], range: Range) -> Result<Vec<u8>, Errno> {
    let text = std::str::from_utf8(value).map_err(|_| Errno::EINVAL)?;
    let ok = match range {
        Range::YesNo => matches!(text, "Yes" | "No"),
        Range::Digest => matches!(text, "None" | "CRC32C" | "CRC32C,None" | "None,CRC32C"),
        Range::Number(least, most) => text.parse().is_ok_and(|n: u64| (least..=most).contains(&n)),
    };
    if ok { Ok(value.to_vec()) } else { Err(Errno::EINVAL) }
}

impl Machine {
    /// Starts or stops the daemon. Its targets go with it. ENODEV without the driver.
    pub fn iscsi_daemon(&mut self, running: bool) -> Result<(), Errno> {
        let driver = self.scst.drivers.iter_mut().find(|d| d.iscsi.is_some()).ok_or(Errno::ENODEV)?;
        let targets: Vec<TgtId> = driver.targets.values().copied().collect();
        if let Some(iscsi) = &mut driver.iscsi {
            *iscsi = IscsiDriver { daemon: running, ..IscsiDriver::new() };
        }
        if !running {
            for target in targets {
                self.delete_target(target);
            }
            self.run();
        }
        Ok(())
    }

    fn iscsi(&mut self, id: DrvId) -> Option<&mut IscsiDriver> {
        self.scst.driver_mut(id)?.iscsi.as_mut()
    }

    pub(super) fn iscsi_user_names(&self, id: DrvId) -> Vec<Name> {
        self.scst.driver_by_id(id).and_then(|d| d.iscsi.as_ref()).map(|i| i.users.names()).unwrap_or_default()
    }

    pub(super) fn iscsi_users(&self, id: DrvId, name: &[u8]) -> Option<Vec<u8>> {
        self.scst.driver_by_id(id)?.iscsi.as_ref()?.users.show(name)
    }

    /// EPERM without the daemon, EEXIST for a name that is taken.
    pub(super) fn add_iscsi_target(&mut self, driver: DrvId, name: &[u8], words: Words<'_>) -> Result<(), Errno> {
        let iscsi = self.iscsi(driver).ok_or(Errno::EINVAL)?;
        if !iscsi.daemon {
            return Err(Errno::EPERM);
        }
        let tid = iscsi.next_tid;
        let target = self.create_target(driver, name, PortKind::Iscsi(Box::new(IscsiTarget::new(tid))))?;
        if let Some(iscsi) = self.iscsi(driver) {
            iscsi.next_tid += 1;
        }
        let result = self.apply_iscsi_parameters(target, words);
        if result.is_err() {
            self.delete_target(target);
        }
        result
    }

    fn apply_iscsi_parameters(&mut self, target: TgtId, mut words: Words<'_>) -> Result<(), Errno> {
        let Some(PortKind::Iscsi(iscsi)) = self.scst.targets.get_mut(&target).map(|t| &mut t.kind) else {
            return Err(Errno::EINVAL);
        };
        while let Some(mut parameter) = words.parameter() {
            let name = parameter.word();
            if name.is_empty() {
                break;
            }
            let value = rest_of(&mut parameter);
            if value.is_empty() {
                return Err(Errno::EINVAL);
            }
            let attr = String::from_utf8_lossy(name).into_owned();
            match optional_kind(name) {
                Some(kind) => iscsi.optionals.add(kind, value)?,
                None => iscsi.store(&attr, &value).map_err(|_| Errno::EINVAL)?,
            }
        }
        Ok(())
    }

    /// `add_target_attribute`, `del_target_attribute`, `add_attribute`, `del_attribute`.
    pub(super) fn iscsi_command(
        &mut self,
        driver: DrvId,
        verb: &[u8],
        first: &[u8],
        mut words: Words<'_>,
    ) -> Result<(), Errno> {
        let is = |word| same_word(verb, word);
        let of_target = is("add_target_attribute") || is("del_target_attribute");
        if !of_target && !is("add_attribute") && !is("del_attribute") {
            return Err(Errno::EINVAL);
        }
        let adds = is("add_target_attribute") || is("add_attribute");
        let (optionals, kind) = if of_target {
            let target = self.port_of(driver, first).ok_or(Errno::ENOENT)?;
            let kind = optional_kind(words.word()).ok_or(Errno::EINVAL)?;
            let Some(PortKind::Iscsi(iscsi)) = self.scst.targets.get_mut(&target).map(|t| &mut t.kind) else {
                return Err(Errno::EINVAL);
            };
            (&mut iscsi.optionals, kind)
        } else {
            let kind = optional_kind(first).filter(|kind| *kind != PORTAL).ok_or(Errno::EINVAL)?;
            (&mut self.iscsi(driver).ok_or(Errno::EINVAL)?.users, kind)
        };
        let value = rest_of(&mut words);
        let words_needed = if adds && kind != PORTAL { 2 } else { 1 };
        if value.is_empty() || value.split(|b| *b == b' ').count() < words_needed {
            return Err(Errno::EINVAL);
        }
        if adds { optionals.add(kind, value) } else { optionals.remove(kind, &value) }
    }
}

fn optional_kind(name: &[u8]) -> Option<&'static str> {
    std::iter::once(PORTAL).chain(USERS).find(|kind| same_word(name, kind))
}

/// The words that are left, with a blank between them.
fn rest_of(words: &mut Words<'_>) -> Vec<u8> {
    let all: Vec<&[u8]> = std::iter::from_fn(|| Some(words.word()).filter(|w| !w.is_empty())).collect();
    all.join(&b' ')
}
