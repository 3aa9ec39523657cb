//! `scst-ha import`: from what somebody has, the running kernel or a file of scstadmin, to a configuration of the agents.

mod attributes;
pub mod conf;
mod from_conf;
mod from_kernel;
mod proposal;
mod propose;
mod report;
mod source;
mod write;

use std::collections::BTreeMap;
use std::io::Write as _;

use scst_core::cluster;
use scst_core::ocf::exit::Failure;
use scst_core::scst::names::NodeName;
use serde::Serialize;

use self::conf::{Conf, Warning};
use self::proposal::{Place, Proposal};
use self::propose::propose;
use self::source::Source;
use super::cli::{Format, Import};
use super::files;
use super::node::Node;
use super::output::{print, print_json};
use super::verdict::Verdict;

/// A resource: its agent and its parameters.
pub type Made = (String, BTreeMap<String, String>);

/// The resources that a file of scstadmin would become on a node of its own, each as its agent and its parameters.
///
/// # Errors
///
/// That it is no such file.
pub fn resources_of(file: &[u8]) -> Result<Vec<Made>, String> {
    let mut conf = conf::parse(file)?;
    let source = from_conf::source(&mut conf);
    let place = Place { node: "alpha".to_owned(), ids: BTreeMap::from([("alpha".to_owned(), 1)]), written: true };
    let resources = propose(&source, &place).resources;
    Ok(resources
        .into_iter()
        .map(|resource| (resource.agent.to_owned(), resource.params.into_iter().collect()))
        .collect())
}

/// The configuration of the node alpha that its kernel becomes, for `cibadmin`, and what hosts notice of it.
#[cfg(test)]
pub(super) fn of_kernel(node: &Node) -> (String, Vec<String>) {
    let source = from_kernel::source(node.observer()).expect("the kernel can be read");
    let place = Place { node: "alpha".to_owned(), ids: BTreeMap::from([("alpha".to_owned(), 1)]), written: false };
    let proposal = propose(&source, &place);
    let noticed = proposal.remarks.iter().filter(|remark| remark.hosts_notice);
    let noticed = noticed.map(|remark| format!("{}: {}", remark.about, remark.text)).collect();
    (write::xml(&proposal).expect("it can be written"), noticed)
}

/// Everything, for programs.
#[derive(Serialize)]
struct Imported<'a> {
    #[serde(flatten)]
    proposal: &'a Proposal,
    /// Where the file means something else than it seems to.
    warnings: &'a [Warning],
}

/// Reads, proposes, prints.
pub(super) fn run(node: &Node, options: &Import) -> Result<Verdict, Failure> {
    let (source, conf) = read(node, options)?;
    let place = place(node, options, &source, conf.is_some())?;
    let proposal = propose(&source, &place);
    if proposal.resources.is_empty() {
        let said = report::text(&proposal, conf.as_ref());
        // Nobody is left to tell if stderr is closed.
        let _ = std::io::stderr().lock().write_all(said.as_bytes());
        return Err(Failure::generic("there is nothing that the agents could serve"));
    }
    if let Some(path) = &options.secrets {
        files::replace(path, &propose::commands(&source, &proposal.resources), 0o600)?;
    }
    if options.json {
        let warnings = conf.as_ref().map(|conf| conf.warnings.as_slice()).unwrap_or_default();
        print_json(&Imported { proposal: &proposal, warnings })?;
    } else {
        print(&match options.format {
            Format::Crm => write::crm(&proposal),
            Format::Pcs => write::pcs(&proposal),
            Format::Xml => write::xml(&proposal)?,
        })?;
        let said = report::text(&proposal, conf.as_ref());
        let _ = std::io::stderr().lock().write_all(said.as_bytes());
    }
    let odd = conf.is_some_and(|conf| !conf.warnings.is_empty());
    Ok(if proposal.differs() || odd { Verdict::Differs } else { Verdict::Right })
}

/// The source, and the file that it was read from.
fn read(node: &Node, options: &Import) -> Result<(Source, Option<Conf>), Failure> {
    let Some(path) = &options.scst_conf else {
        let observer = node.observer();
        if !observer.scst_loaded()? {
            return Err(Failure::generic("SCST is not loaded, so the kernel has no configuration")
                .with_hint("load it and have scstadmin read its file first, or name that with --scst-conf"));
        }
        return Ok((from_kernel::source(observer)?, None));
    };
    let bytes = files::read(path, &node.deadline)?;
    let refused = |error: String| Failure::generic(format!("{}: {error}", path.display()));
    let mut conf = conf::parse(&bytes).map_err(refused)?;
    let source = from_conf::source(&mut conf);
    if source.devices.is_empty() && source.targets.is_empty() && source.groups.is_empty() {
        let text = "it has neither HANDLER nor TARGET_DRIVER nor DEVICE_GROUP, so it is no file of scstadmin";
        return Err(refused(text.to_owned()));
    }
    Ok((source, Some(conf)))
}

/// The node that the source is of, and the ids of the cluster's nodes.
fn place(node: &Node, options: &Import, source: &Source, written: bool) -> Result<Place, Failure> {
    let nodes = cluster::query_nodes(&node.tools, &node.deadline).unwrap_or_default();
    let ids: BTreeMap<String, u32> =
        nodes.0.iter().filter_map(|node| Some((node.name.clone(), node.id.parse().ok()?))).collect();
    let told = options.node.as_ref().map(ToString::to_string);
    let asked = || {
        let known = (!ids.is_empty()).then(|| cluster::local_node_name(&node.tools, &node.deadline).ok());
        known.flatten().filter(|_| !written)
    };
    // A target group with ports of this machine has the name of this node, if our agents made it or somebody thought of it.
    let grouped = || {
        let mut groups = source.groups.iter().flat_map(|group| &group.target_groups);
        let own = groups.find(|group| group.targets.iter().any(|(target, _)| source.has_target(target)));
        own.map(|group| group.name.clone()).filter(|name| NodeName::parse(name).is_ok())
    };
    let name = told
        .or_else(asked)
        .or_else(grouped)
        .ok_or_else(|| Failure::generic("the name of the node is not known").with_hint("say it with --node NAME"))?;
    Ok(Place { node: name, ids, written })
}
