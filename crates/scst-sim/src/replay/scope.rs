//! Which recordings are not played, and why: scenarios of real processes, of a network, or of damage to the kernel.

/// Scenario and reason. Only a scenario's own name counts, so a recording under another name is always played.
pub const OUT_OF_SCOPE: &[(&str, &str)] = &[(
    "i3_iscsi_session",
    "a real initiator logs in over the network, whose sessions have connections, addresses and negotiated parameters",
)];

/// Why a scenario is not played, if it is not.
pub(super) fn reason_to_skip(scenario: &str) -> Option<&'static str> {
    OUT_OF_SCOPE.iter().find(|(name, _)| *name == scenario).map(|(_, reason)| *reason)
}
