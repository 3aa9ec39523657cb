//! The entries of a scenario file, as they are written there.

use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;

use crate::faults::Fault;
use crate::host::FileEntry;
use crate::model::{FcPort, Slow};
use crate::words::duration;

/// A scenario file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entries {
    pub(super) scst: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) modules: Vec<Spanned<String>>,
    pub(super) loadable: Option<Vec<String>>,
    pub(super) var_lib: Option<PathBuf>,
    #[serde(default)]
    pub(super) port: Vec<Spanned<PortEntry>>,
    #[serde(default)]
    pub(super) target: Vec<Spanned<TargetEntry>>,
    #[serde(default)]
    pub(super) file: Vec<Spanned<FileEntry>>,
    #[serde(default)]
    pub(super) write: Vec<Spanned<WriteEntry>>,
    #[serde(default)]
    pub(super) session: Vec<Spanned<SessionEntry>>,
    #[serde(default)]
    pub(super) io: Vec<Spanned<IoEntry>>,
    #[serde(default)]
    pub(super) slow: Vec<Spanned<SlowEntry>>,
    #[serde(default)]
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

/// A target of a driver whose targets are made by hand.
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

/// An initiator that logs in.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SessionEntry {
    pub(super) driver: String,
    pub(super) target: String,
    pub(super) initiator: String,
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
