//! The command line of an agent: `AGENT [--dry-run] ACTION`. [`super::run`] reads it first of all.
//!
//! OCF API 1.1, "Actions": the first argument names the action, further ones are ignored, and an unknown one is answered with
//! exit 3. That, and the rule that nothing else may be printed or done before, is why the few words are matched here by hand.

use std::ffi::{OsStr, OsString};
use std::fmt;

/// What the agents can be asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Bring the resource up, unpromoted.
    Start,
    /// Remove everything that is ours.
    Stop,
    /// Say what state the resource is in. Also called `status`.
    Monitor,
    /// Make this node the one that serves.
    Promote,
    /// Hand that role back.
    Demote,
    /// React to what happens to the other instances of the clone.
    Notify,
    /// Make changed parameters effective. Also called `reload-agent`.
    Reload,
    /// Check the parameters.
    ValidateAll,
    /// Print the description of the agent.
    MetaData,
    /// Print the usage. Also called `help`.
    Usage,
}

impl Action {
    /// The action that this name means; some have two names.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "start" => Self::Start,
            "stop" => Self::Stop,
            "monitor" | "status" => Self::Monitor,
            "promote" => Self::Promote,
            "demote" => Self::Demote,
            "notify" => Self::Notify,
            "reload" | "reload-agent" => Self::Reload,
            "validate-all" => Self::ValidateAll,
            "meta-data" => Self::MetaData,
            "usage" | "help" => Self::Usage,
            _ => return None,
        })
    }

    /// The first name of the action, as OCF spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Monitor => "monitor",
            Self::Promote => "promote",
            Self::Demote => "demote",
            Self::Notify => "notify",
            Self::Reload => "reload",
            Self::ValidateAll => "validate-all",
            Self::MetaData => "meta-data",
            Self::Usage => "usage",
        }
    }

    /// Whether the action follows a plan, which `--dry-run` can print instead.
    pub fn has_plan(self) -> bool {
        matches!(self, Self::Start | Self::Stop | Self::Reload | Self::Promote | Self::Demote)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One understood command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invocation {
    /// What to do.
    pub action: Action,
    /// Print the plan and write nothing.
    pub dry_run: bool,
}

/// What a command line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// An action.
    Run(Invocation),
    /// `--version`.
    Version,
    /// Nothing that exists; the text says why, for stderr.
    Unknown(String),
}

impl Request {
    /// Reads the arguments after the program's name.
    pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Self {
        let mut dry_run = false;
        let mut action = None;
        for argument in arguments {
            let word = argument.to_string_lossy();
            match (&*word, action) {
                // An administrator who writes it after the action means it all the same, and must not get the real thing.
                ("--dry-run", _) => dry_run = true,
                // Anything else after the action is ignored, as the interface demands.
                (_, Some(_)) => {}
                ("--help" | "-h", None) => action = Some(Action::Usage),
                ("--version" | "-V", None) => return Self::Version,
                (name, None) => match Action::parse(name) {
                    Some(known) => action = Some(known),
                    None => return Self::Unknown(format!("unknown action {}", quoted(&argument))),
                },
            }
        }
        match action {
            None => Self::Unknown("no action given".to_owned()),
            Some(action) if dry_run && !action.has_plan() => {
                Self::Unknown(format!("--dry-run has no meaning for {action}"))
            }
            Some(action) => Self::Run(Invocation { action, dry_run }),
        }
    }
}

/// An argument as it can be shown on one line.
fn quoted(argument: &OsStr) -> String {
    format!("{:?}", argument.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    fn parse(words: &[&str]) -> Request {
        Request::parse(words.iter().map(OsString::from))
    }

    fn run(action: Action) -> Request {
        Request::Run(Invocation { action, dry_run: false })
    }

    #[test]
    fn every_action_is_known_under_all_its_names() {
        for (name, action) in [
            ("start", Action::Start),
            ("stop", Action::Stop),
            ("monitor", Action::Monitor),
            ("status", Action::Monitor),
            ("promote", Action::Promote),
            ("demote", Action::Demote),
            ("notify", Action::Notify),
            ("reload", Action::Reload),
            ("reload-agent", Action::Reload),
            ("validate-all", Action::ValidateAll),
            ("meta-data", Action::MetaData),
            ("usage", Action::Usage),
            ("help", Action::Usage),
            ("--help", Action::Usage),
        ] {
            assert_eq!(parse(&[name]), run(action), "{name}");
        }
    }

    #[test]
    fn what_follows_the_action_is_ignored() {
        assert_eq!(parse(&["monitor", "start", "--bogus", ""]), run(Action::Monitor));
    }

    #[test]
    fn anything_else_is_unknown() {
        for words in [&[][..], &[""], &["START"], &["migrate_to"], &["recover"], &["--bogus", "start"], &["--dry-run"]]
        {
            assert!(matches!(parse(words), Request::Unknown(_)), "{words:?}");
        }
        let bytes = OsString::from_vec(vec![0xff, b'\n']);
        assert_eq!(Request::parse([bytes]), Request::Unknown("unknown action \"\u{fffd}\\n\"".to_owned()));
    }

    #[test]
    fn a_dry_run_is_asked_for_before_or_after_an_action_that_has_a_plan() {
        for name in ["start", "stop", "reload", "promote", "demote"] {
            let wanted = Request::Run(Invocation { action: Action::parse(name).unwrap(), dry_run: true });
            assert_eq!(parse(&["--dry-run", name]), wanted);
            assert_eq!(parse(&[name, "--dry-run"]), wanted);
        }
        assert_eq!(
            parse(&["--dry-run", "monitor"]),
            Request::Unknown("--dry-run has no meaning for monitor".to_owned())
        );
    }
}
