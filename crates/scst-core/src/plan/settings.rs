//! The part of the plan for ports (`ports`) that concerns a target's attributes, portals and CHAP users.

use super::{Change, Step};
use crate::scst::iscsi::{Credential, Secret, UserKind, UserName};
use crate::scst::names::{Driver, TargetName};
use crate::scst::values::AttributeValue;
use crate::state::Settings;

/// The steps from `found` to `wanted`. New users and portals are added before old ones are deleted: a target without
/// any user asks nobody for a secret, and one without any portal is open to every address. An attribute that `wanted`
/// does not name is not touched.
pub(super) fn settings(driver: Driver, port: &TargetName, found: &Settings, wanted: &Settings, steps: &mut Vec<Step>) {
    let mut step = |change| steps.push(Step::Target { driver, port: port.clone(), change });
    for (attribute, wanted) in &wanted.attributes {
        if found.attributes.get(attribute) != Some(wanted)
            // What the kernel showed, and nobody could write, is not put back.
            && let Ok(value) = AttributeValue::parse(wanted)
        {
            step(Change::SetAttribute { attribute, value });
        }
    }
    for (user, credential) in &wanted.incoming {
        user_step(UserKind::Incoming, found.incoming.get_key_value(user), (user, credential)).map(&mut step);
    }
    let outgoing = found.outgoing.as_ref().map(|(user, credential)| (user, credential));
    if let Some((user, credential)) = &wanted.outgoing {
        user_step(UserKind::Outgoing, outgoing, (user, credential)).map(&mut step);
    }
    wanted.portals.difference(&found.portals).cloned().for_each(|portal| step(Change::AddPortal { portal }));
    found.portals.difference(&wanted.portals).cloned().for_each(|portal| step(Change::DelPortal { portal }));
    let gone = found.incoming.keys().filter(|user| !wanted.incoming.contains_key(*user));
    gone.cloned().for_each(|user| step(Change::DelUser { kind: UserKind::Incoming, user }));
    if let (Some((user, _)), None) = (outgoing, &wanted.outgoing) {
        step(Change::DelUser { kind: UserKind::Outgoing, user: user.clone() });
    }
}

/// The change that gives one user the wanted secret: none, a new user, or another content of the file of the one that
/// is there.
fn user_step(
    kind: UserKind,
    found: Option<(&UserName, &Credential)>,
    (user, wanted): (&UserName, &Credential),
) -> Option<Change> {
    // A secret that the kernel showed, and that nobody could configure, is not put back.
    let secret = Secret::parse(wanted.secret.reveal()).ok()?;
    let user = user.clone();
    match found {
        Some(same) if same == (&user, wanted) => None,
        Some((_, Credential { file: Some(file), .. })) => {
            Some(Change::SetUser { kind, file: file.clone(), user, secret })
        }
        _ => Some(Change::AddUser { kind, user, secret }),
    }
}
