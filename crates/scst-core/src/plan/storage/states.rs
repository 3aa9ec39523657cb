//! The plan that changes nothing but ALUA states: for notify, promote, stop and the repairs of a monitor.

use std::collections::BTreeMap;

use super::scope::Scope;
use crate::plan::{Plan, Step};
use crate::scst::alua::AluaState;
use crate::scst::names::NodeName;
use crate::state::{TargetGroupView, View};

/// The steps to the `wanted` states, those of peers first. A peer's target group without a remote port is left alone
/// with a warning, because its state would act on our devices.
pub fn states(scope: &Scope, found: &View, wanted: &BTreeMap<NodeName, AluaState>) -> Plan {
    let mut plan = Plan::default();
    for (node, state) in wanted.iter().filter(|(node, _)| !scope.is_local(node)) {
        match found.get(node) {
            None => plan.warnings.push(format!("there is no target group {node}: its state {state} is not published")),
            Some(group) => peer_state(scope, node, *group, *state, &mut plan),
        }
    }
    if let Some((local, state)) = scope.local.as_ref().and_then(|local| Some((local, *wanted.get(local)?)))
        && found.get(local).is_none_or(|own| own.state != state)
    {
        plan.steps.push(scope.set_state(local, state));
    }
    plan
}

pub(super) fn peer_state(scope: &Scope, node: &NodeName, group: TargetGroupView, state: AluaState, plan: &mut Plan) {
    if group.state == state {
        return;
    }
    if group.remote {
        let (group, node) = (scope.group.clone(), node.clone());
        plan.steps.push(Step::SetPeerState { group, node, state });
    } else {
        plan.warnings.push(format!(
            "target group {node} has no remote port: its state {state} is not published, because it would act on the local devices"
        ));
    }
}
