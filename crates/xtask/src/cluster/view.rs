//! The view of a node's SCST: as it is, and as it must be while the cluster has certain roles.
//!
//! It is a text, a line for each port, initiator group, device, device group and target group, so that a difference is read and not
//! decoded. What must be is computed from the configuration and the cluster's status alone, by the rules for ids and states, and
//! knows nothing of how the agents get there.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::config::{Config, Group, Machine, PORTS};
use super::rig::Node;
use super::running::{Cluster, Outcome, until};
use super::status::Status;

/// What a node's kernel shows; `None` without power.
pub(super) fn found(node: &Node) -> Option<String> {
    let scst = node.path("/sys/kernel/scst_tgt")?;
    let mut lines = Vec::new();
    let driver = scst.join("targets/qla2x00t");
    for port in directories(&driver) {
        let place = driver.join(&port);
        lines.push(format!(
            "port {port} enabled {} id {}",
            value(&place.join("enabled")),
            value(&place.join("rel_tgt_id"))
        ));
        lines.extend(luns(&place.join("luns")).map(|lun| format!("  everybody {lun}")));
        for group in directories(&place.join("ini_groups")) {
            let place = place.join("ini_groups").join(&group);
            let initiators = files(&place.join("initiators")).join(",");
            lines.push(format!("  group {group} I/O group {}: {initiators}", value(&place.join("io_grouping_type"))));
            lines.extend(luns(&place.join("luns")).map(|lun| format!("    {lun}")));
        }
    }
    for device in directories(&scst.join("devices")) {
        lines.push(format!("device {device} blocked {}", value(&scst.join("devices").join(&device).join("block"))));
    }
    let groups = scst.join("device_groups");
    for group in directories(&groups) {
        lines.push(format!("device group {group}: {}", links(&groups.join(&group).join("devices")).join(",")));
        let place = groups.join(&group).join("target_groups");
        for target_group in directories(&place) {
            let place = place.join(&target_group);
            let local = links(&place).into_iter().map(|port| {
                let drivers = ["qla2x00t", "iscsi"].map(|driver| scst.join("targets").join(driver).join(&port));
                let place = drivers.into_iter().find(|place| place.exists()).unwrap_or_default();
                format!("{port}={}", value(&place.join("rel_tgt_id")))
            });
            let remote = directories(&place).into_iter().map(|port| {
                let id = value(&place.join(&port).join("rel_tgt_id"));
                format!("{port}={id} (remote)")
            });
            let members: Vec<String> = local.chain(remote).collect();
            lines.push(format!(
                "  target group {target_group} id {} {}: {}",
                value(&place.join("group_id")),
                value(&place.join("state")),
                members.join(", ")
            ));
        }
    }
    Some(lines.join("\n"))
}

/// What it must show while the cluster is in this status.
pub(super) fn wanted(cluster: &Cluster, machine: &Machine, status: &Status) -> String {
    let config = &cluster.config;
    let here = |resource: &str| status.role(resource, &machine.name).is_some();
    let (serves, running) =
        (here(PORTS), config.groups.iter().filter(|group| here(group.resource)).collect::<Vec<_>>());
    let mut lines = Vec::new();
    let mut ports: Vec<(&String, usize)> = machine.ports.iter().zip(1..).collect();
    ports.sort();
    // An idle node's driver may be loaded or not, depending on what it has served before; its ports are then off.
    for (port, number) in ports.into_iter().filter(|_| serves) {
        lines.push(format!("port {port} enabled 1 id {}", usize::from(machine.id) * 100 + number));
        lines.extend(initiator_groups(config, machine, &running));
    }
    let mut devices: Vec<String> =
        running.iter().flat_map(|group| group.devices.iter().map(|device| group.device(device))).collect();
    devices.sort();
    lines.extend(devices.into_iter().map(|device| format!("device {device} blocked 0 0")));
    let mut groups = running;
    groups.sort_by_key(|group| group.name);
    for group in groups {
        let mut members: Vec<String> = group.devices.iter().map(|device| group.device(device)).collect();
        members.sort();
        lines.push(format!("device group {}: {}", group.name, members.join(",")));
        lines.extend(target_groups(cluster, machine, group, status));
    }
    lines.join("\n")
}

fn initiator_groups(config: &Config, machine: &Machine, running: &[&Group]) -> Vec<String> {
    // The number of a group is its place in the configuration, the order of the view that of the names.
    let numbered: BTreeMap<&str, (usize, &[&str])> =
        config.hosts.iter().zip(1..).map(|(hosts, number)| (hosts.name, (number, hosts.initiators))).collect();
    let mut lines = Vec::new();
    for (name, (number, initiators)) in numbered {
        let mut initiators = initiators.to_vec();
        initiators.sort_unstable();
        let io_group = usize::from(machine.id) * 100 + number;
        lines.push(format!("  group {name} I/O group {io_group}: {}", initiators.join(",")));
        let luns: BTreeMap<u32, String> = running
            .iter()
            .flat_map(|group| group.devices.iter().map(|device| (device.lun, group.device(device))))
            .collect();
        lines.extend(luns.into_iter().map(|(lun, device)| format!("    LUN {lun} {device}")));
    }
    lines
}

/// The target groups of a device group as one node sees them: its own ports are local members, all others remote.
fn target_groups(cluster: &Cluster, machine: &Machine, group: &Group, status: &Status) -> Vec<String> {
    let mut machines: Vec<&Machine> = cluster.machines.iter().filter(|machine| !machine.ports.is_empty()).collect();
    machines.sort_by_key(|machine| &machine.name);
    let line = |of: &Machine| {
        let state = match status.role(group.resource, &of.name) {
            Some("Promoted") => "active",
            Some(_) => "standby",
            None => "unavailable",
        };
        let remote = if of.name == machine.name { "" } else { " (remote)" };
        let mut members: Vec<String> = of
            .ports
            .iter()
            .zip(1..)
            .map(|(port, number)| format!("{port}={}{remote}", usize::from(of.id) * 100 + number))
            .collect();
        members.sort();
        format!("  target group {} id {} {state}: {}", of.name, of.id, members.join(", "))
    };
    machines.into_iter().map(line).collect()
}

/// Ports that serve nobody: disabled, and without initiator groups. Whether a node shows them is not asked.
fn without_idle_ports(view: &str) -> String {
    let mut kept = Vec::new();
    let mut lines = view.lines().peekable();
    while let Some(line) = lines.next() {
        let idle = line.starts_with("port ") && line.contains(" enabled 0 ");
        if !idle || lines.peek().is_some_and(|next| next.starts_with("  ")) {
            kept.push(line);
        }
    }
    kept.join("\n")
}

impl Cluster {
    /// What of all nodes with power is not as it must be; `None` if all is right.
    pub(super) fn wrong_view(&self, status: &Status) -> Option<String> {
        for node in self.nodes() {
            let Some(machine) = self.machines.iter().find(|machine| machine.name == node.name()) else { continue };
            let Some(found) = found(&node) else { continue };
            let (found, wanted) = (without_idle_ports(&found), wanted(self, machine, status));
            if found != wanted {
                return Some(format!(
                    "{} shows\n{found}\nand must show\n{wanted}\nwhile the cluster says\n{status}",
                    node.name()
                ));
            }
        }
        None
    }

    /// Waits until the cluster is at rest as every scenario must leave it: no failed action, every node with power online, and on each the
    /// view that belongs to the roles.
    pub(super) fn settles(&self) -> Outcome<Status> {
        self.idle()?;
        let mut last = None;
        until("the right view on every node", || {
            let status = self.status()?;
            let wrong = wrong_status(self, &status).or_else(|| self.wrong_view(&status));
            last = Some(status);
            Ok(wrong)
        })?;
        last.ok_or_else(|| "no status".into())
    }
}

fn wrong_status(cluster: &Cluster, status: &Status) -> Option<String> {
    let off = cluster
        .nodes()
        .into_iter()
        .filter(|node| node.is_on() && !status.online.iter().any(|name| name == node.name()));
    let off: Vec<String> = off.map(|node| node.name().to_owned()).collect();
    if !off.is_empty() {
        return Some(format!("not online: {}\n{status}", off.join(" ")));
    }
    if !status.failures.is_empty() || !status.marks.is_empty() {
        return Some(format!("the cluster says\n{status}"));
    }
    let groups = cluster.config.groups.iter().filter(|_| cluster.config.own_scores);
    for group in groups.flat_map(|group| cluster.nodes().into_iter().map(move |node| (group, node))) {
        let (group, node) = group;
        // An instance that was demoted keeps the higher one until its next monitor.
        let wanted: &[Option<&str>] = match status.role(group.resource, node.name()) {
            Some("Promoted") => &[Some("10")],
            Some(_) => &[Some("5"), Some("10")],
            None => &[None],
        };
        if !wanted.contains(&status.score(group.resource, node.name())) {
            return Some(format!("the score of {} on {} is not {wanted:?}\n{status}", group.resource, node.name()));
        }
    }
    None
}

fn value(path: &Path) -> String {
    fs::read_to_string(path)
        .ok()
        .and_then(|text| text.lines().next().map(str::to_owned))
        .unwrap_or_else(|| "nothing".to_owned())
}

fn luns(table: &Path) -> impl Iterator<Item = String> {
    let device = |lun: &str| {
        let link = fs::read_link(table.join(lun).join("device")).unwrap_or_default();
        link.file_name().unwrap_or_default().to_string_lossy().into_owned()
    };
    let luns: BTreeMap<u64, String> = directories(table)
        .into_iter()
        .map(|lun| (lun.parse().unwrap_or(u64::MAX), format!("LUN {lun} {}", device(&lun))))
        .collect();
    luns.into_values()
}

fn directories(path: &Path) -> Vec<String> {
    entries(path, fs::FileType::is_dir)
}

fn links(path: &Path) -> Vec<String> {
    entries(path, fs::FileType::is_symlink)
}

/// Files but the one that takes commands.
fn files(path: &Path) -> Vec<String> {
    entries(path, fs::FileType::is_file).into_iter().filter(|name| name != "mgmt").collect()
}

fn entries(path: &Path, wanted: fn(&fs::FileType) -> bool) -> Vec<String> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let wanted = entries.filter(|entry| entry.file_type().is_ok_and(|kind| wanted(&kind)));
    let mut names: Vec<String> = wanted.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
