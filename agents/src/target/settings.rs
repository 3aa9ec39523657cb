//! The parameters that only some drivers' targets have: `portals`, `incoming_users`, `outgoing_user`, `alias`, `attributes`.
//!
//! A mistake in one of them makes the configuration unusable, instead of being left out: a target without users asks no
//! initiator for a secret, and one without portals is open to every address. No finding holds a secret: it names the
//! parameter and the place.

use scst_core::ocf::env::Env;
use scst_core::ocf::exit::Failure;
use scst_core::ocf::param::Finding;
use scst_core::scst::attribute::{self, ALIAS};
use scst_core::scst::iscsi::{Credential, Portal, Secret, UserName};
use scst_core::scst::names::{Driver, TargetName};
use scst_core::state::Settings;
use scst_core::state_file::Remembered;

use super::run::Run;

const PORTALS: &str = "portals";
const INCOMING: &str = "incoming_users";
const OUTGOING: &str = "outgoing_user";
const ATTRIBUTES: &str = "attributes";

/// Reads all of them.
pub(super) fn parse(driver: Driver, env: &Env, findings: &mut Vec<Finding>) -> Settings {
    let mut settings = Settings::default();
    for name in [PORTALS, INCOMING, OUTGOING, ALIAS.name] {
        if env.param(name).is_some() && driver != Driver::Iscsi {
            findings.push(Finding::error(name, format_args!("targets of driver {driver} have none")));
        }
    }
    for (place, text) in words(env, PORTALS, &[',', ';', ' ', '\n', '\t'], findings).enumerate() {
        match Portal::parse(text) {
            Ok(portal) => _ = settings.portals.insert(portal),
            Err(error) => findings.push(Finding::error(PORTALS, error).at(nth("entry", place)).value(text)),
        }
    }
    for (place, text) in words(env, INCOMING, &[';', '\n'], findings).enumerate() {
        match user(text) {
            Ok((name, _)) if settings.incoming.contains_key(&name) => {
                let reason = "this user is named twice";
                findings.push(Finding::error(INCOMING, reason).at(nth("user", place)).value(name.as_str()));
            }
            Ok((name, credential)) => _ = settings.incoming.insert(name, credential),
            Err(reason) => findings.push(Finding::error(INCOMING, reason).at(nth("user", place))),
        }
    }
    let mut outgoing = words(env, OUTGOING, &[';', '\n'], findings);
    match outgoing.next().map(user) {
        _ if outgoing.next().is_some() => findings.push(Finding::error(OUTGOING, "a target has one user at most")),
        Some(Err(reason)) => findings.push(Finding::error(OUTGOING, reason)),
        user => settings.outgoing = user.and_then(Result::ok),
    }
    if settings.outgoing.is_some() && settings.incoming.is_empty() && env.param(INCOMING).is_none() {
        findings.push(Finding::advice(
            OUTGOING,
            "counts only for initiators that prove themselves: incoming_users is not set",
        ));
    }
    if let Some(text) = env.param(ALIAS.name) {
        match ALIAS.parse(text.trim()) {
            Ok(value) => _ = settings.attributes.insert(ALIAS.name, value.to_string()),
            Err(error) => findings.push(Finding::error(ALIAS.name, error).value(text)),
        }
    }
    attributes(driver, env, &mut settings, findings);
    settings
}

/// The parts of a parameter that are not blank. One that is set must have some: nothing is what opens a target.
fn words<'e>(
    env: &'e Env,
    parameter: &'static str,
    separators: &'e [char],
    findings: &mut Vec<Finding>,
) -> impl Iterator<Item = &'e str> + use<'e> {
    let text = env.param(parameter);
    let words = || text.unwrap_or_default().split(separators).map(str::trim).filter(|word| !word.is_empty());
    if text.is_some() && words().next().is_none() {
        findings.push(Finding::error(parameter, "is set and names nothing"));
    }
    words()
}

/// The place of something, counted as people count.
fn nth(what: &str, place: usize) -> String {
    format!("{what} {}", place + 1)
}

/// A name and a secret with a blank between. What is wrong shows neither.
fn user(text: &str) -> Result<(UserName, Credential), String> {
    let mut words = text.split_whitespace();
    let (Some(name), Some(secret), None) = (words.next(), words.next(), words.next()) else {
        return Err("not a name and a secret with a blank between".to_owned());
    };
    let name = UserName::parse(name).map_err(|_| "a bad name, or the secret stands before it".to_owned())?;
    let secret = Secret::parse(secret).map_err(|error| format!("bad secret: {error}"))?;
    Ok((name, Credential { secret, file: None }))
}

/// `Name=value` pairs with commas between. A part without `=` belongs to the value before it: lists of digests have commas, too.
fn attributes(driver: Driver, env: &Env, settings: &mut Settings, findings: &mut Vec<Finding>) {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for part in words(env, ATTRIBUTES, &[',', ';', '\n'], findings) {
        match (part.split_once('='), pairs.last_mut()) {
            (Some((name, value)), _) => pairs.push((name.trim().to_owned(), value.trim().to_owned())),
            (None, Some((_, value))) => *value = format!("{value},{part}"),
            (None, None) => findings.push(Finding::error(ATTRIBUTES, "stands before the first name").value(part)),
        }
    }
    for (name, value) in pairs {
        let known = attribute::ALL.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(&name));
        let Some(attribute) = known.filter(|attribute| attribute.is_of(driver)) else {
            let reason = format!("is no attribute of a target of driver {driver} that can be configured");
            findings.push(Finding::error(ATTRIBUTES, reason).at(&name));
            continue;
        };
        match attribute.parse(&value) {
            Err(error) => findings.push(Finding::error(ATTRIBUTES, error).at(attribute.name).value(&value)),
            Ok(value) if settings.attributes.insert(attribute.name, value.to_string()).is_none() => {}
            Ok(_) => findings.push(Finding::error(ATTRIBUTES, "is named twice").at(attribute.name)),
        }
    }
}

/// Attributes that the state file names and the configuration does not name any more go back to their defaults.
pub(super) fn take_back(settings: &mut Settings, remembered: &Remembered) {
    for name in remembered.known().into_iter().flat_map(|file| &file.attributes) {
        if settings.attributes.contains_key(name) {
            continue;
        }
        if let Some(default) = attribute::find(name).and_then(|attribute| attribute.default) {
            settings.attributes.insert(name, default.to_owned());
        } else {
            tracing::warn!("attribute {name} stays as it is: what it is by itself depends on the machine");
        }
    }
}

/// Refuses attributes that targets which are there do not have.
///
/// # Errors
///
/// Exit 5 naming one.
pub(super) fn refuse_unknown(run: &Run<'_>, ports: &[(TargetName, u16)], settings: &Settings) -> Result<(), Failure> {
    for (port, _) in ports.iter().filter(|_| !settings.attributes.is_empty()) {
        let shown = run.host.observer().attribute_names(run.driver, port)?;
        let unknown = settings.attributes.keys().find(|name| !shown.iter().any(|shown| shown == *name));
        if let Some(name) = unknown.filter(|_| !shown.is_empty()) {
            return Err(Failure::installed(format!("attributes: this kernel has no {name}")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)], driver: Driver) -> (Settings, Vec<String>) {
        let env = Env::from_pairs(pairs.iter().map(|(name, value)| (format!("OCF_RESKEY_{name}"), *value)));
        let mut findings = Vec::new();
        let settings = parse(driver, &env, &mut findings);
        (settings, findings.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn what_the_sample_says_is_read() {
        let (settings, findings) = read(
            &[
                ("portals", "10.0.1.*, 10.0.2.*"),
                ("incoming_users", "esx longsecret1234; lab othersecret567;"),
                ("outgoing_user", "target mutualsecret12"),
                ("alias", "two words"),
                ("attributes", "queuedcommands=64, HeaderDigest=CRC32C,None,NopInInterval=10"),
            ],
            Driver::Iscsi,
        );
        assert_eq!(findings, [""; 0]);
        assert_eq!(settings.portals.len(), 2);
        assert_eq!(settings.incoming.keys().map(UserName::as_str).collect::<Vec<_>>(), ["esx", "lab"]);
        assert_eq!(settings.outgoing.as_ref().map(|(_, known)| known.secret.reveal()), Some("mutualsecret12"));
        let attributes: Vec<_> = settings.attributes.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(
            attributes,
            ["HeaderDigest=None,CRC32C", "NopInInterval=10", "QueuedCommands=64", "alias=two words"]
        );
        assert!(!format!("{settings:?}").contains("secret1"));
    }

    #[test]
    fn a_mistake_is_told_by_its_place_and_never_with_a_secret() {
        for (name, mistakes) in [
            (
                "portals",
                &[
                    (
                        "10.0.1.11,10.0.1.12:3260",
                        "entry 2 \"10.0.1.12:3260\": not an address or a pattern of addresses, without a port",
                    ),
                    (",", "is set and names nothing"),
                ][..],
            ),
            (
                "incoming_users",
                &[
                    ("esx longsecret1234;lab short", "user 2: bad secret: not a secret of 12 to 256 characters"),
                    ("esx long;secret1234", "user 1: bad secret: not a secret of 12 to 256 characters"),
                    ("esx longsecret1234;esx longsecret1234", "user 2 \"esx\": this user is named twice"),
                    (" ;\n; ", "is set and names nothing"),
                ][..],
            ),
            (
                "outgoing_user",
                &[
                    ("a secretsecret1;b secretsecret1", "a target has one user at most"),
                    (";", "is set and names nothing"),
                ][..],
            ),
            (
                "attributes",
                &[
                    (",;", "is set and names nothing"),
                    ("QueuedCommands=x", "QueuedCommands \"x\": not a number in its range"),
                    ("enabled=1", "enabled: is no attribute of a target of driver iscsi that can be configured"),
                ][..],
            ),
        ] {
            for (value, finding) in mistakes {
                let (_, findings) = read(&[(name, value)], Driver::Iscsi);
                assert_eq!(findings.first(), Some(&format!("{name}: {finding}")));
            }
        }
        let (_, findings) = read(&[("portals", "10.0.1.1"), ("attributes", "MaxSessions=1")], Driver::ScstLocal);
        assert_eq!(
            findings,
            [
                "portals: targets of driver scst_local have none",
                "attributes: MaxSessions: is no attribute of a target of driver scst_local that can be configured",
            ]
        );
    }
}
