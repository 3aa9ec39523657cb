//! The parameter `initiators`: `name=wwn,wwn;name2=wwn`.
//!
//! `;` and white space separate groups. A word without `=` continues the initiators of the group before it, so that a blank after
//! a comma loses nothing. What is wrong is named and left out; only a configuration without any group is wrong as a whole.

use std::collections::BTreeSet;

use scst_core::cluster::MAX_GROUPS;
use scst_core::ocf::env::Env;
use scst_core::ocf::exit::Failure;
use scst_core::ocf::param::{AgentTable, Finding};
use scst_core::scst::names::{InitiatorGroup, InitiatorName};

use crate::missing_ports::MissingPorts;

const INITIATORS: &str = "initiators";

/// The checked configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Params {
    /// The initiator groups with their initiators. The order gives the I/O groups their numbers.
    pub groups: Vec<(InitiatorGroup, Vec<InitiatorName>)>,
    /// What becomes of ports that do not exist.
    pub missing_ports: MissingPorts,
}

impl Params {
    /// Reads the configuration, and says what is wrong with it. There is none exactly if one of the findings is an error.
    pub fn parse(table: &AgentTable, env: &Env) -> (Option<Self>, Vec<Finding>) {
        let mut findings = table.check(env);
        let missing_ports = MissingPorts::parse(env, &mut findings);
        let groups = env.param(INITIATORS).map(|text| groups(text, &mut findings)).unwrap_or_default();
        if groups.is_empty() {
            if env.param(INITIATORS).is_some() {
                findings.push(Finding::error(INITIATORS, "names no initiator group"));
            }
            return (None, findings);
        }
        (Some(Self { groups, missing_ports }), findings)
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use scst_core::ocf::param::Severity;

    use super::*;
    use crate::scst_qla2xtgt::table::TABLE;

    fn env(text: &str) -> Env {
        Env::from_pairs([("OCF_RESKEY_initiators", text)])
    }

    /// `group=last digits,…` of what was accepted, and the findings.
    fn read(text: &str) -> (Option<String>, Vec<String>) {
        let (params, findings) = Params::parse(TABLE, &env(text));
        let picture = params.map(|params| {
            let group = |(name, initiators): &(InitiatorGroup, Vec<InitiatorName>)| {
                let ends: Vec<&str> = initiators.iter().map(|wwn| &wwn.as_str()[21..]).collect();
                format!("{name}={}", ends.join(","))
            };
            params.groups.iter().map(group).collect::<Vec<_>>().join(" ")
        });
        (picture, findings.iter().map(ToString::to_string).collect())
    }

    /// What is accepted without a remark.
    fn clean(text: &str) -> String {
        let (picture, findings) = read(text);
        assert_eq!(findings, [""; 0], "{text}");
        picture.unwrap()
    }

    const A: &str = "50:01:43:80:03:b0:23:34";
    const B: &str = "50:01:43:80:03:b0:23:36";
    const C: &str = "50:01:43:80:03:b0:23:38";

    #[test]
    fn groups_and_initiators_are_separated_in_every_way_people_write_them() {
        for text in [
            format!("ESX1={A},{B};esx2={C}"),
            format!("esx1={A},{B}; esx2={C}"),
            format!("esx1={A},{B} esx2={C}"),
            format!("esx1={A}, {B};esx2={C};"),
            format!(" esx1={A} {B}\n esx2= {}\t", C.to_uppercase()),
            format!("esx1={A};{B};esx2={C},"),
            format!(";;esx1=,{A},,{B};esx2={C}"),
        ] {
            assert_eq!(clean(&text), "esx1=34,36 esx2=38", "{text}");
        }
        assert_eq!(clean(&format!("a-very_long.name={A}")), "a-very_long.name=34");
    }

    #[test]
    fn what_is_wrong_is_named_and_left_out() {
        let list = |first: &str| format!("{first}={A},{B};linux={C}");
        for (text, picture, findings) in [
            (
                list("es/x"),
                "linux=38",
                &[
                    "initiators: word 1 \"es/x\": bad name of an initiator group, left out: character '/' is not possible here",
                ][..],
            ),
            (
                format!("={A};linux={C}"),
                "linux=38",
                &["initiators: word 1 \"\": bad name of an initiator group, left out: empty name"],
            ),
            (
                format!("linux={C} {A};Linux={B}, {B}"),
                "linux=38,34",
                &["initiators: word 3 \"Linux\": this initiator group is named twice, the second one is left out"],
            ),
            (
                format!("linux={C},50:01,{C}"),
                "linux=38",
                &[
                    "initiators: group linux, initiator \"50:01\": left out: not a WWPN of eight pairs of hex digits joined by \
                     colons",
                    "initiators: group linux, initiator \"50:01:43:80:03:b0:23:38\": is named twice in this group, the second one \
                     is left out",
                ],
            ),
            (
                format!("empty=;linux={C}"),
                "empty= linux=38",
                &["initiators: group empty: has no valid initiator, it is created all the same"],
            ),
            (
                format!("{A};linux={C}"),
                "linux=38",
                &["initiators: word 1 \"50:01:43:80:03:b0:23:34\": stands before the first initiator group, left out"],
            ),
            (
                format!("linux={C}=x"),
                "linux=",
                &[
                    "initiators: group linux, initiator \"50:01:43:80:03:b0:23:38=x\": left out: character '=' is not possible \
                     here",
                    "initiators: group linux: has no valid initiator, it is created all the same",
                ],
            ),
        ] {
            let (found, remarks) = read(&text);
            assert_eq!(found.as_deref(), Some(picture), "{text}");
            assert_eq!(remarks, findings, "{text}");
        }
    }

    #[test]
    fn an_initiator_in_two_groups_is_advice_only() {
        let (params, findings) = Params::parse(TABLE, &env(&format!("a={A};b={A}")));
        assert_eq!(params.unwrap().groups.len(), 2);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].severity, Severity::Advice);
    }

    #[test]
    fn without_a_group_nothing_can_be_started() {
        assert_eq!(read(""), (None, vec!["initiators: is required and not set".to_owned()]));
        for text in ["nonsense", ";", "a/b=x"] {
            let (params, findings) = Params::parse(TABLE, &env(text));
            assert_eq!(params, None);
            assert_eq!(findings.last().unwrap().to_string(), "initiators: names no initiator group");
            assert!(findings.iter().any(|finding| finding.severity == Severity::Error));
        }
    }

    #[test]
    fn too_many_groups_are_a_matter_of_the_node_not_of_the_parameter() {
        let text = |count| (0..count).map(|n| format!("g{n}={A}")).collect::<Vec<_>>().join(";");
        let failure = Params::parse(TABLE, &env(&text(100))).0.unwrap().check_count().unwrap_err();
        assert_eq!(
            (failure.code.number(), &*failure.reason),
            (2, "initiators names 100 groups, I/O groups exist for 99")
        );
        assert!(Params::parse(TABLE, &env(&text(99))).0.unwrap().check_count().is_ok());
    }

    #[test]
    fn stop_takes_what_it_can_read() {
        let groups = |text: &str| Params::for_stop(&env(text)).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(groups("esx1=nonsense;../x=y;linux"), ["esx1"]);
        assert_eq!(groups(""), [""; 0]);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic_or_lets_a_separator_through(text in "[a-z0-9=;, /.\n:A-F]{0,60}|.{0,40}") {
            let (params, findings) = Params::parse(TABLE, &env(&text));
            prop_assert_eq!(params.is_none(), findings.iter().any(|finding| finding.severity == Severity::Error));
            for (group, initiators) in params.iter().flat_map(|params| &params.groups) {
                prop_assert!(group.as_str().bytes().all(|b| b.is_ascii_graphic() && !b"/=;,".contains(&b)));
                prop_assert!(initiators.iter().all(|wwn| wwn.as_str().len() == 23));
            }
            for finding in findings {
                prop_assert!(!finding.to_string().chars().any(char::is_control));
            }
        }
    }
}
