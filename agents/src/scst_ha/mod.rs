//! `scst-ha`: what operators want to see of a node's SCST, and what belongs into its `targetports`.
//!
//! It uses the agents' own code to read the kernel, the parameters and to plan. It never applies a plan, and
//! its one write is the node attribute that `discover --set` sets. It works without a cluster and without SCST, and then says less.

#![allow(
    clippy::format_push_string,
    clippy::format_collect,
    clippy::needless_for_each,
    clippy::needless_pass_by_value,
    reason = "text for people is made once, of words of any kind"
)]

mod addresses;
mod check;
mod cib;
mod cli;
mod discover;
mod explain;
mod files;
pub mod import;
mod metrics;
mod node;
mod output;
mod plan;
mod ports;
mod secrets;
mod snapshot;
mod status;
mod table;
mod verdict;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

use self::cli::{Cli, Command};
use self::node::Node;
use self::verdict::Verdict;

pub use self::cli::command;

/// Runs the tool on this process's arguments and environment.
pub fn main() -> ExitCode {
    if let Some(ended) = scst_core::system::serve_as_helper() {
        return ended;
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(said) => {
            // Nobody is left to tell if the terminal is gone.
            let _ = said.print();
            return ExitCode::from(u8::try_from(said.exit_code()).unwrap_or(2));
        }
    };
    let node = if cli.keeps_what_it_sees() { Node::recording(cli.timeout()) } else { Node::new(cli.timeout()) };
    let outcome = match &cli.command {
        Command::Check(options) => check::run(&node, options),
        Command::Discover(options) => discover::run(&node, options),
        Command::Explain(options) => explain::run(&node, options),
        Command::Import(options) => import::run(&node, options),
        Command::Metrics(options) => metrics::run(&node, options),
        Command::Plan(options) => plan::run(&node, options),
        Command::Status(options) => status::run(&node, options),
    };
    match outcome {
        Ok(verdict) => verdict.into(),
        Err(failure) => {
            let hint = failure.hint.as_deref().map(|hint| format!("scst-ha: {hint}\n")).unwrap_or_default();
            // Nobody is left to tell if stderr is closed.
            let _ = std::io::stderr().lock().write_all(format!("scst-ha: {failure}\n{hint}").as_bytes());
            Verdict::Failed.into()
        }
    }
}
