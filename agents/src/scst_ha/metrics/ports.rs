//! Ports, their sessions, and how much went over them.

use std::collections::BTreeMap;

use scst_core::scst::names::{Driver, TargetName};

use super::counters::{Counted, of_port, of_session};
use super::exposition::{Exposition, count, flag, number};
use crate::scst_ha::node::Node;
use crate::scst_ha::ports::Port;
use crate::scst_ha::status::Status;

/// What makes the limit plain where it is met.
const LIMITED: &str =
    "Initiators at ports that have no series of their own, because there are more than --sessions allows.";

/// Adds everything of ports; answers how many things could not be read. `limit`: so many initiators at ports have series of their own.
pub(super) fn add(all: &mut Exposition, node: &Node, status: &Status, limit: usize) -> usize {
    let (mut unread, mut left, mut left_out) = (0, limit, 0);
    for port in &status.ports {
        let rel_tgt_id = port.rel_tgt_id.to_string();
        let listed = match port.listed {
            Some(true) => "yes",
            Some(false) => "no",
            None => "unknown",
        };
        let labels = [("driver", port.driver), ("port", &port.name), ("rel_tgt_id", &rel_tgt_id), ("listed", listed)];
        all.gauge("scst_port_enabled", "Whether the port answers initiators.", &labels, flag(port.enabled));
        all.gauge("scst_port_sessions", "Sessions on the port.", &labels, count(port.sessions.len()));
        if let Some(host) = &port.fc_host {
            let up = host.state.as_deref().is_some_and(|state| state == "Online");
            all.gauge("scst_port_link_up", "Whether the Fibre Channel link is up.", &labels, flag(up));
        }
        let Some((driver, name)) = Driver::parse(port.driver).ok().zip(TargetName::seen(&port.name).ok()) else {
            continue;
        };
        match of_port(node.observer(), driver, &name) {
            Ok(counted) => add_counted(all, &counted, &[("driver", port.driver), ("port", &port.name)], PORT),
            Err(_) => unread += 1,
        }
        let initiators = by_initiator(port);
        left_out += initiators.len().saturating_sub(left);
        for ((initiator, group), sessions) in initiators.into_iter().take(left) {
            left -= 1;
            let labels = [("driver", port.driver), ("port", &port.name), ("initiator", initiator), ("group", group)];
            let in_flight = sessions.iter().map(|session| u64::from(session.commands)).sum();
            all.gauge("scst_session_commands_in_flight", "Commands that have not ended.", &labels, number(in_flight));
            let mut counted = Counted::default();
            for session in sessions {
                match of_session(node.observer(), driver, &name, &session.name) {
                    Ok(more) => counted.add(&more),
                    Err(_) => unread += 1,
                }
            }
            add_counted(all, &counted, &labels, SESSION);
        }
    }
    all.gauge("scst_session_series_left_out", LIMITED, &[], count(left_out));
    for resource in &status.port_resources {
        let labels = [("resource", resource.id.as_str())];
        let differences = resource.differences.len() + usize::from(resource.left_out);
        all.gauge("scst_resource_differences", super::groups::DIFFERENCES, &labels, count(differences));
        all.gauge(
            "scst_ports_running",
            "Whether the ports of a resource are up here.",
            &labels,
            flag(resource.running),
        );
    }
    unread
}

/// The sessions of each initiator, which has one group on a port.
fn by_initiator(port: &Port) -> BTreeMap<(&str, &str), Vec<&crate::scst_ha::ports::Session>> {
    let mut found: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for session in &port.sessions {
        let group = session.group.as_deref().unwrap_or_default();
        found.entry((session.initiator.as_str(), group)).or_default().push(session);
    }
    found
}

/// Name and help of the commands, and of the bytes.
type Names = [(&'static str, &'static str); 2];

const PORT: Names = [
    ("scst_port_commands_total", "Commands that the port has carried out, as the kernel counts them."),
    ("scst_port_bytes_total", "Bytes that went over the port, as the kernel counts them."),
];

const SESSION: Names = [
    ("scst_session_commands_total", "Commands of an initiator at a port, as the kernel counts them."),
    ("scst_session_bytes_total", "Bytes of an initiator at a port, as the kernel counts them."),
];

fn add_counted(all: &mut Exposition, counted: &Counted, labels: &[(&str, &str)], names: Names) {
    for ((name, help), numbers) in names.into_iter().zip([&counted.commands, &counted.bytes]) {
        for (direction, value) in numbers {
            let labels: Vec<(&str, &str)> = labels.iter().copied().chain([("direction", *direction)]).collect();
            all.counter(name, help, &labels, number(*value));
        }
    }
}
