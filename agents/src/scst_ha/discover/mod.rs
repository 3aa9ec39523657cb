//! `scst-ha discover`: which ports can be targets, and what `targetports` should be.

mod discovery;
mod proposal;
mod report;

use scst_core::cluster::{self, Nodes, Refused, TARGETPORTS, Topology};
use scst_core::observe::fc_hosts::FcHost;
use scst_core::ocf::exit::Failure;
use scst_core::scst::names::{Driver, TargetName};

use self::discovery::{Discovery, Number};
use self::proposal::{Proposal, concerns, propose};
use super::addresses;
use super::cli::Discover;
use super::node::Node;
use super::output::{Page, print, print_json};
use super::ports;
use super::verdict::Verdict;

/// Shows, and sets if that was asked for.
pub(super) fn run(node: &Node, options: &Discover) -> Result<Verdict, Failure> {
    let (name, nodes, unknown) = ask(node, options);
    let mut found = discover(node, options.driver)?;
    found.node.clone_from(&name);
    found.cluster.clone_from(&unknown);
    let local = name.as_deref().and_then(|name| nodes.node(name));
    if let Some(name) = name.as_ref().filter(|_| unknown.is_none() && local.is_none()) {
        found.remarks.push(format!("node {name} is not in the CIB"));
    }
    let is: Vec<&str> = local.map(|local| cluster::entries(local).collect()).unwrap_or_default();
    found.is = local.and_then(|local| local.targetports.clone());
    if found.loaded || options.driver.makes_targets() {
        let ports = listable(&mut found, options, &is);
        let Proposal { entries, missing, remarks } = propose(&is, &ports, options.driver, options.renumber);
        let id = local.and_then(|local| local.id.parse::<u32>().ok());
        found.numbers = (0..is.len().max(entries.len()))
            .map(|index| Number {
                place: index + 1,
                rel_tgt_id: id.and_then(|id| Some(id * 100 + u32::try_from(index + 1).ok()?)),
                is: is.get(index).map(|entry| (*entry).to_owned()),
                should_be: entries.get(index).cloned(),
            })
            .collect();
        found.differs = local.is_some() && is != entries;
        found.should_be = Some(entries.join(","));
        found.missing = missing;
        found.remarks.extend(remarks);
        check(&mut found, &nodes, options.driver);
    }
    let without = nodes.0.iter().filter(|other| !other.remote && cluster::entries(other).next().is_none());
    let without = without.filter(|other| Some(&other.name) != name.as_ref());
    found
        .remarks
        .extend(without.map(|other| format!("node {} has no {TARGETPORTS}: it serves no targets", other.name)));
    if !options.set {
        show(&found, options.json, node.page())?;
        return Ok(found.verdict());
    }
    // What is written is shown before; for a program everything is said at once.
    if !options.json {
        print(&report::text(&found, node.page()))?;
    }
    set(node, &mut found, unknown)?;
    if options.json {
        print_json(&found)?;
    } else {
        print(if found.set { "\ntargetports is set\n" } else { "\nnothing is to be set\n" })?;
    }
    Ok(found.verdict())
}

impl Discovery {
    fn verdict(&self) -> Verdict {
        if self.differs || !self.missing.is_empty() || self.refused.is_some() {
            Verdict::Differs
        } else {
            Verdict::Right
        }
    }
}

/// This node's name, all nodes, and why the cluster could not say.
fn ask(node: &Node, options: &Discover) -> (Option<String>, Nodes, Option<String>) {
    let told = options.node.as_ref().map(ToString::to_string);
    let nodes = match cluster::query_nodes(&node.tools, &node.deadline) {
        Ok(nodes) => nodes,
        Err(error) => return (told, Nodes::default(), Some(error.to_string())),
    };
    match told.map_or_else(|| cluster::local_node_name(&node.tools, &node.deadline), Ok) {
        Ok(name) => (Some(name), nodes, None),
        Err(error) => (None, nodes, Some(error.to_string())),
    }
}

/// The ports that belong into the attribute. Targets that are made by command need not be there yet: their names are those that it has,
/// or one under the authority that was given.
fn listable(found: &mut Discovery, options: &Discover, is: &[&str]) -> Vec<TargetName> {
    let there: Vec<_> = found.ports.iter().filter_map(|port| TargetName::seen(&port.name).ok()).collect();
    if !options.driver.makes_targets() {
        return there;
    }
    let own = |entry: &&str| TargetName::parse(options.driver, entry).ok();
    let mut listed: Vec<_> = is.iter().filter_map(own).filter(|name| concerns(options.driver, name.as_str())).collect();
    let unlisted = there.into_iter().filter(|name| !is.iter().any(|entry| name.matches(entry)));
    listed.extend(unlisted);
    let node = found.node.as_deref().map(str::to_ascii_lowercase);
    match (&options.authority, node) {
        (Some(authority), Some(node)) if listed.is_empty() => {
            match TargetName::parse(options.driver, &format!("{authority}:{node}")) {
                Ok(name) => listed.push(name),
                Err(error) => found.remarks.push(format!("node name {node} cannot end the name of a target: {error}")),
            }
        }
        (None, _) if listed.is_empty() && options.driver == Driver::Iscsi => {
            found.remarks.push("without --authority no name can be proposed".to_owned());
        }
        _ => {}
    }
    listed
}

fn discover(node: &Node, driver: Driver) -> Result<Discovery, Failure> {
    let observer = node.observer();
    let mut found = Discovery { driver: driver.dir(), loaded: observer.driver_loaded(driver)?, ..Discovery::default() };
    if driver == Driver::Iscsi {
        found.portals = addresses::own().iter().map(ToString::to_string).collect();
    }
    if !found.loaded && !driver.makes_targets() {
        found.remarks.push(format!(
            "driver {driver} is not loaded, so nobody knows which ports can be targets: modprobe {}",
            driver.module()
        ));
    }
    let hosts = observer.fc_hosts()?;
    found.ports = ports::of_driver(observer, driver, &hosts)?;
    if driver == Driver::Qla2x00t {
        found.qlini_mode = observer.qlini_mode()?;
        let target = |host: &FcHost| found.ports.iter().any(|port| port.fc_host.as_ref() == Some(host));
        found.not_targets = hosts.into_iter().filter(|host| !target(host)).collect();
    }
    Ok(found)
}

/// Looks what a start would say of the proposal.
fn check(found: &mut Discovery, nodes: &Nodes, driver: Driver) {
    let Some(name) = found.node.clone() else { return };
    let mut nodes = nodes.clone();
    let Some(local) = nodes.0.iter_mut().find(|node| node.name == name) else { return };
    local.targetports.clone_from(&found.should_be);
    match Topology::build(&nodes, &name, driver) {
        Ok((_, warnings)) => found.remarks.extend(warnings),
        Err(Refused { failure, warnings }) => {
            found.remarks.extend(warnings);
            found.remarks.push(format!("no start would succeed on this node: {failure}"));
            found.refused = Some(failure.reason);
        }
    }
}

/// Writes the attribute, and sees that it is there.
fn set(node: &Node, found: &mut Discovery, unknown: Option<String>) -> Result<(), Failure> {
    let not_set = |why: &str| Failure::generic(format!("{TARGETPORTS} is not set: {why}"));
    if let Some(why) = unknown {
        return Err(not_set(&why));
    }
    let Some((name, should_be)) = found.node.clone().zip(found.should_be.clone()) else {
        return Err(not_set(&format!("driver {} is not loaded", found.driver)));
    };
    if !found.differs {
        return if found.is.is_some() { Ok(()) } else { Err(not_set(&nothing_to_list(found))) };
    }
    if should_be.is_empty()
        || (found.ports.is_empty() && found.loaded && found.is.is_none() && found.portals.is_empty())
    {
        return Err(not_set(&nothing_to_list(found)));
    }
    if let Some(why) = &found.refused {
        return Err(not_set(why));
    }
    let failed = |error: cluster::ClusterError| not_set(&error.to_string());
    cluster::set_targetports(&node.tools, &node.deadline, &name, &should_be).map_err(failed)?;
    let nodes = cluster::query_nodes(&node.tools, &node.deadline).map_err(failed)?;
    if nodes.node(&name).and_then(|node| node.targetports.as_ref()) != Some(&should_be) {
        return Err(not_set("the cluster took it and does not have it"));
    }
    (found.set, found.differs) = (true, false);
    Ok(())
}

fn nothing_to_list(found: &Discovery) -> String {
    match (&found.node, found.ports.is_empty()) {
        (_, true) => format!("no port of driver {} is there", found.driver),
        (Some(name), _) => format!("node {name} is not in the CIB"),
        (None, _) => "this node's name is not known".to_owned(),
    }
}

fn show(found: &Discovery, json: bool, page: Page) -> Result<(), Failure> {
    if json { print_json(found) } else { print(&report::text(found, page)) }
}
