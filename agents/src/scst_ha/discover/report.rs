//! What was discovered, as text.

use scst_core::cluster::TARGETPORTS;
use scst_core::observe::fc_hosts::FcHost;

use super::discovery::Discovery;
use crate::scst_ha::output::{Page, Tone};
use crate::scst_ha::ports::Port;
use crate::scst_ha::table::{Table, list};

/// Everything, as an operator reads it.
pub(super) fn text(found: &Discovery, page: Page) -> String {
    let cluster = found.cluster.as_ref().map(|reason| format!("{reason}\n")).unwrap_or_default();
    let mut sections = vec![ports(found, page), others(found, page), cluster, attribute(found, page)];
    sections.push(list(page, Tone::Strong, "", "to be known", &found.remarks));
    sections.retain(|section| !section.is_empty());
    sections.join("\n")
}

fn ports(found: &Discovery, page: Page) -> String {
    let mode = found.qlini_mode.as_ref().map(|mode| format!(", qlini_mode {mode}")).unwrap_or_default();
    let none = if found.ports.is_empty() { ": none" } else { "" };
    let mut ports = Table::new(&["port", "host", "state", "speed", "enabled", "id", "logged in"]);
    for port in &found.ports {
        ports.row(row(port));
    }
    let portals = list(page, Tone::Strong, "", "addresses for portals", &found.portals);
    let portals = if portals.is_empty() { portals } else { format!("\n{portals}") };
    let title = page.paint(Tone::Strong, &format!("target ports of driver {}", found.driver));
    format!("{title}{mode}{none}\n{}{portals}", ports.text("  ", page))
}

fn others(found: &Discovery, page: Page) -> String {
    let mut others = Table::new(&[if found.loaded { "no target port" } else { "FC port" }, "host", "state", "speed"]);
    for FcHost { host, wwpn, state, speed } in &found.not_targets {
        others.row([wwpn.clone(), host.clone(), state.clone().unwrap_or_default(), speed.clone().unwrap_or_default()]);
    }
    others.text("  ", page)
}

fn row(port: &Port) -> [String; 7] {
    let host = port.fc_host.as_ref();
    let mut initiators: Vec<&str> = port.sessions.iter().map(|session| session.initiator.as_str()).collect();
    initiators.dedup();
    [
        port.name.clone(),
        host.map(|port| port.host.clone()).unwrap_or_default(),
        host.and_then(|FcHost { state, .. }| state.clone()).unwrap_or_default(),
        host.and_then(|FcHost { speed, .. }| speed.clone()).unwrap_or_default(),
        (if port.enabled { "yes" } else { "no" }).to_owned(),
        port.rel_tgt_id.to_string(),
        initiators.join(", "),
    ]
}

fn attribute(found: &Discovery, page: Page) -> String {
    if found.should_be.is_none() && found.is.is_none() {
        return String::new();
    }
    let should_be = found.should_be.as_ref().map_or("not known".to_owned(), |should_be| format!("{should_be:?}"));
    let of_node = found.node.as_ref().map(|node| format!(" of node {node}")).unwrap_or_default();
    let mut lines = vec![page.paint(Tone::Strong, &format!("{TARGETPORTS}{of_node}"))];
    if found.cluster.is_none() {
        let is = found.is.as_ref().map_or("not set".to_owned(), |is| format!("{is:?}"));
        lines.push(format!("  is         {is}"));
    }
    lines.push(format!("  should be  {should_be}"));
    let mut text = lines.join("\n") + "\n";
    if found.differs {
        let mut places = Table::new(&["place", "id", "is", "should be"]);
        for number in &found.numbers {
            let id = number.rel_tgt_id.map(|id| id.to_string()).unwrap_or_default();
            let name = |entry: &Option<String>| entry.clone().unwrap_or_default();
            places.row([number.place.to_string(), id, name(&number.is), name(&number.should_be)]);
        }
        text.push('\n');
        text.push_str(&places.text("  ", page));
    }
    text
}
