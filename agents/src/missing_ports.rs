//! The parameter `missing_ports` of all agents: what becomes of ports that `targetports` lists and that do not exist on
//! this node.

use scst_core::ocf::env::Env;
use scst_core::ocf::param::{Finding, Parameter};
use scst_core::scst::names::TargetName;

/// What becomes of a start when a listed port does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MissingPorts {
    /// It fails on this node.
    #[default]
    Fail,
    /// It goes on with the ports that exist, if there is one, and names the others.
    Warn,
}

/// The ports of this node's list, with their numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Local {
    /// Those that exist, as sysfs spells them.
    pub ports: Vec<(TargetName, u16)>,
    /// Those that do not and need not.
    pub missing: Vec<(TargetName, u16)>,
}

impl From<Vec<(TargetName, u16)>> for Local {
    fn from(ports: Vec<(TargetName, u16)>) -> Self {
        Self { ports, missing: Vec::new() }
    }
}

impl Local {
    /// What is not as the list says, a sentence for each port.
    pub fn sentences(&self) -> impl Iterator<Item = String> {
        self.missing.iter().map(|(port, _)| format!("port {port} does not exist on this node"))
    }
}

impl MissingPorts {
    /// The parameter as the meta-data describes it.
    pub const PARAMETER: Parameter = Parameter {
        name: "missing_ports",
        reloadable: true,
        default: Some("fail"),
        shortdesc: "What to do when a listed port does not exist: fail or warn",
        longdesc: "\
What a start does on a node where a port of targetports does not exist, for example because its HBA is dead. fail: the start fails on \
this node, so that other nodes, which have all their ports, are preferred. warn: the node starts with the ports that exist, and the log \
and scst-ha status name the others; without any port the start fails all the same. A port that returns later is used after a restart of \
scst_qla2xtgt and a reload of scst_aluadg on that node. Give all agents the same value.",
        ..Parameter::TEXT
    };

    /// Reads the parameter; what is neither of the two values is found fault with.
    pub fn parse(env: &Env, findings: &mut Vec<Finding>) -> Self {
        let Some(text) = env.param(Self::PARAMETER.name).map(str::trim) else { return Self::Fail };
        match text.to_ascii_lowercase().as_str() {
            "fail" => Self::Fail,
            "warn" => Self::Warn,
            _ => {
                let reason = "neither fail nor warn, taken for fail";
                findings.push(Finding::warning(Self::PARAMETER.name, reason).value(text));
                Self::Fail
            }
        }
    }

    /// The same where no findings are wanted: a parameter that cannot be read counts as not set.
    pub fn of(env: &Env) -> Self {
        Self::parse(env, &mut Vec::new())
    }
}
