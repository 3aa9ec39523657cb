//! Writes the agents' meta-data to `metadata/`, as the agents themselves print it.

use std::error::Error;
use std::fs;
use std::process::ExitCode;

use agents::{scst_aluadg, scst_qla2xtgt};
use scst_core::ocf::metadata::render;

use crate::workspace;

/// Renders each agent's table into its file, and says which files changed.
pub(crate) fn write() -> Result<ExitCode, Box<dyn Error>> {
    let directory = workspace::root().join("metadata");
    fs::create_dir_all(&directory)?;
    for table in [scst_qla2xtgt::table::TABLE, scst_aluadg::table::TABLE] {
        let file = directory.join(format!("{}.xml", table.name));
        let document = render(table);
        let same = fs::read_to_string(&file).is_ok_and(|before| before == document);
        if !same {
            fs::write(&file, document)?;
        }
        println!("metadata/{}.xml: {}", table.name, if same { "is current" } else { "written" });
    }
    Ok(ExitCode::SUCCESS)
}
