//! The entries of a scenario file, as they are written there.

use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;

use crate::faults::Fault;
use crate::host::FileEntry;
use crate::model::{Errno, FcPort, IscsiInitiator, Machine, Slow, Written};
use crate::words::duration;

/// An entry that does something to the machine. The error is a sentence.
pub(super) trait Happens {
    fn happen(&self, machine: &mut Machine) -> Result<(), String>;
}

/// A scenario file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Entries {
    pub(super) scst: Option<Spanned<String>>,
    pub(super) modules: Vec<Spanned<String>>,
    pub(super) loadable: Option<Vec<String>>,
    pub(super) var_lib: Option<PathBuf>,
    pub(super) disks: Vec<String>,
    pub(super) iscsi_daemon: Option<Spanned<DaemonEntry>>,
    pub(super) dlm: bool,
    pub(super) port: Vec<Spanned<PortEntry>>,
    pub(super) target: Vec<Spanned<TargetEntry>>,
    pub(super) file: Vec<Spanned<FileEntry>>,
    pub(super) write: Vec<Spanned<WriteEntry>>,
    pub(super) session: Vec<Spanned<SessionEntry>>,
    pub(super) io: Vec<Spanned<IoEntry>>,
    pub(super) slow: Vec<Spanned<SlowEntry>>,
    pub(super) fault: Vec<Fault>,
}

/// A Fibre Channel port.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PortEntry {
    wwpn: String,
    wwnn: Option<String>,
    host: Option<u32>,
    #[serde(default = "sixteen_gigabit")]
    speed: String,
    #[serde(default = "online")]
    state: String,
    #[serde(default = "yes")]
    target_capable: bool,
    #[serde(default)]
    gen32: bool,
}

fn sixteen_gigabit() -> String {
    "16 Gbit".to_owned()
}

fn online() -> String {
    "Online".to_owned()
}

fn yes() -> bool {
    true
}

impl PortEntry {
    /// The port, on `host` unless the entry says which.
    pub(crate) fn port(&self, host: u32) -> Result<FcPort, String> {
        let world_wide_name = |name: &str| {
            let pairs: Vec<_> = name.split(':').collect();
            let is_pair = |pair: &&str| pair.len() == 2 && pair.bytes().all(|byte| byte.is_ascii_hexdigit());
            let valid = pairs.len() == 8 && pairs.iter().all(is_pair);
            if valid { Ok(name.to_ascii_lowercase()) } else { Err(format!("{name:?} is not a world wide name")) }
        };
        let port = world_wide_name(&self.wwpn)?;
        let node = match &self.wwnn {
            Some(name) => world_wide_name(name)?,
            // As HBAs of this family are programmed: the node's name is the port's with 20 in front.
            None => format!("20{}", &port[2..]),
        };
        Ok(FcPort {
            host: self.host.unwrap_or(host),
            wwpn: port,
            wwnn: node,
            state: self.state.clone(),
            speed: self.speed.clone(),
            target_capable: self.target_capable,
            gen32: self.gen32,
        })
    }
}

/// A target: a hardware port of `ib_srpt` or `fcst`, or one made by hand, as `iscsi` and `scst_local` have them.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TargetEntry {
    pub(super) driver: String,
    pub(super) name: String,
}

/// A write that must succeed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WriteEntry {
    pub(super) path: String,
    pub(super) data: String,
}

/// An initiator that logs in; over iSCSI with what [`ConnectEntry`] has.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SessionEntry {
    pub(super) driver: String,
    pub(super) target: String,
    pub(super) initiator: String,
    #[serde(flatten)]
    connect: ConnectEntry,
}

/// The iSCSI daemon at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(super) enum DaemonEntry {
    /// It runs, or does not.
    Runs(bool),
    /// It runs until everything is made, and answers nobody from then on.
    Word(DaemonWord),
}

/// What a daemon can be besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum DaemonWord {
    Hanging,
}

/// How an iSCSI initiator connects: to which portal, from which address, with which secrets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectEntry {
    portal: Option<String>,
    from: Option<String>,
    user: Option<String>,
    secret: Option<String>,
    user_in: Option<String>,
    secret_in: Option<String>,
}

impl ConnectEntry {
    /// The initiator of that name. Without a portal it is on the machine itself.
    pub(crate) fn initiator(&self, name: &str) -> Result<IscsiInitiator, String> {
        let mut initiator = IscsiInitiator::local(name);
        if let Some(portal) = &self.portal {
            let (address, port) = match portal.rsplit_once(':') {
                Some((address, port)) => (address, Some(port)),
                None => (portal.as_str(), None),
            };
            address.clone_into(&mut initiator.to);
            if let Some(port) = port {
                initiator.port = port.parse().map_err(|_| format!("portal {portal:?} has no port that can be"))?;
            }
        }
        if let Some(from) = &self.from {
            initiator.from.clone_from(from);
        }
        let pair = |user: &Option<String>, secret: &Option<String>, what: &str| match (user, secret) {
            (Some(user), Some(secret)) => Ok(Some((user.clone(), secret.clone()))),
            (None, None) => Ok(None),
            _ => Err(format!("{what} and its secret come together")),
        };
        initiator.chap = pair(&self.user, &self.secret, "user")?;
        initiator.chap_in = pair(&self.user_in, &self.secret_in, "user_in")?;
        Ok(initiator)
    }
}

/// A command of an initiator that is on its way.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IoEntry {
    pub(super) driver: String,
    pub(super) target: String,
    pub(super) session: String,
    pub(super) lun: u32,
    pub(super) takes: Option<String>,
}

/// Commands that take their time inside SCST.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlowEntry {
    path: String,
    data: Option<String>,
    takes: String,
    #[serde(default)]
    holds_mutex: bool,
    times: Option<u32>,
}

impl SlowEntry {
    /// The rule for the machine.
    pub(crate) fn slow(&self) -> Result<Slow, String> {
        Ok(Slow {
            path: self.path.clone().into_bytes(),
            data: self.data.as_deref().unwrap_or("*").into(),
            takes: duration(&self.takes)?,
            holds_mutex: self.holds_mutex,
            times: self.times,
        })
    }
}

impl Happens for SlowEntry {
    fn happen(&self, machine: &mut Machine) -> Result<(), String> {
        machine.slow_down(self.slow()?);
        Ok(())
    }
}

/// A module with its arguments.
impl Happens for String {
    fn happen(&self, machine: &mut Machine) -> Result<(), String> {
        let (name, arguments) = self.split_once(' ').unwrap_or((self, ""));
        machine.modprobe(name, arguments).map_err(|errno| format!("cannot load module {name}: {errno}"))
    }
}

impl Happens for TargetEntry {
    fn happen(&self, machine: &mut Machine) -> Result<(), String> {
        let Self { driver, name } = self;
        if matches!(driver.as_str(), "ib_srpt" | "fcst") {
            machine.plug_target(driver, name);
            return Ok(());
        }
        let added = write(machine, &format!("kernel/scst_tgt/targets/{driver}/mgmt"), &format!("add_target {name}"));
        added.map_err(|errno| format!("cannot add target {name} to {driver}: {errno}"))
    }
}

impl Happens for WriteEntry {
    fn happen(&self, machine: &mut Machine) -> Result<(), String> {
        let Self { path, data } = self;
        write(machine, path, data).map_err(|errno| format!("cannot write {data:?} to {path}: {errno}"))
    }
}

impl Happens for SessionEntry {
    fn happen(&self, machine: &mut Machine) -> Result<(), String> {
        let Self { driver, target, initiator, connect } = self;
        if driver == "iscsi" {
            let session = machine.iscsi_login(target, &connect.initiator(initiator)?);
            return session.map(drop).map_err(|refusal| format!("{initiator} cannot log in to {target}: {refusal}"));
        }
        if *connect != ConnectEntry::default() {
            return Err(format!("{initiator} does not log in to {driver} by a portal or with a secret"));
        }
        let name = machine.login(driver, target, initiator);
        name.map(drop).map_err(|errno| format!("{initiator} cannot log in to {target}: {errno}"))
    }
}

impl Happens for IoEntry {
    fn happen(&self, machine: &mut Machine) -> Result<(), String> {
        let Self { driver, target, session, lun, takes } = self;
        let takes = takes.as_deref().map(duration).transpose()?;
        let id = machine.start_io(driver, target, session, *lun, takes);
        id.map(drop).map_err(|errno| format!("{session} cannot use LUN {lun} of {target}: {errno}"))
    }
}

/// Writes and lets time pass until the write is answered.
fn write(machine: &mut Machine, path: &str, data: &str) -> Result<(), Errno> {
    let file = machine.open(path.trim_start_matches('/').as_bytes(), false, true)?;
    let ticket = match machine.write(&file, data.as_bytes()) {
        Written::Done(result) => return result.map(drop),
        Written::Waiting(ticket) => ticket,
    };
    loop {
        if let Some(result) = machine.poll(ticket) {
            return result.map(drop);
        }
        // Nothing left that could end it: the writer would sleep for ever.
        let event = machine.next_event().ok_or(Errno::EDEADLK)?;
        machine.advance(event);
    }
}
