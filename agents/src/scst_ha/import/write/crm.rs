//! For `crm configure load update FILE`.

use super::super::proposal::Proposal;
use super::{constraints, meta, operations};

/// The whole configuration.
pub(in super::super) fn crm(proposal: &Proposal) -> String {
    let mut text = String::new();
    for node in &proposal.nodes {
        let id = node.id.map(|id| format!("{id}: ")).unwrap_or_default();
        text += &format!("node {id}{} attributes targetports={}\n", node.name, quoted(&node.targetports.join(",")));
    }
    for resource in &proposal.resources {
        text += &format!("\nprimitive {} ocf:onesty:{} \\\n    params", resource.id, resource.agent);
        for (name, value) in &resource.params {
            text += &format!(" \\\n        {name}={}", quoted(value));
        }
        for operation in operations(resource) {
            let role = operation.role.map(|role| format!(" role={role}")).unwrap_or_default();
            let interval = operation.interval.unwrap_or(0);
            text +=
                &format!(" \\\n    op {}{role} interval={interval}s timeout={}s", operation.name, operation.timeout);
        }
        text += &format!("\nclone {} {} \\\n    meta", resource.clone, resource.id);
        for (name, value) in meta(resource, proposal.nodes.len()) {
            text += &format!(" {name}={value}");
        }
        text.push('\n');
    }
    for (ports, group) in constraints(proposal) {
        text += &format!("\norder {ports}_before_{group} Mandatory: {ports} {group}\n");
        text += &format!("colocation {group}_with_{ports} inf: {group} {ports}\n");
    }
    text
}

/// A value as crmsh takes it: in quotes, with what ends them protected.
fn quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}
