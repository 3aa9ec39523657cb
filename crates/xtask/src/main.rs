//! The project's own commands, called as `cargo xtask …` (the alias is in `.cargo/config.toml`).
//!
//! They hold what would otherwise be shell scripts: the demo, everything that CI checks, and the generated files.

#[cfg(test)]
mod architecture;
mod bench;
mod check;
mod cluster;
mod cluster_model;
mod debian;
mod demo;
mod dist;
mod faults;
mod fuzz;
mod guards;
mod metadata;
mod mounts;
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
        /// The binaries are built already
        #[arg(long, hide = true)]
        built: bool,
    },

    /// Runs everything that CI runs; installs by apt what it needs
    Test(check::Options),
    /// Lets every kernel operation of every action go wrong in every way, and checks what the agents make of it: takes
    /// some time, needs root and /dev/fuse
    Faults(faults::Options),
    /// Searches the life of clusters of two to four nodes for a story that breaks a law: as any user, without SCST
    Model(cluster_model::Options),
    /// Plays whole clusters in one process, with the agents' own code, from seeds: as any user, without SCST
    Simulate(simulate::Options),
    /// Takes each guard of the product out, in a copy, and sees the story about it fail: some 20 minutes, needs root and
    /// /dev/fuse
    Guards(guards::Options),
    /// Runs the agents under a real Pacemaker: clusters of simulated machines in namespaces of their own; needs root and
    /// /dev/fuse
    Cluster(cluster::Options),
    /// Feeds every parser of outside input with what a fuzzer makes up: ten minutes each, needs cargo-fuzz
    Fuzz(fuzz::Options),
    /// Measures what the agents cost against what they may cost, and writes docs/benchmarks.md: some minutes, needs root and
    /// /dev/fuse
    Bench(bench::Options),
    /// The floor that `bench` measures against: makes the listed writes
    #[command(hide = true)]
    BareWrites { root: PathBuf, list: PathBuf },
    /// The process in which `bench` makes its largest plan
    #[command(hide = true)]
    LargePlan,
    /// Runs resource-agents' own test of an agent for both, and keeps the transcripts in ocf-tester-runs/
    OcfTester(cluster::ocf_tester::Options),
    /// Writes the agents' meta-data to metadata/
    Metadata,
    /// Builds the static binaries and makes a Debian package of them, in target/dist
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
        Task::Demo { built } => demo::run(built),

        Task::Test(options) => check::run(&options),
        Task::Faults(options) => faults::run(&options),
        Task::Model(options) => cluster_model::run(&options),
        Task::Simulate(options) => simulate::run(&options),
        Task::Guards(options) => guards::run(&options),
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
