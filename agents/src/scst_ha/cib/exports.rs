//! LUNs that two resources want, and initiator groups that nobody makes.

use std::collections::{BTreeMap, BTreeSet};

use scst_core::cluster::Configured;
use scst_core::ocf::env::Env;
use scst_core::ocf::param::Severity;
use scst_core::scst::names::Driver;

use super::{Cib, Finding, Level};
use crate::scst_aluadg::device::ExportGroup;
use crate::scst_aluadg::params::Params;
use crate::scst_ha::secrets::Readable;
use crate::{scst_aluadg, scst_qla2xtgt, scst_target, target};

/// The environment of an agent with these parameters, as far as they stand in the configuration.
pub(super) fn env(resource: &Configured) -> Env {
    let readable = Readable::of(&resource.params);
    Env::from_pairs(readable.params.iter().map(|(name, value)| (format!("OCF_RESKEY_{name}"), value)))
}

/// Why a resource cannot be judged: cibsecret keeps more of it than users.
fn unreadable(resource: &Configured) -> Option<Finding> {
    let readable = Readable::of(&resource.params);
    let text = || readable.remarks().collect::<Vec<_>>().join("; ");
    (!readable.is_enough()).then(|| Finding::unknown(format!("resource {}", resource.id), text()))
}

/// Everything about exports and parameters.
pub(super) fn findings(cib: &Cib) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut groups: Vec<(&str, Params)> = Vec::new();
    for resource in cib.of_agent(scst_aluadg::table::TABLE.name) {
        if let Some(finding) = unreadable(resource) {
            found.push(finding);
            continue;
        }
        let (params, findings) = Params::parse(&env(resource));
        found.extend(parameters(resource, findings));
        groups.extend(params.map(|params| (resource.id.as_str(), params)));
    }
    let mut made: BTreeMap<Driver, BTreeSet<String>> = BTreeMap::new();
    let mut not_known: BTreeSet<Driver> = BTreeSet::new();
    for agent in [scst_qla2xtgt::AGENT, scst_target::AGENT] {
        for resource in cib.of_agent(agent.table.name) {
            let env = env(resource);
            if let Some(finding) = unreadable(resource) {
                found.push(finding);
                not_known.extend(agent.driver(&env).ok());
                continue;
            }
            let (params, findings) = target::params::Params::parse(&agent, &env);
            found.extend(parameters(resource, findings));
            if let (Some(params), Ok(driver)) = (params, agent.driver(&env)) {
                made.entry(driver).or_default().extend(params.groups.iter().map(|(group, _)| group.to_string()));
            }
        }
    }
    found.extend(clashes(&groups));
    made.retain(|driver, _| !not_known.contains(driver));
    // Without a resource for its driver somebody else makes the groups.
    for ((id, params), made) in groups.iter().filter_map(|group| Some((group, made.get(&group.1.driver)?))) {
        let missing =
            params.devices.iter().flat_map(|device| device.exports.iter().map(move |export| (device, export)));
        for (device, export) in missing {
            let ExportGroup::Named(group) = &export.group else { continue };
            if !made.contains(group.as_str()) {
                let text =
                    format!("{} exports to initiator group {group}, which no resource makes", device.parameter());
                let cure = format!("add {group} to initiators, or correct export{}", export.index);
                found.push(Finding::wrong(format!("resource {id}"), text, cure));
            }
        }
    }
    found
}

fn parameters(resource: &Configured, findings: Vec<scst_core::ocf::param::Finding>) -> Vec<Finding> {
    let about = format!("resource {}", resource.id);
    let finding = |finding: scst_core::ocf::param::Finding| {
        let level = if finding.severity >= Severity::Warning { Level::Wrong } else { Level::Attention };
        Finding::new(level, &about, finding.to_string(), "")
    };
    let left_out = resource.left_out.iter().map(|text| Finding::attention(&about, text, ""));
    findings.into_iter().map(finding).chain(left_out).collect()
}

/// Two resources of one driver at one LUN of one group: whichever starts second does not.
fn clashes(groups: &[(&str, Params)]) -> Vec<Finding> {
    let mut found = Vec::new();
    for (place, (id, params)) in groups.iter().enumerate() {
        for (other, others) in groups[..place].iter().filter(|(_, others)| others.driver == params.driver) {
            if others.group == params.group {
                let text = format!("has the groupname {} of resource {other}", params.group);
                found.push(Finding::wrong(format!("resource {id}"), text, "each device group has one resource"));
            }
            for device in &params.devices {
                let clash = device.exports.iter().find_map(|export| {
                    let rival = |rival: &&crate::scst_aluadg::device::DeviceParams| {
                        rival.exports.iter().any(|known| known.overlaps(export))
                    };
                    others.devices.iter().find(rival).map(|rival| (export, rival))
                });
                if let Some((export, rival)) = clash {
                    let text = format!(
                        "{} at {export} is where {} of resource {other} is",
                        device.parameter(),
                        rival.parameter()
                    );
                    found.push(Finding::wrong(format!("resource {id}"), text, "give one of them another LUN"));
                }
            }
        }
    }
    found
}
