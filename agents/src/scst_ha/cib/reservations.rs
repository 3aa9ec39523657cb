//! Reservations that the nodes share need DLM before the group and as long as it runs.

use super::constraints::{ordered, together};
use super::{Cib, Finding};
use crate::scst_aluadg;

/// The agent that runs `dlm_controld`.
const CONTROLD: &str = "controld";

/// Everything about groups that share.
pub(super) fn findings(cib: &Cib) -> Vec<Finding> {
    let controld: Vec<Vec<String>> = cib
        .root
        .descendants("primitive")
        .iter()
        .filter(|primitive| primitive.get("type") == Some(CONTROLD))
        .filter_map(|primitive| Some(cib.names(primitive.get("id")?)))
        .collect();
    let shares = |params: &std::collections::BTreeMap<String, String>| {
        params.get("reservations").is_some_and(|value| value.trim().eq_ignore_ascii_case("shared"))
    };
    let mut found = Vec::new();
    for resource in cib.of_agent(scst_aluadg::table::TABLE.name).filter(|resource| shares(&resource.params)) {
        let group = cib.names(&resource.id);
        let kept = controld.iter().any(|dlm| ordered(cib, dlm, &group, "start") && together(cib, &group, dlm, None));
        let about = format!("resource {}", resource.id);
        found.push(if kept {
            Finding::fine(about, "starts after DLM, and where DLM runs")
        } else {
            Finding::wrong(
                about,
                "it shares reservations, and is not started after and with a clone of ocf:pacemaker:controld",
                "order and colocation with DLM: operations.md, \"Reservations\"",
            )
        });
    }
    found
}
