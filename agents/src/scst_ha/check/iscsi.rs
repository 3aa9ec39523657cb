//! Targets of iSCSI: their daemon, their users, and whether their portals can be reached from here.
//!
//! A portal is a text that the daemon compares with the address at which an initiator arrives. Addresses that are written out are tried, and of
//! this machine's those that a portal allows. Which addresses other nodes have is configured nowhere.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use scst_core::scst::iscsi::Portal;
use scst_core::scst::names::Driver;

use super::view::View;
use crate::scst_ha::addresses;
use crate::scst_ha::cib::Finding;
use crate::scst_ha::ports::Port;

/// Where the daemon listens unless it was told something else.
const PORT: u16 = 3260;

/// So long one address has to answer.
const LIMIT: Duration = Duration::from_secs(2);

/// So many addresses are tried.
const MOST: usize = 64;

/// Everything about targets of iSCSI.
pub(super) fn findings(view: &View<'_>) -> Vec<Finding> {
    let mut found = vec![daemon(view)];
    let targets: Vec<&Port> =
        view.status.ports.iter().filter(|port| port.driver == Driver::Iscsi.dir() && port.enabled).collect();
    found.extend(targets.iter().map(|port| users(port)));
    let portals: BTreeSet<&str> = targets.iter().flat_map(|port| port.portals.iter().map(String::as_str)).collect();
    if targets.iter().any(|port| port.unread.is_none()) {
        let everywhere = targets.iter().any(|port| port.portals.is_empty() && port.unread.is_none());
        found.extend(reached(view, &portals, everywhere));
    }
    found
}

fn daemon(view: &View<'_>) -> Finding {
    match view.node.observer().open_state(Driver::Iscsi) {
        Ok(Some(state)) if state != "closed" => Finding::fine("iscsi-scstd", "runs"),
        Ok(_) => {
            let text = "does not run: there are no iSCSI targets";
            Finding::wrong("iscsi-scstd", text, "a start of the targets' resource starts it")
        }
        Err(error) => Finding::unknown("iscsi-scstd", error),
    }
}

/// Who may log in to a target.
fn users(port: &Port) -> Finding {
    let about = format!("port {}", port.name);
    if let Some(error) = &port.unread {
        return Finding::unknown(about, format!("its users and portals are not known: {error}"));
    }
    if port.users.iter().all(|user| user.starts_with('(')) {
        let text = "has no user: every initiator that reaches it and is in an initiator group may log in without proof";
        return Finding::attention(about, text, "incoming_users of the targets' resource");
    }
    Finding::fine(about, format!("its users are {}", port.users.join(", ")))
}

/// Tries the portals.
fn reached(view: &View<'_>, portals: &BTreeSet<&str>, everywhere: bool) -> Vec<Finding> {
    let about = "portals";
    let own = addresses::own();
    let seen: Vec<Portal> = portals.iter().filter_map(|portal| Portal::seen(portal).ok()).collect();
    let allowed = |address: &IpAddr| everywhere || seen.iter().any(|portal| portal.allows(&address.to_string()));
    let mut tried: BTreeSet<IpAddr> = portals.iter().filter_map(|portal| portal.parse().ok()).collect();
    tried.extend(own.iter().filter(|address| allowed(address)));
    let mut found = Vec::new();
    if !everywhere && !own.iter().any(allowed) && !tried.iter().any(IpAddr::is_loopback) {
        let text = format!("no address of this node is one of {}: no initiator reaches it here", joined(portals));
        found.push(Finding::wrong(about, text, "portals of the targets' resource, or the node's network"));
    }
    let left_out = tried.len().saturating_sub(MOST);
    let tried: Vec<IpAddr> = tried.into_iter().take(MOST).collect();
    for (address, answer) in connect(view, &tried) {
        let place = SocketAddr::new(address, PORT);
        let here = own.contains(&address) || address.is_loopback();
        found.push(match (answer, here) {
            (Ok(()), _) => Finding::fine(about, format!("{place} can be reached from here")),
            (Err(error), true) => Finding::wrong(
                about,
                format!("{place}, an address of this node, does not answer: {error}"),
                "ss -ltn shows where iscsi-scstd listens; a firewall of this node",
            ),
            (Err(error), false) => Finding::attention(
                about,
                format!("{place} cannot be reached from here: {error}"),
                "the node that has it, the network between, its firewall",
            ),
        });
    }
    if left_out > 0 {
        found.push(Finding::unknown(about, format!("{left_out} more addresses are not tried")));
    }
    if everywhere || portals.iter().any(|portal| portal.parse::<IpAddr>().is_err()) {
        let text = "the addresses of other nodes are configured nowhere, and are not tried: run it there";
        found.push(Finding::unknown(about, text));
    }
    found
}

fn joined(words: &BTreeSet<&str>) -> String {
    words.iter().copied().collect::<Vec<_>>().join(", ")
}

/// What each address answers; all of them are tried at once, and each has its time.
fn connect(view: &View<'_>, addresses: &[IpAddr]) -> BTreeMap<IpAddr, Result<(), String>> {
    let limit = LIMIT.min(view.node.deadline.remaining() / 2);
    let (sender, receiver) = mpsc::channel();
    for address in addresses.iter().copied() {
        let sender = sender.clone();
        thread::spawn(move || {
            let answer = TcpStream::connect_timeout(&SocketAddr::new(address, PORT), limit);
            // Whoever asked may have given up.
            let _ = sender.send((address, answer.map(drop).map_err(|error| error.to_string())));
        });
    }
    drop(sender);
    let mut answers: BTreeMap<IpAddr, Result<(), String>> =
        addresses.iter().map(|address| (*address, Err("no answer in time".to_owned()))).collect();
    while let Ok((address, answer)) = receiver.recv_timeout(view.node.deadline.remaining()) {
        answers.insert(address, answer);
    }
    answers
}
