//! Start: the instance comes up, unpromoted.

use scst_core::ocf::exit::{ExitCode, Failure};
use scst_core::ocf::notify::Notify;

use super::bring_up::bring_up;
use super::checked::{Checked, checked};
use super::instance::Instance;
use super::score::Score;
use crate::host::Host;

/// Starts the instance, unpromoted.
pub(super) fn start(host: &Host<'_>) -> Result<ExitCode, Failure> {
    let Checked { params, stores, .. } = checked(host)?;
    let mut instance = Instance::find(host).ok_or_else(|| Failure::configured("groupname is required and not set"))?;
    let _lock = instance.lock(host)?;
    instance.refresh(host);
    let (local, score) = bring_up(host, &params, stores, &mut instance)?;
    // Where this transition promotes the instance next, the promotion sets the score. The stop before has kept it, and to lower it now would
    // end the transition.
    let lists = Notify::from_env(&host.context.env).lists;
    let promoted_next = lists.is_some_and(|lists| lists.promote.contains(local.as_str()));
    if score == Score::Promoted || !promoted_next {
        instance.set_score(host, &local, score);
    }
    Ok(ExitCode::Success)
}
