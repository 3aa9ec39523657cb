//! One device group: who serves it, who is told what, which disks hosts see, and what holds them up.

use std::collections::BTreeMap;

use scst_core::error::Error;
use scst_core::observe::Detail;
use scst_core::ocf::env::Env;
use scst_core::ocf::exit::Failure;
use scst_core::scst::alua::AluaState;
use scst_core::scst::host_id::HostId;
use scst_core::scst::names::{Driver, GroupName, NodeName};
use scst_core::state::{self, DeviceGroup, Storage};
use scst_core::state_file::StateFile;

use super::group::{Device, Group, InFlight, Lun, Member, Role, TargetGroup};
use crate::host::Host;
use crate::scst_aluadg::params::Params;
use crate::scst_aluadg::table::TABLE;
use crate::scst_ha::node::Node;
use crate::scst_ha::ports::Port;

/// Looks at a group. `local` is this node, if the cluster said so. Beside the view comes what is there, to be compared.
pub(in crate::scst_ha) fn look(
    node: &Node,
    name: &GroupName,
    host: &Host<'_>,
    local: Option<&NodeName>,
    ports: &[Port],
) -> Result<(Group, Storage), Failure> {
    let env = &host.context.env;
    let remembered = host.state_files.read(Some(name));
    let remembered = remembered.known();
    let mut named = Params::device_names(env, name);
    named.extend(remembered.into_iter().flat_map(StateFile::named_devices).cloned());
    let found = node.observer().storage(name, &named, |_| true, Detail::Settings)?;
    let local = local.or_else(|| remembered?.node.as_ref()).or_else(|| with_local_port(found.group.as_ref()?));
    let own = found.group.as_ref().zip(local).and_then(|(group, local)| group.target_groups.get(local));
    let starting = remembered.is_some_and(|file| file.starting) && !host.state_files.locked(name.as_str());
    let role = match (&found.group, own) {
        (None, _) if found.devices.is_empty() => Role::Stopped,
        (None, _) | (Some(_), None) => Role::Partial,
        (Some(_), Some(_)) if starting => Role::Partial,
        (Some(_), Some(own)) if own.state.is_open() => Role::Promoted,
        (Some(_), Some(own)) if own.state == AluaState::Transitioning => Role::Transitioning,
        _ => Role::Unpromoted,
    };
    let mut group = Group {
        name: name.to_string(),
        role,
        target_groups: target_groups(&found, local),
        luns: luns(&found),
        in_flight: in_flight(node, &found, ports)?,
        ..Group::default()
    };
    for (name, device) in &found.devices {
        let shown = view(name.as_str(), device, node.observer().has_registrants(name)?, &found);
        group.devices.push(shown);
    }
    group.faults(&found, remembered, own.is_some(), starting, host);
    group.reservations();
    Ok((group, found))
}

/// The agent's fixture for a group that nothing configures: no more than its name.
pub(in crate::scst_ha) fn unconfigured(node: &Node, name: &GroupName) -> scst_core::ocf::run::Context {
    node.context("", &BTreeMap::from([("groupname".to_owned(), name.to_string())]))
}

/// The group that these parameters name.
pub(in crate::scst_ha) fn configured_name(env: &Env) -> Option<GroupName> {
    GroupName::parse(env.param("groupname")?).ok()
}

/// The agent's view of this node.
pub(in crate::scst_ha) fn host(context: &scst_core::ocf::run::Context) -> Host<'_> {
    Host::new(context, TABLE.name)
}

/// The node whose target group holds ports of this machine.
fn with_local_port(group: &DeviceGroup) -> Option<&NodeName> {
    let local = |group: &state::TargetGroup| group.members.values().any(|member| member.local);
    group.target_groups.iter().find(|(_, group)| local(group)).map(|(node, _)| node)
}

impl Group {
    /// What a monitor would complain about.
    fn faults(&mut self, found: &Storage, remembered: Option<&StateFile>, own: bool, starting: bool, host: &Host<'_>) {
        if starting {
            self.faults.push("its start did not end".to_owned());
        } else if self.role == Role::Partial && found.group.is_none() {
            self.faults.push("devices are there, and no device group".to_owned());
        } else if self.role == Role::Partial && !own {
            self.faults.push("there is no target group of this node".to_owned());
        }
        let at_work = host.state_files.locked(&self.name);
        if self.role == Role::Transitioning && !at_work {
            self.faults.push("it is transitioning, and nothing is under way".to_owned());
        }
        for (name, device) in &found.devices {
            if self.role == Role::Promoted && device.active == Some(false) {
                self.faults.push(format!("device {name}: the backing store is not open"));
            }
            let before = remembered.and_then(|file| file.blocks.get(name)).map(|owed| owed.before);
            if before.is_some_and(|before| device.block.count > before) && !at_work {
                self.faults.push(format!("device {name}: left blocked by an action that died"));
            } else if device.block.count > 0 && before.is_none() {
                self.remarks.push(format!("device {name}: blocked by somebody else"));
            }
        }
    }

    /// Registrations that only this node knows of.
    fn reservations(&mut self) {
        let local = self.devices.iter().filter(|device| device.registered && !device.shared);
        let sentences = local.map(|device| {
            format!(
                "device {}: hosts have registered persistent reservations, of which only this node knows (reservations=local): when another \
                 node serves, they are gone",
                device.name
            )
        });
        self.remarks.extend(sentences.collect::<Vec<_>>());
    }
}

fn target_groups(found: &Storage, local: Option<&NodeName>) -> Vec<TargetGroup> {
    let groups = found.group.iter().flat_map(|group| &group.target_groups);
    let member = |(port, member): (&scst_core::scst::names::TargetName, &state::Member)| Member {
        port: port.to_string(),
        local: member.local,
        rel_tgt_id: member.rel_tgt_id,
    };
    groups
        .map(|(node, group)| TargetGroup {
            node: node.to_string(),
            local: Some(node) == local,
            group_id: group.group_id,
            state: group.state.as_str(),
            cluster: None,
            ports: group.members.iter().map(member).collect(),
        })
        .collect()
}

fn view(name: &str, device: &state::Device, registered: bool, found: &Storage) -> Device {
    let member = |group: &DeviceGroup| group.devices.iter().any(|member| member.as_str() == name);
    Device {
        name: name.to_owned(),
        handler: device.handler.map(scst_core::scst::names::HandlerName::dir),
        filename: device.filename.clone(),
        open: device.active,
        size: device.size,
        member: found.group.as_ref().is_some_and(member),
        blocked: device.block.count,
        pending: device.block.pending,
        known_as: device.identity.get("t10_dev_id").map(|t10| {
            let of = |name: &str| device.identity.get(name).map(String::as_str);
            HostId::of(of("naa_id"), of("eui64_id"), t10).to_string()
        }),
        product: device.identity.get("prod_id").cloned(),
        serial: device.identity.get("usn").cloned(),
        shared: device.is_shared(),
        registered,
    }
}

fn luns(found: &Storage) -> Vec<Lun> {
    let lun = |(at, lun): (&state::LunAddress, &state::Lun)| Lun {
        driver: at.table.driver.to_string(),
        port: at.table.port.to_string(),
        group: at.table.group.as_ref().map(ToString::to_string),
        number: at.lun,
        device: lun.device.to_string(),
        read_only: lun.read_only,
    };
    found.luns.iter().map(lun).collect()
}

/// Commands that sessions have given to the group's devices. Sessions without any command need no closer look.
fn in_flight(node: &Node, found: &Storage, ports: &[Port]) -> Result<Vec<InFlight>, Error> {
    let observer = node.observer();
    let mut all = Vec::new();
    for (at, lun) in &found.luns {
        let table = &at.table;
        let Ok(driver) = Driver::parse(table.driver.as_str()) else { continue };
        let port = ports.iter().find(|port| port.driver == driver.dir() && port.name == table.port.as_str());
        if port.is_none_or(|port| port.sessions.iter().all(|session| session.commands == 0)) {
            continue;
        }
        for session in observer.logged_in(driver, &table.port)? {
            if session.active_commands == 0 || session.group != table.group {
                continue;
            }
            let commands = observer.in_flight(driver, &table.port, &session, at.lun)?;
            if commands > 0 {
                let (port, device) = (table.port.to_string(), lun.device.to_string());
                all.push(InFlight { initiator: session.initiator, port, lun: at.lun, device, commands });
            }
        }
    }
    Ok(all)
}
