//! Looks at the Fibre Channel ports of the machine, whether they can be targets or not (`scsi_transport_fc.c`): for
//! `scst-ha`, which proposes `targetports` and advises on the driver.

use serde::Serialize;

use super::Observer;
use crate::error::Error;
use crate::scst::names::FcHostName;
use crate::scst::qla2x00t;

/// One Fibre Channel port as the machine shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FcHost {
    /// Its directory below `class/fc_host`: `host3`.
    pub host: String,
    /// Its world wide port name in the spelling of targets, eight pairs joined by colons.
    pub wwpn: String,
    /// The state of the port as the driver words it, where it does: `Online`, `Linkdown`, …
    pub state: Option<String>,
    /// The speed of the link as the driver words it, where it does: `16 Gbit`.
    pub speed: Option<String>,
}

impl FcHost {
    /// State and speed in a few words; empty where the driver says neither.
    pub fn link(&self) -> String {
        [&self.state, &self.speed].into_iter().flatten().cloned().collect::<Vec<_>>().join(", ")
    }
}

impl Observer<'_> {
    /// Every Fibre Channel port, in the order of the hosts' numbers.
    ///
    /// # Errors
    ///
    /// The directory `class/fc_host` cannot be listed, or an attribute of a host cannot be read.
    pub fn fc_hosts(&self) -> Result<Vec<FcHost>, Error> {
        let mut hosts = Vec::new();
        let entries = self.sysfs.optional_list(qla2x00t::HOSTS, self.deadline)?.unwrap_or_default();
        for host in entries.iter().filter_map(|entry| FcHostName::seen(&entry.name).ok()) {
            let attribute = |name: &str| self.optional(&qla2x00t::host_attribute(&host, name));
            let Some(wwpn) = attribute("port_name")?.as_deref().and_then(qla2x00t::wwpn) else { continue };
            let (state, speed) = (attribute("port_state")?, attribute("speed")?);
            hosts.push(FcHost { host: host.to_string(), wwpn, state, speed });
        }
        hosts.sort_by_key(|host| (host.host.trim_start_matches("host").parse::<u32>().ok(), host.host.clone()));
        Ok(hosts)
    }

    /// The driver's parameter `qlini_mode`, which says when ports are initiators (`exclusive`, `disabled`, `enabled`,
    /// …); `None` where no such driver is loaded.
    ///
    /// # Errors
    ///
    /// The module's parameter is there and cannot be read.
    pub fn qlini_mode(&self) -> Result<Option<String>, Error> {
        for path in qla2x00t::QLINI_MODE {
            if let Some(mode) = self.optional(path)? {
                return Ok(Some(mode));
            }
        }
        Ok(None)
    }
}
