//! The project's own commands, called as `cargo xtask …` (the alias is in `.cargo/config.toml`).
//!
//! They hold what would otherwise be shell scripts: the demo, everything that CI checks, and the generated files.

#[cfg(test)]
mod architecture;
mod bench;
mod check;
#[cfg(test)]
mod circles;
mod cluster;
mod debian;
mod demo;
mod dist;
#[cfg(test)]
mod documents;
mod fuzz;
mod metadata;
mod mounts;
mod mutants;
mod release;
mod simulate;
mod style;
mod workspace;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The commands of this repository")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Shows the agents at work on a simulated SCST of two nodes: needs root and /dev/fuse, no SCST and no cluster
    Demo {
        /// `iscsi`: with iSCSI targets instead of Fibre Channel ports
        #[arg(value_parser = ["iscsi"])]
        fabric: Option<String>,
        /// The binaries are built already
        #[arg(long, hide = true)]
        built: bool,
    },

    /// Runs everything that CI runs; installs by apt what it needs
    Test(check::Options),
    /// Plays whole clusters in one process, with the agents' own code, from seeds: as any user, without SCST
    Simulate(simulate::Options),
    /// Changes the product in one place at a time and checks that the fast tests or the simulation notice it: takes hours, needs
    /// cargo-mutants
    Mutants(mutants::Options),
    /// Runs the agents under a real Pacemaker: clusters of simulated machines in namespaces of their own; needs root and
    /// /dev/fuse
    Cluster(cluster::Options),
    /// Feeds every parser of outside input with what a fuzzer makes up: ten minutes each, needs cargo-fuzz
    Fuzz(fuzz::Options),
    /// Measures what the agents cost, and writes docs/benchmarks.md: some minutes, needs root and /dev/fuse
    Bench(bench::Options),
    /// What `bench` measures against: makes the listed writes
    #[command(hide = true)]
    BareWrites { root: PathBuf, list: PathBuf },
    /// The process in which `bench` makes its largest plan
    #[command(hide = true)]
    LargePlan,
    /// Runs resource-agents' own test on the agents, and keeps the transcripts in ocf-tester-runs/
    OcfTester(cluster::ocf_tester::Options),
    /// Writes the agents' meta-data to metadata/, and the tables of exit codes and exit reasons into docs/operations.md
    Metadata,
    /// Builds the static binaries and makes packages of them, a .deb and an .rpm, in target/dist
    Dist(dist::Options),
}

fn main() -> ExitCode {
    match run(Cli::parse().task) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(task: Task) -> Result<ExitCode, Box<dyn Error>> {
    match task {
        Task::Demo { fabric, built } => demo::run(fabric.is_some(), built),

        Task::Test(options) => check::run(&options),
        Task::Simulate(options) => simulate::run(&options),
        Task::Mutants(options) => mutants::run(&options),
        Task::Cluster(options) => cluster::run(&options),
        Task::Fuzz(options) => fuzz::run(&options),
        Task::Bench(options) => bench::run(&options),
        Task::BareWrites { root, list } => bench::bare_writes(&root, &list),
        Task::LargePlan => bench::large_plan(),
        Task::OcfTester(options) => cluster::ocf_tester::run(&options),
        Task::Metadata => metadata::write(),
        Task::Dist(options) => dist::run(&options),
    }
}
