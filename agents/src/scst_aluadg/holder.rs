//! What each action does about a device group whose state file names another resource: `agent` asks before it calls an
//! action.

use scst_core::cluster;
use scst_core::ocf::action::Action;
use scst_core::ocf::exit::{Answer, Failure};
use scst_core::scst::alua::AluaState;
use scst_core::scst::names::GroupName;
use scst_core::state_file::{Remembered, file_name};

use super::params::Params;
use crate::host::{Host, reload_not_begun};

/// What an action does about a group whose state file stands under the id of another resource: a second resource with the same groupname, or
/// this one was created anew under another id while the group was there. Two resources with one group are a mistake that start, promote
/// and reload refuse. What the group does is another matter: the cluster must see it, and must be able to end it, or it promotes another
/// node over one that serves. `None`: the action goes on, on the state file that there is.
pub(super) fn of_another(host: &mut Host<'_>, action: Action) -> Option<Result<Answer, Failure>> {
    if matches!(action, Action::ValidateAll | Action::MetaData | Action::Usage) {
        return None;
    }
    let group = Params::for_stop(&host.context.env).group?;
    let holder = host.state_files.holder(&group)?;
    let reason = format!("device group {group} belongs to resource {holder} on this node");
    let refused = || {
        Failure::args(reason.clone()).with_hint(
            "give one of the two another groupname; a state file of a resource that is not configured any more can be deleted",
        )
    };
    let refusal = match action {
        Action::Reload if host.observer().group_exists(&group).is_ok_and(|there| !there) => None,
        Action::Start | Action::Promote | Action::Reload => {
            let mut shown = is_shown(host, &holder);
            if action == Action::Start && !host.dry_run() && matches!(shown, Ok(true)) {
                let is_held = || host.state_files.holder(&group).is_some();
                match host.await_stop(|| host.state_files.locked(group.as_str()), is_held) {
                    Err(error) => return Some(Err(error.into())),
                    Ok(()) if !is_held() => return None,
                    Ok(()) => shown = is_shown(host, &holder),
                }
            }
            match shown {
                Ok(false) => None,
                Ok(true) => Some(refused()),
                Err(error) => Some(refused().temporary().with_hint(error.to_string())),
            }
        }
        // A stop that leaves a group alone says that nothing serves here.
        Action::Stop if !may_serve(host, &group) && is_shown(host, &holder).unwrap_or(false) => return None,
        _ => None,
    };
    match refusal {
        Some(failure) if action == Action::Reload => Some(reload_not_begun(failure)),
        Some(failure) => Some(Err(failure)),
        None => {
            if action != Action::Notify {
                tracing::warn!("{reason}");
            }
            host.state_files = host.state_files.clone().of_group();
            None
        }
    }
}

/// Whether the cluster has a resource of this id, running or not.
fn is_shown(host: &Host<'_>, holder: &str) -> Result<bool, cluster::ClusterError> {
    let roles = cluster::roles(&host.tools, host.deadline(), host.context.env.resource_id())?;
    Ok(roles.shown.iter().any(|id| file_name(id) == holder))
}

/// Whether hosts may be using this node's paths, as far as the kernel can be asked.
fn may_serve(host: &Host<'_>, group: &GroupName) -> bool {
    let Some(local) = host.node_name_offline(&Remembered::Nothing) else { return true };
    match host.observer().alua_state(group, &local) {
        Ok(state) => state.is_some_and(|state| state.is_open() || state == AluaState::Transitioning),
        Err(_) => true,
    }
}
