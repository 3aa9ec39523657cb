//! Writes what is made of the agents' tables: their meta-data to `metadata/`, as the agents themselves print it, and the tables of exit
//! codes and exit reasons into `docs/operations.md`.

use std::error::Error;
use std::fs;
use std::process::ExitCode;

use agents::{exit_reasons, scst_aluadg, scst_qla2xtgt, scst_target};
use scst_core::ocf::metadata::render;

use crate::workspace;

/// The document that holds the tables.
const DOCUMENT: &str = "docs/operations.md";

/// Renders each table into its file, and says which files changed.
pub(crate) fn write() -> Result<ExitCode, Box<dyn Error>> {
    let root = workspace::root();
    fs::create_dir_all(root.join("metadata"))?;
    for table in [scst_qla2xtgt::table::TABLE, scst_target::table::TABLE, scst_aluadg::table::TABLE] {
        put(&format!("metadata/{}.xml", table.name), &render(table))?;
    }
    put(DOCUMENT, &with_tables(&fs::read_to_string(root.join(DOCUMENT))?)?)?;
    Ok(ExitCode::SUCCESS)
}

fn put(path: &str, text: &str) -> Result<(), Box<dyn Error>> {
    let file = workspace::root().join(path);
    let same = fs::read_to_string(&file).is_ok_and(|before| before == text);
    if !same {
        fs::write(&file, text)?;
    }
    println!("{path}: {}", if same { "is current" } else { "written" });
    Ok(())
}

/// The document with its tables made anew.
fn with_tables(document: &str) -> Result<String, String> {
    let document = between(document, DOCUMENT, "exit codes", "metadata", &exit_reasons::codes_markdown())?;
    between(&document, DOCUMENT, "exit reasons", "metadata", exit_reasons::markdown())
}

/// Puts a text between the two marks that carry this name, and the command that makes it.
pub(crate) fn between(document: &str, path: &str, name: &str, command: &str, text: &str) -> Result<String, String> {
    let (begin, end) =
        (format!("<!-- {name}: made by cargo xtask {command} -->\n"), format!("<!-- end of {name} -->\n"));
    let missing = || format!("{path} has no marks for {name}");
    let (before, rest) = document.split_once(&begin).ok_or_else(missing)?;
    let (_, after) = rest.split_once(&end).ok_or_else(missing)?;
    Ok(format!("{before}{begin}\n{text}\n{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_has_the_tables_as_they_are() {
        let document = fs::read_to_string(workspace::root().join(DOCUMENT)).unwrap();
        assert!(with_tables(&document).unwrap() == document, "cargo xtask metadata writes {DOCUMENT} anew");
    }
}
