//! The program that measures, built for release.

use std::error::Error;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use crate::workspace;

/// Builds this program and the simulator, in a directory apart. Answers the program.
///
/// They have no need of the optimisation across crates that the agents get, and take minutes with it.
pub(super) fn tools() -> Result<PathBuf, Box<dyn Error>> {
    let directory = workspace::target_directory()?.join("bench");
    let mut cargo = workspace::cargo();
    cargo.args(["build", "--release", "--package", "xtask", "--package", "scst-sim", "--bins", "--target-dir"]);
    cargo.arg(&directory).env("CARGO_PROFILE_RELEASE_LTO", "off").env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
    let status = cargo.status().map_err(|error| format!("cargo cannot be run: {error}"))?;
    if !status.success() {
        return Err(format!("cargo build ended with {status}").into());
    }
    Ok(directory.join("release/xtask"))
}

/// The arguments for the program that measures.
pub(super) fn arguments(options: &super::Options, agents: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let text = |path: &Path| path.to_str().map(str::to_owned).ok_or(format!("{} is no plain path", path.display()));
    let mut arguments = vec!["bench".to_owned(), "--runs".to_owned(), options.runs.to_string()];
    arguments.extend(options.chapters.iter().filter_map(|part| Some(part.to_possible_value()?.get_name().to_owned())));
    if let Some(against) = &options.against {
        arguments.extend(["--against".to_owned(), text(&against.canonicalize()?)?]);
    }
    if options.quick {
        arguments.push("--quick".to_owned());
    }
    arguments.extend(["--agents".to_owned(), text(agents)?]);
    Ok(arguments)
}
