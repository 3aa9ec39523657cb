//! Shortens a plan: one command clears a LUN table of which all LUNs go. Clearing takes the kernel as long as one
//! deletion, so a stop with hundreds of LUNs stays within its time-out.

use std::collections::{BTreeMap, BTreeSet};

use crate::plan::Step;
use crate::scst::names::DeviceName;
use crate::scst::target::LunTable;

/// The same steps with one [`Step::ClearTable`] for each LUN table of which all LUNs go. `tables` holds the numbers of
/// all LUNs in each table, whoever mapped them; a table that is not in it is not cleared.
pub fn clear_tables(steps: Vec<Step>, tables: &BTreeMap<LunTable, BTreeSet<u32>>) -> Vec<Step> {
    let mut going: BTreeMap<LunTable, BTreeMap<u32, DeviceName>> = BTreeMap::new();
    for step in &steps {
        if let Step::DelLun { at, device } = step {
            going.entry(at.table.clone()).or_default().insert(at.lun, device.clone());
        }
    }
    going.retain(|table, luns| tables.get(table).is_some_and(|there| there.iter().eq(luns.keys())));
    let whole: BTreeSet<LunTable> = going.keys().cloned().collect();
    let shorter = steps.into_iter().filter_map(|step| match step {
        Step::DelLun { at, .. } if whole.contains(&at.table) => {
            let luns = going.remove(&at.table)?;
            Some(Step::ClearTable { table: at.table, luns })
        }
        step => Some(step),
    });
    shorter.collect()
}
