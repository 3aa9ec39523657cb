//! What the nodes have told each other of a group's devices, side by side.

use std::collections::BTreeMap;

use scst_core::scst::names::NodeName;
use scst_core::state::Storage;

use super::group::Group;
use crate::scst_aluadg::agreement::{self, Told};
use crate::scst_aluadg::params::Params;
use crate::scst_ha::output::Page;
use crate::scst_ha::table::Table;

/// Adds the comparison to a group that runs here, and what contradicts this node to its faults.
pub(super) fn compare(
    group: &mut Group,
    params: &Params,
    found: &Storage,
    local: &NodeName,
    told: &BTreeMap<String, String>,
) {
    group.agreement = agreement::compared(params, found, local, told);
    group.faults.extend(group.agreement.iter().flat_map(|told| told.conflicts.clone()));
}

/// A row per device and node.
pub(super) fn text(rows: &[Told], page: Page) -> String {
    let mut table = Table::new(&["as told by", "device", "size", "blocks", "known as", "same as here"]);
    for row in rows {
        table.row([
            row.node.clone(),
            row.device.clone(),
            row.size.map_or("-".to_owned(), |size| size.to_string()),
            row.block_size.to_string(),
            row.known_as.clone(),
            (if row.same { "yes" } else { "no" }).to_owned(),
        ]);
    }
    table.text("  ", page)
}
