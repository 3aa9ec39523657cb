//! Users of iSCSI targets. Their names stand in the configuration, with a word in the place of each secret that no agent takes for one.

use std::collections::BTreeMap;

use scst_core::scst::iscsi::{Secret, UserKind, UserName};
use scst_core::scst::names::Driver;

use super::super::proposal::{Proposal, Resource};
use super::super::source::{Source, Target, User};
use super::ports;

/// What stands for a secret: too short to be one, so that a start refuses it.
pub(super) const PLACE_HOLDER: &str = "SECRET";

/// The parameters that carry users.
const PARAMETERS: [(&str, UserKind); 2] =
    [("incoming_users", UserKind::Incoming), ("outgoing_user", UserKind::Outgoing)];

/// The users of a kind of these targets, each name once.
fn of<'s>(source: &'s Source, driver: Driver, kind: UserKind, targets: &[&str]) -> Vec<&'s User> {
    let mut found: Vec<&User> = Vec::new();
    let fits = |user: &&User| {
        user.driver == driver.dir()
            && user.kind == kind.word()
            && user.target.as_deref().is_some_and(|target| targets.contains(&target))
            && UserName::parse(&user.name).is_ok()
    };
    for user in source.users.iter().filter(fits) {
        if found.iter().all(|known| known.name != user.name) {
            found.push(user);
        }
    }
    if kind == UserKind::Outgoing {
        found.truncate(1);
    }
    found
}

/// Adds the parameters, and names what is not the same for all targets or cannot be said.
pub(super) fn add(
    source: &Source,
    driver: Driver,
    targets: &[&Target],
    params: &mut Vec<(String, String)>,
    proposal: &mut Proposal,
) {
    let names: Vec<&str> = targets.iter().map(|target| target.name.as_str()).collect();
    for (parameter, kind) in PARAMETERS {
        let users = of(source, driver, kind, &names);
        if users.is_empty() {
            continue;
        }
        let words: Vec<String> = users.iter().map(|user| format!("{} {PLACE_HOLDER}", user.name)).collect();
        params.push((parameter.to_owned(), words.join(";")));
        for target in &names {
            differing(source, target, kind, &users, proposal);
        }
        for user in users.iter().filter(|user| Secret::parse(&user.secret).is_err()) {
            let text =
                format!("the secret of {kind} {} cannot be said: it has other characters, or not 12 to 256", user.name);
            proposal.remark(true, format!("driver {driver}"), text);
        }
    }
    for user in source.users.iter().filter(|user| user.driver == driver.dir()) {
        let kind = &user.kind;
        if user.target.is_none() {
            let text = format!("{kind} {} is for discovery, and no resource sets it", user.name);
            proposal.remark(false, format!("driver {driver}"), text);
        } else if names.iter().any(|name| user.target.as_deref() == Some(*name)) && UserName::parse(&user.name).is_err()
        {
            proposal.remark(true, format!("driver {driver}"), format!("{kind} {:?} cannot be said", user.name));
        }
    }
}

/// All targets of the resource have the same users.
fn differing(source: &Source, target: &str, kind: UserKind, users: &[&User], proposal: &mut Proposal) {
    let here = |user: &&User| {
        source.users.iter().find(|known| {
            known.target.as_deref() == Some(target) && known.kind == kind.word() && known.name == user.name
        })
    };
    for user in users {
        let text = match here(user) {
            None => format!("{kind} {} of another target is one here as well from now on", user.name),
            Some(own) if own.secret != user.secret => format!("{kind} {} has another secret from now on", user.name),
            Some(_) => continue,
        };
        proposal.remark(true, format!("port {target}"), text);
    }
    let owned = source.users.iter().filter(|user| user.target.as_deref() == Some(target) && user.kind == kind.word());
    for lost in owned.filter(|user| users.iter().all(|known| known.name != user.name)) {
        proposal.remark(true, format!("port {target}"), format!("{kind} {} is none any more", lost.name));
    }
}

/// The commands that put the secrets in their places: of every parameter that has place holders, and of the users that it names.
pub(in super::super) fn commands(source: &Source, resources: &[Resource]) -> String {
    // What is left out has been said where the parameters were made.
    let served = ports::served(source, &mut Proposal::default());
    let mut text = String::new();
    for resource in resources {
        let params: BTreeMap<&str, &str> =
            resource.params.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let Some(driver) = params.get("tgtdriver").and_then(|driver| Driver::parse(driver).ok()) else { continue };
        for (parameter, kind) in PARAMETERS.into_iter().filter(|(parameter, _)| params.contains_key(parameter)) {
            let targets = served.iter().filter(|target| target.known_driver() == Some(driver));
            let users = of(source, driver, kind, &targets.map(|target| target.name.as_str()).collect::<Vec<_>>());
            let words: Vec<String> = users.iter().map(|user| format!("{} {}", user.name, user.secret)).collect();
            let value = words.join(";").replace('\'', "'\\''");
            text += &format!("cibsecret set {} {parameter} '{value}'\n", resource.id);
        }
    }
    for user in source.users.iter().filter(|user| user.target.is_none()) {
        text += &format!(
            "# of driver {}, which no resource sets: {} {} {}\n",
            user.driver, user.kind, user.name, user.secret
        );
    }
    text
}
