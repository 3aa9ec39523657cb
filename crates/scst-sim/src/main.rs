//! Command line of the simulator.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use scst_sim::replay::replay;

#[derive(Parser)]
#[command(name = "scst-sim", version, about = "SCST's sysfs in userspace")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Plays recordings of a real kernel against the model and prints what differs
    Replay {
        /// Recordings, one JSON object per line
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
}

fn main() -> ExitCode {
    let Command::Replay { files } = Cli::parse().command;
    match replay(&files, None, &mut std::io::stdout().lock()) {
        Ok(count) if count.differ == 0 => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("scst-sim: {error}");
            ExitCode::from(2)
        }
    }
}
