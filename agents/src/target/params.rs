//! The type [`Params`]: the checked configuration of an agent that brings targets up, read from the environment.

use std::path::PathBuf;

use scst_core::cluster::MAX_GROUPS;
use scst_core::ocf::env::Env;
use scst_core::ocf::exit::Failure;
use scst_core::ocf::param::Finding;
use scst_core::scst::names::{Driver, InitiatorGroup, InitiatorName};
use scst_core::state::Settings;
use scst_core::state_file::Remembered;

use super::groups::{self, Groups, INITIATORS};
use super::run::{Run, TGTDRIVER, TargetAgent};
use super::settings;
use crate::missing_ports::MissingPorts;

/// The parameter that says where the daemon is.
const DAEMON: &str = "daemon";

/// The checked configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Params {
    /// The initiator groups with their initiators. The order gives the I/O groups their numbers.
    pub groups: Groups,
    /// What becomes of ports that do not exist.
    pub missing_ports: MissingPorts,
    /// What else is configured of each target.
    pub settings: Settings,
    /// How the driver's daemon comes to run.
    pub daemon: Daemon,
}

/// How the daemon of a driver comes to run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Daemon {
    /// start starts the program of the usual name.
    #[default]
    Found,
    /// start starts this program.
    Program(PathBuf),
    /// Somebody else starts it.
    Elsewhere,
}

impl Params {
    /// Reads the configuration, and says what is wrong with it. There is none exactly if one of the findings is an error.
    pub fn parse(agent: &TargetAgent, env: &Env) -> (Option<Self>, Vec<Finding>) {
        let mut findings = agent.table.check(env);
        let mut parsed = Self { missing_ports: MissingPorts::parse(env, &mut findings), ..Self::default() };
        let driver = match agent.driver(env) {
            Ok(driver) => driver,
            Err(finding) => {
                // That it is missing has been said.
                findings.extend(env.param(TGTDRIVER).map(|_| finding));
                return (None, findings);
            }
        };
        if let Some(text) = env.param(INITIATORS) {
            let read = |text: &str| match agent.driver {
                Some(_) => InitiatorName::parse(text),
                None => InitiatorName::of_driver(driver, text),
            };
            parsed.groups = groups::parse(text, &read, &mut findings);
            if parsed.groups.is_empty() {
                findings.push(Finding::error(INITIATORS, "names no initiator group"));
            }
        }
        if agent.driver.is_none() {
            parsed.settings = settings::parse(driver, env, &mut findings);
            parsed.daemon = Daemon::parse(driver, env, &mut findings);
        }
        let wrong = findings.iter().any(|finding| finding.severity == scst_core::ocf::param::Severity::Error);
        ((!wrong).then_some(parsed), findings)
    }

    /// The groups that the configuration names, for stop: whatever can be read of it, without an opinion.
    pub fn for_stop(env: &Env) -> Vec<InitiatorGroup> {
        let groups = env.param(INITIATORS).map(|text| groups::parse(text, &InitiatorName::seen, &mut Vec::new()));
        groups.unwrap_or_default().into_iter().map(|(group, _)| group).collect()
    }

    /// The same with the defaults of attributes that were configured before and are not any more.
    #[must_use]
    pub fn after(mut self, remembered: &Remembered) -> Self {
        settings::take_back(&mut self.settings, remembered);
        self
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

impl Daemon {
    fn parse(driver: Driver, env: &Env, findings: &mut Vec<Finding>) -> Self {
        let Some(text) = env.param(DAEMON).map(str::trim) else { return Self::Found };
        if !driver.has_daemon() {
            findings.push(Finding::error(DAEMON, format_args!("targets of driver {driver} have no daemon")));
        } else if text.eq_ignore_ascii_case("none") {
            return Self::Elsewhere;
        } else if !text.starts_with('/') || text.contains(|c: char| c.is_control()) {
            findings.push(Finding::error(DAEMON, "is neither none nor an absolute path").value(text));
        }
        Self::Program(PathBuf::from(text))
    }
}

impl Run<'_> {
    /// The configuration, and what is wrong with it.
    pub fn params(&self) -> (Option<Params>, Vec<Finding>) {
        Params::parse(&self.agent, &self.host.context.env)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use scst_core::ocf::param::Severity;
    use scst_core::scst::names::InitiatorName;

    use super::*;
    use crate::scst_qla2xtgt::AGENT;

    fn env(text: &str) -> Env {
        Env::from_pairs([("OCF_RESKEY_initiators", text)])
    }

    /// `group=last digits,…` of what was accepted, and the findings.
    fn read(text: &str) -> (Option<String>, Vec<String>) {
        let (params, findings) = Params::parse(&AGENT, &env(text));
        let shown = params.map(|params| {
            let group = |(name, initiators): &(InitiatorGroup, Vec<InitiatorName>)| {
                let ends: Vec<&str> = initiators.iter().map(|wwn| &wwn.as_str()[21..]).collect();
                format!("{name}={}", ends.join(","))
            };
            params.groups.iter().map(group).collect::<Vec<_>>().join(" ")
        });
        (shown, findings.iter().map(ToString::to_string).collect())
    }

    /// What is accepted without a remark.
    fn clean(text: &str) -> String {
        let (shown, findings) = read(text);
        assert_eq!(findings, [""; 0], "{text}");
        shown.unwrap()
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
        for (text, shown, findings) in [
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
            assert_eq!(found.as_deref(), Some(shown), "{text}");
            assert_eq!(remarks, findings, "{text}");
        }
    }

    #[test]
    fn an_initiator_in_two_groups_is_advice_only() {
        let (params, findings) = Params::parse(&AGENT, &env(&format!("a={A};b={A}")));
        assert_eq!(params.unwrap().groups.len(), 2);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].severity, Severity::Advice);
    }

    #[test]
    fn without_a_group_nothing_can_be_started() {
        assert_eq!(read(""), (None, vec!["initiators: is required and not set".to_owned()]));
        for text in ["nonsense", ";", "a/b=x"] {
            let (params, findings) = Params::parse(&AGENT, &env(text));
            assert_eq!(params, None);
            assert_eq!(findings.last().unwrap().to_string(), "initiators: names no initiator group");
            assert!(findings.iter().any(|finding| finding.severity == Severity::Error));
        }
    }

    #[test]
    fn too_many_groups_are_a_matter_of_the_node_not_of_the_parameter() {
        let text = |count| (0..count).map(|n| format!("g{n}={A}")).collect::<Vec<_>>().join(";");
        let failure = Params::parse(&AGENT, &env(&text(100))).0.unwrap().check_count().unwrap_err();
        assert_eq!(
            (failure.code.number(), &*failure.reason),
            (2, "initiators names 100 groups, I/O groups exist for 99")
        );
        assert!(Params::parse(&AGENT, &env(&text(99))).0.unwrap().check_count().is_ok());
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
            let (params, findings) = Params::parse(&AGENT, &env(&text));
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
