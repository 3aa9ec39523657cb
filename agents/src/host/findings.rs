//! What an action does with the findings of its configuration: it logs them, and a start, a reload or validate-all is
//! refused for some.

use scst_core::ocf::env::Env;
use scst_core::ocf::exit::Failure;
use scst_core::ocf::param::{Finding, Severity};

/// Logs findings at their level, and refuses to go on if one of them leaves nothing to start.
///
/// # Errors
///
/// Exit 6 with the first error; the others are logged.
pub fn refuse_errors(findings: &[Finding]) -> Result<(), Failure> {
    let mut errors = Vec::new();
    for finding in findings {
        match finding.severity {
            Severity::Error => errors.push(finding),
            Severity::Warning | Severity::Advice => tracing::warn!("{finding}"),
        }
    }
    for error in errors.iter().skip(1) {
        tracing::error!("{error}");
    }
    match errors.first() {
        None => Ok(()),
        Some(first) => Err(Failure::configured(first.to_string())),
    }
}

/// Logs findings without refusing anything.
pub fn log_findings(findings: &[Finding]) {
    for finding in findings {
        tracing::warn!("{finding}");
    }
}

/// validate-all at level 0: every finding is named, and each but mere advice fails it.
///
/// # Errors
///
/// Exit 6 with the first finding that is more than advice.
pub fn validate(findings: &[Finding]) -> Result<(), Failure> {
    let (advice, faults): (Vec<_>, Vec<_>) = findings.iter().partition(|finding| finding.severity == Severity::Advice);
    for finding in advice {
        tracing::warn!("{finding}");
    }
    for finding in faults.iter().skip(1) {
        tracing::error!("{finding}");
    }
    match faults.as_slice() {
        [] => Ok(()),
        [only] => Err(Failure::configured(only.to_string())),
        [first, rest @ ..] => Err(Failure::configured(format!("{first} (and {} more, see the log)", rest.len()))
            .with_hint(rest.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))),
    }
}

/// A clone that puts two instances on one node: they would share everything.
///
/// # Errors
///
/// Exit 6 where `clone-node-max` is over 1.
pub fn refuse_two_per_node(env: &Env) -> Result<(), Failure> {
    match env.clone_node_max() {
        Some(max) if max > 1 => Err(Failure::configured("clone-node-max is over 1: a node runs one instance")),
        _ => Ok(()),
    }
}

/// A clone with two promoted instances: two nodes would write to one store, and share neither reservations nor what makes a
/// COMPARE AND WRITE atomic.
///
/// # Errors
///
/// Exit 6 where `promoted-max` is over 1.
pub fn refuse_two_promoted(env: &Env) -> Result<(), Failure> {
    match env.promoted_max() {
        Some(max) if max > 1 => Err(Failure::configured("promoted-max is over 1: one node serves a device group")),
        _ => Ok(()),
    }
}
