//! `scst-ha status`: ports, device groups, and what differs from the configuration.

pub(super) mod agreement;
mod compare;
pub(super) mod group;
mod groups;
mod known;
mod peers;
mod prepare;
mod report;
mod shown;

use std::time::Duration;

use scst_core::cluster::Configuration;
use scst_core::ocf::exit::Failure;
use scst_core::scst::names::{Driver, GroupName, NodeName, TargetName};

pub(super) use self::shown::Status;

use self::compare::{every_group, ports_of};
use self::known::Known;
use self::prepare::prepare;
use super::cli;
use super::node::Node;
use super::output::{print, print_json};
use super::plan::State;
use super::ports::{self, Port};
use super::verdict::Verdict;
use crate::{scst_qla2xtgt, scst_target};

/// Shows everything there is, once or until it is interrupted.
pub(super) fn run(node: &Node, options: &cli::Status) -> Result<Verdict, Failure> {
    let Some(seconds) = options.watch else { return once(node, options) };
    // Nobody sends anything: waiting for it is a sleep that has an end.
    let (_sender, never) = std::sync::mpsc::channel::<()>();
    loop {
        let page = node.page();
        if page.is_terminal() {
            print("\u{1b}[H\u{1b}[2J")?;
        }
        if let Err(failure) = once(&node.again(), options) {
            print(&format!("{failure}\n"))?;
        }
        let _ = never.recv_timeout(Duration::from_secs(seconds));
        if !page.is_terminal() {
            print("\n")?;
        }
    }
}

/// Shows everything once.
fn once(node: &Node, options: &cli::Status) -> Result<Verdict, Failure> {
    let status = look(node, options.group.as_ref())?;
    if options.json {
        print_json(&status)?;
    } else {
        print(&report::text(&status, node.page()))?;
    }
    if let Some(name) = options.group.as_ref().filter(|_| status.groups.is_empty()) {
        return Err(Failure::generic(format!("device group {name} is neither here nor configured")));
    }
    Ok(status.verdict())
}

pub(super) fn look(node: &Node, only: Option<&GroupName>) -> Result<Status, Failure> {
    let observer = node.observer();
    let mut status = Status { scst: observer.scst_version()?, ..Status::default() };
    let mut known = Known { local: None, configuration: Configuration::default() };
    match node.cluster() {
        Ok((name, configuration)) => {
            let local = NodeName::parse(&name);
            if let Err(error) = &local {
                status
                    .remarks
                    .push(format!("nothing is compared: node name {name} cannot name a target group: {error}"));
            }
            known = Known { local: local.ok(), configuration };
            status.node = Some(name);
        }
        Err(error) => status.cluster = Some(error.to_string()),
    }
    let hosts = observer.fc_hosts()?;
    for driver in Driver::ALL {
        match ports::of_driver(observer, driver, &hosts) {
            Ok(ports) => {
                for (port, error) in ports.iter().filter_map(|port| Some((port, port.unread.clone()?))) {
                    status.unread(&format!("users and portals of target {}", port.name), &error.into());
                }
                status.ports.extend(ports);
            }
            Err(error) => status.unread(&format!("ports of driver {driver}"), &error.into()),
        }
    }
    if let Some(local) = known.local.as_ref().and_then(|local| known.configuration.nodes.node(local.as_str())) {
        let entries: Vec<&str> = scst_core::cluster::entries(local).collect();
        for port in &mut status.ports {
            port.listed = Some(entries.iter().any(|entry| is_port(entry, port)));
        }
    }
    if only.is_none() {
        for agent in [scst_qla2xtgt::AGENT, scst_target::AGENT] {
            for resource in known.of_agent(agent.table.name) {
                let shown = ports_of(node, agent, resource, &known, &mut status);
                status.port_resources.push(shown);
            }
        }
    }
    every_group(node, only, &known, &mut status)?;
    if known.local.is_some() {
        peers::add(node, &mut status);
    }
    if node.snapshot().is_some() {
        prepare(node, &status)?;
        status.state = node.snapshot().map(|machine| State::new(&known.configuration, machine));
    }
    Ok(status)
}

/// Whether an entry of `targetports`, in whatever spelling, is this port.
fn is_port(entry: &str, port: &Port) -> bool {
    let driver = Driver::parse(port.driver).ok();
    driver.and_then(|driver| TargetName::parse(driver, entry).ok()).is_some_and(|name| name.matches(&port.name))
}
