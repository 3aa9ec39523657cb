//! What runs here, compared with what is configured: resource by resource, by the agents' own plans.

use std::collections::BTreeMap;

use scst_core::cluster::Configured;
use scst_core::ocf::exit::{Failure, Kind};
use scst_core::ocf::param::{Finding, Severity};
use scst_core::scst::names::GroupName;

use super::group::{Group, Role};
use super::known::Known;
use super::shown::{PortResource, Status};
use super::{agreement, groups};
use crate::scst_aluadg;
use crate::scst_ha::node::Node;
use crate::scst_ha::secrets::Readable;
use crate::target::{self, Run, TargetAgent};

/// One resource of an agent that brings ports up, compared.
pub(super) fn ports_of(
    node: &Node,
    agent: TargetAgent,
    resource: &Configured,
    known: &Known,
    status: &mut Status,
) -> PortResource {
    let readable = Readable::of(&resource.params);
    let context = node.context(&resource.id, &readable.params);
    let run = Run::new(&context, agent);
    let (params, findings) = run.params();
    let mut shown = PortResource {
        id: resource.id.clone(),
        running: false,
        differences: Vec::new(),
        left_out: leaves_out(&findings),
        remarks: resource.left_out.clone(),
    };
    shown.remarks.extend(readable.remarks());
    if !readable.is_enough() {
        return shown;
    }
    shown.remarks.extend(findings.iter().map(ToString::to_string));
    let (Some(params), Some((topology, warnings))) = (params, known.topology(run.driver)) else {
        return shown;
    };
    shown.left_out |= !warnings.is_empty();
    shown.remarks.extend(warnings);
    let compared = topology.and_then(|topology| {
        target::difference::difference(&run, params, &findings, &topology, readable.kept.is_empty())
    });
    match compared {
        Ok(None) => {}
        Ok(Some(differences)) => (shown.running, shown.differences) = (true, differences),
        Err(failure) if failure.kind == Kind::Temporary => {
            status.unread(&format!("resource {}", resource.id), &failure);
        }
        Err(failure) => shown.differences.push(failure.reason),
    }
    shown
}

/// The groups that are configured, and those that are here.
pub(super) fn every_group(
    node: &Node,
    only: Option<&GroupName>,
    known: &Known,
    status: &mut Status,
) -> Result<(), Failure> {
    let mut configured: BTreeMap<GroupName, Vec<&Configured>> = BTreeMap::new();
    for resource in known.of_agent(scst_aluadg::table::TABLE.name) {
        let context = node.context(&resource.id, &resource.params);
        match groups::configured_name(&context.env) {
            Some(name) => configured.entry(name).or_default().push(resource),
            None => status.remarks.push(format!("resource {} does not name a device group", resource.id)),
        }
    }
    let mut names = node.observer().group_names()?;
    names.extend(configured.keys().cloned());
    for name in names.iter().filter(|name| only.is_none_or(|only| only == *name)) {
        let resources = configured.get(name).map(Vec::as_slice).unwrap_or_default();
        match group(node, name, resources, known, status) {
            Ok(group) => status.groups.push(group),
            Err(failure) => status.unread(&format!("device group {name}"), &failure),
        }
    }
    Ok(())
}

/// Whether the agents leave out something of a configuration, or read it in another way than it looks.
fn leaves_out(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.severity >= Severity::Warning)
}

fn group(
    node: &Node,
    name: &GroupName,
    resources: &[&Configured],
    known: &Known,
    status: &Status,
) -> Result<Group, Failure> {
    let context = match resources.first() {
        Some(resource) => node.context(&resource.id, &resource.params),
        None => groups::unconfigured(node, name),
    };
    let host = groups::host(&context);
    let (mut group, found) = groups::look(node, name, &host, known.local.as_ref(), &status.ports)?;
    group.resources = resources.iter().map(|resource| resource.id.clone()).collect();
    let Some(resource) = resources.first() else {
        if known.local.is_some() {
            // Whatever it is, it is not ours to judge.
            group.remarks.push("no resource of the cluster configures it".to_owned());
            group.remarks.append(&mut group.faults);
        }
        return Ok(group);
    };
    if resources.len() > 1 {
        group.faults.push("more than one resource configures it; it is compared with the first".to_owned());
    }
    let readable = Readable::of(&resource.params);
    if !readable.is_enough() {
        group.remarks.extend(readable.remarks());
        return Ok(group);
    }
    let (params, findings) = scst_aluadg::params::Params::parse(&context.env);
    group.remarks.extend(resource.left_out.iter().cloned());
    group.remarks.extend(findings.iter().map(ToString::to_string));
    group.left_out = leaves_out(&findings);
    let Some(params) = params else { return Ok(group) };
    let Some((topology, warnings)) = known.topology(params.driver) else { return Ok(group) };
    group.left_out |= !warnings.is_empty();
    group.remarks.extend(warnings);
    let compared = topology.and_then(|topology| {
        if group.role == Role::Stopped {
            return Ok(Vec::new());
        }
        if let Some(told) = known.configuration.told.get(&scst_aluadg::agreement::attribute(name)) {
            agreement::compare(&mut group, &params, &found, &topology.local.name, told);
        }
        scst_aluadg::difference::difference(&host, &params, &findings, &topology, found)
    });
    match compared {
        Ok(differences) => group.differences = differences,
        Err(failure) if failure.kind == Kind::Temporary => return Err(failure),
        // The node cannot run it, whatever is here of it.
        Err(failure) if group.role == Role::Stopped => group.remarks.push(failure.reason),
        Err(failure) => group.differences.push(failure.reason),
    }
    Ok(group)
}
