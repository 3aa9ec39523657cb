//! The parameter `initiators`: `name=initiator,initiator;name2=initiator`.
//!
//! `;` and white space separate groups. A word without `=` continues the initiators of the group before it, so that a blank after
//! a comma loses nothing. What is wrong is named and left out; only a configuration without any group is wrong as a whole.

use std::fmt;

use scst_core::ocf::param::{Effect, Finding};
use scst_core::scst::names::{InitiatorGroup, InitiatorName, NameError};

/// The parameter.
pub const INITIATORS: &str = "initiators";

/// Initiator groups with their initiators, in the order in which they were configured.
pub type Groups = Vec<(InitiatorGroup, Vec<InitiatorName>)>;

/// How the initiator of a driver is read.
pub type Read<'r> = dyn Fn(&str) -> Result<InitiatorName, NameError> + 'r;

/// The group that following words without `=` belong to.
enum Current {
    /// There was none yet.
    None,
    /// The last one of the list.
    Accepted,
    /// One that was left out, and its initiators with it.
    Refused,
}

/// Reads the parameter, and says what is wrong with it.
pub fn parse(text: &str, read: &Read<'_>, findings: &mut Vec<Finding>) -> Groups {
    let mut groups = Groups::new();
    let mut current = Current::None;
    let words = text.split(|c: char| c == ';' || c.is_whitespace()).filter(|word| !word.is_empty());
    for (place, word) in words.enumerate() {
        let wwns = match word.split_once('=') {
            Some((name, wwns)) => {
                current = match InitiatorGroup::parse(name) {
                    Err(error) => {
                        let reason = format!("bad name of an initiator group, left out: {error}");
                        findings.push(left_out(reason, ordinal(place), name));
                        Current::Refused
                    }
                    Ok(group) if groups.iter().any(|(known, _)| *known == group) => {
                        let reason = "this initiator group is named twice, the second one is left out";
                        findings.push(left_out(reason, ordinal(place), name));
                        Current::Refused
                    }
                    Ok(group) => {
                        groups.push((group, Vec::new()));
                        Current::Accepted
                    }
                };
                wwns
            }
            None => word,
        };
        match (&current, groups.last_mut()) {
            (Current::Accepted, Some((group, initiators))) => add(group, initiators, wwns, read, findings),
            (Current::None, _) | (Current::Accepted, None) => {
                let reason = "stands before the first initiator group, left out";
                findings.push(left_out(reason, ordinal(place), word));
            }
            // Named with its group already.
            (Current::Refused, _) => {}
        }
    }
    remark(&groups, findings);
    groups
}

/// A group or an initiator does not come about.
fn left_out(reason: impl fmt::Display, at: impl fmt::Display, text: &str) -> Finding {
    Finding::warning(INITIATORS, reason).effect(Effect::PartLeftOut).at(at).value(text)
}

/// Adds the initiators of one word to their group.
fn add(
    group: &InitiatorGroup,
    initiators: &mut Vec<InitiatorName>,
    wwns: &str,
    read: &Read<'_>,
    findings: &mut Vec<Finding>,
) {
    for wwn in wwns.split(',').filter(|wwn| !wwn.is_empty()) {
        let left_out = |reason: String| left_out(reason, format_args!("group {group}, initiator"), wwn);
        match read(wwn) {
            Err(error) => findings.push(left_out(format!("left out: {error}"))),
            Ok(initiator) if initiators.contains(&initiator) => {
                findings.push(left_out("is named twice in this group, the second one is left out".to_owned()));
            }
            Ok(initiator) => initiators.push(initiator),
        }
    }
}

/// Remarks on groups that were accepted. Of two groups that match one initiator the kernel takes the first.
fn remark(groups: &Groups, findings: &mut Vec<Finding>) {
    for (place, (group, initiators)) in groups.iter().enumerate() {
        if initiators.is_empty() {
            let reason = "has no valid initiator, it is created all the same";
            findings.push(Finding::warning(INITIATORS, reason).at(format_args!("group {group}")));
        }
        for initiator in initiators {
            let earlier =
                || groups[..place].iter().flat_map(|(group, names)| names.iter().map(move |name| (group, name)));
            let reason = if earlier().any(|(_, name)| name == initiator) {
                "is in an earlier group as well, which is the one that counts".to_owned()
            } else if let Some((first, _)) = earlier().find(|(_, name)| name.overlaps(initiator)) {
                format!("can match initiators of group {first} as well, which comes first and is the one that counts")
            } else {
                continue;
            };
            let at = format_args!("group {group}, initiator");
            findings.push(Finding::advice(INITIATORS, reason).at(at).value(initiator.as_str()));
        }
    }
}

/// The groups that come before `group` and match initiators of it as well.
pub fn before<'g>(groups: &'g Groups, group: &InitiatorGroup) -> Vec<&'g InitiatorGroup> {
    let Some(place) = groups.iter().position(|(name, _)| name == group) else { return Vec::new() };
    let own = &groups[place].1;
    let overlaps = |(_, names): &&(InitiatorGroup, Vec<InitiatorName>)| {
        names.iter().any(|name| own.iter().any(|own| name.overlaps(own)))
    };
    groups[..place].iter().filter(overlaps).map(|(name, _)| name).collect()
}

/// The place of a word, counted as people count.
fn ordinal(place: usize) -> String {
    format!("word {}", place + 1)
}
