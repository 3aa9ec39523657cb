//! Shortens the plan of a stop or a reload: a LUN table of which all LUNs go, and all are ours, is cleared with one
//! command.

use std::collections::{BTreeMap, BTreeSet};

use scst_core::error::Error;
use scst_core::plan::Step;
use scst_core::plan::storage::clear_tables;
use scst_core::scst::target::LunTable;

use super::instance::Instance;
use crate::host::Host;

impl Instance {
    /// The same steps, with one command for each LUN table that is wholly ours and goes.
    ///
    /// The kernel has no command that unmaps several LUNs and leaves others. So a table is cleared only while no action
    /// of another group is under way on this node, which could be about to map something there; and the step looks at
    /// the table again before it writes.
    pub(super) fn shortened(&self, host: &Host<'_>, steps: Vec<Step>) -> Vec<Step> {
        match self.tables(host, &steps) {
            Ok(tables) => clear_tables(steps, &tables),
            // What cannot be looked at is unmapped one by one.
            Err(error) => {
                tracing::debug!("no LUN table is cleared: {error}");
                steps
            }
        }
    }

    /// The LUNs in the tables from which `steps` unmap something; no table while another group may be changing one.
    fn tables(&self, host: &Host<'_>, steps: &[Step]) -> Result<BTreeMap<LunTable, BTreeSet<u32>>, Error> {
        let table = |step: &Step| match step {
            Step::DelLun { at, .. } => Some(at.table.clone()),
            _ => None,
        };
        let named: BTreeSet<LunTable> = steps.iter().filter_map(table).collect();
        let mut tables = BTreeMap::new();
        if named.is_empty() {
            return Ok(tables);
        }
        // A start has no device group yet while it adds its devices: its lock tells of it from the beginning.
        if host.state_files.others_locked(self.group.as_str()) {
            return Ok(tables);
        }
        let observer = host.observer();
        for table in named {
            let luns = observer.luns_in_table(&table)?;
            tables.insert(table, luns);
        }
        Ok(tables)
    }
}
