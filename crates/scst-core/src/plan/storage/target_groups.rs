//! The part of the plan for a device group (`storage`) that concerns target groups: their identifiers, their ports, and
//! the order of the steps.

use std::collections::BTreeSet;

use super::scope::Scope;
use super::states::peer_state;
use crate::plan::{Plan, Step};
use crate::scst::alua::AluaState;
use crate::scst::names::{NodeName, TargetName};
use crate::state::{DeviceGroup, Member, TargetGroup};

/// The steps for all target groups. Those of a peer are complete, its state included, before the next peer's begin;
/// ours come last.
pub(super) fn target_groups(scope: &Scope, found: &DeviceGroup, wanted: &DeviceGroup, plan: &mut Plan) {
    let peers = wanted.target_groups.iter().filter(|(node, _)| !scope.is_local(node));
    for (node, want) in peers {
        ports(scope, found, wanted, node, want, plan);
        let there = found.target_groups.get(node);
        let members = want.members.iter().map(|(port, member)| {
            let there = there.and_then(|there| there.members.get(port));
            (port.clone(), *there.unwrap_or(member))
        });
        let state = there.map_or(AluaState::Active, |there| there.state);
        let now = TargetGroup { group_id: want.group_id, state, members: members.collect() };
        peer_state(scope, node, now.view(), want.state, plan);
    }
    let gone = found.target_groups.keys().filter(|node| !wanted.target_groups.contains_key(*node));
    let remove = |node: &NodeName| Step::DelTargetGroup { group: scope.group.clone(), node: node.clone() };
    let Some((local, own)) = scope.own(wanted) else {
        plan.steps.extend(gone.map(remove));
        return;
    };
    ports(scope, found, wanted, local, own, plan);
    plan.steps.extend(gone.map(remove));
    let now = found.state(local).unwrap_or(AluaState::Active);
    if now != own.state {
        plan.steps.push(scope.set_state(local, own.state));
    }
}

/// The steps for one target group up to its state: create it, set its id, add new ports with their ids, and only then
/// remove old ones.
fn ports(
    scope: &Scope,
    found: &DeviceGroup,
    wanted: &DeviceGroup,
    node: &NodeName,
    want: &TargetGroup,
    plan: &mut Plan,
) {
    let fresh = TargetGroup::fresh();
    let (group, node) = (|| scope.group.clone(), || node.clone());
    let there = found.target_groups.get(&node()).unwrap_or_else(|| {
        plan.steps.push(Step::CreateTargetGroup { group: group(), node: node() });
        &fresh
    });
    if there.group_id != want.group_id {
        plan.steps.push(Step::SetGroupId { group: group(), node: node(), id: want.group_id });
    }
    for (port, member) in &want.members {
        let now = there.members.get(port).filter(|now| now.local || !member.local);
        if now.is_none() {
            // A port is in one target group of a device group only: it leaves the old one just before it joins.
            let holder = found.target_groups.iter().find(|(_, tg)| tg.members.contains_key(port));
            if let Some((old, _)) = holder {
                plan.steps.push(Step::DelMember { group: group(), node: old.clone(), port: port.clone() });
            }
            plan.steps.push(Step::AddMember { group: group(), node: node(), port: port.clone() });
        }
        if member.local {
            local_id(scope, port, now, *member, plan);
        } else if now.is_some_and(|now| now.local) {
            plan.warnings.push(format!("port {port} of node {} is a port of this node as well", node()));
        } else if now.is_none_or(|now| now.rel_tgt_id != member.rel_tgt_id) {
            let (port, id) = (port.clone(), member.rel_tgt_id);
            plan.steps.push(Step::SetMemberId { group: group(), node: node(), port, id });
        }
    }
    let moved = |port: &TargetName| wanted.target_groups.values().any(|tg| tg.members.contains_key(port));
    let gone = there.members.keys().filter(|port| !want.members.contains_key(*port) && !moved(port));
    plan.steps.extend(gone.map(|port| Step::DelMember { group: group(), node: node(), port: port.clone() }));
}

/// A local port brings its own id; it has none only when no target agent gave it one.
fn local_id(scope: &Scope, port: &TargetName, now: Option<&Member>, wanted: Member, plan: &mut Plan) {
    let own = scope.port_ids.get(port).copied();
    let id = now.map(|now| now.rel_tgt_id).or(own).unwrap_or(wanted.rel_tgt_id);
    if id == 0 {
        plan.steps.push(Step::SetPortId { driver: scope.driver, port: port.clone(), id: wanted.rel_tgt_id });
    } else if id != wanted.rel_tgt_id {
        plan.warnings
            .push(format!("port {port} has relative target id {id}, other nodes expect {}", wanted.rel_tgt_id));
    }
}

/// The steps that remove and add again those of our ports that became members before they existed on this machine: the
/// kernel takes such a member for remote as long as it is there. `present` are the targets that exist now.
pub fn adopt_ports(scope: &Scope, group: &DeviceGroup, present: &BTreeSet<TargetName>) -> Vec<Step> {
    let Some((local, own)) = scope.own(group) else { return Vec::new() };
    let strays = own.members.iter().filter(|(port, member)| !member.local && present.contains(*port));
    strays
        .flat_map(|(port, _)| {
            let (group, node, port) = (scope.group.clone(), local.clone(), port.clone());
            [
                Step::DelMember { group: group.clone(), node: node.clone(), port: port.clone() },
                Step::AddMember { group, node, port },
            ]
        })
        .collect()
}
