//! The parameter `initiators`: `name=wwn,wwn;name2=wwn`.
//!
//! `;` and white space separate groups. A word without `=` continues the initiators of the group before it, so that a blank after
//! a comma loses nothing. What is wrong is named and left out; only a configuration without any group is wrong as a whole.

use std::collections::BTreeSet;

use scst_core::cluster::MAX_GROUPS;
use scst_core::ocf::env::Env;
use scst_core::ocf::exit::Failure;
use scst_core::ocf::param::Finding;
use scst_core::scst::names::{InitiatorGroup, InitiatorName};

use super::table::TABLE;

const INITIATORS: &str = "initiators";

/// The checked configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Params {
    /// The initiator groups with their initiators. The order gives the I/O groups their numbers.
    pub groups: Vec<(InitiatorGroup, Vec<InitiatorName>)>,
}

impl Params {
    /// Reads the configuration, and says what is wrong with it. There is none exactly if one of the findings is an error.
    pub fn parse(env: &Env) -> (Option<Self>, Vec<Finding>) {
        let mut findings = TABLE.check(env);
        let groups = env.param(INITIATORS).map(|text| groups(text, &mut findings)).unwrap_or_default();
        if groups.is_empty() {
            if env.param(INITIATORS).is_some() {
                findings.push(Finding::error(INITIATORS, "names no initiator group"));
            }
            return (None, findings);
        }
        (Some(Self { groups }), findings)
    }

    /// The groups that the configuration names, for stop: whatever can be read of it, without an opinion.
    pub fn for_stop(env: &Env) -> Vec<InitiatorGroup> {
        let groups = env.param(INITIATORS).map(|text| groups(text, &mut Vec::new())).unwrap_or_default();
        groups.into_iter().map(|(group, _)| group).collect()
    }

    /// Whether every group has an I/O group number. That is no error of the parameter as such, but of what a node can number.
    ///
    /// # Errors
    ///
    /// Exit 2 if there are too many.
    pub fn check_count(&self) -> Result<(), Failure> {
        let count = self.groups.len();
        if count <= MAX_GROUPS {
            return Ok(());
        }
        Err(Failure::args(format!("{INITIATORS} names {count} groups, I/O groups exist for {MAX_GROUPS}"))
            .with_hint("hosts that need no I/O group of their own can share one initiator group"))
    }
}

/// The group that following words without `=` belong to.
enum Current {
    /// There was none yet.
    None,
    /// The last one of the list.
    Accepted,
    /// One that was left out, and its initiators with it.
    Refused,
}

fn groups(text: &str, findings: &mut Vec<Finding>) -> Vec<(InitiatorGroup, Vec<InitiatorName>)> {
    let mut groups: Vec<(InitiatorGroup, Vec<InitiatorName>)> = Vec::new();
    let mut current = Current::None;
    let words = text.split(|c: char| c == ';' || c.is_whitespace()).filter(|word| !word.is_empty());
    for (place, word) in words.enumerate() {
        let wwns = match word.split_once('=') {
            Some((name, wwns)) => {
                current = match InitiatorGroup::parse(name) {
                    Err(error) => {
                        let reason = format!("bad name of an initiator group, left out: {error}");
                        findings.push(Finding::warning(INITIATORS, reason).at(ordinal(place)).value(name));
                        Current::Refused
                    }
                    Ok(group) if groups.iter().any(|(known, _)| *known == group) => {
                        let reason = "this initiator group is named twice, the second one is left out";
                        findings.push(Finding::warning(INITIATORS, reason).at(ordinal(place)).value(name));
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
            (Current::Accepted, Some((group, initiators))) => add(group, initiators, wwns, findings),
            (Current::None, _) | (Current::Accepted, None) => {
                let reason = "stands before the first initiator group, left out";
                findings.push(Finding::warning(INITIATORS, reason).at(ordinal(place)).value(word));
            }
            // Named with its group already.
            (Current::Refused, _) => {}
        }
    }
    remark(&groups, findings);
    groups
}

/// Adds the initiators of one word to their group.
fn add(group: &InitiatorGroup, initiators: &mut Vec<InitiatorName>, wwns: &str, findings: &mut Vec<Finding>) {
    for wwn in wwns.split(',').filter(|wwn| !wwn.is_empty()) {
        let left_out = |reason: String| {
            Finding::warning(INITIATORS, reason).at(format_args!("group {group}, initiator")).value(wwn)
        };
        match InitiatorName::parse(wwn) {
            Err(error) => findings.push(left_out(format!("left out: {error}"))),
            Ok(initiator) if initiators.contains(&initiator) => {
                findings.push(left_out("is named twice in this group, the second one is left out".to_owned()));
            }
            Ok(initiator) => initiators.push(initiator),
        }
    }
}

/// Remarks on groups that were accepted.
fn remark(groups: &[(InitiatorGroup, Vec<InitiatorName>)], findings: &mut Vec<Finding>) {
    let mut seen = BTreeSet::new();
    for (group, initiators) in groups {
        if initiators.is_empty() {
            let reason = "has no valid initiator, it is created all the same";
            findings.push(Finding::warning(INITIATORS, reason).at(format_args!("group {group}")));
        }
        for initiator in initiators.iter().filter(|initiator| !seen.insert((*initiator).clone())) {
            let reason = "is in an earlier group as well, which is the one that counts";
            findings.push(
                Finding::advice(INITIATORS, reason)
                    .at(format_args!("group {group}, initiator"))
                    .value(initiator.as_str()),
            );
        }
    }
}

/// The place of a word, counted as people count.
fn ordinal(place: usize) -> String {
    format!("word {}", place + 1)
}
