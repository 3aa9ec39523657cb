//! `cargo xtask mutants`: changes the product in one place at a time, and sees a test notice it.
//!
//! cargo-mutants does the work, in a copy of the tree. A change is noticed by the unit tests, by the properties of plans and of
//! hostile input, or by the simulation, of which some fixed histories are a unit test of this package. `.cargo/mutants.toml` names
//! these tests and, with its reason, what is left out.

use std::error::Error;
use std::process::ExitCode;

use clap::Args;

use crate::workspace;

/// What to change.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Only in files that match, such as `crates/scst-core/src/plan/**`; may be repeated
    #[arg(long, value_name = "GLOB")]
    file: Vec<String>,
    /// Only the k-th of n parts, from 0, such as 0/8
    #[arg(long, value_name = "K/N")]
    shard: Option<String>,
    /// Prints the changes without trying them
    #[arg(long)]
    list: bool,
}

/// Tries all changes that were asked for; fails if one was not noticed.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    if !workspace::has_program("cargo-mutants") {
        return Err("cargo-mutants is missing: cargo install cargo-mutants".into());
    }
    let mut cargo = workspace::cargo();
    cargo.args(["mutants", "--output", "target", "--package", "scst-core", "--package", "agents"]);
    cargo.args(["--test-package", "scst-core,agents,xtask"]);
    for glob in &options.file {
        cargo.args(["--file", glob]);
    }
    if let Some(shard) = &options.shard {
        cargo.args(["--shard", shard]);
    }
    if options.list {
        cargo.arg("--list");
    }
    let status = cargo.status().map_err(|error| format!("cargo cannot be run: {error}"))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
