//! The status as text.

use std::collections::{BTreeMap, BTreeSet};

use scst_core::observe::fc_hosts::FcHost;
use scst_core::ocf::exit::one_line;
use scst_core::scst::names::Driver;

use super::agreement;
use super::group::{Device, Group, Lun, Role};
use super::shown::{PortResource, Status};
use crate::scst_ha::output::{Page, Tone};
use crate::scst_ha::ports::Port;
use crate::scst_ha::table::{Table, list};

/// What stands for hosts in no initiator group.
const DEFAULT: &str = "(default)";

/// Everything, as an operator reads it.
pub(super) fn text(status: &Status, page: Page) -> String {
    let node = status.node.as_ref().map_or("this node".to_owned(), |node| format!("node {}", one_line(node)));
    let scst =
        status.scst.as_ref().map_or("SCST is not loaded".to_owned(), |version| format!("SCST {}", one_line(version)));
    let reason = status.cluster.as_ref().map(|reason| format!("{reason}\n")).unwrap_or_default();
    let mut text = format!("{}: {scst}\n{reason}", page.paint(Tone::Strong, &node));
    text += &section(&ports(&status.ports, page));
    text += &section(&iscsi(&status.ports, page));
    text += &section(&initiators(&status.ports, page));
    for resource in &status.port_resources {
        text += &section(&port_resource(resource, page));
    }
    for shown in &status.groups {
        text += &section(&group(shown, &status.ports, page));
    }
    text += &section(&list(page, Tone::Strong, "", "to be known", &status.remarks));
    text + &section(&list(page, Tone::Bad, "", "could not be read", &status.unread))
}

/// An empty line before what is not empty.
fn section(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("\n{text}") }
}

fn ports(ports: &[Port], page: Page) -> String {
    let mut table = Table::new(&["port", "driver", "id", "enabled", "link", "sessions"]);
    for port in ports {
        table.row([
            port.name.clone(),
            port.driver.to_owned(),
            port.rel_tgt_id.to_string(),
            (if port.enabled { "yes" } else { "no" }).to_owned(),
            port.fc_host.as_ref().map(FcHost::link).unwrap_or_default(),
            port.sessions.len().to_string(),
        ]);
    }
    table.text("", page)
}

/// By which addresses targets of iSCSI may be reached, and by which users.
fn iscsi(ports: &[Port], page: Page) -> String {
    let mut table = Table::new(&["target", "portals", "users"]);
    for port in ports.iter().filter(|port| port.driver == Driver::Iscsi.dir() && port.unread.is_none()) {
        let portals = if port.portals.is_empty() { "all".to_owned() } else { port.portals.join(", ") };
        let users = if port.users.is_empty() { "nobody needs one".to_owned() } else { port.users.join(", ") };
        table.row([port.short(), portals, users]);
    }
    table.text("", page)
}

/// Who may see LUNs, and where who is logged in.
fn initiators(ports: &[Port], page: Page) -> String {
    let mut rows: BTreeMap<(String, String), Row> = BTreeMap::new();
    for port in ports {
        for group in &port.groups {
            // A group without any shows as one, too.
            let nobody = group.initiators.is_empty().then(String::new);
            for initiator in group.initiators.iter().chain(&nobody) {
                let row = rows.entry((group.name.clone(), initiator.clone())).or_default();
                row.io_groups.insert(group.io_grouping.clone());
            }
        }
        for session in &port.sessions {
            let group = session.group.clone().unwrap_or_else(|| DEFAULT.to_owned());
            let row = rows.entry((group, session.initiator.clone())).or_default();
            let from = session.addresses.join(", ");
            row.ports.insert(if from.is_empty() { port.short() } else { format!("{} from {from}", port.short()) });
            row.commands += session.commands;
        }
    }
    let mut table = Table::new(&["initiator", "group", "I/O group", "logged in on", "in flight"]);
    for ((group, initiator), row) in rows {
        let commands = if row.ports.is_empty() { String::new() } else { row.commands.to_string() };
        table.row([initiator, group, joined(&row.io_groups), joined(&row.ports), commands]);
    }
    table.text("", page)
}

/// One initiator in one group.
#[derive(Default)]
struct Row {
    io_groups: BTreeSet<String>,
    ports: BTreeSet<String>,
    commands: u32,
}

fn joined(words: &BTreeSet<String>) -> String {
    words.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

fn port_resource(resource: &PortResource, page: Page) -> String {
    let (state, tone) = if resource.running { ("running", Tone::Good) } else { ("stopped", Tone::Attention) };
    let title = page.paint(Tone::Strong, &format!("ports of resource {}", one_line(&resource.id)));
    let mut text = format!("{title}: {}\n", page.paint(tone, state));
    text += &list(page, Tone::Attention, "  ", "differs from the configuration", &resource.differences);
    text + &list(page, Tone::Strong, "  ", "to be known", &resource.remarks)
}

fn group(group: &Group, ports: &[Port], page: Page) -> String {
    let resources = one_line(&group.resources.join(", "));
    let resources = if resources.is_empty() { resources } else { format!(", resource {resources}") };
    let tone = match group.role {
        Role::Promoted | Role::Unpromoted => Tone::Good,
        Role::Stopped => Tone::Attention,
        Role::Transitioning | Role::Partial => Tone::Bad,
    };
    let name = page.paint(Tone::Strong, &format!("device group {}", group.name));
    let title = format!("{name}: {}{resources}\n", page.paint(tone, group.role.word()));
    let mut tables = vec![
        target_groups(group, page),
        devices(group, page),
        known_as(group, page),
        luns(&group.luns, ports, page),
        in_flight(group, ports, page),
        agreement::text(&group.agreement, page),
    ];
    tables.push(list(page, Tone::Bad, "  ", "not as it must be", &group.faults));
    tables.push(list(page, Tone::Attention, "  ", "differs from the configuration", &group.differences));
    tables.push(list(page, Tone::Strong, "  ", "to be known", &group.remarks));
    tables.retain(|table| !table.is_empty());
    title + &tables.join("\n")
}

fn target_groups(group: &Group, page: Page) -> String {
    let mut table = Table::new(&["target group", "id", "state", "cluster", "ports"]);
    for target_group in &group.target_groups {
        let here = if target_group.local { " (here)" } else { "" };
        // On this node a port that is only a name there is one that the kernel does not have.
        let absent = |local: bool| if target_group.local && !local { " (not here)" } else { "" };
        let ports = target_group.ports.iter();
        let ports = ports.map(|member| format!("{} {}{}", member.port, member.rel_tgt_id, absent(member.local)));
        table.row([
            format!("{}{here}", target_group.node),
            target_group.group_id.to_string(),
            target_group.state.to_owned(),
            target_group.cluster.unwrap_or_default().to_owned(),
            ports.collect::<Vec<_>>().join(", "),
        ]);
    }
    table.text("  ", page)
}

fn devices(group: &Group, page: Page) -> String {
    let mut table = Table::new(&["device", "handler", "filename", "store", "blocked"]);
    for device in &group.devices {
        let Device { name, handler, filename, open, member, blocked, pending, .. } = device;
        let name = if *member || group.target_groups.is_empty() { name.clone() } else { format!("{name} (no member)") };
        let store = open.map(|open| if open { "open" } else { "closed" }).unwrap_or_default();
        let waiting = if *pending { ", waits for commands" } else { "" };
        let blocked = match blocked {
            0 => "no".to_owned(),
            1 => format!("once{waiting}"),
            count => format!("{count} times{waiting}"),
        };
        let handler = handler.unwrap_or("(another)").to_owned();
        table.row([name, handler, filename.clone().unwrap_or_default(), store.to_owned(), blocked]);
    }
    table.text("  ", page)
}

/// What hosts see of each device.
fn known_as(group: &Group, page: Page) -> String {
    let mut table = Table::new(&["device", "known as", "product", "serial", "reservations"]);
    for Device { name, known_as, product, serial, shared, registered, .. } in &group.devices {
        let text = |text: &Option<String>| text.as_deref().map(one_line).unwrap_or_default();
        let shared = if *shared { "shared" } else { "local" };
        let registered = if *registered { ", registered" } else { "" };
        table.row([name.clone(), text(known_as), text(product), text(serial), format!("{shared}{registered}")]);
    }
    table.text("  ", page)
}

/// A row per LUN, a column per initiator group.
fn luns(luns: &[Lun], ports: &[Port], page: Page) -> String {
    let column = |lun: &Lun| lun.group.clone().unwrap_or_else(|| DEFAULT.to_owned());
    let columns: BTreeSet<String> = luns.iter().map(column).collect();
    let numbers: BTreeSet<u32> = luns.iter().map(|lun| lun.number).collect();
    let mut head = vec!["LUN".to_owned()];
    head.extend(columns.iter().cloned());
    let mut table = Table::new(&head);
    for number in numbers {
        let mut row = vec![number.to_string()];
        for name in &columns {
            let here: Vec<&Lun> = luns.iter().filter(|lun| lun.number == number && column(lun) == *name).collect();
            let devices: BTreeSet<String> = here.iter().map(|lun| cell(lun, &here, ports)).collect();
            row.push(devices.into_iter().collect::<Vec<_>>().join(", "));
        }
        table.row(row);
    }
    table.text("  ", page)
}

/// A device, and the ports that show it, where not all do.
fn cell(lun: &Lun, here: &[&Lun], ports: &[Port]) -> String {
    let has_table = |port: &&Port| {
        port.driver == lun.driver
            && lun.group.as_ref().is_some_and(|name| port.groups.iter().any(|group| group.name == *name))
    };
    let all = ports.iter().filter(has_table).count();
    let same: Vec<&&Lun> = here.iter().filter(|other| other.device == lun.device).collect();
    let read_only = if lun.read_only { " (read only)" } else { "" };
    if same.len() == all {
        return format!("{}{read_only}", lun.device);
    }
    let names: BTreeSet<String> = same.iter().map(|lun| short(&lun.port, ports)).collect();
    format!("{}{read_only} on {}", lun.device, joined(&names))
}

fn short(name: &str, ports: &[Port]) -> String {
    ports.iter().find(|port| port.name == name).map_or_else(|| name.to_owned(), Port::short)
}

fn in_flight(group: &Group, ports: &[Port], page: Page) -> String {
    let mut table = Table::new(&["in flight from", "on", "LUN", "device", "commands"]);
    for row in &group.in_flight {
        let port = short(&row.port, ports);
        table.row([row.initiator.clone(), port, row.lun.to_string(), row.device.clone(), row.commands.to_string()]);
    }
    table.text("  ", page)
}
