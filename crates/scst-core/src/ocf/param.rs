//! The types of an agent's table, which says what the agent is, which actions it has and which parameters; and
//! [`Finding`], a remark on the configuration.
//!
//! The table drives the meta-data that the cluster's tools read, the usage, and the general half of parsing: which parameters exist and
//! which of them must be set. The grammar inside a value belongs to the agent.

use std::fmt;

use super::env::Env;
use super::exit::one_line;

/// What an agent is, for the meta-data.
#[derive(Debug)]
pub struct AgentTable {
    /// The resource type, and the name of the program.
    pub name: &'static str,
    /// The agent's own version.
    pub version: &'static str,
    /// Its description in one line.
    pub shortdesc: &'static str,
    /// Its description for the operator who sets it up.
    pub longdesc: &'static str,
    /// The parameters, in the order they are shown.
    pub parameters: &'static [Parameter],
    /// The operations that the cluster may schedule, with the time each needs.
    pub operations: &'static [Operation],
}

/// The kind of a value, as the meta-data says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text, whose grammar the agent checks.
    String,
    /// The same with a part that no message may show.
    Secret,
    /// Yes or no.
    Boolean,
}

/// One parameter, or a row of numbered ones.
#[derive(Debug)]
pub struct Parameter {
    /// The name; of a row the part before the number.
    pub name: &'static str,
    /// For a row: how many parameters it has, numbered from 0. Only the first of a row is required, and only it has the
    /// long text.
    pub count: Option<u16>,
    /// What it holds.
    pub kind: Kind,
    /// The resource cannot work without it.
    pub required: bool,
    /// No two resources may have the same value.
    pub unique: bool,
    /// A reload makes a change effective; without it Pacemaker restarts the resource.
    pub reloadable: bool,
    /// The value that counts where none is configured.
    pub default: Option<&'static str>,
    /// Its description in one line.
    pub shortdesc: &'static str,
    /// Its description for the operator.
    pub longdesc: &'static str,
}

impl Parameter {
    /// A text that may be absent and whose change needs a restart: what most have in common.
    pub const TEXT: Self = Self {
        name: "",
        count: None,
        kind: Kind::String,
        required: false,
        unique: false,
        reloadable: false,
        default: None,
        shortdesc: "",
        longdesc: "",
    };
}

/// One operation of the meta-data.
#[derive(Debug, Clone, Copy)]
pub struct Operation {
    /// The action's name.
    pub name: &'static str,
    /// The advised time-out in seconds.
    pub timeout: u32,
    /// The advised seconds between two runs; `None` for what runs once.
    pub interval: Option<u32>,
    /// The role that a monitor is for: `Promoted` or `Unpromoted`.
    pub role: Option<&'static str>,
}

impl Operation {
    /// An operation that runs once, with its time-out in seconds.
    pub const fn once(name: &'static str, timeout: u32) -> Self {
        Self { name, timeout, interval: None, role: None }
    }

    /// A recurring monitor, with time-out and interval in seconds.
    pub const fn monitor(timeout: u32, interval: u32, role: Option<&'static str>) -> Self {
        Self { name: "monitor", timeout, interval: Some(interval), role }
    }
}

impl Parameter {
    /// The names this entry stands for.
    pub fn names(&self) -> impl Iterator<Item = String> + '_ {
        let single = self.count.is_none().then(|| self.name.to_owned());
        let row = (0..self.count.unwrap_or(0)).map(move |number| format!("{}{number}", self.name));
        single.into_iter().chain(row)
    }

    /// Whether `name` is this parameter, or one of this row.
    fn covers(&self, name: &str) -> bool {
        let Some(count) = self.count else { return name == self.name };
        let Some(number) = name.strip_prefix(self.name) else { return false };
        // `device07` is not `device7`: the environment holds both.
        number.parse::<u16>().is_ok_and(|n| n < count && n.to_string() == number)
    }
}

impl AgentTable {
    /// Checks the names of the parameters: an error for each required one that is missing, a warning for each that the
    /// agent does not have.
    pub fn check(&self, env: &Env) -> Vec<Finding> {
        let mut findings = Vec::new();
        for parameter in self.parameters.iter().filter(|parameter| parameter.required) {
            // Of a row the first one is required.
            let name = parameter.names().next().unwrap_or_default();
            if env.param(&name).is_none() {
                findings.push(Finding::error(&name, "is required and not set"));
            }
        }
        // One that is not known may be a secret one whose name has a typing mistake.
        let secrets = self.parameters.iter().any(|parameter| parameter.kind == Kind::Secret);
        for (name, value) in env.params() {
            if !self.parameters.iter().any(|parameter| parameter.covers(name)) {
                let finding =
                    Finding::warning(name, "is not a parameter of this agent, ignored").effect(Effect::Ignored);
                findings.push(if secrets { finding } else { finding.value(value) });
            }
        }
        findings
    }
}

/// What a finding means for the configuration it was found in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The configuration is followed, but it is dangerous. Never makes an action fail.
    Advice,
    /// The configuration is not entirely followed: something is left out, or read in another way than it looks. Makes
    /// only validate-all fail.
    Warning,
    /// Nothing can be started with this.
    Error,
}

/// What became of the text that a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Effect {
    /// It is used, perhaps read in another way than it looks.
    #[default]
    Used,
    /// The agent has no such parameter, and does not read it.
    Ignored,
    /// A part of what the parameter describes does not come about: an export of a device, an initiator of a group.
    PartLeftOut,
    /// What the parameter describes does not come about: a device.
    LeftOut,
}

/// One remark on the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The parameter.
    pub parameter: String,
    /// Where in the parameter: a key, a group, the n-th word.
    pub position: Option<String>,
    /// The text that was found there.
    pub value: Option<String>,
    /// What is wrong with it and, for a warning, what was done instead.
    pub reason: String,
    /// What became of it.
    pub effect: Effect,
}

impl Finding {
    fn new(severity: Severity, parameter: &str, reason: impl fmt::Display) -> Self {
        let reason = one_line(&reason.to_string());
        let parameter = one_line(parameter);
        Self { severity, parameter, position: None, value: None, reason, effect: Effect::Used }
    }

    /// Nothing can be started with this.
    pub fn error(parameter: &str, reason: impl fmt::Display) -> Self {
        Self::new(Severity::Error, parameter, reason)
    }

    /// Something was left out.
    pub fn warning(parameter: &str, reason: impl fmt::Display) -> Self {
        Self::new(Severity::Warning, parameter, reason)
    }

    /// Nothing is wrong, but it should be known.
    pub fn advice(parameter: &str, reason: impl fmt::Display) -> Self {
        Self::new(Severity::Advice, parameter, reason)
    }

    /// Whether a device or an export that is configured is left out.
    pub fn leaves_out(&self) -> bool {
        matches!(self.effect, Effect::PartLeftOut | Effect::LeftOut)
    }

    /// The same with another effect.
    #[must_use]
    pub fn effect(self, effect: Effect) -> Self {
        Self { effect, ..self }
    }

    /// The same with a position in the parameter.
    #[must_use]
    pub fn at(mut self, position: impl fmt::Display) -> Self {
        self.position = Some(one_line(&position.to_string()));
        self
    }

    /// The same with the text that was found.
    #[must_use]
    pub fn value(mut self, value: &str) -> Self {
        self.value = Some(value.to_owned());
        self
    }
}

impl fmt::Display for Finding {
    /// `device3: export1 "esx1:900": LUN is over 256, left out`, on one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.parameter)?;
        if let Some(position) = &self.position {
            write!(f, ": {position}")?;
        }
        if let Some(value) = &self.value {
            // Debug escapes what could end the line; a long value would push the reason out of what Pacemaker shows.
            let short: String = value.chars().take(60).collect();
            write!(f, " {short:?}{}", if short.len() < value.len() { "..." } else { "" })?;
        }
        write!(f, ": {}", self.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Parameter = Parameter { name: "groupname", required: true, unique: true, ..Parameter::TEXT };
    const TABLE: AgentTable = AgentTable {
        name: "probe",
        version: "1",
        shortdesc: "",
        longdesc: "",
        parameters: &[PLAIN, Parameter { name: "device", count: Some(256), ..PLAIN }],
        operations: &[],
    };

    #[test]
    fn missing_and_unknown_parameters_are_named() {
        let env = Env::from_pairs([
            ("OCF_RESKEY_groupname", ""),
            ("OCF_RESKEY_device0", "x"),
            ("OCF_RESKEY_device255", "x"),
            ("OCF_RESKEY_device256", "x"),
            ("OCF_RESKEY_device07", "x"),
            ("OCF_RESKEY_devices", "a\nb"),
            ("OCF_RESKEY_CRM_meta_timeout", "1"),
        ]);
        let findings: Vec<String> = TABLE.check(&env).iter().map(Finding::to_string).collect();
        assert_eq!(
            findings,
            [
                "groupname: is required and not set",
                "device07 \"x\": is not a parameter of this agent, ignored",
                "device256 \"x\": is not a parameter of this agent, ignored",
                "devices \"a\\nb\": is not a parameter of this agent, ignored",
            ]
        );
    }

    #[test]
    fn a_long_value_does_not_push_out_the_reason() {
        let finding = Finding::error("initiators", "no group").at("1st word").value(&"x".repeat(500));
        assert_eq!(finding.to_string(), format!("initiators: 1st word {:?}...: no group", "x".repeat(60)));
    }
}
